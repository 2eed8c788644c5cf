"""Errands aside: one at a time, nobody waits, no error is lost."""

import threading

import pytest
from structlog.contextvars import bound_contextvars, get_contextvars

from heygemd.aside import AtOnce, Helper


@pytest.fixture
def gate():
    """Errands that wait for it hang until it opens."""
    gate = threading.Event()
    yield gate
    gate.set()


def test_an_errand_that_hangs_does_not_hold_up_whoever_asked(gate):
    helper = Helper("errand")
    helper.run(gate.wait)
    assert helper.busy


def test_waiting_takes_until_the_errand_is_over(gate):
    helper, done = Helper("errand"), []
    helper.run(lambda: (gate.wait(), done.append(1)))
    gate.set()
    helper.wait()
    assert done == [1]
    assert not helper.busy


def test_what_an_errand_raised_is_raised_once_where_it_is_waited_for():
    helper = Helper("errand")
    helper.run(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        helper.wait()
    helper.wait()


def test_what_an_errand_raised_does_not_stay_unseen_when_the_next_begins():
    helper, begun = Helper("errand"), []
    helper.run(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        helper.run(lambda: begun.append(1))
    assert begun == []


def test_an_errand_knows_whose_clip_it_is_about():
    helper, seen = Helper("errand"), []
    with bound_contextvars(clip="anna.mp4"):
        helper.run(lambda: seen.append(get_contextvars()["clip"]))
    helper.wait()
    assert seen == ["anna.mp4"]


def test_at_once_is_over_when_it_returns():
    done = []
    AtOnce().run(lambda: done.append(1))
    assert done == [1]
    assert not AtOnce().busy
