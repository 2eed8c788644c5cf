"""A bell that file events ring, so that the next scan comes sooner; the scan is the truth."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from pathlib import Path
from typing import Literal

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from heygemd.log import log

# File systems whose other writers raise no events on this host: look, do not listen.
_SILENT = ("cifs", "smb3", "nfs", "nfs4", "9p", "afs", "ceph", "glusterfs", "fuse")
_WATCHDOG = logging.getLogger("watchdog.observers.inotify_c")
_STEP_S = 0.5  # signals only set flags, so a wait ends in steps to see them


class Bell:
    """Rings when something happens under a folder.

    Args:
        folder: what to listen to.
        watch: ``auto`` listens unless the folder lies on a file system that is silent.

    Attributes:
        troubles: how often events were lost (``overflow``), listening began anew (``rebuilt``) or
            was given up (``degraded``). The scan is the truth, so none of them loses a job.
    """

    def __init__(self, folder: Path, watch: Literal["auto", "events", "poll"] = "auto") -> None:
        self._folder = folder
        self._rung = threading.Event()
        self._observer: BaseObserver | None = None
        self.troubles = Counter(overflow=0, rebuilt=0, degraded=0)
        self._overflows = _Overflows(self)
        self._listens = watch == "events" or (watch == "auto" and not is_silent(folder))

    def ring(self) -> None:
        """Something may have changed."""
        self._rung.set()

    def wait(self, timeout_s: float) -> bool:
        """Return at a ring, after ``timeout_s`` or after half a second; True when it rang."""
        self._keep_listening()
        rang = self._rung.wait(min(timeout_s, _STEP_S))
        if rang:
            self._rung.clear()
        return rang

    def close(self) -> None:
        """Stop listening."""
        observer, self._observer = self._observer, None
        if observer is not None:
            # An event that comes while it ends is an error to watchdog 7.1, and none to us.
            said = logging.getLogger("watchdog.observers.inotify")
            level, said.level = said.level, logging.CRITICAL
            observer.stop()
            observer.join()
            said.level = level
            _WATCHDOG.removeHandler(self._overflows)

    def _keep_listening(self) -> None:
        """Observers die silently when their root vanishes (watchdog 7.1): look after them."""
        if not self._listens:
            return
        if self._observer is not None:
            emitters = self._observer.emitters
            if self._observer.is_alive() and emitters and all(e.is_alive() for e in emitters):
                return
            self.close()
            self.troubles["rebuilt"] += 1
        observer = Observer()
        try:
            observer.schedule(_Ringer(self), str(self._folder), recursive=True)
            observer.start()
        except OSError as error:  # no folder yet, or no inotify watches left: scans go on
            if self._folder.is_dir():
                log.warning("watch.degraded", reason=os.strerror(error.errno or 0))
                self.troubles["degraded"] += 1
                self._listens = False
            return
        _WATCHDOG.addHandler(self._overflows)
        self._observer = observer


class _Overflows(logging.Handler):
    """watchdog tells of an overflow in its log alone."""

    def __init__(self, bell: Bell) -> None:
        super().__init__(logging.WARNING)
        self._bell = bell

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.msg:
            self._bell.troubles["overflow"] += 1
            self._bell.ring()


class _Ringer(FileSystemEventHandler):
    def __init__(self, bell: Bell) -> None:
        self._bell = bell

    def on_any_event(self, event: FileSystemEvent) -> None:
        # Reading is no change; our own scans would ring for ever.
        if event.event_type not in {"opened", "closed_no_write"}:
            self._bell.ring()


def is_silent(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether a folder lies on a file system that sends no events for what other hosts write."""
    kind = file_system(folder, mounts)
    return any(kind == name or kind.startswith(name + ".") for name in _SILENT)


def file_system(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The type of the file system a folder lies on, e.g. ``ext4``; empty where nobody knows."""
    best, kind = -1, ""
    here = str(folder.resolve())
    for line in mounts.read_text(errors="surrogateescape").splitlines():
        left, _, right = line.partition(" - ")
        root = left.split()[4].encode().decode("unicode_escape")
        inside = here == root or here.startswith(root.rstrip("/") + "/")
        if inside and len(root) >= best:
            best, kind = len(root), right.split()[0]
    return kind
