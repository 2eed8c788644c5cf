"""Every error heygemd raises on purpose, classed by how much it stops.

    HeygemdError
    |-- ClipError            one video fails, its siblings go on
    |   |-- MediaError       the file cannot be read, or the output not written
    |   |-- NoFaceError      too few frames show a face
    |   |-- LimitError       the file asks for more than the limits allow
    |   |-- OutOfMemoryError the device ran out of memory at the smallest batch
    |   |-- QualityError     the output is not what was planned
    |   `-- CrashLoopError   the clip ended the process too often
    |-- JobError             the job fails, the daemon goes on
    |   |-- JobLayoutError   not one audio and some videos
    |   |-- JobOptionsError  job.toml is wrong
    |   |-- AudioError       the sound cannot be read or used
    |   `-- PortraitError    the picture of the person to follow cannot be used
    |-- TransientError       nobody's fault and worth a retry: a stale handle, a full disk
    `-- FatalError           the process must exit
        |-- ConfigError (78) |-- ModelError (78)  |-- DependencyError (69)
        |-- SpoolError (74)  |-- BusyError (75)   `-- GpuLostError (75)

Every class has a ``code`` that appears in JSON logs, the report and the docs. A message says what
was found, what was wanted and what to do next. Exit codes follow sysexits.h.
"""

from __future__ import annotations

from typing import ClassVar


class HeygemdError(Exception):
    """Anything heygemd raises on purpose; whatever else flies is a bug.

    Args:
        message: what was found, what was wanted, what to do next.
        code: a finer code than the class's own, e.g. ``truncated_input``.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self._code = code

    @property
    def reason(self) -> str:
        """The finest code known: the instance's, else the class's."""
        return self._code or self.code


class ClipError(HeygemdError):
    """One video fails, its siblings go on."""

    code = "clip_failed"


class MediaError(ClipError):
    """A file cannot be read, or an output cannot be written."""

    code = "media"


class NoFaceError(ClipError):
    """Too few frames show a face."""

    code = "no_face"


class LimitError(ClipError):
    """A file asks for more than the limits allow."""

    code = "limits"


class OutOfMemoryError(ClipError):
    """The device ran out of memory at the smallest batch."""

    code = "out_of_memory"


class QualityError(ClipError):
    """The output is not what was planned."""

    code = "quality"


class CrashLoopError(ClipError):
    """The clip ended the process too often."""

    code = "crash_loop"


class JobError(HeygemdError):
    """The job fails, the daemon goes on."""

    code = "job_failed"


class JobLayoutError(JobError):
    """A job folder does not hold one audio and some videos."""

    code = "job_layout"


class JobOptionsError(JobError):
    """A job.toml holds something that cannot be meant."""

    code = "job_options"


class AudioError(JobError):
    """The sound cannot be read or used."""

    code = "audio"


class PortraitError(JobError):
    """The picture of the person to follow cannot be read or used."""

    code = "portrait"


class TransientError(HeygemdError):
    """Nobody's fault and worth a retry: a stale handle, a busy file, a full disk."""

    code = "transient"


class FatalError(HeygemdError):
    """The process must exit with ``exit_code``."""

    code = "fatal"
    exit_code: ClassVar[int] = 70  # EX_SOFTWARE


class ConfigError(FatalError):
    """The settings cannot be used."""

    code = "config"
    exit_code = 78  # EX_CONFIG


class ModelError(FatalError):
    """The model's file cannot be used."""

    code = "model"
    exit_code = 78  # EX_CONFIG


class DependencyError(FatalError):
    """A program or library that heygemd needs is not there."""

    code = "dependency"
    exit_code = 69  # EX_UNAVAILABLE


class SpoolError(FatalError):
    """The spool cannot be trusted: its disk or its order is broken."""

    code = "spool"
    exit_code = 74  # EX_IOERR


class BusyError(FatalError):
    """Another heygemd holds this spool."""

    code = "busy"
    exit_code = 75  # EX_TEMPFAIL


class GpuLostError(FatalError):
    """The device is gone or its context is poisoned; only a new process helps."""

    code = "gpu_lost"
    exit_code = 75  # EX_TEMPFAIL
