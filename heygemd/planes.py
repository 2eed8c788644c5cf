"""Frames as codecs keep them, YUV 4:2:0 planes; seen as BGR only where somebody looks.

Whole frames in BGR take twice the memory and cost more than decoding does. What is cut out of a
frame here is the same as what was cut out of the whole frame in BGR, pixel by pixel.
"""

from __future__ import annotations

import mmap
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias, cast, overload

import numpy as np
from numpy.typing import NDArray

from heygemd import pixels
from heygemd.opencv import cv2
from heygemd.records import Frames

Window: TypeAlias = tuple[slice, slice]
"""Rows and columns, without steps."""

# Red's and blue's share of brightness (ITU-T H.273), by the names of ffmpeg's filters.
WEIGHTS = {
    "bt709": (0.2126, 0.0722), "fcc": (0.30, 0.11), "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114), "smpte240m": (0.212, 0.087), "bt2020nc": (0.2627, 0.0593),
}  # fmt: skip
GREY = 128  # of both colour planes, where a pixel has no colour


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """One frame: (H, W, 3) uint8 BGR to whoever cuts a window out of it.

    Attributes:
        packed: (3 H / 2, W) uint8, rows of Y, of U, of V, the edges rounded up to even numbers;
            video range, colours sited as in MPEG-2: in even columns, between two rows.
        width_px: of the picture.
        height_px: likewise.
        matrix: a name in ``WEIGHTS``.
    """

    packed: NDArray[np.uint8]
    width_px: int
    height_px: int
    matrix: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """As of an array of BGR."""
        return self.height_px, self.width_px, 3

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.packed.nbytes

    @property
    def y(self) -> NDArray[np.uint8]:
        """(H, W) brightness, 16 to 235; a view, edges rounded up."""
        return self.packed[: 2 * len(self.packed) // 3]

    @property
    def colours(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(H / 2, W / 2) U and V, 16 to 240; views, likewise."""
        n_rows, width_px = self.packed.shape
        both = self.packed[2 * n_rows // 3 :].reshape(2, n_rows // 3, width_px // 2)
        return both[0], both[1]

    def __getitem__(self, window: Window) -> NDArray[np.uint8]:
        """(h, w, 3) BGR, a copy of what the window shows of the frame."""
        top, bottom = _ends(window[0], self.height_px)
        left, right = _ends(window[1], self.width_px)
        if top >= bottom or left >= right:
            return np.empty((max(0, bottom - top), max(0, right - left), 3), np.uint8)
        where = top, left, bottom - top, right - left
        return pixels.window(self.y, *self.colours, *where, _to_bgr(self.matrix))

    def shrunk(self, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """(height_px, width_px, 3) BGR, the whole frame averaged down."""
        size = (width_px, height_px)
        whole = [self.y[: self.height_px, : self.width_px], *self.colours]
        planes = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in whole]
        return np.asarray(cv2.transform(cv2.merge(planes), _to_bgr(self.matrix)), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Some frames of one clip: (N, H, W, 3) uint8 BGR to whoever cuts windows out of them.

    Attributes:
        packed: (N, 3 H / 2, W) uint8, see ``Still``.
        width_px: of the picture.
        height_px: likewise.
        matrix: a name in ``WEIGHTS``.
    """

    packed: NDArray[np.uint8]
    width_px: int
    height_px: int
    matrix: str

    def __post_init__(self) -> None:
        wanted = packed_shape(len(self.packed), self.width_px, self.height_px)
        if self.packed.shape != wanted:
            raise ValueError(f"planes {self.packed.shape}, want {wanted}")

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """As of an array of BGR."""
        return len(self.packed), self.height_px, self.width_px, 3

    def __len__(self) -> int:
        return len(self.packed)

    def __iter__(self) -> Iterator[Still]:
        return (self[at] for at in range(len(self)))

    @overload
    def __getitem__(self, at: int) -> Still: ...
    @overload
    def __getitem__(self, at: slice) -> Planes: ...
    def __getitem__(self, at: int | slice) -> Still | Planes:
        facts = self.width_px, self.height_px, self.matrix
        if isinstance(at, slice):
            return Planes(self.packed[at], *facts)
        return Still(self.packed[operator.index(at)], *facts)

    def bgr(self) -> Frames:
        """(N, H, W, 3) BGR, all of it."""
        frames = np.empty(self.shape, np.uint8)
        for frame, still in zip(frames, self, strict=True):
            frame[:] = still[:, :]
        return frames


Picture: TypeAlias = NDArray[np.uint8] | Still
"""(H, W, 3) BGR, 0..255, from which rows and columns can be cut."""


@dataclass(frozen=True, slots=True, eq=False)
class Excerpt:
    """What is left of one frame: a part of its planes, seen by the coordinates of the whole.

    Attributes:
        part: a copy of the planes there.
        x_px: of its left edge in the frame, even.
        y_px: of its upper edge, even.
        frame_size: width and height of the frame.
    """

    part: Still
    x_px: int
    y_px: int
    frame_size: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the whole frame."""
        width_px, height_px = self.frame_size
        return height_px, width_px, 3

    def holds(self, window: Window) -> bool:
        """Whether a window shows the same here as in the whole frame, to the bit."""
        corner, size = (self.y_px, self.x_px), self.part.shape
        for ends, first, length, edge in zip(window, corner, size, self.shape, strict=False):
            begin, end = _ends(ends, edge)
            # Colours are spread from one sample beyond the window, which is two pixels.
            at_start = first == 0 or begin >= first + 2
            if not at_start or not (first + length >= edge or end <= first + length - 2):
                return False
        return True

    def __getitem__(self, window: Window) -> NDArray[np.uint8]:
        """(h, w, 3) BGR, a copy of what the window shows of the frame.

        Raises:
            ValueError: this part does not hold it.
        """
        if not self.holds(window):
            raise ValueError(f"{window} lies outside of {self.part.shape}")
        height_px, width_px, _ = self.shape
        top, bottom = _ends(window[0], height_px)
        left, right = _ends(window[1], width_px)
        rows = slice(top - self.y_px, max(top, bottom) - self.y_px)
        return self.part[rows, left - self.x_px : max(left, right) - self.x_px]


def excerpt(frame: Still, points: NDArray[np.floating], pad_px: int) -> Excerpt:
    """The part of a frame that holds some places.

    Args:
        frame: where to cut; at its border the part ends.
        points: (P, 2) px.
        pad_px: added on all sides.
    """
    first, stop = _around(frame, points, pad_px)
    (left, top), (right, bottom) = (first // 2 * 2).tolist(), stop.tolist()
    packed = np.empty(packed_shape(1, right - left, bottom - top)[1:], np.uint8)
    part = Still(packed, right - left, bottom - top, frame.matrix)
    rows, columns = part.colours[0].shape
    part.y[:] = frame.y[top : top + 2 * rows, left : left + 2 * columns]
    for plane, whole in zip(part.colours, frame.colours, strict=True):
        plane[:] = whole[top // 2 : top // 2 + rows, left // 2 : left // 2 + columns]
    return Excerpt(part, left, top, (frame.width_px, frame.height_px))


def apart(held: Excerpt) -> Excerpt:
    """The same excerpt in pages of its own, which go back to the kernel with it.

    For what stays a while among much that comes and goes: in the heap it would leave holes, of
    which drawing then touches more and more.
    """
    packed = held.part.packed
    if not packed.size:  # no pages are no map
        return held
    pages = mmap.mmap(-1, packed.nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    moved = np.frombuffer(pages, np.uint8).reshape(packed.shape)
    moved[:] = packed
    return replace(held, part=replace(held.part, packed=moved))


Film: TypeAlias = Frames | Planes
"""(N, H, W, 3), a picture per frame."""


def packed_shape(n_frames: int, width_px: int, height_px: int) -> tuple[int, int, int]:
    """Of an array that holds the planes of so many frames."""
    return n_frames, (height_px + height_px % 2) * 3 // 2, width_px + width_px % 2


def of_bgr(frames: Frames, matrix: str) -> Planes:
    """Planes of (N, H, W, 3) BGR; what makes an edge even repeats the last row or column."""
    n_frames, height_px, width_px = frames.shape[:3]
    packed = np.empty(packed_shape(n_frames, width_px, height_px), np.uint8)
    planes = Planes(packed, width_px, height_px, matrix)
    for frame, still in zip(frames, planes, strict=True):
        odd = ((0, 0), (0, height_px % 2), (0, width_px % 2))
        y, u, v = np.pad(yuv_of(frame, matrix), odd, mode="edge")
        still.y[:] = y
        full = np.pad(np.stack([u, v]), ((0, 0), (0, 0), (1, 0)), mode="edge").astype(np.float32)
        for plane, few in zip(still.colours, gathered(full), strict=True):
            plane[:] = few + 0.5  # the cast truncates
    return planes


def joined(films: Sequence[Film]) -> Film:
    """The same frames, one after another."""
    first = films[0]
    if len(films) == 1:
        return first
    if isinstance(first, Planes):
        packed = np.concatenate([cast("Planes", film).packed for film in films])
        return Planes(packed, first.width_px, first.height_px, first.matrix)
    return np.concatenate(cast("Sequence[Frames]", films))


def shrunk(picture: Picture, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """(height_px, width_px, 3) BGR, the whole picture averaged down."""
    if isinstance(picture, Still):
        return picture.shrunk(width_px, height_px)
    small = cv2.resize(picture, (width_px, height_px), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def cut_around(
    picture: Picture, points: NDArray[np.floating], pad_px: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(h, w, 3) BGR, the part of a picture that holds some places, and (2,) its corner, x y.

    Args:
        picture: where to cut; at its border the part ends, but it is never empty.
        points: (P, 2) px.
        pad_px: added on all sides.
    """
    first, stop = _around(picture, points, pad_px)
    return picture[first[1] : stop[1], first[0] : stop[0]], first


def colours_at(picture: Picture | Excerpt, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w, 3) BGR at (h, w, 2) places, x y; between pixels linear, beyond the border its own."""
    if isinstance(picture, Excerpt):
        return colours_at(picture.part, places - np.array([picture.x_px, picture.y_px], np.float32))
    if isinstance(picture, Still):
        planes = picture.y, *picture.colours
        seen = pixels.places(*planes, places.reshape(-1, 2), _to_bgr(picture.matrix))
        return seen.reshape(*places.shape[:2], 3)
    x, y = cv2.split(places)
    looked_up = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(looked_up, np.float32)


def _around(
    picture: Picture, points: NDArray[np.floating], pad_px: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(2,) and (2,) x y, first and one past the last pixel around places; never nothing."""
    size = np.array(picture.shape[1::-1])
    first = np.clip(np.floor(points.min(axis=0)).astype(np.int64) - pad_px, 0, size - 1)
    stop = np.clip(np.ceil(points.max(axis=0)).astype(np.int64) + pad_px + 1, first + 1, size)
    return first, stop


def yuv_of(pixels: NDArray[np.uint8], matrix: str) -> NDArray[np.uint8]:
    """(3, h, w) Y, U and V of each pixel of (h, w, 3) BGR, video range."""
    return np.array(cv2.split(cv2.transform(pixels, _from_bgr(matrix))), np.uint8)


def gathered(full: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., h / 2, w // 2) means about every second column of pairs of rows, from 4:4:4 to 4:2:0.

    Args:
        full: (..., h, w) of each pixel, h even and w odd: it begins left of the first pair.
    """
    rows = full[..., 0::2, :] + full[..., 1::2, :]
    means = rows[..., 1::2] * np.float32(2)
    means += rows[..., 0:-1:2]
    means += rows[..., 2::2]
    means *= np.float32(1 / 8)
    return means


def _ends(part: slice, length: int) -> tuple[int, int]:
    first, stop, step = part.indices(length)
    if step != 1:
        raise ValueError(f"a window with steps of {step}, want 1")
    return first, stop


@cache
def _to_bgr(matrix: str) -> NDArray[np.float32]:
    """(3, 4) from Y, U, V of video range to B, G, R."""
    red, blue = WEIGHTS[matrix]
    green = 1.0 - red - blue
    y = 255 / 219
    of_u, of_v = 2 * (1 - blue) * 255 / 224, 2 * (1 - red) * 255 / 224
    linear = np.array(
        [[y, of_u, 0.0], [y, -of_u * blue / green, -of_v * red / green], [y, 0.0, of_v]]
    )
    return np.column_stack([linear, -linear @ [16, GREY, GREY]]).astype(np.float32)


@cache
def _from_bgr(matrix: str) -> NDArray[np.float64]:
    """(3, 4) the way back."""
    back = np.linalg.inv(_to_bgr(matrix)[:, :3].astype(np.float64))
    return np.column_stack([back, [16, GREY, GREY]])
