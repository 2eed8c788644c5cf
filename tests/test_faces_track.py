from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.errors import NoFaceError
from heygemd.faces.detect import Sighting
from heygemd.faces.smooth import fill_gaps, steady
from heygemd.faces.track import (
    BLOCK_FRAMES,
    LEAST_SIDE_PX,
    MAX_GAP,
    NOISE,
    POINTS_SMOOTHING,
    require_coverage,
    track_face,
)
from heygemd.records import FaceTrack

SIZE = (640, 360)


def box(x, y=100, edge=60):
    return [x, y, x + edge, y + edge]


def seen(*boxes, points=True):
    """One frame; the points of each face all lie on its first corner."""
    rows = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    mesh = np.repeat(rows[:, None, [0, 1, 0]], 478, axis=1)
    return Sighting(rows, np.ones(len(rows), dtype=np.float32), mesh if points else None)


def track(frames, choice="largest", cuts=()):
    return track_face(frames, cuts, choice, SIZE)


def lefts(found):
    return found.boxes[:, 0]


LEFT, RIGHT = box(50, edge=60), box(500, edge=80)


@pytest.mark.parametrize(
    ("choice", "x"), [("largest", 500), ("left", 50), ("right", 500), ("centre", 290)]
)
def test_the_choice_decides_who_is_followed(choice, x):
    centre = box(290, y=150)
    frames = [seen(LEFT, RIGHT, centre)] * 10
    assert lefts(track(frames, choice)) == pytest.approx(x)


def test_the_person_is_followed_not_the_biggest_box_of_a_frame():
    frames = [
        seen(box(50, edge=60 + at), box(400, edge=120 - at / 2)) for at in range(50)
    ]  # the left face grows past the right one
    assert (lefts(track(frames)) > 300).all()


def test_order_within_a_frame_does_not_matter():
    frames = [seen(LEFT, RIGHT) if at % 2 else seen(RIGHT, LEFT) for at in range(20)]
    assert lefts(track(frames)) == pytest.approx(500)


def test_another_face_in_a_gap_is_not_taken_for_the_person():
    frames = [seen(LEFT, RIGHT)] * 10 + [seen(LEFT)] * 4 + [seen(LEFT, RIGHT)] * 10
    found = track(frames)
    assert lefts(found) == pytest.approx(500)
    assert found.detected.tolist() == [True] * 10 + [False] * 4 + [True] * 10


def test_a_gap_of_eight_frames_is_filled_along_a_line():
    frames = [seen(box(at)) for at in range(12)]
    frames += [seen()] * MAX_GAP + [seen(box(20 + at)) for at in range(12)]
    found = track(frames)
    assert lefts(found) == pytest.approx(np.arange(32), abs=1e-3)
    assert found.points[:, 0, 0] == pytest.approx(np.arange(32), abs=1e-3)


def test_a_longer_gap_stays_empty_in_boxes_and_points():
    found = track([seen(LEFT)] * 10 + [seen()] * (MAX_GAP + 1) + [seen(LEFT)] * 10)
    assert np.flatnonzero(~found.present).tolist() == list(range(10, 19))
    assert np.isnan(found.points[10:19]).all()
    assert np.isfinite(found.points[19:]).all()


def test_a_gap_over_a_cut_is_not_filled():
    frames = [seen(LEFT)] * 10 + [seen()] * 3 + [seen(LEFT)] * 10
    assert np.flatnonzero(~track(frames, cuts=(11,)).present).tolist() == [10, 11, 12]


def test_after_a_cut_the_person_is_chosen_anew():
    frames = [seen(LEFT, RIGHT)] * 10 + [seen(box(50, edge=200), box(500, edge=90))] * 10
    found = track(frames, cuts=(10,))
    assert lefts(found) == pytest.approx([500] * 10 + [50] * 10)


