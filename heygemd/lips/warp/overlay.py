"""The mouth that is laid over a frame: borrowed from keys, fitted, coloured, its inside mended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heygemd.lips.warp import masks, mouth
from heygemd.lips.warp import mesh as meshes
from heygemd.lips.warp.aim import Aim
from heygemd.lips.warp.geometry import Floats
from heygemd.lips.warp.keys import INSIDE_SHOWN, Key, Pixels
from heygemd.lips.warp.landmarks import INNER, LIPS, LOWER_INNER, OUTER, UPPER_INNER
from heygemd.lips.warp.light import relit
from heygemd.lips.warp.lipline import TOUCH
from heygemd.lips.warp.mesh import Grid, Mesh
from heygemd.lips.warp.triangles import spread
from heygemd.opencv import cv2

MAP_CELLS = 80  # per IOD; the map of the lips has an edge between them
COLOUR_CELLS = 36  # per IOD; colour is looked at this finely
SEAM_PX = 0.7  # sigma of the line where closed lips meet, or it would be a stair
COVER = (1.18, 1.32)  # the mouth covers the lips' outline, stretched so
FEATHER = 0.05  # IOD, sigma of the mask's edge
REACH = 0.10  # IOD; beyond the ring the feathered mask is nothing
CLOSED = 0.012  # IOD; under it there is no inside
STRETCH = (1.25, 1.75)  # the dark between borrowed teeth, stretched more than this, is painted
WIDER = (0.015, 0.035)  # IOD; so far must a key be outdone before any of it is painted
GAPING = (0.5, 0.65)  # of the skin's brightness: what is darker gapes, what is brighter is teeth or
# a tongue, which jump when dark comes over them. Lips that hardly part in the key show flesh there,
# which is somewhat lighter.
FLESH_LIGHTER = 0.15
PARTED = (0.015, 0.03)  # IOD of aperture: lips hardly part below the first, and do at the second
SHADE = (0.15, 0.40)  # how dark the line is drawn over lips that touch in the key, and open ones
LEAST_LOSS = 0.03  # of light; less of a loss is not seen
EDGE = 0.018  # IOD
# Sigma; what is finer is the first key's alone. Every other frame may mix two keys, and an old
# man's mouth had 0.83 of the source's detail where means were taken of all of it, with this 0.86.
TEXTURE_PX = 1.0
WARMTH = np.array([1.12, 1.03, 0.85], np.float32)  # the loss of blue, green and red, as powers
SOFTER = 0.7  # of the layer's detail; a frame with less is blurred, by motion mostly
MAX_BLUR_PX = 4.0
LEAST_DETAIL = 2.5  # grey levels; less is a drawing or noise, and says nothing of blur


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

    skin: Pixels
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
    line = masks.swell(goal[list(OUTER)], *masks.RING[1])
    reach = np.float32(REACH * iod_px)
    return np.stack([line.min(axis=0) - reach, line.max(axis=0) + reach])


def find_spot(
    skin: Pixels, goal: Floats, grid: Grid, iod_px: float, aperture: float
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
    alpha = masks.polygon(masks.swell(lips, *COVER), small, FEATHER * iod_px / inner.step)
    inside = masks.polygon(inner.to_cells(goal)[list(INNER)], small, 0.008 * iod_px / inner.step)
    local = goal - np.array([inner.x_px, inner.y_px], np.float32)
    stride = max(1, int(iod_px / COLOUR_CELLS))
    looked_at = (-(-inner.height_px // stride), -(-inner.width_px // stride))
    top, left = inner.y_px - grid.y_px, inner.x_px - grid.x_px
    return Spot(
        skin=skin[top : top + inner.height_px, left : left + inner.width_px],
        grid=inner,
        goal=local,
        alpha=np.clip(1.27 * _full(alpha, inner) - 0.02, 0.0, 1.0),
        inside=_full(inside, inner) * np.float32(min(1.0, aperture / 0.02)),
        stride=stride,
        ring=masks.ring(local[list(OUTER)] / np.float32(stride), looked_at),
    )


def borrow(spot: Spot, aim: Aim, anchors: Floats, mesh: Mesh) -> Floats:
    """(h, w, 3) float32, the mouth fitted onto the goal, in the light of this frame.

    Two keys share light and tint of the lips, see ``_fade``; the inside is the first one's alone,
    for mixed teeth are double.

    Args:
        spot: from ``find_spot``.
        aim: whose keys are borrowed.
        anchors: (R, 2) from ``mesh.anchor_points``.
        mesh: the triangles.
    """
    gape = _gape(aim)
    fitted = _fit(spot, aim, gape, anchors, mesh)
    layers = [
        _dim(_recolour(_match_blur(layer, spot, aim.usual_detail), spot), spot, aim, key)
        for layer, (key, _) in zip(fitted, aim.keys, strict=True)
    ]
    layer = _fill(layers[0], spot, aim, gape)
    if len(layers) > 1:
        layer = _fade(layer, layers[1], np.float32(aim.keys[1][1]) * (1.0 - spot.inside))
    return _seal(layer, spot, aim)


def _fade(layer: Floats, other: Floats, share: Floats) -> Floats:
    """The layer with a share of the other's light and tint, and fine detail of its own alone.

    Args:
        layer: (h, w, 3) BGR.
        other: (h, w, 3) BGR.
        share: (h, w) in [0, 1], of the other.
    """
    mixed = np.asarray(cv2.GaussianBlur(other - layer, (5, 5), TEXTURE_PX), np.float32)
    mixed *= share[..., None]
    mixed += layer
    return mixed


def _fit(spot: Spot, aim: Aim, gape: meshes.Gape, anchors: Floats, mesh: Mesh) -> list[Pixels]:
    """Each key's pixels where the goal has them."""
    first = aim.keys[0][0]
    closed = aim.aperture <= CLOSED
    triangles = mesh.mouth if closed else np.concatenate([mesh.mouth, mesh.inside])
    target = meshes.with_teeth(aim.goal, anchors, gape.reach[0])
    ids = spread(meshes.triangle_ids(target, triangles, spot.grid), 2)
    sigma = 0.022 * aim.iod_px * min(1.0, aim.aperture / 0.05) / spot.grid.step
    fitted = []
    for key, _ in aim.keys:
        points = _lips_without_inside(key, aim.aperture)
        source = meshes.with_teeth(points, anchors, gape.reach[1] * (key.iod_px / first.iod_px))
        offset = meshes.offsets(ids, triangles, target, source, spot.grid)
        if closed and key.leak > TOUCH[0]:
            # A map of both lips in one would lead from one to the other by way of the teeth.
            sides = _carried_on(offset, ids <= mesh.n_upper)
            upper, lower = (_taken(key, side, spot.grid) for side in sides)
            above = _above(spot)
            fitted.append(np.asarray(cv2.blendLinear(upper, lower, above, 1.0 - above), np.uint8))
            continue
        if sigma > 0.4:
            offset = np.asarray(cv2.GaussianBlur(offset, (0, 0), sigma))
        fitted.append(_taken(key, offset, spot.grid))
    return fitted


