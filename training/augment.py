"""Windows of sound and mouth, disturbed so that no voice, pace, room or microphone is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heygemd.lips import mel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

N_STEPS = 96  # 2.4 s
N_COLUMNS = 2 * N_STEPS
_EQ_KNOTS = (0, 26, 53, 79)
_DB_PER_UNIT = 100.0 / 8.0  # the log-mel's scale


@dataclass(frozen=True, slots=True)
class Window:
    """What one training example hears, and where its steps lie in the source.

    Attributes:
        mel: (80, N_COLUMNS) float32.
        source_s: (N_STEPS,) moments of the source that the steps stand for.
    """

    mel: Floats
    source_s: NDArray[np.float64]


def window(columns: Floats, rng: np.random.Generator, crowd: Sequence[Floats]) -> Window:
    """A random stretch at a random pace and pitch, through a random channel.

    Args:
        columns: (80, N) log-mel of the source.
        rng: makes every choice.
        crowd: log-mels that may be mixed under it.
    """
    pace = rng.uniform(0.8, 1.25)
    heard, first = stretch(columns, pace, rng)
    heard = warp_bands(heard, rng.uniform(0.87, 1.15), rng.uniform(-2.0, 2.0))
    heard = heard + rng.uniform(-0.7, 0.5)
    heard += np.interp(np.arange(mel.N_MELS), _EQ_KNOTS, rng.normal(0.0, 0.35, 4))[:, None]
    if rng.random() < 0.5:
        heard = mix_power(heard, background(rng, crowd))
    if rng.random() < 0.25:  # other voices are smoother or rougher than this one
        heard = blur_bands(heard, int(rng.integers(1, 4)))
    heard = np.clip(heard, mel.SILENCE, -mel.SILENCE)
    if rng.random() < 0.4:
        low = int(rng.integers(0, 70))
        heard[low : low + int(rng.integers(1, 10))] = heard.mean()
    source = (first + (2 * np.arange(N_STEPS) + 0.5) * pace) / mel.COLUMNS_PER_S
    return Window(heard.astype(np.float32), source)


def stretch(columns: Floats, pace: float, rng: np.random.Generator) -> tuple[Floats, int]:
    """(80, N_COLUMNS) of the source played at ``pace``, and the source column it starts at."""
    need = int(N_COLUMNS * pace) + 2
    short = need + 1 - columns.shape[1]
    if short > 0:
        columns = np.pad(columns, ((0, 0), (0, short)), constant_values=columns.min())
    first = int(rng.integers(0, columns.shape[1] - need))
    place = first + np.arange(N_COLUMNS) * pace
    before = np.minimum(place.astype(np.int64), columns.shape[1] - 2)
    share = (place - before).astype(np.float32)
    return columns[:, before] * (1 - share) + columns[:, before + 1] * share, first


def warp_bands(columns: Floats, factor: float, shift: float) -> Floats:
    """The spectrum pulled along the mel axis: another length of vocal tract, another pitch."""
    place = np.clip(np.arange(mel.N_MELS) * factor + shift, 0, mel.N_MELS - 1.001)
    below = place.astype(np.int64)
    share = (place - below).astype(np.float32)[:, None]
    return np.asarray(columns[below] * (1 - share) + columns[below + 1] * share, np.float32)


def blur_bands(columns: Floats, reach: int) -> Floats:
    """Every band averaged with ``reach`` neighbours to either side."""
    padded = np.pad(columns, ((reach, reach), (0, 0)), mode="edge")
    parts = [padded[i : i + mel.N_MELS] for i in range(2 * reach + 1)]
    return np.asarray(np.mean(parts, axis=0), np.float32)


def mix_power(columns: Floats, other: Floats) -> Floats:
    """The log-mel of two sounds at once: their powers add."""
    to_power = np.log(10.0) * _DB_PER_UNIT / 10.0
    return np.asarray(np.logaddexp(columns * to_power, other * to_power) / to_power, np.float32)


def background(rng: np.random.Generator, crowd: Sequence[Floats]) -> Floats:
    """(80, N_COLUMNS) a floor of noise, or another talker well below."""
    if rng.random() < 0.5 or not crowd:
        floor = np.interp(np.arange(mel.N_MELS), _EQ_KNOTS, rng.uniform(-3.5, -0.6, 4))
        grain = rng.normal(0.0, 0.25, (mel.N_MELS, N_COLUMNS))
        return np.asarray(floor[:, None] + grain, np.float32)
    other = crowd[int(rng.integers(len(crowd)))]
    first = int(rng.integers(0, max(1, other.shape[1] - N_COLUMNS)))
    piece = other[:, first : first + N_COLUMNS]
    piece = np.pad(piece, ((0, 0), (0, N_COLUMNS - piece.shape[1])), constant_values=mel.SILENCE)
    return np.asarray(piece - rng.uniform(1.2, 2.5), np.float32)
