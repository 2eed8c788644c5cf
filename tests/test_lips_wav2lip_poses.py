"""Poses: the box stands to an upright face as it was given, however the head leans."""

from fractions import Fraction

import numpy as np
import pytest

from heygemd.lips.wav2lip.poses import Pose, place, steady
from heygemd.records import N_POINTS, FaceTrack

FPS = Fraction(25)
EYES = {33: (-40, -20), 133: (-15, -20), 362: (15, -20), 263: (40, -20)}


def mesh(centre=(200.0, 150.0), angle_deg=0.0):
    """(478, 3) an oval face of 120 by 160 px with its eyes, turned clockwise to the eye."""
    around = np.linspace(0, 2 * np.pi, N_POINTS)
    points = np.column_stack((60 * np.cos(around), 80 * np.sin(around)))
    for index, eye in EYES.items():
        points[index] = eye
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    turned = points @ np.array([[cos, sin], [-sin, cos]]) + centre
    return np.column_stack((turned, np.zeros(N_POINTS))).astype(np.float32)


def tight(points):
    return np.concatenate((points[:, :2].min(0), points[:, :2].max(0)))


def track_of(boxes, points=None, cuts=()):
    boxes = np.array(boxes, dtype=np.float32)
    return FaceTrack(boxes, points, np.isfinite(boxes[:, 0]), cuts)


def test_without_points_the_pose_is_the_box_with_room_under_the_chin():
    (pose,) = place(track_of([[100, 50, 200, 150]]), FPS)

    assert pose.angle_rad == 0
    assert pose.size_px == pytest.approx((100, 108))
    assert pose.centre_px == pytest.approx((150, 104))


@pytest.mark.parametrize("angle_deg", [-30, -5, 0, 12, 45])
def test_a_leaning_head_has_the_pose_of_an_upright_one_and_its_angle(angle_deg):
    points = mesh(angle_deg=angle_deg)
    (pose,) = place(track_of([tight(points)], points[None]), FPS)

    assert np.degrees(pose.angle_rad) == pytest.approx(angle_deg, abs=0.01)
    assert pose.size_px == pytest.approx((120, 160 * 1.08), abs=0.2)


@pytest.mark.parametrize("angle_deg", [-30, 0, 45])
def test_the_crop_of_a_leaning_head_is_that_of_an_upright_one(angle_deg):
    points = mesh(angle_deg=angle_deg)
    (pose,) = place(track_of([tight(points)], points[None]), FPS)
    to_crop = pose.to_crop()
    in_crop = (points[:, :2] - 0.5) @ to_crop[:, :2].T + to_crop[:, 2]

    eyes = in_crop[list(EYES)]
    assert np.ptp(eyes[:, 1]) < 0.01
    assert (np.diff(eyes[:, 0]) > 0).all()
    assert in_crop[:, 0].min() == pytest.approx(-0.5, abs=0.1)
    assert in_crop[:, 0].max() == pytest.approx(95.5, abs=0.1)
    assert in_crop[:, 1].min() == pytest.approx(-0.5, abs=0.1)
    assert in_crop[:, 1].max() == pytest.approx(95.5 - 96 * 0.08 / 1.08, abs=0.1)


def test_the_margins_of_the_detectors_box_are_kept():
    points = mesh()
    left, top, right, bottom = tight(points)
    (pose,) = place(track_of([[left - 6, top + 10, right + 6, bottom]], points[None]), FPS)

    assert pose.size_px == pytest.approx((132, 150 * 1.08), abs=0.1)


def test_corners_of_the_box_are_corners_of_the_crop():
    to_crop = Pose((150.0, 104.0), (100.0, 108.0), 0.0).to_crop(50, 54)

    np.testing.assert_allclose(to_crop @ [99.5, 49.5, 1], [-0.5, -0.5], atol=1e-9)
    np.testing.assert_allclose(to_crop @ [199.5, 157.5, 1], [49.5, 53.5], atol=1e-9)


def test_frames_without_a_face_have_no_pose():
    boxes = [[100, 50, 200, 150]] * 4
    boxes[2] = [np.nan] * 4
    poses = place(track_of(boxes), FPS)

    assert [pose is None for pose in poses] == [False, False, True, False]


def test_a_face_with_a_box_and_without_points_is_still_placed():
    points = np.stack([mesh(), mesh()])
    points[1] = np.nan
    poses = place(track_of([tight(mesh())] * 2, points), FPS)

    assert poses[0].points is not None
    assert poses[1].points is None
    assert poses[1].size_px[0] == pytest.approx(120, abs=0.1)


@pytest.mark.parametrize("cuts", [(10,), ()])
def test_smoothing_never_crosses_a_cut(cuts):
    boxes = [[0, 0, 50, 50]] * 10 + [[300, 100, 450, 250]] * 10
    poses = place(track_of(boxes, cuts=cuts), FPS)
    met = [pose.centre_px[0] for pose in poses] == pytest.approx([25] * 10 + [375] * 10)

    assert met == bool(cuts)


def test_smoothing_never_crosses_a_gap():
    boxes = [[0, 0, 50, 50]] * 5 + [[np.nan] * 4] + [[300, 100, 450, 250]] * 5
    poses = place(track_of(boxes), FPS)

    assert poses[4].centre_px[0] == pytest.approx(25)
    assert poses[6].centre_px[0] == pytest.approx(375)


def test_a_trembling_box_is_calmed():
    tremble = np.random.default_rng(0).normal(0, 2, (100, 4))
    poses = place(track_of(np.array([100, 50, 200, 150]) + tremble), FPS)
    centres = np.array([pose.centre_px for pose in poses])
    widths = np.array([pose.size_px[0] for pose in poses])

    assert np.diff(centres, axis=0).std() < 0.35 * np.diff(tremble[:, :2], axis=0).std()
    assert np.diff(widths).std() < 0.05 * np.diff(tremble[:, 2] - tremble[:, 0]).std()


def test_a_walk_is_followed_without_lag():
    boxes = np.array([100, 50, 200, 150]) + 4 * np.arange(30)[:, None]
    poses = place(track_of(boxes), FPS)

    assert [pose.centre_px[0] for pose in poses] == pytest.approx(
        [150 + 4 * i for i in range(30)], abs=0.01
    )


@pytest.mark.parametrize("n", [1, 2, 3, 50])
@pytest.mark.parametrize("radius", [0, 1, 3, 12])
def test_steadying_keeps_a_straight_line(n, radius):
    line = 3.0 * np.arange(n) - 7

    np.testing.assert_allclose(steady(line, radius), line, atol=1e-9)


def test_a_head_that_turns_through_the_half_circle_does_not_spin_back():
    angles = [170, 175, 180, 185, 190]
    points = np.stack([mesh(angle_deg=angle) for angle in angles])
    poses = place(track_of([tight(one) for one in points], points), FPS)

    assert np.degrees([pose.angle_rad for pose in poses]) == pytest.approx(angles, abs=0.5)
