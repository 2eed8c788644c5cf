"""The loop: scan, claim, one clip of one job, again; signals set flags and nothing else."""

from __future__ import annotations

import math
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from heygemd.bell import Bell
from heygemd.errors import JobError, TransientError
from heygemd.job import Queue, Workshop, run_job
from heygemd.log import log
from heygemd.pulse import Pulse
from heygemd.records import ClipResult, Job

_FIRST_RETRY_S = 5.0
_LAST_RETRY_S = 300.0
_SWEEP_S = 3600.0
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

    def cancel(self, job_id: str) -> None:
        """Have the clips that are left fail as ``cancelled``."""
        ...

    def retry(self, job_id: str) -> bool:
        """Open a closed job again, with the clips that failed."""
        ...

    def lost(self) -> tuple[str, ...]:
        """Sides that are not there now: ``inbox``, ``outbox``."""
        ...

    def beat(self, now_s: float) -> None:
        """Keep our jobs ours, where several daemons share the inbox."""
        ...


@dataclass(slots=True)
class Stop:
    """How urgently the loop shall end: 0 not at all, 1 after the clip in hand, 2 at once.

    Attributes:
        drain_s: how long the clip in hand may take before one asking counts as two.
        clock: monotonic seconds.
    """

    urgency: int = 0
    drain_s: float = math.inf
    clock: Callable[[], float] = time.monotonic
    asked_s: float | None = None

    def ask(self) -> None:
        """Once more; a signal handler may call this."""
        self.urgency += 1
        if self.asked_s is None:
            self.asked_s = self.clock()

    def soon(self) -> bool:
        """Begin nothing new."""
        return self.urgency >= 1

    def now(self) -> bool:
        """Give up the clip in hand."""
        if self.asked_s is None:
            return False
        return self.urgency >= 2 or self.clock() - self.asked_s >= self.drain_s


@dataclass(slots=True)
class Wishes:
    """What signals asked for and nobody has done yet; handlers set, the loop clears."""

    reload: bool = False
    dump: bool = False


@dataclass(slots=True)
class _Rest:
    """A job that waits before it is tried again."""

    until_s: float
    pause_s: float


