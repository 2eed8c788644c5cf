"""Ids for jobs and spools: unique for ever, and sorted by age."""

from __future__ import annotations

import re

_SHAPE = re.compile(r"[0-9a-f]{12}-[0-9a-f]{10}")


def job_id(unix_ms: int, chance: bytes) -> str:
    """``0190a8f3c2d1-5f3a9b1c7e``: milliseconds since 1970, then chance.

    Args:
        unix_ms: wall clock.
        chance: at least 5 random bytes; the first 5 are used.
    """
    return f"{unix_ms:012x}-{chance[:5].hex()}"


def is_job_id(text: str) -> bool:
    """True for what ``job_id`` makes."""
    return _SHAPE.fullmatch(text) is not None
