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
HIDDEN = 0.2  # a key hidden more than this is not lent
MIN_KEYS = 12  # fewer do not say what is usual
_PLACES = (*OUTER, *SECOND, *STEADY)
_N_LIPS = len(OUTER) + len(SECOND)
_HALVES = (np.arange(0, 20, 5)[:, None] + np.arange(11)) % 20  # of a ring: below, left, and so on
_QUARTERS = (np.arange(20)[:, None] + np.arange(5)) % 20
_SPOTS = np.array([[x, y] for y in (-1, 0, 1) for x in (-1, 0, 1)], np.float32)


@dataclass(frozen=True, slots=True)
class Complexion:
    """What colour the lips usually have.

    Attributes:
        usual: (40, 3) logarithms of BGR against the skin higher up.
        spread: (40, 3) of them.
    """

    usual: Floats
    spread: Floats


def look(picture: Picture | Excerpt, points: Floats, iod_px: float) -> Floats:
    """(40, 3) logarithms of BGR at two rings around the lips, against the skin higher up.

    That skin says what light there is: a hand at the mouth leaves it free. Places outside the
    picture are NaN.

    Args:
        picture: a frame or what was cut out of one.
        points: (468, 2) px in the frame.
        iod_px: scale of the face.
    """
    spots = points[list(_PLACES)][:, None] + _SPOTS * np.float32(PATCH * iod_px)
    seen = colours_at(picture, spots)
    colours = np.log(seen.mean(axis=1) + np.float32(8.0))
    lips = colours[:_N_LIPS] - masks.median(colours[_N_LIPS:])
    places = points[list(_PLACES[:_N_LIPS])]
    lips[((places < 0) | (places >= picture.shape[1::-1])).any(axis=1)] = np.nan
    return np.asarray(lips, np.float32)


def learn(seen: Floats) -> Complexion | None:
    """What is usual in a clip; None when it shows too few mouths to say.

    Args:
        seen: (N, 40, 3), from ``look``.
    """
    if len(seen) < MIN_KEYS:
        return None
    usual = _median(seen)
    spread = 1.48 * _median(np.abs(seen - usual))
    return Complexion(usual, np.maximum(spread, SPREAD).astype(np.float32))


def _median(seen: Floats) -> Floats:
    """(40, 3) of (N, 40, 3), NaN left out; NaN where nothing else is."""
    rising = np.sort(seen, axis=0)  # NaN comes last
    count = np.isfinite(seen).sum(axis=0, keepdims=True)
    middle = [np.take_along_axis(rising, (count - more).clip(0) // 2, 0)[0] for more in (0, 1)]
    return np.asarray((middle[0] + middle[1]) / 2, np.float32)


def odd(seen: Floats, complexion: Complexion) -> float:
    """Share of the places in that half, or quarter, of the mouth which looks least as usual, 0..1.

    Args:
        seen: (40, 3), from ``look``.
        complexion: from ``learn``.
    """
    away = np.abs(seen - complexion.usual) / complexion.spread
    is_odd = (away.max(axis=1) > ODD).reshape(2, -1)
    half, quarter = (is_odd[:, part].mean(axis=(0, 2)).max() for part in (_HALVES, _QUARTERS))
    return float(max(half, QUARTER * quarter))


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
