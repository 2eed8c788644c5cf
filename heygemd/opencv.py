"""OpenCV, or words about what it lacks: on a server without a display its import may fail.

It is kept to one thread. Stages and workers run side by side already, and its own threads wait for
work by spinning: a frame's lips took 7.0 to 7.8 ms of processor time with two, 4.8 ms with one.
"""

from __future__ import annotations

import re

from heygemd.errors import DependencyError

DEBIAN_PACKAGES = "libgl1 libglib2.0-0 libxcb1 libegl1 libgles2"


def explain_import(package: str, error: Exception) -> str:
    """What a package is missing and what to install, in words."""
    if re.search(r"lib(GL|EGL|GLES|glib|gthread|xcb|X11)", str(error)):
        return f"{package} needs a library of the system: {error}; apt install {DEBIAN_PACKAGES}"
    return f"{package} does not import: {error}; pip install {package}"


try:
    import cv2
except ImportError as error:
    raise DependencyError(explain_import("opencv-python", error)) from error

cv2.setNumThreads(1)

__all__ = ["cv2"]
