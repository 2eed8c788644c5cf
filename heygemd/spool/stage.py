"""Copy a source from the share to the spool under a neutral name, by descriptor, hashing it."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from heygemd.errors import AudioError, MediaError, PortraitError, TransientError
from heygemd.records import Clip, Job
from heygemd.spool import files
from heygemd.spool.claim import read_job
from heygemd.spool.layout import AUDIO_ID, REFERENCE_ID
from heygemd.spool.look import Stamp, kind_of_file, stamp_of
from heygemd.spool.site import Site

_SWAPPED = {errno.ELOOP, errno.ENXIO, errno.ENODEV}

SourceError = type[AudioError] | type[MediaError] | type[PortraitError]


class Stager:
    """Stages sources, and remembers those it was too early for.

    Args:
        permission_tries: how often a file without read permission is tried before it fails; some
            storage boxes set permissions after the copy.
    """

    def __init__(self, *, permission_tries: int = 3) -> None:
        self._permission_tries = permission_tries
        self._n_refused: dict[tuple[str, str], int] = {}
        self._last: dict[tuple[str, str], Stamp] = {}
        self._may_clone = True

    def sound(self, site: Site, job: Job) -> Job:
        """The job with its sound staged, and the picture of the person to follow if it has one.

        Raises:
            AudioError: empty, no regular file, not readable, gone.
            PortraitError: the picture likewise.
            TransientError: still being written, or the share is away.
        """
        if not job.audio_sha256:
            self._stage(site, job, AUDIO_ID, job.audio_name, AudioError)
        if job.reference_name:
            self._stage(site, job, REFERENCE_ID, job.reference_name, PortraitError)
        return read_job(site, job.id)

    def clip(self, site: Site, job: Job, clip: Clip) -> Clip:
        """The clip with its bytes staged.

        Raises:
            MediaError: empty, no regular file, not readable, gone.
            TransientError: still being written, or the share is away.
        """
        if not clip.sha256:
            self._stage(site, job, clip.id, clip.name, MediaError)
        return next(staged for staged in read_job(site, job.id).clips if staged.id == clip.id)

    def _stage(self, site: Site, job: Job, source_id: str, name: str, kind: SourceError) -> None:
        facts = site.folders.staged(job.id, source_id).with_suffix(".json")
        if files.exists(site.fs, facts):
            return
        site.guard(job.id, "inbox")
        payload = site.folders.payload(job.id)
        try:
            folder_fd = site.fs.open_folder(payload)
        except FileNotFoundError as error:
            raise kind(f"{payload} is gone; somebody removed it", code="input_gone") from error
        try:
            fd = self._open(site, folder_fd, job, source_id, name, kind)
            try:
                self._copy(site, fd, job, source_id, name, kind)
            finally:
                site.fs.release(fd)
        finally:
            site.fs.release(folder_fd)

    def _open(  # noqa: PLR0913, PLR0917 - one file, and whom to tell about it
        self, site: Site, folder_fd: int, job: Job, source_id: str, name: str, kind: SourceError
    ) -> int:
        try:
            status = site.fs.lstat(name, folder_fd)
            if not stat.S_ISREG(status.st_mode):
                raise kind(f"{kind_of_file(status)}, want a regular file", code="unsafe_input")
            return site.fs.open_file(name, folder_fd)
        except FileNotFoundError as error:
            raise kind("the file is gone; somebody removed it", code="input_gone") from error
        except PermissionError as error:
            key = job.id, source_id
            self._n_refused[key] = self._n_refused.get(key, 0) + 1
            if self._n_refused[key] < self._permission_tries:
                raise TransientError(f"{name}: {error.strerror}", code="permission") from error
            raise kind(
                f"no permission to read it, tried {self._n_refused[key]} times; "
                "let the service's user read the file",
                code="permission",
            ) from error
        except OSError as error:
            if error.errno in _SWAPPED:
                raise kind("changed into something unsafe", code="unsafe_input") from error
            raise

    def _copy(  # noqa: PLR0913, PLR0917 - one file, and whom to tell about it
        self, site: Site, fd: int, job: Job, source_id: str, name: str, kind: SourceError
    ) -> None:
        before = site.fs.fstat(fd)
        _check(before, kind)
        self._wait_for_quiet(job, source_id, name, before, _accepted_stamp(site, job, source_id))
        staged = site.folders.staged(job.id, source_id)
        size, sha256 = self._take(site, fd, staged)
        after = site.fs.fstat(fd)
        if size != before.st_size or stamp_of(after) != stamp_of(before):
            self._last[job.id, source_id] = stamp_of(after)
            files.remove(site.fs, staged)
            raise TransientError(f"{name} changed while it was copied", code="still_changing")
        files.sync_dir(site.fs, staged.parent)
        files.put_json(
            site.fs,
            staged.with_suffix(".json"),
            {"name": name, "size_bytes": size, "sha256": sha256, "stamp": stamp_of(before)},
        )

    def _take(self, site: Site, fd: int, staged: Path) -> tuple[int, str]:
        """Size and digest of the copy: shared blocks where the disk can, else hashed on the way."""
        if self._may_clone:
            self._may_clone = files.clone_new(site.fs, staged, fd)
            if self._may_clone:
                return files.digest_of(site.fs, staged)
        hasher, size = hashlib.sha256(), 0

        def hashed() -> Iterator[bytes]:
            nonlocal size
            for chunk in files.chunks_of(site.fs, fd):
                hasher.update(chunk)
                size += len(chunk)
                yield chunk

        files.write_new(site.fs, staged, hashed())
        return size, hasher.hexdigest()

    def _wait_for_quiet(
        self, job: Job, source_id: str, name: str, now: os.stat_result, accepted: Stamp
    ) -> None:
        """A writer came back after the claim: wait until two tries see the same file."""
        stamp = stamp_of(now)
        if stamp in {accepted, self._last.get((job.id, source_id))}:
            return
        self._last[job.id, source_id] = stamp
        raise TransientError(f"{name} has changed since it was claimed", code="still_changing")


def _check(status: os.stat_result, kind: SourceError) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise kind(f"{kind_of_file(status)}, want a regular file", code="unsafe_input")
    if status.st_nlink > 1:  # it may be a name for somebody else's file
        raise kind(
            f"the file has {status.st_nlink} names (hard links), want one; copy it instead",
            code="unsafe_input",
        )
    if status.st_size == 0:
        raise kind("the file is empty", code="empty_input")


def _accepted_stamp(site: Site, job: Job, source_id: str) -> Stamp:
    """What the source looked like when the job was accepted."""
    document: dict[str, Any] = files.read_json(site.fs, site.folders.manifest(job.id)) or {}
    entries = [{"id": AUDIO_ID, **document["audio"]}, *document["clips"]]
    if document.get("reference"):
        entries.append({"id": REFERENCE_ID, **document["reference"]})
    inode, size, mtime_ns, ctime_ns, blocks = next(
        entry["stamp"] for entry in entries if entry["id"] == source_id
    )
    return inode, size, mtime_ns, ctime_ns, blocks
