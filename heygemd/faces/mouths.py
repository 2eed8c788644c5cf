"""Small grey pictures of a mouth, upright and always the same size, whatever the head does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heygemd.faces.crops import cut_all
from heygemd.planes import Film
from heygemd.records import Points

HEIGHT_PX, WIDTH_PX = 64, 96
_WIDTHS = 2.0  # mouth widths across a crop
_BELOW = 0.1  # mouth widths by which the middle lies below that of the lips: more chin, less nose
_REACH = 12  # frames to either side over which the place on the face and the size are averaged

# Points of MediaPipe's canonical face model.
_CORNERS = (61, 291)
EYES = ((33, 133), (362, 263))
_NOSE_BASE = 2
_OUTER_LIPS = (0, 17, 61, 291, 37, 267, 84, 314)
LIPS = (*_OUTER_LIPS, 13, 14, 82, 87, 312, 317, 78, 308, 81, 178, 311, 402)


def mouth_views(points: Points) -> NDArray[np.float32]:
    """Where each frame's mouth crop lies.

    The crop hangs on the nose and turns with the eyes; its place on the face and its size are
    means over about a second, so that it follows the head and not the lips.

    Args:
        points: (T, 478, 3) px, NaN rows without a face.

    Returns:
        (T, 2, 3) float32 affine maps from crop pixels to picture pixels; NaN without a face.
    """
    seen = np.isfinite(points).all(axis=(1, 2))
    views = np.full((len(points), 2, 3), np.nan, np.float32)
    if not seen.any():
        return views
    known = points[seen].astype(np.float64)
    left, right = (known[:, list(eye)].mean(axis=1) for eye in EYES)
    across = (right - left)[:, :2]
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    down = np.stack([-across[:, 1], across[:, 0]], axis=1)
    size = _mean_around(np.linalg.norm(known[:, _CORNERS[1]] - known[:, _CORNERS[0]], axis=1))
    nose = known[:, _NOSE_BASE, :2]
    hang = (known[:, list(_OUTER_LIPS), :2].mean(axis=1) - nose) / size[:, None]
    along = _mean_around((hang * across).sum(axis=1))
    below = _mean_around((hang * down).sum(axis=1)) + _BELOW
    middle = nose + size[:, None] * (along[:, None] * across + below[:, None] * down)
    step = (size * _WIDTHS / WIDTH_PX)[:, None]
    corner = middle - step * (across * (WIDTH_PX - 1) / 2 + down * (HEIGHT_PX - 1) / 2)
    views[seen] = np.stack([across * step, down * step, corner], axis=2)
    return views


def cut_mouths(frames: Film, views: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The mouth of every frame.

    Args:
        frames: what the mouths are in.
        views: (N, 2, 3) of these frames, from ``mouth_views``.

    Returns:
        (N, 64, 96) grey; black where no face is.
    """
    return cut_all(frames, views, (WIDTH_PX, HEIGHT_PX), grey=True)


def _mean_around(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) each value's mean with its neighbours; the ends are repeated."""
    padded = np.pad(values, _REACH, mode="edge")
    return np.convolve(padded, np.ones(2 * _REACH + 1) / (2 * _REACH + 1), mode="valid")
