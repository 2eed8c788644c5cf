"""What is said of a clip that is done: its result, its warnings, its pictures for the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heygemd.faces.likeness import ALIKE
from heygemd.media.silence import Stretch
from heygemd.nets.sync import SEEN_FPS
from heygemd.quality import SyncScore
from heygemd.records import (
    Clip,
    ClipPictures,
    ClipResult,
    FaceTrack,
    Notice,
    Sync,
    Timeline,
    VideoInfo,
    Waveform,
)
from heygemd.report.pictures import Sampler, waveform

_ALL = 0.95  # of what the voice asks; less is told as done in part


@dataclass(frozen=True, slots=True)
class Done:
    """All that is known of a clip once its mp4 is written and checked.

    Attributes:
        outline: of what is heard with it, from its first frame on.
        is_quiet: nothing can be heard.
        silences: in seconds, where lips had nothing to say.
        done: (n_out,) how much of what the voice asks the lip model did; None where it is to
            change nothing.
        sampler: has seen the frames.
        score: of the sync scorer; None where nobody can say.
        min_sync: what was asked for.
        timings_s: seconds of wall time per stage.
        notes: what else was measured or decided.
    """

    clip: Clip
    info: VideoInfo
    timeline: Timeline
    faces: FaceTrack
    outline: Waveform
    is_quiet: bool
    silences: tuple[Stretch, ...]
    done: NDArray[np.float32] | None
    sampler: Sampler
    score: SyncScore | None
    min_sync: float
    timings_s: dict[str, float]
    notes: dict[str, float | int | str]


def result_of(done: Done) -> ClipResult:
    """The record that becomes ``<stem>.json`` and a card of the report."""
    timeline, faces = done.timeline, done.faces
    without_face = ~faces.present[timeline.source]
    gaps = ranges(without_face)
    untouched, partly = _held_back(done, without_face)
    return ClipResult(
        done.clip,
        "ok",
        info=done.info,
        n_frames=timeline.n_frames,
        fps=timeline.fps,
        duration_s=timeline.n_frames / timeline.fps,
        coverage=faces.coverage,
        gaps=gaps,
        untouched=ranges(untouched),
        partly=ranges(partly),
        alike=faces.alike,
        silences=silent_frames(done.silences, timeline),
        runs=runs_of(timeline),
        timings_s=done.timings_s,
        warnings=tuple(_warnings(done, without_face, untouched, partly)),
        notes={
            "n_source_frames": len(faces.detected),
            "cuts": len(faces.cuts),
            **done.notes,
            **(done.score.notes if done.score is not None else {}),
        },
        pictures=_pictures(done, gaps),
        sync=None if done.score is None else _sync(done.score),
    )


def _held_back(
    done: Done, without_face: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n_out,) twice: where a face is there and its mouth was left alone, and moved in part."""
    if done.done is None:
        nowhere = np.zeros_like(without_face)
        return nowhere, nowhere
    untouched = (done.done <= 0.0) & ~without_face
    return untouched, (done.done < _ALL) & ~untouched & ~without_face


def _sync(score: SyncScore) -> Sync:
    return Sync(score.offset_ms, score.confidence)


def ranges(mask: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """[first, last] of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return tuple((int(a), int(b) - 1) for a, b in edges.reshape(-1, 2))


def silent_frames(silences: tuple[Stretch, ...], timeline: Timeline) -> tuple[tuple[int, int], ...]:
    """[first, last] of the output frames that lie wholly in each silence; none for tiny ones."""
    found = []
    for start_s, stop_s in silences:
        first = -int(-start_s * timeline.fps // 1)
        last = min(int(stop_s * timeline.fps // 1), timeline.n_frames) - 1
        if first <= last:
            found.append((first, last))
    return tuple(found)


def runs_of(timeline: Timeline) -> tuple[tuple[int, int, int, int], ...]:
    """(first, last, first source frame, last source frame) of every steady stretch."""
    source = timeline.source.tolist()
    found: list[tuple[int, int, int, int]] = []
    at = 0
    while at < len(source):
        end, step = at, 0
        while end + 1 < len(source):
            move = source[end + 1] - source[end]
            if move not in {-1, 0, 1} or (end > at and move != step):
                break
            end, step = end + 1, move
        found.append((at, end, source[at], source[end]))
        at = end + 1
    return tuple(found)


def _warnings(
    done: Done,
    without_face: NDArray[np.bool_],
    untouched: NDArray[np.bool_],
    partly: NDArray[np.bool_],
) -> Iterator[Notice]:
    if done.is_quiet:
        yield Notice("silent_sound")
    if without_face.any():
        n_gone, n_frames = int(without_face.sum()), len(without_face)
        yield Notice("frames_without_face", {"n_gone": n_gone, "n_frames": n_frames})
    if done.score is not None and done.score.confidence < done.min_sync:
        found, wanted = round(done.score.confidence, 2), done.min_sync
        yield Notice("low_sync", {"confidence": found, "min_sync": wanted})
    if untouched.any():
        n_untouched, n_frames = int(untouched.sum()), len(untouched)
        yield Notice("frames_untouched", {"n_untouched": n_untouched, "n_frames": n_frames})
    if partly.any():
        n_partly, n_frames = int(partly.sum()), len(partly)
        yield Notice("frames_partly", {"n_partly": n_partly, "n_frames": n_frames})
    n_strange = sum(how_alike < ALIKE for *_, how_alike in done.faces.alike)
    if n_strange:
        n_shots = len(done.faces.alike)
        yield Notice("reference_not_seen", {"n_strange": n_strange, "n_shots": n_shots})
    if done.faces.cuts:
        yield Notice("cuts", {"n_cuts": len(done.faces.cuts)})


def _pictures(done: Done, gaps: tuple[tuple[int, int], ...]) -> ClipPictures:
    """What the report shows of the clip."""
    outline, sampler, timeline = done.outline, done.sampler, done.timeline
    n_samples = round(timeline.n_frames / timeline.fps * outline.rate_hz)
    heard = Waveform(outline.samples[:n_samples], outline.rate_hz)
    wave = waveform(
        heard,
        n_frames=timeline.n_frames,
        gaps=gaps,
        chosen=sampler.chosen,
        curve=_sync_curve(done),
        kind="sync",
    )
    return ClipPictures(sampler.sheet(), sampler.poster(), wave)


def _sync_curve(done: Done) -> NDArray[np.float32] | None:
    """The agreement over the whole output, smoothed over a second; NaN where none was judged."""
    if done.score is None:
        return None
    length_s = done.timeline.n_frames / done.timeline.fps
    curve = np.full(max(1, int(length_s * SEEN_FPS)), np.nan, np.float32)
    agreement = done.score.agreement[: len(curve)]
    known = np.isfinite(agreement)
    second = np.ones(SEEN_FPS)
    sums = np.convolve(np.where(known, agreement, 0.0), second, mode="full")
    counts = np.convolve(known.astype(np.float64), second, mode="full")
    middle = slice(SEEN_FPS // 2, SEEN_FPS // 2 + len(agreement))
    curve[: len(agreement)][known] = (sums[middle] / np.maximum(counts[middle], 1.0))[known]
    return curve
