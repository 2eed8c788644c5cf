"""What a child process finds in its environment: which GPUs may be used, how memory is laid."""

from __future__ import annotations

import os

_MOST_HEAPED_BYTES = 32 << 20  # glibc's own limit
_BEYOND_FRAME_BYTES = 64 << 10  # its padding and alignment
_FIXED = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    # Threads that each had a heap of their own passed frames on until every heap had room for all:
    # an encoder of 1080p grew by a tenth in ten minutes. One heap costs no more time.
    "MALLOC_ARENA_MAX": "1",
    # Frames stay in the heap: pages that come and go with each cost a tenth of decoding one.
    "MALLOC_MMAP_THRESHOLD_": str(_MOST_HEAPED_BYTES),  # a frame of 4K is 12 MB
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
    "SVT_LOG": "1",  # errors only
}
_PASSED_ON = ("CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")


def child_environment(frame_bytes: int | None = None) -> dict[str, str]:
    """All that a child sees.

    Args:
        frame_bytes: of each frame that it is fed, if it is.
    """
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**_FIXED, **_heaps(frame_bytes), **passed_on}


def _heaps(frame_bytes: int | None) -> dict[str, str]:
    """Where an encoder's memory lies, by the size of its frames.

    What is larger than a frame is the encoder's own and made once: it gets pages of its own. With
    all of it in one heap, small things lay down where frames had been, and room for frames was made
    anew: one of 1080p grew by 33 to 42 MB in ten minutes, and by 5 to 16 now, without more faults.
    """
    if frame_bytes is None or frame_bytes + _BEYOND_FRAME_BYTES > _MOST_HEAPED_BYTES:
        return {}
    threshold = frame_bytes + _BEYOND_FRAME_BYTES
    return {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(threshold)}
