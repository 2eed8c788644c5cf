"""The path of one video, in the order it happens; the only place where the worlds meet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from heygemd import heap, outcome
from heygemd.budget import Budget
from heygemd.clock import StageClock
from heygemd.errors import QualityError, TransientError
from heygemd.faces import kept, track, watch
from heygemd.faces.boxes import mouth_window
from heygemd.hearing import Heard
from heygemd.log import log
from heygemd.media import encode, lifeless, probe, silence, verify
from heygemd.media.decode import VideoReader
from heygemd.media.timeline import lay_timeline
from heygemd.models import Models
from heygemd.planes import Planes, Still, packed_shape
from heygemd.prefetch import prefetch
from heygemd.quality import SyncScore
from heygemd.records import Clip, ClipResult, FaceTrack, RenderOptions, Timeline, VideoInfo
from heygemd.report.pictures import Sampler
from heygemd.speaker import Speaker
from heygemd.studio import Studio
from heygemd.witness import Witness

Progress = Callable[[str, int, int], None]
"""Told ``(stage, frames done, frames in all)``; all is 0 while nobody knows."""

_Batch = TypeVar("_Batch", Planes, lifeless.Cells)

_BATCH_BYTES = 24 << 20  # frames in one batch: 18 of 720p, 8 of 1080p, 2 of 4K
# Models without a batch of their own get so few frames at a time that they are in the processor's
# cache still when they are looked at, drawn on and passed on: 7 % less of its time than with 16.
_FEW_FRAMES = 4
# From 360p to 4K a job's processes took 205 to 207 bytes more for each pixel of a frame
# (benchmarks/scaling.py); a frame's face takes 1.5 kB.
_PIXEL_BYTES = 210
_TRACK_BYTES = 2048


def no_progress(stage: str, n_done: int, n_frames: int) -> None:
    """Nobody is looking."""
    del stage, n_done, n_frames


@dataclass(frozen=True, slots=True)
class ClipTask:
    """One staged clip, the sound to sync it to, and where its mp4 goes.

    Attributes:
        stopped: asked between batches; True gives the clip up as it stands.
        budget: memory shared with the clips that are rendered at the same time.
        names: the names that the log has for it, as they were when the task was made.
    """

    clip: Clip
    heard: Heard
    out: Path
    options: RenderOptions
    progress: Progress = no_progress
    stopped: Callable[[], bool] = lambda: False
    budget: Budget = field(default_factory=Budget)
    names: Context = field(default_factory=copy_context)


def render_clip(task: ClipTask, models: Models, studio: Studio) -> ClipResult:
    """Lip-sync one video into ``task.out``. Memory holds a few batches, never the whole clip.

    Raises:
        ClipError: this clip cannot be done, and why.
        TransientError: a stop was asked for.
    """
    clock = StageClock()
    with clock.stage("probe"):
        info = probe.probe(task.clip.path, studio.limits)
    with task.budget.hold(_clip_bytes(info), task.stopped):
        return _render(task, info, models, studio, clock)


def _render(
    task: ClipTask, info: VideoInfo, models: Models, studio: Studio, clock: StageClock
) -> ClipResult:
    reader = VideoReader(studio.tool, task.clip.path, info, studio.limits)
    with clock.stage("faces"):
        faces = _faces_of(task, reader, models, studio)
        track.require_coverage(faces, task.options.min_coverage)
    heap.trim()
    timeline = lay_timeline(
        len(faces.detected), info.fps, task.heard.duration_s, task.options.length
    )
    reader.timeline = timeline
    sound_s = task.heard.duration_s
    if task.options.length == "trim":
        sound_s = min(sound_s, timeline.n_frames / timeline.fps)
    with clock.stage("study"):
        plan = models.lips.study(_Followed(reader, task), faces, task.heard.voice)
        reader.excerpts = {}
    witness = Witness(faces, timeline, by_syncnet=models.syncnet is not None)
    if models.restorer is None:
        faces = replace(faces, points=None)  # nobody looks at them any more; an hour's take 130 MB
    heap.trim()
    speaker = Speaker(
        models,
        plan,
        faces,
        timeline,
        _voice_shares(task, timeline),
        task.options.restore,
        np.ones(timeline.n_frames, np.float32),
    )
    boxes = faces.boxes[timeline.source]
    sampler = Sampler(timeline.n_frames, boxes)
    expected = lifeless.Expected(boxes, (info.height_px, info.width_px), timeline.fps)
    batch = batch_length(info, models, studio)
    with (
        clock.stage("render"),
        prefetch(clock.timed("decode", reader.read_timeline(timeline, batch))) as batches,
        prefetch(
            clock.timed("lips", _spoken(batches, speaker, sampler, witness, expected))
        ) as spoken,
    ):
        counted = _counted(spoken, "render", timeline.n_frames, task)
        encoded = encode.write_video(
            studio.tool,
            counted,
            task.out,
            info=info,
            fps=timeline.fps,
            n_frames=timeline.n_frames,
            sound=encode.Sound(task.heard.path, task.heard.info, sound_s),
            options=studio.encode,
            limits=studio.limits,
            focus=mouth_window(boxes, (info.height_px, info.width_px)),
        )
    with clock.stage("verify"):
        if studio.signer is not None:
            title, comment = task.clip.stem, studio.encode.comment
            studio.signer.sign(task.out, title=title, comment=comment)
        verify.verify_video(
            task.out,
            n_frames=timeline.n_frames,
            fps=timeline.fps,
            sound_s=sound_s,
            limits=studio.limits,
        )
        looks = lifeless.look_at(studio.tool, task.out, expected, studio.limits)
        looked = _counted(looks, "verify", timeline.n_frames, task, each=expected.step)
        lifeless.require_life(looked, expected)
        score = _judge(task, witness, models)
    heard = task.heard
    return outcome.result_of(
        outcome.Done(
            task.clip,
            info,
            timeline,
            faces,
            heard.outline,
            is_quiet=heard.quiet,
            silences=heard.silences,
            done=None if models.lips.name == "passthrough" else speaker.done,
            sampler=sampler,
            score=score,
            min_sync=task.options.min_sync,
            timings_s=clock.timings_s(),
            notes={
                "width_px": encoded.width_px,
                "height_px": encoded.height_px,
                "sound": encoded.sound,
            },
        )
    )


def _faces_of(task: ClipTask, reader: VideoReader, models: Models, studio: Studio) -> FaceTrack:
    """The person to follow, known from an earlier job where the clip and all else is the same."""
    cache, clip, detector = studio.tracks, task.clip, models.detector
    if cache is None or not clip.sha256 or task.heard.person is not None:
        return _find_faces(task, reader, models)
    key = kept.key_of(
        clip.sha256, detector.name, detector.version, studio.tool.decoder, task.options.face
    )
    known = cache.get(key)
    if known is None:
        faces = _find_faces(task, reader, models)
        cache.put(key, kept.Kept(faces, reader.prints, reader.excerpts))
        return faces
    reader.recall(known.prints)
    reader.excerpts = known.excerpts
    n_frames = len(known.prints)
    task.progress("faces", n_frames, n_frames)
    log.info("track.recalled", n_frames=n_frames)
    return known.track


def _judge(task: ClipTask, witness: Witness, models: Models) -> SyncScore | None:
    """How well the lips follow the sound.

    Raises:
        QualityError: ``low_sync``, worse than the job lets pass.
    """
    heard, options = task.heard, task.options
    if models.scorer is None or heard.judged is None:
        return None
    score = witness.judge(models.scorer, heard.judged, models.syncnet)
    is_low = score is not None and score.confidence < options.min_sync
    if score is not None and is_low and options.below_min_sync == "hold":
        raise QualityError(
            f"sync confidence {score.confidence:.2f}, want {options.min_sync:.2f}; "
            "use a clip that shows the face larger, or lower min_sync",
            code="low_sync",
        )
    return score


def batch_length(info: VideoInfo, models: Models, studio: Studio) -> int:
    """How many frames of a clip are drawn on at once."""
    most = studio.batch if models.lips.batch else min(_FEW_FRAMES, studio.batch)
    return max(1, min(most, _BATCH_BYTES // _frame_bytes(info)))


def _find_faces(task: ClipTask, reader: VideoReader, models: Models) -> FaceTrack:
    person = task.heard.person

    def told(batches: Iterator[Planes]) -> Iterator[Planes]:
        return _counted(batches, "faces", reader.info.n_frames, task)

    seen = search(reader, models, told, wants_looks=person is not None)
    return track.track_face(seen.sightings, seen.cuts, task.options.face, seen.frame_size, person)


def search(
    reader: VideoReader,
    models: Models,
    told: Callable[[Iterator[Planes]], Iterator[Planes]] = iter,
    *,
    wants_looks: bool = False,
) -> watch.Watched:
    """Pass one: every frame is looked at once, read in stretches, so that none is copied.

    Args:
        reader: gets the excerpts that the lip model sets aside.
        models: detector and lip model.
        told: what the frames go through on their way.
        wants_looks: see ``watch.watch``.
    """
    collector = models.lips.collector()
    length = watch.stretch_length(models.detector.wants_frames, _frame_bytes(reader.info))
    with prefetch(reader.read_all(length)) as batches:
        seen = watch.watch(
            told(batches),
            models.detector,
            n_threads=models.n_workers,
            wants_looks=wants_looks,
            see=None if collector is None else collector.see,
        )
    if collector is not None:
        reader.excerpts = collector.excerpts()
    return seen


def _clip_bytes(info: VideoInfo) -> int:
    """What a clip takes at its peak, beyond the models."""
    return _PIXEL_BYTES * info.width_px * info.height_px + _TRACK_BYTES * info.n_frames


def _frame_bytes(info: VideoInfo) -> int:
    return math.prod(packed_shape(1, info.width_px, info.height_px))


def _voice_shares(task: ClipTask, timeline: Timeline) -> NDArray[np.float32]:
    """(n_out,) how much of each patch is laid: less where the source's mouth shall return."""
    heard = task.heard
    silences = heard.silences if task.options.silence == "source" else ()
    middles_s = (np.arange(timeline.n_frames, dtype=np.float64) + 0.5) / float(timeline.fps)
    return silence.voice_share(middles_s, silences, float(heard.duration_s))


