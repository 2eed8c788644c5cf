import pytest
import torch
from torch.nn import functional

from heygemd.nets.s3fd import STRIDES_PX, S3fd, ScaledNorm


@pytest.fixture(scope="module")
def net():
    with torch.device("meta"):  # shapes alone, no numbers
        return S3fd()


def test_it_has_the_tensors_and_parameters_of_the_published_file(net):
    state = net.state_dict()
    assert len(state) == 65
    assert sum(tensor.numel() for tensor in state.values()) == 22_459_110


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv1_1.weight", (64, 3, 3, 3)),
        ("fc6.weight", (1024, 512, 3, 3)),
        ("fc7.bias", (1024,)),
        ("conv6_2.weight", (512, 256, 3, 3)),
        ("conv7_1.weight", (128, 512, 1, 1)),
        ("conv3_3_norm.weight", (256,)),
        ("conv3_3_norm_mbox_conf.weight", (4, 256, 3, 3)),
        ("conv4_3_norm_mbox_conf.weight", (2, 512, 3, 3)),
        ("fc7_mbox_loc.weight", (4, 1024, 3, 3)),
        ("conv7_2_mbox_loc.bias", (4,)),
    ],
)
def test_names_and_shapes_are_the_published_ones(net, name, shape):
    assert tuple(net.state_dict()[name].shape) == shape


def test_every_stride_has_two_logits_and_four_offsets(net):
    heads = net(torch.empty(1, 3, 64, 128, device="meta"))
    assert len(heads) == len(STRIDES_PX)
    # fc6 pads three for a kernel of three: the coarse heads grow by 4, 2 and 1 cells.
    for (logits, offsets), cells in zip(
        heads, [(16, 32), (8, 16), (4, 8), (6, 8), (3, 4), (2, 2)], strict=True
    ):
        assert tuple(logits.shape) == (1, 2, *cells)
        assert tuple(offsets.shape) == (1, 4, *cells)


def test_the_dilated_form_keeps_the_coarse_heads_to_the_frame():
    with torch.device("meta"):
        heads = S3fd(dilated=True)(torch.empty(1, 3, 128, 128))
    assert [logits.shape[2] for logits, _ in heads] == [32, 16, 8, 4, 2, 1]


def test_the_finest_head_takes_the_likeliest_of_three_backgrounds():
    with torch.device("meta"):
        net = S3fd()
    for name in ("conf", "loc"):
        net.set_submodule(f"conv3_3_norm_mbox_{name}", torch.nn.Conv2d(256, 4, 3, padding=1))
    features = torch.randn(1, 256, 5, 5)
    with torch.inference_mode():
        logits, _ = net._head("conv3_3_norm", features)
        head = net.get_submodule("conv3_3_norm_mbox_conf")
        raw = functional.conv2d(features, head.weight, head.bias, padding=1)
    assert torch.allclose(logits[:, 0], raw[:, :3].max(dim=1).values)
    assert torch.allclose(logits[:, 1], raw[:, 3])


def test_the_norm_gives_every_pixel_the_length_of_its_weight():
    norm = ScaledNorm(8, 10.0)
    lengths = norm(torch.randn(2, 8, 3, 3)).square().sum(dim=1).sqrt()
    assert torch.allclose(lengths, torch.full((2, 3, 3), 10.0), atol=1e-4)
