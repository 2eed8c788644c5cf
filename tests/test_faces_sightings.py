"""Sightings of a whole clip, in blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.faces.detect import Sighting
from heygemd.faces.sightings import BLOCK_FRAMES, Sightings


def seen(n_faces, at, *, has_points=True, has_looks=False):
    rng = np.random.default_rng(at)
    return Sighting(
        rng.random((n_faces, 4)).astype(np.float32) * 100,
        np.ones(n_faces, np.float32),
        rng.random((n_faces, 478, 3)).astype(np.float32) * 100 if has_points else None,
        np.full((n_faces, 3), at, np.float32) if has_looks else None,
    )


def kept(frames):
    sightings = Sightings()
    for frame in frames:
        sightings.extend([frame])
    return sightings


@settings(max_examples=15, deadline=None)
@given(counts=st.lists(st.integers(0, 2), max_size=2 * BLOCK_FRAMES + 5), has_points=st.booleans())
def test_every_frame_comes_back_as_it_was_seen(counts, has_points):
    frames = [seen(n_faces, at, has_points=has_points) for at, n_faces in enumerate(counts)]
    sightings = kept(frames)
    assert len(sightings) == len(frames)
    for frame, found in zip(frames, sightings, strict=True):
        np.testing.assert_array_equal(found.boxes, frame.boxes)
        np.testing.assert_array_equal(found.scores, frame.scores)
        if has_points and len(frame.scores):
            np.testing.assert_allclose(found.points[:], frame.points, atol=0.05)


def test_looks_stay_with_their_frames():
    n_frames = BLOCK_FRAMES + 3
    sightings = kept(seen(1, at, has_looks=at % 4 == 0) for at in range(n_frames))
    found = [None if each.looks is None else int(each.looks[0, 0]) for each in sightings]
    assert found == [at if at % 4 == 0 else None for at in range(n_frames)]


def test_it_is_indexed_as_a_list_is():
    sightings = kept(seen(1, at) for at in range(BLOCK_FRAMES + 10))
    boxes = [each.boxes[0, 0] for each in sightings]
    assert sightings[-1].boxes[0, 0] == boxes[-1]
    assert [each.boxes[0, 0] for each in sightings[60:70:3]] == boxes[60:70:3]
    with pytest.raises(IndexError):
        sightings[BLOCK_FRAMES + 10]


def test_a_clip_that_shows_nobody_for_long_keeps_its_length():
    sightings = kept(seen(0, at) for at in range(3 * BLOCK_FRAMES))
    assert len(sightings) == 3 * BLOCK_FRAMES
    assert sightings[100].points.shape == (0, 478, 3)
