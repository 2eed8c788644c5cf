"""Tables for people: as wide as the terminal, and in a pipe as wide as their words."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

_PIPE_WIDTH = 4096  # a path is at most that long: PATH_MAX


def table(*headings: str) -> Table:
    """An empty table; what does not fit a column goes on in its next line, whole."""
    drawn = Table(box=None, pad_edge=False)
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    return drawn


def console() -> Console:
    """Standard output; nothing is cut or wrapped where no terminal is."""
    found = Console(soft_wrap=True)
    return found if found.is_terminal else Console(soft_wrap=True, width=_PIPE_WIDTH)
