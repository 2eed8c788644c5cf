"""What the renderer asks of a lip model. A new model is one new file or folder beside this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias

from heygemd.planes import Excerpt, Film, Picture, Still
from heygemd.records import FaceTrack, Patch, Points, Timeline, VideoInfo, Waveform

Voice: TypeAlias = Any
"""What one model wants of the sound; each model's own type, made by ``hear``."""

Plan: TypeAlias = Any
"""What one model knows of one clip; each model's own type, made by ``study``."""


class ClipReader(Protocol):
    """One clip, readable more than once.

    Attributes:
        info: of the clip.
        timeline: from source to output.
        excerpts: what a ``Collector`` kept of source frames, by their numbers; may be empty.
    """

    info: VideoInfo
    timeline: Timeline

    @property
    def excerpts(self) -> Mapping[int, Excerpt]:
        """See above."""
        ...

    def frames_at(self, indices: Iterable[int]) -> Iterator[tuple[int, Picture]]:
        """Yield ``(index, frame)`` for the source frames asked for.

        Args:
            indices: source frame numbers in rising order.

        Raises:
            MediaError: the clip cannot be read.
        """
        ...


class Collector(Protocol):
    """Keeps of one clip, while it is searched for faces, what its study will want to see again."""

    def see(self, at: int, frame: Still, points: Points) -> None:
        """Look at a frame that shows one face; in order.

        Args:
            at: source frame number.
            frame: keep no view of it.
            points: (478, 3) px, as detected.
        """
        ...

    def excerpts(self) -> dict[int, Excerpt]:
        """What is worth keeping, by source frame number."""
        ...


class LipModel(Protocol):
    """Moves lips. Keeps nothing between clips; what it learned of a clip is a value.

    Attributes:
        name: as in ``model.name``.
        sha256: of the weights, empty where there are none.
        device: where it runs, e.g. ``cuda:0``.
        wants_points: True when it needs a track with the 478 points.
        batch: frames on the device at once, less when its memory was short; 0 for what comes.
    """

    name: str
    sha256: str
    device: str
    wants_points: bool
    batch: int

    def hear(self, sound: Waveform) -> Voice:
        """Once per job: what the model wants of the sound.

        Args:
            sound: 16 kHz mono.

        Raises:
            TransientError: the device has no memory left for it.
            GpuLostError: a CUDA fault other than out-of-memory.
        """
        ...

    def collector(self) -> Collector | None:
        """A new one for one clip; None where the model's study looks at no frames."""
        ...

    def study(self, clip: ClipReader, track: FaceTrack, voice: Voice) -> Plan:
        """Once per clip: decide what every output frame will look like.

        Args:
            clip: gives source frames, and the timeline from source to output.
            track: rows are source frames.
            voice: from ``hear``.

        Raises:
            ClipError: this clip cannot be done, and why.
        """
        ...

    def speak(self, frames: Film, plan: Plan, span: range) -> list[Patch | None]:
        """Once per batch: the patch of each frame.

        Args:
            frames: the source frames behind output frames ``span``; cut out what is looked at.
            plan: from ``study``.
            span: N consecutive output frame numbers.

        Returns:
            One patch per frame; None where the frame passes through untouched.

        Raises:
            OutOfMemoryError: even the smallest batch does not fit.
            GpuLostError: a CUDA fault other than out-of-memory.
        """
        ...