def _spoken(
    batches: Iterable[Planes],
    speaker: Speaker,
    sampler: Sampler,
    witness: Witness,
    expected: lifeless.Expected,
) -> Iterator[Planes]:
    start = 0
    for frames in batches:
        span = range(start, start + len(frames))
        sampler.see_before(start, frames)
        expected.see_before(start, frames)
        speaker.speak(frames, span)
        sampler.see_after(start, frames)
        expected.see_after(start, frames)
        witness.see(start, frames)
        yield frames
        start = span.stop


def _counted(
    batches: Iterable[_Batch], stage: str, n_frames: int, task: ClipTask, *, each: int = 1
) -> Iterator[_Batch]:
    """The same batches, a row per ``each`` frames; tells progress, heeds a stop between them."""
    n_done = 0
    for frames in batches:
        if task.stopped():
            raise TransientError("a stop was asked for in the middle of a clip", code="stopped")
        n_done += len(frames) * each
        yield frames
        del frames  # whoever took them says how long they stay in memory
        task.progress(stage, min(n_done, n_frames), n_frames)


class _Followed:
    """A reader that tells progress of what a model reads while it studies, and heeds a stop."""

    def __init__(self, reader: VideoReader, task: ClipTask) -> None:
        self.info, self.timeline, self.excerpts = reader.info, reader.timeline, reader.excerpts
        self._reader, self._task = reader, task
        self._n_read = 0

    def frames_at(self, indices: Iterable[int]) -> Iterator[tuple[int, Still]]:
        """See ``ClipReader.frames_at``."""
        for index, frame in self._reader.frames_at(indices):
            if self._task.stopped():
                raise TransientError("a stop was asked for in the middle of a clip", code="stopped")
            yield index, frame
            self._n_read += 1
            self._task.progress("study", self._n_read, 0)
