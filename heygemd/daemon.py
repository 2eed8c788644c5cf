"""The loop: scan, claim, one clip of one job, again; signals set flags and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Protocol

from heygemd.bell import Bell
from heygemd.errors import JobError, TransientError
from heygemd.job import Queue, Workshop, run_job
from heygemd.log import log
from heygemd.records import ClipResult, Job
from heygemd.service import Notifier

_FIRST_RETRY_S = 5.0
_LAST_RETRY_S = 300.0
_SETTLE_POLLS = 4  # looks within one settle time; three that agree are asked for


class Intake(Queue, Protocol):
    """What the loop asks of the spool, beyond what a job asks."""

    def ready(self, now_s: float) -> list[str]:
        """Job folders that are complete, oldest first."""
        ...

    def waiting(self) -> dict[str, str]:
        """Folders that are not complete yet, and why."""
        ...

    def settling(self) -> bool:
        """Whether time alone would make a folder ready."""
        ...

    def claim(self, name: str) -> Job | None:
        """The job, now ours; None when someone was faster or still writes."""
        ...

    def jobs(self) -> list[Job]:
        """Accepted and not closed, in the order of their turn."""
        ...


@dataclass(slots=True)
class Stop:
    """How urgently the loop shall end: 0 not at all, 1 after the clip in hand, 2 at once."""

    urgency: int = 0

    def ask(self) -> None:
        """Once more; a signal handler may call this."""
        self.urgency += 1

    def soon(self) -> bool:
        """Begin nothing new."""
        return self.urgency >= 1

    def now(self) -> bool:
        """Give up the clip in hand."""
        return self.urgency >= 2


@dataclass(slots=True)
class _Rest:
    """A job that waits before it is tried again."""

    until_s: float
    pause_s: float


@dataclass(slots=True)
class Daemon:
    """Takes jobs in and lets their clips take turns, one at a time.

    Attributes:
        clock: monotonic seconds.
        n_failed: clips and jobs that failed in this life of the process.
    """

    intake: Intake
    shop: Workshop
    bell: Bell
    stop: Stop
    rescan_s: float
    settle_s: float
    notifier: Notifier = field(default_factory=Notifier)
    clock: Callable[[], float] = time.monotonic
    n_failed: int = 0
    _runs: dict[str, Generator[ClipResult]] = field(default_factory=dict)
    _turns: dict[str, int] = field(default_factory=dict)
    _rests: dict[str, _Rest] = field(default_factory=dict)
    _n_turns: int = 0

    def run(self) -> None:
        """Work until a stop is asked for."""
        while not self.stop.soon():
            if not self.turn():
                self.bell.wait(self._pause_s())
        self._end()

    def drain(self) -> None:
        """Work until nothing is ready, waiting for folders that may still settle."""
        while not self.stop.soon():
            if self.turn():
                continue
            if not (self.intake.settling() or self.intake.jobs()):
                break
            self.bell.wait(self._pause_s())
        self._end()

    def turn(self) -> bool:
        """Scan once, then run one clip; False when there was none to run."""
        self.notifier.alive()
        try:
            for name in self.intake.ready(self.clock()):
                self._claim(name)
            job = self._next_job()
        except TransientError as error:  # a share or a disk is away; the next turn looks again
            log.warning("share.lost", code=error.reason, message=str(error))
            return False
        if job is not None:
            self._advance(job)
        self._tell()
        return job is not None

    def _claim(self, name: str) -> None:
        try:
            job = self.intake.claim(name)
        except JobError as error:
            self.n_failed += 1
            log.warning("job.rejected", job=name, code=error.reason, message=str(error))
        except TransientError as error:  # the next scan sees it again
            log.warning("job.returned", job=name, code=error.reason, message=str(error))
        else:
            if job is not None:
                log.info("job.claimed", job=name, job_id=job.id, n_clips=len(job.clips))

    def _next_job(self) -> Job | None:
        """The job whose last turn is longest ago, among those of the highest priority."""
        now_s = self.clock()
        able = [
            job
            for job in self.intake.jobs()
            if job.id not in self._rests or self._rests[job.id].until_s <= now_s
        ]
        return min(able, key=lambda job: (-job.priority, self._turns.get(job.id, 0)), default=None)

    def _advance(self, job: Job) -> None:
        self._n_turns += 1
        self._turns[job.id] = self._n_turns
        run = self._runs.setdefault(job.id, run_job(job, self.shop))
        try:
            result = next(run, None)
        except TransientError as error:
            self._runs.pop(job.id)
            if not self.stop.soon():
                self._rest(job, error)
            return
        except JobError as error:
            self._runs.pop(job.id)
            self.n_failed += 1
            log.error("job.returned", job=job.name, code=error.reason, message=str(error))
            self._rest(job, error)
            return
        self._rests.pop(job.id, None)
        if result is None:
            self._runs.pop(job.id)
            self._turns.pop(job.id)
        elif result.outcome == "failed":
            self.n_failed += 1

    def _rest(self, job: Job, error: JobError | TransientError) -> None:
        before = self._rests.get(job.id)
        pause_s = _FIRST_RETRY_S if before is None else min(2 * before.pause_s, _LAST_RETRY_S)
        self._rests[job.id] = _Rest(self.clock() + pause_s, pause_s)
        log.warning(
            "clip.retried", job=job.name, code=error.reason, message=str(error), retry_in_s=pause_s
        )

    def _pause_s(self) -> float:
        """How long nothing will need to be done, if nobody rings."""
        pauses_s = [self.rescan_s, *(r.until_s - self.clock() for r in self._rests.values())]
        if self.intake.waiting():
            pauses_s.append(self.settle_s / _SETTLE_POLLS)
        return max(0.01, min(pauses_s))

    def _tell(self) -> None:
        n_jobs = len(self.intake.jobs())
        n_waiting = len(self.intake.waiting())
        self.notifier.status(f"{n_jobs} jobs in work, {n_waiting} folders not complete yet")

    def _end(self) -> None:
        for run in self._runs.values():
            run.close()
        self.bell.close()
        self.notifier.stopping()
        log.info("daemon.stopped", urgency=self.stop.urgency)
