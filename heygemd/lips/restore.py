"""Face restoration after the lips have moved: GFPGAN, CodeFormer or RestoreFormer, by spandrel."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from heygemd.errors import DependencyError, GpuLostError, ModelError
from heygemd.lips.checkpoints import sha256_of
from heygemd.lips.containers import StateDict, read_tensors
from heygemd.lips.device import first_line, in_batches, with_faults_told
from heygemd.log import log
from heygemd.opencv import cv2
from heygemd.planes import Film, Picture, cut_around
from heygemd.records import Patch, Points

FACE_PX = 512  # what all three networks were trained on (FFHQ, CVPR 2019)
KINDS = ("GFPGAN", "CodeFormer", "RestoreFormer")

# Where eyes, nose and corners of the mouth lie in FFHQ's aligned faces, in px of 512 (facexlib).
_TEMPLATE = np.array(
    [[192.98, 239.95], [318.90, 240.19], [256.63, 314.02], [201.26, 371.41], [313.09, 371.15]],
    np.float32,
)
_POINTS = (468, 473, 1, 61, 291)  # of the mesh, in the same order
_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
         152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67,
         109)  # fmt: skip
_TOP_ROWS = (268.0, 308.0)  # nothing above: what the lip model leaves alone stays as it is
_EDGE_PX = 18.0  # the mask's soft edge, in px of 512
_WRAPPERS = ("vqvae.",)  # RestoreFormer's own release


class Restorer:
    """Sharpens the lower face of finished frames.

    Args:
        path: a checkpoint of one of ``KINDS``.
        device: e.g. ``cuda:0``.
        batch: faces at once; stays halved once the GPU's memory was short.

    Attributes:
        name: which of ``KINDS``.
        sha256: of the file.

    Raises:
        DependencyError: spandrel is missing.
        ModelError: the file is none of these networks.
        GpuLostError: the GPU has no room for the weights, or fails.
    """

    def __init__(self, path: Path, device: str = "cpu", batch: int = 4) -> None:
        self.name, network = _load(path)
        self._network = with_faults_told(
            lambda: network.eval().to(device), "the restorer", GpuLostError
        )
        self.sha256 = sha256_of(path)
        self.device = device
        self.batch = batch
        log.info("model.loaded", model=self.name, sha256=self.sha256, device=device, role="restore")

    def restore(
        self, frames: Film, points: Points, shares: NDArray[np.float32]
    ) -> list[Patch | None]:
        """One patch per frame, None where there is no face or nothing shall be done.

        Args:
            frames: the lips moved already.
            points: (N, 478, 3) px, NaN rows without a face.
            shares: (N,) how much of the restored face is laid over each frame, 0..1.

        Raises:
            OutOfMemoryError: not even one face fits.
            GpuLostError: a CUDA fault other than out-of-memory.
        """
        wanted = np.flatnonzero((shares > 0) & np.isfinite(points[:, 0, 0])).tolist()
        patches: list[Patch | None] = [None] * len(frames)
        if not wanted:
            return patches
        poses = [_pose(points[at]) for at in wanted]
        faces = np.stack([_crop(frames[at], pose) for at, pose in zip(wanted, poses, strict=True)])
        restored = in_batches(
            lambda part: self._run(faces[part]), len(wanted), self.batch, on_halved=self._keep
        )
        for at, pose, face in zip(wanted, poses, restored, strict=True):
            alpha = _mask(points[at], pose) * shares[at]
            patches[at] = _uncrop(face, alpha, pose, frames[at])
        return patches

    def _run(self, faces: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """(B, 512, 512, 3) BGR to as many; the networks speak RGB from -1 to 1."""
        planes = faces[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32, order="C") / 127.5 - 1.0
        with torch.inference_mode():
            answer = self._network(torch.from_numpy(planes).to(self.device))
            spoken = answer[0] if isinstance(answer, tuple) else answer
            pixels = ((spoken.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return list(np.ascontiguousarray(pixels.permute(0, 2, 3, 1).cpu().numpy()[..., ::-1]))

    def _keep(self, batch: int) -> None:
        self.batch = batch


def _load(path: Path) -> tuple[str, torch.nn.Module]:
    state = read_tensors(path)
    read, strange = _spandrel()
    for wrapper in _WRAPPERS:
        if all(name.startswith(wrapper) for name in state):
            state = {name.removeprefix(wrapper): tensor for name, tensor in state.items()}
    try:
        model = read(state)
    except strange:
        kind = ""
    except RuntimeError as error:
        raise ModelError(
            f"{path} does not fit its own network: {first_line(error)}; download it again",
            code="checkpoint_damaged",
        ) from error
    else:
        kind = str(model.architecture.id)
    if kind not in KINDS:
        found = f"a network of the kind {kind}" if kind else "no network that spandrel knows"
        raise ModelError(
            f"{path} is {found}, want {', '.join(KINDS)}; CodeFormer needs "
            "pip install spandrel-extra-arches too, whose licence forbids commercial use",
            code="checkpoint_unknown",
        )
    return kind, model.model


def _spandrel() -> tuple[Callable[[StateDict], Any], type[Exception]]:
    """What makes a network of weights, and what it raises for strangers.

    Raises:
        DependencyError: spandrel is missing, or cannot be imported.
    """
    _declare_torchvision()
    try:
        import spandrel  # noqa: PLC0415 - optional, and takes seconds
    except (ImportError, RuntimeError) as error:
        raise DependencyError(
            f"restore.path wants spandrel, which cannot be imported: {error}; "
            "run pip install 'heygemd[restore]', with a torchvision that fits torch"
        ) from error
    registry = spandrel.ArchRegistry()
    registry.add(*spandrel.MAIN_REGISTRY)
    with suppress(ImportError):  # its licence is for its user to accept
        import spandrel_extra_arches  # noqa: PLC0415 - optional

        registry.add(*spandrel_extra_arches.EXTRA_REGISTRY)
    read = spandrel.ModelLoader(registry=registry).load_from_state_dict
    return read, spandrel.UnsupportedModelError


@cache
def _declare_torchvision() -> torch.library.Library | None:
    """Declare the two operators that a torchvision for CUDA cannot bring beside a torch for CPU.

    torchvision registers shapes for them when it is imported, and fails without them; spandrel
    wants none of its operators, only plain functions on tensors.
    """
    try:
        import torchvision  # noqa: F401, PLC0415 - optional; does it import as it is?
    except ImportError:
        return None
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    else:
        return None
    operators = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            signature = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            operators.define(signature)  # type: ignore[no-untyped-call]
    return operators  # whoever calls one of them is told that it has no kernel


def _pose(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """(2, 3), a similarity from the frame to the aligned face of 512 px."""
    found, _ = cv2.estimateAffinePartial2D(
        points[list(_POINTS), :2].astype(np.float32), _TEMPLATE, method=cv2.LMEDS
    )
    return np.asarray(found, np.float64)


def _crop(frame: Picture, pose: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(512, 512, 3), the face upright; what lies outside the frame is its mirror."""
    finer = max(1, round(1.0 / float(np.hypot(pose[0, 0], pose[0, 1]))))
    edge_px = finer * FACE_PX
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * FACE_PX
    in_frame = (corners - pose[:, 2]) @ np.linalg.inv(pose[:, :2]).T
    beyond = max(0.0, float((-in_frame).max()), float((in_frame - frame.shape[1::-1]).max()))
    near, corner = cut_around(frame, in_frame, 4 + int(beyond))  # with all that is mirrored
    pose = pose.copy()
    pose[:, 2] += pose[:, :2] @ corner
    face = cv2.warpAffine(
        near,
        pose * finer,
        (edge_px, edge_px),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )
    if finer > 1:  # else large faces would lose pixels, and shimmer
        face = cv2.resize(face, (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(face, np.uint8)


def _mask(points: NDArray[np.float32], pose: NDArray[np.float64]) -> NDArray[np.float32]:
    """(512, 512) float32 in [0, 1]: the face's own outline, its lower part, soft on all sides."""
    oval = points[list(_OVAL), :2] @ pose[:, :2].T.astype(np.float32) + pose[:, 2]
    inside = np.zeros((FACE_PX, FACE_PX), np.float32)
    cv2.fillPoly(inside, [np.rint(oval * 16).astype(np.int32)], 1.0, shift=4)
    inside = np.asarray(cv2.erode(inside, np.ones((9, 9), np.uint8)), np.float32)
    inside = np.asarray(cv2.GaussianBlur(inside, (0, 0), _EDGE_PX / 2), np.float32)
    rows = (np.arange(FACE_PX, dtype=np.float32) - _TOP_ROWS[0]) / (_TOP_ROWS[1] - _TOP_ROWS[0])
    down = np.clip(rows, 0.0, 1.0)
    alpha = inside * (down * down * (3.0 - 2.0 * down))[:, None]
    # The crop ends here, whatever the outline says.
    alpha[[0, -1]] = alpha[:, [0, -1]] = 0.0
    return np.asarray(np.where(alpha < 1 / 256, 0.0, alpha), np.float32)


def _uncrop(
    face: NDArray[np.uint8],
    alpha: NDArray[np.float32],
    pose: NDArray[np.float64],
    frame: Picture,
) -> Patch | None:
    """The face back where it was cut, no larger than its mask; None where none of it is seen."""
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    if not len(rows):
        return None
    corners = np.array([[x, y] for x in columns[[0, -1]] for y in rows[[0, -1]]], np.float64)
    around = (corners - pose[:, 2]) @ np.linalg.inv(pose[:, :2]).T
    low = np.maximum(np.floor(around.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(around.max(axis=0)) + 1, frame.shape[1::-1]).astype(int)
    if (low >= high).any():
        return None
    there = pose.copy()
    there[:, 2] += pose[:, :2] @ low
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    shrinks = float(np.hypot(pose[0, 0], pose[0, 1]))
    if shrinks > 1.5:
        face = np.asarray(cv2.GaussianBlur(face, (0, 0), 0.4 * shrinks), np.uint8)
    back = cv2.WARP_INVERSE_MAP
    pixels = cv2.warpAffine(
        face, there, size, flags=back | cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    opacity = cv2.warpAffine(alpha, there, size, flags=back | cv2.INTER_LINEAR)
    return Patch(
        int(low[0]),
        int(low[1]),
        np.asarray(pixels, np.uint8),
        np.clip(opacity, 0.0, 1.0).astype(np.float32),
    )
