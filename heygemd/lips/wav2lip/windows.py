"""Which 16 columns of mel each output frame hears."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from heygemd.lips.mel import COLUMNS_PER_S, SILENCE
from heygemd.nets.wav2lip import N_COLUMNS

Starts = NDArray[np.int64]
"""(N,) the first column of each frame's window; may lie outside the mel."""


def exact_starts(n_frames: int, fps: Fraction, *, offset_ms: float = 0.0) -> Starts:
    """A window for every frame, that starts in the column the frame stands in.

    Args:
        n_frames: of the output.
        fps: of the output; exact, so that an hour drifts by nothing.
        offset_ms: positive lets the lips come later, so a frame hears what came before it.
    """
    per_frame, shift = COLUMNS_PER_S / fps, Fraction(offset_ms) * COLUMNS_PER_S / 1000
    unit = math.lcm(per_frame.denominator, shift.denominator)
    frames = np.arange(n_frames, dtype=object)  # Python's integers: exact, and never too large
    return np.asarray((frames * int(per_frame * unit) - int(shift * unit)) // unit, dtype=np.int64)


def published_starts(n_columns: int, fps: float) -> Starts:
    """The windows of Wav2Lip's inference.py, which end 107 to 150 ms before the sound does.

    Rate and steps are floats as they are there; the first window that would pass the end becomes
    the last one and is moved back to end with the mel.

    Args:
        n_columns: of the mel; fewer than 16 count as 16.
        fps: of the video.
    """
    n_columns = max(n_columns, N_COLUMNS)
    columns_per_frame = float(COLUMNS_PER_S) / fps
    starts: list[int] = []
    while (start := int(len(starts) * columns_per_frame)) + N_COLUMNS <= n_columns:
        starts.append(start)
    return np.array([*starts, n_columns - N_COLUMNS], dtype=np.int64)


def compatible_starts(
    n_frames: int, n_columns: int, fps: Fraction, *, offset_ms: float = 0.0
) -> Starts:
    """The published windows for as many frames as are wanted.

    Where the published ones run out, the last is held: our output lasts as long as the sound.
    """
    published = published_starts(n_columns, float(fps))
    held = published[np.minimum(np.arange(n_frames), len(published) - 1)]
    return held - round(offset_ms * COLUMNS_PER_S / 1000)


def cut_windows(mel: NDArray[np.float32], starts: Starts) -> NDArray[np.float32]:
    """(N, 1, 80, 16) float32, silent where a window reaches outside the mel.

    Args:
        mel: (80, T) float32.
        starts: (N,) first columns.
    """
    columns = starts[:, None] + np.arange(N_COLUMNS)
    inside = (columns >= 0) & (columns < mel.shape[1])
    windows = mel[:, np.where(inside, columns, 0)].transpose(1, 0, 2)
    heard = np.where(inside[:, None], windows, np.float32(SILENCE))
    # Channels last in memory, as in the published code: other layouts round otherwise.
    return np.ascontiguousarray(heard).reshape(*heard.shape, 1).transpose(0, 3, 1, 2)
