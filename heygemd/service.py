"""What systemd is told: ready, status, watchdog, stopping; a datagram to ``$NOTIFY_SOCKET``."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notifier:
    """Speaks sd_notify(3); says nothing where nobody listens.

    Attributes:
        address: ``$NOTIFY_SOCKET``, a path, or an abstract name after ``@``; empty for none.
    """

    address: str = ""

    def ready(self) -> None:
        """The model is loaded and warm."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """A line that a person reads in ``systemctl status``."""
        self._send("STATUS=" + text.replace("\n", " "))

    def alive(self) -> None:
        """Real progress was made: feeds the watchdog."""
        self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Ask for more time while the model loads."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def reloading(self) -> None:
        """A reload began; ``ready`` ends it."""
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}")

    def stopping(self) -> None:
        """No more work is begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self.address:
            return
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            try:
                sender.connect(name)
                sender.sendall(message.encode())
            except OSError:  # systemd went away or restarts; the work goes on without it
                return
