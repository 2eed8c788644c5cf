"""Decoding on a GPU, by ffmpeg: tried at the start, and never blamed on a clip."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ffmpeg

from heygemd.errors import DependencyError, MediaError, TransientError
from heygemd.media.tool import Caps, Ffmpeg
from heygemd.media.trial import film, problem_of

_GPU_WORDS = re.compile(r"CUDA|cuda|cuvid|NVDEC|nvcuvid|[Hh]ardware device")


def try_hwaccel(tool: Ffmpeg) -> None:
    """Decode a second of film with ``tool.hwaccel``, into the GPU's memory and back.

    Raises:
        DependencyError: it does not work here.
    """
    with tempfile.TemporaryDirectory(prefix="heygemd-") as folder:
        path = str(Path(folder, "trial.mp4"))
        made = film().output(path, pix_fmt="yuv420p", **{"c:v": "libx264"})
        # ffmpeg would decode on the processor in silence, were the frames not wanted on the GPU.
        on_gpu = {"hwaccel": tool.hwaccel, "hwaccel_output_format": tool.hwaccel}
        frames = ffmpeg.input(path, **on_gpu).filter("hwdownload").filter("format", "nv12")
        problem = problem_of(tool, made, Caps(file_bytes=None)) or problem_of(
            tool, frames.output("-", f="null"), Caps(memory_bytes=None)
        )
    if problem:
        raise DependencyError(
            f"media.hwaccel = {tool.hwaccel} does not work here: {problem}; "
            "check nvidia-smi, or set it to none"
        )


@contextmanager
def blamed_on_gpu(hwaccel: str) -> Iterator[None]:
    """A fault of the GPU in the block says nothing of the clip, which is tried again later.

    Args:
        hwaccel: what decodes; empty for the processor, whose faults are none of the GPU's.

    Raises:
        TransientError: ``gpu_decoder``.
    """
    try:
        yield
    except MediaError as error:
        if hwaccel and _GPU_WORDS.search(str(error)):
            raise TransientError(
                f"the GPU's decoder failed: {error}; check nvidia-smi, or set media.hwaccel to "
                "none",
                code="gpu_decoder",
            ) from error
        raise
