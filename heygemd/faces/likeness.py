"""How alike two faces look, without a network: the colours at the same places of two meshes.

It tells the people of one clip apart, by a picture taken under other light. It is no face
recognition: years, a beard, glasses put on, or a head turned far away make the same person unlike.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from heygemd.opencv import cv2
from heygemd.planes import Picture

Look: TypeAlias = NDArray[np.float32]
"""(402,) of length 1: colours of a face, their exposure, white balance and shading taken out."""

# Every second point of the mesh above the nose's base, without the eyes, which blink.
LOOK_POINTS = (
    1, 4, 6, 9, 19, 21, 23, 25, 27, 29, 31, 35, 44, 46, 48, 50, 52, 54, 56, 60, 64, 66, 68, 70,
    75, 93, 97, 99, 101, 103, 105, 108, 110, 112, 114, 116, 118, 120, 122, 124, 126, 128, 130,
    134, 139, 142, 147, 156, 166, 174, 189, 193, 196, 198, 205, 217, 219, 221, 223, 225, 227,
    229, 231, 233, 235, 237, 239, 241, 243, 245, 248, 251, 253, 255, 257, 259, 261, 265, 274,
    276, 278, 280, 282, 284, 286, 290, 294, 296, 298, 300, 305, 323, 327, 329, 331, 333, 336,
    338, 340, 342, 344, 346, 348, 350, 352, 354, 356, 358, 360, 366, 370, 372, 383, 392, 412,
    414, 419, 423, 429, 438, 440, 442, 444, 446, 448, 450, 452, 454, 456, 458, 460, 462, 464,
    467,
)  # fmt: skip
EYES = (468, 473)  # the irises
SCALE_PX = 40.0  # between the eyes; finer detail than this is noise in most clips
BLUR = 0.06  # of the same distance
# Of pairs among 185 looks at 31 people of 30 clips, 99 % of one person's lie above 0.64 and 70 % of
# two people's below 0.51. Pictures taken on other days lie lower.
ALIKE = 0.5


def look_at(frame: Picture, points: NDArray[np.float32]) -> Look:
    """What a face looks like.

    Args:
        frame: what it is seen in.
        points: (478, 3) px in it.
    """
    right, left = points[list(EYES)]
    iod_px = max(1.0, float(np.linalg.norm(left - right)))
    places = points[list(LOOK_POINTS), :2]
    corner = np.maximum(np.floor(places.min(axis=0) - iod_px / 2), 0).astype(int)
    end = np.ceil(places.max(axis=0) + iod_px / 2).astype(int)
    part = frame[corner[1] : max(end[1], corner[1] + 1), corner[0] : max(end[0], corner[0] + 1)]
    if not part.size:  # the mesh reaches where no picture is
        return np.zeros(3 * len(LOOK_POINTS), np.float32)
    scale = min(1.0, SCALE_PX / iod_px)
    size = tuple(max(1, round(edge * scale)) for edge in part.shape[1::-1])
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), BLUR * iod_px * scale)
    at = ((places - corner) * np.array(size) / part.shape[1::-1]).astype(np.float32)
    seen = cv2.remap(small, at[:, :1], at[:, 1:], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return _evened(np.log(seen[:, 0].astype(np.float32) + 8.0), at)


def likeness(one: Look, other: Look) -> float:
    """From -1 to 1; the same person lies above 0.7 mostly, others below 0.7."""
    return float(one @ other)


def _evened(colours: NDArray[np.float32], places: NDArray[np.float32]) -> Look:
    """(P, 3) logarithms of colour without what a light from one side adds, of length 1."""
    plane = np.c_[np.ones(len(places)), places - places.mean(axis=0)]
    shading, _ = np.linalg.qr(plane)
    flat = colours - shading @ (shading.T @ colours)
    length = float(np.linalg.norm(flat))
    return np.asarray((flat / max(length, 1e-6)).ravel(), np.float32)
