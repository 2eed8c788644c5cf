"""S3FD's weights, read from a file that cannot run code."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from heygemd.errors import ModelError
from heygemd.nets.s3fd import S3fd

# The published names of the trunk, and their places in ports that follow SSD.
_TRUNK = (
    *("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3"),
    *("conv4_1", "conv4_2", "conv4_3", "conv5_1", "conv5_2", "conv5_3", "fc6", "fc7"),
)
_PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28, 31, 33)
_EXTRAS = ("conv6_1", "conv6_2", "conv7_1", "conv7_2")
_HEADS = ("conv3_3_norm", "conv4_3_norm", "conv5_3_norm", "fc7", "conv6_2", "conv7_2")
_PUBLISHED = {
    **{f"vgg.{place}": name for place, name in zip(_PLACES, _TRUNK, strict=True)},
    **{f"extras.{place}": name for place, name in enumerate(_EXTRAS)},
    **{f"loc.{place}": f"{name}_mbox_loc" for place, name in enumerate(_HEADS)},
    **{f"conf.{place}": f"{name}_mbox_conf" for place, name in enumerate(_HEADS)},
    **{f"L2Norm{block}_3": f"conv{block}_3_norm" for block in (3, 4, 5)},
}
_WANTED = "want the 65 tensors of s3fd.pth (s3fd-619a316812.pth), which Wav2Lip uses"


def load(path: Path) -> S3fd:
    """The network with the file's weights, on the CPU.

    Both public families load: the names of the published ``s3fd.pth``, and those of ports that
    follow SSD (``sfd_face.pth``), whose fc6 is dilated.

    Raises:
        ModelError: not a file of weights, or another network's.
    """
    tensors = _read(path)
    dilated = "vgg.0.weight" in tensors
    if dilated:
        tensors = {_published(name): tensor for name, tensor in tensors.items()}
    with torch.device("meta"):  # drawing 22 million random numbers first would take a second
        net = S3fd(dilated=dilated)
    try:
        net.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{path} holds another network: {reason}; {_WANTED}") from error
    return net.float()


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        with path.open("rb") as file:
            start = file.read(64)
        tensors: Any
        if path.suffix == ".safetensors":
            from safetensors import SafetensorError  # noqa: PLC0415 - only where it is used
            from safetensors.torch import load_file  # noqa: PLC0415

            try:
                tensors = load_file(path)
            except SafetensorError as error:
                raise ModelError(f"{path} is no safetensors file: {error}; {_WANTED}") from error
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"faces.model_path {path}: {error.strerror or error}") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path} is no file of weights: {_why(start, error)}; {_WANTED}"
        ) from error
    if isinstance(tensors, dict) and isinstance(tensors.get("state_dict"), dict):
        tensors = tensors["state_dict"]
    if not isinstance(tensors, dict) or not all(
        isinstance(tensor, Tensor) for tensor in tensors.values()
    ):
        raise ModelError(f"{path} holds {type(tensors).__name__}, not named tensors; {_WANTED}")
    return {str(name).removeprefix("module."): tensor for name, tensor in tensors.items()}


def _why(start: bytes, error: Exception) -> str:
    """What the file is, where its first bytes tell."""
    if start.startswith(b"version https://git-lfs"):
        return "it is a git-lfs pointer, download the file itself"
    if start.lstrip()[:1] == b"<":
        return "it is a web page, download the file itself"
    return str(error).strip().split("\n", 1)[0][:200] or type(error).__name__


def _published(name: str) -> str:
    place, _, kind = name.rpartition(".")
    return f"{_PUBLISHED.get(place, place)}.{kind}"
