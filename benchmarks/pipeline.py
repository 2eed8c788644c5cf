"""A whole job against ffmpeg's bare transcode: frames a second, processor time, memory.

python benchmarks/pipeline.py [--clip VIDEO] [--voice AUDIO] [--seconds 12 120] [--model warp]
    [--rounds 3]

Each length is done twice a round, in a fresh process each: cold, and with the face track that the
first job left behind; each time the bare transcode follows. A daemon that runs already does not
start for it: what a process takes that finds nothing to do is told beside. Without a clip, a
1280x720 one as long as the voice is made from scikit-image's portrait; a clip that is shorter than
the voice runs forth and back. Prints a table, writes JSON with the middle one of the rounds.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from measuring import VOICE, Spool, another, make_clip, make_voice, measure, transcode, write


def main() -> None:
    """Measure each length and print ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--voice", type=Path, default=VOICE)
    parser.add_argument("--seconds", type=float, nargs="+", default=[12.0, 120.0])
    parser.add_argument("--rounds", type=int, default=3, help="the middle one counts")
    parser.add_argument("--model", default="warp")
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for seconds in arguments.seconds:
        rows += length(seconds, arguments)
    cold = [row["ours"]["peak_bytes"] for row in rows if row["case"] == "cold"]
    if len(cold) > 1:
        print(f"memory, longest against shortest: {cold[-1] / cold[0] - 1:+.1%}")
    write(arguments.json, "pipeline", rows)


def length(seconds: float, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Both cases of one length, the middle one of some rounds by its ratio each."""
    rounds: dict[str, list[dict[str, Any]]] = {"cold": [], "cached": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        clip = arguments.clip or make_clip(folder, seconds)
        voice = make_voice(folder, arguments.voice, seconds)
        spool = Spool(folder / "spool", arguments.model, arguments.set)
        for number in range(arguments.rounds):
            unknown = another(clip, number, folder)
            start = spool.run()
            for case, rows in rounds.items():
                spool.drop(f"{case}-{number}", voice, [unknown])
                ours = spool.run()
                bare = measure(transcode(clip, voice, seconds, folder / "bare.mp4"))
                (log,) = spool.logs(f"{case}-{number}")
                rows.append(
                    {
                        "seconds": seconds,
                        "case": case,
                        "ours": asdict(ours),
                        "ffmpeg": asdict(bare),
                        "start_cpu_s": start.cpu_s,
                        "ratio": ours.cpu_s / bare.cpu_s,
                        "running_ratio": (ours.cpu_s - start.cpu_s) / bare.cpu_s,
                        "frames_per_s": log["frames_per_s"],
                        "timings_s": log["timings_s"],
                    }
                )
                print_row(rows[-1])
    return [middle(rows) for rows in rounds.values()]


def middle(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The round with the median ratio, and the ratios of all."""
    ranked = sorted(rows, key=lambda row: float(row["ratio"]))
    return {**ranked[(len(ranked) - 1) // 2], "ratios": [row["ratio"] for row in rows]}


def print_row(row: dict[str, Any]) -> None:
    """One case."""
    ours, bare = row["ours"], row["ffmpeg"]
    print(
        f"{row['seconds']:6g} s, {row['case']:6s}: {row['frames_per_s']} frames/s, "
        f"wall {ours['wall_s']:.1f} s, cpu {ours['cpu_s']:.1f} s = {row['ratio']:.2f} x bare "
        f"transcode ({bare['cpu_s']:.1f} s), {row['running_ratio']:.2f} without its start "
        f"({row['start_cpu_s']:.1f} s), peak {ours['peak_bytes'] / 1e9:.2f} GB in all, "
        f"{ours['root_peak_bytes'] / 1e9:.2f} GB itself"
    )
    print(f"          stages: {row['timings_s']}", flush=True)


if __name__ == "__main__":
    main()
