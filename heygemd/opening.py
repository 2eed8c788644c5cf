"""The spool that the settings describe."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from heygemd.bell import is_silent
from heygemd.report.page import page
from heygemd.settings import Settings, render_options
from heygemd.spool.fsops import FsOps
from heygemd.spool.ids import job_id
from heygemd.spool.layout import SpoolFolders
from heygemd.spool.queue import Spool
from heygemd.spool.retention import KEEP, Fate, Retention, check_policy, fate_of


def folders(settings: Settings) -> SpoolFolders:
    """The spool's three roots."""
    roots = settings.folders
    return SpoolFolders(roots.inbox, roots.outbox, roots.work)


def retention(settings: Settings) -> Retention:
    """What becomes of ended jobs; ``folders.failed`` takes what would stay where nobody looks.

    Raises:
        ConfigError: inputs cannot be moved to a folder that is named.
    """
    keep = settings.keep
    failed, rejected = fate_of(keep.failed), fate_of(keep.rejected)
    if settings.folders.failed is not None:
        aside = Fate("move", 0.0, settings.folders.failed)
        failed = aside if failed == KEEP else failed
        rejected = aside if rejected == KEEP else rejected
    policy = Retention(
        fate_of(keep.done), fate_of(keep.partial), failed, rejected, keep.record_days
    )
    check_policy(folders(settings), policy)
    return policy


def spool(settings: Settings) -> Spool:
    """The spool that the settings describe, not opened."""
    intake = settings.intake
    return Spool(
        folders(settings),
        options=render_options(settings),
        fs=FsOps(),
        new_id=lambda: job_id(time.time_ns() // 1_000_000, os.urandom(5)),
        instance=f"{socket.gethostname()}-{os.getpid()}",
        settle_s=intake.settle_s,
        marker=intake.marker,
        spare_bytes=intake.spare_mb * 1_000_000,
        incomplete_s=intake.incomplete_timeout_s,
        lease_s=intake.lease_s,
        draw=_draw_rejection,
        restores=settings.restore.path is not None,
        is_local=not is_silent(settings.folders.inbox),
    )


def _draw_rejection(document: Mapping[str, Any]) -> bytes:
    return page(document, (), {}).encode()
