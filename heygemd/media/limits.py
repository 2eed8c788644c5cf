"""How much a file may ask of us before it is refused."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much.

    Attributes:
        max_pixels: width times height of one frame.
        max_duration_s: length of a clip or a sound.
        max_streams: tracks of all kinds in one file.
        probe_s: wall clock for one probe.
        stall_s: wall clock that a child process may keep us waiting without a byte.
        memory_bytes: address space of a process that parses a user's file.
    """

    max_pixels: int = 8192 * 4608
    max_duration_s: float = 4 * 3600.0
    max_streams: int = 24
    probe_s: float = 60.0
    stall_s: float = 120.0
    memory_bytes: int = 8 << 30
