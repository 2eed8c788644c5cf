"""A borrowed mouth in the light of the frame that it is laid over; compiled."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from heygemd.compiled import compiled
from heygemd.lips.warp.geometry import Floats

SLOPE_SHARE = 0.7  # of a fall of light across the ring, the rest may be chance
STEEPEST = 0.25  # of the light in the middle, that falls off to a side
BLUSH = 0.06  # of a colour; skin changes by this much in the same light, and teeth do not
DARKER, LIGHTER = 0.55, 1.7  # how far a borrowed mouth may be changed
_MIN_PLACES = 30  # in the ring; fewer do not say what light it is
_MIN_SIDE = 15  # of them on either side, likewise
_VISIBLE = np.float32(20.0)  # a twentieth of the mouth is laid over the frame in full


@compiled("float32(float32[::1])")
def median(values: Floats) -> np.float32:
    """Of (N,) values, N at least 1; their order is lost (Hoare's selection)."""
    middle, low, high = len(values) // 2, 0, len(values) - 1
    while low < high:
        pivot, up, down = values[middle], low, high
        while up <= down:
            while values[up] < pivot:
                up += 1
            while values[down] > pivot:
                down -= 1
            if up <= down:
                values[up], values[down] = values[down], values[up]
                up, down = up + 1, down - 1
        if down < middle:
            low = up
        if up > middle:
            high = down
    found = values[middle]
    if len(values) % 2 == 0:
        other = values[0]
        for at in range(1, middle):
            other = max(other, values[at])
        found = (found + other) / np.float32(2.0)
    return np.float32(found)


@compiled("float32(float32[::1], float32[::1], float32)")
def slope(grey: Floats, place: Floats, middle: float) -> np.float32:
    """How much lighter it gets from the middle to one end, by a ring of (N,) greys.

    Args:
        grey: how much lighter each place is in the frame.
        place: along one axis.
        middle: of the axis, above 0.
    """
    sides, n_near, lever = np.empty_like(grey), 0, 0.0
    for at in range(len(grey)):
        lever += 2.0 * abs(place[at] - middle)
        if place[at] > middle:
            sides[len(grey) - 1 - at + n_near] = grey[at]
        else:
            sides[n_near] = grey[at]
            n_near += 1
    if min(n_near, len(grey) - n_near) < _MIN_SIDE:
        return np.float32(0.0)
    tilt = median(sides[n_near:]) / median(sides[:n_near])
    steep = SLOPE_SHARE * math.log(tilt) * len(grey) * max(1.0, middle) / lever
    return np.float32(min(STEEPEST, max(-STEEPEST, steep)))


@compiled("float32[:,::1](uint8[:,:,::1], uint8[:,:,:], bool_[:,::1], int64)")
def sample(
    layer: NDArray[np.uint8], skin: NDArray[np.uint8], ring: NDArray[np.bool_], stride: int
) -> Floats:
    """(5, n) of the places in the ring: blue, green and red against the layer's; row; column.

    Args:
        layer: (h, w, 3) BGR.
        skin: (h, w, 3) BGR.
        ring: of every stride-th pixel of both, in both directions.
        stride: see ring.
    """
    rows, columns = ring.shape
    seen = np.empty((5, rows * columns), np.float32)
    n_seen = 0
    for row in range(rows):
        for column in range(columns):
            if ring[row, column]:
                for colour in range(3):
                    under = np.float32(skin[row * stride, column * stride, colour])
                    over = np.float32(layer[row * stride, column * stride, colour])
                    seen[colour, n_seen] = (under + np.float32(1.0)) / (over + np.float32(1.0))
                seen[3, n_seen], seen[4, n_seen] = row, column
                n_seen += 1
    return seen[:, :n_seen].copy()


@compiled("float32[:,:,::1](uint8[:,:,::1], uint8[:,:,:], bool_[:,::1], int64, float32[:,::1])")
def relit(
    layer: NDArray[np.uint8],
    skin: NDArray[np.uint8],
    ring: NDArray[np.bool_],
    stride: int,
    inside: Floats,
) -> Floats:
    """(h, w, 3) the layer in the skin's light: brightness, tint, and how they fall to the sides.

    Args:
        layer: (h, w, 3) BGR.
        skin: (h, w, 3) BGR, what it is laid over.
        ring: of every stride-th pixel in both directions, those around the mouth, seen in both.
        stride: see ring.
        inside: (h, w) in [0, 1], what is no skin, and does not blush.
    """
    gain, teeth, slopes = np.ones(3, np.float32), np.zeros(3, np.float32), np.zeros(2, np.float32)
    seen = sample(layer, skin, ring, stride)
    if seen.shape[1] >= _MIN_PLACES:
        grey = np.zeros(seen.shape[1], np.float32)
        for colour in range(3):
            # Folds that only one of both has are dark, but say nothing of the light.
            gain[colour] = min(LIGHTER, max(DARKER, float(median(seen[colour].copy()))))
            for at in range(len(grey)):
                grey[at] += seen[colour, at] / (np.float32(3.0) * gain[colour])
        mean = (gain[0] + gain[1] + gain[2]) / 3.0
        for colour in range(3):
            blush = min(BLUSH, max(-BLUSH, math.log(gain[colour] / mean)))
            teeth[colour] = math.exp(-blush) - 1.0
        for axis in range(2):
            slopes[axis] = slope(grey, seen[3 + axis], (ring.shape[axis] - 1) / 2.0)
    rows, columns = inside.shape
    down, right = 2.0 * slopes[0] / max(1, rows - 1), 2.0 * slopes[1] / max(1, columns - 1)
    lit = np.empty((rows, columns, 3), np.float32)
    for row in range(rows):
        level = 1.0 - slopes[0] + down * row
        for column in range(columns):
            light = np.float32(level * (1.0 - slopes[1] + right * column))
            for colour in range(3):
                own = np.float32(1.0) + inside[row, column] * teeth[colour]
                here = light * gain[colour] * own
                lit[row, column, colour] = np.float32(layer[row, column, colour]) * here
    return lit


@compiled("void(uint8[:,:,:], float32[:,:], float32[:,:,::1], float32[:,::1], float32)")
def lay(skin: NDArray[np.uint8], shown: Floats, layer: Floats, alpha: Floats, share: float) -> None:
    """Lay a mouth over the skin, in place.

    Args:
        skin: (h, w, 3) BGR; it changes.
        shown: (h, w) in [0, 1], how much of the skin is to be seen; it grows.
        layer: (h, w, 3) BGR, the mouth.
        alpha: (h, w) in [0, 1], where it is.
        share: 0..1, how much of it is laid.
    """
    for row in range(alpha.shape[0]):
        for column in range(alpha.shape[1]):
            covered = alpha[row, column] * share
            if covered > 0.0:
                for colour in range(3):
                    own = np.float32(skin[row, column, colour])
                    mixed = own + (layer[row, column, colour] - own) * covered + np.float32(0.5)
                    skin[row, column, colour] = np.uint8(min(255.0, max(0.0, mixed)))
                shown[row, column] = max(
                    shown[row, column], min(np.float32(1.0), _VISIBLE * covered)
                )
