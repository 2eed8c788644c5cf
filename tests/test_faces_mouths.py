"""Crops that follow the head and not the lips."""

import numpy as np
import pytest

from heygemd.faces.mouths import HEIGHT_PX, WIDTH_PX, cut_mouths, mouth_views
from heygemd.records import N_POINTS

EYES = {33: (-50, -60), 133: (-20, -60), 362: (20, -60), 263: (50, -60)}
LIPS = {61: (-25, 20), 291: (25, 20), 0: (0, 12), 17: (0, 28), 37: (-8, 12), 267: (8, 12)}
LIPS |= {84: (-8, 28), 314: (8, 28)}
FACE = EYES | LIPS | {2: (0, 0)}  # px around the base of the nose


def face(centre=(160.0, 120.0), size=1.0, turn_deg=0.0, jaw_px=0.0):
    points = np.zeros((N_POINTS, 3), np.float32)
    angle = np.radians(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for point, place in FACE.items():
        offset = np.array(place, float)
        offset[1] += jaw_px if point in {17, 84, 314} else 0.0
        points[point, :2] = centre + size * turn @ offset
    return points


def at(view, x, y):
    return view @ np.array([x, y, 1.0])


def gradient(width=320, height=240):
    frame = np.zeros((height, width, 3), np.uint8)
    frame[:] = np.linspace(0, 255, width).astype(np.uint8)[None, :, None]
    return frame


def test_the_crop_spans_two_mouths_and_hangs_below_the_nose():
    view = mouth_views(np.stack([face()] * 30))[15]
    first, last = at(view, 0, 0), at(view, WIDTH_PX - 1, HEIGHT_PX - 1)

    assert last[0] - first[0] == pytest.approx(2.0 * 50 * 95 / 96, rel=0.01)
    assert (first + last)[0] / 2 == pytest.approx(160, abs=0.5)
    assert (first + last)[1] / 2 == pytest.approx(120 + 20 + 0.1 * 50, abs=1)


@pytest.mark.parametrize("turn_deg", [0.0, 20.0, -35.0])
def test_the_crop_turns_and_moves_and_grows_with_the_head(turn_deg):
    still = mouth_views(np.stack([face()] * 30))[15]
    centre = np.array([300.0, 90.0])

    moved = mouth_views(np.stack([face(centre, 2.5, turn_deg)] * 30))[15]

    angle = np.radians(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for corner in [(0, 0), (95, 0), (40, 63)]:
        expected = centre + 2.5 * turn @ (at(still, *corner) - [160.0, 120.0])
        assert np.allclose(at(moved, *corner), expected, atol=0.1)


def test_the_crop_stays_where_it_is_while_the_jaw_drops():
    talk = np.stack([face(jaw_px=12.0 * (frame % 5 == 0)) for frame in range(60)])

    views = mouth_views(talk)[13:-13]

    assert np.abs(views - views.mean(axis=0)).max() < 0.5


def test_frames_without_a_face_have_no_view_and_a_black_crop():
    points = np.stack([face()] * 5)
    points[2] = np.nan

    views = mouth_views(points)
    crops = cut_mouths(np.stack([gradient()] * 5) // 2 + 60, views)

    assert np.isnan(views[2]).all()
    assert np.isfinite(views[[0, 1, 3, 4]]).all()
    assert not crops[2].any()
    assert crops[[0, 1, 3, 4]].all()


def test_nobody_anywhere_is_no_error():
    views = mouth_views(np.full((3, N_POINTS, 3), np.nan, np.float32))

    assert np.isnan(views).all()


@pytest.mark.parametrize("size", [0.4, 1.0, 2.5])
def test_a_crop_shows_what_lies_at_its_view(size):
    view = mouth_views(np.stack([face(size=size)] * 30))[15]

    crop = cut_mouths(gradient()[None], view[None])[0]

    columns = np.clip([at(view, x, 32)[0] for x in range(WIDTH_PX)], 0, 319)
    assert np.abs(crop[32].astype(float) - columns / 319 * 255).max() < 6


def test_a_mouth_at_the_edge_of_the_picture_is_cut_all_the_same():
    views = mouth_views(np.stack([face(centre=(5.0, 236.0))] * 30))

    crop = cut_mouths(gradient()[None] // 2 + 60, views[:1])[0]

    assert crop.shape == (HEIGHT_PX, WIDTH_PX)
    assert crop.min() >= 60