def _taken(key: Key, offset: Floats, grid: Grid) -> Pixels:
    """(h, w, 3) a key's pixels, from as far off as (rows, columns, 2) offsets of a grid say."""
    x, y, _ = meshes.backward_map(offset, grid)
    pixels = cv2.remap(key.pixels, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(pixels, np.uint8)


def _carried_on(offset: Floats, is_upper: NDArray[np.bool_]) -> list[Floats]:
    """Two offsets: the upper part's carried on into the lower one by two cells, and vice versa."""
    sides = []
    for down, known in ((slice(None), is_upper), (slice(None, None, -1), ~is_upper)):
        side, reached = offset.copy(), known.copy()
        way, seen = side[down], reached[down]  # views: the lower lip's are gone through upwards
        for _ in range(2):
            next_one = seen[:-1] & ~seen[1:]
            way[1:][next_one] = way[:-1][next_one]
            seen[1:] |= next_one
        sides.append(side)
    return sides


def _above(spot: Spot) -> Floats:
    """(h, w) 1 above the line where closed lips meet, and above its way on to the sides."""
    line = (spot.goal[list(UPPER_INNER)] + spot.goal[list(LOWER_INNER)]) / 2
    far = np.float32(4.0) * (line[-1] - line[0])
    up = np.array([far[1], -far[0]])
    left, right = line[0] - far, line[-1] + far
    outline = np.stack([left + up, left, *line, right, right + up])
    return masks.polygon(outline, spot.alpha.shape, SEAM_PX)


def _gape(aim: Aim) -> meshes.Gape:
    key = aim.keys[0][0]
    return meshes.Gape(aim.goal, key.points, aim.iod_px, key.iod_px, key.teeth, key.lower_teeth)


def _lips_without_inside(key: Key, aperture: float) -> Floats:
    """The key's points as lips this little open want them, see ``lipline.shut``."""
    closing = 1.0 - min(1.0, aperture / 0.045)
    if closing <= 0.0:
        return key.points
    points = key.points.copy()
    points[list(LIPS)] += np.float32(closing) * (key.shut - points[list(LIPS)])
    return points


def _recolour(layer: Pixels, spot: Spot) -> Floats:
    """The layer in this frame's light."""
    return relit(layer, spot.skin, spot.ring, spot.stride, spot.inside)


def _dim(layer: Floats, spot: Spot, aim: Aim, key: Key) -> Floats:
    """The layer, darker between lips that are nearer to each other than in the key.

    What light is left has come through flesh: bright teeth turn brown there, not grey.
    """
    lost = 1.0 - mouth.light(aim.aperture) / mouth.light(key.aperture)
    if lost < LEAST_LOSS or not spot.inside.any():
        return layer
    edge = 2 * int(EDGE * aim.iod_px) + 1  # teeth reach a little over the line between the points
    within = np.asarray(cv2.dilate(spot.inside, np.ones((edge, edge), np.uint8)), np.float32)
    box = masks.box(within)
    layer[box] *= 1.0 + within[box][..., None] * ((1.0 - lost) ** WARMTH - 1.0)
    return layer


def _match_blur(layer: Pixels, spot: Spot, usual_detail: float) -> Pixels:
    """The layer, blurred where this frame is: a head in quick motion has no sharp mouth."""
    if usual_detail < LEAST_DETAIL:
        return layer
    ratio = (masks.detail(spot.skin, spot.ring, spot.stride) + 0.5) / (usual_detail + 0.5)
    if ratio > SOFTER:
        return layer
    sigma = min(MAX_BLUR_PX, 0.7 * float(np.sqrt(ratio**-0.8 - 1.0)))
    return np.asarray(cv2.GaussianBlur(layer, (0, 0), sigma), np.uint8)


def _fill(layer: Floats, spot: Spot, aim: Aim, gape: meshes.Gape) -> Floats:
    """The layer with its inside painted, where there is none to borrow or not enough of it."""
    if aim.aperture <= CLOSED / 2:
        return layer
    share = spot.inside * np.float32(aim.painted)
    first = aim.keys[0][0]
    dark = not first.teeth.any() and first.flesh < INSIDE_SHOWN[1]  # stretching does not harm it
    if aim.painted < 1.0 and aim.aperture > CLOSED and not dark:
        between, stretch = meshes.behind_teeth(gape)
        lacking = meshes.smoothstep((stretch - STRETCH[0]) / (STRETCH[1] - STRETCH[0]))
        wider = aim.aperture - first.aperture
        lacking = lacking * meshes.smoothstep((wider - WIDER[0]) / (WIDER[1] - WIDER[0]))
        if lacking > 0.02:
            corner = np.array([spot.grid.x_px, spot.grid.y_px], np.float32)
            zone = masks.polygon(between - corner, spot.alpha.shape, 0.025 * aim.iod_px)
            zone *= spot.inside
            share = np.maximum(share, zone * lacking * _gapes(layer, zone, spot, first.aperture))
    if not share.any():
        return layer
    return _paint(layer, spot, aim, share)


def _gapes(layer: Floats, zone: Floats, spot: Spot, own: float) -> Floats:
    """How surely a zone of the layer shows the dark, or lips that own it closed, 0..1."""
    box, around = masks.box(zone), spot.around(spot.skin)
    weight = zone[box][..., None]
    seen = float((layer[box] * weight).sum() / (3.0 * weight.sum() + 1e-6))
    light = float(around.mean()) if len(around) else 255.0
    touching = 1.0 - meshes.smoothstep((own - PARTED[0]) / (PARTED[1] - PARTED[0]))
    limit = GAPING[1] + FLESH_LIGHTER * touching
    return meshes.smoothstep((limit - seen / light) / (GAPING[1] - GAPING[0]))


def _paint(layer: Floats, spot: Spot, aim: Aim, share: Floats) -> Floats:
    """The layer with a painted inside, as much of it as share says."""
    shape = spot.alpha.shape
    around = spot.around(spot.skin)
    skin_colour = _lit(around) if len(around) else spot.skin.mean(axis=(0, 1))
    lips = masks.polygon(spot.goal[list(OUTER)], shape) - masks.polygon(
        spot.goal[list(INNER)], shape
    )
    own = layer[lips > 0.9]
    lip_colour = own.mean(axis=0) if len(own) > 20 else skin_colour
    box = masks.box(share)
    shift = np.array([box[1].start, box[0].start], np.float32)
    corner = np.array([spot.grid.x_px, spot.grid.y_px], np.float32) + shift
    inner = mouth.paint_inside(
        mouth.Opening(spot.goal - shift, aim.rest - corner, aim.axes, aim.aperture),
        share[box].shape,
        mouth.Palette(lip_colour, skin_colour, _darkest(layer, spot)),
        teeth=aim.painted > 0.5,
    )
    painted = layer.copy()
    painted[box] += (inner - layer[box]) * share[box][..., None]
    return painted


def _lit(around: Floats) -> Floats:
    """(3,) BGR of the brightest quarter of (n, 3) colours: skin, where a beard hides the rest."""
    grey = around.mean(axis=1)
    return np.asarray(around[grey >= np.quantile(grey, 0.75)].mean(axis=0), np.float32)


def _darkest(layer: Floats, spot: Spot) -> Floats:
    """(3,) BGR of the darkest fifth of the borrowed inside, black where there is none."""
    inside = layer[spot.inside > 0.7]
    if len(inside) < 10:
        return np.zeros(3, np.float32)
    grey = inside.mean(axis=1)
    return np.asarray(inside[grey <= np.quantile(grey, 0.2)].mean(axis=0), np.float32)


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
    bold = min(1.0, mouth.LINE_IOD * aim.iod_px)  # a line of one pixel is thick in a small face
    shade = np.float32(bold * SHADE[0]) + need * np.float32(bold * (SHADE[1] - SHADE[0]))
    return np.asarray(layer * (1.0 - shade * line)[..., None], np.float32)


def _full(small: Floats, grid: Grid) -> Floats:
    size = (grid.width_px, grid.height_px)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.float32)
