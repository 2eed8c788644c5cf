"""Faces cut out and pasted back bit for bit as Wav2Lip's inference.py does, hard edges too.

Prajwal et al., ACM Multimedia 2020; defaults of its command line: pads 0 10 0 0, smoothing on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heygemd.nets.wav2lip import FACE_SIZE_PX
from heygemd.opencv import cv2
from heygemd.planes import Picture
from heygemd.records import Boxes, FaceTrack, Patch

IntBoxes = NDArray[np.int64]
"""(T, 4) x1 y1 x2 y2 in whole pixels."""

Box = tuple[int, int, int, int]

_PADS_PX = (0, 10, 0, 0)  # top, bottom, left, right
_SMOOTH_FRAMES = 5


def whole_boxes(boxes: Boxes, width_px: int, height_px: int) -> IntBoxes:
    """Boxes cut to whole pixels, padded below the chin, kept inside the frame.

    Args:
        boxes: (T, 4) float32, without NaN.
        width_px: of the frame.
        height_px: likewise.
    """
    x1, y1, x2, y2 = np.clip(boxes, 0, None).astype(np.int64).T
    top, bottom, left, right = _PADS_PX
    return np.column_stack(
        (
            np.maximum(0, x1 - left),
            np.maximum(0, y1 - top),
            np.minimum(width_px, x2 + right),
            np.minimum(height_px, y2 + bottom),
        )
    )


def smooth(boxes: IntBoxes) -> IntBoxes:
    """The published smoothing: each box is the mean of itself and four that follow.

    With its quirks: means are cut to whole pixels; near the end the window stays on the last five
    rows, some of which are smoothed already; with fewer than five rows the window's start counts
    from the end, as a negative index does.
    """
    smoothed = boxes.copy()
    n_boxes = len(boxes)
    for i in range(n_boxes):
        start = min(i, n_boxes - _SMOOTH_FRAMES)
        smoothed[i] = smoothed[start:][:_SMOOTH_FRAMES].mean(axis=0)
    return smoothed


def place(track: FaceTrack, width_px: int, height_px: int, n_frames: int) -> list[Box | None]:
    """Where the face is cut from each source frame; None where there is none.

    Args:
        track: rows are source frames. The published code stops at a frame without a face; here
            each run of frames with one is smoothed by itself.
        width_px: of the frame.
        height_px: likewise.
        n_frames: how many output frames the published code would make: it drops later source
            frames before it smooths.
    """
    places: list[Box | None] = [None] * len(track.present)
    for first, last in _runs(track.present):
        boxes = whole_boxes(track.boxes[first:last], width_px, height_px)
        smoothed = smooth(boxes)
        if first < n_frames < last:
            smoothed[: n_frames - first] = smooth(boxes[: n_frames - first])
        for i, (x1, y1, x2, y2) in enumerate(smoothed.tolist(), start=first):
            places[i] = (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None
    return places


def crop(frame: Picture, box: Box) -> NDArray[np.uint8]:
    """(96, 96, 3) uint8 BGR."""
    x1, y1, x2, y2 = box
    face = cv2.resize(frame[y1:y2, x1:x2], (FACE_SIZE_PX, FACE_SIZE_PX))
    return np.asarray(face, dtype=np.uint8)


def patch(spoken: NDArray[np.float32], box: Box) -> Patch:
    """The whole box, opaque.

    Args:
        spoken: (96, 96, 3) float32 BGR in [0, 1].
        box: where the face was cut from.
    """
    x1, y1, x2, y2 = box
    pixels = (spoken * np.float32(255)).astype(np.uint8)  # cut off, not rounded
    resized = np.asarray(cv2.resize(pixels, (x2 - x1, y2 - y1)), dtype=np.uint8)
    return Patch(x1, y1, resized, np.ones((y2 - y1, x2 - x1), dtype=np.float32))


def _runs(present: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[first, last) of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], present, [False])).astype(np.int8)))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]
