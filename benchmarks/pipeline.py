"""One clip end to end against ffmpeg's bare transcode: frames a second, processor time, memory.

python benchmarks/pipeline.py [--clip VIDEO] [--voice AUDIO] [--seconds 12 120] [--model warp]

Without a clip, a 1280x720 one as long as the voice is made from scikit-image's portrait; a clip
that is shorter than the voice runs forth and back. Prints a table, writes JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
ROOT = Path(__file__).parents[1]
SAMPLE_S = 0.1


@dataclass(frozen=True, slots=True)
class Run:
    """What one command took, its children included.

    Attributes:
        peak_bytes: largest sum of proportional set sizes over all its processes.
        root_peak_bytes: largest proportional set size of the process itself.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    root_peak_bytes: int


def measure(command: list[str]) -> Run:
    """Run a command and watch the memory of its whole tree."""
    started_s = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peaks = {"tree": 0, "root": 0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(SAMPLE_S):
            sizes = [pss_bytes(pid) for pid in tree(process.pid)]
            peaks["tree"] = max(peaks["tree"], sum(sizes))
            peaks["root"] = max(peaks["root"], pss_bytes(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    done.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: {' '.join(command)}")
    return Run(
        time.monotonic() - started_s,
        usage.ru_utime + usage.ru_stime,
        peaks["tree"],
        peaks["root"],
    )


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


def make_clip(folder: Path, seconds: float) -> Path:
    """A 1280x720 clip of a portrait under a slowly moving camera."""
    import cv2  # noqa: PLC0415 - only where no clip is given
    from skimage import data  # noqa: PLC0415

    picture = folder / "portrait.png"
    canvas = cv2.copyMakeBorder(data.astronaut()[:, :, ::-1], 0, 0, 199, 199, cv2.BORDER_REFLECT)
    cv2.imwrite(str(picture), cv2.resize(canvas, (1456, 819), interpolation=cv2.INTER_CUBIC))
    clip = folder / f"portrait-{seconds:g}.mp4"
    sway = "crop=1280:720:88+80*sin(t/2):49+40*sin(t/3)"
    subprocess.run(
        [FFMPEG, "-v", "error", "-loop", "1", "-framerate", "25", "-t", str(seconds), "-i", picture,
         "-vf", sway, "-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p", clip],
        check=True,
    )  # fmt: skip
    return clip


def make_voice(folder: Path, voice: Path, seconds: float) -> Path:
    """The voice repeated to a length."""
    out = folder / f"voice-{seconds:g}.wav"
    subprocess.run(
        [FFMPEG, "-v", "error", "-stream_loop", "-1", "-i", voice, "-t", str(seconds), out],
        check=True,
    )
    return out


def transcode(clip: Path, voice: Path, seconds: float, out: Path) -> list[str]:
    """Plain ffmpeg, with our encoder settings: the limit of any pipeline around it."""
    return [FFMPEG, "-v", "error", "-y", "-nostdin", "-stream_loop", "-1", "-i", str(clip),
            "-i", str(voice), "-map", "0:v", "-map", "1:a", "-t", str(seconds), "-c:v", "libx264",
            "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p",
            "-c:a", "aac", str(out)]  # fmt: skip


def main() -> None:
    """Measure each length and print ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--voice", type=Path, default=ROOT / "heygemd/assets/demo/voice_en.ogg")
    parser.add_argument("--seconds", type=float, nargs="+", default=[12.0, 120.0])
    parser.add_argument("--model", default="warp")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for seconds in arguments.seconds:
            clip = arguments.clip or make_clip(folder, seconds)
            voice = make_voice(folder, arguments.voice, seconds)
            out = folder / f"out-{seconds:g}"
            ours = measure(
                [sys.executable, "-m", "heygemd", "render", str(voice), str(clip),
                 "--out", str(out), "--model", arguments.model, "--device", "cpu"]
            )  # fmt: skip
            log = json.loads(next(out.glob("*.json")).read_text())
            bare = measure(transcode(clip, voice, seconds, folder / "bare.mp4"))
            rows.append(
                {"seconds": seconds, "ours": asdict(ours), "ffmpeg": asdict(bare), "log": log}
            )
            print_row(seconds, ours, bare, log)
    if len(rows) > 1:
        growth = rows[-1]["ours"]["peak_bytes"] / rows[0]["ours"]["peak_bytes"] - 1
        print(f"memory, longest against shortest: {growth:+.1%}")
    if arguments.json:
        figures = {"machine": platform.processor(), "cores": os.cpu_count(), "rows": rows}
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def print_row(seconds: float, ours: Run, bare: Run, log: dict[str, object]) -> None:
    """One length."""
    print(
        f"{seconds:6g} s: {log['frames_per_s']} frames/s, wall {ours.wall_s:.1f} s, "
        f"cpu {ours.cpu_s:.1f} s = {ours.cpu_s / bare.cpu_s:.2f} x bare transcode, "
        f"peak {ours.peak_bytes / 1e9:.2f} GB in all, {ours.root_peak_bytes / 1e9:.2f} GB itself"
    )
    print(f"          stages: {log['timings_s']}")


if __name__ == "__main__":
    main()
