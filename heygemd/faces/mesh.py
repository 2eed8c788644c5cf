"""The default detector: MediaPipe's face mesh, searched for now and then and followed between."""

from __future__ import annotations

import hashlib
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from heygemd.faces import boxes, landmarker
from heygemd.faces.detect import Sighting, areas, overlaps
from heygemd.faces.opencv import cv2
from heygemd.records import N_POINTS, Boxes, Frames, Points

SEARCH_PX = 256  # long side of what is searched; the detector inside sees 128
TILE_SHARES = (1.0, 0.6)  # tile edges in the frame's short side, tried where nothing is found
CROP_PX = 256  # edge of what is looked at when a face is followed; more gives no steadier points
CROP_TIMES = 2.0  # its edge in sizes of the face
SEARCH_EVERY = 8  # frames; whoever comes in between is followed back to where they came in
SAME_FACE = 0.4  # overlap of two boxes that show one face


class FaceMesh:
    """See ``FaceDetector``; 478 points a face. Holds one landmarker per thread that may call.

    Args:
        n_threads: how many calls may run at once; more wait.
        model_path: another ``face_landmarker.task`` than the installed one.

    Raises:
        ConfigError: the model cannot be read.
        DependencyError: mediapipe, its model, or a library of the system is missing.
    """

    name = "mediapipe"
    wants_frames = 2 * SEARCH_EVERY

    def __init__(self, n_threads: int = 1, model_path: Path | None = None) -> None:
        model = landmarker.read_model(model_path)
        self.version = f"1-{hashlib.sha256(model).hexdigest()[:12]}"
        self._idle: queue.LifoQueue[landmarker.Landmarker] = queue.LifoQueue()
        self._landmarkers = [landmarker.Landmarker(model) for _ in range(n_threads)]
        for idle in self._landmarkers:
            self._idle.put(idle)

    def detect(self, frames: Frames) -> list[Sighting]:
        """See ``FaceDetector``."""
        with self._borrow() as mesh:
            seen: list[list[Points]] = [[] for _ in frames]
            for at in _search_at(len(frames)):
                for found in search(mesh, frames[at], seen[at]):
                    seen[at].append(found)
                    _follow(mesh, frames, seen, range(at + 1, len(frames)))
                    _follow(mesh, frames, seen, range(at - 1, -1, -1))
        return [_sighting(faces) for faces in seen]

    def close(self) -> None:
        """See ``FaceDetector``."""
        for mesh in self._landmarkers:
            mesh.close()
        self._landmarkers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _borrow(self) -> Iterator[landmarker.Landmarker]:
        mesh = self._idle.get()
        try:
            yield mesh
        finally:
            self._idle.put(mesh)


def search(
    mesh: landmarker.Landmarker, frame: NDArray[np.uint8], known: list[Points]
) -> list[Points]:
    """Every face in a frame besides the ``known`` ones, (478, 3) px each.

    A face is found in the whole frame, or in tiles where none is; then looked at twice in a crop,
    so that its points are as good and as steady as those of a face that is followed.
    """
    height_px, width_px = frame.shape[:2]
    found = _look(mesh, frame, (0, 0, width_px, height_px), SEARCH_PX)
    for share in TILE_SHARES:  # its short-range detector overlooks what is small in the frame
        if not len(found) and not known:
            windows = tiles(width_px, height_px, share)
            found = np.concatenate([_look(mesh, frame, tile, SEARCH_PX) for tile in windows])
    faces: list[Points] = []
    for rough in found:
        if _known(rough, known + faces):
            continue
        close = trace(mesh, frame, rough)
        face = None if close is None else trace(mesh, frame, close)
        if face is not None and not _known(face, known + faces):
            faces.append(face)
    return faces


def tiles(width_px: int, height_px: int, share: float) -> list[tuple[int, int, int, int]]:
    """Square windows x1 y1 x2 y2 that cover a frame and overlap their neighbours by half or more.

    Args:
        width_px: of the frame.
        height_px: of the frame.
        share: the windows' edge in the frame's short side, in (0, 1].
    """
    edge = max(1, round(share * min(width_px, height_px)))

    def starts(length: int) -> list[int]:
        n_steps = -(-2 * (length - edge) // edge)
        return [round(step * (length - edge) / max(1, n_steps)) for step in range(n_steps + 1)]

    return [(x, y, x + edge, y + edge) for y in starts(height_px) for x in starts(width_px)]


def trace(mesh: landmarker.Landmarker, frame: NDArray[np.uint8], last: Points) -> Points | None:
    """The face that was at ``last``, (478, 3) px, in this frame; None when it has gone."""
    box = bounds(last)
    middle, half = (box[:2] + box[2:]) / 2, CROP_TIMES * float((box[2:] - box[:2]).max()) / 2
    left, top = np.maximum(np.floor(middle - half), 0).astype(int).tolist()
    right, bottom = np.maximum(np.ceil(middle + half), 0).astype(int).tolist()
    near = _look(mesh, frame, (left, top, right, bottom), CROP_PX)
    if not len(near):
        return None
    shared = overlaps(box[None], np.stack([bounds(face) for face in near]))[0]
    best = int(shared.argmax())
    return near[best] if shared[best] > SAME_FACE else None


def bounds(points: Points) -> Boxes:
    """The (4,) box around (478, 3) points."""
    return np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])


def _look(
    mesh: landmarker.Landmarker,
    frame: NDArray[np.uint8],
    window: tuple[int, int, int, int],
    size_px: int,
) -> Points:
    """(K, 478, 3) px of ``frame``: what one window of it shows, seen no larger than ``size_px``."""
    left, top, right, bottom = window
    part: NDArray[np.uint8] = frame[top:bottom, left:right]
    if min(part.shape[:2]) < 1:
        return np.empty((0, N_POINTS, 3), dtype=np.float32)
    height_px, width_px = part.shape[:2]
    shrink = min(1.0, size_px / max(part.shape[:2]))
    if shrink < 1.0:
        size = (max(1, round(width_px * shrink)), max(1, round(height_px * shrink)))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    points = mesh.find(part)
    scale_x, scale_y = width_px / part.shape[1], height_px / part.shape[0]
    points *= np.array([scale_x, scale_y, scale_x], dtype=np.float32)
    points += np.array([left, top, 0], dtype=np.float32)
    return points


def _search_at(n_frames: int) -> list[int]:
    """Every eighth frame and the last, so that whoever comes in is met at both ends."""
    return sorted({*range(0, n_frames, SEARCH_EVERY), n_frames - 1})


def _follow(
    mesh: landmarker.Landmarker, frames: Frames, seen: list[list[Points]], ahead: range
) -> None:
    """Add the face last added to ``seen`` to the frames ``ahead``, until it is lost or known."""
    last = seen[ahead.start - ahead.step][-1]
    for at in ahead:
        face = trace(mesh, frames[at], last)
        if face is None or _known(face, seen[at]):
            return
        seen[at].append(face)
        last = face


def _known(face: Points, faces: list[Points]) -> bool:
    """Whether a face is one of ``faces``."""
    if not faces:
        return False
    others = np.stack([bounds(other) for other in faces])
    return bool(overlaps(bounds(face)[None], others).max() > SAME_FACE)


def _sighting(faces: list[Points]) -> Sighting:
    points = np.array(faces, dtype=np.float32).reshape(-1, N_POINTS, 3)
    fitted = boxes.fit(points)
    order = np.argsort(-areas(fitted), kind="stable")
    scores = np.ones(len(points), dtype=np.float32)  # MediaPipe keeps its own to itself
    return Sighting(fitted[order], scores, points[order])
