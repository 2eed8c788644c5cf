"""``heygemd demo``: a job of built-in media, from inbox to outbox, through the real daemon."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heygemd import assembly
from heygemd.errors import ConfigError, DependencyError
from heygemd.media import encode, probe
from heygemd.media.colour import output_colour
from heygemd.opencv import cv2
from heygemd.planes import Planes, of_bgr
from heygemd.records import VideoInfo
from heygemd.settings import Settings, load
from heygemd.studio import Studio

_BATCH = 25
_FACE_XY = (224.0, 112.0)  # where scikit-image's portrait has its face


@dataclass(frozen=True, slots=True)
class Camera:
    """How a clip is shot: its file name, its frame, and how the camera moves.

    Attributes:
        zoom: picture pixels to frame pixels.
        sway_px: how far the frame drifts.
        tilt_deg: how far it turns.
    """

    name: str
    width_px: int
    height_px: int
    fps: Fraction
    zoom: float
    sway_px: float
    tilt_deg: float


CAMERAS = (
    Camera("close.mp4", 720, 720, Fraction(25), 2.6, 10.0, 1.5),
    Camera("wide.mp4", 960, 540, Fraction(30000, 1001), 1.7, 24.0, 0.8),
)
VOICES = {"english": "voice_en.ogg", "chinese": "voice_zh.ogg"}
_CLIP_S = 5


def run(out: Path) -> int:
    """Make a job per voice, run the daemon until both are done, say what came out.

    Raises:
        ConfigError: ``out`` holds something else.
    """
    settings = _settings(out)
    studio = assembly.make_studio(settings)
    print(f"heygemd demo in {out.resolve()}\n\n1. making {len(CAMERAS)} clips of a portrait ...")
    stock = out / "stock"
    stock.mkdir()
    for camera in CAMERAS:
        film(camera, stock / camera.name, studio)
    print("2. dropping two jobs into the inbox: one voice and the clips, each")
    for job, voice in VOICES.items():
        drop(job, voice, stock, settings.folders.inbox)
    print("3. running heygemd until the inbox is done ...\n")
    started_s = time.monotonic()
    code = assembly.once(settings)
    _tell(settings.folders.outbox, time.monotonic() - started_s)
    return code


def _settings(out: Path) -> Settings:
    marker = out / ".heygemd-demo"
    if marker.exists():
        shutil.rmtree(out)
    elif out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty and no earlier demo; name another folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    marker.touch()
    words = [f"folders.{name}={out / name}" for name in ("inbox", "outbox", "work")]
    for name in ("inbox", "outbox", "work"):
        (out / name).mkdir()
    return load(overrides=[*words, "intake.settle_s=0.5", "log.style=console"])


def film(camera: Camera, path: Path, studio: Studio) -> None:
    """Shoot ``_CLIP_S`` seconds of the portrait."""
    n_frames = round(_CLIP_S * camera.fps)
    info = VideoInfo(camera.width_px, camera.height_px, camera.fps, n_frames, n_frames / camera.fps)
    voice = _asset(VOICES["english"])
    length_s = n_frames / camera.fps
    encode.write_video(
        studio.tool,
        _shots(camera, n_frames, output_colour(info).matrix),
        path,
        info=info,
        fps=camera.fps,
        n_frames=n_frames,
        sound=encode.Sound(voice, probe.probe_audio(voice, studio.limits), length_s),
        options=studio.encode,
        limits=studio.limits,
    )


def _shots(camera: Camera, n_frames: int, matrix: str) -> Iterator[Planes]:
    portrait = _portrait()
    for start in range(0, n_frames, _BATCH):
        span = range(start, min(start + _BATCH, n_frames))
        yield of_bgr(np.stack([_shot(portrait, camera, n / n_frames) for n in span]), matrix)


def _shot(portrait: NDArray[np.uint8], camera: Camera, at: float) -> NDArray[np.uint8]:
    """The frame at ``at`` in [0, 1): the camera swings once around where it stands."""
    phase = 2 * np.pi * at
    zoom = camera.zoom * (1 + 0.03 * np.sin(phase))
    turn = cv2.getRotationMatrix2D(_FACE_XY, camera.tilt_deg * np.sin(phase), zoom)
    turn[0, 2] += camera.width_px * 0.5 - _FACE_XY[0] + camera.sway_px * np.sin(phase)
    turn[1, 2] += camera.height_px * 0.42 - _FACE_XY[1] + 0.5 * camera.sway_px * np.cos(phase)
    size = (camera.width_px, camera.height_px)
    shot = cv2.warpAffine(
        portrait, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(shot, dtype=np.uint8)


def _portrait() -> NDArray[np.uint8]:
    """Eileen Collins, by NASA, in the public domain; scikit-image carries it. (512, 512, 3) BGR."""
    try:
        from skimage import data  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DependencyError(
            "the demo's portrait is in scikit-image; pip install 'heygemd[demo]'"
        ) from error
    return np.ascontiguousarray(data.astronaut()[:, :, ::-1])


def _asset(name: str) -> Path:
    return Path(str(resources.files("heygemd") / "assets" / "demo" / name))


def drop(job: str, voice: str, stock: Path, inbox: Path) -> None:
    """Put one job folder into the inbox, as a person would."""
    folder = inbox / job
    folder.mkdir()
    shutil.copyfile(_asset(voice), folder / voice)
    for clip in sorted(stock.iterdir()):
        shutil.copyfile(clip, folder / clip.name)


def _tell(outbox: Path, took_s: float) -> None:
    n_frames = 0
    for path in sorted(outbox.glob("*/*.json")):
        log = json.loads(path.read_text())
        if "clip" not in log:  # job.json, progress.json
            continue
        n_frames += log["n_frames"]
        print(
            f"   {path.with_suffix('.mp4')}: {log['outcome']}, {log['duration_s']:.1f} s, "
            f"{log['n_frames']} frames at {log['frames_per_s']} a second, "
            f"face in {log['faces']['coverage']:.0%}"
        )
    print(f"\n{n_frames} frames in {took_s:.1f} s, loading included. Results: {outbox.resolve()}")
    print("Open report.html in one of its folders with a browser.")
