"""What one output frame should look like; made by the model, drawn by the renderer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from heygemd.lips.warp import geometry, retarget
from heygemd.lips.warp.geometry import Basis, Floats
from heygemd.lips.warp.keys import Key
from heygemd.lips.warp.landmarks import GAPS
from heygemd.lips.warp.mesh import N_FACE, Mesh, smoothstep
from heygemd.lips.warp.study import Plan

LEAST = 0.02  # less of an effect than this is none


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
    points = plan.points[source]
    moved, aperture = retarget.aim(
        plan.coefs[out], geometry.to_canonical(points, pose), plan.person, basis, plan.share[out]
    )
    turned = np.einsum("tij,tpj->tpi", pose.rotation[:, :2], moved * mesh.freedom)
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
