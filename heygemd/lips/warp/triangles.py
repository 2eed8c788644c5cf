"""Which triangle covers each cell of a grid, and how far its pixels move with it; compiled."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from heygemd.compiled import compiled

Ids = NDArray[np.int32]
"""(rows, columns) which triangle covers a cell, counted from 1; 0 where none does."""


@compiled("int32[:,::1](float32[:,:,::1], int64, int64, float32)")
def fill(corners: NDArray[np.float32], rows: int, columns: int, least: float) -> Ids:
    """Triangles laid over a grid, later ones on top; they reach half a cell over their edges.

    So none of them is too thin to be seen, and no crack is left between neighbours.

    Args:
        corners: (M, 3, 2) x y, whole numbers are the middles of cells.
        rows: of the grid.
        columns: of the grid.
        least: altitude, in cells; flatter triangles are left out.
    """
    ids = np.zeros((rows, columns), np.int32)
    side, slope, start, wide = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for number in range(corners.shape[0]):
        corner = corners[number]
        area, longest = 0.0, 0.0
        left, top = np.float64(columns), np.float64(rows)
        right, bottom = -1.0, -1.0
        for at in range(3):
            x, y = np.float64(corner[at, 0]), np.float64(corner[at, 1])
            dx, dy = corner[(at + 1) % 3, 0] - x, corner[(at + 1) % 3, 1] - y
            area += x * dy - y * dx
            longest = max(longest, dx * dx + dy * dy)
            left, right = min(left, x), max(right, x)
            top, bottom = min(top, y), max(bottom, y)
            # A cell lies inside of an edge where it is to the left of it, seen from its start;
            # half a cell is added.
            side[at] = dy
            slope[at] = dx / dy if dy != 0.0 else 0.0
            start[at] = x - slope[at] * y
            wide[at] = 0.5 * max(1.0, abs(slope[at]))
        if not abs(area) > least * math.sqrt(longest):
            continue
        for row in range(max(0, math.ceil(top - 0.5)), min(rows, math.floor(bottom + 1.5))):
            first, last = max(0.0, left - 0.5), min(columns - 1.0, right + 0.5)
            for at in range(3):
                bound = start[at] + slope[at] * row
                if side[at] * area > 0.0:
                    last = min(last, bound + wide[at])
                elif side[at] * area < 0.0:
                    first = max(first, bound - wide[at])
            for column in range(math.ceil(first), math.floor(last) + 1):
                ids[row, column] = number + 1
    return ids


@compiled("int32[:,::1](int32[:,::1], int64)")
def spread(ids: Ids, n_cells: int) -> Ids:
    """The same ids, grown over cracks and over the rim by some cells; the highest neighbour wins.

    Args:
        ids: from ``fill``.
        n_cells: how far.
    """
    rows, columns = ids.shape
    for _ in range(n_cells):
        grown = ids.copy()
        for row in range(rows):
            for column in range(columns):
                if ids[row, column] == 0:
                    highest = np.int32(0)
                    for y in range(max(0, row - 1), min(rows, row + 2)):
                        for x in range(max(0, column - 1), min(columns, column + 2)):
                            highest = max(highest, ids[y, x])
                    grown[row, column] = highest
        ids = grown
    return ids


@compiled("float32[:,:,::1](int32[:,::1], float32[:,:,::1], float32[:,:,::1])")
def linear(
    ids: Ids, corners: NDArray[np.float32], moved: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(rows, columns, 2) x y of a linear function per triangle, given at its corners; 0 elsewhere.

    Args:
        ids: from ``fill``.
        corners: (M, 3, 2) of the triangles that ``ids`` counts, in cells.
        moved: (M, 3, 2) values at these corners.
    """
    planes = np.zeros((corners.shape[0] + 1, 2, 3), np.float32)
    for number in range(corners.shape[0]):
        x, y = np.float64(corners[number, 0, 0]), np.float64(corners[number, 0, 1])
        first_x, first_y = corners[number, 1, 0] - x, corners[number, 1, 1] - y
        second_x, second_y = corners[number, 2, 0] - x, corners[number, 2, 1] - y
        area = first_x * second_y - first_y * second_x
        if abs(area) < 1e-6:
            area = 1e-6
        for axis in range(2):
            start = np.float64(moved[number, 0, axis])
            rise, other = moved[number, 1, axis] - start, moved[number, 2, axis] - start
            by_x = (rise * second_y - other * first_y) / area
            by_y = (other * first_x - rise * second_x) / area
            planes[number + 1, axis, 0] = by_x
            planes[number + 1, axis, 1] = by_y
            planes[number + 1, axis, 2] = start - by_x * x - by_y * y
    rows, columns = ids.shape
    along = np.empty((rows, columns, 2), np.float32)
    for row in range(rows):
        for column in range(columns):
            plane = planes[ids[row, column]]
            for axis in range(2):
                along[row, column, axis] = (
                    plane[axis, 0] * np.float32(column)
                    + plane[axis, 1] * np.float32(row)
                    + plane[axis, 2]
                )
    return along
