"""Silences are found as people hear them, and lips let go of the voice without a jump."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.media.silence import find_silence, hush, voice_share
from heygemd.records import Waveform

RATE_HZ = 16000


def speech(*parts, noise_db=-80.0, voice_db=-20.0):
    """Seconds of voice and, negative, of silence, over a floor of noise."""
    random = np.random.default_rng(0)
    pieces = []
    for seconds in parts:
        n = round(abs(seconds) * RATE_HZ)
        level_db = voice_db if seconds > 0 else noise_db
        pieces.append(10 ** (level_db / 20) * random.standard_normal(n))
    return Waveform(np.concatenate(pieces).astype(np.float32), RATE_HZ)


def seconds(stretches):
    return [(float(start_s), float(stop_s)) for start_s, stop_s in stretches]


def test_pauses_of_that_length_are_found_and_shorter_ones_are_not():
    sound = speech(1.0, -0.3, 1.0, -0.8, 1.0)
    assert seconds(find_silence(sound, 0.5)) == [(2.3, 3.1)]


def test_silence_at_both_ends_reaches_the_ends():
    sound = speech(-0.613, 1.0, -0.7071)
    found = find_silence(sound, 0.5)
    assert [start_s for start_s, _ in found] == [0, Fraction(162, 100)]
    assert found[-1][1] == sound.duration_s


@pytest.mark.parametrize(("noise_db", "voice_db"), [(-80, -45), (-40, -10), (-55, -25)])
def test_the_voice_says_how_loud_silence_is(noise_db, voice_db):
    sound = speech(1.0, -0.8, 1.0, noise_db=noise_db, voice_db=voice_db)
    assert seconds(find_silence(sound, 0.5)) == [(1.0, 1.8)]


def test_a_sound_of_nothing_is_one_silence():
    nothing = Waveform(np.zeros(RATE_HZ, np.float32), RATE_HZ)
    assert seconds(find_silence(nothing, 0.5)) == [(0.0, 1.0)]


@pytest.mark.parametrize("n_samples", [0, 1, 319])
def test_a_sound_shorter_than_a_window_has_no_silence(n_samples):
    assert find_silence(Waveform(np.zeros(n_samples, np.float32), RATE_HZ), 0.1) == ()


def test_steady_noise_as_loud_as_speech_is_no_silence():
    assert find_silence(speech(3.0), 0.5) == ()


def test_hushing_takes_the_noise_and_leaves_the_voice_bit_for_bit():
    sound = speech(1.0, -1.0, 1.0, noise_db=-50)
    hushed = hush(sound, find_silence(sound, 0.5))
    voice, pause = slice(0, RATE_HZ), slice(int(1.2 * RATE_HZ), int(1.8 * RATE_HZ))
    assert np.array_equal(hushed.samples[voice], sound.samples[voice])
    assert not hushed.samples[pause].any()
    assert len(hushed.samples) == len(sound.samples)


def test_without_silences_nothing_is_copied():
    sound = speech(1.0)
    assert hush(sound, ()) is sound


def test_lips_belong_to_the_voice_outside_and_to_nobody_inside():
    share = voice_share(np.array([0.5, 1.0, 1.05, 1.5, 1.95, 2.5]), ((1, 2),), 3.0)
    assert share.tolist() == [1, 1, 1, 0, 1, 1]


def test_a_silence_that_begins_or_ends_the_sound_has_no_edge_there():
    share = voice_share(np.array([0.0, 2.999]), ((0, 1), (2, 3)), 3.0)
    assert share.tolist() == [0, 0]


@settings(deadline=None)
@given(st.integers(5, 400), st.integers(10, 120))
def test_a_share_never_jumps_and_always_lets_go(n_hundredths, fps):
    stop_s = 1 + Fraction(n_hundredths, 100)
    times_s = np.arange(0, 7, 1 / fps)
    share = voice_share(times_s, ((Fraction(1), stop_s),), 7.0)
    fade_s = float(min(Fraction(1, 5), (stop_s - 1) / 4))
    assert np.abs(np.diff(share)).max() <= 1.5 / fps / fade_s + 1e-6  # an ease is 1.5 times a ramp
    middle = voice_share(np.array([float(1 + stop_s) / 2]), ((Fraction(1), stop_s),), 7.0)
    assert middle[0] == 0
