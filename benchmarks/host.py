"""Whole jobs on this host, one command: times real time, where time goes, what the GPU does.

python benchmarks/host.py [--device cuda] [--checkpoint FILE] [--at-once 1 2] [--clips 4]
    [--seconds 20] [--height 1080] [--hwaccel none cuda] [--clip VIDEO] [--json FILE]

A job of several clips with ``warp``, and one with Wav2Lip where a checkpoint is given, with so many
clips in hand at once. *Times real time* is seconds of film for each second from the job's claim to
its end; starting the daemon is not in it. The GPU's memory and how long it
idled are nvidia-smi's words, of the whole card. Prints a table, writes JSON.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from measuring import VOICE, Spool, another, make_clip, make_voice, write

STAGES = ("probe", "faces", "study", "decode", "lips", "render", "verify")


def main() -> None:
    """Measure each case, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda", help="as in model.device")
    parser.add_argument("--checkpoint", type=Path, help="of Wav2Lip; random weights are as fast")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 2], help="model.clips")
    parser.add_argument("--hwaccel", nargs="+", default=["none"], help="media.hwaccel")
    parser.add_argument("--clips", type=int, default=4, help="in the job")
    parser.add_argument("--clip", type=Path, help="copied so often; made of a portrait by default")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    write(arguments.json, "host", list(cases(arguments)))


def cases(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for each model, number of clips at once, and decoder."""
    models = {"warp": "model.name=warp"}
    if arguments.checkpoint is not None:
        models["wav2lip"] = f"model.path={arguments.checkpoint.absolute()}"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        size = (arguments.height * 16 // 9, arguments.height)
        clip = arguments.clip or make_clip(folder, arguments.seconds, size)
        clips = [another(clip, number, folder) for number in range(arguments.clips)]
        voice = make_voice(folder, VOICE, arguments.seconds)
        for model, at_once, hwaccel in product(models, arguments.at_once, arguments.hwaccel):
            place = folder / f"{model}-{at_once}-{hwaccel}"
            place.mkdir()
            spool = Spool(place, model, [
                f"model.device={arguments.device}", f"model.clips={at_once}",
                f"media.hwaccel={hwaccel}", models[model],
            ])  # fmt: skip
            spool.drop("job", voice, clips)
            run, logs = spool.run(), spool.logs("job")
            film_s = arguments.seconds * len(logs)
            row = {
                "model": model,
                "at_once": at_once,
                "hwaccel": hwaccel,
                "cores": len(os.sched_getaffinity(0)),
                "n_frames": sum(log["n_frames"] for log in logs),
                "film_s": film_s,
                "times_real_time": film_s / spool.worked_s(),
                "stages_s": {
                    stage: sum(log["timings_s"].get(stage, 0.0) for log in logs) for stage in STAGES
                },
                **asdict(run),
            }
            print_row(row)
            yield row


def print_row(row: dict[str, Any]) -> None:
    """One case."""
    gpu = "no GPU seen"
    if row["gpu_busy"] is not None:
        idle, peak = 1 - row["gpu_busy"], row["gpu_peak_bytes"]
        gpu = f"GPU idle {idle:.0%}, {peak / 1e9:.2f} GB of its memory"
    stages = ", ".join(f"{stage} {took_s:.1f}" for stage, took_s in row["stages_s"].items())
    print(
        f"{row['model']:8s} {row['at_once']} at once, decoding by {row['hwaccel']}: "
        f"{row['times_real_time']:.1f} x real time on {row['cores']} cores, "
        f"{1000 * row['cpu_s'] / row['n_frames']:.1f} ms of CPU a frame, peak "
        f"{row['peak_bytes'] / 1e9:.2f} GB, {gpu}\n         seconds of all clips: {stages}",
        flush=True,
    )


if __name__ == "__main__":
    main()
