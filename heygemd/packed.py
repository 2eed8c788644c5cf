"""Face points of a whole clip in half the memory, unpacked by the row as they are needed.

An hour of film has 90 000 frames and 478 points in each: 516 MB in single precision. Here each row
is whole numbers between the least and the largest coordinate of its own face, good to 1/65534 of
the face: 0.01 px of a face of 600 px, a thirtieth of what a detector trembles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_HALF_RANGE = 32767


class PackedPoints:
    """(T, P, 3) points; indexing gives float32, and packs what is assigned. NaN rows stay NaN.

    Args:
        n_rows: T.
        n_points: P.
    """

    def __init__(self, n_rows: int, n_points: int) -> None:
        self._steps = np.zeros((n_rows, n_points, 3), np.int16)
        self._middle = np.full((n_rows, 1, 3), np.nan, np.float32)
        self._step = np.ones((n_rows, 1, 1), np.float32)

    @classmethod
    def pack(cls, points: NDArray[np.float32]) -> Self:
        """Points of (T, P, 3)."""
        packed = cls(*points.shape[:2])
        packed[:] = points
        return packed

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What ``arrays`` gave.

        Raises:
            KeyError: one is missing.
            ValueError: they do not fit each other.
        """
        steps, middle, step = arrays["steps"], arrays["middle"], arrays["step"]
        n_rows = len(steps)
        shapes = (middle.shape, step.shape)
        if steps.dtype != np.int16 or steps.ndim != 3 or shapes != ((n_rows, 1, 3), (n_rows, 1, 1)):
            raise ValueError(f"steps {steps.dtype}{steps.shape} beside {shapes}")
        packed = cls(0, 0)
        packed._steps, packed._middle, packed._step = steps, middle, step
        return packed

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that is held, by name, to be stored."""
        return {"steps": self._steps, "middle": self._middle, "step": self._step}

    @property
    def shape(self) -> tuple[int, int, int]:
        """As of an array."""
        n_rows, n_points, _ = self._steps.shape
        return n_rows, n_points, 3

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:  # noqa: ANN401 - as numpy takes it
        """Unpacked rows; more than one index looks into them."""
        rows, *inside = rows if isinstance(rows, tuple) else (rows,)
        points = self._steps[rows] * self._step[rows] + self._middle[rows]
        whole = (slice(None),) * (points.ndim - 2)
        return np.asarray(points[(*whole, *inside)] if inside else points)

    def __setitem__(
        self, rows: int | slice | NDArray[np.int64], points: NDArray[np.float32]
    ) -> None:
        along = points.swapaxes(-1, -2).copy()  # five times as fast as along rows of three
        low, high = along.min(axis=-1)[..., None, :], along.max(axis=-1)[..., None, :]
        reach = (high - low).max(axis=-1, keepdims=True)
        step = np.where(reach > 0, reach / (2 * _HALF_RANGE), 1).astype(np.float32)  # NaN: 1
        middle = ((low + high) / 2).astype(np.float32)
        n_steps = np.rint(np.nan_to_num((points - middle) / step))
        self._steps[rows] = n_steps.clip(-_HALF_RANGE, _HALF_RANGE)  # rounding may step beyond
        self._middle[rows], self._step[rows] = middle, step
