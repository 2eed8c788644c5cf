"""Take a job folder by one rename, and write down what was accepted."""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from heygemd.errors import JobError, JobLayoutError
from heygemd.records import Clip, Job, RenderOptions
from heygemd.spool import files, names, outdir
from heygemd.spool.files import put_json, sync_dir
from heygemd.spool.fsops import FsOps
from heygemd.spool.layout import AUDIO_ID, RECORD_FOLDERS, REFERENCE_ID, SpoolFolders
from heygemd.spool.look import Look, Signature, look, read_options
from heygemd.spool.site import Site

_LOST = {errno.ENOENT, errno.ENOTDIR}
_HELD = {errno.EBUSY, errno.EACCES, errno.EPERM, errno.ENOTEMPTY, errno.EEXIST, errno.ETXTBSY}

Taken = Literal["taken", "lost", "held"]


def take(site: Site, job_id: str, name: str, seen: Look) -> Taken:
    """Move ``INBOX/name`` into a claim of ours: whoever renames owns it.

    Returns:
        ``lost`` when the folder is gone, ``held`` when a program has it open.
    """
    fs, folders = site.fs, site.folders
    claim = folders.claim(job_id)
    files.make_dir(fs, folders.job(job_id))  # first of all: it says that the claim is ours
    files.make_dir(fs, claim)
    put_json(
        fs,
        claim / "claim.json",
        {
            "job": job_id,
            "name": name,
            "spool": site.spool_id,
            "epoch": 1,
            "signature": seen.signature,
        },
    )
    try:
        fs.rename(folders.inbox / name, folders.payload(job_id))
    except OSError as error:
        if not files.exists(fs, folders.payload(job_id)):
            site.guard("", "inbox")  # a share that went away just now has lost us nothing
            drop(fs, folders, job_id)
            if error.errno in _LOST:
                return "lost"
            if error.errno in _HELD:
                return "held"
            raise
    settle_claim(fs, folders, job_id)
    return "taken"


def settle_claim(fs: FsOps, folders: SpoolFolders, job_id: str) -> None:
    """Put the rename on the disk, on both its ends."""
    sync_dir(fs, folders.claims)
    sync_dir(fs, folders.claim(job_id))
    sync_dir(fs, folders.inbox)


def drop(fs: FsOps, folders: SpoolFolders, job_id: str) -> None:
    """Forget a claim that holds nobody's folder."""
    claim = folders.claim(job_id)
    if files.exists(fs, claim):
        for name in fs.names(claim):
            files.remove(fs, claim / name)
        fs.rmdir(claim)
        sync_dir(fs, folders.claims)
    files.remove_tree(fs, folders.job(job_id))
    sync_dir(fs, folders.jobs)


def claimed_name(site: Site, job_id: str) -> str:
    """The name a claimed folder had in the inbox; its id when the claim does not say."""
    document = files.read_json(site.fs, site.folders.claim(job_id) / "claim.json") or {}
    return str(document.get("name") or job_id)


def claimed_signature(site: Site, job_id: str) -> Signature:
    """What the folder looked like when it was ready."""
    document = files.read_json(site.fs, site.folders.claim(job_id) / "claim.json") or {}
    return tuple((str(name), _stamp(stamp)) for name, stamp in document.get("signature", ()))


def unaccepted(site: Site, job_ids: Iterable[str]) -> dict[str, Signature]:
    """Folders of ours, relative to the inbox, that are claimed and not accepted."""
    found = {}
    for job_id in job_ids:
        payload = site.folders.payload(job_id)
        is_accepted = files.exists(site.fs, site.folders.manifest(job_id))
        if not is_accepted and files.exists(site.fs, payload):
            name = str(payload.relative_to(site.folders.inbox))
            found[name] = claimed_signature(site, job_id)
    return found


def _stamp(numbers: list[int]) -> tuple[int, int, int, int, int]:
    inode, size, mtime_ns, ctime_ns, blocks = numbers
    return inode, size, mtime_ns, ctime_ns, blocks


def accept(site: Site, job_id: str, seen: Look, defaults: RenderOptions, *, restores: bool) -> Job:
    """Reserve the outbox folder and write the manifest; the job exists from then on.

    Raises:
        JobLayoutError: not one sound and some clips.
        JobOptionsError: job.toml is wrong.
    """
    fs, folders = site.fs, site.folders
    name = claimed_name(site, job_id)
    check_layout(seen)
    choices = read_options(fs, folders.payload(job_id), seen)
    options = choices.over(defaults, restores=restores)
    reference, clips = "", seen.clips
    if options.face == "reference":
        reference, clips = pick_reference(seen)
    out_name = outdir.reserve(site, job_id, names.safe_name(name))
    for kind in RECORD_FOLDERS:
        files.make_dir(fs, folders.job(job_id) / kind)
    put_json(
        fs,
        folders.manifest(job_id),
        {
            "schema": 1,
            "job": job_id,
            "name": name,
            "out_name": out_name,
            "audio": {"name": seen.sounds[0], "stamp": seen.stamps[seen.sounds[0]]},
            "clips": _clips(seen, clips),
            "reference": reference and {"name": reference, "stamp": seen.stamps[reference]},
            "ignored": seen.ignored,
            "options": dataclasses.asdict(options),
            "priority": choices.priority,
        },
    )
    return read_job(site, job_id)


def _clips(seen: Look, clips: tuple[str, ...]) -> list[dict[str, Any]]:
    stems = names.stems(clips)
    return [
        {"id": f"{n:04d}", "name": name, "stem": stem, "stamp": seen.stamps[name]}
        for n, (name, stem) in enumerate(zip(clips, stems, strict=True), start=1)
    ]


