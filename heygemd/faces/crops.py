"""One crop of a picture, turned and scaled as an affine map says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heygemd.opencv import cv2
from heygemd.planes import Film, Picture, cut_around


def cut_all(
    frames: Film, views: NDArray[np.float32], size: tuple[int, int], *, grey: bool
) -> NDArray[np.uint8]:
    """The crop of every frame, see ``cut``; black where there is no view.

    Args:
        frames: where to cut.
        views: (N, 2, 3) of these frames; NaN where there is nothing to cut.
        size: (width, height) of the crops, px.
        grey: as for ``cut``.
    """
    crops = np.zeros((len(frames), *size[::-1], *(() if grey else (3,))), np.uint8)
    for crop, frame, view in zip(crops, frames, views, strict=True):
        if np.isfinite(view).all():
            crop[:] = cut(frame, view, size, grey=grey)
    return crops


def cut(
    picture: Picture, view: NDArray[np.float32], size: tuple[int, int], *, grey: bool
) -> NDArray[np.uint8]:
    """What lies under a crop, averaged down to about its resolution first; borders are repeated.

    Args:
        picture: where to cut.
        view: (2, 3) affine map from crop pixels to picture pixels.
        size: (width, height) of the crop, px.
        grey: (height, width) brightness instead of (height, width, 3) BGR.
    """
    width_px, height_px = size
    edges = view @ np.array(
        [[0, width_px, 0, width_px], [0, 0, height_px, height_px], [1, 1, 1, 1]], np.float32
    )
    part, first = cut_around(picture, edges.T, 4)
    near = np.asarray(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), np.uint8) if grey else part
    shrink = max(1, int(np.hypot(*view[:, 0])))
    if shrink > 1:
        smaller = (max(1, round(edge / shrink)) for edge in near.shape[1::-1])
        near = np.asarray(cv2.resize(near, tuple(smaller), interpolation=cv2.INTER_AREA), np.uint8)
    scale = np.array(near.shape[1::-1]) / part.shape[1::-1]
    local = view.copy()
    local[:, 2] = (local[:, 2] - first + 0.5) * scale - 0.5
    local[:, :2] *= scale[:, None]
    crop = cv2.warpAffine(
        near,
        local,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop, np.uint8)
