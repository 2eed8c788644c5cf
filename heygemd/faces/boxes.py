"""Face boxes from the 478 points of the mesh."""

from __future__ import annotations

import numpy as np

from heygemd.records import Boxes, Points


def fit(points: Points) -> Boxes:
    """(K, 478, 3) px to (K, 4) float32 x1 y1 x2 y2 px around the points."""
    if not len(points):
        return np.empty((0, 4), dtype=np.float32)
    return np.concatenate([points[..., :2].min(axis=1), points[..., :2].max(axis=1)], axis=1)
