import cv2
import numpy as np
import pytest
from portrait import clip, picture
from real_clips import frames_of

from heygemd.faces.cuts import CutFinder


def cuts_of(*pieces):
    finder = CutFinder()
    for piece in pieces:
        finder.add(piece)
    return finder.cuts()


def room(seed, n_frames=12, size=(120, 160)):
    """A still scene of soft blobs, with a little noise in each frame."""
    random = np.random.default_rng(seed)
    blobs = cv2.resize(random.uniform(0, 255, (6, 8, 3)), size[::-1], interpolation=cv2.INTER_CUBIC)
    noise = random.normal(0, 4, (n_frames, *size, 3))
    return np.clip(blobs + noise, 0, 255).astype(np.uint8)


def test_each_cut_between_scenes_is_found_at_its_first_frame():
    assert cuts_of(room(1), room(2), room(3)) == (12, 24)


def test_batches_do_not_matter():
    frames = np.concatenate([room(1), room(2)])
    assert cuts_of(*np.array_split(frames, 7)) == cuts_of(frames) == (12,)


def test_a_moving_face_is_no_cut():
    assert cuts_of(clip(20, step=(6, 3))) == ()


def test_a_cut_from_one_place_of_a_face_to_another_is_found():
    left = np.repeat(picture(centre=(90, 120), face_px=110)[None], 10, axis=0)
    right = np.repeat(picture(centre=(230, 120), face_px=60)[None], 10, axis=0)
    assert cuts_of(left, right) == (10,)


def test_a_flash_is_no_cut():
    frames = room(1, 20)
    frames[9] = 250
    assert cuts_of(frames) == ()


def test_one_foreign_frame_is_no_cut():
    frames = room(1, 20)
    frames[9] = room(2, 1)[0]
    assert cuts_of(frames) == ()


def test_a_change_of_light_is_no_cut():
    frames = room(1, 20)
    frames[10:] //= 2
    assert cuts_of(frames) == ()


def test_a_cross_fade_is_no_cut():
    share = np.linspace(0, 1, 24).reshape(-1, 1, 1, 1)
    mixed = room(1, 24) * (1 - share) + room(2, 24) * share
    assert cuts_of(mixed.astype(np.uint8)) == ()


def test_a_still_black_or_one_frame_clip_has_no_cuts():
    assert cuts_of(np.zeros((5, 32, 32, 3), np.uint8)) == ()
    assert cuts_of(room(1, 1)) == ()
    assert cuts_of() == ()


def test_a_cut_out_of_black_is_found():
    assert cuts_of(np.zeros((8, 120, 160, 3), np.uint8), room(1)) == (8,)


@pytest.mark.parametrize(
    ("name", "cuts"),
    [
        ("profile_laugh_d12.mp4", ()),  # a shaking hand, every third frame doubled
        ("two_faces_interview.mp4", ()),
        ("sync_example_cnn.avi", ()),
        ("nasa_noface_pd.mp4", (202,)),
    ],
)
def test_real_clips_cut_where_they_do_and_nowhere_else(name, cuts):
    assert cuts_of(frames_of(name, size=(192, 108))) == cuts
