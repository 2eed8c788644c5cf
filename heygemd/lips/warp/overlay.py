"""The mouth that is laid over a frame: borrowed from keys, fitted, coloured, its inside mended."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from heygemd.lips.warp import mesh as meshes
from heygemd.lips.warp import mouth
from heygemd.lips.warp.aim import Aim
from heygemd.lips.warp.geometry import Floats
from heygemd.lips.warp.keys import Key, Picture
from heygemd.lips.warp.landmarks import INNER, LOWER_INNER, OUTER, THIRD, UPPER_INNER
from heygemd.lips.warp.mesh import Grid, Mesh

MAP_CELLS = 80  # per IOD; the map of the lips has an edge between them
COVER = (1.18, 1.32)  # the mouth covers the lips' outline, stretched so
FEATHER = 0.05  # IOD, sigma of the mask's edge
REACH = 0.10  # IOD; beyond the ring the feathered mask is nothing
RING = ((1.08, 1.10), (1.30, 1.55))  # skin between these outlines decides about colour
CLOSED = 0.012  # IOD; under it there is no inside
TOUCH = (0.02, 0.045)  # IOD of leak: lips of a key touch below the first, not above the second
SHADE = (0.15, 0.40)  # how dark the line is drawn over lips that touch in the key, and open ones
_GAINS = (0.55, 1.7)  # how far a borrowed mouth may be lightened or darkened


@dataclass(frozen=True, slots=True)
class Spot:
    """The rectangle of the frame that the mouth is laid over.

    Attributes:
        skin: (h, w, 3) uint8, what lies under it.
        grid: where it is, and how finely maps are computed.
        goal: (468, 2) px in the rectangle, the face as it should be.
        alpha: (h, w) in [0, 1], the mouth's own mask.
        inside: (h, w) in [0, 1], between the lips.
        stride: every so many pixels, in both directions, one is looked at for its colour.
        ring: bool, of the pixels looked at, those around the mouth.
    """

    skin: Picture
    grid: Grid
    goal: Floats
    alpha: Floats
    inside: Floats
    stride: int
    ring: NDArray[np.bool_]

    def within(self, grid: Grid) -> tuple[slice, slice]:
        """Its rows and columns in a larger rectangle."""
        top, left = self.grid.y_px - grid.y_px, self.grid.x_px - grid.x_px
        return slice(top, top + self.grid.height_px), slice(left, left + self.grid.width_px)

    def around(self, picture: NDArray[np.generic]) -> Floats:
        """(n, 3) float32 colours of a picture of this size in the ring."""
        return picture[:: self.stride, :: self.stride][self.ring].astype(np.float32)


def extent(goal: Floats, iod_px: float) -> Floats:
    """(2, 2) px, two corners of a rectangle that all that is laid over the frame lies within."""
    line = _swell(goal[list(OUTER)], *RING[1])
    reach = np.float32(REACH * iod_px)
    return np.stack([line.min(axis=0) - reach, line.max(axis=0) + reach])


def find_spot(
    skin: Picture, goal: Floats, grid: Grid, iod_px: float, aperture: float
) -> Spot | None:
    """Where the mouth goes; None when that is outside the picture.

    Args:
        skin: the picture that fills ``grid``.
        goal: (468, 2) px in the frame.
        grid: where skin lies in the frame.
        iod_px: scale of the face.
        aperture: aimed at, IOD of a mouth of scale 1.
    """
    inner = meshes.around(extent(goal, iod_px), None, iod_px / MAP_CELLS, within=grid)
    if inner is None:
        return None
    small = inner.shape
    lips = inner.to_cells(goal)[list(OUTER)]
    alpha = _polygon(_swell(lips, *COVER), small, FEATHER * iod_px / inner.step)
    inside = _polygon(inner.to_cells(goal)[list(INNER)], small, 0.008 * iod_px / inner.step)
    local = goal - np.array([inner.x_px, inner.y_px], np.float32)
    stride = max(1, int(iod_px / MAP_CELLS))
    looked_at = (-(-inner.height_px // stride), -(-inner.width_px // stride))
    edge = local[list(OUTER)] / np.float32(stride)
    near, far = (_polygon(_swell(edge, *size), looked_at) for size in RING)
    top, left = inner.y_px - grid.y_px, inner.x_px - grid.x_px
    return Spot(
        skin=skin[top : top + inner.height_px, left : left + inner.width_px],
        grid=inner,
        goal=local,
        alpha=np.clip(1.27 * _full(alpha, inner) - 0.02, 0.0, 1.0),
        inside=_full(inside, inner) * np.float32(min(1.0, aperture / 0.02)),
        stride=stride,
        ring=far - near > 0.5,
    )


def borrow(spot: Spot, aim: Aim, anchors: Floats, mesh: Mesh) -> Floats:
    """(h, w, 3) float32, the mouth fitted onto the goal, in the light of this frame.

    Lips of two keys are mixed; the inside is the first one's alone, for mixed teeth are double.

    Args:
        spot: from ``find_spot``.
        aim: whose keys are borrowed.
        anchors: (R, 2) from ``mesh.anchor_points``.
        mesh: the triangles.
    """
    layers = [_recolour(layer, spot) for layer in _fit(spot, aim, anchors, mesh)]
    layer = layers[0]
    if len(layers) > 1:
        mixed = layer + (layers[1] - layer) * np.float32(aim.keys[1][1])
        layer = mixed + (layer - mixed) * spot.inside[..., None]
    if aim.painted > 0 and aim.aperture > CLOSED / 2:
        layer = _paint(layer, spot, aim)
    return _seal(layer, spot, aim)


def _fit(spot: Spot, aim: Aim, anchors: Floats, mesh: Mesh) -> list[Picture]:
    """Each key's pixels where the goal has them."""
    first = aim.keys[0][0]
    triangles = mesh.mouth
    if aim.aperture > CLOSED:
        triangles = np.concatenate([mesh.mouth, mesh.inside])
    reach = meshes.teeth_reach(aim.goal, first.points, aim.iod_px, first.iod_px)
    target = meshes.with_teeth(aim.goal, anchors, reach[0])
    ids = meshes.spread_ids(meshes.triangle_ids(target, triangles, spot.grid), 2)
    sigma = 0.022 * aim.iod_px * min(1.0, aim.aperture / 0.05) / spot.grid.step
    fitted = []
    for key, _ in aim.keys:
        points = _lips_without_inside(key, aim.aperture)
        source = meshes.with_teeth(points, anchors, reach[1] * (key.iod_px / first.iod_px))
        offset = meshes.offsets(ids, triangles, target, source, spot.grid)
        if sigma > 0.4:
            offset = np.asarray(cv2.GaussianBlur(offset, (0, 0), sigma))
        x, y = meshes.backward_map(offset, spot.grid)
        pixels = cv2.remap(key.pixels, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        fitted.append(np.asarray(pixels, np.uint8))
    return fitted


def _lips_without_inside(key: Key, aperture: float) -> Floats:
    """The key's points as closed lips want them.

    Lips that touch in the key are joined where they touch, so their own line is kept; the edges of
    open ones are drawn into the flesh, so nothing of the inside shows.
    """
    closing = 1.0 - min(1.0, aperture / 0.045)
    if closing <= 0.0:
        return key.points
    touching = float(meshes.smoothstep((TOUCH[1] - key.leak) / (TOUCH[1] - TOUCH[0])))
    points = key.points.copy()
    pull = np.float32(0.6 * closing * (1.0 - touching))
    points[list(INNER)] += pull * (points[list(THIRD)] - points[list(INNER)])
    up, low = list(UPPER_INNER[1:-1]), list(LOWER_INNER[1:-1])
    weld = np.float32(0.5 * closing * touching) * (points[low] - points[up])
    points[up] += weld
    points[low] -= weld
    return points


def _recolour(layer: Picture, spot: Spot) -> Floats:
    """The layer, as bright and tinted as the skin is in the ring around the mouth."""
    if spot.ring.sum() < 30:
        return layer.astype(np.float32)
    wanted, found = spot.around(spot.skin), spot.around(layer)
    gain = np.clip(wanted.mean(axis=0) / (found.mean(axis=0) + 1.0), *_GAINS)
    return np.asarray(layer * gain.astype(np.float32), np.float32)


def _paint(layer: Floats, spot: Spot, aim: Aim) -> Floats:
    """The layer with a painted inside."""
    shape = spot.alpha.shape
    around = spot.around(spot.skin)
    skin_colour = around.mean(axis=0) if len(around) else spot.skin.mean(axis=(0, 1))
    lips = _polygon(spot.goal[list(OUTER)], shape) - _polygon(spot.goal[list(INNER)], shape)
    own = layer[lips > 0.9]
    lip_colour = own.mean(axis=0) if len(own) > 20 else skin_colour
    corner = np.array([spot.grid.x_px, spot.grid.y_px], np.float32)
    opening = mouth.Opening(spot.goal, aim.rest - corner, aim.axes, aim.aperture)
    inner = mouth.paint_inside(
        opening, shape, lip_colour.astype(np.float32), skin_colour.astype(np.float32)
    )
    share = np.float32(aim.painted) * spot.inside
    return np.asarray(layer + (inner - layer) * share[..., None], np.float32)


def _seal(layer: Floats, spot: Spot, aim: Aim) -> Floats:
    """The line where lips of an open key were brought together, softened and in shade."""
    closing = max(0.0, 1.0 - aim.aperture / 0.03)
    if closing <= 0.02:
        return layer
    open_key = (aim.keys[0][0].leak - TOUCH[0]) / (TOUCH[1] - TOUCH[0])
    need = np.float32(meshes.smoothstep(open_key))
    line = mouth.contact_line(spot.goal, spot.alpha.shape, aim.iod_px) * np.float32(closing)
    if need > 0.02:
        soft = cv2.GaussianBlur(layer, (0, 0), max(0.7, 0.008 * aim.iod_px))
        layer = layer + (soft - layer) * (need * line)[..., None]
    shade = np.float32(SHADE[0]) + need * np.float32(SHADE[1] - SHADE[0])
    return np.asarray(layer * (1.0 - shade * line)[..., None], np.float32)


def _polygon(points: Floats, shape: tuple[int, ...], sigma: float = 0.0) -> Floats:
    """(rows, columns) in [0, 1], inside 1."""
    mask = np.zeros((shape[0], shape[1]), np.float32)
    fixed = np.round(points * 16).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 1.0, lineType=cv2.LINE_AA, shift=4)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma) if sigma > 0.3 else mask, np.float32)


def _swell(points: Floats, across: float, down: float) -> Floats:
    centre = points.mean(axis=0)
    stretch = np.array([across, down], np.float32)
    return np.asarray((points - centre) * stretch + centre, np.float32)


def _full(small: Floats, grid: Grid) -> Floats:
    size = (grid.width_px, grid.height_px)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.float32)
