"""Is something in front of the mouth: a hand, a microphone, a cup."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heygemd.lips.warp import masks
from heygemd.lips.warp.geometry import Floats
from heygemd.lips.warp.keys import Key
from heygemd.lips.warp.landmarks import OUTER, SECOND
from heygemd.lips.warp.mesh import smoothstep
from heygemd.planes import Picture, colours_at

AROUND = (1.25, 1.45)  # the lips' outline stretched so lies on the skin around them
SPREAD = 0.07  # least spread of a logarithm of colour, so that calm clips are not touchy
ODD = 3.5  # spreads from the usual
SHARE_ODD = (0.20, 0.40)  # of the places looked at: below nothing is there, above all is covered
HIDDEN = 0.2  # a key hidden more than this is not lent
MIN_KEYS = 12  # fewer do not say what is usual
_JITTER = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]], np.float32)


@dataclass(frozen=True, slots=True)
class Complexion:
    """What colour the mouth and the skin around it usually have.

    Attributes:
        usual: (40, 3) logarithms of BGR against the brightness of all places together.
        spread: (40, 3) of them.
    """

    usual: Floats
    spread: Floats


def look(picture: Picture, points: Floats, iod_px: float) -> Floats:
    """(40, 3) logarithms of BGR at 20 places around the lips and 20 on them, exposure taken out.

    Args:
        picture: a frame or what was cut out of one.
        points: (468, 2) px in it.
        iod_px: scale of the face.
    """
    line = points[list(OUTER)]
    centre = line.mean(axis=0)
    places = np.concatenate(
        [(line - centre) * np.array(AROUND, np.float32) + centre, points[list(SECOND)]]
    )
    spots = places[:, None] + _JITTER * np.float32(0.02 * iod_px)
    seen = colours_at(picture, spots).astype(np.float32)
    colours = np.log(seen.mean(axis=1) + np.float32(8.0))
    return np.asarray(colours - masks.median(colours.ravel()), np.float32)


def learn(keys: list[Key]) -> Complexion | None:
    """What is usual in a clip; None when it shows too few mouths to say."""
    if len(keys) < MIN_KEYS:
        return None
    seen = np.stack([look(key.pixels, key.points, key.iod_px) for key in keys])
    usual = np.median(seen, axis=0)
    spread = 1.48 * np.median(np.abs(seen - usual), axis=0)
    return Complexion(usual.astype(np.float32), np.maximum(spread, SPREAD).astype(np.float32))


def uncovered(keys: list[Key], complexion: Complexion | None) -> list[Key]:
    """The keys that nothing hides; all of them if that would leave none."""
    if complexion is None:
        return keys
    free = [key for key in keys if covered(key.pixels, key.points, key.iod_px, complexion) < HIDDEN]
    return free or keys


def covered(picture: Picture, points: Floats, iod_px: float, complexion: Complexion) -> float:
    """How much of the mouth something hides, 0..1.

    Args:
        picture: a frame or what was cut out of one.
        points: (468, 2) px in it.
        iod_px: scale of the face.
        complexion: from ``learn``.
    """
    away = np.abs(look(picture, points, iod_px) - complexion.usual) / complexion.spread
    odd = float((away.max(axis=1) > ODD).mean())
    least, most = SHARE_ODD
    return float(smoothstep((odd - least) / (most - least)))
