"""The detector that gives Wav2Lip's own boxes: S3FD, with weights that the user names."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from heygemd.errors import ConfigError, GpuLostError, OutOfMemoryError
from heygemd.faces import s3fd_weights
from heygemd.faces.detect import Sighting
from heygemd.nets.s3fd import STRIDES_PX
from heygemd.planes import Film, Picture
from heygemd.records import Boxes

Heads = list[tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Per stride (2, h, w) logits and (4, h, w) offsets of one frame."""

MEAN_RGB = (104.0, 117.0, 123.0)  # the reference subtracts these in this order from RGB
ANCHOR_STRIDES = 4  # an anchor's edge in strides
VARIANCES = (0.1, 0.2)  # scale of centre and size offsets (SSD, ECCV 2016)
CANDIDATE_SCORE = 0.05
FACE_SCORE = 0.5
NMS_OVERLAP = 0.3


class S3fdDetector:
    """See ``FaceDetector``; boxes only, every frame at full size.

    Args:
        path: weights, ``.pth`` or ``.safetensors``.
        device: e.g. ``cpu`` or ``cuda:0``.

    Raises:
        ConfigError: no path.
        ModelError: the file is not S3FD's weights.
    """

    name = "s3fd"
    wants_frames = 4

    def __init__(self, path: Path | None, device: str = "cpu") -> None:
        if path is None:
            raise ConfigError("faces.detector = s3fd wants its weights in faces.model_path")
        self._net = s3fd_weights.load(path).eval().to(device)
        self._device = torch.device(device)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.version = f"1-{digest[:12]}"

    def detect(self, frames: Film) -> list[Sighting]:
        """See ``FaceDetector``."""
        return [self._detect_one(frame) for frame in frames]

    def close(self) -> None:
        """See ``FaceDetector``."""
        self._net.to("cpu")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _detect_one(self, frame: Picture) -> Sighting:
        try:
            with torch.inference_mode():
                picture = torch.from_numpy(prepare(frame[:, :])).to(self._device)
                heads = [
                    (logits[0].float().cpu().numpy(), offsets[0].float().cpu().numpy())
                    for logits, offsets in self._net(picture)
                ]
        except torch.cuda.OutOfMemoryError as error:
            height_px, width_px = frame.shape[:2]
            raise OutOfMemoryError(
                f"S3FD on a frame of {width_px}x{height_px} px does not fit {self._device}; "
                "use faces.detector = mediapipe, or smaller clips"
            ) from error
        except RuntimeError as error:  # CUDA, cuDNN and cuBLAS say it in the same class
            if self._device.type != "cuda":
                raise
            raise GpuLostError(f"S3FD on {self._device}: {error}") from error
        boxes, scores = decode(heads)
        kept = suppress(boxes, scores)
        kept = kept[scores[kept] > FACE_SCORE]
        return Sighting(boxes[kept], scores[kept])


def prepare(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W, 3) uint8 BGR to the network's (1, 3, H, W) float32."""
    rgb = frame[..., ::-1].astype(np.float32) - np.array(MEAN_RGB, dtype=np.float32)
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None])


def decode(heads: Heads) -> tuple[Boxes, NDArray[np.float32]]:
    """Candidates of all heads: (K, 4) boxes in px and their (K,) scores above 0.05."""
    boxes, scores = [], []
    for stride, (logits, offsets) in zip(STRIDES_PX, heads, strict=True):
        shifted = np.exp(logits - logits.max(axis=0))
        face = shifted[1] / shifted.sum(axis=0)
        row, column = np.nonzero(face > CANDIDATE_SCORE)
        anchor = np.float32(ANCHOR_STRIDES * stride)
        # Centres lie half a stride in, not half an anchor.
        middle = np.stack([column, row], axis=1).astype(np.float32) * stride + stride / 2
        offset = offsets[:, row, column].T
        middle += offset[:, :2] * VARIANCES[0] * anchor
        size = anchor * np.exp(offset[:, 2:] * VARIANCES[1])
        low = middle - size / 2
        boxes.append(np.concatenate([low, low + size], axis=1))
        scores.append(face[row, column])
    return (
        np.concatenate(boxes).astype(np.float32),
        np.concatenate(scores).astype(np.float32),
    )


def suppress(boxes: Boxes, scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """Rows kept by non-maximum suppression, best score first; areas count both border pixels."""
    x1, y1, x2, y2 = boxes.T
    area = (x2 - x1 + 1) * (y2 - y1 + 1)
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(left):
        best, left = int(left[0]), left[1:]
        kept.append(best)
        width = np.minimum(x2[best], x2[left]) - np.maximum(x1[best], x1[left]) + 1
        height = np.minimum(y2[best], y2[left]) - np.maximum(y1[best], y1[left]) + 1
        shared = np.clip(width, 0, None) * np.clip(height, 0, None)
        left = left[shared / (area[best] + area[left] - shared) <= NMS_OVERLAP]
    return np.array(kept, dtype=np.int64)
