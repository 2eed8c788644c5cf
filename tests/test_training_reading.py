"""Mouths read from names: the regression, and its place in a network."""

import numpy as np
import pytest
import torch

from heygemd.nets.voice import VoiceNet
from training import reading
from training.attend import Watched

APERTURE = np.array([0.05, 0.0])


def moments(n_moments=4000, noise=0.0):
    rng = np.random.default_rng(0)
    said = rng.uniform(0.0, 1.0, (n_moments, 3))
    slope = np.array([[2.0, -1.0, 0.0], [0.0, 0.5, 0.0]])
    mouths = said @ slope.T + np.array([0.3, -0.2]) + rng.normal(0.0, noise, (n_moments, 2))
    return said, mouths, np.ones(n_moments)


def test_a_mouth_that_follows_from_what_is_said_is_read_from_it():
    said, mouths, weights = moments()

    weight, bias = reading.read(said, mouths, weights, APERTURE)

    assert np.corrcoef(said @ weight[0] + bias[0], mouths[:, 0])[0, 1] > 0.999


def test_a_name_that_tells_nothing_of_the_mouth_hardly_moves_it():
    weight, _ = reading.read(*moments(noise=0.5), APERTURE)

    assert np.abs(weight[0, 2]) < 0.1 * np.abs(weight[0, 0])


def test_a_name_that_never_holds_moves_nothing():
    said, mouths, weights = moments()
    said[:, 2] = 0.0

    weight, _ = reading.read(said, mouths, weights, APERTURE)

    assert np.abs(weight[:, 2]).max() < 1e-6


@pytest.mark.parametrize("noise", [0.0, 0.5, 2.0])
def test_a_read_mouth_moves_as_much_however_uncertain_the_names(noise):
    said, mouths, weights = moments(noise=noise)

    weight, bias = reading.read(said, mouths, weights, APERTURE)
    read = (said @ weight.T + bias) @ APERTURE

    assert read.mean() == pytest.approx((mouths @ APERTURE).mean())
    assert read.std() == pytest.approx(1.15 * (mouths @ APERTURE).std())


def test_moments_that_do_not_count_are_not_read():
    said, mouths, weights = moments()
    strange = np.concatenate([mouths, np.full_like(mouths, 9.0)])
    counted = np.concatenate([weights, np.zeros_like(weights)])

    once = reading.read(said, mouths, weights, APERTURE)
    again = reading.read(np.concatenate([said, said]), strange, counted, APERTURE)

    assert all(np.allclose(a, b) for a, b in zip(once, again, strict=True))


def test_a_network_is_given_its_reading_and_nothing_else_of_it_changes():
    torch.manual_seed(0)
    net = VoiceNet(n_coefs=2, n_traits=10, n_channels=16, n_heard=24).eval()
    net.aperture[0] = 0.05
    rng = np.random.default_rng(0)
    seen = Watched(
        speaker="somebody",
        heard=rng.normal(0.0, 1.0, (24, 150)).astype(np.float16),
        coefs=rng.normal(0.0, 1.0, (150, 2)).astype(np.float32),
        known=np.ones(150, np.bool_),
    )
    before = {name: value.clone() for name, value in net.state_dict().items()}

    reading.solve(net, [seen, seen], np.array([0.5, 0.5]))

    changed = {name for name, value in net.state_dict().items() if not value.equal(before[name])}
    assert changed == {"pose.weight", "pose.bias"}