def pick_reference(seen: Look) -> tuple[str, tuple[str, ...]]:
    """The picture of the person to follow, and the clips without it.

    Raises:
        JobLayoutError: no such picture, more than one, or nothing else.
    """
    found = [name for name in seen.clips if names.is_reference(name)]
    clips = tuple(name for name in seen.clips if name not in found)
    if len(found) != 1:
        raise JobLayoutError(
            f'{len(found)} reference pictures ({", ".join(found) or "none"}), face = "reference" '
            "wants exactly one, named reference.jpg, .png or .webp",
            code="portrait",
        )
    if not clips:
        raise JobLayoutError(f"no video beside {found[0]}, want at least one")
    return found[0], clips


def check_layout(seen: Look) -> None:
    """Refuse a folder that is no job.

    Raises:
        JobLayoutError: says what was found and what was wanted.
    """
    noted = "".join(f"; {name} was left out: {why}" for name, why in seen.ignored)
    if len(seen.sounds) != 1:
        found = ", ".join(seen.sounds) or "none"
        raise JobLayoutError(
            f"{len(seen.sounds)} audio files ({found}), want exactly one beside the videos{noted}"
        )
    if not seen.clips:
        raise JobLayoutError(f"no video beside {seen.sounds[0]}, want at least one{noted}")


def read_job(site: Site, job_id: str) -> Job:
    """The job as accepted, its paths as far as staging has come.

    Raises:
        SpoolError: the manifest cannot be read.
        KeyError: it is no manifest; ``read_job`` is called where one exists.
    """
    document = files.read_json(site.fs, site.folders.manifest(job_id)) or {}
    known = {field.name for field in dataclasses.fields(RenderOptions)}
    audio, audio_sha256 = _source(site, job_id, AUDIO_ID, document["audio"]["name"])
    clips = []
    for entry in document["clips"]:
        path, sha256 = _source(site, job_id, entry["id"], entry["name"])
        clips.append(Clip(entry["id"], entry["name"], entry["stem"], path, sha256))
    # Manifests of earlier versions have no such key.
    reference_name = (document.get("reference") or {}).get("name", "")
    reference = None
    if reference_name:
        reference, _ = _source(site, job_id, REFERENCE_ID, reference_name)
    return Job(
        id=job_id,
        name=document["name"],
        out_name=outdir.moved_name(site, job_id) or document["out_name"],
        audio_name=document["audio"]["name"],
        audio=audio,
        clips=tuple(clips),
        options=RenderOptions(**{k: v for k, v in document["options"].items() if k in known}),
        audio_sha256=audio_sha256,
        priority=document["priority"],
        reference_name=reference_name,
        reference=reference,
    )


def _source(site: Site, job_id: str, source_id: str, name: str) -> tuple[Path, str]:
    """(path, sha256) of the staged copy, else (path in the payload, "")."""
    staged = site.folders.staged(job_id, source_id)
    facts = files.read_json(site.fs, staged.with_suffix(".json"))
    if facts is None:
        return site.folders.payload(job_id) / name, ""
    return staged, facts["sha256"]


def reject(site: Site, job_id: str, error: JobError) -> str:
    """Say in the outbox why a folder is no job, and put it aside whole; the outbox folder's name.

    REASON.json comes first: from then on a crash ends in the same rejection.
    """
    reason = {"outcome": "rejected", "code": error.reason, "message": str(error)}
    put_json(site.fs, site.folders.claim(job_id) / "REASON.json", reason)
    return finish_rejection(site, job_id, reason)


def finish_rejection(site: Site, job_id: str, reason: dict[str, Any]) -> str:
    """The rest of a rejection, from REASON.json on; safe to repeat."""
    fs, folders = site.fs, site.folders
    name = claimed_name(site, job_id)
    document = {**reason, "job_id": job_id, "name": name}
    out_name = outdir.reserve(site, job_id, names.safe_name(name), document=document)
    move_claim(site, job_id, folders.claims, folders.rejected)
    put_json(fs, folders.job(job_id) / "REJECTED", {**document, "out_name": out_name})
    return out_name


def move_claim(site: Site, job_id: str, source: Path, target: Path) -> None:
    """Move a whole claim from shelf to shelf; fine when it is there already."""
    site.guard("", "inbox")
    try:
        site.fs.rename(source / job_id, target / job_id)
    except OSError:
        if not files.exists(site.fs, target / job_id):
            raise
    sync_dir(site.fs, target)
    sync_dir(site.fs, source)


def name_of(site: Site, job_id: str) -> str:
    """The name a job's folder had, by the job's own records."""
    job = site.folders.job(job_id)
    for record in (site.folders.manifest(job_id), job / "REJECTED"):
        document = files.read_json(site.fs, record)
        if document is not None:
            return str(document["name"])
    return job_id


def give_back(site: Site, payload: Path, home: Path, name: str) -> str:
    """Move a folder to a place of people's under its name, or a numbered one; the name there.

    ``home`` is the inbox, or another folder on its file system.
    """
    site.guard("", "inbox")
    n = 1
    while True:
        target = home / names.numbered(name, n)
        try:
            site.fs.rename(payload, target)
        except OSError as error:
            if error.errno not in {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}:
                raise
            n += 1
            continue
        sync_dir(site.fs, home)
        sync_dir(site.fs, payload.parent)
        return target.name


def look_at_claim(site: Site, job_id: str) -> Look:
    """What is in a claimed folder now."""
    return look(site.fs, site.folders.payload(job_id))
