"""Patches laid into frames, in one place for all models: outside a patch nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heygemd.records import Frames, Patch

_STRIP_PX = 32  # rows at a time, so that the float copy stays in the cache


def lay(frames: Frames, patches: Sequence[Patch | None]) -> Frames:
    """New frames with each patch blended into its frame; the input is left as it was.

    A pixel becomes ``frame + alpha * (patch - frame)`` rounded half up, so alpha 0 gives back the
    frame's own value and alpha 1 the patch's, bit for bit.

    Args:
        frames: (N, H, W, 3) uint8 BGR; may be read-only.
        patches: one per frame; None leaves the frame alone. A patch may reach outside the frame.

    Returns:
        (N, H, W, 3) uint8 BGR; ``frames`` itself where no patch changes anything.

    Raises:
        ValueError: as many patches as frames are wanted.
    """
    if len(patches) != len(frames):
        raise ValueError(f"{len(patches)} patches for {len(frames)} frames")
    if all(patch is None for patch in patches):
        return frames
    laid = frames.copy()
    for frame, patch in zip(laid, patches, strict=True):
        if patch is not None:
            _blend(frame, patch)
    return laid


def fade(patches: Sequence[Patch | None], shares: NDArray[np.float32]) -> list[Patch | None]:
    """The same patches, each done in part.

    Args:
        patches: one per frame.
        shares: (N,) 0..1; a patch of share 0 is none, one of share 1 stays as it is.
    """
    return [
        patch
        if patch is None or share >= 1.0
        else replace(patch, alpha=patch.alpha * share)
        if share > 0.0
        else None
        for patch, share in zip(patches, shares, strict=True)
    ]


def _blend(frame: NDArray[np.uint8], patch: Patch) -> None:
    """Blend into (H, W, 3) in place, clipped to the frame."""
    height_px, width_px = frame.shape[:2]
    left, top = max(patch.x_px, 0), max(patch.y_px, 0)
    right = min(patch.x_px + patch.alpha.shape[1], width_px)
    bottom = min(patch.y_px + patch.alpha.shape[0], height_px)
    if left >= right or top >= bottom:
        return
    inside = np.s_[top - patch.y_px : bottom - patch.y_px, left - patch.x_px : right - patch.x_px]
    own, pixels, alpha = frame[top:bottom, left:right], patch.pixels[inside], patch.alpha[inside]
    for start in range(0, bottom - top, _STRIP_PX):
        strip = np.s_[start : start + _STRIP_PX]
        mixed = np.subtract(pixels[strip], own[strip], dtype=np.float32)
        mixed *= alpha[strip][..., None]
        mixed += own[strip]
        mixed += np.float32(0.5)  # the cast below truncates
        own[strip] = mixed.astype(np.uint8)
