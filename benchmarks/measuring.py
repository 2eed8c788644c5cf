"""What the benchmarks share: commands run and watched, made-up media, ffmpeg's bare transcode.

A command's time and memory include all its children. Machines are shared, so ratios of runs side by
side are the claim, not seconds.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from heygemd.media.encode import PRESETS
from heygemd.settings import load

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
ROOT = Path(__file__).parents[1]
VOICE = ROOT / "heygemd/assets/demo/voice_en.ogg"
SAMPLE_S = 0.1
GPU_SAMPLE_S = 0.5


@dataclass(frozen=True, slots=True)
class Run:
    """What one command took, its children included.

    Attributes:
        peak_bytes: largest sum of proportional set sizes over all its processes.
        root_peak_bytes: largest proportional set size of the process itself.
        gpu_peak_bytes: most memory in use on the first GPU; 0 without one.
        gpu_busy: share of time in which it computed; None without one.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    root_peak_bytes: int
    gpu_peak_bytes: int = 0
    gpu_busy: float | None = None


def measure(command: Sequence[str], *, cwd: Path | None = None, log: Path | None = None) -> Run:
    """Run a command and watch the memory of its whole tree.

    Args:
        command: the words.
        cwd: where.
        log: takes its standard error; ours does by default.
    """
    started_s = time.monotonic()
    with ExitStack() as files:
        said = None if log is None else files.enter_context(log.open("w"))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, cwd=cwd)
    peaks = {"tree": 0, "root": 0, "gpu": 0}
    busy: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(SAMPLE_S):
            sizes = [pss_bytes(pid) for pid in tree(process.pid)]
            peaks["tree"] = max(peaks["tree"], sum(sizes))
            peaks["root"] = max(peaks["root"], pss_bytes(process.pid))

    def watch_gpu() -> None:
        while (seen := gpu_now()) is not None and not done.wait(GPU_SAMPLE_S):
            busy.append(seen[0])
            peaks["gpu"] = max(peaks["gpu"], seen[1])

    watchers = [threading.Thread(target=each) for each in (watch, watch_gpu)]
    for watcher in watchers:
        watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    done.set()
    for watcher in watchers:
        watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last = "" if log is None else f"\n{log.read_text()[-1000:]}"
        raise SystemExit(f"exit code {process.returncode}: {' '.join(command)}{last}")
    return Run(
        time.monotonic() - started_s,
        usage.ru_utime + usage.ru_stime,
        peaks["tree"],
        peaks["root"],
        peaks["gpu"],
        sum(busy) / len(busy) if busy else None,
    )


