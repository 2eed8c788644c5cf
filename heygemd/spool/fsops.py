"""The only door to system calls that change the disk; tests let faults in through it."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sys
from pathlib import Path

_AT_FDCWD = -100  # linux/fcntl.h: relative to the working directory
_RENAME_NOREPLACE = 1  # linux/fs.h
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FsOps:
    """One method per system call, nothing added; every error is the kernel's own ``OSError``.

    Args:
        chunk_bytes: how much is read or written at a time.
    """

    CHANGES = frozenset(
        {
            "mkdir", "rmdir", "create", "write", "fsync", "close", "fsync_dir",
            "rename", "rename_new", "link", "unlink",
        }
    )  # fmt: skip
    """The methods that change the disk, or settle whether a change lasts."""

    def __init__(self, *, chunk_bytes: int = 1 << 20) -> None:
        self.chunk_bytes = chunk_bytes

    def mkdir(self, path: Path) -> None:
        """Make a folder; its mode is the process's umask's business."""
        path.mkdir()

    def rmdir(self, path: Path) -> None:
        """Remove an empty folder."""
        path.rmdir()

    def create(self, path: Path) -> int:
        """Open a file that must not exist yet, for writing."""
        return os.open(path, _CREATE, 0o666)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Write some of ``data``; how much it was."""
        return os.write(fd, data)

    def fsync(self, fd: int) -> None:
        """Wait until a file's bytes are on the disk."""
        os.fsync(fd)

    def close(self, fd: int) -> None:
        """Close a file that was written; network file systems report lost writes here."""
        os.close(fd)

    def fsync_dir(self, path: Path) -> None:
        """Wait until a folder's entries are on the disk."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def rename(self, source: Path, target: Path) -> None:
        """Rename, replacing ``target``."""
        source.rename(target)

    def rename_new(self, source: Path, target: Path) -> None:
        """Rename; ``FileExistsError`` where ``target`` exists."""
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "renameat2"):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), str(source))
        names = os.fsencode(source), os.fsencode(target)
        if libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_NOREPLACE):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(source), None, str(target))

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name; ``FileExistsError`` where ``target`` exists."""
        target.hardlink_to(source)

    def unlink(self, path: Path) -> None:
        """Remove a file's name."""
        path.unlink()

    def lock(self, path: Path) -> int:
        """Take an exclusive lock that ends with the descriptor; ``BlockingIOError`` when held."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise
        return fd

    def release(self, fd: int) -> None:
        """Close a descriptor that wrote nothing: a lock, a folder, a file that was read."""
        os.close(fd)

    def open_folder(self, path: str | Path) -> int:
        """Open a folder itself, never through a symbolic link."""
        return os.open(path, _READ | os.O_DIRECTORY)

    def open_file(self, name: str | Path, folder_fd: int | None = None) -> int:
        """Open a file for reading, never through a symbolic link, never waiting for a writer."""
        return os.open(name, _READ, dir_fd=folder_fd)

    def read(self, fd: int, n_bytes: int) -> bytes:
        """Up to ``n_bytes`` from where the descriptor stands; empty at the end."""
        return os.read(fd, n_bytes)

    def read_at(self, fd: int, n_bytes: int, offset: int) -> bytes:
        """Up to ``n_bytes`` from ``offset``."""
        return os.pread(fd, n_bytes, offset)

    def fstat(self, fd: int) -> os.stat_result:
        """What an open file is, as fresh as the file system can say."""
        return os.fstat(fd)

    def lstat(self, name: str | Path, folder_fd: int | None = None) -> os.stat_result:
        """What stands under a name; a symbolic link is itself."""
        return os.stat(name, dir_fd=folder_fd, follow_symlinks=False)

    def names(self, folder: Path | int) -> list[str]:
        """The entries of a folder, unsorted."""
        return os.listdir(folder)  # noqa: PTH208 - pathlib takes no descriptor

    def free_bytes(self, folder: Path) -> int:
        """What an ordinary user may still write on the folder's file system.

        One that does not count, as some behind FUSE, has all the room in the world.
        """
        room = os.statvfs(folder)
        return room.f_bavail * room.f_frsize if room.f_blocks else sys.maxsize
