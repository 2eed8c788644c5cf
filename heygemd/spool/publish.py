"""From a rendered file to a visible one: intent, part, sidecar, link, record, in that order."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from heygemd.errors import MediaError, TransientError
from heygemd.log import log as daemon_log
from heygemd.records import Clip, Job
from heygemd.spool import commit, files, names, outdir
from heygemd.spool.holder import was_taken_over
from heygemd.spool.site import Site, clip_ids

Intent = dict[str, Any]


def publish(site: Site, job: Job, clip: Clip, log: Mapping[str, Any]) -> Path:
    """Make the rendered file visible under its final name; where it is.

    Raises:
        MediaError: there is nothing to publish.
        TransientError: the rendered bytes did not reach the disk; render again.
        OSError: the outbox did not take it; ``resume`` goes on from the intent.
    """
    size, sha256 = _settle_rendered(site, job, clip)
    intent = {"size_bytes": size, "sha256": sha256, "stem": clip.stem, "log": dict(log)}
    _put_intent(site, job, clip, intent)
    return deliver(site, job, clip, intent)


def _settle_rendered(site: Site, job: Job, clip: Clip) -> tuple[int, str]:
    """Put the rendered bytes on the disk; their size and digest."""
    fs, rendered = site.fs, site.folders.rendered(job.id, clip.id)
    try:
        fd = fs.open_file(rendered)
    except FileNotFoundError as error:
        raise MediaError("the renderer left no file", code="no_output") from error
    try:
        try:
            fs.fsync(fd)
        finally:
            fs.close(fd)
    except OSError as error:  # the kernel may have dropped the bytes: never fsync them again
        files.remove(fs, rendered)
        raise TransientError(f"{rendered}: {error.strerror}; rendering again", code="io") from error
    files.sync_dir(fs, rendered.parent)
    size, sha256 = files.digest_of(fs, rendered)
    if not size:
        raise MediaError("the renderer left an empty file", code="no_output")
    return size, sha256


def _put_intent(site: Site, job: Job, clip: Clip, intent: Intent) -> None:
    files.put_json(site.fs, site.folders.record("intent", job.id, clip.id), intent)


def resume(site: Site, job: Job, clip: Clip) -> bool:
    """Go on publishing what was rendered before a crash or a full disk; False: render it."""
    fs, record = site.fs, site.folders.record("intent", job.id, clip.id)
    intent = files.read_json(fs, record)
    if intent is None:
        return False
    rendered = site.folders.rendered(job.id, clip.id)
    if is_published(site, job, clip) or _same(site, rendered, intent):
        path, told = deliver(site, job, clip, intent), intent["log"]
        daemon_log.info(
            "clip.published",
            job=job.name,
            clip=clip.name,
            output=path.name,
            n_frames=told.get("n_frames"),
            frames_per_s=told.get("frames_per_s"),
        )
        return True
    files.remove(fs, record)
    files.sync_dir(fs, record.parent)
    return False


def is_published(site: Site, job: Job, clip: Clip) -> bool:
    """True when the file of the clip's intent stands in the outbox."""
    intent = files.read_json(site.fs, site.folders.record("intent", job.id, clip.id))
    if intent is None:
        return False
    out_name = outdir.moved_name(site, job.id) or job.out_name
    return _same(site, site.folders.outbox / out_name / f"{intent['stem']}.mp4", intent)


def deliver(site: Site, job: Job, clip: Clip, intent: Intent) -> Path:
    """From the intent to the done record; every step may have happened before."""
    site.guard(job.id, "outbox")
    fs = site.fs
    part = site.growing(job.id, f"{clip.id}.part")
    folder = outdir.ensure(site, job)
    final = folder / f"{intent['stem']}.mp4"
    while not _same(site, final, intent):
        stem = _free_stem(site, job, clip, folder, intent)
        if stem != intent["stem"]:
            _leave_stem(site, job, clip, final.with_suffix(".json"))
            intent = {**intent, "stem": stem}
            _put_intent(site, job, clip, intent)
        final = folder / f"{stem}.mp4"
        if _deliver_as(site, job, clip, part, final, intent):
            break
        if was_taken_over(site, job.id):  # the spool before us was not dead, only slow
            intent = _yield_to(site, job, clip, final, intent)
    files.sync_dir(fs, folder)
    files.remove(fs, part)
    files.sync_dir(fs, part.parent)
    done = site.folders.record("done", job.id, clip.id)
    files.put_json(fs, done, {**_output(intent), "log": _sidecar(job, clip, intent)})
    files.remove(fs, site.folders.rendered(job.id, clip.id))
    return final


def _same(site: Site, path: Path, intent: Intent) -> bool:
    """True when a regular file with the intent's bytes stands at ``path``."""
    try:
        if site.fs.lstat(path).st_size != intent["size_bytes"]:
            return False
        return files.digest_of(site.fs, path) == (intent["size_bytes"], intent["sha256"])
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL}:
            return False
        raise


def _deliver_as(  # noqa: PLR0913, PLR0917 - one file's way to its name
    site: Site, job: Job, clip: Clip, part: Path, final: Path, intent: Intent
) -> bool:
    """Copy, say what it is, commit; False when somebody else was quicker to take the name."""
    if _same(site, final, intent):
        return True
    _copy_to_outbox(site, job, clip, part, intent)
    outdir.put_visible(site, job.id, final.with_suffix(".json"), _sidecar(job, clip, intent))
    return _commit(site, job, part, final, intent)


def _yield_to(site: Site, job: Job, clip: Clip, final: Path, intent: Intent) -> Intent:
    """Let the file stand that another holder of this job published, and tell of that one."""
    size, sha256 = files.digest_of(site.fs, final)
    intent = {**intent, "size_bytes": size, "sha256": sha256}
    _put_intent(site, job, clip, intent)
    outdir.put_visible(site, job.id, final.with_suffix(".json"), _sidecar(job, clip, intent))
    return intent


