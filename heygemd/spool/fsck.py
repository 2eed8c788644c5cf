"""Whether a spool keeps its promises, checked against every file on its three disks.

    I1  every clip of an accepted job is queued, done or failed, exactly one of them
    I2  the bytes of every input still exist, until retention removes them
    I3  every mp4 of ours in the outbox is complete: its bytes are those of record and sidecar
    I4  a clip has at most one mp4 in the outbox
    I5  a job.json in the outbox means that every clip of the job has ended and is there
    I6  at rest: nothing half-made in the outbox, no empty claims, no claims of nobody's
    I7  a done record names the bytes that stand under its name
    I8  attempts stay within the limit
    I9  nothing lies in our folders that we did not put there

That recovery is idempotent (I10) and the model is loaded once (I11) are tests, not states.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from heygemd.spool import files
from heygemd.spool.commit import LOCKS
from heygemd.spool.fsops import FsOps
from heygemd.spool.layout import OWN, RECORD_FOLDERS, SpoolFolders

Severity = Literal["error", "note"]

_WORK = {"instance.lock", "spool.json", "jobs", "requests", "tracks", "trash"}
_MARKS = {"CLOSED", "REJECTED", "LOST", "CANCEL", "REMOVED", "REOPEN"}
_JOB = {"job.json", "outdir", "pictures", *_MARKS, *RECORD_FOLDERS}
_INBOX = {"SHARE_ID", "claims", "archive", "rejected", "spools"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise.

    Attributes:
        rule: ``I1`` to ``I9``.
        path: the file or folder it is about.
        message: what was found and what was wanted.
        severity: ``note`` for what people may do: taking results away.
        job_id: whose it is, empty where nobody's.
        clip_id: likewise.
    """

    rule: str
    path: Path
    message: str
    severity: Severity = "error"
    job_id: str = ""
    clip_id: str = ""


@dataclass(frozen=True, slots=True)
class _View:
    """A job's records, read once."""

    fs: FsOps
    folders: SpoolFolders
    job_id: str
    manifest: dict[str, Any]
    out_name: str
    ended: bool

    @property
    def clips(self) -> list[dict[str, Any]]:
        """The manifest's entries."""
        return list(self.manifest["clips"])

    def record(self, kind: str, clip_id: str) -> dict[str, Any] | None:
        """A clip's record; None where it has none."""
        return files.read_json(self.fs, self.folders.record(kind, self.job_id, clip_id))

    def stem_of(self, clip: dict[str, Any]) -> str:
        """What the clip's outputs are called now."""
        intent = self.record("intent", clip["id"])
        return str(intent["stem"] if intent else clip["stem"])

    @property
    def outdir(self) -> Path:
        """The job's folder in the outbox."""
        return self.folders.outbox / self.out_name


def check(fs: FsOps, folders: SpoolFolders, *, max_attempts: int, at_rest: bool) -> list[Finding]:
    """Every broken promise; an empty list is a sound spool.

    Args:
        fs: the door to the disk; nothing is changed.
        folders: the three roots.
        max_attempts: as the spool was opened with.
        at_rest: no daemon is at work, so nothing may be half-made.

    Raises:
        OSError: a disk or share does not answer.
        SpoolError: a record is no JSON.
    """
    findings: list[Finding] = []
    for job_id in files.entries(fs, folders.jobs):
        view = _view(fs, folders, job_id)
        if view is not None:
            findings += _check_job(view, max_attempts)
    findings += _check_sidecars(fs, folders)
    findings += _check_strays(fs, folders)
    if at_rest:
        findings += _check_rest(fs, folders)
    return findings


def _view(fs: FsOps, folders: SpoolFolders, job_id: str) -> _View | None:
    manifest = files.read_json(fs, folders.manifest(job_id))
    if manifest is None or files.exists(fs, folders.job(job_id) / "LOST"):
        return None
    moved = files.read_bytes(fs, folders.job(job_id) / "outdir")
    out_name = moved.decode() if moved else manifest["out_name"]
    ended = files.exists(fs, folders.job(job_id) / "CLOSED")
    return _View(fs, folders, job_id, manifest, out_name, ended)


