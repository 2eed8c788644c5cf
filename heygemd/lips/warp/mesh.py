"""Triangles over the lower face, and the maps that say where each warped pixel comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from heygemd.lips.warp.geometry import Basis, Floats
from heygemd.lips.warp.landmarks import (
    CORNERS,
    GAPS,
    LIPS,
    LOWER_INNER,
    NOSE_BASE,
    NOSE_TIP,
    OUTER,
    OVAL,
    STEADY,
)
from heygemd.lips.warp.landmarks import UPPER_INNER as UPPER
from heygemd.lips.warp.triangles import Ids, Triangles, fill, linear, stretch

N_FACE = 468  # the mesh without the irises
ANCHOR_REACH = 1.22  # anchors stand this much further from the nose than the face's outline
TEETH = 0.16  # IOD; what is so near to a lip's edge moves with it, unstretched
LONGER = 1.2  # so much may upper teeth that fill a gap be drawn longer than they were seen
FULL = (0.75, 0.9)  # share of a gap: upper teeth do not fill it below, and do above
BOTH_ROWS = 0.95  # of a gap, all that upper and lower teeth fill together
LIPS_REACH = 0.25  # IOD around the lips' outline within which skin moves as fast as they do
_NOSE = (1, 2, 4, 5, 19, 94, 97, 98, 326, 327)  # the wings of the nose never move
MIN_EDGE_PX = 4  # of a rectangle worth filling
_MIN_ALTITUDE_PX = 0.8  # flatter triangles extrapolate garbage
_GAP_ABOVE, _GAP_BELOW = np.array(UPPER[1:-1]), np.array(LOWER_INNER[1:-1])


@dataclass(frozen=True, slots=True)
class Mesh:
    """Which points move, and the triangles between them.

    Points are 468 of the face, then the anchors, then the rows of teeth (see ``with_teeth``).

    Attributes:
        freedom: (468, 1) float32 in [0, 1], how much of its displacement each point takes.
        calm: (468, 1) float32 in [0, 1], how far each is calmed in time: lips truly are quick.
        ring: indices of the outline points that have an anchor outside them.
        shown: all points of the face that drawing looks at.
        skin: (M, 3) triangles that move, anchors included.
        bare: (M, 3) the same, but the lips are one area: enough where a mouth covers them.
        mouth: (M, 3) triangles of lips and the skin around them, those above the gap first.
        n_upper: how many of them lie above the gap.
        inside: (M, 3) triangles between the inner lips.
    """

    freedom: Floats
    calm: Floats
    ring: NDArray[np.int64]
    shown: NDArray[np.int64]
    skin: Triangles
    bare: Triangles
    mouth: Triangles
    n_upper: int
    inside: Triangles


@dataclass(frozen=True, slots=True)
class Grid:
    """A rectangle of the frame, looked at in steps of some pixels.

    Attributes:
        x_px: left edge in the frame.
        y_px: top edge in the frame.
        width_px: in the frame.
        height_px: in the frame.
        step: frame pixels per grid cell.
    """

    x_px: int
    y_px: int
    width_px: int
    height_px: int
    step: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return (
            max(1, math.ceil(self.height_px / self.step)),
            max(1, math.ceil(self.width_px / self.step)),
        )

    @property
    def cells(self) -> tuple[float, float]:
        """Frame pixels per cell, down and across; cells cover the rectangle exactly."""
        rows, columns = self.shape
        return self.height_px / rows, self.width_px / columns

    def to_cells(self, points: Floats) -> Floats:
        """(P, 2) frame pixels as grid coordinates; whole numbers are centres of cells."""
        down, across = self.cells
        first = self.x_px + (across - 1.0) / 2, self.y_px + (down - 1.0) / 2
        placed = points - np.array(first, np.float32)
        placed /= np.array([across, down], np.float32)
        return placed


def build_mesh(basis: Basis) -> Mesh:
    """Sort the face's triangles by what they do when the mouth moves."""
    face = basis.template[:N_FACE]
    centre = face[list(CORNERS), 0].mean()
    down = smoothstep((face[:, 1] - (face[NOSE_BASE, 1] - 0.10)) / 0.30)
    freedom = down * (1.0 - smoothstep((np.abs(face[:, 0] - centre) - 0.75) / 0.45))
    freedom[list(_NOSE)] = 0.0
    ring = np.array([point for point in OVAL if face[point, 1] > face[NOSE_TIP, 1]])
    triangles = np.concatenate([basis.triangles, _skirt(ring)])
    moves = np.concatenate([freedom > 0.01, np.zeros(len(ring), np.bool_)])
    lips = face[[GAPS[0][0], GAPS[0][1]]].mean(axis=0)
    distance = np.hypot((face[:, 0] - lips[0]) / 0.75, (face[:, 1] - lips[1]) / 0.62)
    near = np.concatenate([distance < 1.0, np.zeros(len(ring), np.bool_)])
    skin = triangles[moves[triangles].any(axis=1)]
    mouth = triangles[near[triangles].any(axis=1)]
    middle = face[mouth].mean(axis=1)
    gap = face[list(UPPER), :2] + face[list(LOWER_INNER), :2]
    upper = middle[:, 1] < np.interp(middle[:, 0], gap[:, 0] / 2, gap[:, 1] / 2)
    return Mesh(
        freedom=freedom[:, None].astype(np.float32),
        calm=_calm(face) * (freedom[:, None] > 0.0),
        ring=ring,
        shown=_shown(basis, ring, skin, mouth),
        skin=skin,
        bare=np.concatenate([skin[~np.isin(skin, LIPS).all(axis=1)], _area(OUTER)]),
        mouth=np.concatenate([mouth[upper], mouth[~upper]]),
        n_upper=int(upper.sum()),
        inside=_inside(N_FACE + len(ring)),
    )


