import cv2
import numpy as np
import pytest
from drawn_talker import pose, shapes

from heygemd.lips.warp import geometry, mouth
from heygemd.lips.warp.landmarks import GAPS, INNER

SHAPE = (560, 480)
LIP, SKIN = np.array([90.0, 90.0, 180.0], np.float32), np.array([140.0, 170.0, 215.0], np.float32)
UNSEEN = np.zeros(3, np.float32)


def opening(aperture, iod_px=90.0):
    faces = shapes([aperture, 0.0])
    place = pose(2, iod_px=iod_px, step_px=0.0)
    place.shift[:] += [60.0, 40.0, 0.0]
    points = geometry.to_image(faces, place)
    upper = [up for up, _ in GAPS]
    rest = points[1, upper, :2].mean(axis=0)
    return mouth.Opening(points[0, :468, :2], rest, np.eye(2, dtype=np.float32) * iod_px, aperture)


def gap_pixels(picture, hole):
    mask = np.zeros(SHAPE, np.uint8)
    cv2.fillPoly(mask, [np.round(hole.points[list(INNER)]).astype(np.int32)], 1)
    return picture[mask > 0]


def test_a_painted_inside_is_darker_than_the_skin_and_within_range():
    hole = opening(0.25)

    inside = gap_pixels(mouth.paint_inside(hole, SHAPE, mouth.Palette(LIP, SKIN, UNSEEN)), hole)

    assert inside.min() >= 0
    assert inside.max() <= 255
    assert inside.mean() < 0.7 * SKIN.mean()


def test_teeth_are_the_brightest_thing_inside():
    hole = opening(0.25)

    inside = gap_pixels(mouth.paint_inside(hole, SHAPE, mouth.Palette(LIP, SKIN, UNSEEN)), hole)

    assert inside.max() > 2.0 * np.median(inside)


def test_painted_upper_teeth_stand_still_while_the_jaw_opens():
    narrow, wide = opening(0.15), opening(0.30)
    column = round(float(narrow.rest[0]))
    edges = []
    for hole in (narrow, wide):
        line = mouth.paint_inside(hole, SHAPE, mouth.Palette(LIP, SKIN, UNSEEN))[:, column].mean(
            axis=1
        )
        top = int(hole.points[13, 1]) + 2
        edges.append(top + int(np.argmin(np.diff(line[top : top + 20]))))

    assert abs(edges[0] - edges[1]) <= 2


def test_a_dark_scene_has_a_dark_mouth():
    hole = opening(0.25)

    day = gap_pixels(mouth.paint_inside(hole, SHAPE, mouth.Palette(LIP, SKIN, UNSEEN)), hole)
    night = gap_pixels(
        mouth.paint_inside(hole, SHAPE, mouth.Palette(LIP * 0.2, SKIN * 0.2, UNSEEN)), hole
    )

    assert night.mean() < 0.45 * day.mean()


@pytest.mark.parametrize("iod_px", [25.0, 90.0, 200.0])
def test_the_contact_line_lies_where_the_lips_meet_and_nowhere_else(iod_px):
    closed = opening(0.0, iod_px)

    line = mouth.contact_line(closed.points, SHAPE, iod_px)
    rows = np.nonzero(line > 0.5)[0]

    assert line.max() <= 1.0
    assert abs(np.median(rows) - closed.points[13, 1]) <= max(2.0, 0.05 * iod_px)
    assert line[: int(closed.points[0, 1]) - 3].max() < 0.05


def test_the_dark_that_was_seen_colours_the_dark_that_is_painted():
    hole = opening(0.25)
    red = np.array([10.0, 10.0, 60.0], np.float32)

    inside = gap_pixels(
        mouth.paint_inside(hole, SHAPE, mouth.Palette(LIP, SKIN, red), teeth=False), hole
    )

    assert (np.median(inside[:, 2]) / np.median(inside[:, 0])) > 3.0


def test_lips_that_show_where_the_inside_should_be_do_not_colour_the_dark():
    hole = opening(0.25)

    from_flesh = gap_pixels(
        mouth.paint_inside(hole, SHAPE, mouth.Palette(LIP, SKIN, 0.9 * LIP), teeth=False), hole
    )
    from_nothing = gap_pixels(
        mouth.paint_inside(hole, SHAPE, mouth.Palette(LIP, SKIN, 0 * LIP), teeth=False), hole
    )

    np.testing.assert_array_equal(from_flesh, from_nothing)


def test_painted_teeth_have_the_colour_of_the_light_and_less_of_it_than_skin():
    warm = np.array([50.0, 120.0, 200.0], np.float32)

    white, yellow = (mouth.tooth_colour(skin) for skin in (SKIN, warm))

    assert yellow[0] / yellow[2] < white[0] / white[2] < 1.0
    assert yellow[0] / yellow[2] > warm[0] / warm[2]


def test_teeth_behind_lips_hardly_open_lie_in_the_dark():
    brightest = [
        gap_pixels(mouth.paint_inside(hole, SHAPE, mouth.Palette(LIP, SKIN, UNSEEN)), hole).max()
        for hole in (opening(0.06), opening(0.2))
    ]

    assert brightest[0] < 0.9 * brightest[1]


def test_the_wider_a_mouth_the_more_light_reaches_its_inside_up_to_all_of_it():
    reached = [mouth.light(aperture) for aperture in (0.0, 0.03, 0.06, 0.1, 0.2, 0.5)]

    assert reached == sorted(reached)
    assert reached[0] == mouth.NARROW_LIGHT
    assert reached[-1] == 1.0
