import numpy as np
import pytest
from drawn_talker import talker

from heygemd.lips.warp import teeth

LIPS = 120.0  # grey


def seen(rows):
    """(18, 9) of six rows of grey, or of six rows for each way across."""
    return np.repeat(np.broadcast_to(np.array(rows, np.float32).T, (9, 6)).T, 3, axis=0)


@pytest.mark.parametrize(
    ("rows", "shares"),
    [
        ([200, 200, 200, 30, 30, 30], (0.55, teeth.LOWER)),
        ([200] * 6, (teeth.ALL, 0.03)),
        ([200, 30, 30, 180, 180, 150], (0.22, 0.55)),
        ([20] * 6, (teeth.NONE, teeth.LOWER)),
        ([20, 20, 20, 20, 180, 180], (teeth.NONE, 0.38)),
        ([20, 20, 180, 180, 180, 60], (teeth.NONE, 0.72)),
    ],
)
def test_teeth_reach_as_far_from_either_lip_as_the_bright_does(rows, shares):
    upper, lower = teeth.ends(seen(rows), LIPS)

    np.testing.assert_allclose(upper, shares[0], atol=0.05)
    np.testing.assert_allclose(lower, shares[1], atol=0.05)


def test_what_is_as_bright_as_lips_all_over_is_teeth_however_dim_the_light():
    shaded = [52, 59, 60, 54, 46, 58]

    assert teeth.ends(seen(shaded), 70.0)[0] == pytest.approx(teeth.ALL)
    assert teeth.ends(seen(shaded), 150.0)[0] == pytest.approx(teeth.NONE)


def test_lips_are_as_bright_as_they_are_drawn():
    clip, track = talker([0.25])
    points = track.points[0, :468, :2]

    assert teeth.lip_level(np.full_like(clip.frames[0], 77), points) == pytest.approx(77)


def test_a_long_tooth_at_the_side_is_not_cut_where_those_in_the_middle_end():
    rows = np.array([[200, 200, 200, 30, 30, 30]] * 7 + [[200, 200, 200, 200, 30, 30]] * 2).T

    upper, _ = teeth.ends(seen(rows), LIPS)

    assert upper[:6] == pytest.approx(0.55, abs=0.05)
    assert upper[7:] == pytest.approx(0.72, abs=0.05)


def test_a_gap_between_two_teeth_does_not_cut_them_short():
    rows = np.array([[200, 200, 200, 30, 30, 30]] * 9).T
    rows[1:3, 4] = 30

    upper, _ = teeth.ends(seen(rows), LIPS)

    assert upper == pytest.approx(0.55, abs=0.05)


def test_in_the_shade_of_the_cheeks_teeth_end_where_the_next_ones_do():
    rows = np.array([[200, 200, 200, 200, 30, 30]] * 6 + [[40] * 6] * 3).T

    upper, _ = teeth.ends(seen(rows), LIPS)

    assert upper == pytest.approx(0.72, abs=0.05)


def test_lower_teeth_dimmer_than_the_upper_ones_are_seen_beneath_the_dark():
    rows = np.array([[220, 220, 30, 30, 130, 130]] * 9).T

    upper, lower = teeth.ends(seen(rows), LIPS)

    assert upper == pytest.approx(0.38, abs=0.05)
    assert lower == pytest.approx(0.38, abs=0.05)


def test_both_rows_of_teeth_never_fill_more_than_the_gap():
    rows = np.random.default_rng(1).uniform(0, 255, (200, 6, 9))

    filled = [np.add(*teeth.ends(seen(some), LIPS)) for some in rows]

    assert np.max(filled) <= 0.95 + 1e-6


def test_the_inside_is_looked_at_between_the_lips():
    clip, track = talker([0.25])
    points = track.points[0, :468, :2]

    grey = teeth.inside(clip.frames[0], points)

    assert grey.shape == (teeth.N_PLACES, 9)
    assert teeth.rows(grey).shape == (6, 9)
    assert grey[:, 4].min() < 0.5 * clip.frames[0].mean()
