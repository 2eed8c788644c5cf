"""An output that goes black or stands still where its source does not is not published."""

from fractions import Fraction

import lavfi
import numpy as np
import pytest

from heygemd.errors import QualityError
from heygemd.media.lifeless import Expected, Run, brightness, find_runs, look_at, require_life
from heygemd.media.limits import Limits
from heygemd.media.tool import find_ffmpeg

FPS = Fraction(25)
N_FRAMES = 100
NOBODY = np.full((N_FRAMES, 4), np.nan, np.float32)
FACE = np.tile(np.array([60, 40, 100, 80], np.float32), (N_FRAMES, 1))


def moving(n_frames=N_FRAMES):
    """A bright bar that wanders from left to right over grey."""
    frames = np.full((n_frames, 120, 160, 3), 90, np.uint8)
    for number, frame in enumerate(frames):
        frame[:, number : number + 20] = 220
    return frames


def expected_of(before, after=None, boxes=NOBODY, fps=FPS):
    expected = Expected(boxes[: len(before)], before.shape[1:3], fps)
    for start in range(0, len(before), 7):
        batch = before[start : start + 7]
        expected.see_before(start, batch)
        expected.see_after(start, batch if after is None else after[start : start + 7])
    return expected


def runs(output, expected):
    return find_runs(brightness(output[:: expected.step]), expected)


def test_an_output_like_its_source_has_no_such_runs():
    frames = moving()
    assert runs(frames, expected_of(frames)) == []


def test_a_black_stretch_is_found_with_its_first_and_last_frame():
    output = moving()
    output[20:41] = 0
    assert runs(output, expected_of(moving())) == [Run("black", 20, 40)]


def test_a_stretch_that_stands_still_is_found():
    output = moving()
    output[40:71] = output[40]
    assert runs(output, expected_of(moving())) == [Run("frozen", 40, 70)]


def test_a_standstill_at_the_very_end_is_found():
    output = moving()
    output[60:] = output[60]
    assert runs(output, expected_of(moving())) == [Run("frozen", 60, 98)]


def test_less_than_half_a_second_of_standstill_passes():
    output = moving()
    output[40:50] = output[40]
    assert runs(output, expected_of(moving())) == []


def test_what_the_source_has_too_passes():
    frames = moving()
    frames[10:40] = 0
    frames[60:] = frames[60]
    assert runs(frames, expected_of(frames)) == []


def test_grain_on_a_source_that_stands_still_is_no_movement():
    grain = np.random.default_rng(0).normal(0, 20, (30, 240, 320, 3))
    source = np.clip(128 + grain, 0, 255).astype(np.uint8)
    smooth = np.full_like(source, 128)
    assert runs(smooth, expected_of(source)) == []


def test_a_mouth_that_was_closed_on_a_picture_at_rest_is_no_standstill():
    talking = np.full((N_FRAMES, 120, 160, 3), 90, np.uint8)
    talking[::2, 60:75, 70:90] = 0
    closed = np.full_like(talking, 90)
    assert runs(closed, expected_of(talking, closed, FACE)) == []


def test_lips_that_should_move_and_do_not_are_a_standstill():
    closed = np.full((N_FRAMES, 120, 160, 3), 90, np.uint8)
    talking = closed.copy()
    for number, frame in enumerate(talking):
        frame[60 : 62 + number % 13, 70:90] = 0
    assert runs(closed, expected_of(closed, talking, FACE)) == [Run("frozen", 0, 98)]


def test_lips_that_paint_everything_black_are_found_out_by_the_source():
    black = moving()
    black[20:41] = 0
    assert runs(black, expected_of(moving(), black, FACE)) == [Run("black", 20, 40)]


def test_lips_that_freeze_all_of_the_picture_are_found_out_by_the_source():
    frozen = moving()
    frozen[:] = frozen[0]
    assert runs(frozen, expected_of(moving(), frozen, FACE)) == [Run("frozen", 0, 98)]


@pytest.mark.parametrize("fps", [Fraction(8), Fraction(24000, 1001), Fraction(60)])
def test_at_any_rate_ten_looks_a_second_are_enough(fps):
    n_frames = int(3 * fps)
    output = moving(n_frames)
    output[n_frames // 3 :] = 0
    boxes = np.full((n_frames, 4), np.nan, np.float32)
    expected = expected_of(moving(n_frames), boxes=boxes, fps=fps)
    (run,) = runs(output, expected)
    assert run.kind == "black"
    assert abs(run.first - n_frames // 3) <= expected.step


@pytest.fixture(scope="module")
def tool():
    return find_ffmpeg()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture(scope="module")
def source(folder):
    """(50, 120, 160, 3), what the outputs below were made of."""
    raw = lavfi.raw_frames(lavfi.film(folder / "source.mp4"))
    return np.frombuffer(raw, np.uint8).reshape(50, 120, 160, 3)


def gate(tool, path, source):
    expected = expected_of(source)
    require_life(look_at(tool, path, expected, Limits()), expected)


@pytest.mark.parametrize(
    "codec",
    [lavfi.X264, ("-c:v", "libx264", "-crf", "40", "-pix_fmt", "yuv420p"),
     ("-c:v", "libx264", "-bf", "16", "-b_strategy", "0", "-pix_fmt", "yuv420p"),
     ("-c:v", "libx265", "-x265-params", "log-level=error"), ("-c:v", "libsvtav1")],
)  # fmt: skip
def test_a_good_output_passes_in_every_codec(tool, folder, source, codec):
    gate(tool, lavfi.film(folder / "good.mp4", codec=codec), source)


def test_a_second_of_black_is_refused_and_says_where(tool, folder, source):
    black = ("-vf", "drawbox=c=black:t=fill:enable='between(n,12,36)'")
    words = r"black from frame 12 to 36 \(0.5 s to 1.5 s\)"
    with pytest.raises(QualityError, match=words) as caught:
        gate(tool, lavfi.film(folder / "black.mp4", *black), source)
    assert caught.value.reason == "black_output"


def test_a_second_of_standstill_is_refused_and_says_where(tool, folder, source):
    frozen = ("-vf", "loop=25:1:20,trim=end_frame=50")
    with pytest.raises(QualityError, match="frozen from frame 20 to 44") as caught:
        gate(tool, lavfi.film(folder / "frozen.mp4", *frozen), source)
    assert caught.value.reason == "frozen_output"


def test_an_output_that_ends_early_is_refused(tool, folder, source):
    with pytest.raises(QualityError, match="looks at the output"):
        gate(tool, lavfi.film(folder / "short.mp4", n_frames=30), source)


def test_an_output_that_is_no_film_is_refused(tool, folder, source):
    path = folder / "torn.mp4"
    path.write_bytes(bytes(1000))
    with pytest.raises(QualityError, match="does not decode"):
        gate(tool, path, source)


def test_a_third_of_a_second_of_black_passes():
    output = moving()
    output[20:30] = 0
    assert runs(output, expected_of(moving())) == []


def test_pictures_seen_late_make_neither_black_nor_standstill():
    source = moving()
    source[20:28] = 0  # the last of them is seen again while the source is lit
    source[50:62] = source[50]  # not half a second, and then the bar jumps
    source[62:] = source[80]
    seen = source[np.arange(N_FRAMES) // 9 * 9]
    assert runs(seen, expected_of(source)) == []
