"""What one output frame should look like; made by the model, drawn by the renderer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heygemd.lips.warp import geometry, retarget
from heygemd.lips.warp.geometry import Basis, Floats
from heygemd.lips.warp.keys import Key
from heygemd.lips.warp.landmarks import GAPS
from heygemd.lips.warp.mesh import N_FACE, Mesh, smoothstep
from heygemd.lips.warp.study import Plan

LEAST = 0.02  # less of an effect than this is none
# Weights of the frames before and after, sigma 1 frame: points of jaw and cheeks tremble, and skin
# that is moved from there trembles with them. Held still it changed 1.05 times as much as filmed
# skin on ten clips, with this 1.02 times; what a jaw does within three frames is kept.
CALM = np.array([1, 4, 6, 4, 1], np.float32) / 16


@dataclass(frozen=True, slots=True)
class Aim:
    """What one frame should look like.

    Attributes:
        points: (468, 2) px, the frame's own face.
        goal: (468, 2) px, the face as it should be.
        rest: (2,) px, middle of the upper lip's edge at rest, fixed to the head.
        axes: (2, 2) px per IOD: columns are the head's right and down in the picture.
        iod_px: scale of the face.
        aperture: aimed at, IOD of a mouth of scale 1.
        share: 0..1, how much the borrowed mouth counts.
        done: 0..1, how much of what the voice asks is done.
        painted: 0..1, how much of the inside is painted instead of borrowed.
        usual_detail: what the skin around the mouth shows in most frames of the clip.
        keys: mouths to borrow with their shares, largest share first, one or two.
    """

    points: Floats
    goal: Floats
    rest: Floats
    axes: Floats
    iod_px: float
    aperture: float
    share: float
    done: float
    painted: float
    usual_detail: float
    keys: tuple[tuple[Key, float], ...]


def hold_back(aim: Aim, share: float) -> Aim | None:
    """The same aim done in part, for a mouth that is partly hidden; None when nothing is left.

    Args:
        aim: to be done in full.
        share: 0..1.
    """
    if share >= 1.0:
        return aim
    if share < LEAST:
        return None
    goal = aim.points + (aim.goal - aim.points) * np.float32(share)
    return replace(aim, goal=goal, share=aim.share * share, done=aim.done * share)


def take_aim(plan: Plan, span: range, basis: Basis, mesh: Mesh) -> list[Aim | None]:
    """One aim per output frame of a span; None for frames that pass through.

    Args:
        plan: from ``study.study``.
        span: consecutive output frames.
        basis: of the plan's coefs.
        mesh: says how freely each point moves.
    """
    out = np.arange(span.start, span.stop)
    out = out[plan.share[out] > 0.0]
    source = plan.source[out]
    pose = plan.pose[source]
    points, shapes = _own_faces(plan, source, mesh)
    said = retarget.spoken(plan.coefs[out], plan.slow[out], plan.person, basis)
    moved, aperture = retarget.aim(said, shapes, plan.person, basis, plan.share[out])
    turned = (moved * mesh.freedom) @ pose.rotation[:, :2].swapaxes(1, 2)
    own = points[:, :N_FACE, :2]
    goals = own + turned * pose.scale[:, None, None]
    upper_lip = plan.person.rest[[pair[0] for pair in GAPS]].mean(axis=0)
    rests = geometry.to_image(np.tile(upper_lip, (len(out), 1, 1)), pose)[:, 0, :2]
    axes = pose.rotation[:, :2, :2] * pose.scale[:, None, None]
    aims: dict[int, Aim] = {}
    for row, number in enumerate(out.tolist()):
        lent = zip(plan.choice[number].tolist(), plan.mix[number].tolist(), strict=True)
        aims[number] = Aim(
            points=own[row],
            goal=goals[row].astype(np.float32),
            rest=rests[row],
            axes=axes[row].astype(np.float32),
            iod_px=float(pose.scale[row]),
            aperture=float(aperture[row]),
            share=float(smoothstep(2.0 * plan.share[number])),
            done=float(plan.share[number]),
            painted=float(plan.painted[number]),
            usual_detail=plan.usual_detail,
            keys=tuple((plan.keys[key], mix) for key, mix in lent if mix > 0.0),
        )
    return [aims.get(number) for number in span]


def _own_faces(plan: Plan, source: NDArray[np.int64], mesh: Mesh) -> tuple[Floats, Floats]:
    """(N, 478, 3) px of N source frames, and their shapes, jaw and cheeks calmed by neighbours'.

    Args:
        plan: from ``study.study``.
        source: (N,) frames with a face.
        mesh: says how far each point is calmed.
    """
    reach = len(CALM) // 2
    near = (source[:, None] + np.arange(-reach, reach + 1)).clip(0, len(plan.points) - 1)
    rows, place = np.unique(near, return_inverse=True)
    place = place.reshape(near.shape)  # NumPy 2.0 alone gives it flat
    points = plan.points[rows]
    shapes = geometry.to_canonical(points, plan.pose[rows])
    shot = np.searchsorted(np.array(plan.cuts), rows, side="right")
    own = place[:, reach]
    belongs = np.isfinite(shapes[:, 0, 0])[place] & (shot[place] == shot[own, None])
    weights = CALM * belongs
    weights /= weights.sum(axis=1, keepdims=True)
    calmed = np.flatnonzero(mesh.calm)
    # One after another: a product of matrices is rounded otherwise with other frames about it.
    seen = np.nan_to_num(shapes[:, calmed])
    mean = np.zeros((len(source), len(calmed), 3), np.float32)
    for at in range(len(CALM)):
        mean += weights[:, at, None, None] * seen[place[:, at]]
    found = shapes[own]
    found[:, calmed] += mesh.calm[calmed] * (mean - found[:, calmed])
    return points[own], found
