"""Series over frames, cleaned: outliers dropped, short gaps filled, noise smoothed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float32]
"""(T, ...) float32, a row per frame; a row with NaN is a gap."""


def runs(present: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Each unbroken run of True as ``[start, stop)``."""
    edges = np.flatnonzero(np.diff(present.astype(np.int8), prepend=0, append=0))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def whole(rows: Series) -> NDArray[np.bool_]:
    """(T,) True where a row has no NaN."""
    return np.asarray(
        np.isfinite(rows).reshape(len(rows), int(np.prod(rows.shape[1:]))).all(axis=1),
        dtype=np.bool_,
    )


def fill_gaps(rows: Series, max_frames: int) -> Series:
    """Gaps of up to ``max_frames`` between two rows, filled by straight lines; others are kept."""
    filled = rows.copy()
    present = whole(rows)
    for start, stop in runs(~present):
        if start == 0 or stop == len(rows) or stop - start > max_frames:
            continue
        before, after = rows[start - 1], rows[stop]
        steps = np.arange(1, stop - start + 1, dtype=np.float32) / (stop - start + 1)
        share = steps.reshape(-1, *[1] * (rows.ndim - 1))
        filled[start:stop] = before + share * (after - before)
    return filled


def smooth(rows: Series, window: int, order: int) -> Series:
    """Savitzky-Golay: each row read off a polynomial through its centred window, never over a gap.

    Near the ends of a run the outermost whole window is read off-centre; runs shorter than the
    window stay as they are.

    Args:
        rows: a row per frame.
        window: odd number of frames.
        order: of the polynomial, less than ``window``.
    """
    fit = _fit_matrix(window, order)
    half = window // 2
    smoothed = rows.copy()
    present = whole(rows)
    for start, stop in runs(present):
        if stop - start < window:
            continue
        run = rows[start:stop]
        centre = np.zeros_like(run[: stop - start - window + 1])
        for offset, weight in enumerate(fit[half]):
            centre += weight * run[offset : offset + len(centre)]
        smoothed[start + half : stop - half] = centre
        smoothed[start : start + half] = np.tensordot(fit[:half], run[:window], axes=1)
        smoothed[stop - half : stop] = np.tensordot(fit[half + 1 :], run[-window:], axes=1)
    return smoothed


def steady(
    points: Series, window: int, order: int, noise: tuple[float, float], size_px: Series
) -> Series:
    """Points without the detector's noise, smoothed as by ``smooth``; what moves stays as it is.

    Lips that close from one frame to the next are smoothed into a gap that nobody sees.

    Args:
        points: (T, P, 2 or more) px, rows of NaN are gaps.
        window: see ``smooth``.
        order: see ``smooth``.
        noise: of the size; what smoothing moves by less than the first is noise, what it would move
            by more than the second is motion.
        size_px: (T,) of what the points lie on, above 0.
    """
    moved = smooth(points, window, order) - points
    low, high = noise
    far = np.hypot(moved[..., 0], moved[..., 1]) / size_px[:, None]
    share = ((high - far) / (high - low)).clip(0.0, 1.0)
    share *= share * (3.0 - 2.0 * share)
    moved *= share[..., None]
    return np.asarray(points + moved, np.float32)


def _fit_matrix(window: int, order: int) -> Series:
    """(window, window): row k gives the polynomial's value at k from the window's values."""
    powers = np.vander(np.arange(window) - window // 2, order + 1, increasing=True)
    return np.asarray(powers @ np.linalg.pinv(powers.astype(float)), dtype=np.float32)