def gpu_now() -> tuple[float, int] | None:
    """How busy the first GPU is, 0..1, and how many bytes of it are used; None without one."""
    nvidia_smi = shutil.which("nvidia-smi")
    if nvidia_smi is None:
        return None
    said = subprocess.run(
        [nvidia_smi, "--id=0", "--query-gpu=utilization.gpu,memory.used",
         "--format=csv,noheader,nounits"],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    words = said.strip().split(", ")
    if len(words) != 2 or not all(word.isdigit() for word in words):
        return None
    return int(words[0]) / 100, int(words[1]) << 20


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for above in found:
        for listing in Path(f"/proc/{above}/task").glob("*/children"):
            try:
                found += [int(child) for child in listing.read_text().split()]
            except OSError:  # the thread ended under us
                continue
    return found


def pss_bytes(pid: int) -> int:
    """Proportional set size: shared pages counted by their share; 0 for a process that ended."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0


def make_clip(folder: Path, seconds: float, size: tuple[int, int] = (1280, 720)) -> Path:
    """A clip of a portrait under a slowly moving camera, 25 frames a second.

    Args:
        folder: where it goes.
        seconds: how long it is.
        size: width and height, even; wider than high.
    """
    import cv2  # noqa: PLC0415 - only where no clip is given
    from skimage import data  # noqa: PLC0415

    width_px, height_px = size
    picture = folder / f"portrait-{height_px}.png"
    canvas = cv2.copyMakeBorder(data.astronaut()[:, :, ::-1], 0, 0, 199, 199, cv2.BORDER_REFLECT)
    room = (width_px * 1456 // 1280, height_px * 819 // 720)
    cv2.imwrite(str(picture), cv2.resize(canvas, room, interpolation=cv2.INTER_CUBIC))
    clip = folder / f"portrait-{height_px}-{seconds:g}.mp4"
    sway = f"crop={width_px}:{height_px}:(iw-ow)/2*(1+0.9*sin(t/2)):(ih-oh)/2*(1+0.8*sin(t/3))"
    subprocess.run(
        [FFMPEG, "-v", "error", "-y", "-loop", "1", "-framerate", "25", "-t", str(seconds),
         "-i", picture, "-vf", sway, "-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p", clip],
        check=True,
    )  # fmt: skip
    return clip


def another(clip: Path, number: int, folder: Path) -> Path:
    """The same film with other bytes, so that its face track is not known yet."""
    copy = folder / f"{number:02d}-{clip.name}"
    free = (8 + number).to_bytes(4) + b"free" + bytes(number)  # a box that mp4 readers skip
    copy.write_bytes(clip.read_bytes() + free)
    return copy


def make_voice(folder: Path, voice: Path, seconds: float) -> Path:
    """The voice repeated to a length."""
    return repeat(voice, seconds, folder / f"{voice.stem}-{seconds:g}.wav")


def repeat(path: Path, seconds: float, out: Path) -> Path:
    """A sound or film again and again up to a length, copied where its kind stays."""
    copied = ["-c", "copy"] if path.suffix == out.suffix else []
    subprocess.run(
        [FFMPEG, "-v", "error", "-y", "-stream_loop", "-1", "-i", path, "-t", str(seconds),
         *copied, out],
        check=True,
    )  # fmt: skip
    return out


def seconds_of(sound: Path) -> float:
    """How long a sound is, decoded to its end."""
    raw = subprocess.run(
        [FFMPEG, "-v", "error", "-i", sound, "-ac", "1", "-ar", "16000", "-f", "s16le", "-"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    return len(raw) / 2 / 16_000


def transcode(
    clip: Path, voice: Path, seconds: float, out: Path, sets: Sequence[str] = ()
) -> list[str]:
    """Plain ffmpeg, with our encoder settings: the limit of any pipeline around it.

    Args:
        clip: repeated to the length.
        voice: the sound.
        seconds: how long.
        out: what is written.
        sets: our settings as ``--set`` takes them; those of the encoder count.
    """
    return [FFMPEG, "-v", "error", "-y", "-nostdin", "-stream_loop", "-1", "-i", str(clip),
            "-i", str(voice), "-map", "0:v", "-map", "1:a", "-t", str(seconds), "-c:v", "libx264",
            *x264_words(sets), "-pix_fmt", "yuv420p", "-c:a", "aac", str(out)]  # fmt: skip


def x264_words(sets: Sequence[str]) -> list[str]:
    """Preset and quality as our settings have them, for ffmpeg's command line."""
    encode = load(overrides=sets, env=False).encode
    return ["-preset", encode.preset or PRESETS["libx264"], "-crf", str(encode.quality)]


def machine() -> dict[str, Any]:
    """Where and when figures were taken, and how busy it was."""
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    said = subprocess.run([FFMPEG, "-version"], capture_output=True, text=True, check=True).stdout
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "torch": metadata.version("torch"),
        "ffmpeg": said.split()[2],
    }


def write(path: Path | None, benchmark: str, rows: Sequence[dict[str, Any]]) -> None:
    """The figures as JSON, with the machine; nothing without a path."""
    if path is not None:
        figures = {"benchmark": benchmark, "machine": machine(), "rows": rows}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=2) + "\n")


class Spool:
    """Folders of our own, into which jobs are dropped and run by a fresh process each.

    Args:
        folder: an empty one.
        model: as in ``model.name``.
        more: further settings, as ``--set`` takes them.
    """

    def __init__(self, folder: Path, model: str = "warp", more: Sequence[str] = ()) -> None:
        self.folder = folder
        for name in ("inbox", "outbox", "work"):
            (folder / name).mkdir(parents=True)
        places = [f"folders.{name}={folder / name}" for name in ("inbox", "outbox", "work")]
        wanted = [*places, "intake.settle_s=0.2", f"model.name={model}", "model.device=cpu", *more]
        self._log = folder / "log.jsonl"
        self._sets = [word for setting in wanted for word in ("--set", setting)]

    def drop(self, job: str, voice: Path, clips: Sequence[Path]) -> None:
        """A job folder with copies of the files."""
        part = self.folder / job
        part.mkdir()
        for path in (voice, *clips):
            shutil.copyfile(path, part / path.name)
        part.rename(self.folder / "inbox" / job)

    def run(self) -> Run:
        """Do all that lies in the inbox, in one process."""
        return measure([sys.executable, "-m", "heygemd", "once", *self._sets], log=self._log)

    def worked_s(self) -> float:
        """Seconds of the last run from the first job's claim to the last one's end."""
        told = [json.loads(line) for line in self._log.read_text().splitlines()]
        ends = [
            datetime.fromisoformat(line["timestamp"])
            for line in told
            if line["event"] in {"job.claimed", "job.closed"}
        ]
        return (ends[-1] - ends[0]).total_seconds()

    def logs(self, job: str) -> list[dict[str, Any]]:
        """What the logs of a finished job's clips say."""
        found = (self.folder / "outbox" / job).glob("*.json")
        read = [json.loads(path.read_text()) for path in sorted(found)]
        return [log for log in read if "clip" in log]  # not of the job, nor its progress
