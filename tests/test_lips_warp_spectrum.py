"""The log-mel of the ears against the published recipe."""

import librosa
import numpy as np
import pytest

from heygemd.lips.warp.spectrum import log_mel
from heygemd.records import Waveform

# librosa compiles itself at its first call on a machine: half a minute, far more on a busy one.
pytestmark = pytest.mark.timeout(600)


def sound(samples, rate_hz=16_000):
    return Waveform(np.asarray(samples, dtype=np.float32), rate_hz)


def published(samples):
    """Whisper's recipe for a sound whose loudest value is ten to the power of 1.1."""
    power = np.abs(librosa.stft(samples, n_fft=400, hop_length=160, pad_mode="reflect")) ** 2
    basis = librosa.filters.mel(sr=16_000, n_fft=400, n_mels=80)
    logarithm = np.log10(np.maximum(1e-10, basis @ power))
    return (np.maximum(logarithm, 1.1 - 8.0) + 4.0) / 4.0


def test_it_is_the_published_recipe():
    samples = np.random.default_rng(0).normal(0.0, 0.1, 8000).astype(np.float32)

    np.testing.assert_allclose(log_mel(sound(samples)), published(samples), atol=1e-4)


def test_a_second_is_a_hundred_columns_and_one():
    assert log_mel(sound(np.zeros(16_000))).shape == (80, 101)


def test_one_moment_does_not_change_another():
    quiet = np.random.default_rng(1).normal(0.0, 1e-3, 16_000)
    loud = quiet.copy()
    loud[12_000:] += 0.5

    assert np.array_equal(log_mel(sound(quiet))[:, :70], log_mel(sound(loud))[:, :70])


@pytest.mark.parametrize("n_samples", [0, 1, 200, 201])
def test_the_shortest_sounds_have_columns(n_samples):
    assert log_mel(sound(np.zeros(n_samples))).shape[1] >= 1


def test_another_rate_is_refused():
    with pytest.raises(ValueError, match="44100 Hz"):
        log_mel(sound(np.zeros(44_100), 44_100))


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        log_mel(sound([0.0, np.nan]))
