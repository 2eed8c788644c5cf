"""Pixels of planes as BGR, their way back into planes, and means of many; compiled.

Planes are YUV 4:2:0 as ``planes.Still`` has them. Every loop goes along rows, one thing at a time:
so it is compiled to instructions that do many pixels at once.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from heygemd.compiled import compiled

Plane = NDArray[np.uint8]
"""(h, w)."""

Matrix = NDArray[np.float32]
"""(3, 4) from Y, U, V and 1 to B, G, R."""

_PLANE = "Array(uint8, 2, 'C', readonly=True)"
_PLANES = f"{_PLANE}, {_PLANE}, {_PLANE}"


@compiled(f"uint8[:,:,::1]({_PLANES}, int64, int64, int64, int64, float32[:,::1])")
def window(  # noqa: PLR0913, PLR0917 - what is compiled takes numbers, one by one
    y: Plane, u: Plane, v: Plane, top: int, left: int, height: int, width: int, to_bgr: Matrix
) -> NDArray[np.uint8]:
    """(height, width, 3) BGR of a window that lies inside of the planes.

    Args:
        y: (H, W) brightness.
        u: (H / 2, W / 2) colours, in even columns, between two rows.
        v: likewise.
        top: first row.
        left: first column.
        height: in pixels, at least 1.
        width: in pixels, at least 1.
        to_bgr: from Y, U, V.
    """
    first, last = left // 2, min((left + width + 1) // 2 + 1, u.shape[1])
    n_few = last - first
    few, wide = np.empty(n_few + 1, np.uint16), np.empty((2, 2 * n_few), np.float32)
    blue, red = wide[0, left - 2 * first :], wide[1, left - 2 * first :]
    y_gain, u_to_b, u_to_g = to_bgr[0, 0], to_bgr[0, 1], to_bgr[1, 1]
    v_to_g, v_to_r = to_bgr[1, 2], to_bgr[2, 2]
    half, least, most = np.float32(0.5), np.float32(0.0), np.float32(255.0)
    to_b, to_g, to_r = to_bgr[0, 3] + half, to_bgr[1, 3] + half, to_bgr[2, 3] + half
    line, shown = np.empty((3, width), np.uint8), np.empty((height, width, 3), np.uint8)
    b, g, r = line[0], line[1], line[2]
    for row in range(height):
        near = (top + row) // 2
        far = min(max(near - 1 + 2 * ((top + row) % 2), 0), u.shape[0] - 1)
        # Halves are rounded up in one row and down in the next, or colours would shift.
        up = np.uint16(1 - (top + row) % 2)
        for plane in range(2):
            of_near = (u if plane == 0 else v)[near, first:last]
            of_far = (u if plane == 0 else v)[far, first:last]
            for at in range(n_few):
                sums = np.uint16(of_near[at]) * np.uint16(3) + np.uint16(of_far[at])
                few[at] = np.uint16(sums + np.uint16(2)) >> np.uint16(2)
            few[n_few] = few[n_few - 1]
            for at in range(n_few):
                k = np.uint64(at)  # no sign, no test for an index from the end
                wide[plane, 2 * k] = few[k]
                both = few[k] + few[k + np.uint64(1)]
                wide[plane, 2 * k + 1] = np.uint16(both + up) >> np.uint16(1)
        light = y[top + row, left : left + width]
        for x in range(width):
            b[x] = min(max(np.float32(light[x]) * y_gain + blue[x] * u_to_b + to_b, least), most)
        for x in range(width):
            grey = np.float32(light[x]) * y_gain
            g[x] = min(max(grey + blue[x] * u_to_g + red[x] * v_to_g + to_g, least), most)
        for x in range(width):
            r[x] = min(max(np.float32(light[x]) * y_gain + red[x] * v_to_r + to_r, least), most)
        for x in range(width):
            k = np.uint64(x)
            shown[row, k, 0], shown[row, k, 1], shown[row, k, 2] = b[k], g[k], r[k]
    return shown


@compiled(f"float32({_PLANE}, float32, float32)")
def between(plane: Plane, x: float, y: float) -> np.float32:
    """What a plane is at a place, linear between pixels; beyond the border its border."""
    x, y = min(max(x, 0.0), plane.shape[1] - 1.0), min(max(y, 0.0), plane.shape[0] - 1.0)
    left, top = int(x), int(y)
    right, below = min(left + 1, plane.shape[1] - 1), min(top + 1, plane.shape[0] - 1)
    across, down = x - left, y - top
    upper = plane[top, left] * (1.0 - across) + plane[top, right] * across
    lower = plane[below, left] * (1.0 - across) + plane[below, right] * across
    return np.float32(upper * (1.0 - down) + lower * down)


@compiled(f"float32[:,::1]({_PLANES}, float32[:,:], float32[:,::1])")
def places(
    y: Plane, u: Plane, v: Plane, at: NDArray[np.float32], to_bgr: Matrix
) -> NDArray[np.float32]:
    """(N, 3) BGR, 0..255, at (N, 2) places, x y px; other arguments as of ``window``."""
    found = np.empty((len(at), 3), np.float32)
    for place in range(len(at)):
        across, down = at[place, 0], at[place, 1]
        of_y = between(y, across, down)
        of_u = between(u, across / np.float32(2.0), down / np.float32(2.0) - np.float32(0.25))
        of_v = between(v, across / np.float32(2.0), down / np.float32(2.0) - np.float32(0.25))
        for colour in range(3):
            of, from_u, from_v, more = to_bgr[colour]
            value = of_y * of + of_u * from_u + of_v * from_v + more
            found[place, colour] = min(max(value, np.float32(0.0)), np.float32(255.0))
    return found


@compiled("uint8[:,::1](Array(uint8, 2, 'A', readonly=True), int64, int64, int64)")
def means(plane: Plane, rows: int, columns: int, n_lines: int) -> Plane:
    """(rows, columns) how bright the cells of a plane are, by a sample of its lines.

    Args:
        plane: at least as many pixels as cells along each edge.
        rows: of cells.
        columns: of cells.
        n_lines: at least so many of a cell are looked at, where it has them; at most twice as many.
    """
    height, width = plane.shape
    found, sums = np.empty((rows, columns), np.uint8), np.empty(width, np.uint32)
    for row in range(rows):
        top, bottom = row * height // rows, (row + 1) * height // rows
        step = max(1, (bottom - top) // n_lines)
        sums[:] = 0
        n_seen = 0
        for at in range(top, bottom, step):
            line = plane[at]
            for x in range(width):
                sums[x] += line[x]
            n_seen += 1
        for column in range(columns):
            left, right = column * width // columns, (column + 1) * width // columns
            whole = 0
            for x in range(left, right):
                whole += sums[x]
            found[row, column] = math.floor(whole / (n_seen * (right - left)) + 0.5)
    return found


@compiled(
    "void(uint8[:,::1], uint8[:,::1], Array(uint8, 3, 'C', readonly=True),"
    "Array(float32, 2, 'C', readonly=True), int64, int64)"
)
def blend(  # noqa: PLR0913, PLR0917 - as for window
    u: Plane, v: Plane, colours: NDArray[np.uint8], alpha: NDArray[np.float32], left: int, top: int
) -> None:
    """Blend colours of pixels into planes of a quarter the size, in place.

    A colour of the planes stands for three pixels of two rows, the middle ones twice; it changes by
    as much of the alpha as lies over them.

    Args:
        u: (H / 2, W / 2); it changes.
        v: likewise.
        colours: (2, h, w) U and V of pixels of full size, all inside of the frame.
        alpha: (h, w) in [0, 1].
        left: column of the first of them.
        top: row of the first of them.
    """
    height, width = alpha.shape
    first, last = left // 2, min((left + width) // 2 + 1, u.shape[1])
    # Of both rows: alpha, U and V in it; a column of nothing on either side.
    sums = np.zeros((3, width + 3), np.float32)
    for row in range(top // 2, (top + height + 1) // 2):
        sums[:] = 0.0
        for line in range(max(0, 2 * row - top), min(height, 2 * row + 2 - top)):
            for x in range(width):
                sums[0, x + 1] += alpha[line, x]
            for plane in range(2):
                for x in range(width):
                    sums[plane + 1, x + 1] += alpha[line, x] * colours[plane, line, x]
        if left == 0:
            sums[:, 0] = sums[:, 1]  # the frame's edge is repeated
        for plane in range(2):
            own, part = (u if plane == 0 else v)[row], sums[plane + 1]
            for column in range(first, last):
                before = np.uint64(max(0, 2 * column - left))
                at = np.uint64(max(0, 2 * column - left + 1))
                after = at + np.uint64(1)
                share = sums[0, before] + np.float32(2.0) * sums[0, at] + sums[0, after]
                more = part[before] + np.float32(2.0) * part[at] + part[after]
                kept = np.float32(own[column]) * (np.float32(8.0) - share)
                own[column] = np.uint8((kept + more) * np.float32(0.125) + np.float32(0.5))
