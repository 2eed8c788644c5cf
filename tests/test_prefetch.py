"""Prefetch: in order, one ahead, and never a hang, whoever fails."""

import threading
import weakref

import pytest
import structlog
from structlog.contextvars import bound_contextvars, get_contextvars

from heygemd.prefetch import prefetch


def numbers(n, closed=None):
    try:
        yield from range(n)
    finally:
        if closed is not None:
            closed.set()


def test_items_come_in_order_and_all():
    with prefetch(numbers(100)) as items:
        assert list(items) == list(range(100))


def test_an_error_in_the_source_is_raised_where_its_item_was_due():
    def source():
        yield 1
        raise RuntimeError("broken")

    got = []
    with pytest.raises(RuntimeError, match="broken"), prefetch(source()) as items:
        for item in items:
            got.append(item)  # noqa: PERF402 - the items before the error count
    assert got == [1]


def test_an_error_in_the_consumer_closes_the_source():
    closed = threading.Event()

    def consume():
        with prefetch(numbers(10**9, closed)) as items:
            for _ in items:
                raise KeyError("consumer")

    with pytest.raises(KeyError):
        consume()
    assert closed.is_set()


def test_leaving_early_closes_the_source():
    closed = threading.Event()
    with prefetch(numbers(10**9, closed)) as items:
        next(items)
    assert closed.is_set()


def test_an_error_in_the_middle_of_a_chain_reaches_the_end_and_closes_the_start():
    closed = threading.Event()

    def doubled(items):
        for item in items:
            if item == 5:
                raise ValueError("middle")
            yield 2 * item

    with (
        pytest.raises(ValueError, match="middle"),
        prefetch(numbers(10**9, closed)) as first,
        prefetch(doubled(first)) as second,
    ):
        list(second)
    assert closed.is_set()


def test_no_thread_outlives_the_block():
    with prefetch(numbers(10**9)) as items:
        next(items)
    assert "prefetch" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_no_more_than_depth_items_are_made_ahead(depth):
    made = []
    enough = threading.Event()

    def source():
        for n in range(1000):
            made.append(n)
            if len(made) == depth + 1:  # the line is full and one is in hand
                enough.set()
            yield n

    with prefetch(source(), depth=depth) as items:
        assert enough.wait(10)
        assert next(items) == 0
        assert len(made) <= depth + 2


def test_what_the_consumer_lets_go_is_gone_while_it_waits_for_the_next():
    class Item:
        pass

    gone = threading.Event()

    def source():
        yield Item()
        yield gone.wait(5)

    with prefetch(source()) as items:
        item = next(items)
        weakref.finalize(item, gone.set)
        del item
        assert next(items)


def test_the_log_context_is_carried_into_the_thread():
    def source():
        yield get_contextvars()

    structlog.contextvars.clear_contextvars()
    with bound_contextvars(job="lesson"), prefetch(source()) as items:
        assert next(items) == {"job": "lesson"}


def test_a_depth_of_zero_is_refused():
    with pytest.raises(ValueError, match="depth 0, want at least 1"), prefetch([], depth=0):
        pass
