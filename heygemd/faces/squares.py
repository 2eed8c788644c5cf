"""Squares around a face as SyncNet was trained on, from a box that follows it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heygemd.faces.crops import cut_all
from heygemd.nets.syncnet import FACE_PX
from heygemd.planes import Film
from heygemd.records import Boxes

# As published (joonson/syncnet_python, run_pipeline.py): how much is added, and the smoothing.
_MARGIN, _SMOOTHED_FRAMES = 0.40, 13


def square_views(boxes: Boxes) -> NDArray[np.float32]:
    """Where each frame's square lies: from the box's top to well below the chin.

    Args:
        boxes: (T, 4) x1 y1 x2 y2 px; NaN rows without a face.

    Returns:
        (T, 2, 3) float32 affine maps from crop pixels to picture pixels; NaN without a face.
    """
    views = np.full((len(boxes), 2, 3), np.nan, np.float32)
    seen = np.isfinite(boxes).all(axis=1)
    if not seen.any():
        return views
    known = boxes[seen].astype(np.float64)
    half = np.maximum(known[:, 2] - known[:, 0], known[:, 3] - known[:, 1]) / 2
    middle = (known[:, :2] + known[:, 2:]) / 2
    half, x, y = (_steady(values) for values in (half, middle[:, 0], middle[:, 1]))
    step = 2 * half * (1 + _MARGIN) / FACE_PX
    views[seen] = 0.0
    views[seen, 0, 0] = views[seen, 1, 1] = step
    views[seen, 0, 2] = x - half * (1 + _MARGIN) + (step - 1) / 2
    views[seen, 1, 2] = y - half + (step - 1) / 2
    return views


def cut_squares(frames: Film, views: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The face of every frame, (N, 224, 224, 3) BGR; black where no face is.

    Args:
        frames: what the faces are in.
        views: (N, 2, 3) of these frames, from ``square_views``.
    """
    return cut_all(frames, views, (FACE_PX, FACE_PX), grey=False)


def _steady(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) each value's median with its neighbours; the ends are repeated."""
    reach = _SMOOTHED_FRAMES // 2
    padded = np.pad(values, reach, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHED_FRAMES)
    return np.asarray(np.median(around, axis=1), np.float64)
