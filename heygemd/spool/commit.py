"""Give a finished file its final name without ever replacing another."""

from __future__ import annotations

import errno
import hashlib
from contextlib import suppress
from pathlib import Path

from heygemd.spool import files, names
from heygemd.spool.fsops import FsOps

LINK = "link"  # link(2): atomic, and refuses an existing name; everywhere but some shares
RENAME = "rename"  # renameat2 RENAME_NOREPLACE: EINVAL on NFS
RESERVE = "reserve"  # a folder as a lock among heygemds, a look, a plain rename

LOCKS = ".lock"  # how the names of these folders end

_UNKNOWN_CALL = {
    errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EMLINK, errno.EXDEV,
    errno.EACCES,
}  # fmt: skip
_HELD = {errno.ENOTEMPTY, errno.EEXIST}  # what rename says to a folder in its way; shares vary


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


def place(fs: FsOps, way: str, part: Path, final: Path, *, may_break: bool = False) -> None:
    """Let ``final`` be the file that ``part`` is; ``part`` may stay behind.

    Args:
        fs: the door to the disk.
        way: what ``probe`` found.
        part: in the folder for things under construction, on the file system of ``final``.
        final: in a folder of the outbox.
        may_break: whoever else reserves the name has lost it to us.

    Raises:
        FileExistsError: the name is taken.
        OSError: it did not work, or it did and the answer was lost: look before you judge. EBUSY
            when another heygemd reserves the name.
    """
    if way == LINK:
        fs.link(part, final)
    elif way == RENAME:
        fs.rename_new(part, final)
    else:
        _reserve(fs, part, final, may_break=may_break)


def lock_of(building: Path, final: Path) -> Path:
    """The folder that reserves a name: the same for every heygemd, wherever it mounts the share."""
    key = names.same_key(f"{final.parent.name}/{final.name}")
    return building / (hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest() + LOCKS)


def _reserve(fs: FsOps, part: Path, final: Path, *, may_break: bool) -> None:
    lock = lock_of(part.parent, final)
    if may_break:
        break_lock(fs, lock)
    _take(fs, lock, part)
    try:
        if files.exists(fs, final):
            raise FileExistsError(errno.EEXIST, "the name is taken", str(final))
        fs.rename(part, final)
    finally:
        files.remove(fs, lock / part.name)
        _remove_empty(fs, lock)


def _take(fs: FsOps, lock: Path, part: Path) -> None:
    """Rename a folder that names its owner into the lock's place: one winner, never anonymous."""
    ours = part.with_name(part.name + LOCKS)
    files.remove_tree(fs, ours)
    fs.mkdir(ours)
    fs.close(fs.create(ours / part.name))
    try:
        fs.rename(ours, lock)  # takes an empty folder's place, and fails on any other
    except OSError as error:
        if files.exists(fs, lock / part.name):  # it worked, and the answer was lost
            return
        files.remove_tree(fs, ours)
        if error.errno not in _HELD and not files.exists(fs, lock):
            raise
        raise OSError(
            errno.EBUSY, "another heygemd is publishing under this name", str(lock)
        ) from error


def break_lock(fs: FsOps, lock: Path, *, whose: str = "") -> None:
    """End the reservations of one spool, or of all, for good: their parts go first.

    A holder that was only slow has nothing to rename any more when it goes on, so it cannot
    replace what somebody else has published meanwhile.

    Args:
        fs: the door to the disk.
        lock: as ``lock_of`` names it.
        whose: how the names of the parts begin.
    """
    for part_name in files.all_entries(fs, lock):
        if part_name.startswith(whose):
            files.remove(fs, lock.with_name(part_name))
            files.remove(fs, lock / part_name)
    _remove_empty(fs, lock)


def _remove_empty(fs: FsOps, lock: Path) -> None:
    try:
        fs.rmdir(lock)
    except OSError as error:  # gone, or somebody else's by now
        if error.errno not in {errno.ENOENT, *_HELD}:
            raise