@dataclass(slots=True)
class Daemon:
    """Takes jobs in and lets their clips take turns, one at a time.

    Attributes:
        wishes: looked at between turns and at every sign of progress.
        reload: reads the settings again.
        requests: what people ask of jobs, (cancel or retry, job id).
        sweep: lets go of what is kept long enough; at the start, hourly, and when a job has ended.
        free_bytes: free space by folder.
        batches: frames at once by network.
        clock: monotonic seconds.
        failed: a folder was rejected, a clip failed, or a job ended whose clips had not all been
            done, whichever life of the process they had failed in.
    """

    intake: Intake
    shop: Workshop
    bell: Bell
    stop: Stop
    rescan_s: float
    settle_s: float
    wishes: Wishes = field(default_factory=Wishes)
    reload: Callable[[Daemon], None] = lambda _: None
    requests: Callable[[], Iterable[tuple[str, str]]] = tuple
    sweep: Callable[[], None] = lambda: None
    free_bytes: Callable[[], Mapping[str, int]] = dict
    batches: Callable[[], Mapping[str, int]] = dict
    clock: Callable[[], float] = time.monotonic
    failed: bool = False
    _runs: dict[str, Generator[ClipResult, None, str]] = field(default_factory=dict)
    _turns: dict[str, int] = field(default_factory=dict)
    _rests: dict[str, _Rest] = field(default_factory=dict)
    _n_turns: int = 0
    _lost: tuple[str, ...] = ()
    _sweep_due_s: float = -math.inf

    @property
    def pulse(self) -> Pulse:
        """Who is told of progress."""
        return self.shop.pulse

    def run(self) -> None:
        """Work until a stop is asked for."""
        while not self.stop.soon():
            if not self.turn():
                self._wait()
        self._end()

    def drain(self) -> None:
        """Work until nothing is ready, waiting for folders that may still settle."""
        while not self.stop.soon():
            if self.turn():
                continue
            if not (self.intake.settling() or self.intake.jobs()):
                break
            self._wait()
        self._end()

    def turn(self) -> bool:
        """Scan once, then run one clip; False when there was none to run."""
        self.heed()
        try:
            with self.pulse.patient():
                self._scan()
                self._sweep()
                job = self._next_job()
                self._tell()
        except TransientError as error:  # a disk is away; the next turn looks again
            log.warning("intake.paused", code=error.reason, message=str(error))
            return False
        if job is not None:
            self._advance(job)
        return job is not None

    def heed(self) -> None:
        """Do what signals asked for; called between turns and at every sign of progress."""
        wishes = self.wishes
        if self.stop.soon() and self.pulse.state != "stopping":
            log.info("stop.requested", drain_s=self.stop.drain_s)
            self.pulse.stopping()
        try:
            self.intake.beat(self.clock())
        except TransientError as error:  # there are two more beats to a lease
            log.warning("lease.delayed", code=error.reason, message=str(error))
        if wishes.reload:
            wishes.reload = False
            self.reload(self)
        if wishes.dump:
            wishes.dump = False
            log.info("daemon.dumped", state=self.pulse.snapshot())
            for thread, stack in stacks().items():
                log.info("daemon.dumped", thread=thread, stack=stack)

    def _scan(self) -> None:
        for wish, job_id in self.requests():
            self._grant(wish, job_id)
        started_s = self.clock()
        for name in self.intake.ready(started_s):
            if not self._claim(name):
                break
        self.pulse.metrics.scanned(self.clock() - started_s, self.pulse.wall())

    def _grant(self, wish: str, job_id: str) -> None:
        try:
            if wish == "cancel":
                self.intake.cancel(job_id)
            else:
                self.intake.retry(job_id)
        except JobError as error:
            log.warning("request.refused", wish=wish, job_id=job_id, message=str(error))
        else:
            log.info("request.granted", wish=wish, job_id=job_id)

    def _wait(self) -> None:
        """Until the bell rings, a signal came, or something is due."""
        until_s = self.clock() + self._pause_s()
        while self.clock() < until_s and not self.stop.soon():
            self.heed()
            self.pulse.beat()
            rang = self.bell.wait(until_s - self.clock())
            if rang and not self.intake.settling():  # what settles is looked at often enough
                return

    def _sweep(self) -> None:
        if self.clock() >= self._sweep_due_s and not self.intake.lost():
            self._sweep_due_s = self.clock() + _SWEEP_S
            try:
                self.sweep()
            except TransientError as error:
                log.warning("sweep.delayed", code=error.reason, message=str(error))

    def _claim(self, name: str) -> bool:
        """Take a folder in; False when there is no room for it, and the others had better wait."""
        try:
            job = self.intake.claim(name)
        except JobError as error:
            self.failed = True
            self._sweep_due_s = -math.inf
            self.pulse.metrics.job_ended("rejected")
            log.warning("job.rejected", job=name, code=error.reason, message=str(error))
        except TransientError as error:  # the next scan sees it again
            if error.reason == "disk_full":
                log.warning("intake.paused", job=name, code=error.reason, message=str(error))
                return False
            log.warning("job.returned", job=name, code=error.reason, message=str(error))
        else:
            if job is not None:
                log.info("job.claimed", job=name, job_id=job.id, n_clips=len(job.clips))
        return True

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
            result = next(run)
        except StopIteration as end:
            self.failed = self.failed or end.value != "ok"
            result = None
        except TransientError as error:
            self._runs.pop(job.id)
            if not self.stop.soon():
                self._rest(job, error)
            return
        except JobError as error:
            self._runs.pop(job.id)
            self.failed = True
            log.error("job.returned", job=job.name, code=error.reason, message=str(error))
            self._rest(job, error)
            return
        self._rests.pop(job.id, None)
        if result is None:
            self._runs.pop(job.id)
            self._turns.pop(job.id)
            self._sweep_due_s = -math.inf
        elif result.outcome == "failed":
            self.failed = True

    def _rest(self, job: Job, error: JobError | TransientError) -> None:
        before = self._rests.get(job.id)
        pause_s = _FIRST_RETRY_S if before is None else min(2 * before.pause_s, _LAST_RETRY_S)
        self._rests[job.id] = _Rest(self.clock() + pause_s, pause_s)
        self.pulse.metrics.retried(error.reason)
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
        lost = self.intake.lost()
        for side in sorted({*lost} - {*self._lost}):
            log.warning("share.lost", side=side)
        for side in sorted({*self._lost} - {*lost}):
            log.info("share.returned", side=side)
        self._lost = lost
        self.pulse.metrics.shares({side: side not in lost for side in ("inbox", "outbox")})
        self.pulse.metrics.free(self.free_bytes())
        self.pulse.metrics.batches(self.batches())
        self.pulse.metrics.watched(self.bell.troubles)
        self.pulse.queue(len(self.intake.jobs()), self.intake.waiting(), lost)

    def _finish(self) -> None:
        """Let the clips in hand end, unless there is no time for that."""
        while self.shop.executor.n_active and not self.stop.now():
            under_way = [job for job in self.intake.jobs() if job.id in self._runs]
            if not under_way:  # their jobs are no longer ours
                return
            for job in under_way:
                self._advance(job)

    def _end(self) -> None:
        try:
            self._finish()
        except TransientError as error:  # what is under way is given up, and done after the start
            log.warning("intake.paused", code=error.reason, message=str(error))
        for run in self._runs.values():
            run.close()
        self.bell.close()
        self.pulse.ended()
        log.info("daemon.stopped", urgency=self.stop.urgency)


def stacks() -> dict[str, list[str]]:
    """Where every thread is, by thread name: its innermost calls, at most 20 of them."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return {
        f"{names.get(number, 'unknown')} {number}": traceback.format_stack(frame)[-20:]
        for number, frame in sys._current_frames().items()  # noqa: SLF001 - documented, CPython's
    }
