"""One job: hear its sound once, render the clips that are left, close it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
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
        aside: where the report is written while a clip runs: a share that hangs shall not keep the
            device idle.
    """

    queue: Queue
    executor: Executor
    hear: Callable[[Job], Heard]
    facts: ModelFacts
    pulse: Pulse = field(default_factory=Pulse)
    stopped: Callable[[], bool] = lambda: False
    aside: Aside = field(default_factory=AtOnce)


def run_job(job: Job, shop: Workshop) -> Generator[ClipResult, None, str]:
    """Yield after every clip, so that jobs can take turns; the end closes the job.

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


def _run_clips(job: Job, heard: Heard, show: Show, shop: Workshop) -> Iterator[ClipResult]:
    for clip in shop.queue.pending(job):
        with bound_contextvars(job=job.name, clip=clip.name):
            try:
                if shop.queue.cancelled(job):
                    result = _give_up(job, clip, heard, shop)
                else:
                    result = _run_clip(job, clip, heard, show, shop)
            except TransientError:
                shop.queue.forgive(job, clip)
                if not shop.stopped():  # who must end at once does not wait for a share
                    with shop.pulse.patient():
                        shop.aside.wait()
                raise
            show.ended(result)
        yield result


def _run_clip(job: Job, clip: Clip, heard: Heard, show: Show, shop: Workshop) -> ClipResult:
    count = show.follow(clip)

    def progress(stage: str, n_done: int, n_frames: int) -> None:
        shop.pulse.progress(stage, n_done, n_frames)
        count(stage, n_done, n_frames)

    def prepare(clip: Clip) -> ClipTask:
        with shop.pulse.patient():
            staged = shop.queue.stage(job, clip)
            log.info("clip.attempted", sha256=staged.sha256)
            out = shop.queue.begin(job, staged)
        return ClipTask(staged, heard, out, job.options, progress, shop.stopped)

    shop.pulse.clip_begun(job, clip)
    try:
        (result,) = shop.executor.render([clip], prepare)
    finally:
        shop.pulse.clip_ended()
    _record(job, result, heard.info, shop)
    return result


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
