"""Frames of one clip: forward, backward and by number, always the same pixels."""

from __future__ import annotations

import math
import weakref
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heygemd.errors import MediaError
from heygemd.media.colour import output_colour
from heygemd.media.filters import STREAMS, bytes_per_pixel, decode_args
from heygemd.media.hwaccel import blamed_on_gpu
from heygemd.media.limits import Limits
from heygemd.media.tool import Caps, Child, Ffmpeg, command, running
from heygemd.planes import Excerpt, Planes, Still, packed_shape
from heygemd.records import Timeline, VideoInfo

REVERSE_BYTES = 160 << 20  # 115 frames of 720p, 51 of 1080p
REVERSE_LEAST = 8  # frames in such a stretch, however large they are
JOIN_FRAMES = 64  # decoding this many unwanted frames costs less than another ffmpeg
LEAST_SHARE = 0.9  # of the frames probed that must decode: a stream may begin amid a group
PRINT_ROWS = 16  # every 16th row of a frame goes into its fingerprint

Packed = NDArray[np.uint8]
"""(N, 3 H / 2, W), planes of some frames; see ``Planes``."""

Fill = Callable[[Packed], None]
"""Puts the next frames of a stretch into an array, all of it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive source frames.

    Attributes:
        first: index of the first frame.
        stop: index behind the last; None reads to the end.
        backward: the last frame comes out first.
        n_times: how often each frame comes; more than once only for a single frame.
    """

    first: int
    stop: int | None
    backward: bool = False
    n_times: int = 1

    @property
    def n_out(self) -> int:
        """Frames that come out; of stretches with an end."""
        return ((self.stop or 0) - self.first) * self.n_times

    def skip(self, n_done: int) -> Stretch:
        """What is left when ``n_done`` frames have come out."""
        if self.backward:
            return replace(self, stop=(self.stop or 0) - n_done)
        return replace(self, first=self.first + n_done)


