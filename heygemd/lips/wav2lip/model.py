"""Wav2Lip as a lip model: any face, any voice, with a checkpoint of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from heygemd.errors import AudioError, ConfigError
from heygemd.host import usable_cores
from heygemd.lips import checkpoints
from heygemd.lips.base import ClipReader
from heygemd.lips.device import choose_device, half_of, in_batches, spare_threads
from heygemd.lips.mel import log_mel
from heygemd.lips.wav2lip import blend, network, onnx, poses, published, windows
from heygemd.lips.wav2lip.onnx import Backend
from heygemd.lips.wav2lip.poses import Pose
from heygemd.lips.wav2lip.published import Box
from heygemd.log import log
from heygemd.nets.wav2lip import FACE_SIZE_PX
from heygemd.planes import Film, Picture
from heygemd.records import FaceTrack, Patch, Waveform

Compat = Literal["none", "wav2lip"]


@dataclass(frozen=True, slots=True)
class Wav2LipVoice:
    """What Wav2Lip wants of a sound.

    Attributes:
        mel: (80, T) float32.
        offset_ms: how much later the lips come than the sound.
    """

    mel: NDArray[np.float32]
    offset_ms: float


@dataclass(frozen=True, slots=True)
class Wav2LipPlan:
    """What Wav2Lip knows of a clip.

    Attributes:
        mel: (80, T) float32.
        starts: (n_out,) first mel column of each output frame.
        source: (n_out,) source frame behind each output frame.
        places: where the face is in each source frame; None where there is none.
    """

    mel: NDArray[np.float32]
    starts: windows.Starts
    source: NDArray[np.int64]
    places: list[Box | None] | list[Pose | None]


class Wav2LipModel:
    """See ``LipModel``.

    Args:
        path: a checkpoint of Wav2Lip, of any kind that ``checkpoints.read`` takes.
        device: as ``choose_device`` takes it.
        batch: frames at once; stays halved once the GPU's memory was short.
        compat: ``wav2lip`` gives the published pipeline's pictures bit for bit, by torch alone.
        backend: what runs the network; see ``onnx.choose``.

    Attributes:
        network: what turns (B, 1, 80, 16) mel and (B, 6, 96, 96) faces into (B, 3, 96, 96) faces.

    Raises:
        ModelError: not a checkpoint of Wav2Lip.
        ConfigError: a device that cannot be meant.
        GpuLostError: a GPU asked for that is missing or fails.
    """

    name = "wav2lip"
    wants_points = False

    def __init__(
        self,
        path: Path,
        *,
        device: str = "auto",
        batch: int = 16,
        compat: Compat = "none",
        backend: Backend = "auto",
    ) -> None:
        if compat == "wav2lip":
            backend = _exact_backend(backend)
        where = choose_device(device)
        n_threads = spare_threads(usable_cores())
        checkpoint, state = checkpoints.read(path)
        self.sha256 = checkpoint.sha256
        self.device = str(where)
        self.batch = batch
        self.compat = compat
        full = network.network_on(where, state, exact=compat == "wav2lip", half=half_of(where))
        self.backend, self.network = onnx.choose(
            full, path, backend, onnx.Place(where, n_threads, batch)
        )
        log.info(
            "model.loaded",
            model=self.name,
            known_as=checkpoint.known_as,
            sha256=self.sha256,
            device=self.device,
            backend=self.backend,
            half=isinstance(self.network, network.Half),
            compat=compat,
            n_threads=n_threads,
        )

    def hear(self, sound: Waveform, *, sync_offset_ms: float = 0.0) -> Wav2LipVoice:
        """The sound's mel.

        Args:
            sound: 16 kHz mono.
            sync_offset_ms: moves the lips against the sound; positive is later.

        Raises:
            AudioError: samples that are not numbers.
        """
        if not np.isfinite(sound.samples).all():
            raise AudioError(
                "the sound holds samples that are not numbers; convert it to a 16-bit wav"
            )
        return Wav2LipVoice(log_mel(sound), sync_offset_ms)

    def collector(self) -> None:
        """None: see ``LipModel.collector``."""

    def study(self, clip: ClipReader, track: FaceTrack, voice: Wav2LipVoice) -> Wav2LipPlan:
        """A window of mel for each output frame, a place of the face for each source frame."""
        timeline, info = clip.timeline, clip.info
        n_columns = voice.mel.shape[1]
        places: list[Box | None] | list[Pose | None]
        if self.compat == "wav2lip":
            starts = windows.compatible_starts(
                timeline.n_frames, n_columns, timeline.fps, offset_ms=voice.offset_ms
            )
            n_published = len(windows.published_starts(n_columns, float(timeline.fps)))
            places = published.place(track, info.width_px, info.height_px, n_published)
        else:
            starts = windows.exact_starts(
                timeline.n_frames, timeline.fps, offset_ms=voice.offset_ms
            )
            places = poses.place(track, info.fps)
        return Wav2LipPlan(voice.mel, starts, timeline.source, places)

    def speak(self, frames: Film, plan: Wav2LipPlan, span: range) -> list[Patch | None]:
        """The patch of each frame; None where it shows no face.

        Raises:
            ValueError: not as many frames as the span has.
            OutOfMemoryError: even one frame does not fit the GPU.
            GpuLostError: a CUDA fault other than out-of-memory.
        """
        if len(frames) != len(span):
            raise ValueError(f"{len(frames)} frames, want {len(span)} for {span}")
        seen = [
            (k, place)
            for k, i in enumerate(span)
            if (place := plan.places[plan.source[i]]) is not None
        ]
        patches: list[Patch | None] = [None] * len(frames)
        if not seen:
            return patches
        crops = np.stack([_crop(frames[k], place) for k, place in seen])
        mels = windows.cut_windows(plan.mel, plan.starts[[span[k] for k, _ in seen]])
        spoken = in_batches(
            lambda part: self._speak(crops[part], mels[part]),
            len(seen),
            self.batch,
            on_halved=self._keep_batch,
        )
        for (k, place), source, face in zip(seen, crops, spoken, strict=True):
            patches[k] = _patch(face, source, place, frames[k])
        return patches

    def _speak(
        self, crops: NDArray[np.uint8], mels: NDArray[np.float32]
    ) -> list[NDArray[np.float32]]:
        """One batch on the device: (96, 96, 3) float32 BGR in [0, 1] for each crop."""
        device = torch.device(self.device)
        mel = torch.from_numpy(mels).to(device)
        faces = torch.from_numpy(network_input(crops)).to(device)
        spoken = network.speak(self.network, mel, faces)
        return list(spoken.permute(0, 2, 3, 1).contiguous().numpy())

    def _keep_batch(self, batch: int) -> None:
        self.batch = batch


def _exact_backend(backend: Backend) -> Backend:
    if backend not in {"auto", "torch"}:
        raise ConfigError(
            f"model.compat = wav2lip is exact with torch alone, not with model.backend = {backend}"
        )
    return "torch"


def network_input(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(B, 6, 96, 96) float32 in [0, 1]: the lower half hidden, then the whole face.

    Args:
        crops: (B, 96, 96, 3) uint8 BGR.
    """
    hidden = crops.copy()
    hidden[:, FACE_SIZE_PX // 2 :] = 0
    faces = np.concatenate((hidden, crops), axis=3) / 255.0  # float64 before float32, as published
    # Channels last in memory, likewise: other layouts round otherwise.
    return faces.astype(np.float32).transpose(0, 3, 1, 2)


def _crop(frame: Picture, place: Box | Pose) -> NDArray[np.uint8]:
    return blend.crop(frame, place) if isinstance(place, Pose) else published.crop(frame, place)


def _patch(
    face: NDArray[np.float32],
    source: NDArray[np.uint8],
    place: Box | Pose,
    frame: Picture,
) -> Patch | None:
    if not isinstance(place, Pose):
        return published.patch(face, place)
    height_px, width_px = frame.shape[:2]
    return blend.patch(face, source, place, width_px, height_px)
