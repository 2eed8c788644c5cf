"""What every job of a spool has come to, read from its files alone: no lock, no daemon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from heygemd.spool import files
from heygemd.spool.fsops import FsOps
from heygemd.spool.layout import SpoolFolders

State = Literal["claimed", "open", "closed", "rejected", "lost"]

_ENDS: tuple[tuple[str, State], ...] = (
    ("CLOSED", "closed"),
    ("REJECTED", "rejected"),
    ("LOST", "lost"),
)


@dataclass(frozen=True, slots=True)
class JobState:
    """One job.

    Attributes:
        state: ``claimed`` is not accepted yet, ``open`` is waiting or at work, ``lost`` went to
            another spool.
        n_clips: 0 while it is not accepted.
        inputs_kept: False once retention has let go of the inputs.
    """

    job_id: str
    name: str
    out_name: str
    state: State
    n_clips: int = 0
    n_done: int = 0
    n_failed: int = 0
    priority: int = 0
    inputs_kept: bool = True


def survey(fs: FsOps, folders: SpoolFolders) -> list[JobState]:
    """Every job that the spool remembers, oldest first.

    Raises:
        OSError: the work folder does not answer.
        SpoolError: a record is no JSON.
    """
    return [_job_state(fs, folders, job_id) for job_id in files.entries(fs, folders.jobs)]


def _job_state(fs: FsOps, folders: SpoolFolders, job_id: str) -> JobState:
    folder = folders.job(job_id)
    rejected = files.read_json(fs, folder / "REJECTED")
    manifest = files.read_json(fs, folders.manifest(job_id)) or rejected or {}
    moved = files.read_bytes(fs, folder / "outdir")
    ends = [state for mark, state in _ENDS if files.exists(fs, folder / mark)]
    accepted: State = "open" if "clips" in manifest else "claimed"
    return JobState(
        job_id=job_id,
        name=str(manifest.get("name", "")),
        out_name=moved.decode() if moved else str(manifest.get("out_name", "")),
        state=ends[0] if ends else accepted,
        n_clips=len(manifest.get("clips", ())),
        n_done=len(files.entries(fs, folder / "done")),
        n_failed=len(files.entries(fs, folder / "fail")),
        priority=int(manifest.get("priority", 0)),
        inputs_kept=not files.exists(fs, folder / "REMOVED"),
    )


@dataclass(frozen=True, slots=True)
class ClipState:
    """One clip of a job.

    Attributes:
        state: ``queued`` waits or is at work.
        n_attempts: begun so far, without those that were forgiven.
        code: why it failed, else empty.
        message: likewise, in words.
        output: name of its mp4 in the outbox, empty while there is none.
    """

    clip_id: str
    name: str
    state: Literal["queued", "done", "failed"]
    n_attempts: int
    code: str = ""
    message: str = ""
    output: str = ""


def clip_states(fs: FsOps, folders: SpoolFolders, job_id: str) -> list[ClipState]:
    """The clips of an accepted job, in its order; none while it is not accepted.

    Raises:
        OSError: the work folder does not answer.
        SpoolError: a record is no JSON.
    """
    manifest = files.read_json(fs, folders.manifest(job_id)) or {}
    attempts = files.entries(fs, folders.job(job_id) / "att")
    found = []
    for clip in manifest.get("clips", ()):
        clip_id, name = str(clip["id"]), str(clip["name"])
        n_attempts = sum(each.startswith(f"{clip_id}.") for each in attempts)
        done = files.read_json(fs, folders.record("done", job_id, clip_id))
        failed = files.read_json(fs, folders.record("fail", job_id, clip_id))
        if done is not None:
            intent = files.read_json(fs, folders.record("intent", job_id, clip_id)) or {}
            output = f"{intent.get('stem', clip['stem'])}.mp4"
            found.append(ClipState(clip_id, name, "done", n_attempts, output=output))
        elif failed is not None:
            code, message = str(failed.get("code", "")), str(failed.get("message", ""))
            found.append(ClipState(clip_id, name, "failed", n_attempts, code, message))
        else:
            found.append(ClipState(clip_id, name, "queued", n_attempts))
    return found
