import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.faces.smooth import fill_gaps, runs, smooth, steady

NAN = np.nan


def column(*values):
    return np.array(values, dtype=np.float32)[:, None]


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.booleans(), max_size=30))
def test_runs_cover_exactly_the_true_rows(present):
    covered = [
        at for start, stop in runs(np.array(present, dtype=bool)) for at in range(start, stop)
    ]
    assert covered == [at for at, there in enumerate(present) if there]


def test_a_short_gap_is_filled_by_a_straight_line():
    assert fill_gaps(column(0, NAN, NAN, 3), 2)[:, 0].tolist() == [0, 1, 2, 3]


def test_a_gap_longer_than_allowed_stays():
    assert np.isnan(fill_gaps(column(0, NAN, NAN, 3), 1)[1:3]).all()


def test_gaps_at_the_ends_stay():
    filled = fill_gaps(column(NAN, 1, NAN), 8)
    assert np.isnan(filled[[0, 2]]).all()


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(0, 2), st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.integers(9, 30))
def test_polynomials_up_to_the_order_pass_unchanged_ends_included(order, factors, n_rows):
    t = np.arange(n_rows) / 10
    rows = sum(factor * t**power for power, factor in enumerate(factors[: order + 1]))
    rows = np.asarray(rows * np.ones(n_rows), dtype=np.float32)[:, None]
    assert np.allclose(smooth(rows, 9, order), rows, atol=1e-3)


def test_noise_becomes_smaller_by_what_theory_says():
    noise = np.random.default_rng(1).normal(size=(20_000, 1)).astype(np.float32)
    assert smooth(noise, 5, 2).std() == pytest.approx(np.sqrt(17 / 35), abs=0.01)


def test_a_gap_parts_the_series():
    steps = column(*[0] * 6, NAN, *[9] * 6)
    assert np.nan_to_num(smooth(steps, 5, 2), nan=-1)[:, 0] == pytest.approx(
        [0] * 6 + [-1] + [9] * 6, abs=1e-4
    )


def test_a_run_shorter_than_the_window_stays_as_it_is():
    rows = column(1, 5, 2)
    assert (smooth(rows, 5, 2) == rows).all()


def test_points_are_smoothed_like_single_numbers():
    rows = np.random.default_rng(2).normal(size=(12, 4, 3)).astype(np.float32)
    one = smooth(rows[:, 1, 2:], 5, 2)
    assert np.allclose(smooth(rows, 5, 2)[:, 1, 2:], one, atol=1e-6)


def test_no_rows_are_no_trouble():
    empty = np.empty((0, 478, 3), dtype=np.float32)
    assert smooth(fill_gaps(empty, 8), 5, 2).shape == empty.shape


def shifts(*values):
    """One point that lies so far to the right in each frame, px."""
    return np.stack([np.array(values, np.float32), np.zeros(len(values), np.float32)], 1)[:, None]


def test_small_shifts_are_smoothed_and_large_ones_kept():
    size_px = np.full(9, 100, np.float32)
    small, large = shifts(*[0.0] * 4, 0.1, *[0.0] * 4), shifts(*[0.0] * 4, 10.0, *[0.0] * 4)

    calmed, kept = (steady(rows, 5, 2, (0.003, 0.0075), size_px) for rows in (small, large))

    np.testing.assert_allclose(calmed, smooth(small, 5, 2), atol=1e-6)
    np.testing.assert_allclose(kept, large, atol=1e-6)


def test_points_of_frames_without_a_face_stay_nan():
    rows = shifts(*range(6), NAN, *range(6))

    calmed = steady(rows, 5, 2, (0.003, 0.0075), np.full(13, 100, np.float32))

    assert np.isnan(calmed[:, 0, 0]).tolist() == np.isnan(rows[:, 0, 0]).tolist()
