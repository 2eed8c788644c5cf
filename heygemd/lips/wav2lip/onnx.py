"""Wav2Lip in ONNX: written from a checkpoint, run by ONNX Runtime, trusted only next to torch."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from heygemd.errors import ConfigError, DependencyError, ModelError
from heygemd.lips.containers import StateDict
from heygemd.lips.wav2lip import network
from heygemd.log import log
from heygemd.nets.wav2lip import FACE_SIZE_PX, N_COLUMNS, N_MELS

Backend = Literal["auto", "torch", "onnx", "openvino", "tensorrt"]

# What ONNX Runtime calls them, by backend and kind of device; the CPU does what the first cannot.
_PROVIDERS = {
    ("onnx", "cpu"): "CPUExecutionProvider",
    ("onnx", "cuda"): "CUDAExecutionProvider",
    ("openvino", "cpu"): "OpenVINOExecutionProvider",
    ("tensorrt", "cuda"): "TensorrtExecutionProvider",
}
_INPUTS, _OUTPUT = ("mel", "faces"), "spoken"
_N_TRIALS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a network runs, and what of.

    Attributes:
        n_threads: on a CPU.
        batch: faces at once.
        clock: seconds, to measure by.
    """

    device: torch.device
    n_threads: int = 1
    batch: int = 16
    clock: Callable[[], float] = time.perf_counter


