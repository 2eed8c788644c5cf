"""The daemon's own log: structlog, one JSON object a line, event names from a closed list."""

from __future__ import annotations

import logging
import sys
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
    "library.said",
    "model.batch_halved",
    "model.half_refused",
    "model.loaded",
    "share.lost",
    "share.returned",
    "spool.recovered",
    "stop.requested",
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
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(threshold, logging.WARNING), handlers=[_Bridge()], force=True)
    logging.captureWarnings(capture=True)


def _printable(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Undecodable bytes of file names would break the stream: show them escaped."""
    del logger, method
    return {key: _clean(value) for key, value in event.items()}


def _clean(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value
