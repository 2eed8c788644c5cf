"""Face points of a whole clip in three eighths of the memory, unpacked by the row when needed.

An hour of film has 90 000 frames and 478 points in each: 516 MB in single precision. Here a row is
how its face differs from a like one of the same size, in whole numbers of 12 bits between the least
and the largest difference: good to 1/8188 of that, 0.02 px where a face of 600 px moves by 150.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_NAMES = ("bits", "like", "middle", "reach", "step")
_HALF_RANGE = 2047
_ZERO = 2048  # stands for 0 in 12 bits without a sign


class PackedPoints:
    """(T, P, 3) points; indexing gives float32, and packs what is assigned. NaN rows stay NaN.

    Args:
        n_rows: T.
        like: (P, 3) from ``normalised``, a face that the others are like; it is kept, not copied.
    """

    def __init__(self, n_rows: int, like: NDArray[np.float32]) -> None:
        self._like = like
        self._bits = np.zeros((n_rows, _n_bytes(like.size)), np.uint8)
        self._middle = np.full((n_rows, 1, 3), np.nan, np.float32)
        self._reach = np.ones((n_rows, 1, 1), np.float32)
        self._step = np.ones((n_rows, 1, 1), np.float32)

    @classmethod
    def pack(cls, points: NDArray[np.float32], like: NDArray[np.float32] | None = None) -> Self:
        """Points of (T, P, 3), like the first of them if like no other."""
        if like is None:
            like = normalised(points[0] if len(points) else np.zeros(points.shape[1:], np.float32))
        packed = cls(len(points), like)
        packed[:] = points
        return packed

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What ``arrays`` gave.

        Raises:
            KeyError: one is missing.
            ValueError: they do not fit each other.
        """
        held = {name: arrays[name] for name in _NAMES}
        packed = cls(len(held["bits"]), held["like"])
        for name, kept in held.items():
            wanted = getattr(packed, f"_{name}")
            if (kept.dtype, kept.shape) != (wanted.dtype, wanted.shape):
                raise ValueError(f"{name} {kept.dtype}{kept.shape}, want {wanted.shape}")
            setattr(packed, f"_{name}", kept)
        return packed

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that is held, by name, to be stored."""
        return {name: getattr(self, f"_{name}") for name in _NAMES}

    def part(self, rows: slice) -> Self:
        """Some of the rows; they are not copied."""
        part = copy(self)
        for name in _NAMES:
            if name != "like":
                setattr(part, f"_{name}", getattr(self, f"_{name}")[rows])
        return part

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        return len(self._bits), *self._like.shape

    def __len__(self) -> int:
        return len(self._bits)

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:  # noqa: ANN401 - as numpy takes it
        """Unpacked rows; more than one index looks into them."""
        rows, *inside = rows if isinstance(rows, tuple) else (rows,)
        steps = _spread(self._bits[rows], self._like.size) - np.int16(_ZERO)
        points = steps.reshape(*steps.shape[:-1], *self._like.shape) * self._step[rows]
        points += self._like * self._reach[rows] + self._middle[rows]
        whole = (slice(None),) * (points.ndim - 2)
        return np.asarray(points[(*whole, *inside)] if inside else points)

    def __setitem__(
        self, rows: int | slice | NDArray[np.int64], points: NDArray[np.float32]
    ) -> None:
        middle, reach = _frame_of(points)
        away = points - (self._like * reach + middle)
        most = np.nan_to_num(np.abs(away)).max(axis=(-2, -1), keepdims=True)
        step = np.where(most > 0, most / _HALF_RANGE, 1).astype(np.float32)
        steps = np.rint(np.nan_to_num(away / step)).clip(-_HALF_RANGE, _HALF_RANGE) + _ZERO
        flat = steps.reshape(*steps.shape[:-2], self._like.size)
        self._bits[rows] = _squeezed(flat.astype(np.uint16))
        self._middle[rows], self._reach[rows], self._step[rows] = middle, reach, step


def normalised(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(P, 3) points about 0, the longest edge of their box 1 long; NaN becomes 0."""
    middle, reach = _frame_of(points)
    return np.asarray(np.nan_to_num((points - middle) / reach))


def _frame_of(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(..., 1, 3) middle and (..., 1, 1) longest edge of the box around (..., P, 3) points."""
    along = points.swapaxes(-1, -2).copy()  # five times as fast as along rows of three
    low, high = along.min(axis=-1)[..., None, :], along.max(axis=-1)[..., None, :]
    reach = (high - low).max(axis=-1, keepdims=True)
    return (low + high) / 2, np.where(reach > 0, reach, np.float32(1))  # NaN: 1


def _n_bytes(n_values: int) -> int:
    """That hold so many values: a byte of each, and half a one more."""
    return n_values + (n_values + 1) // 2


def _squeezed(values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """(..., n) values of 12 bits: their lower bytes, then the upper bits of two in each byte."""
    half = (values.shape[-1] + 1) // 2
    upper = (values >> 8).astype(np.uint8)
    two = upper[..., :half].copy()
    two[..., : upper.shape[-1] - half] |= upper[..., half:] << 4
    return np.concatenate([values.astype(np.uint8), two], axis=-1)


def _spread(squeezed: NDArray[np.uint8], n_values: int) -> NDArray[np.int16]:
    """What ``_squeezed`` was given."""
    two = squeezed[..., n_values:]
    upper = np.concatenate([two & 15, two >> 4], axis=-1)[..., :n_values]
    return np.asarray(upper.astype(np.int16) << 8 | squeezed[..., :n_values])
