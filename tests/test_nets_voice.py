"""The voice network by itself, with random weights."""

import pytest
import torch

from heygemd.nets.voice import REACH_STEPS, VoiceNet


def fresh():
    torch.manual_seed(0)
    net = VoiceNet(n_coefs=10, n_traits=10, n_channels=16).eval()
    net.aperture[0] = 1.0
    with torch.no_grad():
        net.shape.bias[0] = 0.3  # parted, mostly
        net.pose.weight.normal_()
    return net


@pytest.fixture(scope="module")
def net():
    return fresh()


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


def test_a_step_hears_as_far_as_its_reach():
    net = fresh().double()  # the farthest sounds count little
    mel = torch.randn(1, 80, 200, dtype=torch.float64)
    changed = mel.clone()
    changed[..., 2 * (40 + REACH_STEPS)] += 5.0

    assert not torch.equal(net.listen(mel).said[..., 40], net.listen(changed).said[..., 40])


def test_loudness_elsewhere_does_not_change_a_step(net):
    quiet = torch.full((1, 80, 400), -4.0)
    loud = quiet.clone()
    loud[..., 300:] = 3.0

    assert torch.equal(net(quiet)[0][..., :100], net(loud)[0][..., :100])


def test_a_mouth_rests_as_surely_as_its_lips_are_heard_to_meet():
    net = fresh()
    mel = torch.randn(1, 80, 60)
    with torch.no_grad():
        loose = net(mel)[0].abs().max()
        net.name.bias[1] = 50.0  # m, b and p
        met = net(mel)[0].abs().max()

    assert loose > 0.01
    assert met < 1e-6


@pytest.mark.parametrize(("gap", "share"), [(-0.1, 0.0), (0.0, 0.0), (0.2, 1.0)])
def test_a_pose_is_taken_as_far_as_the_lips_are_heard_parted(gap, share):
    net = fresh()
    with torch.no_grad():
        net.shape.weight.zero_()
        net.shape.bias[0] = gap
        net.name.bias[3] = 50.0  # neither m, b or p nor a vowel
        mel = torch.randn(1, 80, 60)

        assert torch.allclose(net(mel)[0], share * net.pose(net.listen(mel).said))


@pytest.mark.parametrize("vowel", range(6, 11))
def test_lips_do_not_meet_in_a_vowel(vowel):
    net = fresh()
    with torch.no_grad():
        net.shape.weight.zero_()
        net.shape.bias[0] = 0.0  # heard to meet
        net.name.bias[vowel] = 50.0
        mel = torch.randn(1, 80, 60)

        assert torch.allclose(net(mel)[0], net.pose(net.listen(mel).said))


def test_a_mouth_teaches_the_names_nothing():
    net = fresh()

    net.pose(net.listen(torch.randn(1, 80, 60)).said).sum().backward()

    assert net.pose.weight.grad is not None
    assert net.name.weight.grad is None
    assert net.enter.weight.grad is None


def test_a_name_holds_more_or_less_surely():
    said = fresh().listen(torch.randn(1, 80, 60)).said

    assert said.min() >= 0.0
    assert said.max() <= 1.0
