"""Frames kept as planes show the same BGR as whole frames of BGR would."""

import subprocess
import sys

import lavfi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd import planes
from heygemd.media.filters import ACCURATE
from heygemd.planes import Planes

SIZE = (26, 18)


def noise(seed, width_px, height_px, n_frames=1):
    shape = planes.packed_shape(n_frames, width_px, height_px)
    packed = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Planes(packed, width_px, height_px, "bt709")


def smooth(width_px, height_px):
    """(1, H, W, 3) colours that 4:2:0 can hold."""
    y, x = np.mgrid[:height_px, :width_px]
    frame = [60 + x * 140 // width_px, 60 + y * 140 // height_px, 80 + (x + y) * 90 // 200]
    return np.stack(frame, axis=-1)[None].astype(np.uint8)


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.integers(0, 99), st.integers(1, 27), st.integers(1, 19),
    st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30),
)  # fmt: skip
def test_a_window_shows_what_the_whole_frame_shows_there(seed, width, height, x1, x2, y1, y2):  # noqa: PLR0917
    film = noise(seed, width, height)

    assert np.array_equal(film[0][y1:y2, x1:x2], film.bgr()[0, y1:y2, x1:x2])


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.integers(0, 99), st.integers(1, 27), st.integers(1, 19), st.integers(0, 6),
    st.integers(0, 26), st.integers(0, 26), st.integers(0, 18), st.integers(0, 18),
)  # fmt: skip
def test_an_excerpt_shows_the_same_as_the_frame_or_says_that_it_cannot(  # noqa: PLR0917
    seed, width, height, pad_px, x1, x2, y1, y2
):
    frame = noise(seed, width, height)[0]
    places = np.array([[width * 0.3, height * 0.4], [width * 0.7, height * 0.6]])
    kept = planes.excerpt(frame, places, pad_px)
    window = (slice(y1, y2), slice(x1, x2))

    assert kept.shape == frame.shape
    if kept.holds(window):
        assert np.array_equal(kept[window], frame[window])
    else:
        with pytest.raises(ValueError, match="lies outside"):
            kept[window]


def test_an_excerpt_holds_what_lies_two_pixels_inside_of_it_and_no_view_of_the_frame():
    film = noise(3, 26, 18)
    kept = planes.excerpt(film[0], np.array([[10.0, 8.0], [13.0, 9.0]]), 3)
    window = (slice(7, 10), slice(9, 14))
    before = film[0][window]

    assert kept.holds(window)
    assert not kept.holds((slice(5, 10), slice(9, 14)))
    film.packed[:] = 0
    assert np.array_equal(kept[window], before)


@pytest.mark.parametrize("matrix", planes.WEIGHTS)
def test_every_matrix_gives_what_ffmpeg_gives(tmp_path, matrix):
    path = lavfi.film(
        tmp_path / "clip.mkv", "-vf", "gblur=4", n_frames=1,
        codec=("-c:v", "ffv1", "-pix_fmt", "yuv420p"),
    )  # fmt: skip
    packed = np.frombuffer(lavfi.raw_frames(path, pixel_format="yuv420p"), np.uint8)
    ours = Planes(packed.reshape(1, 180, 160), 160, 120, matrix).bgr()
    tags = f"in_color_matrix={matrix}:in_range=tv:in_h_chr_pos=0:in_v_chr_pos=128"
    convert = f"scale=flags={ACCURATE}:{tags},format=gbrp"
    true = np.frombuffer(lavfi.raw_frames(path, "-vf", convert), np.uint8).reshape(ours.shape)
    error = ours.astype(int) - true

    assert np.abs(error).max() <= 5
    assert np.abs(error).mean() < 1
    assert np.abs(error.mean(axis=(0, 1, 2))).max() < 1  # ffmpeg's own is half a step off


@pytest.mark.parametrize("size", [(160, 120), (161, 121), (1, 1)])
def test_bgr_goes_into_planes_and_back(size):
    frames = smooth(*size)
    error = planes.of_bgr(frames, "bt709").bgr().astype(int) - frames

    assert np.abs(error).max() <= 6
    assert np.abs(error).mean() < 1.2
    if error.size > 3:
        assert np.abs(error.mean(axis=(0, 1, 2))).max() < 0.4


