"""The default detector: Google's face mesh, searched for now and then and followed between."""

from __future__ import annotations

import hashlib
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np

from heygemd.faces import boxes, landmarker
from heygemd.faces.detect import Sighting, areas, overlaps
from heygemd.faces.mouths import EYES, LIPS
from heygemd.planes import Film, Picture
from heygemd.records import N_POINTS, Boxes, Points

TILE_SHARES = (1.0, 0.6)  # tile edges in the frame's short side, tried where nothing is found
SEARCH_EVERY = 12  # frames; whoever comes in between is followed back to where they came in
# A mouth this calm between every other frame was, in between, within the mesh's own tremble of
# halfway: 0.01 IOD in the median, 0.023 in 99 of 100 (twelve clips). Idle templates are calm in two
# thirds of their frames, talkers in one of twenty.
CALM = 0.015  # IOD
SAME_FACE = 0.4  # overlap of two boxes that show one face


class FaceMesh:
    """See ``FaceDetector``; 478 points a face. Holds one landmarker per thread that may call.

    Args:
        n_threads: how many calls may run at once; more wait.
        model_path: another ``face_landmarker.task`` than the installed one.

    Raises:
        ConfigError: the model cannot be read.
        DependencyError: LiteRT, the model, or a library of the system is missing.
    """

    name = "mediapipe"
    wants_frames = 2 * SEARCH_EVERY

    def __init__(self, n_threads: int = 1, model_path: Path | None = None) -> None:
        model = landmarker.read_model(model_path)
        self.version = f"5-{hashlib.sha256(model).hexdigest()[:12]}"
        self._idle: queue.LifoQueue[landmarker.Landmarker] = queue.LifoQueue()
        self._landmarkers = [landmarker.Landmarker(model) for _ in range(n_threads)]
        for idle in self._landmarkers:
            self._idle.put(idle)

    def detect(self, frames: Film) -> list[Sighting]:
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
        self._landmarkers.clear()
        while not self._idle.empty():
            self._idle.get()

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


def search(mesh: landmarker.Landmarker, frame: Picture, known: list[Points]) -> list[Points]:
    """Every face in a frame besides the ``known`` ones, (478, 3) px each.

    A face is found in the whole frame, or in tiles where none is; then looked at twice more, so
    that its points are as good and as steady as those of a face that is followed.
    """
    height_px, width_px = frame.shape[:2]
    found = _look(mesh, frame, (0, 0, width_px, height_px), known)
    for share in TILE_SHARES:  # its short-range detector overlooks what is small in the frame
        if not len(found) and not known:
            windows = tiles(width_px, height_px, share)
            found = np.concatenate([_look(mesh, frame, tile, known) for tile in windows])
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


def trace(mesh: landmarker.Landmarker, frame: Picture, last: Points) -> Points | None:
    """The face that was at ``last``, (478, 3) px, in this frame; None when it has gone."""
    face = mesh.trace(frame, last)
    if face is None or not _in_frame(face, frame) or not _known(face, [last]):
        return None
    return face


def _in_frame(face: Points, frame: Picture) -> bool:
    """Whether more than half of a face's box lies inside the frame: beyond it there is nothing."""
    box = bounds(face)
    inside = np.clip(box.reshape(2, 2), 0, frame.shape[1::-1]).reshape(4)
    return bool(areas(inside[None])[0] > 0.5 * areas(box[None])[0])


def bounds(points: Points) -> Boxes:
    """The (4,) box around (478, 3) points."""
    return np.asarray(boxes.bounds(points[None])[0])


def _look(
    mesh: landmarker.Landmarker,
    frame: Picture,
    window: tuple[int, int, int, int],
    known: list[Points],
) -> Points:
    """(K, 478, 3) px of ``frame``: the faces in one window of it besides the ``known`` ones."""
    left, top, right, bottom = window
    corner = np.array([left, top, 0], dtype=np.float32)
    taken = [bounds(face - corner) for face in known]
    whole = (right - left, bottom - top) == frame.shape[1::-1]
    return mesh.find(frame if whole else frame[top:bottom, left:right], taken) + corner


def _search_at(n_frames: int) -> list[int]:
    """Every so many frames and the last, so that whoever comes in is met at both ends."""
    return sorted({*range(0, n_frames, SEARCH_EVERY), n_frames - 1})


def _follow(
    mesh: landmarker.Landmarker, frames: Film, seen: list[list[Points]], ahead: range
) -> None:
    """Add the face last added to ``seen`` to the frames ``ahead``, until it is lost or known.

    While the mouth is calm only every other frame is looked at.
    """
    last = seen[ahead.start - ahead.step][-1]
    is_calm, ready = False, None
    for at in ahead:
        face, ready, beyond = ready, None, at + ahead.step
        if face is None and is_calm and beyond in ahead:
            ready = trace(mesh, frames[beyond], last)
            if ready is not None and stir(last, ready) < CALM:
                face = np.asarray((last + ready) / 2, np.float32)
        if face is None:
            face = trace(mesh, frames[at], last)
        if face is None or _known(face, seen[at]):
            return
        is_calm = stir(last, face) < CALM
        seen[at].append(face)
        last = face


def stir(one: Points, other: Points) -> float:
    """How far a point of the lips moves at most from one look to another, the head aside, IOD."""
    lips = []
    for face in (one, other):
        plane = face[:, 0] + 1j * face[:, 1]
        right, left = (plane[list(eye)].mean() for eye in EYES)
        lips.append((plane[list(LIPS)] - (right + left) / 2) / (left - right))
    return float(np.abs(lips[0] - lips[1]).max())


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
    scores = np.ones(len(points), dtype=np.float32)  # the mesh's own only says yes or no
    return Sighting(fitted[order], scores, points[order])
