"""The daemon's own log: structlog, one JSON object a line, event names from a closed list."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TextIO

import structlog

from heygemd import journal

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

Event = Literal[
    "backend.chosen",
    "clip.attempted",
    "clip.failed",
    "clip.published",
    "clip.retried",
    "clip.staged",
    "code.unkept",
    "daemon.dumped",
    "daemon.failed",
    "daemon.ready",
    "daemon.started",
    "daemon.stopped",
    "device.chosen",
    "encoder.chosen",
    "ffmpeg.said",
    "intake.paused",
    "intake.resumed",
    "job.claimed",
    "job.closed",
    "job.recovered",
    "job.rejected",
    "job.returned",
    "lease.delayed",
    "library.said",
    "model.batch_halved",
    "model.half_refused",
    "model.loaded",
    "report.delayed",
    "request.granted",
    "request.refused",
    "settings.refused",
    "settings.reloaded",
    "share.lost",
    "share.returned",
    "spool.recovered",
    "spool.swept",
    "status.unwritable",
    "stop.requested",
    "sweep.delayed",
    "track.dropped",
    "track.recalled",
    "track.unkept",
    "watch.degraded",
]


class Logger:
    """Writes events; values are keys with units in their names, never prose."""

    def __init__(self) -> None:
        self._log: Any = structlog.get_logger()

    def info(self, event: Event, **values: object) -> None:
        """Something went as it should."""
        self._log.info(event, **values)

    def warning(self, event: Event, **values: object) -> None:
        """Something went wrong and was dealt with."""
        self._log.warning(event, **values)

    def error(self, event: Event, **values: object) -> None:
        """Something was given up."""
        self._log.error(event, **values)

    def debug(self, event: Event, **values: object) -> None:
        """Something a developer wants to know."""
        self._log.debug(event, **values)


log = Logger()


class _Bridge(logging.Handler):
    """The standard library's records, as ``library.said`` events."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        structlog.get_logger().log(
            getattr(logging, level.upper(), logging.INFO),
            "library.said",
            library=record.name,
            said=record.getMessage(),
        )


def configure(
    level: str = "info", *, style: Literal["json", "console"] = "json", stream: TextIO | None = None
) -> None:
    """Set up the process's log; call once, from ``cli``.

    Args:
        level: debug, info, warning or error.
        style: ``json`` for machines, ``console`` for a terminal.
        stream: where lines go; by default to the journal, with fields, where standard error goes
            there, else to standard error.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    renderer: Any = (
        structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    to_journal = stream is None and style == "json"
    book = journal.connect(os.environ, 2) if to_journal else None
    one_line = _one_line(renderer)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _printable,
            one_line if book is None else _with_fields(one_line),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr)
        if book is None
        else lambda *_: _JournalLogger(book),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(threshold, logging.WARNING), handlers=[_Bridge()], force=True)
    logging.captureWarnings(capture=True)
    if style == "json":  # a bug ends the process; its traceback stays one line too
        sys.excepthook = _log_bug
        threading.excepthook = lambda args: _log_bug(
            args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
        )


def _log_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    log.error("daemon.failed", code="bug", exc_info=(kind, error, trace))


def is_configured() -> bool:
    """Whether ``configure`` was called."""
    return structlog.is_configured()


def _printable(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Undecodable bytes of file names would break the stream: show them escaped."""
    del logger, method
    return {key: _clean(value) for key, value in event.items()}


# What ends a line or turns a terminal's head: C1 controls, line and paragraph separators, bidi.
_CONTROLS = {
    number: f"\\u{number:04x}"
    for span in (range(0x7F, 0xA0), range(0x2028, 0x202F), range(0x2066, 0x206A))
    for number in span
}


# Longer lines are cut or split by what collects logs; each step is tried until a line fits.
_LINE_BYTES = 16 << 10
_ROOM = ((4000, 100), (1000, 20), (200, 5), (100, 2))  # characters of a text, entries of a list


def _one_line(renderer: Callable[..., str]) -> Callable[..., str]:
    """The renderer's line; escapes what JSON leaves as it is and some readers end a line at."""

    def render(logger: WrappedLogger, method: str, event: EventDict) -> str:
        line = renderer(logger, method, dict(event)).translate(_CONTROLS)
        for n_characters, n_entries in _ROOM:
            if len(line.encode()) < _LINE_BYTES:
                break
            short = {key: _shorten(value, n_characters, n_entries) for key, value in event.items()}
            line = renderer(logger, method, short).translate(_CONTROLS)
        return line

    return render


def _with_fields(one_line: Callable[..., str]) -> Callable[..., Any]:
    """The line and, for the journal, the fields that it can be found by."""

    def render(
        logger: WrappedLogger, method: str, event: EventDict
    ) -> tuple[tuple[str], dict[str, str]]:
        return (one_line(logger, method, event),), journal.fields(event)

    return render


class _JournalLogger:
    """Sends lines to the journal; to standard error, which it reads too, while that fails."""

    def __init__(self, book: journal.Journal) -> None:
        self._book = book

    def msg(self, line: str, **fields: str) -> None:
        try:
            self._book.send(line, fields)
        except OSError:
            sys.stderr.write(line + "\n")

    log = debug = info = warning = error = critical = exception = msg


def _shorten(value: object, n_characters: int, n_entries: int) -> object:
    """The value with the middle of long texts and the ends of long lists left out."""
    if isinstance(value, str):
        half = n_characters // 2
        return value if len(value) <= n_characters else f"{value[:half]} ... {value[-half:]}"
    if isinstance(value, dict):
        kept = {
            str(_shorten(key, n_characters, n_entries)): _shorten(inner, n_characters, n_entries)
            for key, inner in list(value.items())[:n_entries]
        }
        n_more = len(value) - len(kept)
        return {**kept, "...": f"{n_more} more"} if n_more > 0 else kept
    if isinstance(value, list):
        listed = [_shorten(inner, n_characters, n_entries) for inner in value[:n_entries]]
        n_more = len(value) - len(listed)
        return [*listed, f"... {n_more} more"] if n_more > 0 else listed
    return value


def _clean(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_clean(key): _clean(inner) for key, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, list | tuple) else value
