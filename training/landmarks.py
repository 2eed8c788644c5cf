"""Face meshes of recorded clips, found once and kept as one npz a clip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

from heygemd.faces import landmarker
from heygemd.records import N_POINTS, Points, Waveform
from training import footage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Recording:
    """One clip as training sees it.

    Attributes:
        name: the file's stem.
        points: (T, 478, 3) float32 px; NaN rows where no face was found.
        times_s: (T,) float64 middles of the frames, on the sound's clock.
        sound: 16 kHz mono from time 0.
    """

    name: str
    points: Points
    times_s: NDArray[np.float64]
    sound: Waveform


def find_points(path: Path, model: bytes, *, max_frames: int) -> tuple[Points, NDArray[np.float64]]:
    """The mesh of the first face and the middle of every frame.

    Returns:
        (T, 478, 3) float32 px with NaN rows where no face is, and (T,) times in s.
    """
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=model),
        running_mode=vision.RunningMode.VIDEO,
    )
    rows: list[NDArray[np.float32]] = []
    times_s: list[float] = []
    mesh = vision.FaceLandmarker.create_from_options(options)
    try:
        for time_s, frame in footage.read_frames(path, max_frames=max_frames):
            height_px, width_px = frame.shape[:2]
            image = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(frame))
            found = mesh.detect_for_video(image, round(time_s * 1000)).face_landmarks
            row = np.full((N_POINTS, 3), np.nan, np.float32)
            if found:
                scale = np.array([width_px, height_px, width_px], np.float32)
                row = np.array([(p.x, p.y, p.z) for p in found[0]], np.float32) * scale
            rows.append(row)
            times_s.append(time_s)
    finally:  # left to the interpreter's end it prints a TypeError
        mesh.close()
    return np.stack(rows), np.array(times_s)


def record(path: Path, cache: Path, model: bytes, *, max_frames: int = 400) -> Recording:
    """The clip's mesh and sound, from the cache where it is there."""
    kept = cache / f"{path.stem}.npz"
    if not kept.is_file():
        points, times_s = find_points(path, model, max_frames=max_frames)
        samples = footage.read_sound(path).samples
        cache.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part.npz")
        np.savez(part, points=points, times_s=times_s, samples=samples)
        part.rename(kept)
    with np.load(kept) as stored:
        return Recording(
            name=path.stem,
            points=stored["points"],
            times_s=stored["times_s"],
            sound=Waveform(stored["samples"], footage.RATE_HZ),
        )


def record_all(paths: Iterable[Path], cache: Path) -> list[Recording]:
    """Every clip's recording, in order; prints its progress."""
    model = landmarker.read_model()
    recordings = []
    for path in paths:
        recordings.append(record(path, cache, model))
        if len(recordings) % 50 == 0:
            print(f"landmarks: {len(recordings)} clips", flush=True)
    return recordings