class OnnxNetwork(nn.Module):
    """A network that ONNX Runtime runs; takes and gives torch's tensors.

    Args:
        path: from ``export``.
        backend: which of ONNX Runtime's providers.
        place: where it runs.

    Raises:
        DependencyError: ONNX Runtime is not installed, or has no such provider.
        ConfigError: the backend does not run on such a device.
        ModelError: no such network.
    """

    def __init__(self, path: Path, backend: Backend, place: Place) -> None:
        super().__init__()
        runtime = _runtime()
        provider = _provider(backend, place.device, runtime.get_available_providers())
        options = runtime.SessionOptions()
        options.intra_op_num_threads = place.n_threads
        device = place.device
        providers: list[object] = [
            (provider, {"device_id": device.index or 0} if device.type == "cuda" else {})
        ]
        if provider != _PROVIDERS["onnx", "cpu"]:
            providers.append(_PROVIDERS["onnx", "cpu"])
        states = runtime.capi.onnxruntime_pybind11_state
        self._faults = (states.Fail, states.RuntimeException)
        try:
            self._session = runtime.InferenceSession(path, options, providers=providers)
        except (*self._faults, states.InvalidProtobuf, states.InvalidGraph) as error:
            raise ModelError(
                f"{path} is no network for ONNX Runtime ({error}); "
                "run heygemd models export again or remove it"
            ) from error

    def forward(self, mel: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
        """As the network in torch, on the CPU's memory.

        Raises:
            RuntimeError: the device failed; its words say how, as torch's do.
        """
        feeds = zip(_INPUTS, (mel, faces), strict=True)
        try:
            (spoken,) = self._session.run(
                [_OUTPUT], {name: tensor.cpu().contiguous().numpy() for name, tensor in feeds}
            )
        except self._faults as error:
            raise RuntimeError(str(error)) from error
        return torch.from_numpy(spoken)


def beside(checkpoint: Path) -> Path:
    """Where the ONNX form of a checkpoint lies."""
    return checkpoint.with_suffix(".onnx")


def export(state: StateDict, path: Path) -> float:
    """Write a network in ONNX, any batch.

    Args:
        state: weights by their published names.
        path: replaced as a whole.

    Returns:
        How far a pixel of its pictures is from torch's, at most, 0..1.

    Raises:
        DependencyError: the packages that write ONNX are not installed.
        ModelError: ONNX Runtime draws other pictures, or the file cannot be written.
    """
    full = network.network_on(torch.device("cpu"), state, exact=False)
    try:
        program = torch.onnx.export(
            full,
            (torch.zeros(3, 1, N_MELS, N_COLUMNS), torch.zeros(3, 6, FACE_SIZE_PX, FACE_SIZE_PX)),
            dynamo=True,
            verbose=False,
            input_names=_INPUTS,
            output_names=[_OUTPUT],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC}, {0: torch.export.Dim.DYNAMIC}),
        )
    except ImportError as error:
        raise DependencyError(
            f"writing ONNX wants {error.name}; run pip install 'heygemd[onnx]'"
        ) from error
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        program.save(part)  # type: ignore[union-attr]  # dynamo=True gives a program
        distance = _distance(full, OnnxNetwork(part, "onnx", Place(torch.device("cpu"))), path)
        part.replace(path)
    except OSError as error:
        raise ModelError(
            f"cannot write {path}: {error.strerror or error}; free space or mend permissions, then "
            "export it again",
            code="models_dir",
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return distance


def choose(
    full: nn.Module, checkpoint: Path, backend: Backend, place: Place
) -> tuple[str, nn.Module]:
    """The backend wanted, or by ``auto`` the one that is fastest here, and its network.

    ``auto`` tries what is there: torch always, ONNX Runtime where the checkpoint was exported and
    the package is installed, never TensorRT, which builds for minutes.

    Args:
        full: the network in torch, ready on its device.
        checkpoint: what it was made from.
        backend: from ``model.backend``.
        place: where it runs.

    Raises:
        ConfigError: not exported, or not for such a device.
        DependencyError: ONNX Runtime is not installed, or has no such provider.
        ModelError: the exported network draws other pictures than the checkpoint.
    """
    path = beside(checkpoint)
    if backend == "torch":
        return "torch", full
    if backend != "auto":
        if not path.is_file():
            raise ConfigError(
                f"model.backend = {backend} wants {path}; run heygemd models export {checkpoint}"
            )
        return backend, _faithful(full, path, backend, place)
    networks: dict[str, nn.Module] = {"torch": full}
    for name in _able(path, place.device):
        networks[name] = _faithful(full, path, name, place)
    if len(networks) == 1:
        return "torch", full
    took_s = {name: seconds(one, place) for name, one in networks.items()}
    best = min(took_s, key=lambda name: took_s[name])
    log.info("backend.chosen", backend=best, ms={k: round(1e3 * v, 1) for k, v in took_s.items()})
    return best, networks[best]


def seconds(tried: nn.Module, place: Place) -> float:
    """How long one batch takes, the best of a few tries after one to get warm."""
    mel, faces = network.trial(place.batch, place.device)
    took_s = []
    for _ in range(1 + _N_TRIALS):
        started_s = place.clock()
        network.speak(tried, mel, faces)
        took_s.append(place.clock() - started_s)
    return min(took_s[1:])


def _able(path: Path, device: torch.device) -> list[Backend]:
    """Backends of ONNX Runtime that ``auto`` may try here."""
    if not path.is_file():
        return []
    try:
        available = _runtime().get_available_providers()
    except DependencyError:
        return []
    wanted: tuple[Backend, ...] = ("onnx", "openvino")
    return [name for name in wanted if _PROVIDERS.get((name, device.type)) in available]


def _faithful(full: nn.Module, path: Path, backend: Backend, place: Place) -> OnnxNetwork:
    """The exported network, if it draws what the checkpoint draws."""
    exported = OnnxNetwork(path, backend, place)
    _distance(full, exported, path)
    return exported


def _distance(full: nn.Module, exported: OnnxNetwork, path: Path) -> float:
    distance = network.distance(full, exported)
    # A half is itself off by as much as it may, and the export was made in single precision.
    allowed = network.TOLERANCE * (2 if isinstance(full, network.Half) else 1)
    if not distance <= allowed:  # NaN neither
        raise ModelError(
            f"{path} draws other pictures than its checkpoint: a pixel is off by {distance:.4f}, "
            f"want {allowed:.4f}; run heygemd models export again or remove it"
        )
    return distance


def _runtime() -> Any:  # noqa: ANN401 - a module without types
    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DependencyError(
            "model.backend wants ONNX Runtime; run pip install 'heygemd[onnx]', or "
            "onnxruntime-gpu, onnxruntime-openvino for their providers"
        ) from error
    return onnxruntime


def _provider(backend: Backend, device: torch.device, available: list[str]) -> str:
    provider = _PROVIDERS.get((backend, device.type))
    if provider is None:
        raise ConfigError(f"model.backend = {backend} does not run on {device.type}")
    if provider not in available:
        raise DependencyError(
            f"this ONNX Runtime has no {provider}, only {', '.join(available)}; "
            "install onnxruntime-gpu or onnxruntime-openvino"
        )
    return provider
