"""Faces cut out upright and blended back softly: the lower face alone, in the skin's own colour."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from heygemd.lips.wav2lip.poses import Pose
from heygemd.nets.wav2lip import FACE_SIZE_PX, FIRST_SHOWN
from heygemd.opencv import cv2
from heygemd.planes import Picture, cut_around
from heygemd.records import Patch

Face = NDArray[np.float32]
"""(96, 96, 3) BGR."""

# All in pixels of the crop. The network sees nothing below row 48 and paints it anew.
_TOP_ROWS = (46.0, 58.0)  # from nothing to all, under the eyes and over the upper lip
_SOFT_EDGE = 6.0
_OUTLINE_GROWTH = 1.06  # the mesh ends at the cheek; the blend may end beside it
_CHIN_ROOM = 6.0  # the mouth may open wider than it does in the source
_OUTLINE_BLUR = 3.0

_COLOUR_REACH = 14.0  # how far a difference of colour at the border is carried inwards
_COLOUR_TRUST = 24.0  # differences far above this are another thing than light: teeth, hair
_MAX_COLOUR_SHIFT = 40.0
_LEAST_ALPHA = 1 / 512  # less than this changes no pixel


def crop(frame: Picture, pose: Pose) -> NDArray[np.uint8]:
    """(96, 96, 3) uint8 BGR, the face upright; what lies outside the frame repeats its edge."""
    width_px, height_px = (max(1, round(edge)) for edge in pose.size_px)
    to_crop = pose.to_crop(width_px, height_px)
    corners = np.array([[0, 0], [width_px, 0], [0, height_px], [width_px, height_px]]) - 0.5
    in_frame = (corners - to_crop[:, 2]) @ np.linalg.inv(to_crop[:, :2]).T
    near, corner = cut_around(frame, in_frame, 1)
    to_crop[:, 2] += to_crop[:, :2] @ corner
    upright = cv2.warpAffine(
        near,
        to_crop,
        (width_px, height_px),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    smaller = min(width_px, height_px) > FACE_SIZE_PX
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR  # area: no shimmer from skipped pixels
    face = cv2.resize(upright, (FACE_SIZE_PX, FACE_SIZE_PX), interpolation=way)
    return np.asarray(face, dtype=np.uint8)


def patch(
    spoken: Face, source: NDArray[np.uint8], pose: Pose, width_px: int, height_px: int
) -> Patch | None:
    """What changes in the frame; None where the lower face lies outside it.

    Args:
        spoken: (96, 96, 3) float32 BGR in [0, 1], from the network.
        source: (96, 96, 3) uint8 BGR, the crop that it spoke from.
        pose: where the crop was cut.
        width_px: of the frame.
        height_px: likewise.
    """
    alpha = mask(pose)
    face = match_colour(spoken * np.float32(255), source.astype(np.float32), alpha)
    to_crop = pose.to_crop()
    left, top, right, bottom = _lower_bounds(to_crop, width_px, height_px)
    if left >= right or top >= bottom:
        return None
    to_crop[:, 2] += to_crop[:, :2] @ (left, top)
    size = (right - left, bottom - top)
    backwards = cv2.WARP_INVERSE_MAP
    pixels = cv2.warpAffine(
        np.clip(np.rint(face), 0, 255).astype(np.uint8),
        to_crop,
        size,
        flags=cv2.INTER_CUBIC | backwards,
        borderMode=cv2.BORDER_REPLICATE,
    )
    opacity = np.asarray(cv2.warpAffine(alpha, to_crop, size, flags=cv2.INTER_LINEAR | backwards))
    opacity[opacity < _LEAST_ALPHA] = 0
    return Patch(
        left,
        top,
        np.asarray(pixels, dtype=np.uint8),
        np.clip(opacity, 0, 1).astype(np.float32),
    )


def mask(pose: Pose) -> NDArray[np.float32]:
    """(96, 96) float32 in [0, 1]: the lower face in the crop, 0 on the crop's border."""
    alpha = _jaw()
    if pose.points is None:
        return alpha.copy()
    to_crop = pose.to_crop()
    # Points count from the frame's edge, pixel numbers from the middle of the first pixel.
    points = ((pose.points - 0.5) @ to_crop[:, :2].T + to_crop[:, 2]).astype(np.float32)
    middle = points.mean(0)
    points = middle + (points - middle) * np.float32(_OUTLINE_GROWTH)
    lower = np.clip(points[:, 1] - FACE_SIZE_PX / 2, 0, None) / (FACE_SIZE_PX / 2)
    points[:, 1] += np.minimum(lower, 1) * np.float32(_CHIN_ROOM)
    outline = cv2.convexHull(points.astype(np.float32))
    inside = np.zeros_like(alpha)
    # Corners in sixteenths of a pixel: whole ones would flicker.
    cv2.fillConvexPoly(inside, np.rint(outline * 16).astype(np.int32), 1.0, shift=4)
    inside = np.asarray(cv2.GaussianBlur(inside, (0, 0), _OUTLINE_BLUR), dtype=np.float32)
    return alpha * inside


