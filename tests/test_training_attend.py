"""What is learned of a sound once ears have heard it."""

import numpy as np
import pytest
import torch

from heygemd.nets.ears import Ears
from heygemd.records import Waveform
from training import attend
from training.phones import Viseme
from training.talks import Talk

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def ears():
    torch.manual_seed(0)
    return Ears(n_layers=1, width=16, n_heads=2).eval()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def waveform(rng, duration_s):
    return Waveform(rng.normal(0.0, 0.1, int(duration_s * 16_000)).astype(np.float32), 16_000)


@pytest.mark.parametrize("duration_s", [0.5, 3.0, 32.0])
def test_a_second_is_fifty_steps(ears, rng, duration_s):
    assert attend.attend(waveform(rng, duration_s), ears).shape == (16, int(duration_s * 50) + 1)


def talk(rng):
    times_s = (np.arange(75) + 0.5) / 25
    return Talk(
        name="talk",
        speaker="somebody",
        sound=waveform(rng, 4.0),
        coefs=np.stack([times_s, 1.0 - times_s], axis=1).astype(np.float32),
        aperture=np.zeros(75, np.float32),
        times_s=times_s,
    )


def test_mouths_lie_on_the_line_between_frames(ears, rng):
    found = attend.watched(talk(rng), ears)

    moments_s = np.arange(201) / 50
    assert found.known.sum() > 100
    assert np.allclose(found.coefs[found.known, 0], moments_s[found.known], atol=1e-5)


def test_mouths_outside_the_recording_and_near_its_ends_are_not_known(ears, rng):
    moments_s = np.arange(201) / 50

    known = attend.watched(talk(rng), ears).known

    assert not known[(moments_s < 0.24) | (moments_s > 2.98)].any()


def test_nobody_speaks_in_noise(ears, rng):
    found = attend.noise(ears, rng)

    assert (found.said.viseme == Viseme.SILENCE).all()
    assert len(found.said.viseme) == found.heard.shape[1] >= attend.N_STEPS