def _calm(face: Floats) -> Floats:
    """(468, 1) 0 on the lips, 1 from ``LIPS_REACH`` on."""
    away = np.linalg.norm(face[:, None, :2] - face[list(LIPS), :2], axis=2).min(axis=1)
    return smoothstep(away[:, None] / LIPS_REACH)


def with_teeth(points: Floats, anchors: Floats, reach_px: Floats) -> Floats:
    """(P, 2) all points that the triangles of a mesh name.

    Args:
        points: (468, 2) px.
        anchors: (R, 2) px, from ``anchor_points``.
        reach_px: (2, 9) how far the upper and the lower row of teeth hang from their lips.
    """
    up, low = points[_GAP_ABOVE], points[_GAP_BELOW]
    gap = low - up
    along = gap / np.maximum(np.hypot(gap[:, :1], gap[:, 1:]), 1e-3)
    upper_row, lower_row = up + along * reach_px[0][:, None], low - along * reach_px[1][:, None]
    return np.concatenate([points, anchors, upper_row, lower_row])


@dataclass(frozen=True)
class Gape:
    """The gap between the lips, in the target and in the key that lends its inside.

    Attributes:
        target: (468, 2) px.
        key: (468, 2) px.
        target_iod_px: scale of the target's face.
        key_iod_px: scale of the key's face.
        teeth: (9,) share of the key's gap that its upper teeth fill, 0 where none are seen.
        lower_teeth: (9,) likewise the lower ones, which go first where both do not fit.
    """

    target: Floats
    key: Floats
    target_iod_px: float
    key_iod_px: float
    teeth: Floats
    lower_teeth: Floats

    @cached_property
    def heights(self) -> tuple[Floats, Floats]:
        """(9,) IOD, of the gap in the target, and in the key."""
        wide = (self.target[_GAP_BELOW] - self.target[_GAP_ABOVE]) / np.float32(self.target_iod_px)
        own = (self.key[_GAP_BELOW] - self.key[_GAP_ABOVE]) / np.float32(self.key_iod_px)
        return np.hypot(wide[:, 0], wide[:, 1]), np.hypot(own[:, 0], own[:, 1])

    @cached_property
    def reach(self) -> Floats:
        """(2, 2, 9) px, of the upper and lower row of teeth, first in the target, then in the key.

        The same length of tooth is taken from both, as much as the narrower of both mouths shows.
        Upper ones that fill the gap are drawn a little longer with it: nothing else is there to be
        stretched. Where there are none, half of what is above the lower ones hangs from the lip, so
        that it is not their edge that is stretched.
        """
        wide, own = self.heights
        gap = np.minimum(wide, own)
        hanging = np.where(self.teeth > 0.0, self.teeth, (1.0 - self.lower_teeth) / 2.0)
        upper = np.minimum(TEETH, np.minimum(hanging, BOTH_ROWS - self.lower_teeth) * gap)
        lower = np.minimum(TEETH, self.lower_teeth * gap)
        longest = 1.0 + (LONGER - 1.0) * smoothstep((self.teeth - FULL[0]) / (FULL[1] - FULL[0]))
        longer = (wide / np.maximum(own, 1e-3)).clip(1.0, longest)
        reach = np.array([[upper * longer, lower], [upper, lower]], np.float32)
        reach[0] *= self.target_iod_px
        reach[1] *= self.key_iod_px
        return reach


def behind_teeth(gape: Gape) -> tuple[Floats, float]:
    """(18, 2) px outline of what lies between both rows of teeth, and how much it is stretched."""
    reach = gape.reach
    wide, own = gape.heights
    between = float((wide - reach[0].sum(axis=0) / gape.target_iod_px).mean())
    shown = float((own - reach[1].sum(axis=0) / gape.key_iod_px).mean())
    rows = with_teeth(gape.target, np.zeros((0, 2), np.float32), reach[0])[N_FACE:]
    outline = np.concatenate([rows[:9], rows[:8:-1]])
    return outline, (max(0.0, between) + 0.01) / (max(0.0, shown) + 0.01)


def anchor_points(points: Floats, mesh: Mesh) -> Floats:
    """(R, 2) points outside the outline of the face that keep the background where it is."""
    nose = points[[1, NOSE_TIP]].mean(axis=0)
    return np.asarray(nose + (points[mesh.ring] - nose) * ANCHOR_REACH, np.float32)