def test_smoothing_does_not_reach_over_a_cut():
    frames = [seen(LEFT)] * 10 + [seen(RIGHT)] * 10
    found = track(frames, cuts=(10,))
    assert lefts(found) == pytest.approx([50] * 10 + [500] * 10, abs=1e-3)
    assert found.points[:, 5, 0] == pytest.approx([50] * 10 + [500] * 10, abs=1e-3)


def test_a_box_that_leaps_for_one_frame_is_dropped_and_filled():
    frames = [seen(box(100 + at)) for at in range(20)]
    frames[9] = seen(box(130))  # overlaps well enough to be linked
    found = track(frames)
    assert lefts(found) == pytest.approx(100 + np.arange(20), abs=0.01)
    assert not found.detected[9]


def test_fast_steady_motion_is_no_leap():
    found = track([seen(box(20 * at)) for at in range(25)])
    assert found.detected.all()
    assert lefts(found) == pytest.approx(20 * np.arange(25), abs=0.05)


def test_a_flicker_elsewhere_is_never_chosen():
    frames = [seen(box(300))] * 30
    frames[12] = seen(box(300), box(0))
    assert lefts(track(frames, "left")) == pytest.approx(300)


def test_a_person_who_turns_away_and_back_is_followed_on():
    frames = [seen(LEFT, RIGHT)] * 20 + [seen(LEFT)] * 30 + [seen(LEFT, RIGHT)] * 20
    found = track(frames)
    assert found.detected.tolist() == [True] * 20 + [False] * 30 + [True] * 20


def test_somebody_who_comes_in_elsewhere_is_somebody_else():
    frames = [seen(RIGHT)] * 30 + [seen()] * 5 + [seen(LEFT)] * 10
    assert track(frames).detected.tolist() == [True] * 30 + [False] * 15


def test_detectors_without_points_give_a_track_without_points():
    found = track([seen(LEFT, points=False)] * 6)
    assert found.points is None
    assert found.coverage == 1


def test_noise_of_the_boxes_is_more_than_halved():
    noise = np.random.default_rng(3).normal(0, 1, (400, 4))
    frames = [seen(np.array(box(200)) + row) for row in noise]
    assert (track(frames).boxes - box(200)).std() < 0.52


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 600), st.integers(5, 200)), max_size=3), max_size=25
    ),
    st.sets(st.integers(1, 24)),
    st.sampled_from(["largest", "left", "right", "centre"]),
)
def test_any_sightings_give_a_track_of_that_length_that_fills_no_more_than_allowed(
    frames, cuts, choice
):
    sightings = [seen(*(box(x, edge=edge) for x, edge in frame)) for frame in frames]
    inside = tuple(sorted(cut for cut in cuts if cut < len(frames)))
    found = track(sightings, choice, inside)
    assert len(found.boxes) == len(frames)
    assert (found.present | ~found.detected).all()
    empty = np.array([not frame for frame in frames], dtype=bool)
    assert not (found.detected & empty).any()
    if found.points is not None:
        assert (np.isfinite(found.points[:]).all(axis=(1, 2)) == found.present).all()


def covering(n_seen, n_frames):
    boxes = np.full((n_frames, 4), np.nan, dtype=np.float32)
    boxes[:n_seen] = 1
    return FaceTrack(boxes, None, np.isfinite(boxes[:, 0]))


def test_enough_coverage_passes():
    require_coverage(covering(3, 10), 0.3)


def test_too_little_coverage_says_how_many_frames_and_where():
    with pytest.raises(
        NoFaceError, match=r"2 of 10 frames \(20%\), want 30%; none in frames 2 to 9"
    ):
        require_coverage(covering(2, 10), 0.3)


def test_who_asks_for_none_gets_a_clip_without_faces_through():
    require_coverage(covering(0, 10), 0.0)


def test_an_empty_clip_fails_with_words():
    with pytest.raises(NoFaceError, match="0 of 0 frames"):
        require_coverage(covering(0, 0), 0.3)