class VideoReader:
    """One clip, readable as often as wanted; a ``ClipReader`` of ``lips.base``.

    Every pass from the first frame counts by decoding, so it is exact. Such a pass leaves a
    fingerprint of each frame; stretches that are reached by seeking are checked against them, and
    read again from the first frame where the container seeks badly.

    Args:
        tool: the ffmpeg to use.
        path: the clip, under a neutral name.
        info: of ``probe``.
        limits: of memory and patience.
        reverse_bytes: decoded frames that ffmpeg may hold while it turns a stretch around.

    Attributes:
        info: as given.
        timeline: set it once it is laid; empty before.
        n_frames: exact count, None until ``read_all`` has ended.
        excerpts: parts of source frames, for whoever studies the clip; empty unless set.
    """

    def __init__(
        self,
        tool: Ffmpeg,
        path: Path,
        info: VideoInfo,
        limits: Limits | None = None,
        *,
        reverse_bytes: int = REVERSE_BYTES,
    ) -> None:
        self.info = info
        self.timeline = Timeline(source=np.empty(0, np.int64), fps=info.fps)
        self.n_frames: int | None = None
        self.excerpts: Mapping[int, Excerpt] = {}
        self._tool = tool
        self._path = path
        self._limits = limits or Limits()
        self._reverse_bytes = reverse_bytes
        self._prints = array("I")
        self._seeks = not info.still
        self._spare: list[NDArray[np.uint8]] = []

    def read_all(self, batch: int) -> Iterator[Planes]:
        """Yield every source frame once, in order.

        Args:
            batch: frames at a time; the last batch may be shorter.

        Raises:
            MediaError: ``corrupt``, when too few frames decode; or ffmpeg failed.
        """
        n_frames = 0
        with self._decoding(Stretch(0, None)) as child:
            while True:
                frames = self._empty(batch)
                n_read = self._read(child, frames)
                self._remember(frames[:n_read], n_frames)
                n_frames += n_read
                if n_read:
                    yield self._shown(frames[:n_read])
                if n_read < batch:
                    break
            child.finish()
        self._require(n_frames)
        self.n_frames = n_frames

    @property
    def prints(self) -> NDArray[np.uint32]:
        """A fingerprint of each frame from the first one on, as far as they are known."""
        return np.array(self._prints, np.uint32)

    def recall(self, prints: NDArray[np.uint32]) -> None:
        """Take over what an earlier reader of the same bytes learned in ``read_all``."""
        self._prints = array("I", prints.tolist())
        self.n_frames = len(prints)

    def read_timeline(self, timeline: Timeline, batch: int) -> Iterator[Planes]:
        """Yield the output's frames, in order; whoever takes them may change them.

        Args:
            timeline: which source frame stands where.
            batch: frames at a time; the last batch may be shorter.

        Raises:
            MediaError: ``corrupt``, when the clip ends before the timeline does.
        """
        n_left, n_filled = timeline.n_frames, 0
        frames = self._empty(min(batch, n_left))
        for stretch in stretches(timeline, self._n_reverse()):
            with self._opened(stretch) as fill:
                n_todo = stretch.n_out
                while n_todo:
                    n_next = min(n_todo, len(frames) - n_filled)
                    fill(frames[n_filled : n_filled + n_next])
                    n_todo -= n_next
                    n_left -= n_next
                    n_filled += n_next
                    if n_filled == len(frames):
                        yield self._shown(frames)
                        n_filled = 0
                        frames = self._empty(max(1, min(batch, n_left)))

    def frames_at(self, indices: Iterable[int]) -> Iterator[tuple[int, Still]]:
        """Yield ``(index, frame)`` for the source frames asked for.

        Args:
            indices: source frame numbers in rising order.

        Raises:
            MediaError: ``corrupt``, when the clip ends before them.
        """
        wanted = list(indices)
        known = len(self._prints)
        join = JOIN_FRAMES if wanted and wanted[-1] < known else 1 << 62
        scratch = self._empty(1)
        for group in _group(wanted, join):
            first = group[0] if group[-1] < known else 0
            asked = set(group)
            with self._opened(Stretch(first, group[-1] + 1)) as fill:
                for index in range(first, group[-1] + 1):
                    frame = self._empty(1) if index in asked else scratch
                    fill(frame)
                    if index in asked:
                        yield index, self._shown(frame)[0]

    def _require(self, n_frames: int) -> None:
        # Time stamps of streams may jump, so they count no frames.
        is_stream = self.info.container in STREAMS
        if n_frames < (1 if is_stream else LEAST_SHARE * self.info.n_frames):
            raise MediaError(
                f"only {n_frames} of {self.info.n_frames} frames decode; export the clip again",
                code="corrupt",
            )

    def _n_reverse(self) -> int:
        info = self.info
        frame_bytes = info.width_px * info.height_px * bytes_per_pixel(info.pixel_format)
        return max(REVERSE_LEAST, int(self._reverse_bytes / frame_bytes))

    @contextmanager
    def _opened(self, stretch: Stretch) -> Iterator[Fill]:
        """A function that fills arrays with the stretch's frames, each checked where known."""
        with ExitStack() as stack:
            if stretch.n_times > 1:
                held = self._empty(1)
                once = replace(stretch, n_times=1)
                stack.enter_context(self._opened(once))(held)
                yield lambda target: np.copyto(target, held)
                return
            seeks = self._seeks and 0 < stretch.first < (stretch.stop or 0) <= len(self._prints)
            child = stack.enter_context(self._decoding(stretch, seeks=seeks))
            n_done = 0

            def fill(target: Packed) -> None:
                nonlocal child, n_done, seeks
                n_read = self._read(child, target)
                n_right = self._check(target[:n_read], stretch.skip(n_done))
                n_done += n_right
                if n_right == len(target):
                    return
                if not seeks:
                    raise self._ended(child, stretch.skip(n_done), missing=n_right == n_read)
                seeks = self._seeks = False  # this container lands elsewhere: count from the start
                stack.close()
                child = stack.enter_context(self._decoding(stretch.skip(n_done)))
                fill(target[n_right:])

            yield fill

    def _check(self, frames: Packed, stretch: Stretch) -> int:
        """How many frames are the ones the stretch begins with; unknown ones are remembered."""
        for n_right, frame in enumerate(frames):
            index = (
                (stretch.stop or 0) - 1 - n_right if stretch.backward else stretch.first + n_right
            )
            if index < len(self._prints):
                if self._prints[index] != fingerprint(frame):
                    return n_right
            elif not stretch.backward:
                self._remember(frame[None], index)
        return len(frames)

    def _remember(self, frames: Packed, first: int) -> None:
        for index, frame in enumerate(frames, first):
            if index == len(self._prints):
                self._prints.append(fingerprint(frame))

    def _ended(self, child: Child, stretch: Stretch, *, missing: bool) -> MediaError:
        if missing:
            child.finish()  # a crash says more than a missing frame
        return MediaError(
            f"frames {stretch.first} to {stretch.stop} of the clip "
            f"{'are missing' if missing else 'decode differently each time'}; export it again",
            code="corrupt",
        )

    def _shown(self, frames: Packed) -> Planes:
        info = self.info
        return Planes(frames, info.width_px, info.height_px, output_colour(info).matrix)

    def _empty(self, n_frames: int) -> Packed:
        """Room for frames; memory comes back here once no array looks into it any more.

        The first touch of fresh memory costs as much as decoding small frames does.
        """
        shape = packed_shape(n_frames, self.info.width_px, self.info.height_px)
        spare, n_bytes = self._spare, math.prod(shape)
        memory = spare.pop() if spare else np.empty(n_bytes, np.uint8)
        if memory.nbytes != n_bytes:
            memory = np.empty(n_bytes, np.uint8)
        # Seen through a memoryview, so that every later view keeps `lent` alive, not `memory`.
        lent = np.frombuffer(memory.data, np.uint8)
        weakref.finalize(lent, spare.append, memory).atexit = False
        return lent.reshape(shape)

    def _read(self, child: Child, frames: Packed) -> int:
        """Whole frames read into the front of ``frames``; fewer only at the end."""
        n_bytes = child.read_into(frames.data.cast("B"))
        n_read, rest = divmod(n_bytes, int(frames[0].nbytes))
        if rest:
            child.finish()
            raise MediaError("ffmpeg ended inside a frame", code="corrupt")
        return n_read

    @contextmanager
    def _decoding(self, stretch: Stretch, *, seeks: bool = False) -> Iterator[Child]:
        args = decode_args(
            self._path,
            self.info,
            self._limits,
            first=stretch.first,
            stop=stretch.stop,
            backward=stretch.backward,
            seeks=seeks,
            hwaccel=self._tool.hwaccel,
        )
        megapixels = self.info.width_px * self.info.height_px / 1e6
        caps = Caps(
            # CUDA reserves addresses by the hundred gigabytes.
            memory_bytes=None if self._tool.hwaccel else self._limits.memory_bytes,
            cpu_s=int(600 + 2 * megapixels * self.info.n_frames),
            stall_s=self._limits.stall_s,
        )
        with (
            blamed_on_gpu(self._tool.hwaccel),
            running(command(self._tool, args), caps, reads=True) as child,
        ):
            yield child


