"""Small media made with ffmpeg's own sources: moving test pictures, tones, flashes and beeps."""

import subprocess

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


def make(path, *args):
    """Whatever ``args`` describe, at ``path``."""
    command = [FFMPEG, "-nostdin", "-v", "error", "-y", *map(str, args), str(path)]
    subprocess.run(command, check=True)
    return path


def film(path, *args, size="160x120", rate="25", n_frames=50, codec=X264):
    """A test picture with a running clock; every frame differs from all others."""
    source = f"testsrc2=size={size}:rate={rate}"
    return make(path, "-f", "lavfi", "-i", source, *args, "-frames:v", n_frames, *codec)


def tone(path, *args, seconds=1.0, rate_hz=44100):
    """A sine of 440 Hz at -18 dBFS."""
    source = f"sine=frequency=440:sample_rate={rate_hz}:duration={seconds}"
    return make(path, "-f", "lavfi", "-i", source, *args)


def raw_frames(path, *args, pixel_format="bgr24"):
    """What plain ffmpeg decodes, as bytes."""
    command = [FFMPEG, "-nostdin", "-v", "error", "-i", str(path), "-map", "0:v:0", *args,
               "-f", "rawvideo", "-pix_fmt", pixel_format, "-"]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True).stdout
