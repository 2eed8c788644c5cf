"""The log-mel spectrogram that Wav2Lip published; the sync scorer listens to it as well."""

from __future__ import annotations

from functools import cache

import librosa
import numpy as np
import torch
from numpy.typing import NDArray

from heygemd.records import Waveform

# Wav2Lip's hparams.py (Prajwal et al., ACM MM 2020).
RATE_HZ = 16_000
N_FFT = 800
HOP = 200
N_MELS = 80
COLUMNS_PER_S = RATE_HZ // HOP  # 80
SILENCE = -4.0  # what digital silence becomes, and the floor of every value
_PRE_EMPHASIS = 0.97


@cache
def filters(n_fft: int, low_hz: float, high_hz: float) -> torch.Tensor:
    """(80, n_fft // 2 + 1) float64 Slaney mel filters for spectra of sounds at 16 kHz."""
    # Not librosa.filters.mel, the same numbers: its module imports scipy.signal, for 0.8 s.
    edges = librosa.mel_frequencies(N_MELS + 2, fmin=low_hz, fmax=high_hz)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    heard = np.arange(n_fft // 2 + 1) * (RATE_HZ / n_fft)
    rising, falling = (heard - low) / (middle - low), (high - heard) / (high - middle)
    bank = np.minimum(rising, falling).clip(0.0) * (2.0 / (high - low))
    return torch.from_numpy(bank)


def samples_of(sound: Waveform, n_fft: int) -> NDArray[np.float32]:
    """Samples fit for ``magnitudes``: of a short sound, with silence behind them.

    Raises:
        ValueError: another rate, or values that are not finite.
    """
    if sound.rate_hz != RATE_HZ:
        raise ValueError(f"sound at {sound.rate_hz} Hz, want {RATE_HZ}")
    if not np.isfinite(sound.samples).all():
        raise ValueError("sound holds values that are not finite")
    lacking = n_fft // 2 + 1 - len(sound.samples)  # reflection needs more than it mirrors
    return np.pad(sound.samples, (0, lacking)) if lacking > 0 else sound.samples


def magnitudes(samples: torch.Tensor, n_fft: int, hop: int) -> torch.Tensor:
    """(n_fft // 2 + 1, 1 + N // hop) of the spectrum, ends mirrored, as precise as the samples."""
    # torch's stft, not librosa's: the same numbers without numba's compile at first use.
    return torch.stft(
        samples,
        n_fft,
        hop,
        window=torch.hann_window(n_fft, dtype=samples.dtype),
        pad_mode="reflect",
        return_complex=True,
    ).abs()


def log_mel(sound: Waveform) -> NDArray[np.float32]:
    """One column for every 1/80 s.

    Args:
        sound: 16 kHz mono.

    Returns:
        (80, 1 + floor(N / 200)) float32 in [-4, 4], low frequencies first.

    Raises:
        ValueError: another rate, or values that are not finite.
    """
    samples = samples_of(sound, N_FFT).astype(np.float64)
    emphasised = torch.from_numpy(
        np.append(samples[:1], samples[1:] - _PRE_EMPHASIS * samples[:-1])
    )
    spectrum = magnitudes(emphasised, N_FFT, HOP)
    bank = filters(N_FFT, 55.0, 7600.0)
    level_db = 20.0 * torch.log10(torch.clamp(bank @ spectrum, min=1e-5)) - 20.0
    scaled = torch.clamp(8.0 * (level_db + 100.0) / 100.0 - 4.0, -4.0, 4.0)
    return scaled.to(torch.float32).numpy()
