"""Where the rows of teeth end in a mouth, told by how bright its inside is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heygemd.lips.warp import masks
from heygemd.lips.warp.geometry import Floats
from heygemd.lips.warp.landmarks import LOWER_INNER, LOWER_SECOND, UPPER_INNER, UPPER_SECOND
from heygemd.lips.warp.mesh import BOTH_ROWS
from heygemd.opencv import cv2

CONTRAST = 1.6  # teeth against the dark behind them
LIKE_LIPS = 0.6  # of the brightness of lips: less is the dark, more is teeth, be it in the shade
ALL = 0.92  # of a gap
NONE = 0.0  # of it, where no upper teeth are seen
LOWER = 0.35  # said where lower ones cannot be told from upper ones or the dark
N_PLACES = 18  # looked at on the way from lip to lip
_ROW = 3  # of them are one of the six rows by which it is told which teeth there are
EDGE = 0.05  # of a gap, that teeth go on beyond where they begin to get dark
FARTHEST = 0.3  # of a gap, that teeth in one place end from where most of them do


def inside(pixels: NDArray[np.uint8], points: Floats) -> Floats:
    """(18, 9) grey 0..255 of 9 ways across the gap, each from the upper inner lip to the lower one.

    Args:
        pixels: (h, w, 3) BGR.
        points: (468, 2) px in pixels.
    """
    up, low = points[list(UPPER_INNER[1:-1])], points[list(LOWER_INNER[1:-1])]
    way = ((np.arange(N_PLACES, dtype=np.float32) + 0.5) / N_PLACES)[:, None, None]
    spots = up * (1.0 - way) + low * way
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    seen = cv2.remap(grey, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR)
    return np.asarray(seen, np.float32)


def lip_level(pixels: NDArray[np.uint8], points: Floats) -> float:
    """Grey 0..255 of the lips themselves.

    Args:
        pixels: (h, w, 3) BGR.
        points: (468, 2) px in pixels.
    """
    places = points[None, [*UPPER_SECOND, *LOWER_SECOND]]
    colours = cv2.remap(pixels, places[..., 0], places[..., 1], cv2.INTER_LINEAR)
    return float(masks.median(cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)[0]))


def rows(seen: Floats) -> Floats:
    """(6, 9) means of three places each of what ``inside`` gives."""
    return np.asarray(seen.reshape(-1, _ROW, seen.shape[1]).mean(axis=1), np.float32)


def ends(seen: Floats, level: float) -> tuple[Floats, Floats]:
    """Shares of the gap that upper and lower teeth fill, (9,) each, by how far it is bright.

    Where nothing tells, there are no upper ones, and the lower ones fill a third.

    Args:
        seen: from ``inside``.
        level: grey 0..255 of the lips around them.
    """
    across = np.ones(seen.shape[1], np.float32)
    brightness = rows(seen)[:, 2:7].mean(axis=1)
    low, high = float(brightness.min()), float(brightness.max())
    if high < CONTRAST * low:  # all alike: all teeth when bright, all dark otherwise
        if high > LIKE_LIPS * level:
            return ALL * across, (BOTH_ROWS - ALL) * across
        return NONE * across, LOWER * across
    bright = brightness > (low + high) / 2.0
    upper, lower = NONE * across, LOWER * across
    if bright[:2].any():
        upper = _each_end(seen, _reach(bright))
    if bright[-2:].any():
        lower = _each_end(seen[::-1], _reach(bright[::-1]))
    return upper, np.minimum(lower, BOTH_ROWS - upper)


def _reach(bright: NDArray[np.bool_]) -> float:
    """Share of a gap that its first bright rows end at, of (6,) rows from one lip to the other."""
    dark = np.flatnonzero(~bright & (np.arange(6) > int(np.argmax(bright))))
    return float(np.clip(dark[0] / 6.0 + EDGE if len(dark) else ALL, 0.3, ALL))


def _each_end(seen: Floats, reach: float) -> Floats:
    """(9,) where the teeth that most of them end at a share of the gap do so on each way across.

    Args:
        seen: (18, 9) from the lip that they hang from.
        reach: from ``_reach``.
    """
    place = np.arange(N_PLACES)[:, None]
    teeth = seen[: max(_ROW, round(reach * N_PLACES))]
    top, brightest = teeth.max(axis=0), teeth.argmax(axis=0)
    beyond = (place > brightest) & (place < (reach + FARTHEST) * N_PLACES)
    dark = np.where(beyond, seen, np.inf).min(axis=0)
    turned = beyond & (seen < (top + dark) / 2.0)
    end = turned.argmax(axis=0) / N_PLACES + EDGE
    is_told = turned.any(axis=0) & (top > CONTRAST * dark) & (np.abs(end - reach) < FARTHEST)
    if not is_told.any():
        return np.full(seen.shape[1], reach, np.float32)
    told = np.flatnonzero(is_told)
    end = np.interp(np.arange(seen.shape[1]), told, end[told])
    left, right = np.pad(end, 1, mode="edge")[:-2], np.pad(end, 1, mode="edge")[2:]
    return np.asarray(np.minimum(np.maximum(end, (left + right) / 2.0), ALL), np.float32)
