"""The daemon's pulse: real progress, told to systemd, to status.json and to the metrics."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from heygemd.log import log
from heygemd.metrics import Metrics
from heygemd.records import Clip, Job
from heygemd.service import Notifier, put_whole

SCHEMA_VERSION = 1
PATIENCE_S = 600.0  # for a share that hangs or a sound of hours; a restart would mend neither
_BEAT_S = 1.0  # at most one ping and one status a second
_METRICS_S = 15.0  # as often as Prometheus usually scrapes


@dataclass(frozen=True, slots=True)
class InHand:
    """The clip that is worked on, and how far it is.

    Attributes:
        number: which clip of the job it is, from 1.
        n_frames: of the stage; 0 while nobody knows.
        frames_per_s: since the stage's first batch; 0 until there is a second one.
        first: frames done and monotonic seconds when the stage was first heard of.
    """

    job: str
    clip: str
    number: int
    n_clips: int
    stage: str = "staging"
    n_done: int = 0
    n_frames: int = 0
    frames_per_s: float = 0.0
    first: tuple[int, float] = (0, 0.0)

    def went_on(self, stage: str, n_done: int, n_frames: int, now_s: float) -> InHand:
        """The same clip further on."""
        first = (n_done, now_s) if self.has_begun(stage, n_done) else self.first
        fps = (n_done - first[0]) / max(now_s - first[1], 1e-3)
        return replace(
            self, stage=stage, n_done=n_done, n_frames=n_frames, frames_per_s=fps, first=first
        )

    def has_begun(self, stage: str, n_done: int) -> bool:
        """Whether so many frames done of a stage mean that it is another pass than before."""
        return self.stage != stage or n_done < self.n_done

    def document(self) -> dict[str, Any]:
        """What status.json says of it."""
        return {
            "job": self.job,
            "clip": self.clip,
            "number": self.number,
            "n_clips": self.n_clips,
            "stage": self.stage,
            "n_done": self.n_done,
            "n_frames": self.n_frames,
            "frames_per_s": round(self.frames_per_s, 2),
        }

    def sentence(self) -> str:
        """E.g. ``lesson-12: clip 3 of 10, render 41 %, 38 fps``."""
        head = f"{self.job}: clip {self.number} of {self.n_clips}, {self.stage}"
        if not self.n_done:
            return head
        if not self.n_frames:
            return f"{head} frame {self.n_done}, {self.frames_per_s:.0f} fps"
        share = min(100, 100 * self.n_done // self.n_frames)
        return f"{head} {share} %, {self.frames_per_s:.0f} fps"


@dataclass(slots=True)
class Pulse:
    """Beats when frames pass and scans end, and at no other time: a frozen daemon has none.

    Attributes:
        notifier: systemd.
        metrics: Prometheus.
        status_file: replaced at most once a second; None writes none.
        metrics_files: replaced every 15 s; a folder that cannot be written is told once.
        watchdog_s: how long systemd waits for a beat; None where it does not.
        between: called at every sign of progress, in the thread that works.
        clock: monotonic seconds.
        wall: seconds since 1970.
        about: what status.json says of the process and its model.
    """

    notifier: Notifier = field(default_factory=Notifier)
    metrics: Metrics = field(default_factory=Metrics)
    status_file: Path | None = None
    metrics_files: tuple[Path, ...] = ()
    watchdog_s: float | None = None
    between: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    about: dict[str, Any] = field(default_factory=dict)
    state: str = "starting"
    _n_waiting: int = 0
    _folders: dict[str, str] = field(default_factory=dict)
    _lost: tuple[str, ...] = ()
    _beaten_s: float = float("-inf")
    _told_s: float = float("-inf")
    _measured_s: float = float("-inf")
    _hands: dict[tuple[str, str], InHand] = field(default_factory=dict)
    _refused: set[Path] = field(default_factory=set)

    def ready(self, **about: object) -> None:
        """The model is warm and the spool is in order."""
        self.state = "ready"
        self._measured_s = float("-inf")
        self.about.update(about)
        self.metrics.ready(is_ready=True)
        self.notifier.ready()
        self.tell()

    def stopping(self) -> None:
        """Nothing new is begun."""
        if self.state == "stopping":
            return
        self.state = "stopping"
        self.metrics.ready(is_ready=False)
        self.notifier.stopping()
        self.tell()

    def ended(self) -> None:
        """The last words."""
        self.stopping()
        self.state = "stopped"
        self._measured_s = float("-inf")
        self.tell()

    def beat(self) -> None:
        """Something moved."""
        now_s = self.clock()
        if now_s - self._beaten_s >= _BEAT_S:
            self._beaten_s = now_s
            self.notifier.alive()

    @contextmanager
    def patient(self) -> Iterator[None]:
        """While the block runs, a long silence is no sign of freezing: it waits for a disk."""
        if self.watchdog_s is None or self.watchdog_s >= PATIENCE_S:
            yield
            return
        self.notifier.watchdog(PATIENCE_S)
        try:
            yield
        finally:
            self.notifier.watchdog(self.watchdog_s)
            self.beat()

    @property
    def in_hand(self) -> InHand | None:
        """The clip that was begun first of those that are worked on."""
        return next(iter(self._hands.values()), None)

    def clip_begun(self, job: Job, clip: Clip) -> Callable[[str, int, int], None]:
        """A clip is in hand now; what is returned is told its progress: see ``render.Progress``."""
        ids, key = [each.id for each in job.clips], (job.id, clip.id)
        self._hands[key] = InHand(job.name, clip.name, ids.index(clip.id) + 1, len(ids))
        self.tell()

        def progress(stage: str, n_done: int, n_frames: int) -> None:
            self._count(key, stage, n_done, n_frames)
            self.beat()
            if self.clock() - self._told_s >= _BEAT_S:
                self.tell()
            self.between()

        return progress

    def _count(self, key: tuple[str, str], stage: str, n_done: int, n_frames: int) -> None:
        before = self._hands.get(key)
        if before is None:
            return
        self._hands[key] = before.went_on(stage, n_done, n_frames, self.clock())
        n_before = 0 if before.has_begun(stage, n_done) else before.n_done
        self.metrics.frames(stage, n_done - n_before, self.wall())

    def clip_ended(self, job: Job, clip: Clip) -> None:
        """A clip in hand is done, failed or given up."""
        self._hands.pop((job.id, clip.id), None)
        self.beat()

    def job_left(self, job: Job) -> None:
        """None of a job's clips is in hand."""
        self._hands = {key: hand for key, hand in self._hands.items() if key[0] != job.id}

    def queue(self, n_jobs: int, folders: Mapping[str, str], lost: tuple[str, ...] = ()) -> None:
        """How much is left: jobs accepted and not closed, folders that wait and why, lost sides."""
        self._n_waiting, self._folders, self._lost = n_jobs, dict(folders), lost
        self.metrics.queue(n_jobs, len(folders))
        self.tell()

    def status(self) -> str:
        """One line for a person."""
        if self.state == "starting":
            return "loading the model"
        parts = [f"{side} is not there, waiting for it" for side in self._lost]
        n_begun = len({job_id for job_id, _ in self._hands})
        if self._n_waiting > n_begun:
            parts.append(_plural(self._n_waiting - n_begun, "job") + " waiting")
        if self._folders and not self._lost:
            parts.append(_plural(len(self._folders), "folder") + " not complete yet")
        parts += [hand.sentence() for hand in self._hands.values()]
        text = ", ".join(parts) or "idle, waiting for jobs"
        return f"stopping, {text}" if self.state == "stopping" else text

    def snapshot(self) -> dict[str, Any]:
        """What status.json says."""
        hands = [hand.document() for hand in self._hands.values()]
        return {
            "schema_version": SCHEMA_VERSION,
            "state": self.state,
            "status": self.status(),
            "updated_s": round(self.wall(), 3),
            **self.about,
            "n_jobs_open": self._n_waiting,
            "folders_waiting": self._folders,
            "lost": list(self._lost),
            "in_hand": hands[0] if hands else None,
            "beside": hands[1:],
        }

    def tell(self) -> None:
        """Say it now: STATUS= to systemd, status.json, and the metrics when they are due."""
        self._told_s = self.clock()
        self.notifier.status(self.status())
        if self.status_file is not None:
            document = json.dumps(self.snapshot(), indent=2, ensure_ascii=True)
            self._put(self.status_file, document.encode() + b"\n", 0o640)
        if self._told_s - self._measured_s >= _METRICS_S:
            self._measured_s = self._told_s
            for path in self.metrics_files:
                self._put(path, self.metrics.text(), 0o644)

    def _put(self, path: Path, content: bytes, mode: int) -> None:
        try:
            put_whole(path, content, mode=mode)
        except OSError as error:  # nobody can read it now, the work goes on; said once
            if path not in self._refused:
                self._refused.add(path)
                log.warning("status.unwritable", path=str(path), reason=error.strerror)
        else:
            self._refused.discard(path)


def _plural(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
