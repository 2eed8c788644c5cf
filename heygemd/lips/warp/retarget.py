"""From what the voice asks for to where each point of this person's mouth should be."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heygemd.lips.warp import geometry
from heygemd.lips.warp.geometry import Basis, Floats, Pose, Shapes
from heygemd.lips.warp.landmarks import CHIN, LOWER_INNER, MIDDLE, UPPER_INNER
from heygemd.lips.warp.mesh import N_FACE, smoothstep
from heygemd.lips.warp.voice import Voice

REST_QUANTILE = 0.1
REST_GAP = 0.015  # IOD; a mouth that rests wider than this never closes, and is closed for it
TALKING = 0.09  # IOD; 95 % quantile of the aperture of somebody who talks
# Sigma by which lips are slower than what the voice asks. With it an aperture turns 0.8 times as
# sharply as those of 21 filmed GRID clips, and 1.2 times as those of seven other people, whose
# speech is less like what was learned. Calmed to theirs, the scorer is a tenth less sure. Of the
# closures that the voice hears of unseen people (93 %) it leaves 89 %, and lips that come near snap
# shut besides.
INERTIA_S = 0.022
GAINS = (0.65, 1.1)  # how far a voice is toned down or up to the person's own manner
IDLE_GAIN = 0.9
OVERLAP = -0.01  # IOD; lips that are told to pass each other by more are only pressed
SNAP = (0.010, 0.045)  # IOD; lips that are told to come nearer than this close
# How far the chin sinks while the aperture grows by 1, from one frame to the next: median and range
# of 24 talkers. The basis, driven by four voices, asks for more; what lacks, lips do alone.
JAW = 0.33
JAW_RANGE = (0.24, 0.66)
JAW_OF_BASIS = 0.56
# A jaw is heavier than lips: of 16 talkers it goes 0.42 of the aperture below 1.5 Hz, 0.39 below 3,
# 0.34 below 4.5 and 0.30 above. So it follows this much slower (sigma), and further.
JAW_INERTIA_S = 0.028
JAW_SLOW = 0.42 / 0.33
QUICK = 0.12  # IOD a frame; what changes by more has jumped
YAW_FADE_DEG = (40.0, 60.0)
ABSENCE_FADE = 5  # frames before and after a stretch without a face
SMALL_FACE_PX = (18.0, 22.0)  # eye distance below which a mouth is too coarse to be moved


@dataclass(frozen=True, slots=True)
class Person:
    """What one clip says of one mouth.

    Attributes:
        rest: (478, 3) the face at rest, lips closed, canonical frame.
        scale: of the mouth against the basis's.
        coefs: (T, K) whitened, the mouth in each source frame; NaN rows without a face.
        aperture: (T,) of each source frame, IOD of a mouth of scale 1, 0 when closed.
        jaw: how far the chin goes with the mouth in slow movements, against the basis's.
    """

    rest: Floats
    scale: float
    coefs: Floats
    aperture: Floats
    jaw: float

    @property
    def liveliness(self) -> float:
        """95 % quantile of the aperture: how wide this person opens the mouth in this clip."""
        return float(np.nanquantile(self.aperture, 0.95))

    @property
    def talks(self) -> bool:
        """The clip shows the inside of the mouth often enough to borrow from."""
        return self.liveliness > TALKING


def meet(shapes: Floats | Shapes, basis: Basis) -> Person:
    """Learn one person's resting face and mouth shapes.

    Args:
        shapes: (T, 478, 3) canonical, NaN rows without a face, at least one row with one.
        basis: whose coefs are wanted.
    """
    rest = geometry.neutral(shapes, REST_QUANTILE)
    gap = float(geometry.aperture(rest))
    if gap > REST_GAP:
        rest = _closed(rest, gap, basis)
    scale = geometry.mouth_scale(rest)
    opened, chin = geometry.over(shapes, _opened).T / np.float32(scale)
    own = opened - np.float32(np.clip(gap, 0.0, REST_GAP) / scale)
    return Person(
        rest, scale, geometry.coefs(shapes, rest, basis), own, _jaw(np.maximum(own, 0.0), chin)
    )


def _opened(shapes: Floats) -> Floats:
    """(T, 2) aperture, and how low the chin is, IOD, of (T, 478, 3) shapes."""
    return np.stack([geometry.aperture(shapes), shapes[:, CHIN, 1]], axis=1)


def _jaw(aperture: Floats, chin: Floats) -> float:
    """How far the chin of (T,) heights goes with the mouth in slow movements, see ``Person``."""
    opened, sunk = np.diff(aperture), np.diff(chin)
    steady = (np.abs(opened) < QUICK) & (np.abs(sunk) < QUICK)
    own = JAW
    if np.nanquantile(aperture, 0.95) > TALKING and steady.any():
        along, whole = opened[steady] @ sunk[steady], opened[steady] @ opened[steady]
        own = float(np.clip(float(along) / max(float(whole), 1e-6), *JAW_RANGE))
    return own * JAW_SLOW / JAW_OF_BASIS


def follow(asked: Voice) -> Voice:
    """The same speech as lips can follow it; they neither lag nor lead."""
    return replace(asked, coefs=_slower(asked.coefs, INERTIA_S, asked.rate_hz))


def slowed(coefs: Floats, rate_hz: float) -> Floats:
    """What the jaw follows of (T, K) coefs of consecutive moments, so many a second."""
    return _slower(coefs, JAW_INERTIA_S, rate_hz)


def _slower(coefs: Floats, sigma_s: float, rate_hz: float) -> Floats:
    whole = [(0, len(coefs))] if len(coefs) else []
    return geometry.smooth(coefs.astype(np.float64), sigma_s * rate_hz, whole).astype(np.float32)


def suit(coefs: Floats, person: Person, basis: Basis) -> Floats:
    """The same speech, as wide as this person opens the mouth.

    Args:
        coefs: (T, K) whitened, one row per output frame, of what ``follow`` makes of a voice.
        person: from ``meet``.
        basis: of the coefs.
    """
    gain = IDLE_GAIN
    if person.talks:
        asked = float(np.quantile(geometry.coef_aperture(coefs, basis), 0.95))
        gain = float(np.clip(person.liveliness / max(asked, 1e-3), *GAINS))
    return _without_overlap(coefs * np.float32(gain), basis)


def _without_overlap(coefs: Floats, basis: Basis) -> Floats:
    """The nearest coefs whose lips meet but do not pass through each other."""
    gap = geometry.coef_aperture(coefs, basis)
    lacking = np.maximum(0.0, OVERLAP - gap)
    return np.asarray(coefs + lacking[:, None] * _opening(basis), np.float32)


def _opening(basis: Basis) -> Floats:
    """(K,) the smallest change of coefs that opens the mouth by 1 IOD: mostly the jaw's."""
    at_rest = geometry.coef_aperture(np.zeros((1, basis.n_coefs), np.float32), basis)
    slope = geometry.coef_aperture(np.eye(basis.n_coefs, dtype=np.float32), basis) - at_rest
    return np.asarray(slope / (slope @ slope), np.float32)


