"""One job: hear its sound once, render the clips that are left, close it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from structlog.contextvars import bound_contextvars

from heygemd.aside import Aside, AtOnce
from heygemd.errors import AudioError, PortraitError, TransientError
from heygemd.executor import Executor
from heygemd.hearing import Heard
from heygemd.log import log
from heygemd.pulse import Pulse
from heygemd.records import AudioInfo, Clip, ClipResult, Job, ModelFacts
from heygemd.render import ClipTask
from heygemd.report.documents import clip_log, job_log
from heygemd.showing import Show, Window


class Queue(Protocol):
    """What a job asks of the spool."""

    def pending(self, job: Job) -> list[Clip]:
        """Clips that are neither done nor failed."""
        ...

    def stage_sound(self, job: Job) -> Job:
        """The job with its sound copied to a neutral name."""
        ...

    def stage(self, job: Job, clip: Clip) -> Clip:
        """The clip, copied to a neutral name."""
        ...

    def was_tried(self, job: Job, clip: Clip) -> bool:
        """An attempt at the clip ended with the whole process."""
        ...

    def begin(self, job: Job, clip: Clip) -> Path:
        """Where to render to; counts an attempt."""
        ...

    def forgive(self, job: Job, clip: Clip) -> None:
        """The attempt does not count."""
        ...

    def publish(self, job: Job, clip: Clip, log: Mapping[str, object]) -> Path:
        """Show the mp4 and its log in the outbox."""
        ...

    def fail(self, job: Job, clip: Clip, log: Mapping[str, object]) -> None:
        """Show why the clip failed."""
        ...

    def cancelled(self, job: Job) -> bool:
        """Somebody wants the clips that are left to fail as ``cancelled``."""
        ...

    def results(self, job: Job) -> list[dict[str, Any]]:
        """The logs of the clips that are done or failed."""
        ...

    def showcase(self) -> Window:
        """Where the job shows its report."""
        ...

    def close_job(self, job: Job, log: Mapping[str, object]) -> Path:
        """Write job.json, archive the inputs."""
        ...


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where jobs run: the queue, the executor, how a sound is heard, and who is told.

    Attributes:
        stopped: asked within clips; True gives them up.
        ending: asked between clips; True begins no more.
        aside: where the report is written while a clip runs: a share that hangs shall not keep the
            device idle.
    """

    queue: Queue
    executor: Executor
    hear: Callable[[Job], Heard]
    facts: ModelFacts
    pulse: Pulse = field(default_factory=Pulse)
    stopped: Callable[[], bool] = lambda: False
    ending: Callable[[], bool] = lambda: False
    aside: Aside = field(default_factory=AtOnce)


def run_job(job: Job, shop: Workshop) -> Generator[ClipResult, None, str]:
    """Yield after every clip, so that jobs can take turns; the end closes the job.

    Where several clips are under way at once, the others go on meanwhile. A clip that was in hand
    when the process ended is done alone: it may be the one that ended it.

    Clips with a terminal record are not rendered again: a job goes on where it stopped.

    Returns:
        The job's outcome, to which clips of earlier lives of the process count.

    Raises:
        TransientError: worth a retry later; what was begun does not count against its clip.
    """
    with bound_contextvars(job=job.name), shop.pulse.patient():
        try:
            job = shop.queue.stage_sound(job)
            heard = shop.hear(job)
        except (AudioError, PortraitError) as error:
            return _close_at_once(job, shop, error)
        show = _open_show(job, heard.info, shop)
    yield from _run_clips(job, heard, show, shop)
    if shop.queue.pending(job):
        raise TransientError("a stop was asked for between two clips", code="stopped")
    with bound_contextvars(job=job.name), shop.pulse.patient():
        document = show.document()
        show.final(document)
        shop.queue.close_job(job, document)
        shop.pulse.metrics.job_ended(document["outcome"])
        log.info("job.closed", outcome=document["outcome"], message=document["message"])
    return str(document["outcome"])


def _open_show(job: Job, sound: AudioInfo | None, shop: Workshop) -> Show:
    """The job's report, live from now on."""
    return Show(
        job,
        shop.queue.showcase(),
        document=lambda: job_log(job, sound, shop.facts, shop.queue.results(job)),
        results=lambda: shop.queue.results(job),
        aside=shop.aside,
    )


