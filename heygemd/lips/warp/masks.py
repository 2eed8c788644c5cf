"""Masks about the lips, and what is read through them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heygemd.lips.warp.geometry import Floats
from heygemd.opencv import cv2

RING = ((1.08, 1.10), (1.30, 1.55))  # skin between the lips' outline stretched so, and so


def polygon(points: Floats, shape: tuple[int, ...], sigma: float = 0.0) -> Floats:
    """(rows, columns) in [0, 1], 1 inside.

    Args:
        points: (P, 2) x y.
        shape: rows and columns, more are ignored.
        sigma: of a Gaussian over the edge, in cells.
    """
    mask = np.zeros((shape[0], shape[1]), np.float32)
    fixed = np.round(points * 16).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 1.0, shift=4)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma) if sigma > 0.3 else mask, np.float32)


def swell(points: Floats, across: float, down: float) -> Floats:
    """The same outline, stretched about its middle."""
    centre = points.mean(axis=0)
    stretch = np.array([across, down], np.float32)
    return np.asarray((points - centre) * stretch + centre, np.float32)


def ring(outline: Floats, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(rows, columns) the skin around an outline of lips."""
    near, far = (polygon(swell(outline, *size), shape) for size in RING)
    return np.asarray(far - near > 0.5, np.bool_)


def box(mask: Floats) -> tuple[slice, slice]:
    """Rows and columns of the smallest rectangle that holds all of a mask above 0."""
    left, top, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    return slice(top, top + height), slice(left, left + width)


def detail(picture: NDArray[np.uint8], where: NDArray[np.bool_], stride: int = 1) -> float:
    """Grey levels of fine detail in a usual place of a mask; lines are no detail.

    Args:
        picture: (h, w, 3) BGR.
        where: of every stride-th pixel, in both directions.
        stride: see where.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    fine = np.abs(cv2.Laplacian(grey, cv2.CV_16S)[::stride, ::stride][where])
    return float(median(fine)) / (cv2.mean(grey)[0] + 1.0) * 128.0 if len(fine) else 0.0


def median(values: NDArray[np.generic]) -> Floats:
    """(...) of (N, ...) values; ``numpy.median`` takes four times as long for a few hundred."""
    rising = np.sort(values, axis=0).astype(np.float32)
    return np.asarray((rising[(len(values) - 1) // 2] + rising[len(values) // 2]) / np.float32(2))