def _closed(rest: Floats, gap: float, basis: Basis) -> Floats:
    """A face that was never seen closed, its jaw raised and its lips brought together."""
    scale = geometry.mouth_scale(rest)
    raised = np.zeros((2, basis.n_coefs), np.float32)
    raised[1] = -gap / scale * _opening(basis)
    still, closed = geometry.displacement(raised, basis) * np.float32(scale)
    moved = rest.copy()
    moved[basis.index] += closed - still
    return geometry.close_lips(moved)


def strength(pose: Pose, seen: NDArray[np.bool_], source: NDArray[np.int64]) -> Floats:
    """(n_out,) how much each output frame's mouth is moved, 0..1.

    Fades out as the head turns away, around frames without a face, and for faces too small.

    Args:
        pose: of the source frames.
        seen: (T,) source frames with a face.
        source: (n_out,) the source frame behind each output frame.
    """
    low, high = YAW_FADE_DEG
    turned = 1.0 - smoothstep((geometry.yaw_deg(pose) - low) / (high - low))
    small, large = SMALL_FACE_PX
    near = smoothstep((pose.scale - small) / (large - small))
    per_source = np.where(seen, np.nan_to_num(turned * near), 0.0)
    gaps = np.flatnonzero(~seen[source])
    away = np.full(len(source), np.inf)
    if len(gaps):
        after = np.searchsorted(gaps, np.arange(len(source)))
        before = gaps[np.maximum(after - 1, 0)]
        following = gaps[np.minimum(after, len(gaps) - 1)]
        frame = np.arange(len(source))
        away = np.minimum(np.abs(frame - before), np.abs(following - frame))
    fade = np.clip(away / (ABSENCE_FADE + 1), 0.0, 1.0)
    return np.asarray(per_source[source] * fade, np.float32)


