"""The Wav2Lip network against the published description, checked from the other side."""

import pytest
import torch
from torch import nn

from heygemd.nets.wav2lip import FIRST_SHOWN, LowerFace, Wav2Lip, fuse

# (transposed, c_in, c_out, kernel, stride, padding, residual), in the order of the paper's tables.
FACE_ENCODER = """
6 16 7 1 3 | 16 32 3 2 1, 32 r 2 | 32 64 3 2 1, 64 r 3 | 64 128 3 2 1, 128 r 2
| 128 256 3 2 1, 256 r 2 | 256 512 3 2 1, 512 r 1 | 512 512 3 1 0, 512 512 1 1 0
"""
FACE_DECODER = """
512 512 1 1 0 | T 1024 512 3 1 0, 512 r 1 | T 1024 512 3 2 1, 512 r 2 | T 768 384 3 2 1, 384 r 2
| T 512 256 3 2 1, 256 r 2 | T 320 128 3 2 1, 128 r 2 | T 160 64 3 2 1, 64 r 2
"""
AUDIO_ENCODER = """
1 32 3 1 1, 32 r 2, 32 64 3 3x1 1, 64 r 2, 64 128 3 3 1, 128 r 2, 128 256 3 3x2 1, 256 r 1,
256 512 3 1 0, 512 512 1 1 0
"""
BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(7)
    model = Wav2Lip()
    for module in model.modules():  # fresh batch norms do nothing, which would prove nothing
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval()


@pytest.fixture
def inputs():
    source = torch.Generator().manual_seed(3)
    return (
        torch.rand(2, 1, 80, 16, generator=source) * 8 - 4,
        torch.rand(2, 6, 96, 96, generator=source),
    )


def expected_blocks(name, table):
    for i, stage in enumerate(table.split("|")):
        rows = []
        for row in stage.split(","):
            words = row.split()
            if "r" in words:
                n_channels, _, n_blocks = words
                rows += [(False, [int(n_channels)] * 2, 3, (1, 1), 1, True)] * int(n_blocks)
                continue
            transposed = words[0] == "T"
            c_in, c_out, kernel, stride, padding = words[transposed:]
            strides = tuple(int(s) for s in (stride.split("x") * 2)[:2])
            rows.append(
                (transposed, [int(c_in), int(c_out)], int(kernel), strides, int(padding), False)
            )
        yield from ((f"{name.format(i=i)}.{j}", *row) for j, row in enumerate(rows))


TABLE = [
    *expected_blocks("face_encoder_blocks.{i}", FACE_ENCODER),
    *expected_blocks("audio_encoder", AUDIO_ENCODER),
    *expected_blocks("face_decoder_blocks.{i}", FACE_DECODER),
    ("output_block.0", False, [80, 32], 3, (1, 1), 1, False),
]


def test_the_state_dict_has_the_published_number_of_entries(network):
    assert len(network.state_dict()) == 352


def test_the_network_has_the_published_number_of_parameters(network):
    assert sum(p.numel() for p in network.parameters()) == 36_298_035


def test_there_are_fifty_conv_blocks(network):
    assert len(TABLE) == 50
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 50


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_each_layer_is_as_published(network, row):
    name, transposed, channels, kernel, stride, padding, residual = row
    block = network.get_submodule(name)
    conv, norm = block.conv_block

    assert isinstance(conv, nn.ConvTranspose2d if transposed else nn.Conv2d)
    assert [conv.in_channels, conv.out_channels] == channels
    assert conv.kernel_size == (kernel, kernel)
    assert conv.stride == stride
    assert conv.padding == (padding, padding)
    assert conv.bias is not None
    assert norm.num_features == channels[1]
    assert block.residual == residual
    if transposed:
        assert conv.output_padding == ((1, 1) if stride == (2, 2) else (0, 0))


def test_names_are_those_of_the_published_state_dict(network):
    leaves = [f"conv_block.0.{leaf}" for leaf in ("weight", "bias")]
    leaves += [f"conv_block.1.{leaf}" for leaf in BATCH_NORM]
    expected = {f"{row[0]}.{leaf}" for row in TABLE for leaf in leaves}

    assert set(network.state_dict()) == expected | {"output_block.1.weight", "output_block.1.bias"}


def test_a_frame_costs_the_published_number_of_multiplications(network, inputs):
    macs = []

    def count(module, args, output):
        sites = args[0] if isinstance(module, nn.ConvTranspose2d) else output
        macs.append(sites.shape[-1] * sites.shape[-2] * module.weight.numel())

    hooks = [
        module.register_forward_hook(count)
        for module in network.modules()
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))
    ]
    with torch.inference_mode():
        network(*inputs)
    for hook in hooks:
        hook.remove()

    assert sum(macs) / 1e9 == pytest.approx(3.97, abs=0.005)


def test_the_output_is_a_face_in_the_unit_range(network, inputs):
    with torch.inference_mode():
        spoken = network(*inputs)

    assert spoken.shape == (2, 3, 96, 96)
    assert 0 <= spoken.min() < spoken.max() <= 1


def test_a_frame_does_not_depend_on_its_neighbours_in_the_batch(network, inputs):
    mel, faces = inputs
    with torch.inference_mode():
        together = network(mel, faces)
        alone = network(mel[1:], faces[1:])

    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=0)


def test_the_sound_reaches_the_face(network, inputs):
    mel, faces = inputs
    with torch.inference_mode():
        assert not torch.equal(network(mel, faces), network(-mel, faces))


def test_the_same_input_gives_the_same_bits(network, inputs):
    with torch.inference_mode():
        assert torch.equal(network(*inputs), network(*inputs))


@pytest.mark.parametrize(
    ("mel", "faces"),
    [
        ((2, 1, 80, 15), (2, 6, 96, 96)),
        ((2, 80, 16), (2, 6, 96, 96)),
        ((2, 1, 80, 16), (2, 3, 96, 96)),
        ((2, 1, 80, 16), (2, 6, 128, 128)),
        ((3, 1, 80, 16), (2, 6, 96, 96)),
    ],
)
def test_wrong_shapes_are_refused_with_both_sides_named(network, mel, faces):
    with pytest.raises(ValueError, match=r"want \(B, 1, 80, 16\)") as caught:
        network(torch.zeros(mel), torch.zeros(faces))

    assert str(mel) in str(caught.value)
    assert str(faces) in str(caught.value)


def test_the_fused_copy_speaks_the_same(network, inputs):
    with torch.inference_mode():
        torch.testing.assert_close(fuse(network)(*inputs), network(*inputs), atol=1e-4, rtol=0)


def test_the_fused_copy_holds_no_batch_norm_and_leaves_the_original_alone(network):
    fused = fuse(network)

    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    assert len(network.state_dict()) == 352


def test_a_network_in_training_mode_cannot_be_fused():
    with pytest.raises(ValueError, match="training"):
        fuse(Wav2Lip().train())


def test_the_lower_face_is_what_the_whole_network_paints_and_the_upper_one_what_it_was_given(
    network, inputs
):
    with torch.inference_mode():
        whole, lower = network(*inputs), LowerFace(network)(*inputs)

    painted = (..., slice(FIRST_SHOWN, None), slice(None))
    torch.testing.assert_close(lower[painted], whole[painted], atol=1e-5, rtol=0)
    above = (..., slice(0, FIRST_SHOWN), slice(None))
    torch.testing.assert_close(lower[above], inputs[1][:, 3:][above], atol=0, rtol=0)
