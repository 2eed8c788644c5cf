from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.lips.warp import retrieve

SEEDS = st.integers(0, 2**32 - 1)
FRONT = np.array([0.0, 0.0, 1.0], np.float32)


def mouths(apertures, coefs=None, parted=None, thick=None):
    n = len(apertures)
    coefs = np.zeros((n, 3)) if coefs is None else np.asarray(coefs)
    rows = (apertures, parted or apertures, thick or [0.3] * n)
    floats = (np.asarray(row, np.float32) for row in rows)
    return retrieve.Mouths(coefs.astype(np.float32), *floats, np.tile(FRONT, (n, 1)))


def looks(n, *, inside=None, colours=None, **given):
    """Mouths of which nothing is said but what is given."""
    rows = {
        name: np.asarray(given.get(name, np.zeros(n)), np.float32)
        for name in ("blur", "flesh", "rush", "odd")
    }
    for name, row in (("inside", inside), ("colours", colours)):
        rows[name] = np.asarray(np.zeros((n, 2)) if row is None else row, np.float32)
    return retrieve.Looks(**rows)


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.integers(1, 5), st.integers(1, 4))
def test_the_cheapest_path_is_the_one_that_trying_all_finds(seed, n_steps, n_choices):
    rng = np.random.default_rng(seed)
    fit = rng.uniform(0, 5, (n_steps, n_choices)).astype(np.float32)
    switch = rng.uniform(0, 3, (n_choices, n_choices)).astype(np.float32)

    def cost(path):
        return sum(fit[t, p] for t, p in enumerate(path)) + sum(
            switch[a, b] for a, b in pairwise(path)
        )

    best = min(cost(path) for path in product(range(n_choices), repeat=n_steps))

    assert cost(retrieve.cheapest_path(fit, switch)) == pytest.approx(best, rel=1e-5)


def test_an_open_mouth_is_not_made_of_a_closed_one():
    costs = retrieve.fit_costs(mouths([0.2]), mouths([0.02, 0.15]), looks(2))

    assert costs[0, 1] + 0.9 * retrieve.STRETCH_COST < costs[0, 0]


def test_a_gap_that_looks_like_lips_is_not_borrowed_for_an_open_mouth():
    chosen = retrieve.choose(
        mouths([0.15] * 3), mouths([0.15, 0.12]), looks(2, flesh=[0.7, 0.1]), np.array([0, 9])
    )

    assert (chosen == 1).all()


def test_of_two_mouths_the_one_that_does_not_snap_shut_is_borrowed():
    rushing = looks(2, rush=[0.1, 0.01])

    chosen = retrieve.choose(mouths([0.15] * 3), mouths([0.15, 0.14]), rushing, np.array([0, 9]))

    assert (chosen == 1).all()


def test_lips_that_touch_are_trusted_however_fast_they_move():
    rushing, offered = looks(2, rush=[0.1, 0.01]), mouths([0.0, 0.01], parted=[0.0, 0.02])

    assert retrieve.fit_costs(mouths([0.0]), offered, rushing).argmin() == 0


def test_closed_lips_are_borrowed_where_no_dark_shows_between_them():
    offered = mouths([0.0, 0.0], parted=[0.05, 0.0])

    chosen = retrieve.choose(mouths([0.0] * 3), offered, looks(2), np.array([0, 9]))

    assert (chosen == 1).all()


def test_a_leak_does_not_matter_to_an_open_mouth():
    offered = mouths([0.2, 0.2], parted=[0.25, 0.0])

    costs = retrieve.fit_costs(mouths([0.2]), offered, looks(2))

    assert costs[0, 0] == pytest.approx(costs[0, 1])


def test_lips_that_shall_part_a_little_are_not_made_of_pressed_ones():
    wanted = mouths([0.023], parted=[0.021])
    offered = mouths([0.0, 0.021], parted=[0.0, 0.03])

    assert retrieve.fit_costs(wanted, offered, looks(2)).argmin() == 1


def test_lips_that_shall_part_are_made_of_wider_ones_rather_than_of_some_that_hardly_part():
    wanted = mouths([0.05], parted=[0.05])
    offered = mouths([0.028, 0.1], parted=[0.03, 0.11])

    assert retrieve.fit_costs(wanted, offered, looks(2)).argmin() == 1


def test_lips_that_look_closed_are_not_parted_but_kept_closed():
    offered = mouths([0.015, 0.07], parted=[0.02, 0.08])
    costs = retrieve.fit_costs(
        mouths([0.04, 0.02], parted=[0.038, 0.002]), offered, looks(2, flesh=[0.5, 0.0])
    )

    assert costs.argmin(axis=1).tolist() == [1, 0]