def spoken(coefs: Floats, slow: Floats, person: Person, basis: Basis) -> Floats:
    """(N, L, 3) how far each moving landmark leaves rest, IOD: lips by what is said, jaw behind.

    Args:
        coefs: (N, K) whitened and suited to the person.
        slow: (N, K) of the same frames, from ``slowed``.
        person: from ``meet``.
        basis: of the coefs.
    """
    lip, chin = basis.template[[MIDDLE[-1], CHIN], 1]
    below = smoothstep((basis.template[basis.index, 1] - lip) / (0.7 * (chin - lip)))[:, None]
    lips = geometry.displacement(coefs, basis)
    jaw = geometry.displacement(slow, basis) * np.float32(person.jaw)
    return np.asarray((lips + below * (jaw - lips)) * np.float32(person.scale), np.float32)


def aim(
    moved: Floats, shapes: Floats, person: Person, basis: Basis, share: Floats
) -> tuple[Floats, Floats]:
    """Where the face should be: how far each point leaves its place, and how open the mouth is.

    Args:
        moved: (N, L, 3) from ``spoken``.
        shapes: (N, 478, 3) the source frames' own, canonical.
        person: from ``meet``.
        basis: whose landmarks move.
        share: (N,) 0 keeps the frame's own mouth, 1 moves all the way.

    Returns:
        (N, 468, 3) float32 displacement in IOD, and (N,) the aperture aimed at, IOD of a mouth of
        scale 1, never below 0.
    """
    wanted = shapes.copy()
    wanted[:, basis.index] = person.rest[basis.index] + moved
    wanted = _snap(wanted, person.scale)
    away = (wanted - shapes)[:, :N_FACE] * share[:, None, None]
    gap = geometry.aperture(shapes[:, :N_FACE] + away) / person.scale
    return away.astype(np.float32), np.maximum(gap, 0.0).astype(np.float32)


def widest_gap(shapes: Floats) -> Floats:
    """(T,) the widest of the nine gaps between the inner lips of (T, 478, 3) shapes, at least 0."""
    up, low = list(UPPER_INNER[1:-1]), list(LOWER_INNER[1:-1])
    return np.asarray(np.maximum(shapes[:, low, 1] - shapes[:, up, 1], 0.0).max(axis=1))


def thickness(coefs: Floats, person: Person, basis: Basis) -> Floats:
    """(T,) IOD, height of both lips of (T, K) coefs on this person, the gap between them apart."""
    wanted = np.repeat(person.rest[None], len(coefs), axis=0)
    wanted[:, basis.index] += geometry.displacement(coefs, basis) * np.float32(person.scale)
    high, up, low, deep = (wanted[:, point, 1] for point in MIDDLE)
    return np.asarray(deep - high - np.maximum(low - up, 0.0), np.float32)


def snapped(aperture: Floats) -> Floats:
    """What is left, at least 0, of an aperture in IOD of a mouth of scale 1: lips snap shut."""
    return np.asarray(np.maximum(aperture, 0.0) * _openness(aperture), np.float32)


def _openness(aperture: Floats) -> Floats:
    first, last = SNAP
    return smoothstep((aperture - first) / (last - first))


def _snap(shapes: Floats, scale: float) -> Floats:
    """Nearly closed lips close, and lips never cross."""
    openness = _openness(geometry.aperture(shapes) / scale)
    up, low = list(UPPER_INNER[1:-1]), list(LOWER_INNER[1:-1])
    gap = shapes[:, low, 1] - shapes[:, up, 1]
    change = np.maximum(gap, 0.0) * openness[:, None] - gap
    snapped = shapes.copy()
    snapped[:, up, 1] -= geometry.UPPER_SHARE * change
    snapped[:, low, 1] += (1.0 - geometry.UPPER_SHARE) * change
    return snapped
