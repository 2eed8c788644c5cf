"""Picture and sound stay together, measured in the output: flashes against beeps."""

from fractions import Fraction

import flashes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.media.timeline import lay_timeline

HOUR_S = 3600
RATES = [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(50), Fraction(60)]


@pytest.mark.timeout(120)  # six short films on a busy machine
@pytest.mark.parametrize("rate", flashes.RATES)
def test_flashes_stay_with_their_beeps_to_the_last(tmp_path, rate):
    fps, _, late_ms = flashes.measure(tmp_path, rate, 21, 5)
    frame_ms = float(1000 / fps)
    assert len(late_ms) == 5
    assert np.abs(late_ms).max() <= frame_ms + 5  # a beep is found to 5 ms
    assert abs(late_ms[-1] - late_ms[0]) < frame_ms


@pytest.mark.parametrize("fps", [*RATES, Fraction(183, 8), Fraction(221, 10)])
def test_every_frame_of_an_hour_stands_within_one_frame_of_its_moment(fps):
    n_source = int(HOUR_S * fps) + 1
    timeline = lay_timeline(n_source, fps, Fraction(HOUR_S), "freeze")
    shown_s = [Fraction(k) / fps for k in (0, timeline.n_frames // 2, timeline.n_frames - 1)]
    source_s = [
        Fraction(int(timeline.source[k])) / fps
        for k in (0, timeline.n_frames // 2, timeline.n_frames - 1)
    ]
    assert shown_s == source_s
    assert abs(timeline.n_frames / fps - HOUR_S) <= Fraction(1, 2) / fps


@settings(deadline=None)
@given(st.integers(1, 7200), st.sampled_from(RATES))
def test_the_length_of_any_output_is_right_to_half_a_frame_however_long(seconds, fps):
    timeline = lay_timeline(7, fps, Fraction(seconds), "loop")
    assert abs(timeline.n_frames / fps - seconds) <= Fraction(1, 2) / fps
