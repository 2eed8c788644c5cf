"""Which triangle covers each cell of a grid, and how far its pixels move with it; compiled."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from heygemd.compiled import compiled

Ids = NDArray[np.int32]
"""(rows, columns) which triangle covers a cell, counted from 1; 0 where none does."""

Triangles = NDArray[np.int32]
"""(M, 3) three points each."""


@compiled("int32[:,::1](float32[:,::1], int32[:,::1], int64, int64, float32)")
def fill(
    points: NDArray[np.float32], triangles: Triangles, rows: int, columns: int, least: float
) -> Ids:
    """Triangles laid over a grid, later ones on top; they reach half a cell over their edges.

    So none of them is too thin to be seen, and no crack is left between neighbours.

    Args:
        points: (P, 2) x y, whole numbers are the middles of cells.
        triangles: (M, 3) into points.
        rows: of the grid.
        columns: of the grid.
        least: altitude, in cells; flatter triangles are left out.
    """
    ids = np.zeros((rows, columns), np.int32)
    side, slope, start, wide = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for number in range(triangles.shape[0]):
        area, longest = 0.0, 0.0
        left, top = np.float64(columns), np.float64(rows)
        right, bottom = -1.0, -1.0
        for at in range(3):
            here, there = triangles[number, at], triangles[number, (at + 1) % 3]
            x, y = np.float64(points[here, 0]), np.float64(points[here, 1])
            dx, dy = points[there, 0] - x, points[there, 1] - y
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


@compiled("float32[:,:,::1](int32[:,::1], float32[:,::1], int32[:,::1], float32[:,::1])")
def linear(
    ids: Ids, points: NDArray[np.float32], triangles: Triangles, moved: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(rows, columns, 2) x y of a linear function per triangle, given at points; 0 elsewhere.

    Args:
        ids: from ``fill``.
        points: (P, 2) x y, in cells.
        triangles: (M, 3) into points, those that ``ids`` counts.
        moved: (P, 2) values at the points.
    """
    planes = np.zeros((triangles.shape[0] + 1, 2, 3), np.float32)
    for number in range(triangles.shape[0]):
        corner, first, second = triangles[number, 0], triangles[number, 1], triangles[number, 2]
        x, y = np.float64(points[corner, 0]), np.float64(points[corner, 1])
        first_x, first_y = points[first, 0] - x, points[first, 1] - y
        second_x, second_y = points[second, 0] - x, points[second, 1] - y
        area = first_x * second_y - first_y * second_x
        if abs(area) < 1e-6:
            area = 1e-6
        for axis in range(2):
            start = np.float64(moved[corner, axis])
            rise, other = moved[first, axis] - start, moved[second, axis] - start
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


@compiled("float32[:,:,::1](float32[:,:,:], int64, int64, int64, int64)")
def stretch(
    offset: NDArray[np.float32], height: int, width: int, x: int, y: int
) -> NDArray[np.float32]:
    """(3, height, width) where each pixel comes from, x and y, and how far that is along an axis.

    Args:
        offset: (rows, columns, 2) x y of cells that cover the pixels; linear between their middles.
        height: in pixels.
        width: in pixels.
        x: of the first pixel.
        y: of the first pixel.
    """
    rows, columns = offset.shape[:2]
    left, share = np.empty(width, np.uint64), np.empty(width, np.float32)
    for column in range(width):
        at = min(max((column + 0.5) * columns / width - 0.5, 0.0), columns - 1.0)
        left[column] = int(at)
        share[column] = at - int(at)
    line, step = np.zeros((2, columns), np.float32), np.zeros((2, columns), np.float32)
    found = np.empty((3, height, width), np.float32)
    for row in range(height):
        down = min(max((row + 0.5) * rows / height - 0.5, 0.0), rows - 1.0)
        upper, lower = int(down), min(int(down) + 1, rows - 1)
        part = np.float32(down - upper)
        for axis in range(2):
            for column in range(columns):
                above, below = offset[upper, column, axis], offset[lower, column, axis]
                line[axis, column] = above + (below - above) * part
            for column in range(columns - 1):
                step[axis, column] = line[axis, column + 1] - line[axis, column]
        for column in range(width):
            cell, way = left[column], share[column]
            across = line[0, cell] + step[0, cell] * way
            along = line[1, cell] + step[1, cell] * way
            found[0, row, column] = np.float32(x + column) + across
            found[1, row, column] = np.float32(y + row) + along
            found[2, row, column] = max(abs(across), abs(along))
    return found
