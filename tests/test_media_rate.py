"""One constant rate stands for a clip's time stamps, and it is a sane fraction."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.media.rate import FASTEST, SLOWEST, STANDARD_RATES, constant_rate, is_steady

MILLI = Fraction(1, 1000)  # Matroska's clock
NTSC = Fraction(30000, 1001)


def gaps_on_a_clock(fps, n_frames, tick_s=MILLI):
    """Gaps between frames whose time stamps are rounded to the clock."""
    stamps = [round(n / fps / tick_s) * tick_s for n in range(n_frames)]
    gaps = [after - before for before, after in pairwise(stamps)]
    return [(gap, gaps.count(gap)) for gap in sorted(set(gaps))]


@pytest.mark.parametrize("fps", [rate for rate in STANDARD_RATES if rate >= 5])
def test_a_standard_rate_survives_a_clock_of_milliseconds(fps):
    assert constant_rate(gaps_on_a_clock(fps, 250), MILLI, []) == fps


def test_a_declared_rate_settles_what_few_time_stamps_leave_open():
    three_frames = gaps_on_a_clock(NTSC, 3)

    assert constant_rate(three_frames, MILLI, [NTSC]) == NTSC


def test_a_rate_within_a_thousandth_of_a_standard_one_becomes_it():
    measured = Fraction(29975, 1000)

    assert constant_rate([(1 / measured, 100)], Fraction(1, 90000), []) == NTSC


def test_an_odd_steady_rate_stays_exactly_what_it_is():
    fps = Fraction(179, 6)

    assert constant_rate([(1 / fps, 100)], Fraction(1, 11456), [fps]) == fps


def test_a_changing_rate_becomes_its_average():
    ten_then_thirty = [(Fraction(1, 10), 50), (Fraction(1, 30), 50)]

    assert constant_rate(ten_then_thirty, Fraction(1, 90000), []) == 15


def test_an_average_near_no_standard_becomes_a_simple_fraction():
    phone = [(Fraction(1, 30), 86), (Fraction(2, 30), 48)]

    assert constant_rate(phone, Fraction(1, 15360), [Fraction(1350, 61)]) == Fraction(221, 10)


def test_a_few_missing_frames_do_not_change_a_steady_rate():
    assert constant_rate([(Fraction(1, 30), 95), (Fraction(1, 6), 5)], MILLI, []) == 30


def test_a_rate_that_nobody_can_mean_is_not_believed():
    gaps = gaps_on_a_clock(Fraction(25), 100)

    assert constant_rate(gaps, MILLI, [Fraction(1000)]) == 25


def test_a_single_frame_takes_the_declared_rate_else_25():
    assert constant_rate([], MILLI, [Fraction(50)]) == 50
    assert constant_rate([], MILLI, []) == 25


gaps_in_ticks = st.lists(st.tuples(st.integers(-90_000, 10**9), st.integers(1, 10_000)), max_size=4)
ratios = st.tuples(st.integers(0, 10**6), st.integers(1, 10**6))


@settings(max_examples=50, deadline=None)
@given(gaps_in_ticks, st.lists(ratios, max_size=2))
def test_whatever_the_time_stamps_the_rate_is_fit_for_a_header(ticks, declared):
    gaps = [(Fraction(n_ticks, 90_000), count) for n_ticks, count in ticks]
    rate = constant_rate(gaps, Fraction(1, 90_000), [Fraction(*pair) for pair in declared])

    assert SLOWEST <= rate <= FASTEST
    assert rate.denominator <= 1001


def test_rounding_to_a_clock_is_no_variable_rate():
    assert is_steady(gaps_on_a_clock(NTSC, 100), NTSC, MILLI)


def test_a_missing_frame_is_a_variable_rate():
    assert not is_steady([(Fraction(1, 25), 50), (Fraction(2, 25), 1)], Fraction(25), MILLI)
