"""Sounds that are not speech, and rooms and lines that speech goes through; made of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from training.footage import RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SPEED_OF_SOUND_MS = 343.0


def noise(n_samples: int, slope_db: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Stationary noise of RMS 1 whose level falls ``slope_db`` an octave: 0 white, -3 pink."""
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    octaves = np.log2(np.maximum(1.0, np.arange(len(spectrum))))
    shaped = np.fft.irfft(spectrum * 10.0 ** (slope_db * octaves / 20.0), n_samples)
    return np.asarray(shaped / (shaped.std() + 1e-9), np.float32)


def chord(n_samples: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Held notes with harmonics and a slow swell, RMS 1: what music is like between voices."""
    seconds = np.arange(n_samples) / RATE_HZ
    total = np.zeros(n_samples)
    note_s = rng.uniform(0.25, 4.0)
    root = rng.uniform(80.0, 500.0)
    for onset_s in np.arange(0.0, n_samples / RATE_HZ, note_s):
        since = np.maximum(0.0, seconds - onset_s)
        decay = np.exp(-since * rng.uniform(0.0, 3.0) / note_s) * (seconds >= onset_s)
        decay *= (since < note_s * rng.uniform(0.9, 1.5)) * np.minimum(1.0, since / 0.01)
        for semitones in rng.choice([0, 3, 4, 5, 7, 9, 12, 16], size=rng.integers(1, 5)):
            tone_hz = root * 2.0 ** (semitones / 12.0)
            for harmonic in range(1, int(rng.integers(2, 9))):
                phase = rng.uniform(0, 2 * np.pi)
                loudness = harmonic ** -rng.uniform(0.7, 2.0)
                total += decay * loudness * np.sin(2 * np.pi * tone_hz * harmonic * seconds + phase)
    return np.asarray(total / (total.std() + 1e-9), np.float32)


def held(tones_hz: NDArray[np.float64], n_samples: int) -> NDArray[np.float32]:
    """Pure tones at once, never changing, RMS 1."""
    seconds = np.arange(n_samples) / RATE_HZ
    total = np.sin(2 * np.pi * tones_hz[:, None] * seconds).sum(axis=0)
    return np.asarray(total / (total.std() + 1e-9), np.float32)


def not_speech(n_samples: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise, music, clicks, tones, a buzz, or nothing at all; RMS 1 where there is something."""
    kind = rng.integers(8)
    if kind == 0:
        return np.zeros(n_samples, np.float32)
    if kind in {1, 2}:
        sound = noise(n_samples, rng.uniform(-6.0, 2.0), rng)
        swell = 1.0 + rng.uniform(0.0, 0.8) * np.sin(
            2 * np.pi * rng.uniform(0.1, 3.0) * np.arange(n_samples) / RATE_HZ
        )
        return np.asarray(sound * swell, np.float32)
    if kind in {3, 4}:
        return chord(n_samples, rng)
    if kind == 5:
        clicks = (rng.random(n_samples) < rng.uniform(1.0, 6.0) / RATE_HZ).astype(np.float64)
        ring = np.exp(-np.arange(800) / rng.uniform(20.0, 300.0)) * rng.standard_normal(800)
        rung = fftconvolve(clicks, ring)[:n_samples]
        return np.asarray(rung / (rung.std() + 1e-9), np.float32)
    if kind == 6:
        return held(50.0 * 40.0 ** rng.random(int(rng.integers(1, 7))), n_samples)
    root = rng.uniform(60.0, 500.0)
    return held(root * np.arange(1.0, float(rng.integers(2, 12))), n_samples)


def room(samples: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The sound as a microphone in a room hears it: a direct part and a decaying tail."""
    decay_s = rng.uniform(0.1, 0.6)  # time to fall by 60 dB
    tail = rng.standard_normal(int(decay_s * RATE_HZ))
    tail *= 10.0 ** (-3.0 * np.arange(len(tail)) / len(tail))
    delay = int(rng.uniform(1.0, 6.0) / _SPEED_OF_SOUND_MS * RATE_HZ)
    response = np.concatenate([[1.0], np.zeros(delay), tail])
    response[1:] *= rng.uniform(0.1, 0.9) / np.sqrt((response[1:] ** 2).sum())
    return np.asarray(fftconvolve(samples, response)[: len(samples)], np.float32)


def line(samples: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The sound through a narrow line, a cheap microphone or an overdriven one."""
    low_hz, high_hz = rng.uniform(20.0, 300.0), rng.uniform(3000.0, 7500.0)
    band = butter(2, [low_hz, high_hz], btype="bandpass", fs=RATE_HZ, output="sos")
    heard = sosfilt(band, samples)
    if rng.random() < 0.3:
        peak = np.abs(heard).max() + 1e-9
        heard = np.tanh(heard / peak * rng.uniform(1.0, 4.0)) * peak
    return np.asarray(heard, np.float32)


def mixed(
    samples: NDArray[np.float32], other: NDArray[np.float32], ratio_db: float
) -> NDArray[np.float32]:
    """The sound with another laid under it, ``ratio_db`` below the sound's own RMS."""
    own = np.sqrt(np.mean(np.square(samples, dtype=np.float64)))
    theirs = np.sqrt(np.mean(np.square(other, dtype=np.float64))) + 1e-9
    return np.asarray(samples + other * (own / theirs * 10.0 ** (-ratio_db / 20.0)), np.float32)
