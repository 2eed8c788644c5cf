"""Mouths set aside while a clip is searched for faces, so that its study decodes nothing."""

from __future__ import annotations

import numpy as np

from heygemd.lips.warp import geometry, keys, retarget, retrieve
from heygemd.lips.warp.geometry import Basis, Floats
from heygemd.lips.warp.landmarks import EYES, STEADY
from heygemd.lips.warp.mesh import Mesh
from heygemd.planes import Excerpt, Still, apart, excerpt
from heygemd.records import Points

SLACK = 0.06  # IOD around what a key is cut to: points are smoothed before that
WORTHY = 0.5  # a mouth that is moved less than this is not lent
_SELECT_EVERY = 64  # frames


class Gallery:
    """See ``Collector``: mouths as unlike each other as can be, as many as keys are affordable.

    Args:
        basis: by which mouths are told apart.
        mesh: whose mouth triangles are kept, and the skin above.
    """

    def __init__(self, basis: Basis, mesh: Mesh) -> None:
        self._basis = basis
        self._corners = np.union1d(mesh.mouth, STEADY)  # by these, light is told
        self._kept: dict[int, Excerpt] = {}
        self._mouths: dict[int, Floats] = {}
        self._new: dict[int, Points] = {}

    def see(self, at: int, frame: Still, points: Points) -> None:
        """See ``Collector.see``."""
        eyes = [points[list(corners), :2].mean(axis=0) for corners in EYES]
        iod_px = float(np.linalg.norm(eyes[1] - eyes[0]))
        pad_px = 6 + int((keys.MARGIN + SLACK) * iod_px)
        self._kept[at] = excerpt(frame, points[self._corners, :2], pad_px)
        self._new[at] = points.copy()
        if len(self._new) == _SELECT_EVERY:
            self._select()

    def excerpts(self) -> dict[int, Excerpt]:
        """See ``Collector.excerpts``."""
        self._select()
        return self._kept

    def _select(self) -> None:
        """Keep what is unlike the rest, of the new and of what was kept before."""
        if not self._new:
            return
        points = np.stack(list(self._new.values()))
        pose = geometry.fit_pose(points, self._basis.template, sigma=0.0)
        everywhere = np.arange(len(points))
        moved = retarget.strength(pose, np.ones(len(points), np.bool_), everywhere)
        shapes = geometry.to_canonical(points, pose)
        mouths = retrieve.visible(
            geometry.coefs(shapes, self._basis.template, self._basis), self._basis
        )
        for row, at in enumerate(self._new):
            if moved[row] > WORTHY:
                self._mouths[at] = mouths[row]
        new = set(self._new)
        self._new.clear()
        numbers = np.array(list(self._mouths), np.int64)
        if len(numbers):
            n_wanted = keys.affordable(float(np.median(pose.scale)))
            rows = np.stack(list(self._mouths.values()))
            numbers = numbers[retrieve.farthest(rows, n_wanted)]
        self._mouths = {at: self._mouths[at] for at in numbers.tolist()}
        self._kept = {
            at: apart(self._kept[at]) if at in new else self._kept[at] for at in numbers.tolist()
        }
