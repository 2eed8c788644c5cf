"""Where lip models run: the choice of a device, what its faults mean, batches that fit it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

import torch

from heygemd.errors import ConfigError, GpuLostError, HeygemdError, OutOfMemoryError
from heygemd.log import log

T = TypeVar("T")

Fault = Literal["memory", "lost", "unsupported"]

# Words of torch, CUDA, cuBLAS and cuDNN, by what they mean.
_OUT_OF_MEMORY = (
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "Failed to allocate memory for requested buffer",  # ONNX Runtime
)
_UNSUPPORTED = ("no kernel image is available", "not compiled with CUDA", "no longer supports")
_LOST = (
    "CUDA error",
    "CUDA driver",
    "CUDA initialization",
    "CUDA unknown error",
    "CUBLAS_STATUS_",
    "CUDNN_STATUS_EXECUTION_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR",
    "CUDNN_STATUS_MAPPING",
    "CUDNN_STATUS_NOT_INITIALIZED",
    "No CUDA GPUs",
)


def fault_of(error: BaseException) -> Fault | None:
    """What an error of torch says of the GPU; None if it is not about one.

    ``memory`` passes when less is asked for. ``lost`` poisons the process's context for good
    (illegal access, failed launch, device assert, ECC): every later call would fail as well.
    ``unsupported`` is a GPU that this torch has no code for.
    """
    said = str(error)
    if isinstance(error, torch.OutOfMemoryError) or any(mark in said for mark in _OUT_OF_MEMORY):
        return "memory"
    if any(mark in said for mark in _UNSUPPORTED):
        return "unsupported"
    if isinstance(error, torch.AcceleratorError) or any(mark in said for mark in _LOST):
        return "lost"
    return None


def try_device(device: torch.device) -> None:
    """Convolve something on a device, to see that it works.

    Raises:
        RuntimeError: it does not; ``fault_of`` says how.
        AssertionError: this torch was built for CPUs alone.
    """
    picture = torch.ones(1, 1, 8, 8, device=device)
    torch.nn.functional.conv2d(picture, picture[:, :, :3, :3]).cpu()


def choose_device(
    wanted: str,
    *,
    count_gpus: Callable[[], int] = torch.cuda.device_count,
    try_out: Callable[[torch.device], None] = try_device,
) -> torch.device:
    """The device that ``model.device`` asks for, tried out.

    A GPU asked for by name never becomes a CPU. ``auto`` takes the first GPU, and a CPU only where
    there is no GPU or none that torch supports; a GPU that is there and faulty is an error.

    Args:
        wanted: ``auto``, ``cpu``, ``cuda`` or ``cuda:<number>``.
        count_gpus: how many GPUs the driver shows.
        try_out: raises what ``try_device`` raises.

    Raises:
        ConfigError: another word, or a GPU asked for that this torch cannot use.
        GpuLostError: a GPU asked for is missing, or one that is there does not work.
    """
    found = re.fullmatch(r"auto|cpu|cuda(?::(\d+))?", wanted)
    if found is None:
        raise ConfigError(f"model.device is {wanted!r}, want auto, cpu, cuda or cuda:<number>")
    if wanted == "cpu":
        return torch.device("cpu")
    n_gpus = count_gpus()
    device = torch.device("cuda", int(found[1] or 0))
    if wanted == "auto" and n_gpus == 0:
        log.info("device.chosen", device="cpu", reason="no GPU is visible")
        return torch.device("cpu")
    if (device.index or 0) >= n_gpus:
        raise GpuLostError(
            f"model.device is {wanted}, but {n_gpus} GPUs are visible; check nvidia-smi and the "
            'driver, or set model.device = "cpu"'
        )
    try:
        try_out(device)
    except (RuntimeError, AssertionError) as error:
        if fault_of(error) != "unsupported":
            raise GpuLostError(
                f"{device} is there but does not work: {first_line(error)}; check nvidia-smi, "
                'or set model.device = "cpu"'
            ) from error
        if wanted != "auto":
            raise ConfigError(
                f"this torch cannot use {device}: {first_line(error)}; install a torch for this "
                'GPU, or set model.device = "cpu"'
            ) from error
        log.warning("device.chosen", device="cpu", reason=first_line(error))
        return torch.device("cpu")
    log.info("device.chosen", device=str(device), gpu=_gpu_name(device))
    return device


def in_batches(
    run: Callable[[slice], Sequence[T]],
    n: int,
    batch: int,
    *,
    on_halved: Callable[[int], None] | None = None,
) -> list[T]:
    """What ``run`` makes of items 0 to ``n``, in order, a batch at a time.

    Args:
        run: makes one result for each item of a slice.
        n: how many items there are.
        batch: the most items at once; halved when the GPU's memory is short, and only then.
        on_halved: told the new batch, so that it can be kept.

    Raises:
        OutOfMemoryError: not even one item fits.
        GpuLostError: the GPU's context is poisoned.
    """
    made: list[T] = []
    while len(made) < n:
        span = slice(len(made), min(len(made) + batch, n))
        results = _run(run, span)
        if results is not None:
            made.extend(results)
            continue
        # Outside the handler: the error's traceback held the tensors that did not fit.
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.empty_cache()
        batch = (span.stop - span.start) // 2
        log.warning("model.batch_halved", n_frames=batch)
        if on_halved is not None:
            on_halved(batch)
    return made


def _run(run: Callable[[slice], Sequence[T]], span: slice) -> Sequence[T] | None:
    """One batch; None when it has to be halved."""
    try:
        return with_faults_told(lambda: run(span), "one frame")
    except OutOfMemoryError:
        if span.stop - span.start > 1:
            return None
        raise


def with_faults_told(
    run: Callable[[], T],
    what: str,
    short: Callable[[str], HeygemdError] = OutOfMemoryError,
) -> T:
    """What ``run`` makes; what ails the GPU is raised as an error of ours.

    Args:
        run: does something on a device.
        what: it does it with, for the message.
        short: makes the error for a GPU that has no memory left.

    Raises:
        HeygemdError: what ``short`` makes.
        GpuLostError: the GPU's context is poisoned.
    """
    try:
        return run()
    except RuntimeError as error:
        fault = fault_of(error)
        if fault is None:
            raise
        if fault == "memory":
            raise short(
                f"{what} does not fit the GPU's memory: {first_line(error)}; close other "
                "programs that use the GPU, or take another GPU by model.device"
            ) from error
        raise GpuLostError(
            f"the GPU failed and only a new process can use it again: {first_line(error)}"
        ) from error


def first_line(error: BaseException) -> str:
    """What an error says first; torch adds pages of advice."""
    return str(error).partition("\n")[0] or type(error).__name__


def spare_threads(n_cores: int) -> int:
    """Keep torch from using more threads than cores; returns how many it uses now.

    torch counts the machine's cores and knows of no quota: in a container it would start many
    threads that wait for each other.
    """
    if torch.get_num_threads() > n_cores:
        torch.set_num_threads(n_cores)
    return torch.get_num_threads()


def half_of(
    device: torch.device, capabilities: Callable[[], Mapping[str, object]] | None = None
) -> torch.dtype | None:
    """Numbers of 16 bits that a device computes with faster; None where it does not.

    A CPU without instructions for them takes three times as long as in single precision.

    Args:
        device: where the network runs.
        capabilities: of the CPU, by torch's names; asks torch by default.
    """
    if device.type == "cuda":
        return torch.float16
    if capabilities is None:
        capabilities = getattr(torch.cpu, "get_capabilities", dict)  # torch before it can say
    able = capabilities()
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else None


def _gpu_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if torch.cuda.is_available() else ""
