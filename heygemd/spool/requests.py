"""What people ask of a daemon that holds the spool: one small file each, taken at its next look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from heygemd.errors import JobError
from heygemd.spool import files
from heygemd.spool.fsops import FsOps
from heygemd.spool.layout import SpoolFolders

Wish = Literal["cancel", "retry"]
FOLDER = "requests"


def ask(fs: FsOps, folders: SpoolFolders, wish: Wish, job_id: str) -> None:
    """Leave a request; asking twice is asking once.

    Raises:
        JobError: no daemon has ever worked here.
        OSError: the folder may not be written.
    """
    folder = folders.work / FOLDER
    if not files.exists(fs, folder):
        raise JobError(f"no {folder}: start heygemd on this spool once, then ask again")
    path = folder / f"{wish}.{job_id}"
    if not files.exists(fs, path):
        files.write_new(fs, path, [])
        files.sync_dir(fs, folder)


def open_requests(fs: FsOps, folders: SpoolFolders) -> None:
    """Make the folder, so that its owner is the daemon's user."""
    files.make_dir(fs, folders.work / FOLDER)


def take_requests(fs: FsOps, folders: SpoolFolders) -> Iterator[tuple[str, str]]:
    """Yield (wish, job id); a request is forgotten when the next one is asked for."""
    folder = folders.work / FOLDER
    for name in files.entries(fs, folder):
        wish, _, job_id = name.partition(".")
        yield wish, job_id
        files.remove(fs, folder / name)
