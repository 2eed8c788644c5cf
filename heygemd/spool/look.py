"""One look at one job folder: what is in it, and what it looked like."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from heygemd.errors import JobOptionsError
from heygemd.jobfile import JobFile, read_job_file
from heygemd.spool import containers, names
from heygemd.spool.files import chunks_of
from heygemd.spool.fsops import FsOps

Stamp: TypeAlias = tuple[int, int, int, int, int]
"""(inode, size, mtime_ns, ctime_ns, blocks): only ever compared for equality."""

Signature: TypeAlias = tuple[tuple[str, Stamp], ...]
"""A folder's names and stamps, sorted; equal looks mean that nothing has changed."""

MAX_OPTIONS_BYTES = 65_536
_APPLE_DOUBLE = b"\x00\x05\x16\x07"  # RFC 1740
_FINDER_INFO = 9  # RFC 1740: entry id
_FINDER_BUSY = b"brokMACS"  # type and creator that the Finder sets while it copies


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a job folder saw.

    Attributes:
        names: every entry, as the folder listed them.
        sounds: names of regular files that are audio by extension.
        clips: names that are videos or pictures by extension, anything but folders.
        ignored: (name, why) of what is neither.
        busy: why somebody is still writing; empty when nobody seems to be.
        has_ready: the folder holds ``.ready``.
        has_cancel: the folder holds ``CANCEL``.
        is_finished: the folder was returned after its job; it holds ``.heygemd-done``.
        options_name: what job.toml is spelled like here, empty where there is none.
    """

    signature: Signature
    stamps: dict[str, Stamp]
    names: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()
    busy: str = ""
    has_ready: bool = False
    has_cancel: bool = False
    is_finished: bool = False
    options_name: str = ""

    @property
    def n_bytes(self) -> int:
        """Size of the sounds and clips together."""
        return sum(self.stamps[name][1] for name in (*self.sounds, *self.clips))

    @property
    def n_clip_bytes(self) -> int:
        """Size of the clips."""
        return sum(self.stamps[name][1] for name in self.clips)


@dataclass(slots=True)
class _Notes:
    stamps: dict[str, Stamp] = field(default_factory=dict)
    sounds: list[str] = field(default_factory=list)
    clips: list[str] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    options_name: str = ""
    opens: bool = True


def stamp_of(status: os.stat_result) -> Stamp:
    """What changes when a file does."""
    return (
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        getattr(status, "st_blocks", 0),
    )


def glance(fs: FsOps, folder: str | Path, before: Look) -> Look:
    """``before`` itself while nothing has changed, else a fresh look.

    It trusts stat(2) by name, so it is for file systems that no other host writes; there it asks
    the disk half as often, and makes nothing that must be thrown away.

    Raises:
        OSError: the folder is gone, is no folder, or its share does not answer.
    """
    if before.busy:  # what made it so may stand in a file that has no stamp
        return look(fs, folder, opens=False)
    folder_fd = fs.open_folder(folder)
    try:
        is_same = tuple(fs.names(folder_fd)) == before.names and all(
            stamp_of(fs.lstat(name, folder_fd)) == stamp for name, stamp in before.signature
        )
    except FileNotFoundError:  # renamed under us
        is_same = False
    finally:
        fs.release(folder_fd)
    return before if is_same else look(fs, folder, opens=False)


def look(fs: FsOps, folder: str | Path, *, opens: bool = True) -> Look:
    """Open every file of a job folder and stat it through the descriptor.

    Args:
        fs: the door to the disk.
        folder: a job's.
        opens: False trusts stat(2) by name, as ``glance`` does.

    Raises:
        OSError: the folder is gone, is no folder, or its share does not answer.
    """
    folder_fd = fs.open_folder(folder)
    try:
        notes, found = _Notes(opens=opens), tuple(fs.names(folder_fd))
        for name in sorted(found):
            _note(fs, folder_fd, name, notes)
    finally:
        fs.release(folder_fd)
    return Look(
        names=found,
        signature=tuple(sorted(notes.stamps.items())),
        stamps=notes.stamps,
        sounds=tuple(notes.sounds),
        clips=tuple(notes.clips),
        ignored=tuple(notes.ignored),
        busy="; ".join(notes.busy),
        has_ready="ready" in notes.seen,
        has_cancel="cancel" in notes.seen,
        is_finished="finished" in notes.seen,
        options_name=notes.options_name,
    )


def _note(fs: FsOps, folder_fd: int, name: str, notes: _Notes) -> None:
    kind = names.kind_of(name)
    notes.seen.add(kind)
    if kind == "temp":
        notes.busy.append(f"{name} is a file that some program is still writing")
    elif kind == "junk":
        if name.startswith("._") and _finder_busy(fs, folder_fd, name):
            notes.busy.append(f"the Finder is still copying {name[2:]}")
    elif kind in {"audio", "video", "options"}:
        _note_content(fs, folder_fd, name, kind, notes)
    elif kind in {"hidden", "other"}:
        _note_other(fs, folder_fd, name, kind, notes)


def _note_content(fs: FsOps, folder_fd: int, name: str, kind: str, notes: _Notes) -> None:
    try:
        status = (_stat if notes.opens else _stat_by_name)(fs, folder_fd, name)
    except FileNotFoundError:  # renamed under us; the next look sees it under its new name
        notes.busy.append(f"{name} has just gone")
        return
    except BlockingIOError:
        notes.busy.append(f"{name} is open in a program that writes it")
        return
    regular = stat.S_ISREG(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        notes.ignored.append((name, "a folder; heygemd looks at files only"))
        return
    if kind != "video" and not regular:
        notes.ignored.append((name, f"{kind_of_file(status)}, want a regular file"))
        return
    notes.stamps[name] = stamp_of(status)
    if kind == "audio":
        notes.sounds.append(name)
    elif kind == "video":
        notes.clips.append(name)
    else:
        notes.options_name = name


def _note_other(fs: FsOps, folder_fd: int, name: str, kind: str, notes: _Notes) -> None:
    """Files that are no content still show whether somebody is writing here."""
    try:
        status = fs.lstat(name, folder_fd)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(status.st_mode):
        why = "a folder; heygemd looks at files only"
    elif kind == "hidden":
        why = "a hidden file"
    else:
        notes.stamps[name] = stamp_of(status)
        why = "neither audio nor video by its extension"
    notes.ignored.append((name, why))


def _stat(fs: FsOps, folder_fd: int, name: str) -> os.stat_result:
    """Status through a descriptor where the file can be opened, else by name.

    Raises:
        BlockingIOError: a writer holds it (CIFS says EBUSY for a sharing violation).
    """
    status = fs.lstat(name, folder_fd)
    if not stat.S_ISREG(status.st_mode):
        return status  # opening a device or a FIFO may do something
    try:
        fd = fs.open_file(name, folder_fd)
    except PermissionError:
        return status  # staging says so, for this file alone
    except OSError as error:
        if error.errno in {errno.EBUSY, errno.ETXTBSY}:
            raise BlockingIOError(error.errno, error.strerror, name) from error
        if error.errno in {errno.ELOOP, errno.ENXIO}:  # swapped for a link or a socket just now
            raise BlockingIOError(error.errno, "changing", name) from error
        raise
    try:
        return fs.fstat(fd)
    finally:
        fs.release(fd)


def _stat_by_name(fs: FsOps, folder_fd: int, name: str) -> os.stat_result:
    return fs.lstat(name, folder_fd)


def kind_of_file(status: os.stat_result) -> str:
    """A file's type in words."""
    words = (
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISREG, "a regular file"),
    )
    return next((word for test, word in words if test(status.st_mode)), "a device")


