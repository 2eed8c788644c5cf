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


def _fit_matrix(window: int, order: int) -> Series:
    """(window, window): row k gives the polynomial's value at k from the window's values."""
    powers = np.vander(np.arange(window) - window // 2, order + 1, increasing=True)
    return np.asarray(powers @ np.linalg.pinv(powers.astype(float)), dtype=np.float32)