def fingerprint(frame: Packed) -> int:
    """A number that tells two frames apart; of every 16th row, which is fast enough to do always.

    Args:
        frame: (3 H / 2, W) uint8.
    """
    return zlib.crc32(np.ascontiguousarray(frame[::PRINT_ROWS]).data)


def stretches(timeline: Timeline, n_reverse: int) -> Iterator[Stretch]:
    """The timeline as stretches that ffmpeg can deliver in one go.

    Args:
        timeline: which source frame stands where.
        n_reverse: frames in a backward stretch at most.
    """
    source = timeline.source.tolist()
    at = 0
    while at < len(source):
        step = source[at + 1] - source[at] if at + 1 < len(source) else 1
        if step not in {-1, 0, 1}:
            step = 1
        most = n_reverse if step == -1 else len(source)
        end = at + 1
        while end < len(source) and end - at < most and source[end] - source[end - 1] == step:
            end += 1
        low, high = sorted((source[at], source[end - 1]))
        yield Stretch(low, high + 1, backward=step == -1, n_times=end - at if step == 0 else 1)
        at = end


def _group(indices: list[int], join: int) -> Iterator[list[int]]:
    """Neighbours less than ``join`` apart, together."""
    group: list[int] = []
    for index in indices:
        if group and index - group[-1] > join:
            yield group
            group = []
        group.append(index)
    if group:
        yield group
