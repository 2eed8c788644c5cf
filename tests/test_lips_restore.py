"""Faces are restored in batches, blended by their share, and nothing outside them changes."""

import numpy as np
import pytest
import torch

from heygemd.errors import ModelError
from heygemd.faces import paste
from heygemd.lips import restore
from heygemd.lips.restore import Restorer
from heygemd.planes import of_bgr

pytestmark = pytest.mark.timeout(120)  # the first import of spandrel reads a hundred networks


def face_points(n=3, *, left=200.0, top=120.0, size=100.0):
    """(n, 478, 3): points of an upright face whose eyes are half of ``size`` apart."""
    points = np.zeros((n, 478, 3), np.float32)
    template = restore._TEMPLATE / 512
    points[:, list(restore._POINTS), :2] = template
    turn = np.linspace(0, 2 * np.pi, len(restore._OVAL), endpoint=False)
    oval = np.stack([0.5 + 0.38 * np.sin(turn), 0.55 - 0.42 * np.cos(turn)], axis=1)
    points[:, list(restore._OVAL), :2] = oval
    points[..., :2] = points[..., :2] * size + (left, top)
    return points


def frames(n=3, value=None):
    if value is not None:
        return np.full((n, 360, 480, 3), value, np.uint8)
    return np.random.default_rng(0).integers(0, 256, (n, 360, 480, 3), dtype=np.uint8)


def lay(before, patches):
    """Planes of the frames with their patches."""
    after = of_bgr(before, "bt709")
    paste.lay(after, patches)
    return after


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """RestoreFormer, far narrower than the published one, with random weights."""
    restore._declare_torchvision()
    pytest.importorskip("spandrel")
    from spandrel.architectures.RestoreFormer import RestoreFormer  # noqa: PLC0415

    torch.manual_seed(0)
    network = RestoreFormer(
        n_embed=16, embed_dim=32, ch=32, out_ch=3, ch_mult=(1, 1, 1, 1, 1, 1), num_res_blocks=1,
        attn_resolutions=(16,), dropout=0.0, in_channels=3, resolution=512, z_channels=32,
        double_z=False, enable_mid=True, head_size=8,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("restore") / "small.pth"
    torch.save({"state_dict": {f"vqvae.{k}": v for k, v in network.state_dict().items()}}, path)
    return path


class Still(torch.nn.Module):
    """A network that gives back what it gets, and counts faces."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def forward(self, faces):
        self.batches.append(len(faces))
        return faces, None


@pytest.fixture
def still(checkpoint):
    restorer = Restorer(checkpoint, batch=2)
    restorer._network = Still()
    return restorer


def test_a_checkpoint_is_known_by_its_weights_and_wrappers_are_taken_off(checkpoint):
    restorer = Restorer(checkpoint)
    assert restorer.name == "RestoreFormer"
    assert len(restorer.sha256) == 64


def test_a_real_network_changes_the_lower_face_and_not_a_pixel_more(checkpoint):
    before, points = frames(2), face_points(2)
    patches = Restorer(checkpoint, batch=2).restore(before, points, np.ones(2, np.float32))
    changed = (lay(before, patches).packed != of_bgr(before, "bt709").packed)[:, :360].any(axis=0)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert changed.sum() > 2000
    assert rows[0] >= 120 + 50  # under the eyes, which lie at 120 + 47
    assert rows[-1] < 120 + 100
    assert columns[0] >= 200 + 5
    assert columns[-1] < 200 + 95


def test_gfpgan_runs_too(checkpoint):
    """A narrow one: spandrel loads it at its published size of 349 MB alone."""
    from spandrel.architectures.GFPGAN import GFPGAN  # noqa: PLC0415

    torch.manual_seed(0)
    restorer = Restorer(checkpoint, batch=1)
    restorer._network = GFPGAN(
        out_size=512, num_style_feat=32, channel_multiplier=1, num_mlp=1, input_is_latent=True,
        different_w=True, narrow=0.0625, sft_half=True,
    ).eval()  # fmt: skip
    (patch,) = restorer.restore(frames(1), face_points(1), np.ones(1, np.float32))
    assert patch.pixels.std() > 0
    assert patch.alpha.max() > 0.99


def test_a_batch_gives_what_single_faces_give(checkpoint):
    before, points = frames(3), face_points(3)
    shares = np.ones(3, np.float32)
    together = Restorer(checkpoint, batch=3).restore(before, points, shares)
    alone = Restorer(checkpoint, batch=1).restore(before, points, shares)
    for one, other in zip(together, alone, strict=True):
        assert np.abs(one.pixels.astype(int) - other.pixels).max() <= 1  # sums in another order


def test_faces_go_through_in_batches(still):
    still.restore(frames(5), face_points(5), np.ones(5, np.float32))
    assert still._network.batches == [2, 2, 1]


def test_a_network_that_changes_nothing_leaves_smooth_pictures_as_they_were(still):
    y, x = np.mgrid[0:360, 0:480]
    smooth = np.stack([x / 4 + 40, y / 3 + 30, (x + y) / 6 + 20], axis=2).astype(np.uint8)[None]
    for size in (60.0, 160.0, 340.0):
        points = face_points(1, left=60, top=10, size=size)
        laid = lay(smooth, still.restore(smooth, points, np.ones(1, np.float32)))
        before = of_bgr(smooth, "bt709")
        assert np.abs(laid.packed.astype(int) - before.packed).max() <= 2


def test_the_share_is_how_much_of_the_face_is_laid(still):
    points = face_points(2)
    whole, half = still.restore(frames(2, 90), points, np.array([1.0, 0.5], np.float32))
    assert whole.alpha.max() > 0.99
    assert half.alpha == pytest.approx(whole.alpha / 2, abs=1e-6)


def test_frames_without_a_face_or_without_a_share_have_no_patch(still):
    points = face_points(3)
    points[0] = np.nan
    patches = still.restore(frames(3), points, np.array([1, 0, 1], np.float32))
    assert [patch is None for patch in patches] == [True, True, False]
    assert still._network.batches == [1]


def test_a_face_that_lies_half_outside_is_restored_where_it_is_seen(still):
    (patch,) = still.restore(
        frames(1, 90), face_points(1, left=430, top=300), np.ones(1, np.float32)
    )
    assert patch.x_px + patch.alpha.shape[1] <= 480
    assert patch.y_px + patch.alpha.shape[0] <= 360


def test_a_face_below_the_frame_has_no_patch(still):
    patches = still.restore(frames(1), face_points(1, top=355), np.ones(1, np.float32))
    assert patches == [None]


def test_weights_of_another_kind_are_refused_with_what_they_are(checkpoint, tmp_path):
    path = tmp_path / "odd.pth"
    torch.save({"conv.weight": torch.zeros(3, 3)}, path)
    with pytest.raises(ModelError, match="no network that spandrel knows, want GFPGAN"):
        Restorer(path)


def test_weights_that_do_not_fit_their_own_network_are_refused(checkpoint, tmp_path):
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    name = next(name for name in state if name.endswith("conv_out.bias"))
    state[name] = torch.zeros(99)
    torch.save(state, tmp_path / "bent.pth")
    with pytest.raises(ModelError, match="does not fit its own network"):
        Restorer(tmp_path / "bent.pth")
