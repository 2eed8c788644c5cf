import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.faces.paste import fade, lay
from heygemd.records import Patch


def frame_of(value, height_px=12, width_px=16):
    return np.full((1, height_px, width_px, 3), value, dtype=np.uint8)


def noise(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


patches = st.builds(
    lambda x, y, width, height, seed, cut: Patch(
        x,
        y,
        noise(seed, height, width, 3),
        np.clip(np.random.default_rng(seed).uniform(-cut, 1 + cut, (height, width)), 0, 1).astype(
            np.float32
        ),
    ),
    st.integers(-20, 25),
    st.integers(-20, 25),
    st.integers(1, 30),
    st.integers(1, 30),
    st.integers(0, 2**32 - 1),
    st.floats(0, 5),
)


def alpha_in_frame(patch, height_px, width_px):
    full = np.zeros((height_px, width_px), dtype=np.float32)
    for y, x in np.ndindex(patch.alpha.shape):
        if 0 <= y + patch.y_px < height_px and 0 <= x + patch.x_px < width_px:
            full[y + patch.y_px, x + patch.x_px] = patch.alpha[y, x]
    return full


@settings(deadline=None)  # a busy machine is no fault
@given(patches, st.integers(0, 2**32 - 1))
def test_nothing_changes_where_alpha_is_zero_or_no_patch_lies(patch, seed):
    frames = noise(seed, 1, 12, 16, 3)
    untouched = alpha_in_frame(patch, 12, 16) == 0
    assert (lay(frames, [patch])[0][untouched] == frames[0][untouched]).all()


@settings(deadline=None)  # a busy machine is no fault
@given(patches, st.integers(0, 2**32 - 1))
def test_every_pixel_is_the_rounded_mixture_clipped_to_the_frame(patch, seed):
    frames = noise(seed, 1, 12, 16, 3)
    laid = lay(frames, [patch])[0]
    for y, x in np.ndindex(12, 16):
        row, column = y - patch.y_px, x - patch.x_px
        wanted = frames[0, y, x].astype(float)
        if 0 <= row < patch.alpha.shape[0] and 0 <= column < patch.alpha.shape[1]:
            share = float(patch.alpha[row, column])
            wanted += share * (patch.pixels[row, column] - wanted)
        assert np.abs(laid[y, x] - wanted).max() <= 0.5 + 1e-3


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(0, 255), st.integers(0, 255))
def test_alpha_one_gives_the_patch_and_alpha_zero_the_frame_for_every_pair_of_values(own, new):
    pixels = np.full((4, 4, 3), new, dtype=np.uint8)
    alpha = np.zeros((4, 4), dtype=np.float32)
    alpha[:, 2:] = 1
    laid = lay(frame_of(own), [Patch(0, 0, pixels, alpha)])[0]
    assert (laid[:4, :2] == own).all()
    assert (laid[:4, 2:4] == new).all()


def test_a_tall_patch_is_laid_whole():
    pixels = noise(3, 150, 5, 3)
    laid = lay(frame_of(10, 160, 8), [Patch(2, 4, pixels, np.ones((150, 5), np.float32))])
    assert (laid[0, 4:154, 2:7] == pixels).all()


def test_a_half_is_rounded_up():
    pixels = np.full((1, 1, 3), 11, dtype=np.uint8)
    laid = lay(frame_of(10), [Patch(0, 0, pixels, np.full((1, 1), 0.5, np.float32))])
    assert laid[0, 0, 0].tolist() == [11, 11, 11]


def test_a_read_only_input_is_accepted_and_left_alone():
    frames = frame_of(10)
    frames.setflags(write=False)
    laid = lay(frames, [Patch(0, 0, noise(1, 4, 4, 3), np.ones((4, 4), np.float32))])
    assert (frames == 10).all()
    assert not np.shares_memory(laid, frames)


def test_without_patches_the_frames_themselves_come_back():
    frames = frame_of(10)
    assert lay(frames, [None]) is frames


def test_each_patch_goes_into_its_own_frame():
    frames = np.repeat(frame_of(10), 3, axis=0)
    laid = lay(frames, [None, Patch(2, 3, frame_of(99)[0, :2, :2], np.ones((2, 2), "f4")), None])
    changed = [
        np.argwhere((new != old).any(axis=-1)).tolist()
        for new, old in zip(laid, frames, strict=True)
    ]
    assert changed == [[], [[3, 2], [3, 3], [4, 2], [4, 3]], []]


def test_a_patch_per_frame_is_wanted():
    with pytest.raises(ValueError, match="2 patches for 1 frames"):
        lay(frame_of(1), [None, None])


def test_a_patch_of_no_share_is_none_and_one_of_full_share_is_the_same():
    patch = Patch(0, 0, noise(1, 4, 4, 3), np.ones((4, 4), np.float32))
    gone, whole, missing = fade([patch, patch, None], np.array([0.0, 1.0, 0.5], np.float32))
    assert gone is None
    assert whole is patch
    assert missing is None


def test_half_a_share_lies_half_way_between_frame_and_patch():
    patch = Patch(2, 3, np.full((4, 4, 3), 200, np.uint8), np.ones((4, 4), np.float32))
    frames = frame_of(100)
    (laid,) = lay(frames, fade([patch], np.array([0.5], np.float32)))
    assert (laid[3:7, 2:6] == 150).all()
    assert (laid[:3] == 100).all()