def test_points_of_a_long_shot_are_smoothed_as_if_in_one_piece():
    rng = np.random.default_rng(3)
    at_px = np.cumsum(rng.normal(0, 1, 3 * BLOCK_FRAMES)) + 200
    gone = {250, 251, 252, 258, 259, 300, *range(505, 513), *range(600, 620)}
    frames = [seen() if at in gone else seen(box(x)) for at, x in enumerate(at_px)]
    raw = np.where(np.isin(np.arange(len(at_px)), list(gone)), np.nan, at_px).astype(np.float32)
    filled = fill_gaps(np.stack([raw, 0 * raw], axis=1)[:, None], MAX_GAP)
    size_px = np.full(len(raw), LEAST_SIDE_PX, np.float32)
    whole = steady(filled, *POINTS_SMOOTHING, NOISE, size_px)[:, 0, 0]

    np.testing.assert_allclose(track(frames).points[:, 0, 0], whole, atol=0.01)


def test_a_small_face_trembles_by_as_many_pixels_as_a_larger_one():
    noise_px = 0.3 * (-1.0) ** np.arange(12)

    def left(edge):
        frames = [seen(box(100)) for _ in noise_px]
        for frame, noise in zip(frames, noise_px, strict=True):
            frame.points[:, 14, 1] += noise
            frame.points[:, -1, :2] += edge
        return np.std(track(frames).points[:, 14, 1])

    assert left(60) == pytest.approx(left(LEAST_SIDE_PX), rel=0.1)
    assert left(60) < 0.25


def test_lips_that_close_for_two_frames_close_and_noise_is_taken():
    gap_px = np.array([8, 8, 8, 8, 8, 0, 0, 8, 8, 8, 8, 8], np.float32)
    noise_px = 0.1 * (-1.0) ** np.arange(12)
    frames = [seen(box(100)) for _ in gap_px]
    for frame, gap, noise in zip(frames, gap_px, noise_px, strict=True):
        frame.points[:, 14, 1] += gap + noise

    found = track(frames).points[:, 14, 1] - 100

    np.testing.assert_allclose(found[5:7], 0, atol=0.2)
    assert np.std(found[[0, 1, 2, 9, 10, 11]]) < 0.075


ANNA, BEN = (np.eye(402, dtype=np.float32)[row] for row in (0, 1))


def looking(frame, *looks):
    return replace(frame, looks=np.stack(looks))


def by_reference(frames, reference=ANNA, cuts=()):
    return track_face(frames, cuts, "reference", SIZE, reference)


def test_the_person_most_like_the_reference_is_followed_not_the_largest():
    frames = [seen(LEFT, RIGHT)] * 12
    frames[4] = looking(frames[4], 0.9 * ANNA + 0.1 * BEN, BEN)
    found = by_reference(frames)
    assert lefts(found) == pytest.approx(50)
    assert found.alike == ((0, 11, pytest.approx(0.9)),)


def test_one_look_that_deceives_is_outvoted():
    frames = [looking(seen(LEFT, RIGHT), ANNA, BEN)] * 12
    frames[3] = looking(frames[3], BEN, ANNA)
    assert lefts(by_reference(frames)) == pytest.approx(50)


def test_a_shot_without_the_person_shows_no_face_and_the_others_follow_them():
    frames = [looking(seen(LEFT, RIGHT), ANNA, BEN)] * 10 + [looking(seen(RIGHT), BEN)] * 10
    found = by_reference(frames, cuts=(10,))
    assert found.present.tolist() == [True] * 10 + [False] * 10
    assert found.alike == ((0, 9, 1.0), (10, 19, 0.0))


def test_too_little_coverage_says_how_alike_the_best_face_was():
    found = by_reference([looking(seen(RIGHT), 0.3 * ANNA)] * 10)
    with pytest.raises(NoFaceError, match=r"likeness to the reference 0\.30, want 0\.5"):
        require_coverage(found, 0.3)


def test_the_choice_needs_its_reference():
    with pytest.raises(ValueError, match="wants a reference"):
        track([seen(LEFT)] * 3, "reference")
