"""A lip model and a face detector as the benchmark of lips wants them: looked at, and patient."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heygemd.faces.detect import FaceDetector, Sighting
from heygemd.lips.base import ClipReader, Collector, LipModel, Plan, Voice
from heygemd.planes import Film, Picture, Planes
from heygemd.records import FaceTrack, Patch, Timeline, Waveform

BLOCK_S = 1.2  # own voice: every other so long lends no mouths and is judged
MARGIN_S = 0.24  # of a block's ends that is not judged: the next mouth lent is as far at least


class Watched:
    """A lip model that is looked at while it works; see ``LipModel``.

    Args:
        lips: the model.
        blindfold: lend no mouths of every other ``BLOCK_S``.

    Attributes:
        track: of the last clip studied.
        timeline: likewise.
        speak_s: processor seconds spent in ``speak`` for it.
    """

    def __init__(self, lips: LipModel, *, blindfold: bool) -> None:
        self.name, self.sha256, self.device = lips.name, lips.sha256, lips.device
        self.wants_points, self.batch = lips.wants_points, lips.batch
        self.track: FaceTrack | None = None
        self.timeline = Timeline(np.empty(0, np.int64), Fraction(25))
        self.speak_s = 0.0
        self._lips, self._blindfold = lips, blindfold

    def hear(self, sound: Waveform) -> Voice:
        """See ``LipModel.hear``."""
        return self._lips.hear(sound)

    def collector(self) -> Collector | None:
        """See ``LipModel.collector``."""
        return self._lips.collector()

    def study(self, clip: ClipReader, track: FaceTrack, voice: Voice) -> Plan:
        """See ``LipModel.study``."""
        self.track, self.timeline, self.speak_s = track, clip.timeline, 0.0
        return self._lips.study(_Blindfolded(clip) if self._blindfold else clip, track, voice)

    def speak(self, frames: Film, plan: Plan, span: range) -> list[Patch | None]:
        """See ``LipModel.speak``."""
        started_s = time.thread_time()
        patches = self._lips.speak(frames, plan, span)
        self.speak_s += time.thread_time() - started_s
        return patches


class _Blindfolded:
    """A clip that shows only the blocks which are not judged; see ``ClipReader``."""

    def __init__(self, clip: ClipReader) -> None:
        self.info, self.timeline = clip.info, clip.timeline
        self._clip = clip
        kept = np.array(list(clip.excerpts), np.int64)
        free = kept[blocks(kept, self.info.fps) % 2 == 0].tolist()
        self.excerpts = {at: clip.excerpts[at] for at in free}

    def frames_at(self, indices: Iterable[int]) -> Iterator[tuple[int, Picture]]:
        """Those of the frames asked for that may be seen."""
        asked = np.array(list(indices), np.int64)
        free = asked[blocks(asked, self.info.fps) % 2 == 0]
        return self._clip.frames_at(free.tolist())


class Remembering:
    """A detector that looks at no stretch of frames twice; see ``FaceDetector``.

    Args:
        detector: who looks.
        folder: keeps what was seen for the next time; None forgets it with the process.
    """

    def __init__(self, detector: FaceDetector, folder: Path | None) -> None:
        self.name, self.version = detector.name, detector.version
        self.wants_frames = detector.wants_frames
        self._detector, self._folder = detector, folder
        self._seen: dict[str, list[Sighting]] = {}

    def detect(self, frames: Film) -> list[Sighting]:
        """See ``FaceDetector.detect``."""
        seen = frames.packed if isinstance(frames, Planes) else frames
        digest = hashlib.sha1(np.ascontiguousarray(seen).data, usedforsecurity=False)
        digest.update(f"{self.name} {self.version}".encode())
        name = digest.hexdigest()
        if name not in self._seen:
            self._seen[name] = self._recall(name) or self._look(name, frames)
        return self._seen[name]

    def forget(self) -> None:
        """Make room."""
        self._seen.clear()

    def close(self) -> None:
        """See ``FaceDetector.close``."""
        self._detector.close()

    def _recall(self, name: str) -> list[Sighting]:
        """What the folder holds; nothing where it does not."""
        if self._folder is None or not (self._folder / f"{name}.npz").is_file():
            return []
        with np.load(self._folder / f"{name}.npz") as kept:
            ends = np.cumsum(kept["n_faces"])[:-1]
            split = [np.split(kept[key], ends) for key in ("boxes", "scores", "points")]
        return [Sighting(*face) for face in zip(*split, strict=True)]

    def _look(self, name: str, frames: Film) -> list[Sighting]:
        seen = self._detector.detect(frames)
        if self._folder is not None and all(face.points is not None for face in seen):
            np.savez(
                self._folder / f"{name}.npz",
                n_faces=[len(face.scores) for face in seen],
                boxes=np.concatenate([face.boxes for face in seen]),
                scores=np.concatenate([face.scores for face in seen]),
                points=np.concatenate([face.points[:] for face in seen if face.points is not None]),
            )
        return seen


def blocks(frames: NDArray[np.int64], fps: Fraction) -> NDArray[np.int64]:
    """(N,) in which block of ``BLOCK_S`` each source frame lies."""
    return np.asarray(frames / float(fps) // BLOCK_S, np.int64)


def judged_frames(source: NDArray[np.int64], fps: Fraction) -> NDArray[np.bool_]:
    """(n_out,) frames of the blocks that lent nothing, a margin at their ends left out."""
    place = source / float(fps) % BLOCK_S
    inside = (place > MARGIN_S) & (place < BLOCK_S - MARGIN_S)
    return np.asarray(inside & (blocks(source, fps) % 2 == 1), np.bool_)
