"""Give a finished file its final name without ever replacing another."""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path

from heygemd.spool import files
from heygemd.spool.fsops import FsOps

LINK = "link"  # link(2): atomic, and refuses an existing name; everywhere but some shares
RENAME = "rename"  # renameat2 RENAME_NOREPLACE: EINVAL on NFS
RESERVE = "reserve"  # a folder as a lock among heygemds, a look, a plain rename

_UNKNOWN_CALL = {
    errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EMLINK, errno.EXDEV,
    errno.EACCES,
}  # fmt: skip


def probe(fs: FsOps, building: Path, tag: str) -> str:
    """The best way this file system knows, tried with two files of our own."""
    first, second = building / f"{tag}.probe", building / f"{tag}.probe2"
    for path in (first, second):
        files.remove(fs, path)
    files.write_new(fs, first, [b"heygemd tries how files can be published here\n"])
    try:
        for way in (LINK, RENAME):
            if _works(fs, way, first, second):
                return way
        return RESERVE
    finally:
        for path in (first, second):
            with suppress(FileNotFoundError):
                fs.unlink(path)


def _works(fs: FsOps, way: str, first: Path, second: Path) -> bool:
    try:
        (fs.link if way == LINK else fs.rename_new)(first, second)
    except OSError as error:
        if error.errno in _UNKNOWN_CALL:
            return False
        raise
    return True


def place(fs: FsOps, way: str, part: Path, final: Path) -> None:
    """Let ``final`` be the file that ``part`` is; ``part`` may stay behind.

    Raises:
        FileExistsError: the name is taken, or being taken.
        OSError: it did not work, or it did and the answer was lost: look before you judge.
    """
    if way == LINK:
        fs.link(part, final)
    elif way == RENAME:
        fs.rename_new(part, final)
    else:
        _reserve(fs, part, final)


def _reserve(fs: FsOps, part: Path, final: Path) -> None:
    lock = part.with_name(f"{part.name}.lock")
    fs.mkdir(lock)  # one winner among heygemds; recovery sweeps what a crash leaves
    try:
        if files.exists(fs, final):
            raise FileExistsError(errno.EEXIST, "the name is taken", str(final))
        fs.rename(part, final)
    finally:
        with suppress(FileNotFoundError):
            fs.rmdir(lock)
