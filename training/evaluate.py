"""How well a voice network hears mouths: followed faces, closures, quiet, phones."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from heygemd.lips.warp import geometry
from heygemd.lips.warp.voice import coefs_at, hear, listen
from heygemd.records import Waveform
from training import losses, sounds, talks
from training.footage import RATE_HZ
from training.phones import Viseme

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from heygemd.lips.warp.geometry import Basis
    from training.landmarks import Recording
    from training.speech import Lesson

    Floats = NDArray[np.float32]

_MAX_LAG = 5  # frames
_CLOSED, _OPEN, _AROUND, _NEAR = 0.03, 0.08, 7, 2  # IOD, IOD, frames, frames
_MET = 0.03  # a bilabial counts as closed below this


@dataclass(frozen=True, slots=True)
class Followed:
    """One clip's mouth as measured and as heard.

    Attributes:
        name: of the clip.
        measured: (T,) aperture, IOD; NaN without a face.
        heard: (T,) aperture, IOD.
        r: correlation at lag 0.
        best_r: the largest correlation within +-5 frames.
        best_lag: where it lies; positive when the picture comes after the sound.
    """

    name: str
    measured: Floats
    heard: Floats
    r: float
    best_r: float
    best_lag: int


def follow(recording: Recording, net: nn.Module, basis: Basis) -> Followed:
    """Compare a recording's mouth with what the network hears in its sound."""
    shapes = talks.shapes_of(recording, basis.template)
    rest = geometry.neutral(shapes, 0.2)
    measured = geometry.aperture(shapes) - geometry.aperture(rest)
    measured = np.asarray(measured / geometry.mouth_scale(rest), np.float32)
    heard = aperture_at(recording.sound, recording.times_s, net, basis)
    by_lag = {lag: correlation(measured, heard, lag) for lag in range(-_MAX_LAG, _MAX_LAG + 1)}
    best_lag = max(by_lag, key=lambda lag: by_lag[lag])
    return Followed(recording.name, measured, heard, by_lag[0], by_lag[best_lag], best_lag)


def aperture_at(
    sound: Waveform, times_s: NDArray[np.float64], net: nn.Module, basis: Basis
) -> Floats:
    """(n,) the aperture that the network hears at moments."""
    return geometry.coef_aperture(coefs_at(hear(sound, net), times_s), basis)


def correlation(measured: Floats, heard: Floats, lag: int) -> float:
    """Pearson's r of two curves, the first read ``lag`` frames later; NaNs are left out."""
    late, early = max(0, lag), max(0, -lag)
    first = measured[late : len(measured) - early]
    second = heard[early : len(heard) - late]
    both = np.isfinite(first) & np.isfinite(second)
    return float(np.corrcoef(first[both], second[both])[0, 1])


def closure_gaps(measured: Floats, heard: Floats) -> list[float]:
    """The least gap heard within two frames of every moment at which the lips were seen to meet.

    Such a moment is a local minimum below 0.03 IOD between openings above 0.08 within 7 frames.
    """
    gaps = []
    for frame in range(3, len(measured) - 3):
        here = measured[frame]
        near = measured[max(0, frame - 2) : frame + 3]
        before = measured[max(0, frame - _AROUND) : frame]
        after = measured[frame + 1 : frame + 1 + _AROUND]
        if here < _CLOSED and here == near.min() and before.max() > _OPEN < after.max():
            gaps.append(float(heard[max(0, frame - _NEAR) : frame + _NEAR + 1].min()))
    return gaps


def openings_per_s(aperture: Floats, rate_hz: float) -> float:
    """How often the mouth opens: rises through the middle of its range, with a dead band."""
    low, high = np.quantile(aperture, [0.1, 0.9])
    up, down = low + 0.55 * (high - low), low + 0.35 * (high - low)
    n_openings, is_open = 0, False
    for gap in aperture:
        if not is_open and gap > up:
            n_openings += 1
            is_open = True
        elif is_open and gap < down:
            is_open = False
    return n_openings / (len(aperture) / rate_hz)


