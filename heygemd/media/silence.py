"""Where a sound says nothing, and what lips do meanwhile: pure arithmetic over samples."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from heygemd.records import Waveform

Stretch: TypeAlias = tuple[Fraction, Fraction]
"""Start and end of a silence, in seconds of the sound."""

WINDOW_S = Fraction(1, 50)  # two periods of a deep voice
BELOW_VOICE_DB = 25.0  # consonants are quieter still, but never for long
FLOOR_DB, CEILING_DB = -60.0, -30.0  # always silence below, never above
MARGIN_S = Fraction(8, 100)  # lips begin to move before the sound does, and end after it
FADE_S = Fraction(1, 5)  # fast enough for a pause, too slow to be seen as a jump


def find_silence(sound: Waveform, least_s: float) -> tuple[Stretch, ...]:
    """Stretches where nothing is said for ``least_s`` or longer, in order.

    What counts as silence follows the loudness of the voice, so that a quiet recording is not all
    silence and the noise of a room is no speech.

    Args:
        sound: mono.
        least_s: shorter pauses belong to speech; more than 0.
    """
    window = int(WINDOW_S * sound.rate_hz)
    n_windows = len(sound.samples) // window
    if n_windows == 0:
        return ()
    blocks = sound.samples[: n_windows * window].reshape(n_windows, window)
    power = np.einsum("nw,nw->n", blocks, blocks, dtype=np.float64) / window
    level_db = 10 * np.log10(np.maximum(power, 1e-12))
    quiet = level_db < _threshold_db(level_db)
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8), prepend=0, append=0)).tolist()
    end_s = sound.duration_s
    found = []
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        # A rest shorter than a window belongs to what lies before it.
        stretch_s = first * WINDOW_S, end_s if stop == n_windows else stop * WINDOW_S
        if stretch_s[1] - stretch_s[0] >= least_s:
            found.append(stretch_s)
    return tuple(found)


def hush(sound: Waveform, stretches: tuple[Stretch, ...]) -> Waveform:
    """The sound with nothing at all in its silences, so that no model opens lips for noise.

    Args:
        sound: mono.
        stretches: from ``find_silence``; their margins keep what they hold.
    """
    if not stretches:
        return sound
    times_s = np.arange(len(sound.samples)) / sound.rate_hz
    kept = voice_share(times_s, stretches, float(sound.duration_s), fade_s=MARGIN_S)
    return Waveform(sound.samples * kept, sound.rate_hz)


def voice_share(
    times_s: NDArray[np.float64],
    stretches: tuple[Stretch, ...],
    end_s: float,
    *,
    fade_s: Fraction = FADE_S,
) -> NDArray[np.float32]:
    """How much lips belong to the voice at each time: 1 in speech, 0 in silence, eased between.

    Args:
        times_s: (N,) seconds.
        stretches: from ``find_silence``.
        end_s: where the sound ends; a silence that reaches it has no edge there.
        fade_s: from one to the other; less in silences that are short.

    Returns:
        (N,) float32 in [0, 1].
    """
    share = np.ones(len(times_s), np.float32)
    for start_s, stop_s in stretches:
        margin_s = float(min(MARGIN_S, (stop_s - start_s) / 8))
        fade = float(min(fade_s, (stop_s - start_s) / 4))
        at_start = -np.inf if start_s <= 0 else float(start_s) + margin_s
        at_end = np.inf if stop_s >= end_s else float(stop_s) - margin_s
        inside = np.minimum((times_s - at_start) / fade, (at_end - times_s) / fade)
        eased = np.clip(inside, 0.0, 1.0)
        share = np.minimum(share, (1.0 - eased * eased * (3.0 - 2.0 * eased)).astype(np.float32))
    return share


def _threshold_db(level_db: NDArray[np.float64]) -> float:
    heard = level_db[level_db > FLOOR_DB]
    if not len(heard):
        return FLOOR_DB
    voice_db = float(np.quantile(heard, 0.95))
    return float(np.clip(voice_db - BELOW_VOICE_DB, FLOOR_DB, CEILING_DB))
