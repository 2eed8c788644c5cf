"""One frame's patch: the jaw moved where it should be, a mouth laid over it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from heygemd.lips.warp import mesh as meshes
from heygemd.lips.warp import overlay
from heygemd.lips.warp.aim import Aim
from heygemd.lips.warp.geometry import Floats
from heygemd.lips.warp.keys import Pixels
from heygemd.lips.warp.light import lay
from heygemd.lips.warp.mesh import Grid, Mesh
from heygemd.lips.warp.triangles import Triangles
from heygemd.opencv import cv2
from heygemd.planes import Picture, cut_around
from heygemd.records import Patch

SKIN_CELLS = 40  # per IOD; the map of jaw and cheeks is smooth
STILL_PX = (0.05, 0.45)  # points that would move less stay, so that fewer pixels are touched


def draw(frame: Picture, aim: Aim, mesh: Mesh) -> Patch | None:
    """The pixels that change in one frame; None when none do.

    Args:
        frame: what is to change.
        aim: what it should look like.
        mesh: from ``mesh.build_mesh``.
    """
    anchors = meshes.anchor_points(aim.points, mesh)
    source = np.concatenate([aim.points, anchors])
    target = np.concatenate([_settle(aim.points, aim.goal), anchors])
    moving = (source != target).any(axis=1)
    whole = mesh.skin if aim.share < 1.0 else mesh.bare
    triangles = whole[moving[whole].any(axis=1)]
    reaching = np.zeros(len(target), np.bool_)
    reaching[triangles] = True
    reach = np.concatenate([target[reaching], overlay.extent(aim.goal, aim.iod_px)])
    cell_px = aim.iod_px / SKIN_CELLS
    grid = meshes.around(reach, frame.shape, cell_px, pad_px=2 + int(2 * cell_px))
    if grid is None:
        return None
    skin, alpha = _move_skin(frame, source, target, triangles, grid, aim.iod_px)
    spot = overlay.find_spot(skin, aim.goal, grid, aim.iod_px, aim.aperture)
    if spot is not None:
        rows, columns = spot.within(grid)
        layer = overlay.borrow(spot, aim, anchors, mesh)
        lay(skin[rows, columns], alpha[rows, columns], layer, spot.alpha, aim.share)
    return Patch(grid.x_px, grid.y_px, skin, alpha, aim.done)


def _settle(points: Floats, goal: Floats) -> Floats:
    """The goal, drawn back to the frame's own points where the difference cannot be seen."""
    moved = goal - points
    least, enough = STILL_PX
    far = np.hypot(moved[:, :1], moved[:, 1:])
    share = meshes.smoothstep((far - least) / (enough - least))
    return np.asarray(points + moved * share, np.float32)


def _move_skin(  # noqa: PLR0913, PLR0917 - a mesh in two places, in one picture
    frame: Picture,
    source: Floats,
    target: Floats,
    triangles: Triangles,
    grid: Grid,
    iod_px: float,
) -> tuple[Pixels, Floats]:
    """The frame's own lower face with the jaw where it should be, and where that changed it."""
    ids = meshes.triangle_ids(target, triangles, grid)
    offset = meshes.offsets(ids, triangles, target, source, grid)
    offset = np.asarray(cv2.GaussianBlur(offset, (0, 0), 0.02 * iod_px / grid.step))
    last = np.array([grid.width_px, grid.height_px], np.float32)
    limits = [cv2.minMaxLoc(along)[:2] for along in cv2.split(offset)]
    reach = np.array(limits, np.float32).T + np.stack([np.zeros_like(last), last])
    near, (left, top) = cut_around(frame, reach + np.array([grid.x_px, grid.y_px]), 3)
    here = replace(grid, x_px=grid.x_px - int(left), y_px=grid.y_px - int(top))
    map_x, map_y, far = meshes.backward_map(offset, here)
    moved = cv2.remap(near, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    far -= np.float32(0.01)
    far *= np.float32(8.0)
    return np.asarray(moved, np.uint8), far.clip(0.0, 1.0, out=far)
