"""The Wav2Lip network on its device, in the precision that proves faithful there."""

from __future__ import annotations

import copy

import torch
from torch import nn

from heygemd.errors import GpuLostError
from heygemd.lips.containers import StateDict
from heygemd.lips.device import with_faults_told
from heygemd.log import log
from heygemd.nets.wav2lip import (
    FACE_SIZE_PX,
    FIRST_SHOWN,
    N_COLUMNS,
    N_MELS,
    LowerFace,
    Wav2Lip,
    fuse,
)

TOLERANCE = 2 / 255  # half precision, or another runtime, may move a pixel by this much


class Half(nn.Module):
    """A network in numbers of 16 bits that takes and gives single precision.

    Args:
        full: becomes the half.
        numbers: which of the two kinds.
    """

    def __init__(self, full: nn.Module, numbers: torch.dtype = torch.float16) -> None:
        super().__init__()
        self.half_network = full.to(numbers)
        self._numbers = numbers

    def forward(self, mel: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
        """As the network in single precision."""
        spoken: torch.Tensor = self.half_network(mel.to(self._numbers), faces.to(self._numbers))
        return spoken.float()


def network_on(
    device: torch.device, state: StateDict, *, exact: bool, half: torch.dtype | None = None
) -> nn.Module:
    """A network that is ready to speak.

    Args:
        device: where it runs.
        state: weights by their published names.
        exact: True computes as the published code does, layer by layer in single precision; False
            folds batch norms and paints the lower face alone.
        half: numbers that it takes where they prove faithful, unless it is to be exact.

    Raises:
        GpuLostError: the GPU has no room for the weights, or fails.
    """
    with torch.device("meta"):
        network = Wav2Lip()
    network.load_state_dict(state, strict=True, assign=True)
    network.eval().requires_grad_(requires_grad=False)
    return with_faults_told(
        lambda: _settled(network, device, exact=exact, half=half), "Wav2Lip", GpuLostError
    )


def _settled(
    network: Wav2Lip, device: torch.device, *, exact: bool, half: torch.dtype | None
) -> nn.Module:
    if exact:
        return network.to(device)
    lower = LowerFace(fuse(network)).to(device)
    return lower if half is None else half_if_faithful(lower, Half(copy.deepcopy(lower), half))


def half_if_faithful(full: nn.Module, half: Half) -> nn.Module:
    """The network in half precision if it draws the same pictures, else as it is.

    Args:
        full: in single precision.
        half: made of a copy.
    """
    error = distance(full, half)
    if error <= TOLERANCE:  # False for NaN, which half precision makes of what it cannot hold
        return half
    log.warning("model.half_refused", max_error=error, tolerance=TOLERANCE)
    return full


def speak(network: nn.Module, mel: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """(B, 3, 96, 96) float32 on the CPU.

    Without TF32, whose 10 bits of mantissa are visible next to the published pictures.
    """
    with (
        torch.inference_mode(),
        torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False),
    ):
        spoken: torch.Tensor = network(mel, faces)
        return spoken.cpu()


def distance(full: nn.Module, other: nn.Module) -> float:
    """How far a pixel shown of another network's is from this one's, at most, 0..1 or NaN."""
    mel, faces = trial(6, next(full.parameters()).device)
    away = (speak(other, mel, faces) - speak(full, mel, faces)).abs()
    return away[:, :, FIRST_SHOWN:].max().item()


def trial(n_faces: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Loud, quiet and silent windows for dark, bright and busy faces; the same at every start."""
    source = torch.Generator().manual_seed(96)
    mel = torch.rand(6, 1, N_MELS, N_COLUMNS, generator=source) * 8 - 4
    mel[4:] = -4.0
    faces = torch.rand(6, 6, FACE_SIZE_PX, FACE_SIZE_PX, generator=source)
    faces[1:4] = torch.nn.functional.avg_pool2d(faces[1:4], 9, 1, 4)
    faces[2] *= 0.2
    faces[3] = 1 - 0.2 * faces[3]
    faces[:, :3, FACE_SIZE_PX // 2 :] = 0
    again = torch.arange(n_faces) % 6
    return mel[again].to(device), faces[again].to(device)
