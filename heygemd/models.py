"""The networks, loaded once per process: a face detector and one lip model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from heygemd import heap
from heygemd.errors import ConfigError
from heygemd.faces.detect import FaceDetector
from heygemd.faces.watch import thread_count
from heygemd.lips.base import LipModel
from heygemd.lips.device import choose_device, spare_threads
from heygemd.quality import SyncScorer
from heygemd.records import ModelFacts, Waveform
from heygemd.settings import Faces, Model, Quality, Restore
from heygemd.syncnet import SyncNetScorer

if TYPE_CHECKING:
    from heygemd.lips.restore import Restorer

_HEARING_HZ = 16_000


@dataclass(frozen=True, slots=True)
class Models:
    """What stays loaded.

    Attributes:
        n_workers: threads that may ask the detector at once.
    """

    detector: FaceDetector
    lips: LipModel
    n_workers: int = 1
    restorer: Restorer | None = None
    scorer: SyncScorer | None = None
    syncnet: SyncNetScorer | None = None

    def close(self) -> None:
        """Give back what the detector holds; the lip model goes with the process."""
        self.detector.close()

    @property
    def batches(self) -> dict[str, int]:
        """What each network takes at once, for those that take less when memory is short."""
        sizes = {"lips": self.lips.batch, "restorer": self.restorer.batch if self.restorer else 0}
        return {network: size for network, size in sizes.items() if size}

    @property
    def facts(self) -> ModelFacts:
        """What the logs say of them."""
        lips = self.lips
        restorer = self.restorer
        return ModelFacts(
            lips.name,
            lips.sha256,
            lips.device,
            self.detector.name,
            *(("", "") if restorer is None else (restorer.name, restorer.sha256)),
        )


@heap.settled()
def load(model: Model, faces: Faces, restore: Restore, quality: Quality | None = None) -> Models:
    """Load and warm up.

    Raises:
        ConfigError: model and detector do not fit each other.
        ModelError: weights that cannot be used.
        DependencyError: a library that is missing.
        GpuLostError: the device asked for is not there.
    """
    syncnet_path = None if quality is None else quality.syncnet_path
    large = (model.name == "wav2lip", faces.detector == "s3fd", restore.path, syncnet_path)
    is_light = not any(large)
    if is_light:
        # What large networks make anew at each layer would be fresh pages each time: 30 of the
        # 110 ms that Wav2Lip took a frame. Set before torch and OpenCV were loaded, it had a cold
        # job take 105.6 s instead of 92.5 s.
        heap.part_large()
    lips = _lip_model(model)
    if lips.wants_points and faces.detector == "s3fd":
        raise ConfigError(
            f"model {lips.name} wants face meshes, faces.detector = s3fd gives boxes only; "
            "set faces.detector = mediapipe"
        )
    if restore.path is not None and faces.detector == "s3fd":
        raise ConfigError(
            "restore.path wants face meshes, faces.detector = s3fd gives boxes only; "
            "set faces.detector = mediapipe"
        )
    detector = _detector(faces)
    restorer = None
    if restore.path is not None:
        from heygemd.lips.restore import Restorer  # noqa: PLC0415 - see _lip_model

        restorer = Restorer(restore.path, str(choose_device(model.device)), restore.batch)
    syncnet = None if syncnet_path is None else SyncNetScorer(syncnet_path)
    if is_light and lips.name == "warp":
        spare_threads(1)  # its networks take milliseconds, in which more threads mostly wait
    lips.hear(Waveform(np.zeros(_HEARING_HZ, np.float32), _HEARING_HZ))
    # Our products of matrices are small: its threads took 2 % of a job to wait for them.
    threadpool_limits(1, "blas")
    return Models(detector, lips, thread_count(faces.workers), restorer, SyncScorer(), syncnet)


def _lip_model(model: Model) -> LipModel:
    """Heavy imports stay in the branch that needs them."""
    if model.name == "warp":
        from heygemd.lips.warp.model import Warp  # noqa: PLC0415

        return Warp(device=str(choose_device(model.device)))
    if model.name == "wav2lip":
        from heygemd.lips import modelstore  # noqa: PLC0415
        from heygemd.lips.wav2lip.model import Wav2LipModel  # noqa: PLC0415

        if model.path is None:
            raise ConfigError(
                "model.name = wav2lip, but model.path names no checkpoint; "
                "run heygemd models add PATH and set model.path to what it prints"
            )
        modelstore.require_unchanged(model.path)
        return Wav2LipModel(
            model.path,
            device=model.device,
            batch=model.batch,
            compat=model.compat,
            backend=model.backend,
        )
    from heygemd.lips.passthrough import Passthrough  # noqa: PLC0415

    return Passthrough()


def _detector(faces: Faces) -> FaceDetector:
    if faces.detector == "s3fd":
        from heygemd.faces.s3fd import S3fdDetector  # noqa: PLC0415

        return S3fdDetector(faces.model_path)
    from heygemd.faces.mesh import FaceMesh  # noqa: PLC0415

    return FaceMesh(thread_count(faces.workers), faces.model_path)
