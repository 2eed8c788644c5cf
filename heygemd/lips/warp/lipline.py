"""Where closed lips meet in a picture: landmarks lie beside the line, and moved lips show it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heygemd.lips.warp.geometry import Floats
from heygemd.lips.warp.landmarks import LOWER_INNER, LOWER_SECOND, UPPER_INNER, UPPER_SECOND
from heygemd.lips.warp.mesh import smoothstep
from heygemd.opencv import cv2

CLOSED = (0.03, 0.06)  # IOD of gap by landmarks: closed below the first, open from the second on
REACH = 0.05  # IOD; the line is looked for so far above and below where landmarks have it
STRAY_COST = 0.5  # of the picture's contrast along the way, for a line all of REACH away
BEND_COST = 6.0  # likewise, for a step of all of REACH from one landmark to the next
N_STEPS = 21  # places tried on the way


def on_the_line(picture: NDArray[np.uint8], points: Floats, iod_px: float) -> Floats:
    """(468, 2) the same points, inner lips of a closed mouth moved onto the dark line between them.

    Args:
        picture: (h, w, 3) BGR.
        points: (468, 2) px in it.
        iod_px: scale of the face.
    """
    up, low = list(UPPER_INNER[1:-1]), list(LOWER_INNER[1:-1])
    gap = np.linalg.norm(points[low] - points[up], axis=1) / iod_px
    near = 1.0 - smoothstep((gap.mean() - CLOSED[0]) / (CLOSED[1] - CLOSED[0]))
    if near <= 0.0:
        return points
    down = points[list(LOWER_SECOND)] - points[list(UPPER_SECOND)]
    down /= np.maximum(np.linalg.norm(down, axis=1, keepdims=True), 1e-3)
    tried = np.linspace(-REACH, REACH, N_STEPS, dtype=np.float32)
    middle = (points[up] + points[low]) / 2
    spots = middle[None] + (tried * np.float32(iod_px))[:, None, None] * down[None]
    shift = _darkest_way(_brightness(picture, spots.astype(np.float32), iod_px), tried)
    moved = points.copy()
    step = (near * iod_px * shift)[:, None] * down
    moved[up] += step
    moved[low] += step
    return moved


def _brightness(picture: NDArray[np.uint8], spots: Floats, iod_px: float) -> Floats:
    """(N_STEPS, 9) at (N_STEPS, 9, 2) places, 0 the darkest and 1 the brightest of each column."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    calm = cv2.GaussianBlur(grey, (0, 0), max(0.5, 0.008 * iod_px))
    seen = np.asarray(cv2.remap(calm, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR), np.float32)
    low, high = seen.min(axis=0), seen.max(axis=0)
    return np.asarray((seen - low) / np.maximum(high - low, 8.0), np.float32)


def _darkest_way(brightness: Floats, tried: Floats) -> Floats:
    """(9,) shift of each landmark, IOD: the darkest line that neither strays far nor bends."""
    far = np.abs(tried) / REACH
    bend = BEND_COST * ((tried[:, None] - tried[None]) / REACH) ** 2
    total = brightness[:, 0] + STRAY_COST * far**2
    came_from = []
    for column in brightness.T[1:]:
        ways = total[None] + bend
        came_from.append(ways.argmin(axis=1))
        total = ways.min(axis=1) + column + STRAY_COST * far**2
    way = [int(total.argmin())]
    for back in reversed(came_from):
        way.append(int(back[way[-1]]))
    return np.asarray(tried[way[::-1]], np.float32)
