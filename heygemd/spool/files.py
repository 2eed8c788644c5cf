"""Small files and folders that are on the disk when a function returns, built from ``FsOps``."""

from __future__ import annotations

import errno
import hashlib
import json
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from heygemd.errors import ConfigError, SpoolError, TransientError
from heygemd.spool.fsops import FsOps

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REASONS = {
    errno.ESTALE: "stale",
    errno.EBUSY: "busy",
    errno.ETXTBSY: "busy",
    errno.EROFS: "read_only",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.ENOENT: "gone",
    errno.ENOTDIR: "gone",
}
_PASSING = {
    errno.EIO, errno.EAGAIN, errno.EINTR, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH,
    errno.ENOTCONN, errno.ECONNRESET, errno.ECONNABORTED, errno.ENETDOWN, errno.ENETUNREACH,
    errno.EREMOTEIO, errno.ENODEV, errno.ENXIO, errno.ENOMEM, errno.ENFILE, errno.EMFILE,
    errno.EEXIST, errno.ENOTEMPTY,
}  # fmt: skip
_NO_DIR_SYNC = {errno.EINVAL, errno.ENOTSUP}  # file systems that have no such call


@contextmanager
def weighed(what: str) -> Iterator[None]:
    """Turn the kernel's errors into ours, by how much they stop.

    Raises:
        TransientError: a full disk, a stale handle, a share that is away: worth another try.
        ConfigError: folders that should be on one file system are not.
        SpoolError: anything else the kernel should never say here.
    """
    try:
        yield
    except OSError as error:
        where = error.filename2 or error.filename
        said = f"{what}: {error.strerror or error}" + (f": {where}" if where else "")
        if error.errno in _FULL:
            raise TransientError(f"{said}; free some space", code="disk_full") from error
        if error.errno in _REASONS:
            raise TransientError(said, code=_REASONS[error.errno]) from error
        if error.errno in _PASSING:
            raise TransientError(said, code="io") from error
        if error.errno == errno.EXDEV:
            raise ConfigError(
                f"{said}; the folder must be one file system, with no mount inside it"
            ) from error
        raise SpoolError(said) from error


def sync_dir(fs: FsOps, folder: Path) -> None:
    """Put a folder's entries on the disk, where the file system knows how."""
    try:
        fs.fsync_dir(folder)
    except OSError as error:
        if error.errno not in _NO_DIR_SYNC:
            raise


def make_dir(fs: FsOps, path: Path) -> None:
    """Have a folder that lasts. One that is there already may not be on the disk yet."""
    with suppress(FileExistsError):
        fs.mkdir(path)
    sync_dir(fs, path.parent)


def write_new(fs: FsOps, path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file whose bytes are on the disk; its name is not until its folder is synced.

    A stale file of that name is removed first. When anything fails, fsync and close included, the
    file is thrown away: after a failed fsync the kernel may have dropped the bytes already.
    """
    try:
        fd = fs.create(path)
    except FileExistsError:
        fs.unlink(path)
        fd = fs.create(path)
    try:
        try:
            for chunk in chunks:
                _write_all(fs, fd, chunk)
            fs.fsync(fd)
        finally:
            fs.close(fd)
    except (OSError, TransientError):
        with suppress(OSError):
            fs.unlink(path)
        raise


def clone_new(fs: FsOps, path: Path, source_fd: int) -> bool:
    """Write a file that shares a source's blocks, as ``write_new`` does; False: copy it instead."""
    remove(fs, path)
    fd = fs.create(path)
    try:
        try:
            fs.clone(fd, source_fd)
            fs.fsync(fd)
        finally:
            fs.close(fd)
    except OSError:  # mostly a file system that cannot; the copy says what else is wrong
        with suppress(OSError):
            fs.unlink(path)
        return False
    return True


def _write_all(fs: FsOps, fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[fs.write(fd, rest[: fs.chunk_bytes]) :]


def put(fs: FsOps, path: Path, data: bytes, *, via: Path | None = None) -> None:
    """Replace a file as a whole: old bytes or new bytes, never anything between.

    It grows under ``via``, on the same file system; beside ``path`` by default.
    """
    growing = via or path.with_name(path.name + ".tmp")
    write_new(fs, growing, [data])
    try:
        fs.rename(growing, path)
    except OSError:
        with suppress(OSError):
            fs.unlink(growing)
        raise
    sync_dir(fs, path.parent)


def to_json(document: Mapping[str, Any]) -> bytes:
    """JSON for machines and people; undecodable bytes of names become JSON escapes."""
    text = json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n"
    return text.encode("utf-8", "backslashreplace")


def put_json(
    fs: FsOps, path: Path, document: Mapping[str, Any], *, via: Path | None = None
) -> None:
    """Replace a JSON file as a whole."""
    put(fs, path, to_json(document), via=via)


def read_bytes(fs: FsOps, path: Path) -> bytes | None:
    """A file's bytes, None where there is none."""
    try:
        fd = fs.open_file(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return b"".join(chunks_of(fs, fd))
    finally:
        fs.release(fd)


def read_json(fs: FsOps, path: Path) -> dict[str, Any] | None:
    """A JSON object, None where there is no file.

    Raises:
        SpoolError: it is there and is no JSON object.
    """
    data = read_bytes(fs, path)
    if data is None:
        return None
    try:
        return parse(data)
    except ValueError as error:
        raise SpoolError(f"{path}: {error}; run heygemd fsck") from error


def parse(data: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ValueError: it is none.
    """
    document = json.loads(data)
    if not isinstance(document, dict):
        raise ValueError(f"JSON {type(document).__name__}, want an object")  # noqa: TRY004 - as json does
    return document


def chunks_of(fs: FsOps, fd: int) -> Iterator[bytes]:
    """An open file's bytes, a chunk at a time."""
    while chunk := fs.read(fd, fs.chunk_bytes):
        yield chunk


def digest_of(fs: FsOps, path: Path) -> tuple[int, str]:
    """Size in bytes and SHA-256 of a regular file.

    Raises:
        OSError: it is not there, or is no regular file.
    """
    fd = fs.open_file(path)
    try:
        if not stat.S_ISREG(fs.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        hasher, size = hashlib.sha256(), 0
        for chunk in chunks_of(fs, fd):
            hasher.update(chunk)
            size += len(chunk)
        return size, hasher.hexdigest()
    finally:
        fs.release(fd)


def exists(fs: FsOps, path: Path) -> bool:
    """True when anything stands under the name.

    Raises:
        OSError: nobody can say, e.g. a stale share.
    """
    try:
        fs.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def entries(fs: FsOps, folder: Path) -> list[str]:
    """Sorted names in one of our folders, without files that were still growing."""
    return [name for name in all_entries(fs, folder) if not name.endswith(".tmp")]


def all_entries(fs: FsOps, folder: Path) -> list[str]:
    """Sorted names in a folder; none where there is no folder."""
    try:
        return sorted(fs.names(folder))
    except FileNotFoundError:
        return []


def remove(fs: FsOps, path: Path) -> None:
    """Remove a file if it is there."""
    with suppress(FileNotFoundError):
        fs.unlink(path)


def remove_tree(fs: FsOps, path: Path) -> None:
    """Remove a file or a folder with all in it, never following symbolic links."""
    try:
        is_folder = stat.S_ISDIR(fs.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_folder:
        remove(fs, path)
        return
    for name in sorted(fs.names(path)):
        remove_tree(fs, path / name)
    with suppress(FileNotFoundError):
        fs.rmdir(path)
