"""The daemon's own log: structlog, one JSON object a line, event names from a closed list."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TextIO

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

Event = Literal[
    "clip.attempted",
    "clip.failed",
    "clip.published",
    "clip.retried",
    "clip.staged",
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
        stream: where lines go; standard error by default.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    renderer: Any = (
        structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _printable,
            _one_line(renderer),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
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


def _one_line(renderer: Callable[..., str]) -> Callable[..., str]:
    """The renderer's line; escapes what JSON leaves as it is and some readers end a line at."""

    def render(logger: WrappedLogger, method: str, event: EventDict) -> str:
        return renderer(logger, method, event).translate(_CONTROLS)

    return render


def _clean(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_clean(key): _clean(inner) for key, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, list | tuple) else value
