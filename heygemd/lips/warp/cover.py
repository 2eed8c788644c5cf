"""Is something in front of the mouth: a hand, a microphone, a cup."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heygemd.lips.warp import masks
from heygemd.lips.warp.geometry import Floats
from heygemd.lips.warp.landmarks import OUTER, SECOND, STEADY
from heygemd.lips.warp.mesh import smoothstep
from heygemd.planes import Excerpt, Picture, colours_at

PATCH = 0.07  # IOD from spot to spot of the nine whose mean is the colour of a place
SPREAD = 0.05  # least spread of a logarithm of colour, so that calm clips are not touchy
ODD = 5.0  # spreads from the usual
# Of the places in one half of the mouth: below nothing is there, above all is covered. No free
# mouth of 29 clips came above 0.23; when a hand of the skin's own colour was laid over 19 of them,
# none above 0.32, but nine of ten frames with the hand above 0.59.
SHARE_ODD = (0.33, 0.45)
# Two fingers hide a quarter, which a free mouth that opens only once comes nearer to: it counts so
# much. Of 22 filmed clips none came above 0.4 of a quarter but where points lay beside the lips;
# fingertips on a lower lip came to 0.5 to 0.9.
QUARTER = 0.8
SKIRT = 0.18  # IOD beyond the lips: skin there is lent along with a mouth, and fingertips on it are
ODD_SKIRT = 4.0  # spreads from the usual; no place of 329 mouths without hands came above
HIDDEN = 0.2  # a key hidden more than this is not lent
MIN_KEYS = 12  # fewer do not say what is usual
_LIPS = (*OUTER, *SECOND)
_HALVES = (np.arange(0, 20, 5)[:, None] + np.arange(11)) % 20  # of a ring: below, left, and so on
_QUARTERS = (np.arange(20)[:, None] + np.arange(5)) % 20
_SPOTS = np.array([[x, y] for y in (-1, 0, 1) for x in (-1, 0, 1)], np.float32)


@dataclass(frozen=True, slots=True)
class Complexion:
    """What colour the lips usually have.

    Attributes:
        usual: (40 or 60, 3) logarithms of BGR against the skin higher up.
        spread: (40 or 60, 3) of them.
    """

    usual: Floats
    spread: Floats


def look(
    picture: Picture | Excerpt, points: Floats, iod_px: float, *, skirt: bool = False
) -> Floats:
    """(40, 3) logarithms of BGR at two rings around the lips, against the skin higher up.

    That skin says what light there is: a hand at the mouth leaves it free. Places outside the
    picture are NaN.

    Args:
        picture: a frame or what was cut out of one.
        points: (468, 2) px in the frame.
        iod_px: scale of the face.
        skirt: another 20 places on the skin beyond the lips, 60 in all.
    """
    places = points[list(_LIPS)]
    if skirt:
        outline = places[: len(OUTER)]
        half = np.maximum(np.ptp(outline, axis=0) / 2, 1.0)
        wider = masks.swell(outline, *(1.0 + SKIRT * iod_px / half).tolist())
        places = np.concatenate([places, wider])
    spots = np.concatenate([places, points[list(STEADY)]])
    seen = colours_at(picture, spots[:, None] + _SPOTS * np.float32(PATCH * iod_px))
    colours = np.log(seen.mean(axis=1) + np.float32(8.0))
    near = colours[: len(places)] - masks.median(colours[len(places) :])
    near[((places < 0) | (places >= picture.shape[1::-1])).any(axis=1)] = np.nan
    return np.asarray(near, np.float32)


def learn(seen: Floats) -> Complexion | None:
    """What is usual in a clip; None when it shows too few mouths to say.

    Args:
        seen: (N, 40 or 60, 3), from ``look``.
    """
    if len(seen) < MIN_KEYS:
        return None
    usual = _median(seen)
    spread = 1.48 * _median(np.abs(seen - usual))
    return Complexion(usual, np.maximum(spread, SPREAD).astype(np.float32))


def _median(seen: Floats) -> Floats:
    """(P, 3) of (N, P, 3), NaN left out; NaN where nothing else is."""
    rising = np.sort(seen, axis=0)  # NaN comes last
    count = np.isfinite(seen).sum(axis=0, keepdims=True)
    middle = [np.take_along_axis(rising, (count - more).clip(0) // 2, 0)[0] for more in (0, 1)]
    return np.asarray((middle[0] + middle[1]) / 2, np.float32)


def odd(seen: Floats, complexion: Complexion) -> float:
    """Share of the places in that half, or quarter, of the mouth which looks least as usual, 0..1.

    Args:
        seen: (40 or 60, 3), from ``look``; the lips alone count.
        complexion: from ``learn``.
    """
    is_odd = _rings(seen, complexion)[:2] > ODD
    half, quarter = (is_odd[:, part].mean(axis=(0, 2)).max() for part in (_HALVES, _QUARTERS))
    return float(max(half, QUARTER * quarter))


def odd_skirt(seen: Floats, complexion: Complexion) -> float:
    """Share of the places in that quarter of the skin around the lips which looks least as usual.

    Args:
        seen: (60, 3), from ``look``.
        complexion: from ``learn`` of such.
    """
    return float((_rings(seen, complexion)[2] > ODD_SKIRT)[_QUARTERS].mean(axis=1).max())


def _rings(seen: Floats, complexion: Complexion) -> Floats:
    """(2 or 3, 20) spreads by which each place is away from what is usual."""
    usual, spread = complexion.usual[: len(seen)], complexion.spread[: len(seen)]
    return np.asarray((np.abs(seen - usual) / spread).max(axis=1).reshape(-1, 20), np.float32)


def hidden(share: float) -> float:
    """How much of a mouth something hides, 0..1, of a share from ``odd``."""
    least, most = SHARE_ODD
    return float(smoothstep((share - least) / (most - least)))


def covered(picture: Picture, points: Floats, iod_px: float, complexion: Complexion) -> float:
    """How much of the mouth something hides, 0..1.

    Args:
        picture: a frame.
        points: (468, 2) px in it.
        iod_px: scale of the face.
        complexion: from ``learn``.
    """
    return hidden(odd(look(picture, points, iod_px), complexion))