def test_colours_are_not_shifted_sideways():
    frames = np.full((1, 16, 64, 3), 128, np.uint8)
    frames[:, :, 32:] = (200, 60, 128)  # an edge of colour alone
    back = planes.of_bgr(frames, "bt709").bgr()[0, 8, :, 0].astype(float)
    step = back - back[0]

    assert 64 - step.sum() / step[-1] == pytest.approx(32, abs=0.1)  # where the edge stands


def test_a_frame_averaged_down_looks_like_the_frame():
    film = planes.of_bgr(smooth(160, 120), "bt709")
    small = film[0].shrunk(40, 30)

    assert np.abs(small.astype(int) - planes.shrunk(film.bgr()[0], 40, 30)).max() <= 4


def test_what_is_cut_around_places_holds_them_and_ends_at_the_border():
    film = noise(1, *SIZE)
    part, corner = planes.cut_around(film[0], np.array([[4.5, 3.0], [10.0, 30.0]]), 2)
    away, at = planes.cut_around(film[0], np.array([[-9.0, -9.0]]), 2)

    assert corner.tolist() == [2, 1]
    assert np.array_equal(part, film.bgr()[0, 1:18, 2:13])
    assert (away.shape, at.tolist()) == ((1, 1, 3), [0, 0])


def test_colours_at_places_are_those_that_the_frame_shows_there():
    film = planes.of_bgr(smooth(160, 120), "bt709")
    whole = film.bgr()[0]
    y, x = np.mgrid[5:115:11, 5:155:7]
    on_pixels = np.stack([x, y], axis=-1).astype(np.float32)
    between = on_pixels + np.float32(0.5)

    seen = planes.colours_at(film[0], on_pixels).astype(int)
    assert np.abs(seen - whole[y, x]).max() <= 3  # colours are rounded once less
    seen = planes.colours_at(film[0], between).astype(int)
    assert np.abs(seen - planes.colours_at(whole, between)).max() <= 2


def test_an_excerpt_set_apart_leaves_nothing_in_the_heap():
    code = """
import os, numpy as np
from heygemd import planes
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
film = planes.of_bgr(np.zeros((1, 400, 400, 3), np.uint8), "bt709")
places, kept, pins = np.array([[100.0, 100.0], [300.0, 300.0]]), [], []
before = resident()
for _ in range(400):
    kept.append(planes.apart(planes.excerpt(film[0], places, 4)))
    pins.append(bytearray(50_000))  # lies behind it, where they share a heap
held, _ = resident() - before, kept.clear()
print(held - (resident() - before))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ended.stdout) > 0.95 * 400 * 1.5 * 200 * 200


def test_colours_at_places_of_an_excerpt_are_those_of_the_frame():
    frame = noise(1, *SIZE)[0]
    places = (np.random.default_rng(1).integers(64, 112, (3, 4, 2)) / 8).astype(np.float32)
    kept = planes.excerpt(frame, places.reshape(-1, 2), 3)

    assert np.array_equal(planes.colours_at(kept, places), planes.colours_at(frame, places))


def test_colours_are_looked_up_where_they_lie():
    frames = np.full((1, 16, 64, 3), 128, np.uint8)
    frames[:, :, 32:] = (200, 60, 128)
    across = np.stack(np.broadcast_arrays(np.arange(64), 8), axis=-1)[None].astype(np.float32)
    step = planes.colours_at(planes.of_bgr(frames, "bt709")[0], across)[0, :, 0].astype(float) - 128

    assert 64 - step.sum() / step[-1] == pytest.approx(32, abs=0.1)


def test_films_are_joined_as_arrays_are():
    film = noise(2, *SIZE, n_frames=5)
    both = planes.joined([film[:2], film[2:]])

    assert np.array_equal(both.packed, film.packed)
    assert np.array_equal(planes.joined([film.bgr()[:2], film.bgr()[2:]]), film.bgr())


def test_windows_with_steps_and_planes_of_another_size_are_refused():
    film = noise(3, *SIZE)
    with pytest.raises(ValueError, match="steps of 2"):
        film[0][::2, :]
    with pytest.raises(ValueError, match=r"want \(1, 27, 28\)"):
        Planes(film.packed, 28, 18, "bt709")
