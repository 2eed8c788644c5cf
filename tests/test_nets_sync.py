"""The two halves of the sync scorer by themselves, with random weights."""

import pytest
import torch

from heygemd.nets.sync import N_NUMBERS, SEEN_REACH, SyncNet

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return SyncNet().eval()


@pytest.fixture(scope="module")
def crops():
    torch.manual_seed(1)
    return 255 * (0.7 * torch.rand(1, 1, 64, 96) + 0.3 * torch.rand(1, 60, 64, 96))


@torch.inference_mode()
def test_every_frame_and_every_two_columns_become_a_unit_vector(net, crops):
    seen, heard = net.see(crops[:, :7]), net.hear(torch.randn(1, 80, 41))

    assert seen.shape == (1, 7, N_NUMBERS)
    assert heard.shape == (1, 20, N_NUMBERS)
    assert torch.allclose(seen.norm(dim=2), torch.ones(1, 7), atol=1e-5)
    assert torch.allclose(heard.norm(dim=2), torch.ones(1, 20), atol=1e-5)


@torch.inference_mode()
def test_a_mouth_in_other_light_is_the_same_mouth(net, crops):
    dimmed = 0.6 * crops + 40.0

    assert torch.allclose(net.see(crops), net.see(dimmed), atol=1e-4)


@torch.inference_mode()
def test_a_still_picture_is_the_same_at_every_moment(net, crops):
    seen = net.see(crops[:, :1].expand(-1, 40, -1, -1))

    assert torch.allclose(seen[0, 5:-5], seen[0, 5].expand(30, -1), atol=1e-4)


@torch.inference_mode()
def test_a_frame_is_judged_by_nothing_beyond_its_reach(net, crops):
    changed = crops.clone()
    changed[:, 30 + SEEN_REACH + 1 :] = 0.0

    assert torch.allclose(net.see(crops)[:, :31], net.see(changed)[:, :31], atol=1e-5)
    assert not torch.allclose(net.see(crops)[:, 31], net.see(changed)[:, 31], atol=1e-5)
