"""Memory shared by clips that are under way at the same time."""

import threading

import pytest

from heygemd.budget import Budget
from heygemd.errors import TransientError


def never():
    return False


def test_what_fits_together_is_held_together():
    budget = Budget(100)
    with budget.hold(60, never), budget.hold(40, never):
        pass


def test_one_alone_may_take_more_than_there_is():
    with Budget(100).hold(1000, never):
        pass


def test_without_a_number_nothing_is_counted():
    budget = Budget()
    with budget.hold(1 << 60, never), budget.hold(1 << 60, never):
        pass


def test_what_does_not_fit_waits_until_others_have_ended():
    budget, order = Budget(100), []
    waits = threading.Event()

    def second():
        def stopped():
            waits.set()
            return False

        with budget.hold(50, stopped):
            order.append("second")

    thread = threading.Thread(target=second)
    with budget.hold(60, never):
        thread.start()
        assert waits.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_who_waits_heeds_a_stop_and_holds_nothing():
    budget = Budget(100)
    with budget.hold(60, never):
        with pytest.raises(TransientError) as stop, budget.hold(50, lambda: True):
            pass
        assert stop.value.reason == "stopped"
        with budget.hold(40, never):
            pass


def test_what_a_failed_block_held_is_free_again():
    budget = Budget(100)
    with pytest.raises(KeyError), budget.hold(100, never):
        raise KeyError
    with budget.hold(100, never):
        pass
