"""Is something in front of the mouth: a hand, a microphone, a cup."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from heygemd.lips.warp import masks
from heygemd.lips.warp.geometry import Floats
from heygemd.lips.warp.keys import Key
from heygemd.lips.warp.landmarks import OUTER, SECOND
from heygemd.lips.warp.mesh import smoothstep
from heygemd.planes import Picture, colours_at

AROUND = 0.08  # IOD outside of the lips' outline: skin that goes where the lips go
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
    away = line - line.mean(axis=0)
    away *= np.float32(AROUND * iod_px) / np.linalg.norm(away, axis=1, keepdims=True)
    places = np.concatenate([line + away, points[list(SECOND)]])
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
    """The keys that nothing hides, all of them if that would leave none; each knows how odd it is.

    Args:
        keys: of the clip.
        complexion: from ``learn`` of them; without one all stay as they are.
    """
    if complexion is None:
        return keys
    judged = [replace(key, odd=odd(key.pixels, key.points, key.iod_px, complexion)) for key in keys]
    return [key for key in judged if _hidden(key.odd) < HIDDEN] or judged


def covered(picture: Picture, points: Floats, iod_px: float, complexion: Complexion) -> float:
    """How much of the mouth something hides, 0..1.

    Args:
        picture: a frame or what was cut out of one.
        points: (468, 2) px in it.
        iod_px: scale of the face.
        complexion: from ``learn``.
    """
    return _hidden(odd(picture, points, iod_px, complexion))


def odd(picture: Picture, points: Floats, iod_px: float, complexion: Complexion) -> float:
    """Share of the places on and around the lips that have an unusual colour, 0..1.

    Args:
        picture: a frame or what was cut out of one.
        points: (468, 2) px in it.
        iod_px: scale of the face.
        complexion: from ``learn``.
    """
    away = np.abs(look(picture, points, iod_px) - complexion.usual) / complexion.spread
    return float((away.max(axis=1) > ODD).mean())


def _hidden(share: float) -> float:
    least, most = SHARE_ODD
    return float(smoothstep((share - least) / (most - least)))
