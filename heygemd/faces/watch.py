"""Pass 1 over a clip: who is seen in each frame, and where shots begin."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace

import numpy as np

from heygemd.faces.cuts import CutFinder
from heygemd.faces.detect import FaceDetector, Sighting
from heygemd.faces.likeness import look_at
from heygemd.faces.sightings import Sightings
from heygemd.host import usable_cores
from heygemd.planes import Film, Still, joined
from heygemd.records import Points

See = Callable[[int, Still, Points], None]
"""Told a frame's number, the frame, and the (478, 3) points of the one face in it."""

STRETCH_BYTES = 64 * 2**20  # of frames in one call at most: 48 of 720p, 21 of 1080p, 5 of 4K
MAX_THREADS = 8  # more wait for the decoder
LOOK_EVERY = 4  # frames; a person looks the same in between


@dataclass(frozen=True, slots=True)
class Watched:
    """What pass 1 knows of a clip.

    Attributes:
        sightings: one per frame, their points packed.
        cuts: sorted indices of frames that start a new shot, never 0.
        frame_size: width and height in px; (0, 0) for a clip without frames.
    """

    sightings: Sightings
    cuts: tuple[int, ...]
    frame_size: tuple[int, int]


def watch(
    batches: Iterable[Film],
    detector: FaceDetector,
    *,
    n_threads: int = 1,
    wants_looks: bool = False,
    see: See | None = None,
) -> Watched:
    """Look at every frame of a clip once.

    The clip is cut into stretches of ``detector.wants_frames``, fewer where frames are huge,
    whatever the batches; each stretch is one call. So the result depends neither on batch sizes
    nor on threads. At most ``n_threads + 1`` stretches and one batch are held at a time.

    Args:
        batches: in order; read in this thread.
        detector: called from ``n_threads`` threads.
        n_threads: at least 1.
        wants_looks: say of every fourth frame what the faces in it look like.
        see: told of every frame that shows one face only, in order, in this thread.

    Raises:
        ValueError: the frames are not all of one size.
    """
    sightings = Sightings()
    finder = CutFinder()
    frame_size = (0, 0)
    waiting: deque[tuple[int, Film, Future[list[Sighting]]]] = deque()
    n_given = 0

    def take() -> None:
        first, stretch, future = waiting.popleft()
        seen = future.result()
        if see is not None:
            _show(stretch, seen, first, see)
        sightings.extend(seen)

    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="faces")
    try:
        for stretch in stretches(batches, detector.wants_frames):
            frame_size = (stretch.shape[2], stretch.shape[1])
            # Threads start with an empty context: carry the log's job and clip over.
            skip = -n_given % LOOK_EVERY if wants_looks else len(stretch)
            future = pool.submit(copy_context().run, _see, detector, stretch, skip)
            waiting.append((n_given, stretch, future))
            n_given += len(stretch)
            finder.add(stretch)
            if len(waiting) > n_threads:
                take()
        while waiting:
            take()
    finally:
        pool.shutdown(cancel_futures=True)
    return Watched(sightings, finder.cuts(), frame_size)


def _see(detector: FaceDetector, frames: Film, skip: int) -> list[Sighting]:
    """A sighting per frame, with looks in every fourth one from ``skip`` on."""
    seen = detector.detect(frames)
    for at in range(skip, len(frames), LOOK_EVERY):
        points = seen[at].points
        if points is not None and len(points):
            looks = np.stack([look_at(frames[at], points[which]) for which in range(len(points))])
            seen[at] = replace(seen[at], looks=looks)
    return seen


def _show(frames: Film, seen: list[Sighting], first: int, see: See) -> None:
    for at, (frame, sighting) in enumerate(zip(frames, seen, strict=True), first):
        if sighting.points is not None and len(sighting.points) == 1 and isinstance(frame, Still):
            see(at, frame, sighting.points[0])


def thread_count(workers: int) -> int:
    """How many threads ``faces.workers`` means: 0 is one per core we may use, up to eight."""
    return workers or min(MAX_THREADS, usable_cores())


def stretch_length(n_frames: int, frame_bytes: int) -> int:
    """Of so many frames, those that fit into one stretch."""
    return max(1, min(n_frames, STRETCH_BYTES // frame_bytes))


def stretches(batches: Iterable[Film], n_frames: int) -> Iterator[Film]:
    """The same frames in runs of one length, the last one shorter.

    Args:
        batches: in order.
        n_frames: the length; less where so many frames exceed 64 MiB.

    Raises:
        ValueError: the frames are not all of one size.
    """
    held: list[Film] = []
    n_held = 0
    for batch in batches:
        if held and batch.shape[1:] != held[0].shape[1:]:
            raise ValueError(f"a frame of {batch.shape[1:]} after {held[0].shape[1:]}")
        if len(batch):
            n_frames = stretch_length(n_frames, batch[0].nbytes)
        held.append(batch)
        n_held += len(batch)
        while n_held >= n_frames:
            film = joined(held)
            yield film[:n_frames]
            n_held -= n_frames
            held = [film[n_frames:]] if n_held else []
    if n_held:
        yield joined(held)