def _run_clips(
    job: Job, heard: Heard, show: Show, shop: Workshop
) -> Generator[ClipResult, None, None]:
    course = _Course(job, heard, show, shop)
    results = shop.executor.render(course.wanted(), course.prepare, alone=course.was_tried)
    try:
        with closing(results):  # ends what is under way
            while (result := _next(job, results)) is not None:
                course.end(result)
                yield result
    except (TransientError, GeneratorExit) as error:
        course.forgive()
        # Who must end at once does not wait for a share.
        if isinstance(error, TransientError) and not shop.stopped():
            with shop.pulse.patient():
                shop.aside.wait()
        raise
    finally:
        shop.pulse.job_left(job)
    if shop.queue.cancelled(job):
        for clip in shop.queue.pending(job):
            with bound_contextvars(job=job.name, clip=clip.name):
                result = _give_up(job, clip, heard, shop)
                show.ended(result)
            yield result


def _next(job: Job, results: Iterator[ClipResult]) -> ClipResult | None:
    """What ends next; names of the log are not bound while others have their turn."""
    with bound_contextvars(job=job.name):
        return next(results, None)


@dataclass(slots=True)
class _Course:
    """A job's clips on their way through the executor.

    Attributes:
        begun: clips with an attempt that has not ended.
    """

    job: Job
    heard: Heard
    show: Show
    shop: Workshop
    begun: dict[str, Clip] = field(default_factory=dict)

    def wanted(self) -> Iterator[Clip]:
        """What is left, until a stop is asked for or the job is cancelled."""
        for clip in self.shop.queue.pending(self.job):
            if self.shop.ending() or self.shop.queue.cancelled(self.job):
                return
            yield clip

    def was_tried(self, clip: Clip) -> bool:
        """See ``Queue.was_tried``."""
        return self.shop.queue.was_tried(self.job, clip)

    def prepare(self, clip: Clip) -> ClipTask:
        """See ``Executor.render``."""
        job, shop = self.job, self.shop
        count, beat = self.show.follow(clip), shop.pulse.clip_begun(job, clip)

        def progress(stage: str, n_done: int, n_frames: int) -> None:
            beat(stage, n_done, n_frames)
            count(stage, n_done, n_frames)

        with bound_contextvars(clip=clip.name), shop.pulse.patient():
            staged = shop.queue.stage(job, clip)
            log.info("clip.attempted", sha256=staged.sha256)
            self.begun[clip.id] = clip
            out = shop.queue.begin(job, staged)
            return ClipTask(staged, self.heard, out, job.options, progress, shop.stopped)

    def end(self, result: ClipResult) -> None:
        """A clip is done or has failed: everybody is told."""
        with bound_contextvars(job=self.job.name, clip=result.clip.name):
            self.shop.pulse.clip_ended(self.job, result.clip)
            _record(self.job, result, self.heard.info, self.shop)
            self.begun.pop(result.clip.id, None)
            self.show.ended(result)

    def forgive(self) -> None:
        """What was begun and has not ended does not count."""
        for clip in self.begun.values():
            self.shop.queue.forgive(self.job, clip)


def _give_up(job: Job, clip: Clip, heard: Heard, shop: Workshop) -> ClipResult:
    message = "the job was cancelled; heygemd jobs retry does what is left"
    result = ClipResult(clip, "failed", "cancelled", message)
    _record(job, result, heard.info, shop)
    return result


def _record(job: Job, result: ClipResult, sound: AudioInfo | None, shop: Workshop) -> None:
    document = clip_log(result, job, sound, shop.facts)
    with shop.pulse.patient():
        shop.aside.wait()
        _show(job, result, document, shop)
    shop.pulse.metrics.clip_ended(result)


def _show(job: Job, result: ClipResult, document: Mapping[str, Any], shop: Workshop) -> None:
    if result.outcome == "ok":
        path = shop.queue.publish(job, result.clip, document)
        log.info(
            "clip.published",
            output=path.name,
            n_frames=result.n_frames,
            frames_per_s=document["frames_per_s"],
        )
    else:
        shop.queue.fail(job, result.clip, document)
        log.warning("clip.failed", code=result.code, message=result.message)


def _close_at_once(job: Job, shop: Workshop, error: AudioError | PortraitError) -> str:
    """What every clip needs cannot be used: every clip says so, and so does the job."""
    name = job.audio_name if isinstance(error, AudioError) else job.reference_name
    error = type(error)(f"{name}: {error}", code=error.reason)
    for clip in shop.queue.pending(job):
        _record(job, ClipResult(clip, "failed", error.reason, str(error)), None, shop)
    document = job_log(job, None, shop.facts, shop.queue.results(job), error)
    _open_show(job, None, shop).final(document)
    shop.queue.close_job(job, document)
    shop.pulse.metrics.job_ended("failed")
    log.warning("job.closed", outcome="failed", code=error.reason, message=str(error))
    return "failed"
