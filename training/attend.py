"""What ears make of recordings, synthetic speech and noise, and what is to be learned of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from heygemd.lips.warp.voice import STEPS_PER_S, chunks
from heygemd.records import Waveform
from training import sounds
from training.footage import RATE_HZ
from training.phones import silence
from training.speech import step_moments_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heygemd.nets.ears import Ears
    from training.phones import Said
    from training.speech import Lesson
    from training.talks import Talk

    Halves = NDArray[np.float16]

N_STEPS = 12 * STEPS_PER_S // 5  # of a window: 2.4 s
_EDGE_S = 0.25  # a mouth at either end of a clip may be on its way in or out of it


@dataclass(frozen=True, slots=True)
class Watched:
    """A talk as it is learned.

    Attributes:
        speaker: who talks.
        heard: (C, T) float16 of the ears.
        coefs: (T, K) float32 whitened, linear between frames.
        known: (T,) bool, where coefs hold.
    """

    speaker: str
    heard: Halves
    coefs: NDArray[np.float32]
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Named:
    """Synthetic speech or noise as it is learned.

    Attributes:
        heard: (C, T) float16 of the ears.
        said: at each of the T steps.
    """

    heard: Halves
    said: Said


def attend(sound: Waveform, ears: Ears) -> Halves:
    """(C, T) what ears hear in a sound, cut into pieces as it is for users."""
    with torch.inference_mode():
        parts = [
            ears(torch.from_numpy(columns)[None])[0, :, kept] for columns, kept in chunks(sound)
        ]
    return np.asarray(torch.cat(parts, dim=1).half().numpy())


def watched(talk: Talk, ears: Ears) -> Watched:
    """A talk's mouth at every step."""
    heard = attend(talk.sound, ears)
    moments_s = step_moments_s(heard.shape[1])
    coefs = np.stack(
        [np.interp(moments_s, talk.times_s, column) for column in talk.coefs.T], axis=1
    )
    inside = (moments_s >= talk.times_s[0]) & (moments_s <= talk.times_s[-1])
    inside &= (moments_s >= _EDGE_S) & (moments_s <= moments_s[-1] - _EDGE_S)
    return Watched(talk.speaker, heard, coefs.astype(np.float32), inside)


def named(lesson: Lesson, ears: Ears) -> Named:
    """A lesson's phones at every step."""
    return Named(attend(lesson.sound, ears), lesson.said)


def noise(ears: Ears, rng: np.random.Generator) -> Named:
    """A window of sound that is not speech, faint or loud."""
    samples = sounds.not_speech(N_STEPS * RATE_HZ // STEPS_PER_S, rng)
    loudness = np.float32(0.05 * 10.0 ** rng.uniform(-3.0, 0.0))
    heard = attend(Waveform(samples * loudness, RATE_HZ), ears)
    return Named(heard, silence(heard.shape[1]))
