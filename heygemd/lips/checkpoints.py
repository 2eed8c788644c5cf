"""The checkpoint doctor: Wav2Lip's weights out of a file, or what the file is instead."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from heygemd.errors import ModelError
from heygemd.lips.containers import Container, StateDict, container_of, read_tensors
from heygemd.nets.wav2lip import Wav2Lip

Network = Literal[
    "wav2lip", "wav2lip-256", "wav2lip-288/384", "syncnet", "discriminator", "s3fd", "gfpgan"
]


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file that many mirrors carry unchanged."""

    name: str
    network: Network


# By sha256 of the public files, as their mirrors list them.
KNOWN_FILES: dict[str, KnownFile] = {
    "b78b681b68ad9fe6c6fb1debc6ff43ad05834a8af8a62ffc4167b7b34ef63c37": KnownFile(
        "wav2lip", "wav2lip"
    ),
    "ca9ab7b7b812c0e80a6e70a5977c545a1e8a365a6c49d5e533023c034d7ac3d8": KnownFile(
        "wav2lip_gan", "wav2lip"
    ),
    "9b9936c721696446eeed353032cab242a8cf0eed8c46cde540366f6ae5493be5": KnownFile(
        "lipsync_expert", "syncnet"
    ),
    "b3f8f6f7e954af02f2ffe0f3ea11f3259af89bff6e70933001c7c6bc8c145d96": KnownFile(
        "visual_quality_disc", "discriminator"
    ),
    "619a31681264d3f7f7fc7a16a42cbbe8b23f31a256f75a366e5a1bcd59b33543": KnownFile("s3fd", "s3fd"),
    "e2cd4703ab14f4d01fd1383a8a8b266f9a5833dacee8e6a79d3bf21a1b6be5ad": KnownFile(
        "GFPGANv1.4", "gfpgan"
    ),
}

# A file of 167 kB that two mirrors offer as wav2lip.pth.
TRAPS = frozenset({"b6c6630ca96681c289e43d2ed15e18e5bca968abdea8abb0bf6617c085a9fc52"})

# Each doubling of the face adds a block to its encoder; 288 and 384 px take nine alike.
_LARGER: dict[int, Network] = {8: "wav2lip-256", 9: "wav2lip-288/384"}

_BY_PREFIX: dict[str, Network] = {
    "binary_pred.": "discriminator",
    "face_encoder.": "syncnet",
    "conv3_3_norm": "s3fd",
    "stylegan_decoder": "gfpgan",
}

# What the networks are that people give by mistake, and what to do instead.
_MISTAKES: dict[Network, tuple[str, str]] = {
    "wav2lip-256": (
        "a Wav2Lip network for faces of 256 px",
        "heygemd runs the published one for 96 px: give wav2lip.pth or wav2lip_gan.pth",
    ),
    "wav2lip-288/384": (
        "a Wav2Lip network for faces of 288 or 384 px",
        "heygemd runs the published one for 96 px: give wav2lip.pth or wav2lip_gan.pth",
    ),
    "syncnet": (
        "the SyncNet expert that judged Wav2Lip in training",
        "the one that speaks is wav2lip.pth or wav2lip_gan.pth",
    ),
    "discriminator": (
        "the visual-quality discriminator of Wav2Lip's training",
        "the one that speaks is wav2lip.pth or wav2lip_gan.pth",
    ),
    "s3fd": ("the S3FD face detector", "its place is faces.model_path, not model.path"),
    "gfpgan": ("a GFPGAN face restorer", "it moves no lips; give wav2lip.pth or wav2lip_gan.pth"),
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a file of Wav2Lip weights is.

    Attributes:
        sha256: hex digest of the file.
        n_bytes: its length.
        container: how the weights are wrapped.
        known_as: the name that the world gives this very file; empty where nobody knows it.
    """

    path: Path
    sha256: str
    n_bytes: int
    container: Container
    known_as: str


def sha256_of(path: Path) -> str:
    """Hex digest of a file.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"cannot read {path}: {error.strerror}; give the path of a checkpoint file",
            code="checkpoint_missing",
        ) from error


def inspect(path: Path) -> Checkpoint:
    """What a checkpoint is, once its weights have proved to fit Wav2Lip.

    Raises:
        ModelError: it is something else, says what, and what to do next.
    """
    return read(path)[0]