def _free_stem(site: Site, job: Job, clip: Clip, folder: Path, intent: Intent | None) -> str:
    """The clip's stem, or the first numbered one that nobody else uses.

    ``intent`` says what a file of ours would hold; None when there is to be no mp4.
    """
    taken = {names.same_key(other.stem) for other in job.clips if other.id != clip.id} | {"job"}
    n = 0
    stems = [intent["stem"]] if intent else []
    while True:
        for stem in stems:
            if names.same_key(stem) not in taken and _is_free(
                site, job, clip, folder / stem, intent
            ):
                return str(stem)
        n += 1
        stems = [names.numbered(clip.stem, n)]


def _is_free(site: Site, job: Job, clip: Clip, stem: Path, intent: Intent | None) -> bool:
    final, sidecar = stem.with_name(f"{stem.name}.mp4"), stem.with_name(f"{stem.name}.json")
    if files.exists(site.fs, final):
        return intent is not None and _same(site, final, intent)
    return not files.exists(site.fs, sidecar) or _is_ours(site, job, clip, sidecar)


def _is_ours(site: Site, job: Job, clip: Clip, sidecar: Path) -> bool:
    data = files.read_bytes(site.fs, sidecar)
    with suppress(ValueError):
        return clip_ids(job, clip).items() <= files.parse(data or b"").items()
    return False


def _leave_stem(site: Site, job: Job, clip: Clip, sidecar: Path) -> None:
    """Take back a sidecar of ours whose mp4's name somebody else was quicker to take."""
    if files.exists(site.fs, sidecar) and _is_ours(site, job, clip, sidecar):
        site.guard(job.id, "outbox")
        files.remove(site.fs, sidecar)


def _copy_to_outbox(site: Site, job: Job, clip: Clip, part: Path, intent: Intent) -> None:
    """Copy the rendered file beside its destination, and see that it is what was rendered."""
    fs = site.fs
    hasher = hashlib.sha256()

    def hashed(fd: int) -> Iterator[bytes]:
        for chunk in files.chunks_of(fs, fd):
            hasher.update(chunk)
            yield chunk

    fd = fs.open_file(site.folders.rendered(job.id, clip.id))
    try:
        files.write_new(fs, part, hashed(fd))
    finally:
        fs.release(fd)
    files.sync_dir(fs, part.parent)
    found = fs.lstat(part).st_size, hasher.hexdigest()
    if found != (intent["size_bytes"], intent["sha256"]):
        files.remove(fs, part)
        raise TransientError(
            f"{part} has {found[0]} bytes, want {intent['size_bytes']} as rendered", code="io"
        )


def _commit(site: Site, job: Job, part: Path, final: Path, intent: Intent) -> bool:
    """Place the file; False when somebody else was quicker to take the name."""
    site.guard(job.id, "outbox")
    try:
        may_break = site.place == commit.RESERVE and was_taken_over(site, job.id)
        commit.place(site.fs, site.place, part, final, may_break=may_break)
    except OSError as error:
        if _same(site, final, intent):  # it worked, and the answer was lost
            return True
        if error.errno != errno.EEXIST:
            raise
        return False
    return True


def _output(intent: Intent) -> dict[str, Any]:
    return {
        "name": f"{intent['stem']}.mp4",
        "size_bytes": intent["size_bytes"],
        "sha256": intent["sha256"],
    }


def _sidecar(job: Job, clip: Clip, intent: Intent) -> dict[str, Any]:
    return {**intent["log"], **clip_ids(job, clip), "output": _output(intent)}


def fail(site: Site, job: Job, clip: Clip, log: Mapping[str, Any]) -> None:
    """End a clip without an output: the record first, so that a crash cannot forget it."""
    record = site.folders.record("fail", job.id, clip.id)
    if files.exists(site.fs, site.folders.record("done", job.id, clip.id)):
        raise ValueError(f"clip {clip.id} of job {job.id} is done, it cannot fail")
    if not files.exists(site.fs, record):
        if is_published(site, job, clip):  # people can see it: it is done
            resume(site, job, clip)
            return
        files.put_json(site.fs, record, {**log, **clip_ids(job, clip)})
    tell_failure(site, job, clip)


def tell_failure(site: Site, job: Job, clip: Clip) -> None:
    """Have ``<stem>.json`` in the outbox say why a clip failed."""
    log = files.read_json(site.fs, site.folders.record("fail", job.id, clip.id)) or {}
    folder = outdir.ensure(site, job)
    sidecar = folder / f"{_free_stem(site, job, clip, folder, None)}.json"
    if files.read_bytes(site.fs, sidecar) != files.to_json(log):
        outdir.put_visible(site, job.id, sidecar, log)
    files.remove(site.fs, site.folders.rendered(job.id, clip.id))


def tell_success(site: Site, job: Job, clip: Clip) -> None:
    """Have the JSON beside a published mp4 say what it is, once more."""
    intent = files.read_json(site.fs, site.folders.record("intent", job.id, clip.id)) or {}
    sidecar = outdir.ensure(site, job) / f"{intent['stem']}.json"
    outdir.put_visible(site, job.id, sidecar, _sidecar(job, clip, intent))


def ended_logs(site: Site, job: Job) -> list[dict[str, Any]]:
    """The logs of a job's clips that have ended, in the clips' order."""
    found = []
    for clip in job.clips:
        done = files.read_json(site.fs, site.folders.record("done", job.id, clip.id))
        log = (done or {}).get("log") or files.read_json(
            site.fs, site.folders.record("fail", job.id, clip.id)
        )
        if log is not None:
            found.append(log)
    return found