def around(
    points: Floats,
    frame_shape: tuple[int, ...] | None,
    step: float,
    *,
    pad_px: int = 0,
    within: Grid | None = None,
) -> Grid | None:
    """The rectangle around points, cut at the frame or at another one; None if too little is left.

    Args:
        points: (P, 2) frame pixels.
        frame_shape: rows and columns of the frame, where it is the limit.
        step: frame pixels per cell, at least 1.
        pad_px: added on all sides.
        within: another limit.
    """
    left, top = (math.floor(edge) - pad_px for edge in points.min(axis=0).tolist())
    right, bottom = (math.ceil(edge) + pad_px + 1 for edge in points.max(axis=0).tolist())
    if frame_shape is not None:
        left, top = max(0, left), max(0, top)
        right, bottom = min(frame_shape[1], right), min(frame_shape[0], bottom)
    if within is not None:
        left, top = max(within.x_px, left), max(within.y_px, top)
        right = min(within.x_px + within.width_px, right)
        bottom = min(within.y_px + within.height_px, bottom)
    if right - left < MIN_EDGE_PX or bottom - top < MIN_EDGE_PX:
        return None
    return Grid(left, top, right - left, bottom - top, max(1.0, step))


def triangle_ids(points: Floats, triangles: Triangles, grid: Grid) -> Ids:
    """(rows, columns) which triangle covers each cell, counted from 1; 0 where none does.

    Args:
        points: (P, 2) frame pixels.
        triangles: (M, 3) into points; later ones lie on top.
        grid: where to look.
    """
    least = _MIN_ALTITUDE_PX / grid.step
    return fill(grid.to_cells(points), triangles, *grid.shape, least)


def offsets(ids: Ids, triangles: Triangles, target: Floats, source: Floats, grid: Grid) -> Floats:
    """(rows, columns, 2) how far left-right and up-down of itself each cell's pixel comes from, px.

    Args:
        ids: from ``triangle_ids`` of the target.
        triangles: the ones that ``ids`` counts.
        target: (P, 2) where the mesh is, frame pixels.
        source: (P, 2) where its pixels come from, pixels of the source picture.
        grid: that of ``ids``.
    """
    return linear(ids, grid.to_cells(target), triangles, source - target)


def backward_map(offset: Floats, grid: Grid) -> Floats:
    """(3, h, w) full-size x and y maps for ``cv2.remap``, px of the source picture, and how far.

    Args:
        offset: (rows, columns, 2) from ``offsets``.
        grid: its grid.
    """
    return stretch(offset, grid.height_px, grid.width_px, grid.x_px, grid.y_px)


def _skirt(ring: NDArray[np.int64]) -> Triangles:
    """Two triangles between each pair of neighbours on the outline and their anchors."""
    anchor = {int(point): N_FACE + row for row, point in enumerate(ring)}
    pairs = [
        (here, following)
        for here, following in zip(OVAL, (*OVAL[1:], OVAL[0]), strict=True)
        if here in anchor and following in anchor
    ]
    quads = [(a, b, anchor[a], anchor[b]) for a, b in pairs]
    return np.array([t for a, b, c, d in quads for t in ((a, b, c), (b, c, d))], np.int32)


def _shown(basis: Basis, ring: NDArray[np.int64], *triangles: Triangles) -> NDArray[np.int64]:
    """Corners of triangles, what moves, and what light and anchors are told by."""
    points = np.concatenate(
        [*(some.ravel() for some in triangles), basis.index, ring, STEADY, _NOSE]
    )
    return np.unique(points[points < N_FACE])


def _area(ring: tuple[int, ...]) -> Triangles:
    """Triangles that fill a ring of points between its first one and the one halfway round."""
    half = len(ring) // 2
    sides = zip(ring[: half + 1], (ring[0], *ring[: half - 1 : -1]), strict=True)
    quads = [(a, b, c, d) for (a, c), (b, d) in pairwise(sides)]
    triangles = [t for a, b, c, d in quads for t in ((a, b, c), (b, c, d))]
    return np.array([t for t in triangles if len(set(t)) == 3], np.int32)


def _inside(first: int) -> Triangles:
    """Triangles between upper lip, upper teeth, lower teeth and lower lip, corner to corner."""
    upper_teeth = (UPPER[0], *range(first, first + 9), UPPER[-1])
    lower_teeth = (UPPER[0], *range(first + 9, first + 18), UPPER[-1])
    rows = (UPPER, upper_teeth, lower_teeth, LOWER_INNER)
    quads = [
        (high[k], high[k + 1], low[k], low[k + 1])
        for high, low in pairwise(rows)
        for k in range(10)
    ]
    triangles = [t for a, b, c, d in quads for t in ((a, b, c), (b, c, d))]
    return np.array([t for t in triangles if len(set(t)) == 3], np.int32)


def smoothstep(x: Floats | NDArray[np.float64] | np.floating | float) -> Floats:
    """0 up to 0, 1 from 1 on, smooth between."""
    clipped = np.asarray(x, np.float32).clip(0.0, 1.0)
    return np.asarray(clipped * clipped * (3.0 - 2.0 * clipped), np.float32)
