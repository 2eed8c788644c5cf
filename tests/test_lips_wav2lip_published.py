"""Compatibility mode against a slow, literal copy of what Wav2Lip's inference.py does to frames."""

import numpy as np
import pytest

from heygemd.lips.wav2lip import published
from heygemd.records import FaceTrack


def track_of(boxes, present=None, cuts=()):
    boxes = np.array(boxes, dtype=np.float32)
    if present is not None:
        boxes[~np.array(present, dtype=bool)] = np.nan
    return FaceTrack(boxes, None, np.isfinite(boxes[:, 0]), cuts)


def column(values):
    return np.repeat(np.array(values, dtype=np.int64)[:, None], 4, axis=1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([0, 10, 20, 30, 40, 50, 60, 70], [20, 30, 40, 50, 54, 56, 58, 57]),
        ([0, 10, 20], [15, 15, 17]),
        ([0, 10, 20, 30], [30, 30, 30, 30]),
        ([7], [7]),
        ([0, 10], [5, 7]),
        ([0, 10, 20, 30, 40], [20, 24, 26, 28, 27]),
    ],
)
def test_smoothing_keeps_the_published_quirks(before, after):
    assert published.smooth(column(before))[:, 0].tolist() == after


def literal_smooth(boxes, window_frames=5):
    boxes = boxes.copy()
    for i in range(len(boxes)):
        if i + window_frames > len(boxes):
            window = boxes[len(boxes) - window_frames :]
        else:
            window = boxes[i : i + window_frames]
        boxes[i] = np.mean(window, axis=0)
    return boxes


@pytest.mark.parametrize("n_boxes", range(1, 14))
def test_smoothing_is_that_of_the_published_loop(n_boxes):
    boxes = np.random.default_rng(n_boxes).integers(0, 1000, (n_boxes, 4))

    np.testing.assert_array_equal(published.smooth(boxes), literal_smooth(boxes))


def test_smoothing_leaves_its_input_alone():
    boxes = column([0, 10, 20])
    published.smooth(boxes)

    assert boxes[:, 0].tolist() == [0, 10, 20]


def test_boxes_are_cut_to_whole_pixels_padded_and_kept_in_the_frame():
    boxes = np.array(
        [[10.9, 20.9, 50.9, 60.9], [-5.5, -0.5, 400, 300], [3, 4, 5, 95.5]], dtype=np.float32
    )

    assert published.whole_boxes(boxes, 160, 100).tolist() == [
        [10, 20, 50, 70],
        [0, 0, 160, 100],
        [3, 4, 5, 100],
    ]


def test_frames_without_a_face_have_no_place_and_part_the_smoothing():
    boxes = [[10 * i, 0, 10 * i + 30, 30] for i in range(9)]
    present = [1, 1, 1, 1, 1, 1, 0, 1, 1]
    places = published.place(track_of(boxes, present), 1000, 1000, 9)

    left = [place and place[0] for place in places]
    assert left == [*published.smooth(column(range(0, 60, 10)))[:, 0], None, 75, 77]


def test_a_box_outside_the_frame_is_no_place():
    assert published.place(track_of([[200, 10, 250, 60]]), 160, 100, 1) == [None]


def test_frames_past_the_published_end_do_not_reach_back_into_the_smoothing():
    boxes = [[10 * i, 0, 10 * i + 30, 30] for i in range(12)]
    cut_short = published.place(track_of(boxes[:8]), 1000, 1000, 8)

    assert published.place(track_of(boxes), 1000, 1000, 8)[:8] == cut_short
    assert published.place(track_of(boxes), 1000, 1000, 12)[:8] != cut_short
