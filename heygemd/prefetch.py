"""Run an iterator one thread ahead of its consumer: the only module that starts media threads."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_POLL_S = 0.1  # how long a blocked producer takes to notice that nobody wants more


@dataclass(frozen=True, slots=True)
class _Raised:
    """An error on its way from the producer to the consumer."""

    error: BaseException


class _End:
    """The producer has no more."""


@contextmanager
def prefetch(items: Iterable[T], depth: int = 1) -> Iterator[Iterator[T]]:
    """Produce ``items`` up to ``depth`` ahead of the ``with`` block.

    An error in ``items`` is raised in the block, where the item was due. When the block ends, for
    any reason, the thread is joined and ``items`` is closed in that thread, so no file handle and
    no ffmpeg outlives the block.

    Args:
        items: what to drive; a generator is closed at the end.
        depth: items held at most, at least 1.
    """
    if depth < 1:
        raise ValueError(f"depth {depth}, want at least 1")
    line: queue.Queue[T | _Raised | _End] = queue.Queue(maxsize=depth)
    stopped = threading.Event()
    offer = _offer_to(line, stopped)
    # A new thread starts with an empty context: carry structlog's job and clip over.
    run = contextvars.copy_context().run
    thread = threading.Thread(target=run, args=(_produce, items, offer), name="prefetch")
    thread.start()
    try:
        yield _consume(line)
    finally:
        stopped.set()
        thread.join()


def _offer_to(
    line: queue.Queue[T | _Raised | _End], stopped: threading.Event
) -> Callable[[T | _Raised | _End], bool]:
    def offer(entry: T | _Raised | _End) -> bool:
        """Wait for room; False when the consumer has gone."""
        while not stopped.is_set():
            try:
                line.put(entry, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False

    return offer


def _produce(items: Iterable[T], offer: Callable[[T | _Raised | _End], bool]) -> None:
    source = iter(items)
    try:
        while offer(next(source)):
            pass
    except StopIteration:
        offer(_End())
    except BaseException as error:  # noqa: BLE001 - raised again in the consumer
        offer(_Raised(error))
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()


def _consume(line: queue.Queue[T | _Raised | _End]) -> Iterator[T]:
    while True:
        entry = line.get()
        if isinstance(entry, _End):
            return
        if isinstance(entry, _Raised):
            raise entry.error
        yield entry
        del entry  # it is the consumer's; waiting for the next must not keep it
