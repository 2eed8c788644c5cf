"""The yardsticks that the voice network is measured by."""

import numpy as np
import pytest

from training import evaluate, report, sounds


def test_a_picture_that_comes_late_has_a_positive_lag():
    heard = np.random.default_rng(0).normal(size=80).astype(np.float32)
    measured = np.concatenate([np.zeros(3, np.float32), heard[:-3]])

    assert evaluate.correlation(measured, heard, 3) == pytest.approx(1.0)
    assert evaluate.correlation(measured, heard, -3) < 0.5


def test_frames_without_a_face_are_left_out_of_the_correlation():
    heard = np.random.default_rng(1).normal(size=60).astype(np.float32)
    measured = heard.copy()
    measured[10:20] = np.nan

    assert evaluate.correlation(measured, heard, 0) == pytest.approx(1.0)


def mouth(*, gap):
    curve = np.full(40, 0.12, np.float32)
    curve[20] = gap
    return curve


def test_a_closure_between_openings_is_found():
    assert evaluate.closure_gaps(mouth(gap=0.01), mouth(gap=0.025)) == [pytest.approx(0.025)]


def test_a_dip_that_does_not_close_is_no_closure():
    assert evaluate.closure_gaps(mouth(gap=0.05), mouth(gap=0.0)) == []


def test_lips_that_meet_two_frames_off_still_count():
    heard = np.roll(mouth(gap=0.0), 2)

    assert evaluate.closure_gaps(mouth(gap=0.01), heard) == [0.0]


def test_lips_that_meet_three_frames_off_do_not():
    heard = np.roll(mouth(gap=0.0), 3)

    assert evaluate.closure_gaps(mouth(gap=0.01), heard) == [pytest.approx(0.12)]


def test_four_syllables_a_second_are_four_openings():
    moments_s = np.arange(400) / 40
    curve = 0.1 - 0.1 * np.cos(2 * np.pi * 4 * moments_s)

    assert evaluate.openings_per_s(curve.astype(np.float32), 40.0) == pytest.approx(4.0, abs=0.1)


def test_runs_of_labels_are_phones():
    assert evaluate.phones(np.array([0, 0, 1, 1, 1, 0])) == [(0, 2, 0), (2, 5, 1), (5, 6, 0)]


def test_a_missed_bar_is_named_in_the_table():
    lines = report.table({"grid": {"r": 0.5}, "quiet": {"silence": 0.005}}).splitlines()

    assert lines[1].endswith("MISSED")
    assert next(line for line in lines if line.startswith("quiet.silence")).endswith("wish")
    assert any(line.endswith("not measured") for line in lines)


@pytest.mark.parametrize("seed", range(12))
def test_every_sound_without_speech_is_finite_and_of_level_one_or_silent(seed):
    sound = sounds.not_speech(16_000, np.random.default_rng(seed))

    level = np.sqrt(np.mean(sound.astype(np.float64) ** 2))
    assert sound.shape == (16_000,)
    assert sound.dtype == np.float32
    assert level == 0.0 or 0.8 < level < 1.3


def test_a_sound_is_mixed_under_another_at_the_ratio_asked_for():
    rng = np.random.default_rng(2)
    own, other = (rng.normal(size=32_000).astype(np.float32) for _ in range(2))

    rest = sounds.mixed(own, other, 20.0) - own

    assert 20 * np.log10(own.std() / rest.std()) == pytest.approx(20.0, abs=0.1)


def test_pink_noise_falls_three_decibels_an_octave():
    spectrum = np.abs(np.fft.rfft(sounds.noise(1 << 18, -3.0, np.random.default_rng(3)))) ** 2

    low, high = spectrum[1000:1400].mean(), spectrum[8000:11200].mean()
    assert 10 * np.log10(low / high) == pytest.approx(9.0, abs=0.7)


def test_a_room_keeps_the_length_and_the_first_sound():
    click = np.zeros(8000, np.float32)
    click[100] = 1.0

    heard = sounds.room(click, np.random.default_rng(4))

    assert len(heard) == 8000
    assert heard[100] == pytest.approx(1.0, abs=1e-4)
    assert np.abs(heard[:100]).max() < 1e-4
    assert np.abs(heard[200:]).max() > 0
