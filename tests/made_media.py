"""Small self-made media with a real face: scikit-image's portrait under a moving camera."""

from __future__ import annotations

import subprocess
from fractions import Fraction

import cv2
import imageio_ffmpeg
import numpy as np
from skimage import data

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def frames(n_frames, size_px=384):
    """(N, S, S, 3) uint8 BGR: the face drifts, turns and grows a little."""
    picture = data.astronaut()[:, :, ::-1]
    scale = size_px / 384
    shown = []
    for n in range(n_frames):
        phase = 2 * np.pi * n / 75
        turn = cv2.getRotationMatrix2D(
            (224.0, 112.0), 2.0 * np.sin(phase), scale * (1.05 + 0.05 * np.sin(phase / 2))
        )
        turn[:, 2] += (
            scale * np.array([192.0, 150.0])
            - (224.0, 112.0)
            + (4 * np.cos(phase), 3 * np.sin(phase))
        )
        shown.append(
            cv2.warpAffine(
                picture,
                turn,
                (size_px, size_px),
                flags=cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            )
        )
    return np.stack(shown)


def write_clip(path, n_frames=25, fps=Fraction(25), size_px=384):
    """An mp4 of ``frames``, without sound."""
    write(path, frames(n_frames, size_px), fps)


def write(path, pictures, fps=Fraction(25)):
    """An mp4 of any (N, H, W, 3) uint8 BGR."""
    height, width = pictures.shape[1:3]
    command = [FFMPEG, "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24",
               "-s", f"{width}x{height}",
               "-r", str(fps), "-i", "-", "-c:v", "libx264", "-crf", "15", "-preset", "ultrafast",
               "-pix_fmt", "yuv420p", "-f", "mp4", str(path)]  # fmt: skip
    subprocess.run(command, input=np.ascontiguousarray(pictures).tobytes(), check=True)


def write_blank(path, n_frames=25, fps=Fraction(25)):
    """An mp4 in which nobody is seen."""
    write(path, np.full((n_frames, 120, 160, 3), 90, np.uint8), fps)


def write_voice(path, seconds=1.0):
    """Something between a hum and speech, with pauses."""
    source = f"sine=f=180:d={seconds}:sample_rate=44100,tremolo=f=4:d=0.9"
    subprocess.run(
        [FFMPEG, "-v", "error", "-y", "-f", "lavfi", "-i", source, str(path)], check=True
    )
