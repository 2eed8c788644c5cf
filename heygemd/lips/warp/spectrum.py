"""The log-mel spectrogram that Whisper published, for ``nets.ears``."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from heygemd.lips import mel
from heygemd.lips.mel import RATE_HZ
from heygemd.records import Waveform

# Whisper's audio.py (Radford et al. 2022).
N_FFT = 400
HOP = 160
COLUMNS_PER_S = RATE_HZ // HOP  # 100
_HIGH_HZ = 8000.0
_RANGE = 8.0  # decades of power, of which the lowest that is told apart is the floor

# Whisper hangs the range below the loudest column of 30 s; here one moment must not change another,
# and speech is levelled, so the range hangs below what is usual: medians of GRID, of synthetic
# speech and of sixteen other recordings are 1.07, 0.90 and 1.20.
_LOUDEST = 1.1  # log10 of power


def log_mel(sound: Waveform) -> NDArray[np.float32]:
    """One column for every 1/100 s, its middle at that moment.

    Args:
        sound: 16 kHz mono, its speech levelled.

    Returns:
        (80, 1 + floor(N / 160)) float32, low frequencies first; speech is between 0 and about 1.5.

    Raises:
        ValueError: another rate, or values that are not finite.
    """
    samples = torch.from_numpy(mel.samples_of(sound, N_FFT))
    spectrum = mel.magnitudes(samples, N_FFT, HOP)
    bank = mel.filters(N_FFT, 0.0, _HIGH_HZ).float()
    power = torch.log10(torch.clamp(bank @ spectrum**2, min=1e-10))
    return ((torch.clamp(power, min=_LOUDEST - _RANGE) + 4.0) / 4.0).numpy()
