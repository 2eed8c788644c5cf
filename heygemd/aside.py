"""Errands that nobody waits for: what hangs there holds up nothing here."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

Errand = Callable[[], None]


class Aside(Protocol):
    """Runs one errand at a time."""

    @property
    def busy(self) -> bool:
        """Whether the last errand is not over yet."""
        ...

    def run(self, errand: Errand) -> None:
        """Begin an errand; ask ``busy`` first. What the one before raised is raised here."""
        ...

    def wait(self) -> None:
        """Until the last errand is over; what it raised is raised here, once."""
        ...


class AtOnce:
    """In the caller's own thread, over when ``run`` returns."""

    busy = False

    def run(self, errand: Errand) -> None:
        """See ``Aside.run``."""
        errand()

    def wait(self) -> None:
        """See ``Aside.wait``: there is never anything to wait for."""


class Helper:
    """In a thread that ends with the process, whatever it hangs in."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last: Future[None] | None = None

    @property
    def busy(self) -> bool:
        """See ``Aside.busy``."""
        return self._last is not None and not self._last.done()

    def run(self, errand: Errand) -> None:
        """See ``Aside.run``."""
        self.wait()
        self._last = Future()
        carry_out = contextvars.copy_context().run  # structlog's job and clip
        threading.Thread(
            target=carry_out, args=(_carry_out, errand, self._last), name=self._name, daemon=True
        ).start()

    def wait(self) -> None:
        """See ``Aside.wait``."""
        last, self._last = self._last, None
        if last is not None:
            last.result()


def _carry_out(errand: Errand, outcome: Future[None]) -> None:
    try:
        errand()
    except BaseException as error:  # noqa: BLE001 - raised again by whoever asked for it
        outcome.set_exception(error)
    else:
        outcome.set_result(None)
