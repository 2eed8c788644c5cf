"""Memory that clips under way share, so that two of them never take more than there is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from heygemd.errors import TransientError

_POLL_S = 0.1  # how long one that waits takes to notice that it is to stop


class Budget:
    """So many bytes; one alone may exceed them, for what is too much together may still fit alone.

    Args:
        n_bytes: None counts none.
    """

    def __init__(self, n_bytes: int | None = None) -> None:
        self.n_bytes = n_bytes
        self._held: list[int] = []
        self._freed = threading.Condition()

    @contextmanager
    def hold(self, n_bytes: int, stopped: Callable[[], bool]) -> Iterator[None]:
        """Keep so many bytes for the block; wait until others have left them.

        Args:
            n_bytes: at the peak.
            stopped: asked while it waits.

        Raises:
            TransientError: ``stopped``, while it waited.
        """
        with self._freed:
            while not self._fits(n_bytes):
                if stopped():
                    raise TransientError("a stop was asked for before a clip began", code="stopped")
                self._freed.wait(_POLL_S)
            self._held.append(n_bytes)
        try:
            yield
        finally:
            with self._freed:
                self._held.remove(n_bytes)
                self._freed.notify_all()

    def _fits(self, n_bytes: int) -> bool:
        return not self._held or self.n_bytes is None or sum(self._held) + n_bytes <= self.n_bytes
