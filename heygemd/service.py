"""What systemd gives us and is told: sockets and folders in, datagrams out (sd_notify)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FIRST_FD = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)


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

    def watchdog(self, seconds: float) -> None:
        """How long systemd shall wait for the next ``alive`` from now on."""
        self._send(f"WATCHDOG_USEC={round(seconds * 1e6)}")

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
                sender.sendall(message.encode(errors="backslashreplace"))
            except OSError:  # systemd went away or restarts; the work goes on without it
                return


def watchdog_s(env: Mapping[str, str], pid: int) -> float | None:
    """The unit's WatchdogSec, None where nobody watches this process."""
    if env.get("WATCHDOG_PID", str(pid)) != str(pid) or not env.get("WATCHDOG_USEC", "").isdigit():
        return None
    return int(env["WATCHDOG_USEC"]) / 1e6


def listening(env: Mapping[str, str], pid: int) -> dict[str, int]:
    """Descriptors of the sockets that systemd opened for this process, by name."""
    if env.get("LISTEN_PID") != str(pid) or not env.get("LISTEN_FDS", "").isdigit():
        return {}
    names = env.get("LISTEN_FDNAMES", "").split(":")
    return dict(zip(names, range(_FIRST_FD, _FIRST_FD + int(env["LISTEN_FDS"])), strict=False))


def put_whole(path: Path, content: bytes, *, mode: int = 0o640) -> None:
    """Replace a small file at once: a reader sees the old one or the new one, never a part.

    For figures that are written again soon; nothing here survives a power cut.

    Raises:
        OSError: the folder is not there, or not ours.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
