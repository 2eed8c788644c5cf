"""What a clip's record says of silences, length and gaps is what was done."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.media.timeline import lay_timeline
from heygemd.outcome import ranges, runs_of, silent_frames

FPS = Fraction(25)


def line(n_source, n_out, policy="pingpong"):
    return lay_timeline(n_source, FPS, Fraction(n_out, 25), policy)


def test_ranges_hold_their_first_and_last_frame():
    assert ranges(np.array([1, 1, 0, 1, 0, 0, 1], bool)) == ((0, 1), (3, 3), (6, 6))


def test_frames_of_a_silence_lie_wholly_in_it():
    found = silent_frames(
        ((Fraction(1, 10), Fraction(31, 100)), (Fraction(1), Fraction(2))), line(9, 40)
    )
    assert found == ((3, 6), (25, 39))


def test_a_silence_shorter_than_a_frame_holds_none():
    assert silent_frames(((Fraction(1, 50), Fraction(1, 20)),), line(9, 40)) == ()


@pytest.mark.parametrize(
    ("policy", "runs"),
    [
        ("pingpong", ((0, 3, 0, 3), (4, 6, 2, 0), (7, 9, 1, 3))),
        ("loop", ((0, 3, 0, 3), (4, 7, 0, 3), (8, 9, 0, 1))),
        ("freeze", ((0, 3, 0, 3), (4, 9, 3, 3))),
    ],
)
def test_runs_say_what_the_length_policy_did(policy, runs):
    assert runs_of(line(4, 10, policy)) == runs


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 200), st.sampled_from(["pingpong", "loop", "freeze"]))
def test_the_timeline_can_be_made_again_from_its_runs(n_source, n_out, policy):
    timeline = line(n_source, n_out, policy)
    rebuilt = [
        np.linspace(low, high, last - first + 1).round().astype(int)
        for first, last, low, high in runs_of(timeline)
    ]
    assert np.array_equal(np.concatenate(rebuilt), timeline.source)
