"""Face points of a whole clip in a quarter of the memory, unpacked by the block when needed.

An hour of film has 90 000 frames and 478 points in each: 516 MB in single precision. From one frame
to the next points move little: a row is how they moved besides their mean, in whole numbers of
8 bits between the most to either side. Half a step is 0.02 px in a face of 540 px, 0.1 px where it
moves fastest, and errors do not add up: a row is told from what is unpacked of the row before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 64  # that are unpacked together; the first with a face is kept whole
_NAMES = ("steps", "moved", "step", "keys")
_MOST = 127


class PackedPoints:
    """(T, P, 3) points; indexing gives float32. Rows without a face are NaN.

    Args:
        n_rows: T; rows that are not appended have no face.
        n_points: P.
    """

    def __init__(self, n_rows: int, n_points: int) -> None:
        self._steps = np.zeros((n_rows, n_points, 3), np.int8)
        self._moved = np.zeros((n_rows, 3), np.float32)
        self._step = np.full(n_rows, np.nan, np.float32)
        self._keys = np.zeros((-(-n_rows // BLOCK_ROWS), n_points, 3), np.float32)
        self._n_appended = 0
        self._last: NDArray[np.float32] | None = None
        self._held: tuple[int, NDArray[np.float32]] = -1, np.empty(0, np.float32)

    @classmethod
    def pack(cls, points: NDArray[np.float32]) -> Self:
        """Points of (T, P, 3)."""
        packed = cls(len(points), points.shape[1])
        packed.append(points)
        return packed

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What ``arrays`` gave.

        Raises:
            KeyError: one is missing.
            ValueError: they do not fit each other.
        """
        held = {name: arrays[name] for name in _NAMES}
        packed = cls(*held["steps"].shape[:2])
        for name, kept in held.items():
            wanted = getattr(packed, f"_{name}")
            if (kept.dtype, kept.shape) != (wanted.dtype, wanted.shape):
                raise ValueError(f"{name} {kept.dtype}{kept.shape}, want {wanted.shape}")
            setattr(packed, f"_{name}", kept)
        return packed

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that is held, by name, to be stored."""
        return {name: getattr(self, f"_{name}") for name in _NAMES}

    def only(self, kept: NDArray[np.int64]) -> FewPoints:
        """A copy of which only some points of each row are kept."""
        few = PackedPoints(len(self), len(kept))
        few._steps, few._keys = self._steps[:, kept], self._keys[:, kept]
        few._moved, few._step = self._moved, self._step
        return FewPoints(few, kept, self.shape[1])

    def append(self, points: NDArray[np.float32]) -> None:
        """Pack (n, P, 3), the rows that follow.

        Raises:
            IndexError: more rows than there is room for.
        """
        for row in points:
            at, self._n_appended = self._n_appended, self._n_appended + 1
            if at % BLOCK_ROWS == 0:
                self._last = None
            if not np.isfinite(row).all():
                self._step[at] = np.nan
            elif self._last is None:
                self._keys[at // BLOCK_ROWS], self._last, self._step[at] = row, row, 0.0
            else:
                self._last = self._follow(at, row, self._last)
        self._held = -1, self._held[1]

    def _follow(
        self, at: int, row: NDArray[np.float32], last: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Pack one row next to the last; what will be unpacked of it."""
        way = row - last
        moved = way.mean(axis=0)
        way -= moved
        step = np.float32(max(abs(way.min()), way.max()) / _MOST) or np.float32(1.0)
        steps = np.rint(way / step)
        self._steps[at], self._moved[at], self._step[at] = steps, moved, step
        return np.asarray(last + (steps * step + moved), np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        return self._steps.shape

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:  # noqa: ANN401 - as numpy takes it
        """Unpacked rows; more than one index looks into them."""
        rows, *inside = rows if isinstance(rows, tuple) else (rows,)
        wanted = np.arange(len(self))[rows]
        if wanted.ndim == 0:
            row = self._block(int(wanted) // BLOCK_ROWS)[int(wanted) % BLOCK_ROWS]
            return np.asarray(row[tuple(inside)]) if inside else row.copy()
        points = np.empty((*wanted.shape, *self.shape[1:]), np.float32)
        blocks = wanted // BLOCK_ROWS
        for block in dict.fromkeys(blocks.ravel().tolist()):
            here = blocks == block
            points[here] = self._block(block)[wanted[here] % BLOCK_ROWS]
        return np.asarray(points[(slice(None), *inside)] if inside else points)

    def _block(self, block: int) -> NDArray[np.float32]:
        """The rows of a block; the last one asked for is kept, since rows are asked for in turn."""
        held, points = self._held  # in one, so that another thread's block is not taken for ours
        if held == block:
            return points
        some = slice(block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS)
        step = self._step[some, None, None]
        points = self._steps[some].astype(np.float32)
        points *= np.nan_to_num(step)
        points += self._moved[some, None]
        np.cumsum(points, axis=0, out=points)
        points += self._keys[block]
        points[np.isnan(step[:, 0, 0])] = np.nan
        self._held = block, points
        return points


@dataclass(frozen=True, slots=True)
class FewPoints:
    """(T, P, 3) points of which only some are kept; indexing gives float32, 0 for the others.

    Attributes:
        few: those that are kept.
        kept: which of the P they are.
        n_points: P.
    """

    few: PackedPoints
    kept: NDArray[np.int64]
    n_points: int

    def __len__(self) -> int:
        return len(self.few)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Unpacked rows."""
        seen = self.few[rows]
        points = np.zeros((len(seen), self.n_points, 3), np.float32)
        points[:, self.kept] = seen
        return points
