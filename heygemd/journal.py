"""The journal's native protocol: a log line with fields that ``journalctl`` can ask for."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

SOCKET = "/run/systemd/journal/socket"
PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # syslog(3)
FIELDS = ("event", "code", "job", "job_id", "clip")
"""Values of an event that become ``HEYGEMD_EVENT`` and so on."""


class Journal:
    """One connection to journald.

    Args:
        address: of its socket for datagrams.

    Raises:
        OSError: nobody listens there.
    """

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise

    def send(self, line: str, fields: Mapping[str, str]) -> None:
        """One entry.

        Raises:
            OSError: the journal has gone away or is full.
        """
        self._socket.sendall(entry({"MESSAGE": line, **fields}))

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def connect(env: Mapping[str, str], fd: int, address: str = "") -> Journal | None:
    """The journal, where ``fd`` goes to it already: systemd.exec(5), ``$JOURNAL_STREAM``."""
    with suppress(OSError):
        facts = os.fstat(fd)
        if env.get("JOURNAL_STREAM") == f"{facts.st_dev}:{facts.st_ino}":
            return Journal(address or SOCKET)
    return None


def fields(event: Mapping[str, object]) -> dict[str, str]:
    """What can be asked for, e.g. ``journalctl HEYGEMD_JOB=lesson-12``."""
    named = {f"HEYGEMD_{key.upper()}": str(event[key]) for key in FIELDS if key in event}
    priority = PRIORITIES.get(str(event.get("level")), PRIORITIES["info"])
    return {"PRIORITY": str(priority), "SYSLOG_IDENTIFIER": "heygemd", **named}


def entry(values: Mapping[str, str]) -> bytes:
    """The datagram: ``NAME=value`` lines; a value of several lines goes with its length."""
    parts = []
    for name, value in values.items():
        data = value.encode("utf-8", "backslashreplace")
        head = b"=" if b"\n" not in data else b"\n" + len(data).to_bytes(8, "little")
        parts.append(name.encode() + head + data + b"\n")
    return b"".join(parts)