def test_pressed_lips_are_not_drawn_high():
    wanted, offered = mouths([0.02], thick=[0.3]), mouths([0.02, 0.03], thick=[0.2, 0.28])

    assert retrieve.fit_costs(wanted, offered, looks(2)).argmin() == 1


def test_a_mouth_that_looks_odd_is_borrowed_only_where_no_other_is_like_it():
    offered, odd = mouths([0.15, 0.16, 0.0]), looks(3, odd=[0.2, 0.0, 0.0])

    assert retrieve.fit_costs(mouths([0.15]), offered, odd).argmin() == 1
    alone = mouths([0.15, 0.0])
    assert retrieve.fit_costs(mouths([0.15]), alone, looks(2, odd=[0.2, 0.0])).argmin() == 0


def test_sharp_keys_win_over_blurred_ones():
    costs = retrieve.fit_costs(mouths([0.1]), mouths([0.1, 0.1]), looks(2, blur=[0.0, 0.9]))

    assert costs[0, 0] < costs[0, 1]


def test_playing_on_costs_nothing_and_jumping_does():
    costs = retrieve.switch_costs(mouths([0.1] * 3), looks(3), np.array([4, 5, 40]))

    assert costs[0, 0] == costs[0, 1] == 0.0
    assert costs[0, 2] > 0.0
    assert costs[1, 0] > 0.0


def test_a_jump_between_unlike_insides_costs_more_where_it_can_be_seen():
    inside = [[0, 0], [200, 200], [0, 0]]
    wide = retrieve.switch_costs(mouths([0.2] * 3), looks(3, inside=inside), np.array([0, 9, 18]))
    shut = retrieve.switch_costs(mouths([0.0] * 3), looks(3, inside=inside), np.array([0, 9, 18]))

    assert wide[0, 1] > wide[0, 2]
    assert shut[0, 1] == shut[0, 2]


def test_teeth_do_not_come_and_go_for_a_slightly_better_fit():
    wanted, offered = mouths([0.10, 0.155] * 4), mouths([0.10, 0.155])
    unlike = looks(2, inside=[[20, 20], [50, 50]])

    chosen = retrieve.choose(wanted, offered, unlike, np.array([0, 9]))

    assert len(set(chosen.tolist())) == 1


def test_lips_do_not_flash_for_a_slightly_better_fit():
    wanted, offered = mouths([0.15, 0.0] * 3), mouths([0.15, 0.0, 0.012])
    frames = np.array([0, 9, 18])
    wet = looks(3, colours=[[-0.5, -0.5], [-0.2, -0.2], [-0.5, -0.5]])

    assert retrieve.choose(wanted, offered, looks(3), frames).tolist() == [0, 1] * 3
    assert retrieve.choose(wanted, offered, wet, frames).tolist() == [0, 2] * 3


def test_costs_are_the_same_in_pieces(monkeypatch):
    rng = np.random.default_rng(1)
    wanted, offered = mouths(rng.uniform(0, 0.3, 50)), mouths(rng.uniform(0, 0.3, 8))
    frames = np.arange(8) * 5
    whole = retrieve.choose(wanted, offered, looks(8), frames)
    monkeypatch.setattr(retrieve, "_CHUNK", 7)

    np.testing.assert_array_equal(retrieve.choose(wanted, offered, looks(8), frames), whole)


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.integers(1, 30), st.integers(1, 40))
def test_the_farthest_rows_are_distinct_and_rising(seed, n_rows, n_wanted):
    rows = np.random.default_rng(seed).normal(size=(n_rows, 3)).astype(np.float32)

    taken = retrieve.farthest(rows, n_wanted)

    assert len(taken) == min(n_rows, n_wanted)
    assert (np.diff(taken) > 0).all()


def test_far_rows_come_before_near_ones():
    rows = np.array([[0.0], [0.01], [0.02], [5.0], [-5.0]], np.float32)

    assert {3, 4} <= set(retrieve.farthest(rows, 3).tolist())


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=30))
def test_shares_sum_to_one_and_the_larger_comes_first(path):
    keys, shares = retrieve.cross_fade(np.array(path), np.arange(7) * 10, np.zeros(7))

    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert (shares[:, 0] >= shares[:, 1]).all()
    np.testing.assert_array_equal(keys[:, 0], path)


def test_neighbouring_frames_play_on_without_a_fade():
    _, shares = retrieve.cross_fade(np.array([0, 1, 2]), np.array([10, 11, 12]), np.zeros(3))

    assert (shares[:, 1] == 0).all()


def test_an_open_mouth_does_not_shine_through_a_closed_one():
    _, shares = retrieve.cross_fade(
        np.array([0, 1, 2]), np.array([10, 20, 30]), np.array([0.0, 0.12, 0.15])
    )

    assert shares[0, 1] == 0
    assert (shares[1:, 1] > 0).all()
