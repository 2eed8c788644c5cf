"""The voice network by itself, with random weights."""

import pytest
import torch

from heygemd.nets.voice import VoiceNet


def fresh():
    torch.manual_seed(0)
    net = VoiceNet(n_coefs=10, n_traits=10, n_channels=16, n_heard=24).eval()
    net.aperture[0] = 1.0
    with torch.no_grad():
        net.shape.bias[0] = 0.3  # parted, mostly
        net.pose.weight.normal_()
        net.tell.bias[0] = 50.0  # speech
    return net


@pytest.fixture(scope="module")
def net():
    return fresh()


def test_every_step_has_a_mouth_and_names(net):
    coefs, logits = net(torch.zeros(2, 24, 30))

    assert coefs.shape == (2, 10, 30)
    assert logits.shape == (2, 21, 30)


def test_loudness_elsewhere_does_not_change_a_step(net):
    quiet = torch.randn(1, 24, 200)
    loud = quiet.clone()
    loud[..., 120:] += 3.0

    assert torch.equal(net(quiet)[0][..., :100], net(loud)[0][..., :100])


def test_a_mouth_rests_as_surely_as_its_lips_are_heard_to_meet():
    net = fresh()
    heard = torch.randn(1, 24, 30)
    with torch.no_grad():
        loose = net(heard)[0].abs().max()
        net.name.bias[1] = 50.0  # m, b and p
        met = net(heard)[0].abs().max()

    assert loose > 0.01
    assert met < 1e-6


def mean_of_both(net, heard):
    made = net.listen(heard)
    return 0.5 * (net.pose(made.said) + made.shape)


@pytest.mark.parametrize(("gap", "share"), [(-0.1, 0.0), (0.0, 0.0), (0.2, 1.0)])
def test_a_mouth_moves_as_far_as_the_lips_are_heard_parted(gap, share):
    net = fresh()
    with torch.no_grad():
        net.shape.weight.zero_()
        net.shape.bias[0] = gap
        net.name.bias[2] = 50.0  # f and v
        heard = torch.randn(1, 24, 30)

        assert torch.allclose(net(heard)[0], share * mean_of_both(net, heard), atol=1e-6)


@pytest.mark.parametrize(("viseme", "met"), [(3, 0.8), (5, 0.8), (6, 0.5), (10, 0.5)])
def test_what_is_named_says_how_far_lips_that_are_heard_to_meet_do(viseme, met):
    net = fresh()
    with torch.no_grad():
        net.shape.weight.zero_()
        net.shape.bias[0] = 0.0  # heard to meet
        net.name.bias[viseme] = 50.0
        heard = torch.randn(1, 24, 30)

        assert torch.allclose(net(heard)[0], (1.0 - met) * mean_of_both(net, heard), atol=1e-6)


def noise_for_a_while(net):
    with torch.no_grad():
        net.tell.bias[0] = -50.0


def silence_for_a_while(net):
    with torch.no_grad():
        net.name.bias[0] = 50.0


@pytest.mark.parametrize("fall_silent", [noise_for_a_while, silence_for_a_while])
def test_a_mouth_that_says_nothing_for_a_while_rests(fall_silent):
    net = fresh()
    fall_silent(net)

    with torch.no_grad():
        assert net(torch.randn(1, 24, 200))[0][..., 30:-30].abs().max() < 1e-6


def test_a_mouth_does_not_rest_in_a_moment_without_speech():
    net = fresh()
    with torch.no_grad():
        net.name.bias[2] = 50.0
        heard = torch.randn(1, 24, 200)
        whole = net(heard)[0]
        spoken = net.spoken

        def gone_for_a_moment(heard):
            logits = spoken(heard)
            logits[:, 100:105] = -50.0
            return logits

        net.spoken = gone_for_a_moment
        assert torch.equal(net(heard)[0], whole)


def test_noise_teaches_the_trunk_nothing():
    net = fresh()

    net.spoken(torch.randn(1, 24, 30)).sum().backward()

    assert net.tell.weight.grad is not None
    assert net.settle.weight.grad is None


def test_a_mouth_teaches_the_names_nothing():
    net = fresh()

    net.pose(net.listen(torch.randn(1, 24, 30)).said).sum().backward()

    assert net.pose.weight.grad is not None
    assert net.name.weight.grad is None
    assert net.enter.weight.grad is None


def test_a_name_holds_more_or_less_surely():
    said = fresh().listen(torch.randn(1, 24, 30)).said

    assert said.min() >= 0.0
    assert said.max() <= 1.0
