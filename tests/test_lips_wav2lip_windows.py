"""Windows of mel: exact ones for every frame, and the published ones with their short end."""

from fractions import Fraction

import numpy as np
import pytest

from heygemd.lips.mel import SILENCE
from heygemd.lips.wav2lip.windows import (
    compatible_starts,
    cut_windows,
    exact_starts,
    published_starts,
)

TEN_SECONDS = 801  # columns


@pytest.fixture
def mel():
    return np.random.default_rng(1).uniform(-4, 4, (80, 100)).astype(np.float32)


@pytest.mark.parametrize(
    ("fps", "n_frames"),
    [
        (24000 / 1001, 237),
        (24, 237),
        (25, 247),
        (30000 / 1001, 296),
        (30, 296),
        (50, 493),
        (60, 591),
    ],
)
def test_ten_seconds_give_the_published_number_of_windows(fps, n_frames):
    assert len(published_starts(TEN_SECONDS, fps)) == n_frames


def literal_windows(mel, fps):
    """The published loop."""
    chunks = []
    multiplier = 80.0 / fps
    i = 0
    while True:
        start = int(i * multiplier)
        if start + 16 > len(mel[0]):
            chunks.append(mel[:, len(mel[0]) - 16 :])
            return chunks
        chunks.append(mel[:, start : start + 16])
        i += 1


@pytest.mark.parametrize("fps", [23.976, 24000 / 1001, 25.0, 29.97, 30.0, 50.0, 59.94, 12.5])
@pytest.mark.parametrize("n_columns", [16, 17, 33, 100])
def test_published_windows_are_those_of_the_published_loop(mel, fps, n_columns):
    mel = mel[:, :n_columns]
    windows = cut_windows(mel, published_starts(n_columns, fps))

    np.testing.assert_array_equal(windows[:, 0], np.stack(literal_windows(mel, fps)))


def test_the_last_published_window_ends_with_the_mel():
    assert published_starts(TEN_SECONDS, 25.0)[-1] == TEN_SECONDS - 16


def test_a_sound_shorter_than_a_window_is_filled_with_silence(mel):
    windows = cut_windows(mel[:, :5], published_starts(5, 25.0))

    assert windows.shape == (2, 1, 80, 16)  # the first one fits, and is then the last one too
    np.testing.assert_array_equal(windows[0, 0, :, :5], mel[:, :5])
    assert (windows[0, 0, :, 5:] == SILENCE).all()


def test_compatible_windows_hold_the_last_one_to_the_end_of_the_sound():
    starts = compatible_starts(250, TEN_SECONDS, Fraction(25))

    np.testing.assert_array_equal(starts[:247], published_starts(TEN_SECONDS, 25.0))
    assert (starts[247:] == TEN_SECONDS - 16).all()


def test_compatible_windows_can_be_moved_against_the_sound():
    still = compatible_starts(50, TEN_SECONDS, Fraction(25))
    later = compatible_starts(50, TEN_SECONDS, Fraction(25), offset_ms=50)

    np.testing.assert_array_equal(later, still - 4)


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(60)])
def test_an_exact_window_starts_in_the_column_its_frame_stands_in(fps):
    starts = exact_starts(1000, fps)

    assert (starts <= np.array([float(80 * i / fps) for i in range(1000)]) + 1e-9).all()
    assert (starts + 1 > np.array([float(80 * i / fps) for i in range(1000)])).all()


def test_an_hour_of_ntsc_does_not_drift():
    fps = Fraction(30000, 1001)
    n_frames = 107_892

    assert exact_starts(n_frames, fps)[-1] == (n_frames - 1) * 80 * 1001 // 30000


def test_exact_windows_agree_with_published_ones_as_long_as_those_last():
    np.testing.assert_array_equal(
        exact_starts(200, Fraction(25)), published_starts(TEN_SECONDS, 25.0)[:200]
    )


@pytest.mark.parametrize(("offset_ms", "first"), [(0, 0), (100, -8), (-100, 8), (12.5, -1)])
def test_a_positive_offset_hears_what_came_before(offset_ms, first):
    assert exact_starts(1, Fraction(25), offset_ms=offset_ms).tolist() == [first]


def test_windows_outside_the_mel_are_silent(mel):
    windows = cut_windows(mel, np.array([-500, -4, 96, 100, 10**6]))[:, 0]

    assert (windows[[0, 3, 4]] == SILENCE).all()
    assert (windows[1, :, :4] == SILENCE).all()
    np.testing.assert_array_equal(windows[1, :, 4:], mel[:, :12])
    np.testing.assert_array_equal(windows[2, :, :4], mel[:, 96:])
    assert (windows[2, :, 4:] == SILENCE).all()


def test_windows_are_what_the_network_takes(mel):
    windows = cut_windows(mel, np.array([0, 3]))

    assert windows.shape == (2, 1, 80, 16)
    assert windows.dtype == np.float32
