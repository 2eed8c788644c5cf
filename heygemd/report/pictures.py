"""The report's pictures: before and after, one whole frame, the sound and how the lips follow it.

Pure functions, and a ``Sampler`` that is shown the frames as they stream by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from heygemd import planes
from heygemd.opencv import cv2
from heygemd.planes import Film
from heygemd.records import Boxes, Waveform

Picture = NDArray[np.uint8]
"""(H, W, 3) BGR, 0..255."""

CurveKind = Literal["opening", "sync"]

N_COLUMNS = 6
CELL_PX = 192  # six of them fill a page of 1152 px
FACE_SHARE = 0.62  # of a cell's edge that the face's longer side takes: chin and hair stay in sight
_GAP_PX = 2
_GAP_GREY = 128
_POSTER_PX = 640
_SHEET_QUALITY, _POSTER_QUALITY = 84, 72  # 50 and 25 kB for a talking head; seams stay visible

_WAVE_WIDTH, _WAVE_HEIGHT = 360, 100  # user units of the SVG, not pixels
_QUIETEST_PEAK = 0.02  # below this a sound is drawn as quiet as it is, not stretched to full height


class Sampler:
    """Keeps a few frames before and after out of a stream, downscaled; memory stays under 2 MB.

    Args:
        n_frames: how many frames the stream will have.
        boxes: (n_frames, 4) px, the face in each frame, NaN rows where there is none; frames with a
            face are preferred and cropped to it. None where nobody knows.
        n_columns: how many frames to keep.

    Attributes:
        chosen: which frames, in rising order.
    """

    def __init__(
        self, n_frames: int, boxes: Boxes | None = None, *, n_columns: int = N_COLUMNS
    ) -> None:
        if boxes is not None and boxes.shape != (n_frames, 4):
            raise ValueError(f"boxes {boxes.shape}, want ({n_frames}, 4)")
        self._boxes = boxes
        self.chosen = _spread(n_frames, boxes, n_columns)
        self._before: dict[int, Picture] = {}
        self._after: dict[int, Picture] = {}
        self._poster = b""

    def see_before(self, start: int, frames: Film) -> None:
        """Look at a batch, the first of it frame ``start``; it may be changed afterwards."""
        self._before |= self._cells(start, frames)

    def see_after(self, start: int, frames: Film) -> None:
        """Look at the same batch again, with its patches."""
        self._after |= self._cells(start, frames)
        at = self.chosen[len(self.chosen) // 2] - start if self.chosen else -1
        if 0 <= at < len(frames):
            self._poster = poster(frames[at])

    def _cells(self, start: int, frames: Film) -> dict[int, Picture]:
        return {
            index: cell(frames[index - start], self._box(index))
            for index in self.chosen
            if 0 <= index - start < len(frames)
        }

    def _box(self, index: int) -> Boxes | None:
        if self._boxes is None or not np.isfinite(self._boxes[index]).all():
            return None
        return np.asarray(self._boxes[index], np.float32)

    def sheet(self) -> bytes:
        """The contact sheet of what was seen so far, JPEG; empty when nothing was."""
        seen = sorted(self._after)
        return tile([self._before[at] for at in seen], [self._after[at] for at in seen])

    def poster(self) -> bytes:
        """One whole frame after, JPEG; empty when it was not seen."""
        return self._poster


def _spread(n_frames: int, boxes: Boxes | None, n_columns: int) -> tuple[int, ...]:
    """Frames in the middle of ``n_columns`` equal stretches of those that show a face."""
    able = np.arange(n_frames)
    if boxes is not None and np.isfinite(boxes).all(axis=1).any():
        able = np.flatnonzero(np.isfinite(boxes).all(axis=1))
    if not len(able):
        return ()
    middles = (np.arange(n_columns) + 0.5) * len(able) / n_columns
    return tuple(int(index) for index in np.unique(able[middles.astype(np.int64)]))


def cell(frame: planes.Picture, box: Boxes | None) -> Picture:
    """One cell of the contact sheet.

    Args:
        frame: what to show.
        box: (4,) px, the face.

    Returns:
        (CELL_PX, CELL_PX, 3), the face and some room around it; without a box the whole frame,
        CELL_PX on its longer side.
    """
    height, width = frame.shape[:2]
    if box is None:
        scale = CELL_PX / max(height, width)
        return _scaled(frame[:, :], max(1, round(width * scale)), max(1, round(height * scale)))
    x1, y1, x2, y2 = (float(edge) for edge in box)
    edge = min(height, width, max(8, round(max(x2 - x1, y2 - y1) / FACE_SHARE)))
    left = int(np.clip(round((x1 + x2 - edge) / 2), 0, width - edge))
    top = int(np.clip(round((y1 + y2 - edge) / 2), 0, height - edge))
    return _scaled(frame[top : top + edge, left : left + edge], CELL_PX, CELL_PX)


def _scaled(frame: Picture, width_px: int, height_px: int) -> Picture:
    method = cv2.INTER_AREA if width_px < frame.shape[1] else cv2.INTER_CUBIC
    scaled = cv2.resize(np.ascontiguousarray(frame), (width_px, height_px), interpolation=method)
    return np.asarray(scaled, np.uint8)


def tile(top: Sequence[Picture], bottom: Sequence[Picture]) -> bytes:
    """Two rows of cells, all of one size, as one JPEG; empty for no cells."""
    if len(top) != len(bottom):
        raise ValueError(f"{len(top)} cells above {len(bottom)}, want as many")
    if not top:
        return b""
    height, width = (edge + _GAP_PX for edge in top[0].shape[:2])
    canvas = np.full((2 * height, len(top) * width, 3), _GAP_GREY, np.uint8)
    for row, cells in enumerate((top, bottom)):
        for column, picture in enumerate(cells):
            y, x = row * height, column * width
            canvas[y : y + height - _GAP_PX, x : x + width - _GAP_PX] = picture
    return _jpeg(canvas[:-_GAP_PX, :-_GAP_PX], _SHEET_QUALITY)


def poster(frame: planes.Picture) -> bytes:
    """The whole frame, at most 640 px on its longer side, JPEG."""
    height, width = frame.shape[:2]
    scale = min(1.0, _POSTER_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return _jpeg(_scaled(frame[:, :], *size), _POSTER_QUALITY)


def _jpeg(picture: Picture, quality: int) -> bytes:
    written, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not written:
        raise RuntimeError(f"cv2 wrote no JPEG of a picture {picture.shape}")
    return bytes(coded.tobytes())


def waveform(  # noqa: PLR0913 - one picture's layers
    sound: Waveform,
    *,
    n_frames: int,
    gaps: Sequence[tuple[int, int]] = (),
    chosen: Sequence[int] = (),
    curve: NDArray[np.floating] | None = None,
    kind: CurveKind = "opening",
) -> str:
    """The sound as SVG, with marks; it takes the colours of the page that it is put into.

    Args:
        sound: what is heard with the output, from its first frame on.
        n_frames: of the output; the picture is as wide as both are long.
        gaps: [first, last] output frames without a face.
        chosen: output frames that the contact sheet shows.
        curve: (n,) any values spread evenly over the output, drawn from their least (never above 0)
            to their most; NaN interrupts it.
        kind: what the curve tells: how far the lips open, or how well they fit the sound.
    """
    layers = [
        *(_gap(first, last, n_frames) for first, last in gaps),
        f'<path class="sound" fill="currentColor" fill-opacity=".35" d="{_envelope(sound)}"/>',
    ]
    if curve is not None and len(curve):
        layers.append(_curve(np.asarray(curve, np.float64), kind))
    layers += [_tick(index, n_frames) for index in chosen]
    return (
        f'<svg class="wave" xmlns="http://www.w3.org/2000/svg" aria-hidden="true" focusable="false"'
        f' viewBox="0 0 {_WAVE_WIDTH} {_WAVE_HEIGHT}" preserveAspectRatio="none">'
        f"{''.join(layers)}</svg>"
    )


def _gap(first: int, last: int, n_frames: int) -> str:
    x, end = _x(first, n_frames), _x(last + 1, n_frames)
    return (
        f'<rect class="gap" fill="currentColor" fill-opacity=".15" x="{x:g}" y="0" '
        f'width="{max(0.5, round(end - x, 1)):g}" height="{_WAVE_HEIGHT}"/>'
    )


def _tick(index: int, n_frames: int) -> str:
    x = _x(index + 0.5, n_frames)
    return (
        f'<line class="tick" stroke="currentColor" vector-effect="non-scaling-stroke" '
        f'x1="{x:g}" x2="{x:g}" y1="94" y2="{_WAVE_HEIGHT}"/>'
    )


def _x(frame: float, n_frames: int) -> float:
    return round(frame / max(1, n_frames) * _WAVE_WIDTH, 1)


def _envelope(sound: Waveform) -> str:
    """A closed path: loudest and lowest sample of each column."""
    samples = np.nan_to_num(sound.samples)
    if not len(samples):
        return f"M0 50H{_WAVE_WIDTH}"
    n_columns = min(_WAVE_WIDTH, len(samples))
    starts = np.arange(n_columns) * len(samples) // n_columns
    scale = 0.46 * _WAVE_HEIGHT / max(_QUIETEST_PEAK, float(np.abs(samples).max()))
    tops = 50 - np.maximum.reduceat(samples, starts) * scale
    floors = 50 - np.minimum.reduceat(samples, starts) * scale
    xs = np.linspace(0, _WAVE_WIDTH, n_columns)
    there = " ".join(f"{x:.0f} {y:.1f}" for x, y in zip(xs, tops, strict=True))
    back = " ".join(f"{x:.0f} {y:.1f}" for x, y in zip(xs[::-1], floors[::-1] + 0.6, strict=True))
    return f"M{there} {back}Z"


def _curve(values: NDArray[np.float64], kind: CurveKind) -> str:
    """A line from the picture's floor; stretches of NaN are left out."""
    n_columns = min(_WAVE_WIDTH, len(values))
    starts = np.arange(n_columns) * len(values) // n_columns
    most = values[np.isfinite(values)].max(initial=0.0)
    least = values[np.isfinite(values)].min(initial=0.0)
    points = values[starts] if n_columns == len(values) else _means(values, starts)
    ys = 92 - (points - least) / max(most - least, 1e-9) * 84
    xs = (np.arange(n_columns) + 0.5) / n_columns * _WAVE_WIDTH
    path, pen_down = [], False
    for x, y in zip(xs, ys, strict=True):
        if np.isfinite(y):
            path.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
        pen_down = bool(np.isfinite(y))
    return (
        f'<path class="{kind}" fill="none" stroke="currentColor" '
        f'vector-effect="non-scaling-stroke" d="{"".join(path)}"/>'
    )


def _means(values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of each column's finite values; NaN where it has none."""
    known = np.isfinite(values)
    sums = np.add.reduceat(np.where(known, values, 0.0), starts)
    counts = np.add.reduceat(known.astype(np.float64), starts)
    means = np.full(len(starts), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means