def match_colour(face: Face, source: Face, alpha: NDArray[np.float32]) -> Face:
    """The face with its colour shifted towards the source's, as their common border asks.

    Args:
        face: (96, 96, 3) float32 BGR, 0..255.
        source: likewise.
        alpha: (96, 96) where the face will cover the source.

    Returns:
        (96, 96, 3) float32; may leave 0..255 by a little.
    """
    difference = source - face
    border = 4 * alpha * (1 - alpha)
    unlike = np.abs(difference).mean(axis=2) / _COLOUR_TRUST
    weight = (border * np.exp(-(unlike**2)))[..., None]
    # A quarter of the size: so wide a blur hides it, and takes a tenth of the time.
    small = (FACE_SIZE_PX // 4, FACE_SIZE_PX // 4)
    weighted = np.concatenate((difference * weight, weight), axis=2).astype(np.float32)
    carried = cv2.resize(weighted, small, interpolation=cv2.INTER_AREA)
    carried = cv2.GaussianBlur(carried, (0, 0), _COLOUR_REACH / 4)
    shift = np.asarray(carried[..., :3] / (carried[..., 3:] + 1e-3))
    shift = np.clip(shift, -_MAX_COLOUR_SHIFT, _MAX_COLOUR_SHIFT)
    return np.asarray(face + cv2.resize(shift, (FACE_SIZE_PX, FACE_SIZE_PX)), dtype=np.float32)


@cache
def _jaw() -> NDArray[np.float32]:
    """(96, 96) the lower face of anybody: cheeks to chin, soft on all sides."""
    rows, columns = np.mgrid[0:FACE_SIZE_PX, 0:FACE_SIZE_PX] + 0.5
    # A rounded box: wide at the cheeks, narrow at the chin.
    across, down = np.abs(columns - 48) / 46, np.clip(rows - 52, 0, None) / 43
    inwards = (1 - (across**2.5 + down**2.5) ** (1 / 2.5)) * 43 / _SOFT_EDGE
    downwards = (rows - _TOP_ROWS[0]) / (_TOP_ROWS[1] - _TOP_ROWS[0])
    alpha = _eased(inwards) * _eased(downwards)
    alpha.setflags(write=False)
    return alpha


def _eased(x: NDArray[np.float64]) -> NDArray[np.float32]:
    """0 below 0, 1 above 1, without a corner between."""
    x = np.clip(x, 0, 1)
    return (x * x * (3 - 2 * x)).astype(np.float32)


def _lower_bounds(to_crop: NDArray[np.float64], width_px: int, height_px: int) -> list[int]:
    """x1 y1 x2 y2 of the frame's pixels that the lower half of the crop can touch."""
    top, edge = FIRST_SHOWN, FACE_SIZE_PX
    corners = np.array([[0, top], [edge, top], [0, edge], [edge, edge]]) - 0.5
    in_frame = np.linalg.solve(to_crop[:, :2], (corners - to_crop[:, 2]).T).T
    low = np.maximum(np.floor(in_frame.min(0)), 0)
    high = np.minimum(np.ceil(in_frame.max(0)) + 1, (width_px, height_px))
    return [int(edge) for edge in (*low, *high)]
