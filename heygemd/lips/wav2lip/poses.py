"""Where the face stands in each frame: upright, steady, never across a cut."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from heygemd.nets.wav2lip import FACE_SIZE_PX
from heygemd.records import FaceTrack

# Corners of the eyes in MediaPipe's face mesh; irises would turn the head with the gaze.
_EYE_LEFT_IN_PICTURE = [33, 133]
_EYE_RIGHT_IN_PICTURE = [362, 263]

# Below the box, as a share of its height: the published 10 px under a face of 125 px, so that a
# mouth that opens wide keeps its chin inside.
_CHIN_PAD = 0.08

# Half widths of the smoothing. A place may follow the head; a size that moves is seen as breathing.
_PLACE_RADIUS_S = 0.12
_SIZE_RADIUS_S = 0.5

Matrix = NDArray[np.float64]
"""(2, 3) maps (x, y, 1) to (x, y), both as pixel numbers: 0 is the middle of the first pixel."""


@dataclass(frozen=True, slots=True)
class Pose:
    """An upright box around one face in one frame.

    Attributes:
        centre_px: x, y; 0 is the left or top edge of the frame.
        size_px: width, height.
        angle_rad: how far the line of the eyes falls to the right.
        points: (478, 2) float32 px of the face mesh, from the same edges; None if not measured.
    """

    centre_px: tuple[float, float]
    size_px: tuple[float, float]
    angle_rad: float
    points: NDArray[np.float32] | None = None

    def to_crop(self, width_px: int = FACE_SIZE_PX, height_px: int = FACE_SIZE_PX) -> Matrix:
        """From the frame's pixels to those of an upright crop of this size."""
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        turn = np.array([[cos, sin], [-sin, cos]])
        size = np.array([width_px, height_px])
        linear = turn * (size / self.size_px)[:, None]
        # Half a pixel each way: areas meet at edges, pixel numbers at middles.
        shift = size / 2 - 0.5 - linear @ (np.array(self.centre_px) - 0.5)
        return np.column_stack((linear, shift))


def place(track: FaceTrack, fps: Fraction) -> list[Pose | None]:
    """The pose of the face in each source frame; None where there is none.

    Args:
        track: rows are source frames.
        fps: of the source.
    """
    measured = np.full((len(track.present), 5), np.nan)
    for i in np.flatnonzero(track.present).tolist():
        measured[i] = _measure(track, i)
    poses: list[Pose | None] = [None] * len(measured)
    for first, last in _shots(track):
        x, y, log_width, log_height, angle = measured[first:last].T
        radius = round(_PLACE_RADIUS_S * float(fps))
        size_radius = round(_SIZE_RADIUS_S * float(fps))
        rows = zip(
            steady(x, radius),
            steady(y, radius),
            np.exp(steady(log_width, size_radius)),
            np.exp(steady(log_height, size_radius)),
            steady(np.unwrap(angle), radius),
            strict=True,
        )
        for i, (x_px, y_px, width_px, height_px, angle_rad) in enumerate(rows, start=first):
            poses[i] = Pose((x_px, y_px), (width_px, height_px), angle_rad, _points(track, i))
    return poses


def steady(values: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """A centred mean under a Hann window; a straight line stays as it is, up to the ends.

    Args:
        values: (N,) without NaN.
        radius: frames on each side, fewer where N is small.
    """
    radius = min(radius, len(values) - 1)
    if radius < 1:
        return values.copy()
    window = np.hanning(2 * radius + 3)[1:-1]
    padded = np.pad(values, radius, mode="reflect", reflect_type="odd")
    return np.convolve(padded, window / window.sum(), mode="valid")


def _points(track: FaceTrack, i: int) -> NDArray[np.float32] | None:
    if track.points is None or not np.isfinite(track.points[i]).all():
        return None
    return track.points[i, :, :2]


def _measure(track: FaceTrack, i: int) -> tuple[float, float, float, float, float]:
    """x, y, log width, log height and angle of the face in one frame."""
    low, high = track.boxes[i, :2].astype(np.float64), track.boxes[i, 2:].astype(np.float64)
    angle = 0.0
    points = _points(track, i)
    if points is not None:
        right, left = points[_EYE_RIGHT_IN_PICTURE].mean(0), points[_EYE_LEFT_IN_PICTURE].mean(0)
        angle = float(np.arctan2(*(right - left)[::-1]))
        low, high = _turned_box(low, high, points.astype(np.float64), angle)
    width, height = np.maximum(high - low, 1.0)
    height *= 1 + _CHIN_PAD
    upright = np.array([low[0] + width / 2, low[1] + height / 2])
    x, y = _turn(upright, angle)
    return float(x), float(y), float(np.log(width)), float(np.log(height)), angle


def _turned_box(
    low: NDArray[np.float64], high: NDArray[np.float64], points: NDArray[np.float64], angle: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The box that stands to the upright mesh as the given one stands to the mesh in the picture.

    A box along the picture's edges grows as the head leans; the mesh tells by how much.
    """
    mesh_low, mesh_high = points.min(0), points.max(0)
    extent = np.maximum(mesh_high - mesh_low, 1.0)
    before, after = (mesh_low - low) / extent, (high - mesh_high) / extent
    turned = _turn(points, -angle)
    turned_low, turned_high = turned.min(0), turned.max(0)
    turned_extent = np.maximum(turned_high - turned_low, 1.0)
    return turned_low - before * turned_extent, turned_high + after * turned_extent


def _turn(points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Points (..., 2) turned about the frame's corner, clockwise to the eye."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array([[cos, sin], [-sin, cos]]))


def _shots(track: FaceTrack) -> list[tuple[int, int]]:
    """[first, last) of each stretch of frames with a face and without a cut."""
    present = track.present
    cuts = set(track.cuts)
    shots: list[tuple[int, int]] = []
    for i in np.flatnonzero(present).tolist():
        if shots and shots[-1][1] == i and i not in cuts:
            shots[-1] = (shots[-1][0], i + 1)
        else:
            shots.append((i, i + 1))
    return shots
