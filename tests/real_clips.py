"""Frames of real clips that lie beside the repository on some machines."""

from pathlib import Path

import cv2
import numpy as np
import pytest

FOLDER = Path(__file__).parents[1].parent / "shared" / "media" / "video"


def frames_of(name, n_frames=10**6, *, size=None, every=1):
    """(N, H, W, 3) uint8 BGR: up to ``n_frames`` frames, every ``every``-th, scaled to ``size``."""
    if not (FOLDER / name).is_file():
        pytest.skip(f"no {name} in {FOLDER}")
    film, kept = cv2.VideoCapture(str(FOLDER / name)), []
    try:
        while len(kept) < n_frames:
            there, frame = film.read()
            if not there:
                break
            kept.append(frame if size is None else cv2.resize(frame, size))
            for _ in range(every - 1):
                film.grab()
    finally:
        film.release()
    return np.stack(kept)
