"""The mel spectrogram against the published numbers, and against librosa's own."""

import librosa
import numpy as np
import pytest
from scipy.signal import chirp

from heygemd.lips import mel
from heygemd.lips.mel import log_mel
from heygemd.records import Waveform

# librosa compiles itself at its first call on a machine: half a minute, far more on a busy one.
pytestmark = pytest.mark.timeout(600)

SECOND = np.arange(16_000) / 16_000


def sound(samples, rate_hz=16_000):
    return Waveform(np.asarray(samples, dtype=np.float32), rate_hz)


def librosa_mel(samples):
    """The published recipe, step by step, with librosa doing every step."""
    emphasised = np.append(samples[0], samples[1:] - 0.97 * samples[:-1])
    spectrum = librosa.stft(
        emphasised, n_fft=800, hop_length=200, win_length=800, pad_mode="reflect"
    )
    basis = librosa.filters.mel(sr=16_000, n_fft=800, n_mels=80, fmin=55, fmax=7600)
    floor = np.exp(-100 / 20 * np.log(10))
    level_db = 20 * np.log10(np.maximum(floor, basis @ np.abs(spectrum))) - 20
    return np.clip(2 * 4.0 * ((level_db + 100) / 100) - 4.0, -4.0, 4.0)


def test_the_filters_are_slaneys_between_55_and_7600_hz():
    filters = mel.filters(800, 55.0, 7600.0).numpy()

    assert filters.sum() == pytest.approx(3.999498, abs=1e-6)
    assert np.flatnonzero(filters[0]).tolist() == [3, 4, 5, 6]
    np.testing.assert_allclose(
        filters[0, 3:7], [0.0038696, 0.0193480, 0.0208124, 0.0053341], atol=1e-7
    )
    assert np.flatnonzero(filters[79])[[0, -1]].tolist() == [353, 379]


def test_a_tone_gives_the_published_column():
    columns = log_mel(sound(0.5 * np.sin(2 * np.pi * 440 * SECOND)))

    assert columns.shape == (80, 81)
    assert columns.dtype == np.float32
    assert columns[:, 40].argmax() == 10
    np.testing.assert_allclose(columns[9:12, 40], [1.6546, 1.9898, 0.4906], atol=1e-4)
    assert columns.mean() == pytest.approx(-3.692076, abs=1e-5)


def test_a_chirp_gives_the_published_values():
    columns = log_mel(sound(0.5 * chirp(SECOND, 100, 1.0, 7000)))

    assert columns.mean() == pytest.approx(-3.373635, abs=1e-5)
    assert columns[10, 5] == pytest.approx(1.386567, abs=1e-4)
    assert columns[79, 80] == pytest.approx(1.493521, abs=1e-4)


def test_an_impulse_gives_the_published_values():
    click = np.zeros(16_000)
    click[8000] = 1.0
    columns = log_mel(sound(click))

    np.testing.assert_allclose(
        columns[[0, 20, 40, 79], 40], [-1.82290, -0.49693, 0.02398, 0.78296], atol=1e-4
    )


def test_silence_is_minus_four_everywhere():
    assert (log_mel(sound(np.zeros(16_000))) == mel.SILENCE).all()


@pytest.mark.parametrize("n_samples", [801, 999, 1000, 16_001, 40_000])
def test_noise_agrees_with_librosa_to_the_edges(n_samples):
    noise = np.random.default_rng(n_samples).normal(0, 0.1, n_samples).astype(np.float32)

    np.testing.assert_allclose(log_mel(sound(noise)), librosa_mel(noise), atol=1e-4, rtol=0)


def test_loud_noise_agrees_with_librosa_where_values_are_cut_at_four():
    noise = np.random.default_rng(0).uniform(-1, 1, 16_000).astype(np.float32) * 200
    expected = librosa_mel(noise)

    assert expected.max() == 4.0
    np.testing.assert_allclose(log_mel(sound(noise)), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("n_samples", [0, 1, 199, 200, 400, 401, 16_000])
def test_there_is_a_column_for_every_eightieth_of_a_second(n_samples):
    n_heard = max(n_samples, 401)  # shorter sounds are filled up with silence

    assert log_mel(sound(np.zeros(n_samples))).shape == (80, 1 + n_heard // 200)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    samples = np.zeros(16_000)
    samples[123] = bad

    with pytest.raises(ValueError, match="finite"):
        log_mel(sound(samples))


def test_another_rate_is_refused_with_both_rates_named():
    with pytest.raises(ValueError, match=r"44100 Hz, want 16000"):
        log_mel(sound(np.zeros(44_100), rate_hz=44_100))