def _check_job(view: _View, max_attempts: int) -> Iterator[Finding]:
    for clip in view.clips:
        yield from _check_terminal(view, clip)
        yield from _check_output(view, clip)
        yield from _check_attempts(view, clip, max_attempts)
    yield from _check_inputs(view)
    yield from _check_job_json(view)


def _check_terminal(view: _View, clip: dict[str, Any]) -> Iterator[Finding]:
    done, failed = (view.record(kind, clip["id"]) for kind in ("done", "fail"))
    path = view.folders.job(view.job_id)
    whose = {"job_id": view.job_id, "clip_id": clip["id"]}
    if done is not None and failed is not None:
        yield Finding("I1", path, f"clip {clip['name']} is both done and failed", **whose)
    if view.ended and done is None and failed is None:
        yield Finding("I1", path, f"the job is closed, clip {clip['name']} has not ended", **whose)


def _check_output(view: _View, clip: dict[str, Any]) -> Iterator[Finding]:
    """I3 and I7: what stands under the clip's name is what the records say."""
    done, intent = view.record("done", clip["id"]), view.record("intent", clip["id"])
    final = view.outdir / f"{view.stem_of(clip)}.mp4"
    whose = {"job_id": view.job_id, "clip_id": clip["id"]}
    if not files.exists(view.fs, final):
        if done is not None:
            what = "the output of a done clip is not in the outbox; somebody took it"
            yield Finding("I7", final, what, "note", **whose)
        return
    found = files.digest_of(view.fs, final)
    for rule, record in (("I3", intent), ("I7", done)):
        if record is not None and found != (record["size_bytes"], record["sha256"]):
            what = f"{found[0]} bytes {found[1][:12]}, want {record['size_bytes']} bytes"
            yield Finding(rule, final, f"{what} {record['sha256'][:12]}", **whose)
    sidecar = _loads(view.fs, final.with_suffix(".json"))
    if intent is not None and sidecar.get("output", {}).get("sha256") != found[1]:
        yield Finding("I3", final, "the JSON beside it speaks of other bytes", **whose)
    if intent is None and done is None and sidecar.get("job_id") == view.job_id:
        yield Finding("I3", final, "an mp4 that no intent announced", **whose)


def _check_attempts(view: _View, clip: dict[str, Any], max_attempts: int) -> Iterator[Finding]:
    folder = view.folders.job(view.job_id) / "att"
    n = sum(name.startswith(f"{clip['id']}.") for name in files.entries(view.fs, folder))
    if n > max_attempts:
        whose = {"job_id": view.job_id, "clip_id": clip["id"]}
        yield Finding("I8", folder, f"{n} attempts, want at most {max_attempts}", **whose)


def _check_inputs(view: _View) -> Iterator[Finding]:
    """I2: an open job's inputs are in its claim, a closed one's in the archive."""
    if files.exists(view.fs, view.folders.job(view.job_id) / "REMOVED"):
        return
    shelves = [view.folders.claims, view.folders.archive]
    homes = [shelf / view.job_id / "payload" for shelf in shelves]
    homes = [home for home in homes if files.exists(view.fs, home)]
    if len(homes) != 1:
        path = view.folders.claim(view.job_id)
        what = f"inputs of job {view.job_id} in {len(homes)} places, want claims or archive"
        yield Finding("I2", path, what, job_id=view.job_id)
        return
    if view.ended and homes[0].parents[1] != view.folders.archive:
        yield Finding("I2", homes[0], "the job is closed, want it archived", job_id=view.job_id)
    for entry in (view.manifest["audio"], *view.clips):
        if not files.exists(view.fs, homes[0] / entry["name"]):
            path = homes[0] / entry["name"]
            yield Finding("I2", path, "the input is gone; somebody took it", job_id=view.job_id)


