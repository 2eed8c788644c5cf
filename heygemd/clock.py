"""Wall seconds that the stages of one clip take."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class StageClock:
    """Seconds per stage; decode and lips run beside render and lie within it."""

    _spent_s: dict[str, float] = field(default_factory=dict)
    _started_s: float = field(default_factory=time.monotonic)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block."""
        start_s = time.monotonic()
        try:
            yield
        finally:
            self._spent_s[name] = self._spent_s.get(name, 0.0) + time.monotonic() - start_s

    def timed(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """Time what it takes to produce each item."""
        source = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(source)
                except StopIteration:
                    return
            yield item

    def timings_s(self) -> dict[str, float]:
        """Seconds by stage, and ``total``."""
        return {**self._spent_s, "total": time.monotonic() - self._started_s}
