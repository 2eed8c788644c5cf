"""Stretches of an output that are black, or stand still, where its source does not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from heygemd import pixels
from heygemd.errors import MediaError, QualityError
from heygemd.media.filters import decode_threads
from heygemd.media.limits import Limits
from heygemd.media.tool import Caps, Ffmpeg, command, running, user_file
from heygemd.planes import Film, Still
from heygemd.records import Boxes

CODES = {"black": "black_output", "frozen": "frozen_output"}
LOOKS_HZ = 10
FROZEN_S = Fraction(1, 2)
_CELLS = 24  # along each edge: a mouth that opens changes one by dozens of levels
_LEAST_PX = 16  # along each edge of a cell: grain of 20 levels stays below _MOVED
_LINES = 8  # of a cell, of which the same may be said
_DARK, _LIT = 38, 60  # levels of the brightest cell: ffmpeg's blackdetect calls 38 of 16..235 black
_STILL, _MOVED = 1, 12  # levels; one apart is rounding, twelve in a cell anybody sees
_AROUND = 0.3  # of the face's size: lips move the jaw beyond its box
# Pictures in a row that no other one is made from are not decoded: at most 8 of x264's 16.
_UNSEEN = 8
_BATCH = 64

Cells = NDArray[np.uint8]
"""(N, rows, columns) mean brightness of the cells of N looks."""


@dataclass(frozen=True, slots=True)
class Run:
    """Output frames that are wrong, first and last."""

    kind: Literal["black", "frozen"]
    first: int
    last: int


class Expected:
    """What viewers should see of an output: the source, but the lips' own doing on the face.

    Args:
        boxes: (n_out, 4) px, the face in each output frame; NaN rows where none is.
        size: height and width of its frames, px.
        fps: of the output.

    Attributes:
        size: as given.
        step: every so many frames one is looked at.
        stale: looks by which one at the output may lag.
        cells: one row per look.
    """

    def __init__(self, boxes: Boxes, size: tuple[int, int], fps: Fraction) -> None:
        self.fps = fps
        self.step = max(1, int(fps / LOOKS_HZ))
        self.stale = math.ceil(_UNSEEN / self.step)
        self.size = size
        self._boxes = boxes[:: self.step]
        self.cells = np.zeros((len(self._boxes), *grid_of(size)), np.uint8)

    def see_before(self, start: int, frames: Film) -> None:
        """Look at a batch of the source, the first of it frame ``start``; it may change then."""
        looks, seen = self._look(start, frames)
        self.cells[looks] = seen

    def see_after(self, start: int, frames: Film) -> None:
        """Look at the same batch with the lips moved."""
        looks, seen = self._look(start, frames)
        on_face = _on_face(self._boxes[looks], frames.shape[1:3])
        self.cells[looks] = np.where(on_face, seen, self.cells[looks])

    def _look(self, start: int, frames: Film) -> tuple[slice, Cells]:
        first = -start % self.step
        look = (start + first) // self.step
        seen = brightness(frames[first :: self.step])
        return slice(look, look + len(seen)), seen


def grid_of(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of cells in a frame of this height and width."""
    rows, columns = (min(_CELLS, max(1, n_px // _LEAST_PX)) for n_px in size)
    return rows, columns


def brightness(frames: Film) -> Cells:
    """How bright the cells are, by a sample of their lines; of BGR by green, most of it."""
    height_px, width_px = frames.shape[1:3]
    rows, columns = grid_of((height_px, width_px))
    cells = np.empty((len(frames), rows, columns), np.uint8)
    for row, frame in zip(cells, frames, strict=True):
        luma = frame.y[:height_px, :width_px] if isinstance(frame, Still) else frame[..., 1]
        row[:] = pixels.means(luma, rows, columns, _LINES)
    return cells


def _on_face(boxes: Boxes, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(N, rows, columns), the cells that a face and its surroundings touch."""
    grow = _AROUND * (boxes[:, 2:] - boxes[:, :2])
    low, high = boxes[:, :2] - grow, boxes[:, 2:] + grow
    height_px, width_px = size
    rows, columns = grid_of(size)

    def touched(axis: int, n_cells: int, n_px: int) -> NDArray[np.bool_]:
        edges = np.arange(n_cells + 1) * (n_px / n_cells)
        begins_above = edges[:-1] < high[:, axis : axis + 1]
        return np.asarray(begins_above & (edges[1:] > low[:, axis : axis + 1]))

    return touched(1, rows, height_px)[:, :, None] & touched(0, columns, width_px)[:, None, :]


def look_at(tool: Ffmpeg, path: Path, expected: Expected, limits: Limits) -> Iterator[Cells]:
    """Decode an output and yield what is seen of it wherever ``expected`` looked, some at a time.

    Pictures that no other one is made from are passed over, and edges between blocks stay as they
    are: half the work. Where such a picture is due, the one before it is seen once more.

    Raises:
        QualityError: it does not decode to its end.
    """
    source = ffmpeg.input(
        **user_file(path, "mov"),
        threads=decode_threads(math.prod(expected.size)),
        skip_frame="noref",
        skip_loop_filter="all",
    )
    shape = (_BATCH, *expected.cells.shape[1:])
    every = source["v:0"].filter("fps", str(expected.fps))
    looks = every.filter("select", f"not(mod(n,{expected.step}))")
    small = looks.filter("extractplanes", "y").filter("scale", shape[2], shape[1], flags="area")
    output = small.output("pipe:1", f="rawvideo", pix_fmt="gray", fps_mode="passthrough")
    caps = Caps(memory_bytes=limits.memory_bytes, stall_s=limits.stall_s)
    try:
        with running(command(tool, ffmpeg.get_args(output)), caps, reads=True) as child:
            while True:
                cells = np.empty(shape, np.uint8)
                n_read = child.read_into(cells.data.cast("B")) // cells[0].size
                if n_read:
                    yield cells[:n_read]
                if n_read < _BATCH:
                    break
            child.finish()
    except MediaError as error:
        raise QualityError(f"the output does not decode: {error}") from error


def require_life(looks: Iterable[Cells], expected: Expected) -> None:
    """See that an output is neither black nor frozen where it should not be.

    Args:
        looks: of ``look_at``.
        expected: has seen all that went into the output.

    Raises:
        QualityError: ``black_output`` or ``frozen_output``, with the frames.
    """
    seen = np.concatenate([expected.cells[:0], *looks])
    if len(seen) != len(expected.cells):
        raise QualityError(f"{len(seen)} of {len(expected.cells)} looks at the output succeeded")
    runs = find_runs(seen, expected)
    if not runs:
        return
    fps = expected.fps
    where = "; ".join(
        f"{run.kind} from frame {run.first} to {run.last} "
        f"({float(run.first / fps):.1f} s to {float((run.last + 1) / fps):.1f} s)"
        for run in runs
    )
    raise QualityError(
        f"the output is {where}, where the clip is not; give the clip to heygemd again, and set "
        "encode.codec = libx264 if it comes back",
        code=CODES[runs[0].kind],
    )


def find_runs(seen: Cells, expected: Expected) -> list[Run]:
    """Black runs, then frozen ones, in order.

    Args:
        seen: all looks at the output.
        expected: what they should have seen.
    """
    step, stale, wanted = expected.step, expected.stale, expected.cells
    is_black = (seen.max(axis=(1, 2)) <= _DARK) & (wanted.max(axis=(1, 2)) > _LIT)
    black = [Run("black", a * step, b * step) for a, b in _stretches(is_black) if b - a > stale]
    least = max(2, int(FROZEN_S * expected.fps / step))
    frozen = [
        Run("frozen", a * step, b * step)
        for a, b in _still(seen)
        if b - a >= least + stale
        and not is_black[a : b + 1].any()
        and _stray(wanted[a : b + 1 - stale]) >= _MOVED
    ]
    return black + frozen


def _stretches(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[first, last] of every run of True."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


def _still(seen: Cells) -> Iterator[tuple[int, int]]:
    """[first, last] of every run of looks that are like their first one."""
    first = 0
    for at in range(1, len(seen) + 1):
        if at == len(seen) or _stray(seen[[first, at]]) > _STILL:
            yield first, at - 1
            first = at


def _stray(cells: Cells) -> int:
    """Levels that a cell goes away from the first look, at most."""
    return int(np.abs(cells.astype(np.int16) - cells[0]).max())