def _check_job_json(view: _View) -> Iterator[Finding]:
    path = view.outdir / "job.json"
    if _loads(view.fs, path).get("job_id") != view.job_id:
        return
    for clip in view.clips:
        done, failed = (view.record(kind, clip["id"]) for kind in ("done", "fail"))
        if done is None and failed is None:
            what = f"it is there, clip {clip['name']} has not ended"
            yield Finding("I5", path, what, job_id=view.job_id, clip_id=clip["id"])
        stem = str(done["name"]).removesuffix(".mp4") if done else ""
        if done and not files.exists(view.fs, view.outdir / f"{stem}.json"):
            what = f"{stem}.json is not beside it; somebody took it"
            yield Finding("I5", path, what, "note", view.job_id, clip["id"])


def _check_sidecars(fs: FsOps, folders: SpoolFolders) -> Iterator[Finding]:
    """I3 and I4 as people see them: by what the JSON files in the outbox say."""
    outputs: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for folder in _owned_folders(fs, folders):
        for name in files.all_entries(fs, folder):
            sidecar = folder / name
            facts = _loads(fs, sidecar) if name.endswith(".json") else {}
            output = facts.get("output")
            if not output or "clip_id" not in facts:
                continue
            final = folder / str(output["name"])
            if not files.exists(fs, final):
                continue
            outputs[str(facts["job_id"]), str(facts["clip_id"])].append(final)
    for (job_id, clip_id), paths in outputs.items():
        if len(paths) > 1:
            what = f"one clip, {len(paths)} mp4s: {', '.join(str(path) for path in paths)}"
            yield Finding("I4", paths[1], what, job_id=job_id, clip_id=clip_id)


def _owned_folders(fs: FsOps, folders: SpoolFolders) -> Iterator[Path]:
    for name in files.all_entries(fs, folders.outbox):
        folder = folders.outbox / name
        if not name.startswith(".") and files.exists(fs, folder / ".owner"):
            yield folder


def _check_strays(fs: FsOps, folders: SpoolFolders) -> Iterator[Finding]:
    places = [(folders.work, _WORK), (folders.inbox / OWN, _INBOX)]
    places += [(folders.job(job_id), _JOB) for job_id in files.entries(fs, folders.jobs)]
    for folder, known in places:
        for name in files.entries(fs, folder):
            if name not in known:
                yield Finding("I9", folder / name, "not one of heygemd's files", "note")


def _check_rest(fs: FsOps, folders: SpoolFolders) -> Iterator[Finding]:
    spool_id = (files.read_json(fs, folders.work / "spool.json") or {}).get("id")
    for name in files.all_entries(fs, folders.building):
        lock = files.all_entries(fs, folders.building / name) if name.endswith(LOCKS) else []
        if any(entry.startswith(f"{spool_id}.") for entry in (name, *lock)):
            yield Finding("I6", folders.building / name, "left under construction")
    for job_id in files.all_entries(fs, folders.claims):
        if not files.exists(fs, folders.payload(job_id)):
            yield Finding("I6", folders.claim(job_id), "a claim that holds no folder")
        elif not files.exists(fs, folders.job(job_id)):
            what = "claimed by another spool, or by one whose work folder is lost"
            yield Finding("I6", folders.claim(job_id), what, "note", job_id)
    for job_id in files.entries(fs, folders.jobs):
        yield from _check_growing(fs, folders, job_id)


def _check_growing(fs: FsOps, folders: SpoolFolders, job_id: str) -> Iterator[Finding]:
    folder = folders.job(job_id)
    known = any(files.exists(fs, folder / name) for name in ("job.json", "REJECTED", "LOST"))
    if not known and not files.exists(fs, folders.payload(job_id)):
        yield Finding("I6", folder, "a job without a folder", job_id=job_id)
    for kind in RECORD_FOLDERS:
        for name in files.all_entries(fs, folder / kind):
            if name.endswith(".tmp"):
                yield Finding("I6", folder / kind / name, "left growing", job_id=job_id)


def _loads(fs: FsOps, path: Path) -> dict[str, Any]:
    """A JSON object that people may have changed; empty when it is none."""
    data = files.read_bytes(fs, path)
    try:
        return files.parse(data or b"")
    except ValueError:
        return {}
