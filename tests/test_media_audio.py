"""Lip models hear the sound that viewers hear, from its first sample to its last."""

import math
from dataclasses import replace
from fractions import Fraction

import lavfi
import numpy as np
import pytest

from heygemd.errors import AudioError
from heygemd.media.audio import is_silent, outline, peak_db, read_waveform
from heygemd.media.limits import Limits
from heygemd.media.tool import find_ffmpeg
from heygemd.records import Waveform

LIMITS = Limits()
HALF_AMPLITUDE = 1 / 8  # of lavfi's sine


@pytest.fixture(scope="module")
def tool():
    return find_ffmpeg()


def sine(n_samples, rate_hz=16000):
    return HALF_AMPLITUDE * np.sin(2 * np.pi * 440 * np.arange(n_samples) / rate_hz)


@pytest.mark.parametrize("suffix", ["wav", "flac", "m4a", "mp3", "ogg", "opus", "aiff"])
def test_a_sound_starts_at_its_first_sample_and_has_its_length(tool, tmp_path, suffix):
    path = lavfi.tone(tmp_path / f"tone.{suffix}", seconds=2, rate_hz=48000)
    sound = read_waveform(tool, path, LIMITS)

    assert sound.rate_hz == 16000
    assert sound.duration_s == 2
    assert np.abs(sound.samples - sine(32000))[2000:-200].max() < 0.02


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 96000])
def test_any_rate_becomes_16_khz(tool, tmp_path, rate_hz):
    sound = read_waveform(tool, lavfi.tone(tmp_path / "r.wav", rate_hz=rate_hz), LIMITS)

    assert abs(sound.duration_s - 1) <= Fraction(1, 16000)
    assert np.abs(sound.samples[:15999] - sine(15999))[300:-300].max() < 0.01


@pytest.mark.parametrize("n_channels", [2, 3, 6])
def test_channels_are_mixed(tool, tmp_path, n_channels):
    mix = f"pan={n_channels}c|" + "|".join(f"c{n}=c0" for n in range(n_channels))
    sound = read_waveform(tool, lavfi.tone(tmp_path / "c.wav", "-af", mix), LIMITS)

    assert sound.samples.ndim == 1
    assert 0.05 < np.abs(sound.samples).max() <= 1.0


def test_a_film_may_bring_the_sound(tool, tmp_path):
    path = lavfi.make(tmp_path / "film.mp4", "-f", "lavfi", "-i", "testsrc2=size=64x48:d=1", "-f",
                      "lavfi", "-i", "sine=d=1", *lavfi.X264, "-c:a", "aac")  # fmt: skip

    assert abs(read_waveform(tool, path, LIMITS).duration_s - 1) < Fraction(1, 100)


def test_a_cover_is_no_part_of_the_sound(tool, tmp_path):
    lavfi.film(tmp_path / "cover%d.jpg", n_frames=1, codec=())
    path = lavfi.tone(tmp_path / "covered.mp3", "-i", tmp_path / "cover1.jpg", "-map", 0, "-map", 1,
                      "-c:v", "copy", "-disposition:v", "attached_pic")  # fmt: skip

    assert read_waveform(tool, path, LIMITS).duration_s == 1


def test_a_gap_in_the_time_stamps_is_filled_with_silence(tool, tmp_path):
    gap = "aselect='not(between(t,0.5,0.999))'"
    path = lavfi.tone(tmp_path / "gap.mkv", "-af", gap, "-c:a", "pcm_s16le", seconds=2)
    sound = read_waveform(tool, path, LIMITS)

    assert abs(sound.duration_s - 2) < Fraction(1, 20)
    assert np.abs(sound.samples[9000:15000]).max() < 0.01
    assert np.abs(sound.samples[17000:31000]).max() > 0.1


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "empty_input"), (b"hello", "unsupported_container"),
     (b"RIFF" + (99999).to_bytes(4, "little") + b"WAVEfmt " + bytes(99), "truncated_input")],
)  # fmt: skip
def test_a_sound_that_cannot_be_read_fails_the_job_with_its_code(tool, tmp_path, content, code):
    path = tmp_path / "voice.wav"
    path.write_bytes(content)

    with pytest.raises(AudioError) as caught:
        read_waveform(tool, path, LIMITS)
    assert caught.value.reason == code


def test_a_sound_without_samples_is_an_error(tool, tmp_path):
    path = lavfi.tone(tmp_path / "none.wav", "-t", "0")

    with pytest.raises(AudioError):
        read_waveform(tool, path, LIMITS)


def test_a_sound_longer_than_its_header_says_is_stopped_at_the_limit(tool, tmp_path):
    path = lavfi.tone(tmp_path / "long.mp3", "-write_xing", "0", "-b:a", "320k", seconds=8)

    with pytest.raises(AudioError) as caught:
        read_waveform(tool, path, replace(LIMITS, max_duration_s=2.0))
    assert caught.value.reason == "limits"


def test_loudness_is_told_in_decibels_of_full_scale():
    assert peak_db(Waveform(np.float32([0.0, -0.5, 0.25]), 16000)) == pytest.approx(-6.02, abs=0.01)
    assert peak_db(Waveform(np.zeros(9, np.float32), 16000)) == -math.inf
    assert peak_db(Waveform(np.zeros(0, np.float32), 16000)) == -math.inf


def test_an_outline_keeps_the_loudest_and_the_lowest_of_every_forty_samples():
    samples = np.zeros(100, np.float32)
    samples[[3, 39, 40, 99]] = [0.5, -0.25, -0.75, 1.0]
    drawn = outline(Waveform(samples, 16000))
    assert drawn.rate_hz == 800
    assert drawn.samples.tolist() == [0.5, -0.25, 0.0, -0.75, 1.0, 0.0]
    assert not len(outline(Waveform(samples[:0], 16000)).samples)


def test_the_outline_of_a_long_sound_is_four_times_as_coarse():
    samples = np.zeros(61 * 16000, np.float32)
    samples[-1] = 0.5
    drawn = outline(Waveform(samples, 16000))
    assert drawn.rate_hz == 200
    assert len(drawn.samples) == 61 * 200
    assert drawn.samples[-2:].tolist() == [0.5, 0.0]


@pytest.mark.parametrize(("peak", "silent"), [(0.0, True), (0.0005, True), (0.005, False)])
def test_what_nobody_hears_is_silent(peak, silent):
    assert is_silent(Waveform(np.float32([0.0, peak]), 16000)) == silent


def test_a_sound_of_digital_silence_is_read_like_any_other(tool, tmp_path):
    path = lavfi.make(tmp_path / "s.wav", "-f", "lavfi", "-i", "anullsrc=d=1")
    sound = read_waveform(tool, path, LIMITS)

    assert sound.duration_s == 1
    assert is_silent(sound)
