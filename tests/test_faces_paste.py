import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.faces.paste import fade, lay
from heygemd.planes import Planes, packed_shape, yuv_of
from heygemd.records import Patch

HEIGHT, WIDTH = 12, 16


def planes_of(seed, width_px=WIDTH, height_px=HEIGHT, n_frames=1):
    packed = noise(seed, *packed_shape(n_frames, width_px, height_px))
    return Planes(packed, width_px, height_px, "bt709")


def grey(value, width_px=WIDTH, height_px=HEIGHT):
    packed = np.full(packed_shape(1, width_px, height_px), 128, np.uint8)
    packed[:, : height_px + height_px % 2] = value
    return Planes(packed, width_px, height_px, "bt709")


def laid(frames, patches):
    """The frames after; those before are left as they were."""
    after = Planes(frames.packed.copy(), frames.width_px, frames.height_px, frames.matrix)
    lay(after, patches)
    return after


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
sizes = st.tuples(st.integers(1, 17), st.integers(1, 13))


def alpha_in_frame(patch, height_px, width_px):
    """(h, w) of the frame, its odd edges doubled."""
    full = np.zeros((height_px, width_px), dtype=np.float32)
    for y, x in np.ndindex(patch.alpha.shape):
        if 0 <= y + patch.y_px < height_px and 0 <= x + patch.x_px < width_px:
            full[y + patch.y_px, x + patch.x_px] = patch.alpha[y, x]
    return np.pad(full, ((0, height_px % 2), (0, width_px % 2)), mode="edge")


@settings(deadline=None)  # a busy machine is no fault
@given(patches, st.integers(0, 2**32 - 1), sizes)
def test_nothing_changes_where_alpha_is_zero_or_no_patch_lies(patch, seed, size):
    frames = planes_of(seed, *size)
    before, (after,) = frames[0], laid(frames, [patch])
    alpha = alpha_in_frame(patch, *size[::-1])
    untouched = alpha == 0
    beside = np.pad(untouched, ((0, 0), (1, 1)), constant_values=True)
    rows = beside[0::2] & beside[1::2]
    unseen = rows[:, 0:-2:2] & rows[:, 1:-1:2] & rows[:, 2::2]  # of the six pixels of a colour

    assert (after.y[untouched] == before.y[untouched]).all()
    for new, old in zip(after.colours, before.colours, strict=True):
        assert (new[unseen] == old[unseen]).all()


@settings(deadline=None)  # a busy machine is no fault
@given(patches, st.integers(0, 2**32 - 1))
def test_brightness_is_the_rounded_mixture_clipped_to_the_frame(patch, seed):
    frames = planes_of(seed)
    after = laid(frames, [patch])[0].y
    new = yuv_of(patch.pixels, "bt709")[0]
    for y, x in np.ndindex(HEIGHT, WIDTH):
        row, column = y - patch.y_px, x - patch.x_px
        wanted = frames[0].y[y, x].astype(float)
        if 0 <= row < patch.alpha.shape[0] and 0 <= column < patch.alpha.shape[1]:
            wanted += float(patch.alpha[row, column]) * (new[row, column] - wanted)
        assert np.abs(after[y, x] - wanted).max() <= 0.5 + 1e-3


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(0, 7), st.integers(0, 7), st.integers(0, 2**32 - 1), sizes)
def test_a_patch_that_covers_all_leaves_nothing_of_the_frame(x, y, seed, size):
    width, height = size
    pixels = np.full((height + 2 * y, width + 2 * x, 3), noise(seed, 3), np.uint8)
    patch = Patch(-x, -y, pixels, np.ones(pixels.shape[:2], np.float32))
    (after,) = laid(planes_of(seed, *size), [patch])

    for plane, wanted in zip([after.y, *after.colours], yuv_of(pixels, "bt709"), strict=True):
        assert (plane == wanted[0, 0]).all()


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(16, 235), st.integers(0, 255))
def test_alpha_one_gives_the_patch_and_alpha_zero_the_frame_for_every_pair_of_values(own, new):
    pixels = np.full((4, 4, 3), new, dtype=np.uint8)
    alpha = np.zeros((4, 4), dtype=np.float32)
    alpha[:, 2:] = 1
    after = laid(grey(own), [Patch(0, 0, pixels, alpha)])[0]
    assert (after.y[:4, :2] == own).all()
    assert (after.y[:4, 2:4] == yuv_of(pixels, "bt709")[0, 0, 0]).all()


def test_a_colour_changes_by_as_much_as_lies_over_its_six_pixels():
    blue = np.full((2, 1, 3), (255, 0, 0), np.uint8)
    wanted = yuv_of(blue, "bt709")[1, 0, 0]
    for x, shares in ((4, [0, 0, 0.5, 0]), (5, [0, 0, 0.25, 0.25])):
        after = laid(grey(100), [Patch(x, 0, blue, np.ones((2, 1), np.float32))])[0]
        moved = (after.colours[0][0, :4].astype(float) - 128) / (float(wanted) - 128)
        assert moved == pytest.approx(shares, abs=0.01)


def test_a_tall_patch_is_laid_whole():
    pixels = noise(3, 150, 5, 3)
    patch = Patch(2, 4, pixels, np.ones((150, 5), np.float32))
    assert (laid(grey(10, 8, 160), [patch])[0].y[4:154, 2:7] == yuv_of(pixels, "bt709")[0]).all()


def test_a_read_only_patch_is_accepted_and_left_alone():
    pixels, alpha = noise(1, 4, 4, 3), np.ones((4, 4), np.float32)
    for array in (pixels, alpha):
        array.setflags(write=False)
    assert (laid(grey(10), [Patch(0, 0, pixels, alpha)])[0].y[:4, :4] != 10).any()


def test_each_patch_goes_into_its_own_frame():
    frames = planes_of(5, n_frames=3)
    patch = Patch(2, 3, np.full((2, 2, 3), 255, np.uint8), np.ones((2, 2), np.float32))
    after = laid(frames, [None, patch, None])
    changed = [np.argwhere(new.y != old.y).tolist() for new, old in zip(after, frames, strict=True)]
    assert changed == [[], [[3, 2], [3, 3], [4, 2], [4, 3]], []]


def test_a_patch_per_frame_is_wanted():
    with pytest.raises(ValueError, match="2 patches for 1 frames"):
        lay(grey(20), [None, None])


def test_a_patch_of_no_share_is_none_and_one_of_full_share_is_the_same():
    patch = Patch(0, 0, noise(1, 4, 4, 3), np.ones((4, 4), np.float32))
    gone, whole, missing = fade([patch, patch, None], np.array([0.0, 1.0, 0.5], np.float32))
    assert gone is None
    assert whole is patch
    assert missing is None


def test_half_a_share_lies_half_way_between_frame_and_patch():
    white = Patch(2, 3, np.full((4, 4, 3), 255, np.uint8), np.ones((4, 4), np.float32))
    (after,) = laid(grey(135), fade([white], np.array([0.5], np.float32)))
    assert (after.y[3:7, 2:6] == 185).all()
    assert (after.y[:3] == 135).all()
