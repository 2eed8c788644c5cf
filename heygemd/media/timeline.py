"""Which source frame stands behind each output frame: pure arithmetic, no drift."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from heygemd.errors import MediaError
from heygemd.records import LengthPolicy, Timeline


def lay_timeline(n_source: int, fps: Fraction, sound_s: Fraction, policy: LengthPolicy) -> Timeline:
    """Lay the clip's frames under the sound.

    The output lasts as long as the sound, to half a frame: ``round(sound_s * fps)`` frames, at
    least one. A clip longer than the sound ends with it. A shorter one goes on as ``policy`` says:

    - ``pingpong``: forth and back; the frames at both ends show once per turn.
    - ``loop``: starts over.
    - ``freeze``: the last frame stays.
    - ``trim``: the output ends with the clip, and the sound is cut there.
    - ``error``: the clip fails.

    Args:
        n_source: frames in the clip, at least 1.
        fps: of clip and output.
        sound_s: exact length of the sound, more than 0.
        policy: what to do when the clip is shorter than the sound.

    Raises:
        MediaError: ``clip_too_short``, when the policy is ``error``.
        ValueError: no frames, no rate or no sound.
    """
    if n_source < 1 or fps <= 0 or sound_s <= 0:
        raise ValueError(f"{n_source} frames at {fps} fps under {sound_s} s, want all above 0")
    n_out = count_frames(sound_s, fps)
    if policy == "error" and n_source < n_out:
        raise MediaError(
            f"the clip has {n_source} frames ({float(n_source / fps):.2f} s), the sound wants "
            f"{n_out} ({float(sound_s):.2f} s); choose another length policy or a longer clip",
            code="clip_too_short",
        )
    if policy == "trim":
        n_out = min(n_out, n_source)
    return Timeline(source=_indices(n_source, n_out, policy), fps=fps)


def count_frames(length_s: Fraction, fps: Fraction) -> int:
    """Frames that fill ``length_s``, to half a frame, at least 1."""
    return max(1, int(length_s * fps + Fraction(1, 2)))


def _indices(n_source: int, n_out: int, policy: LengthPolicy) -> NDArray[np.int64]:
    steps = np.arange(n_out, dtype=np.int64)
    if n_source == 1:
        return np.zeros(n_out, dtype=np.int64)
    if policy == "pingpong":
        turn = 2 * (n_source - 1)
        steps %= turn
        return np.where(steps < n_source, steps, turn - steps)
    if policy == "loop":
        return steps % n_source
    return np.minimum(steps, n_source - 1)
