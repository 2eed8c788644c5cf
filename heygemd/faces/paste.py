"""Patches laid into frames, in one place for all models: outside a patch nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heygemd import pixels
from heygemd.planes import Planes, Still, yuv_of
from heygemd.records import Patch


def lay(frames: Planes, patches: Sequence[Patch | None]) -> None:
    """Blend each patch into its frame, in place.

    Brightness becomes ``frame + alpha * (patch - frame)``, rounded half up, so alpha 0 leaves the
    frame's own value and alpha 1 gives the patch's, bit for bit. A colour stands for six pixels,
    see ``Still``, and changes by as much of the alpha as lies over them.

    Args:
        frames: they change.
        patches: one per frame; None leaves the frame alone. A patch may reach outside the frame.

    Raises:
        ValueError: as many patches as frames are wanted.
    """
    if len(patches) != len(frames):
        raise ValueError(f"{len(patches)} patches for {len(frames)} frames")
    for frame, patch in zip(frames, patches, strict=True):
        if patch is not None:
            _blend(frame, patch)


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


def _blend(frame: Still, patch: Patch) -> None:
    """Blend into one frame in place, clipped to it."""
    left, top = max(patch.x_px, 0), max(patch.y_px, 0)
    right = min(patch.x_px + patch.alpha.shape[1], frame.width_px)
    bottom = min(patch.y_px + patch.alpha.shape[0], frame.height_px)
    if left >= right or top >= bottom:
        return
    inside = np.s_[top - patch.y_px : bottom - patch.y_px, left - patch.x_px : right - patch.x_px]
    yuv, alpha = yuv_of(patch.pixels[inside], frame.matrix), patch.alpha[inside]
    # What makes an edge even goes with the last row or column of the picture.
    below = frame.height_px % 2 if bottom == frame.height_px else 0
    beside = frame.width_px % 2 if right == frame.width_px else 0
    if below or beside:
        more = ((0, below), (0, beside))
        yuv, alpha = np.pad(yuv, ((0, 0), *more), mode="edge"), np.pad(alpha, more, mode="edge")
    own = frame.y[top : top + len(alpha), left : left + alpha.shape[1]]
    mixed = np.subtract(yuv[0], own, dtype=np.float32)
    mixed *= alpha
    mixed += own
    mixed += np.float32(0.5)  # the cast below truncates
    own[:] = mixed
    pixels.blend(*frame.colours, yuv[1:], np.ascontiguousarray(alpha), left, top)
