"""Frames are laid under the sound without drift, and each policy keeps its word."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.errors import MediaError
from heygemd.media.timeline import count_frames, lay_timeline

RATES = [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(50), Fraction(60)]
policies = st.sampled_from(["pingpong", "loop", "freeze", "trim"])
lengths = st.fractions(Fraction(1, 16000), 3600, max_denominator=16000)
rates = st.sampled_from([*RATES, Fraction(221, 10), Fraction(60000, 1001)])


def source(n_source, n_out, policy):
    return lay_timeline(n_source, Fraction(25), Fraction(n_out, 25), policy).source.tolist()


@pytest.mark.parametrize("fps", RATES)
def test_an_hour_of_sound_drifts_by_less_than_a_frame(fps):
    hour = lay_timeline(1000, fps, Fraction(3600), "pingpong")

    assert abs(hour.n_frames / fps - 3600) * fps < 1


@settings(deadline=None)
@given(lengths, rates, policies, st.integers(1, 500))
def test_output_is_within_half_a_frame_of_the_sound_or_the_clip_trims_it(
    sound_s, fps, policy, n_source
):
    line = lay_timeline(n_source, fps, sound_s, policy)
    wanted_s = min(sound_s, n_source / fps) if policy == "trim" else sound_s

    assert line.n_frames == 1 or abs(line.n_frames / fps - wanted_s) <= Fraction(1, 2) / fps


@settings(deadline=None)
@given(lengths, rates, policies, st.integers(1, 500))
def test_every_index_is_a_frame_of_the_clip_and_the_first_is_its_first(
    sound_s, fps, policy, n_source
):
    frames = lay_timeline(n_source, fps, sound_s, policy).source

    assert frames[0] == 0
    assert frames.min() >= 0
    assert frames.max() < n_source


@settings(deadline=None)
@given(st.integers(2, 60), st.integers(1, 400))
def test_pingpong_moves_by_exactly_one_frame_each_step(n_source, n_out):
    assert set(np.abs(np.diff(source(n_source, n_out, "pingpong")))) <= {1}


def test_pingpong_does_not_double_the_frames_at_its_ends():
    assert source(4, 12, "pingpong") == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1]


def test_loop_starts_over():
    assert source(3, 8, "loop") == [0, 1, 2, 0, 1, 2, 0, 1]


def test_freeze_holds_the_last_frame():
    assert source(3, 6, "freeze") == [0, 1, 2, 2, 2, 2]


def test_trim_ends_with_the_clip():
    assert source(3, 6, "trim") == [0, 1, 2]


def test_error_refuses_a_clip_shorter_than_the_sound():
    with pytest.raises(MediaError, match=r"3 frames .* wants 6") as caught:
        source(3, 6, "error")
    assert caught.value.reason == "clip_too_short"


def test_error_accepts_a_clip_that_is_long_enough():
    assert source(6, 6, "error") == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("policy", ["pingpong", "loop", "freeze", "trim", "error"])
def test_a_longer_clip_ends_with_the_sound(policy):
    assert source(100, 3, policy) == [0, 1, 2]


@pytest.mark.parametrize("policy", ["pingpong", "loop", "freeze"])
def test_a_single_frame_stands_for_the_whole_sound(policy):
    assert source(1, 4, policy) == [0, 0, 0, 0]


def test_a_sound_shorter_than_a_frame_gives_one_frame():
    assert count_frames(Fraction(1, 1000), Fraction(25)) == 1


@pytest.mark.parametrize(
    ("n_source", "fps", "sound_s"), [(0, 25, 1), (1, 0, 1), (1, 25, 0), (1, -25, 1)]
)
def test_nothing_to_lay_is_refused(n_source, fps, sound_s):
    with pytest.raises(ValueError, match="want all above 0"):
        lay_timeline(n_source, Fraction(fps), Fraction(sound_s), "loop")
