"""The voice network by itself, with random weights."""

import pytest
import torch

from heygemd.nets.voice import REACH_STEPS, VoiceNet


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return VoiceNet(n_coefs=10, n_traits=10, n_channels=16, n_moving=8).eval()


def test_two_mel_columns_make_one_step(net):
    coefs, logits = net(torch.zeros(2, 80, 60))

    assert coefs.shape == (2, 10, 30)
    assert logits.shape == (2, 21, 30)


def test_an_odd_last_column_is_dropped(net):
    mel = torch.randn(1, 80, 61)

    assert torch.equal(net(mel)[0], net(mel[..., :60])[0])


def test_a_step_hears_nothing_beyond_its_reach(net):
    mel = torch.randn(1, 80, 200)
    changed = mel.clone()
    changed[..., 2 * (40 + REACH_STEPS + 1) :] += 5.0

    assert torch.equal(net(mel)[0][..., :41], net(changed)[0][..., :41])


def test_a_step_hears_as_far_as_its_reach(net):
    mel = torch.randn(1, 80, 200)
    changed = mel.clone()
    changed[..., 2 * (40 + REACH_STEPS)] += 5.0

    assert not torch.equal(net(mel)[0][..., 40], net(changed)[0][..., 40])


def test_loudness_elsewhere_does_not_change_a_step(net):
    quiet = torch.full((1, 80, 400), -4.0)
    loud = quiet.clone()
    loud[..., 300:] = 3.0

    assert torch.equal(net(quiet)[0][..., :100], net(loud)[0][..., :100])


def test_a_mouth_depends_on_what_is_said_and_not_on_how_it_was_heard(net):
    logits, loudness = torch.randn(1, 21, 30), torch.zeros(1, 4, 30)
    surer = logits.clone()
    surer[:, :11] += 3.0  # the same classes to the softmax

    assert torch.allclose(net.move(logits, loudness), net.move(surer, loudness), atol=1e-5)


def test_following_a_mouth_teaches_nothing_about_hearing():
    learner = VoiceNet(n_channels=16, n_moving=8)

    learner(torch.randn(1, 80, 60))[0].sum().backward()

    assert learner.enter.weight.grad is None
    assert learner.begin.weight.grad is not None
