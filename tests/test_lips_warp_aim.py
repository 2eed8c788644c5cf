from dataclasses import replace

import numpy as np
import pytest
from drawn_talker import BASIS, talker, voice_of

from heygemd.lips.warp import mesh
from heygemd.lips.warp.aim import take_aim
from heygemd.lips.warp.landmarks import CHIN, LOWER_INNER, UPPER_INNER
from heygemd.lips.warp.study import study

MESH = mesh.build_mesh(BASIS)
N = 12
UPPER_LIP, ITS_EDGE = 0, 13


@pytest.fixture(scope="module")
def plan():
    clip, track = talker([0.0, 0.15] * (N // 2), step_px=0.0)
    return study(clip, track, voice_of([0.1] * N), BASIS, MESH)


def moved(plan, landmark):
    """(N,) px by which a landmark is moved down in each frame."""
    aims = take_aim(plan, range(N), BASIS, MESH)
    return np.array([(aim.goal - aim.points)[landmark, 1] for aim in aims])


def lowered(plan, landmark, by_px):
    """The same plan, a landmark seen lower by so much in each frame."""
    points = plan.points.copy()
    points[:, landmark, 1] += by_px
    return replace(plan, points=points)


@pytest.mark.parametrize(("landmark", "follows"), [(CHIN, 0.0), (UPPER_LIP, 1.0), (ITS_EDGE, 1.0)])
def test_skin_trembles_with_the_points_of_lips_but_not_with_those_of_the_jaw(
    plan, landmark, follows
):
    tremble = np.resize([0.4, -0.4], N).astype(np.float32)

    change = moved(lowered(plan, landmark, tremble), landmark) - moved(plan, landmark)

    np.testing.assert_allclose(change[2:-2], -follows * tremble[2:-2], atol=0.05)


def test_lips_that_close_meet_whatever_those_of_the_frame_do():
    clip, track = talker([0.0, 0.15] * (N // 2), step_px=0.0)
    silent = study(clip, track, voice_of([0.0] * N), BASIS, MESH)

    goals = np.stack([aim.goal for aim in take_aim(silent, range(N), BASIS, MESH)])

    gap = goals[:, LOWER_INNER, 1] - goals[:, UPPER_INNER, 1]
    np.testing.assert_allclose(gap[2:-2], 0.0, atol=0.1)


def test_a_jaw_is_not_calmed_by_what_another_shot_shows(plan):
    jump = np.where(np.arange(N) < N // 2, 0.0, 8.0).astype(np.float32)

    two_shots = replace(plan, cuts=(N // 2,))
    change = moved(lowered(two_shots, CHIN, jump), CHIN) - moved(two_shots, CHIN)

    np.testing.assert_allclose(change, -jump, atol=0.05)


def test_frames_without_a_face_leave_their_neighbours_as_they_are(plan):
    points = plan.points.copy()
    points[5] = np.nan
    pose = plan.pose
    scale, rotation, shift = pose.scale.copy(), pose.rotation.copy(), pose.shift.copy()
    scale[5], rotation[5], shift[5] = np.nan, np.nan, np.nan
    gone = np.where(np.arange(N) == 5, 0.0, 1.0).astype(np.float32)
    lost = replace(
        plan, points=points, pose=type(pose)(scale, rotation, shift), share=plan.share * gone
    )

    aims = take_aim(lost, range(N), BASIS, MESH)

    assert aims[5] is None
    assert all(np.isfinite(aim.goal).all() for aim in aims if aim is not None)
