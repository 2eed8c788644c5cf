"""Which recorded clips are used, and their landmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training import landmarks, split

if TYPE_CHECKING:
    from pathlib import Path

    from training.landmarks import Recording

N_CLIPS_OF_S1 = 200  # of 1000; more of one man teaches little


def grid_clips(data: Path, seed: int, n_clips_of_s1: int = N_CLIPS_OF_S1) -> list[Path]:
    """The clips of every speaker, of the one with a thousand a random part.

    Raises:
        FileNotFoundError: no clips in ``data/grid``.
    """
    clips = sorted((data / "grid").glob("*.mkv"))
    if not clips:
        raise FileNotFoundError(f"no grid/*.mkv in {data}")
    of_s1 = [clip for clip in clips if clip.stem.startswith("s1_")]
    chosen = np.random.default_rng(seed).permutation(len(of_s1))[:n_clips_of_s1]
    others = [clip for clip in clips if not clip.stem.startswith("s1_")]
    return others + [of_s1[i] for i in sorted(chosen)]


def trained_on(clips: list[Path], aside: tuple[str, ...] = ()) -> list[Path]:
    """Those that may be trained on, without the speakers kept aside to choose a design by."""
    return [c for c in clips if split.may_train(c.stem) and split.speaker(c.stem) not in aside]


def record_all(clips: list[Path], cache: Path) -> list[Recording]:
    """Their landmarks and sounds, in order."""
    return landmarks.record_all(clips, cache / "landmarks")
