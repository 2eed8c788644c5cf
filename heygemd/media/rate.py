"""The constant frame rate that stands for a clip's time stamps: pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

STANDARD_RATES = (
    *(Fraction(n, 1001) for n in (12000, 15000, 24000, 30000, 48000, 60000, 120000)),
    *(Fraction(n) for n in (5, 6, 8, 10, 12, 15, 16, 18, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120)),
    Fraction(25, 2),
)
SNAP = Fraction(1, 1000)  # how far from a standard rate a clock may be
STEADY_SHARE = 0.9  # of the gaps that must agree before a clip counts as constant
STEADY = Fraction(1, 50)  # how far such a gap may be from the median
MAX_DENOMINATOR = 1001
SLOWEST, FASTEST = Fraction(1), Fraction(240)

Gaps = Sequence[tuple[Fraction, int]]
"""Seconds between neighbouring frames, and how often each occurs."""


def constant_rate(gaps: Gaps, tick_s: Fraction, declared: Sequence[Fraction]) -> Fraction:
    """The rate at which a clip is decoded.

    A steady clip keeps its own rate even where a few frames are missing; any other takes its
    average. Either is moved to a declared or a standard rate where time stamps cannot tell them
    apart, else to the simplest fraction within 0.1 %.

    Args:
        gaps: between frames in the order shown; empty for a single frame.
        tick_s: resolution of the time stamps.
        declared: what the container says, best first.

    Returns:
        From 1 to 240 frames a second.
    """
    known = [rate for rate in declared if SLOWEST <= rate <= FASTEST]
    gaps = [(gap_s, count) for gap_s, count in gaps if gap_s > 0]
    if not gaps:
        return snap(known[0], SNAP) if known else Fraction(25)
    steady = _steady(gaps, tick_s)
    is_constant = _count(steady) >= STEADY_SHARE * _count(gaps)
    used = steady if is_constant else gaps
    span_s = sum((gap_s * count for gap_s, count in used), Fraction(0))
    measured = _count(used) / span_s
    slack = max(SNAP, 2 * tick_s / span_s)
    for rate in known:
        if abs(rate - measured) <= slack * measured:
            return snap(rate, SNAP)
    if not is_constant:  # an average is no clock: any fraction near it does
        measured = _simplest(measured, SNAP)
    return min(max(snap(measured, slack), SLOWEST), FASTEST)


def is_steady(gaps: Gaps, fps: Fraction, tick_s: Fraction) -> bool:
    """True where every gap is one frame of ``fps``, as far as time stamps can tell."""
    slack_s = max(STEADY / fps, tick_s)
    return all(abs(gap_s - 1 / fps) <= slack_s for gap_s, _ in gaps)


def snap(rate: Fraction, slack: Fraction) -> Fraction:
    """The nearest standard rate within ``slack`` (a share), else a fraction fit for a header."""
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    if abs(nearest - rate) <= slack * rate:
        return nearest
    if rate.denominator <= MAX_DENOMINATOR:
        return rate
    return _simplest(rate, slack)


def _simplest(rate: Fraction, slack: Fraction) -> Fraction:
    for denominator in range(1, MAX_DENOMINATOR):
        simple = Fraction(round(rate * denominator), denominator)
        if abs(simple - rate) <= slack * rate:
            return simple
    return rate.limit_denominator(MAX_DENOMINATOR)


def _steady(gaps: Gaps, tick_s: Fraction) -> Gaps:
    half, seen = _count(gaps) / 2, 0
    median_s = Fraction(0)
    for gap_s, count in sorted(gaps):
        seen += count
        median_s = gap_s
        if seen >= half:
            break
    slack_s = max(STEADY * median_s, tick_s)
    return [(gap_s, count) for gap_s, count in gaps if abs(gap_s - median_s) <= slack_s]


def _count(gaps: Gaps) -> int:
    return sum(count for _, count in gaps)
