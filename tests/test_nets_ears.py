"""Ears by themselves, with random weights."""

import pytest
import torch

from heygemd.nets.ears import Ears, places


@pytest.fixture(scope="module")
def ears():
    torch.manual_seed(0)
    return Ears(n_layers=2, width=32, n_heads=4).eval()


def test_two_columns_make_one_step(ears):
    assert ears(torch.zeros(2, 80, 60)).shape == (2, 32, 30)


def test_a_step_stands_for_its_first_column(ears):
    mel = torch.zeros(1, 80, 100)
    mel[..., 40] = 1.0

    heard = torch.nn.functional.gelu(ears.enter(mel - 0.0)) - torch.nn.functional.gelu(
        ears.enter(torch.zeros_like(mel))
    )
    folded = ears.fold(heard) - ears.fold(torch.zeros_like(heard))

    assert folded.abs().sum(dim=1).argmax() == 20


def test_every_moment_is_attended_to(ears):
    mel = torch.randn(1, 80, 200)
    changed = mel.clone()
    changed[..., 150:] += 3.0

    assert not torch.allclose(ears(mel)[..., 10], ears(changed)[..., 10], atol=1e-6)


def test_what_is_heard_depends_on_the_order_of_moments(ears):
    mel = torch.randn(1, 80, 100)

    assert not torch.allclose(ears(mel).flip(2), ears(mel.flip(2)), atol=1e-3)


def test_places_are_sines_and_cosines_from_a_radian_a_step_down():
    found = places(3, 8)

    assert torch.allclose(found[:, 0], torch.tensor([0.0, 1.0, 2.0]).sin())
    assert torch.allclose(found[:, 4], torch.tensor([0.0, 1.0, 2.0]).cos())
    assert torch.allclose(found[:, 3], (torch.arange(3) / 10_000.0).sin())


def test_more_than_half_a_minute_at_once_is_refused(ears):
    with pytest.raises(ValueError, match="1501 steps at once, want at most 1500"):
        ears(torch.zeros(1, 80, 3002))