def cut_off_names(fs: FsOps, folder: Path, seen: Look) -> list[str]:
    """Sounds and clips whose container says that bytes are missing at the end."""
    folder_fd = fs.open_folder(folder)
    try:
        return [
            name
            for name in (*seen.sounds, *seen.clips)
            if _is_cut_off(fs, folder_fd, name, seen.stamps[name][1])
        ]
    finally:
        fs.release(folder_fd)


def _is_cut_off(fs: FsOps, folder_fd: int, name: str, size: int) -> bool:
    try:
        if not stat.S_ISREG(fs.lstat(name, folder_fd).st_mode):
            return False
        fd = fs.open_file(name, folder_fd)
    except (FileNotFoundError, PermissionError):  # the next look, or staging, says so
        return False
    try:
        return containers.cut_off(fs, fd, name, size)
    finally:
        fs.release(fd)


def _finder_busy(fs: FsOps, folder_fd: int, name: str) -> bool:
    """Read an AppleDouble companion for the mark of a copy under way."""
    try:
        if not stat.S_ISREG(fs.lstat(name, folder_fd).st_mode):
            return False
        fd = fs.open_file(name, folder_fd)
    except OSError:  # junk that cannot be read says nothing
        return False
    try:
        head = fs.read_at(fd, 4096, 0)
    finally:
        fs.release(fd)
    if head[:4] != _APPLE_DOUBLE:
        return False
    n_entries = int.from_bytes(head[24:26], "big")
    for at in range(26, min(26 + 12 * n_entries, len(head) - 11), 12):
        if int.from_bytes(head[at : at + 4], "big") == _FINDER_INFO:
            start = int.from_bytes(head[at + 4 : at + 8], "big")
            return head[start : start + 8] == _FINDER_BUSY
    return False


def read_options(fs: FsOps, folder: Path, seen: Look) -> JobFile:
    """The folder's job.toml; one that says nothing where there is none.

    Raises:
        JobOptionsError: too large, not UTF-8, not TOML, an unknown key, a bad value.
        OSError: it cannot be read now.
    """
    if not seen.options_name:
        return JobFile()
    folder_fd = fs.open_folder(folder)
    try:
        fd = fs.open_file(seen.options_name, folder_fd)
        try:
            size = fs.fstat(fd).st_size
            if size > MAX_OPTIONS_BYTES:
                raise JobOptionsError(
                    f"job.toml has {size} bytes, want at most {MAX_OPTIONS_BYTES}"
                )
            data = b"".join(chunks_of(fs, fd))
        finally:
            fs.release(fd)
    finally:
        fs.release(folder_fd)
    try:
        return read_job_file(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise JobOptionsError(f"job.toml is not UTF-8: {error}") from error
