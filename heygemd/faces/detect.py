"""The seam to face detectors: what one is asked, and the record of what it saw in a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from heygemd.planes import Film
from heygemd.records import N_POINTS, Boxes, Points


@dataclass(frozen=True, slots=True)
class Sighting:
    """Every face seen in one frame, the most certain first, then the largest.

    Attributes:
        boxes: (K, 4) float32 x1 y1 x2 y2 px; may reach outside the frame; K is 0 without a face.
        scores: (K,) float32 in [0, 1].
        points: (K, 478, 3) float32 px, or None from detectors that give boxes only.
        looks: (K, D) float32, see ``likeness``; None where nobody asked for them.
    """

    boxes: Boxes
    scores: NDArray[np.float32]
    points: Points | None = None
    looks: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        n_faces = len(self.scores)
        if self.boxes.shape != (n_faces, 4):
            raise ValueError(f"boxes {self.boxes.shape}, want ({n_faces}, 4)")
        if self.points is not None and self.points.shape != (n_faces, N_POINTS, 3):
            raise ValueError(f"points {self.points.shape}, want ({n_faces}, {N_POINTS}, 3)")


class FaceDetector(Protocol):
    """Finds faces. May be asked by several threads at once; remembers nothing between calls.

    Attributes:
        name: for logs, e.g. ``mediapipe``.
        version: changes whenever the same frames may give other results; part of cache keys.
        wants_frames: how many consecutive frames one call wants at best.
    """

    name: str
    version: str
    wants_frames: int

    def detect(self, frames: Film) -> list[Sighting]:
        """All faces in each frame.

        Args:
            frames: consecutive frames of one clip.

        Returns:
            One sighting per frame; a function of ``frames`` alone.

        Raises:
            GpuLostError: a CUDA fault other than out-of-memory.
            OutOfMemoryError: a frame does not fit the device.
        """
        ...

    def close(self) -> None:
        """Give back what the detector holds; it cannot detect afterwards."""
        ...


def overlaps(one: Boxes, other: Boxes) -> NDArray[np.float32]:
    """(K, 4) and (M, 4) boxes to (K, M) intersection over union in [0, 1]."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    sides = np.maximum(high - low, 0)
    shared = sides[..., 0] * sides[..., 1]
    both = areas(one)[:, None] + areas(other)[None] - shared
    return np.asarray(shared / np.maximum(both, 1e-9), dtype=np.float32)


def areas(boxes: Boxes) -> NDArray[np.float32]:
    """(K, 4) boxes to (K,) square pixels; an inverted box has none."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], dtype=np.float32)
