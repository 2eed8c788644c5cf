"""What progress.json says while a job runs, and the tally that it is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from heygemd.records import Clip, Job
from heygemd.report.documents import SCHEMA_VERSION, printable

State = Literal["waiting", "running", "ok", "failed"]

STAGES = {"faces": (0.0, 0.5), "study": (0.5, 0.0), "render": (0.5, 0.5), "verify": (1.0, 0.0)}
"""How much of a clip is done when a stage begins, and what it adds: next to the pass for faces and
the one that writes, the others are short."""


@dataclass(frozen=True, slots=True)
class ClipProgress:
    """How far one clip is.

    Attributes:
        stage: ``faces``, ``study``, ``render`` or ``verify``; empty before and after.
        n_done: frames of that pass that are done.
        n_frames: frames of that pass in all, 0 while nobody knows.
    """

    id: str
    name: str
    state: State = "waiting"
    stage: str = ""
    n_done: int = 0
    n_frames: int = 0

    @property
    def share(self) -> float:
        """How much of the clip's work is done, 0..1."""
        if self.state in {"ok", "failed"}:
            return 1.0
        before, adds = STAGES.get(self.stage, (0.0, 0.0))
        within = min(1.0, self.n_done / self.n_frames) if self.n_frames else 0.0
        return before + within * adds


def progress_document(
    job: Job,
    clips: Sequence[ClipProgress],
    *,
    now: datetime,
    frames_per_s: float | None = None,
    eta_s: float | None = None,
) -> dict[str, Any]:
    """What stands in ``progress.json``.

    Args:
        job: as accepted.
        clips: all of the job's, in its order.
        now: aware; written as UTC.
        frames_per_s: of the passes in hand; None while nobody knows.
        eta_s: seconds until the job is done; None while nobody knows.
    """
    n_ended = sum(clip.state in {"ok", "failed"} for clip in clips)
    return {
        "schema_version": SCHEMA_VERSION,
        "job": {"id": job.id, "name": printable(job.name)},
        "state": "done" if n_ended == len(clips) else "running",
        "n_clips": len(clips),
        "n_ended": n_ended,
        "n_failed": sum(clip.state == "failed" for clip in clips),
        "share": round(sum(clip.share for clip in clips) / len(clips), 4) if clips else 1.0,
        "frames_per_s": None if frames_per_s is None else round(frames_per_s, 2),
        "eta_s": None if eta_s is None else round(eta_s),
        "updated": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "clips": [
            {
                "id": clip.id,
                "name": printable(clip.name),
                "state": clip.state,
                "stage": clip.stage,
                "n_done": clip.n_done,
                "n_frames": clip.n_frames,
            }
            for clip in clips
        ],
    }


@dataclass(slots=True)
class Tally:
    """Counts one job's way through its clips.

    Args:
        job: as accepted.
        ended: the logs of the clips that ended before; they cost this run nothing.
        clock: monotonic seconds.
        now: the time of day, aware.
    """

    job: Job
    ended: Sequence[Mapping[str, Any]]
    clock: Callable[[], float]
    now: Callable[[], datetime]
    _clips: dict[str, ClipProgress] = field(init=False)
    _share_before: float = field(init=False)
    _started_s: float = field(init=False)
    _stage_starts: dict[str, tuple[float, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        before = {log["clip"]["id"]: log["outcome"] for log in self.ended}
        self._clips = {
            clip.id: ClipProgress(clip.id, clip.name, before.get(clip.id, "waiting"))
            for clip in self.job.clips
        }
        self._started_s = self.clock()
        self._share_before = self._share()

    def follow(self, clip: Clip) -> Callable[[str, int, int], None]:
        """The clip is running from now on; tell it ``(stage, frames done, frames in all)``."""
        self._clips[clip.id] = ClipProgress(clip.id, clip.name, "running")

        def progress(stage: str, n_done: int, n_frames: int) -> None:
            known = self._clips[clip.id]
            if stage != known.stage:
                # the first word comes with the first batch done: what it took, nobody timed
                self._stage_starts[clip.id] = self.clock(), n_done
            self._clips[clip.id] = replace(known, stage=stage, n_done=n_done, n_frames=n_frames)

        return progress

    def end(self, clip: Clip, outcome: Literal["ok", "failed"]) -> None:
        """The clip has ended."""
        self._clips[clip.id] = ClipProgress(clip.id, clip.name, outcome)

    def document(self) -> dict[str, Any]:
        """``progress_document`` of this moment."""
        return progress_document(
            self.job,
            list(self._clips.values()),
            now=self.now(),
            frames_per_s=self._frames_per_s(),
            eta_s=self._eta_s(),
        )

    def _frames_per_s(self) -> float | None:
        """Of the passes in hand, all clips together."""
        paces = []
        for clip in self._clips.values():
            started_s, n_before = self._stage_starts.get(clip.id, (0.0, clip.n_done))
            took_s, n_new = self.clock() - started_s, clip.n_done - n_before
            if clip.state == "running" and n_new > 0 and took_s > 0:
                paces.append(n_new / took_s)
        return sum(paces) if paces else None

    def _share(self) -> float:
        return sum(clip.share for clip in self._clips.values()) / max(1, len(self._clips))

    def _eta_s(self) -> float | None:
        """The time so far, carried on at the same pace; other jobs' turns are part of it."""
        gained = self._share() - self._share_before
        if gained <= 0:
            return None
        return (self.clock() - self._started_s) * (1 - self._share()) / gained
