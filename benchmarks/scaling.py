"""Time and memory per unit as work grows: length, frame size, clips in a job, jobs waiting.

python benchmarks/scaling.py [--seconds 10 60 600] [--heights 360 720 1080 2160] [--clips 1 4 16]
    [--waiting 1 100 10000] [--brief 4]

Clips are made from scikit-image's portrait, long ones of a short one again and again. Lengths are
of 1080p, jobs of 720p; clips of the sizes and the jobs are ``--brief`` seconds long. Every row is a
fresh process. Flat columns are the aim.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import scan
from measuring import VOICE, Spool, another, make_clip, make_voice, repeat, write

MADE_S = 20.0  # longer clips repeat this much


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, nargs="*", default=[10.0, 60.0, 600.0])
    parser.add_argument("--heights", type=int, nargs="*", default=[360, 720, 1080, 2160])
    parser.add_argument("--clips", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--waiting", type=int, nargs="*", default=[1, 100, 10_000])
    parser.add_argument("--brief", type=float, default=4.0, help="seconds")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    brief_s = arguments.brief
    rows = [
        *(job("length", seconds, seconds=seconds, height=1080) for seconds in arguments.seconds),
        *(job("height", height, seconds=brief_s, height=height) for height in arguments.heights),
        *(job("clips", n, seconds=brief_s, n_clips=n) for n in arguments.clips),
        *(waiting(n_jobs) for n_jobs in arguments.waiting),
    ]
    write(arguments.json, "scaling", rows)


def job(
    grows: str, size: float, *, seconds: float, height: int = 720, n_clips: int = 1
) -> dict[str, Any]:
    """One job in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        clip = make_clip(folder, min(seconds, MADE_S), (height * 16 // 9, height))
        if seconds > MADE_S:
            clip = repeat(clip, seconds, folder / f"long{clip.suffix}")
        clips = [another(clip, n, folder) for n in range(n_clips)]
        spool = Spool(folder / "spool")
        spool.drop("job", make_voice(folder, VOICE, seconds), clips)
        run = spool.run()
        n_frames = sum(log["n_frames"] for log in spool.logs("job"))
    row = {"grows": grows, "size": size, "n_frames": n_frames, **asdict(run),
           "ms_per_frame": 1000 * run.cpu_s / n_frames}  # fmt: skip
    print(
        f"{grows:8s} {size:7g}: {n_frames:6d} frames, {row['ms_per_frame']:7.1f} ms of CPU each, "
        f"wall {run.wall_s:7.1f} s, peak {run.peak_bytes / 1e9:.2f} GB in all, "
        f"{run.root_peak_bytes / 1e9:.2f} GB itself",
        flush=True,
    )
    return row


def waiting(n_jobs: int) -> dict[str, Any]:
    """One look at an inbox of jobs that are not complete yet."""
    with tempfile.TemporaryDirectory() as scratch:
        looked = scan.measure(Path(scratch), n_jobs, is_local=True)
    row = {"grows": "waiting", "size": n_jobs, **asdict(looked),
           "ms_per_job": 1000 * looked.cpu_s / n_jobs}  # fmt: skip
    print(
        f"waiting  {n_jobs:7d}: {1000 * looked.cpu_s:8.2f} ms of CPU a look, "
        f"{row['ms_per_job']:.3f} ms a job, memory {looked.after_mb:.0f} MB",
        flush=True,
    )
    return row


if __name__ == "__main__":
    main()