def quiet_quantiles(net: nn.Module, basis: Basis) -> dict[str, float]:
    """The 95 % quantile of the aperture, IOD, in sounds that are not speech."""
    rng = np.random.default_rng(7)
    n_samples = 5 * RATE_HZ
    tone = np.sin(2 * np.pi * 440.0 * np.arange(n_samples) / RATE_HZ)
    held = np.sum([np.sin(2 * np.pi * f * np.arange(n_samples) / RATE_HZ) for f in _CHORD_HZ], 0)
    heard = {
        "silence": np.zeros(n_samples),
        "tone": 0.2 * tone,
        "held_chord": 0.08 * held,
        "music": 0.1 * sounds.chord(n_samples, rng),
        "white_noise": 0.1 * sounds.noise(n_samples, 0.0, rng),
        "faint_white_noise": 0.001 * sounds.noise(n_samples, 0.0, rng),
        "pink_noise": 0.1 * sounds.noise(n_samples, -3.0, rng),
    }
    quantiles = {}
    for name, samples in heard.items():
        voice = hear(Waveform(samples.astype(np.float32), RATE_HZ), net)
        gap = geometry.coef_aperture(voice.coefs, basis)
        quantiles[name] = round(float(np.quantile(gap, 0.95)), 4)
    return quantiles


_CHORD_HZ = (220.0, 277.18, 329.63, 440.0, 554.37)


def phone_shares(net: nn.Module, lessons: Iterable[Lesson], basis: Basis) -> dict[str, float]:
    """How often the mouth does what a phone demands, within a step or two of its middle.

    Bilabials close below 0.03 IOD, open vowels open above 0.06, labiodentals stay below 0.05,
    rounded close vowels are narrower than rest; and the share of steps whose viseme is named right.
    """
    by = losses.measure(basis)
    met: dict[str, list[bool]] = {"bilabial": [], "labiodental": [], "open": [], "round": []}
    named: list[NDArray[np.bool_]] = []
    for lesson in lessons:
        coefs, logits = listen(lesson.sound, net)
        gap, wider = coefs @ by.aperture.numpy(), coefs @ by.width.numpy()
        named.append(logits[:, : len(Viseme)].argmax(axis=1) == lesson.said.viseme)
        for first, stop, kind in phones(lesson.said.viseme):
            middle = (first + stop) // 2
            around = slice(max(0, middle - 2), middle + 3)
            if kind == Viseme.BILABIAL:
                met["bilabial"].append(bool(gap[around].min() < _MET))
            elif kind == Viseme.LABIODENTAL:
                met["labiodental"].append(bool(gap[around].min() < 0.05))
            elif kind == Viseme.OPEN:
                met["open"].append(bool(gap[around].max() > 0.06))
            elif kind == Viseme.ROUND_CLOSE:
                met["round"].append(bool(wider[around].min() < 0.0))
    shares = {kind: round(float(np.mean(hits)), 3) for kind, hits in met.items() if hits}
    return shares | {"viseme": round(float(np.concatenate(named).mean()), 3)}


def phones(viseme: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """(first, one past the last, class) of every run of equal labels."""
    edges = [0, *(np.flatnonzero(np.diff(viseme)) + 1).tolist(), len(viseme)]
    return [(a, b, int(viseme[a])) for a, b in pairwise(edges) if b > a]


def summary(followed: Sequence[Followed]) -> dict[str, float]:
    """Mean correlations of a set of clips."""
    return {
        "n": len(followed),
        "r": round(float(np.mean([f.r for f in followed])), 3),
        "best_r": round(float(np.mean([f.best_r for f in followed])), 3),
        "lags_within_1": sum(abs(f.best_lag) <= 1 for f in followed),
    }


def closure_summary(followed: Iterable[Followed]) -> dict[str, float]:
    """Of the closures that were seen: how many, their median gap, and shares that were heard."""
    gaps = np.array([gap for f in followed for gap in closure_gaps(f.measured, f.heard)])
    if not len(gaps):
        return {"n": 0}
    return {
        "n": len(gaps),
        "median": round(float(np.median(gaps)), 4),
        "share_below_0.03": round(float((gaps < 0.03).mean()), 3),
        "share_below_0.05": round(float((gaps < 0.05).mean()), 3),
    }
