import cv2
import numpy as np
import pytest
from drawn_talker import LIPS, SIZE, draw, pose, shapes

from heygemd.lips.warp import geometry, landmarks, lipline
from heygemd.lips.warp.landmarks import INNER, LOWER_INNER, OUTER, UPPER_INNER

UP, LOW = list(UPPER_INNER[1:-1]), list(LOWER_INNER[1:-1])
IOD_PX = 70.0


def face(aperture):
    return geometry.to_image(shapes([aperture]), pose(1, iod_px=IOD_PX))[0, :468, :2]


def with_line(points, shift_px):
    """The drawn face with closed lips and a dark line, so far below where landmarks have it."""
    whole = geometry.to_image(shapes([0.0]), pose(1, iod_px=IOD_PX))[0]
    picture = draw(whole)
    cv2.fillPoly(picture, [np.round(points[list(OUTER)]).astype(np.int32)], LIPS)
    line = points[[UPPER_INNER[0], *UP, UPPER_INNER[-1]]] + np.array([0, shift_px], np.float32)
    cv2.polylines(
        picture, [np.round(line * 16).astype(np.int32)], False, (20, 20, 40), 2, cv2.LINE_AA, 4
    )
    return picture


@pytest.mark.parametrize("shift_px", [-2.5, 0.0, 2.0])
def test_closed_lips_are_moved_onto_the_line_that_the_picture_shows(shift_px):
    points = face(0.0)

    moved = lipline.on_the_line(with_line(points, shift_px), points, IOD_PX)

    assert moved[UP, 1] - points[UP, 1] == pytest.approx(shift_px, abs=0.8)
    assert moved[LOW] - points[LOW] == pytest.approx(moved[UP] - points[UP])


def test_an_open_mouth_is_left_as_it_is():
    points = face(0.2)

    moved = lipline.on_the_line(with_line(points, 3.0), points, IOD_PX)

    np.testing.assert_array_equal(moved, points)


def test_corners_go_with_the_line_as_a_whole_and_the_outline_in_the_middle_stays():
    points = face(0.0)

    moved = lipline.on_the_line(with_line(points, 2.0), points, IOD_PX)

    went = moved - points
    assert set(np.flatnonzero(went.any(axis=1)).tolist()) <= set(landmarks.LIPS)
    rings = went[list(landmarks.LIPS)].reshape(4, 20, 2)
    np.testing.assert_array_equal(rings[0, [3, 4, 5, 6, 7, 13, 14, 15, 16, 17]], 0.0)
    for at in (19, 0, 1, 9, 10, 11):  # corners, and above and below them
        np.testing.assert_allclose(rings[:3, at], np.tile(rings[3, at], (3, 1)), atol=1e-4)
    assert went[78, 1] == pytest.approx(2.0, abs=0.8)


def test_a_line_away_from_the_inner_lips_does_not_cross_the_rings_of_points_around_them():
    points = face(0.0)

    moved = lipline.on_the_line(with_line(points, -2.5), points, IOD_PX)

    rings = moved[list(landmarks.LIPS)].reshape(4, 20, 2)[:, 11:, 1]
    assert (np.diff(rings, axis=0) > -0.1).all()


def test_a_picture_without_a_line_moves_nothing_far():
    points = face(0.0)
    flat = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)

    moved = lipline.on_the_line(flat, points, IOD_PX)

    assert np.abs(moved - points).max() < 0.01 * IOD_PX


def shut(picture, points, gap):
    """The inner ring of ``lipline.shut``."""
    return lipline.shut(picture, points, IOD_PX, gap).reshape(4, 20, 2)[3]


def test_lips_that_touch_are_joined_where_they_touch():
    points = face(0.05)
    rings = lipline.shut(with_line(points, 0.0), points, IOD_PX, 0.01)
    inner = rings.reshape(4, 20, 2)[3]

    np.testing.assert_allclose(inner[1:10], inner[:10:-1])
    np.testing.assert_allclose(inner[1:10], (points[UP] + points[LOW]) / 2)
    np.testing.assert_array_equal(rings[:60], points[list(landmarks.LIPS[:60])])


def test_lips_that_are_apart_are_taken_from_the_flesh_and_not_from_the_dark_at_the_corners():
    points = face(0.2)
    picture = draw(geometry.to_image(shapes([0.2]), pose(1, iod_px=IOD_PX))[0])
    corner = points[78] + np.array([-2.0, 0.0], np.float32)
    cv2.circle(picture, np.round(corner).astype(int).tolist(), 4, (10, 10, 20), -1)

    inner = shut(picture, points, 0.2)

    red = cv2.remap(picture[..., 2].copy(), *inner.T, cv2.INTER_LINEAR)
    assert red.min() > 100
    assert inner[0, 0] < corner[0] - 3.0
    assert (inner[:10:-1, 1] < points[UP, 1]).all()
    assert (inner[1:10, 1] > points[LOW, 1]).all()


def test_the_rings_of_lips_that_are_to_close_keep_their_order():
    points = face(0.2)
    picture = draw(geometry.to_image(shapes([0.2]), pose(1, iod_px=IOD_PX))[0])

    rings = lipline.shut(picture, points, IOD_PX, 0.2).reshape(4, 20, 2)

    middle = points[list(INNER)].mean(axis=0)
    away = np.linalg.norm(rings - middle, axis=2)
    assert (np.diff(away, axis=0) < 0.0).all()
