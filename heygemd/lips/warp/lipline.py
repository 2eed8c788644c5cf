"""Where closed lips meet in a picture: landmarks lie beside the line, and moved lips show it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heygemd.lips.warp import masks
from heygemd.lips.warp.geometry import Floats
from heygemd.lips.warp.landmarks import (
    LIPS,
    LOWER_INNER,
    LOWER_SECOND,
    UPPER_INNER,
    UPPER_SECOND,
)
from heygemd.lips.warp.mesh import smoothstep
from heygemd.opencv import cv2
from heygemd.planes import cut_around

CLOSED = (0.03, 0.06)  # IOD of gap by landmarks: closed below the first, open from the second on
REACH = 0.05  # IOD; the line is looked for so far above and below where landmarks have it
STRAY_COST = 0.5  # of the picture's contrast along the way, for a line all of REACH away
BEND_COST = 6.0  # likewise, for a step of all of REACH from one landmark to the next
N_STEPS = 21  # places tried on the way
TOUCH = (0.02, 0.045)  # IOD of gap: lips touch below the first, and not above the second
INTO_FLESH = 0.4  # of the way from the third ring of points to the second: flesh, and no teeth
SHADE = 0.65  # of the brightness of lips: what is darker there belongs to the corner's inside
BEYOND = 0.08  # IOD; so far outside of the lips' outline the flesh about a corner is looked for
LEAST_FLESH = 0.02  # IOD that is left of a lip whose edge was dark
# How far each ring of a lip goes with the line, from its outline inwards. At the corners all of
# them go: lips are thin there, and a line that passed their outline would be seen twice.
_AT_CORNERS = np.array([1, 1, 0.5, 0, 0, 0, 0, 0, 0.5, 1] * 2, np.float32)
_ALONG = np.maximum(np.array([[0.0], [1 / 3], [2 / 3], [1.0]], np.float32), _AT_CORNERS)


def on_the_line(picture: NDArray[np.uint8], points: Floats, iod_px: float) -> Floats:
    """(468, 2) the same points, those where closed lips meet moved onto the dark line between them.

    Args:
        picture: (h, w, 3) BGR.
        points: (468, 2) px in it.
        iod_px: scale of the face.
    """
    up, low = list(UPPER_INNER), list(LOWER_INNER)
    gap = np.linalg.norm(points[low[1:-1]] - points[up[1:-1]], axis=1) / iod_px
    near = 1.0 - smoothstep((gap.mean() - CLOSED[0]) / (CLOSED[1] - CLOSED[0]))
    if near <= 0.0:
        return points
    down = points[list(LOWER_SECOND)] - points[list(UPPER_SECOND)]
    down /= np.maximum(np.linalg.norm(down, axis=1, keepdims=True), 1e-3)
    down = np.pad(down, ((1, 1), (0, 0)), mode="edge")
    tried = np.linspace(-REACH, REACH, N_STEPS, dtype=np.float32)
    middle = (points[up] + points[low]) / 2
    spots = middle[None] + (tried * np.float32(iod_px))[:, None, None] * down[None]
    shift = _darkest_way(_brightness(picture, spots.astype(np.float32), iod_px), tried)
    step = (near * iod_px * shift)[:, None] * down
    around = np.concatenate([step, step[-2:0:-1]])  # corner, below, corner, above, as rings go
    moved = points.copy()
    moved[list(LIPS)] += (_ALONG[..., None] * around).reshape(80, 2)
    return moved


def _brightness(picture: NDArray[np.uint8], spots: Floats, iod_px: float) -> Floats:
    """(N_STEPS, 11) at (N_STEPS, 11, 2) places, 0 the darkest and 1 the brightest of a column."""
    seen = _calm(picture, spots, iod_px)
    low, high = seen.min(axis=0), seen.max(axis=0)
    return np.asarray((seen - low) / np.maximum(high - low, 8.0), np.float32)


def _darkest_way(brightness: Floats, tried: Floats) -> Floats:
    """(11,) shift of each landmark, IOD: the darkest line that neither strays far nor bends."""
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


def shut(picture: NDArray[np.uint8], points: Floats, iod_px: float, gap: float) -> Floats:
    """(80, 2) px, the points LIPS as closed lips want to borrow them.

    Lips that touch are joined where they touch, so their own line is kept; the edges of open ones
    are drawn into the flesh, so that nothing of the inside shows, neither teeth nor dark corners.

    Args:
        picture: (h, w, 3) BGR.
        points: (468, 2) px in it.
        iod_px: scale of the face.
        gap: widest between the lips, IOD.
    """
    rings = points[list(LIPS)].reshape(4, 20, 2)
    joined = rings.copy()
    up, low = joined[3, :10:-1], joined[3, 1:10]
    up[:] = low[:] = (up + low) / 2
    apart = smoothstep((gap - TOUCH[0]) / (TOUCH[1] - TOUCH[0]))
    if apart > 0.0:
        joined += apart * (_into_flesh(picture, rings, iod_px) - joined)
    return joined.reshape(80, 2)


def _into_flesh(picture: NDArray[np.uint8], rings: Floats, iod_px: float) -> Floats:
    """(4, 20, 2) rings of the lips, pressed outwards so that none lies on teeth or in the dark."""
    outer, second, _, inner = rings
    far = np.linalg.norm(rings - inner, axis=2) / iod_px
    outwards = (outer - inner) / np.maximum(far[0], 1e-3)[:, None]
    tried = np.linspace(
        far[2] + INTO_FLESH * (far[1] - far[2]), far[0] + BEYOND, N_STEPS, dtype=np.float32
    )
    spots = np.concatenate([second[None], inner + tried[..., None] * outwards])
    seen = _calm(picture, spots, iod_px)
    lips, seen = seen[0], seen[1:]
    usual = np.where(np.arange(20) > 10, masks.median(lips[11:]), masks.median(lips[1:10]))
    bright = seen > SHADE * usual
    first = np.where(bright.any(axis=0), bright.argmax(axis=0), seen.argmax(axis=0))
    first = np.where(first > 0, np.minimum(first + 1, N_STEPS - 1), 0)  # out of the edge's blur
    edge = np.take_along_axis(tried, first[None], axis=0)[0]
    edge = np.maximum(edge, (np.roll(edge, 1) + np.roll(edge, -1)) / 2)
    outermost = np.maximum(far[0], edge + LEAST_FLESH)
    pressed = edge + far * ((outermost - edge) / np.maximum(far[0], 1e-3))
    return np.asarray(inner + pressed[..., None] * outwards, np.float32)


def _calm(picture: NDArray[np.uint8], spots: Floats, iod_px: float) -> Floats:
    """(r, c) grey at (r, c, 2) places, grain smoothed away."""
    sigma = max(0.5, 0.008 * iod_px)
    near, corner = cut_around(picture, spots.reshape(-1, 2), 2 + int(4.0 * sigma))
    grey = cv2.cvtColor(near, cv2.COLOR_BGR2GRAY).astype(np.float32)
    x, y = cv2.split(spots - corner.astype(np.float32))
    calm = cv2.GaussianBlur(grey, (0, 0), sigma)
    return np.asarray(cv2.remap(calm, x, y, cv2.INTER_LINEAR), np.float32)