def load_state(path: Path) -> StateDict:
    """Wav2Lip's weights out of any file that holds them.

    Returns:
        The 352 entries by their published names, float32 on the CPU.

    Raises:
        ModelError: it is something else, says what, and what to do next.
    """
    return read(path)[1]


def read(path: Path) -> tuple[Checkpoint, StateDict]:
    """``inspect`` and ``load_state`` at the cost of one.

    Raises:
        ModelError: see ``inspect``.
    """
    sha256 = sha256_of(path)
    _refuse_traps(path, sha256)
    container = container_of(path)
    known = KNOWN_FILES.get(sha256)
    if known is not None and known.network in _MISTAKES:
        raise _mistake(path, known.network)
    tensors = read_tensors(path)
    network = network_of(tensors)
    if network is None:
        names = ", ".join(sorted(tensors)[:4])
        raise ModelError(
            f"{path} holds a network that heygemd does not know ({len(tensors)} tensors: "
            f"{names}, ...); want wav2lip.pth or wav2lip_gan.pth",
            code="checkpoint_unknown",
        )
    if network in _MISTAKES:
        raise _mistake(path, network)
    state = _fitted(tensors, path)
    known_as = known.name if known is not None else ""
    return Checkpoint(path, sha256, path.stat().st_size, container, known_as), state


def network_of(tensors: StateDict) -> Network | None:
    """Which network these weights belong to, by the names of their layers; None if unknown."""
    if any(name.startswith("face_decoder_blocks.") for name in tensors):
        found = (re.match(r"face_encoder_blocks\.(\d+)\.", name) for name in tensors)
        n_blocks = len({match[1] for match in found if match})
        return "wav2lip" if n_blocks <= 7 else _LARGER.get(n_blocks)
    for prefix, network in _BY_PREFIX.items():
        if any(name.startswith(prefix) for name in tensors):
            return network
    return None


def _refuse_traps(path: Path, sha256: str) -> None:
    if sha256 in TRAPS:
        raise ModelError(
            f"{path} is a file of 167 kB that some mirrors offer as wav2lip.pth; it holds no "
            "weights: get wav2lip.pth (435,807,851 bytes) or wav2lip_gan.pth (435,801,865 bytes)",
            code="checkpoint_is_trap",
        )


def _mistake(path: Path, network: Network) -> ModelError:
    what, advice = _MISTAKES[network]
    return ModelError(f"{path} is {what}; {advice}", code="checkpoint_is_other_network")


def _fitted(tensors: StateDict, path: Path) -> StateDict:
    """The weights as float32, once names, shapes and values have proved right."""
    with torch.device("meta"):
        wanted = Wav2Lip().state_dict()
    given = dict(tensors)
    for name in wanted:  # a counter of training steps that converters like to drop
        if name.endswith(".num_batches_tracked"):
            given.setdefault(name, torch.tensor(0))
    missing = [name for name in wanted if name not in given]
    surplus = [name for name in given if name not in wanted]
    misshapen = [
        f"{name} is {tuple(given[name].shape)}, want {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in given and given[name].shape != tensor.shape
    ]
    if missing or surplus or misshapen:
        raise ModelError(
            f"{path} is like Wav2Lip but does not fit: {len(missing)} entries missing"
            f"{_some(missing)}, {len(surplus)} not wanted{_some(surplus)}, "
            f"{len(misshapen)} of another shape{_some(misshapen)}; "
            "want the published wav2lip.pth or wav2lip_gan.pth",
            code="checkpoint_does_not_fit",
        )
    state = {name: given[name].detach().to(tensor.dtype) for name, tensor in wanted.items()}
    broken = [
        name
        for name, tensor in state.items()
        if not torch.isfinite(torch.stack(torch.aminmax(tensor))).all()
    ]
    if broken:
        raise ModelError(
            f"{path} holds values that are not numbers in {len(broken)} entries{_some(broken)}; "
            "download it again",
            code="checkpoint_damaged",
        )
    return state


def _some(names: list[str]) -> str:
    return f" ({', '.join(names[:2])}{', ...' if len(names) > 2 else ''})" if names else ""
