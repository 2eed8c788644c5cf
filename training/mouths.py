"""Mouth crops of recorded clips with the sound beside them, cut once and kept as one npz a clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heygemd.faces.mouths import cut_mouths, mouth_views
from heygemd.lips import mel
from heygemd.lips.warp.voice import level
from training import footage

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from training.landmarks import Recording


@dataclass(frozen=True, slots=True)
class Mouth:
    """One clip as the sync scorer sees and hears it.

    Attributes:
        name: the file's stem.
        crops: (T, 64, 96) uint8 grey; black where no face is.
        times_s: (T,) middles of the frames, on the sound's clock.
        mel: (80, N) float32 log-mel of the levelled sound.
    """

    name: str
    crops: NDArray[np.uint8]
    times_s: NDArray[np.float64]
    mel: NDArray[np.float32]


def mouth(path: Path, recording: Recording, cache: Path) -> Mouth:
    """The mouth of a recorded clip, from the cache where it is there."""
    kept = cache / f"{path.stem}.npy"
    if not kept.is_file():
        views = mouth_views(recording.points)
        frames = footage.read_frames(path, max_frames=len(views))
        crops = [
            cut_mouths(frame[None, :, :, ::-1], view[None])
            for (_, frame), view in zip(frames, views, strict=True)
        ]
        cache.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part.npy")
        np.save(part, np.concatenate(crops))
        part.rename(kept)
    columns = mel.log_mel(level(recording.sound))
    return Mouth(path.stem, np.load(kept), recording.times_s, columns)
