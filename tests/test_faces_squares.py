"""Squares around a face, as SyncNet was trained on."""

import numpy as np
import pytest

from heygemd.faces.squares import cut_squares, square_views

BOX = np.float32([100, 80, 180, 200])  # 80 by 120 px: half of the longer side is 60


def test_the_square_begins_at_the_boxs_top_and_reaches_far_below_it():
    view = square_views(np.tile(BOX, (20, 1)))[10]
    edge_px = 2 * 60 * 1.4
    assert view[0, 0] == view[1, 1] == pytest.approx(edge_px / 224)
    first, last = view @ [-0.5, -0.5, 1], view @ [223.5, 223.5, 1]
    assert first + 0.5 == pytest.approx([140 - 60 * 1.4, 140 - 60])
    assert last - first == pytest.approx([edge_px, edge_px])


def test_a_box_that_jumps_for_some_frames_does_not_move_the_square():
    boxes = np.tile(BOX, (40, 1))
    boxes[20:25] += 30
    assert np.array_equal(square_views(boxes)[22], square_views(boxes)[0])


def test_frames_without_a_face_have_no_square_and_are_black():
    boxes = np.tile(BOX, (3, 1))
    boxes[1] = np.nan
    views = square_views(boxes)
    frames = np.full((3, 300, 300, 3), 90, np.uint8)
    crops = cut_squares(frames, views)
    assert np.isnan(views[1]).all()
    assert not crops[1].any()
    assert (crops[[0, 2]] == 90).all()


def test_a_clip_without_any_face_has_no_squares():
    assert np.isnan(square_views(np.full((4, 4), np.nan, np.float32))).all()
