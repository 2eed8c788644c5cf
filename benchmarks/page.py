"""docs/performance.md out of the figures that the other benchmarks wrote.

python benchmarks/page.py [--results benchmarks/results] [--out docs/performance.md]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from measuring import ROOT

INTRO = """# How fast it is, and what that costs

Written by `benchmarks/page.py` from the files in `benchmarks/results/`; every table names its
machine and day. Machines are shared and were busy, so ratios of runs side by side are the claim,
not seconds. CPU seconds count all processes of a job, start-up and loading included. *Bare
transcode* is plain ffmpeg from the same clip to the same size with the same encoder settings:
nothing around an encoder can cost less.
"""
HOW = """
## To measure it again

```
python benchmarks/pipeline.py --json benchmarks/results/pipeline.json
python benchmarks/stages.py --clip VIDEO --voice AUDIO --json benchmarks/results/stages.json
python benchmarks/side_by_side.py --face VIDEO --audio AUDIO \\
    --json benchmarks/results/side_by_side.json
python benchmarks/scaling.py --json benchmarks/results/scaling.json
python benchmarks/models.py --json benchmarks/results/models.json
python benchmarks/host.py --checkpoint FILE --json benchmarks/results/host.json
python benchmarks/page.py
```

`side_by_side.py --wav2lip DIR --checkpoint FILE` takes a checkout of Wav2Lip and your checkpoint.
"""
Figures = dict[str, Any]


def main() -> None:
    """Read what is there, write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks/results")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/performance.md")
    arguments = parser.parse_args()
    arguments.out.write_text(text(arguments.results))


def text(results: Path) -> str:
    """The whole page, a section for each file of figures that is there."""
    parts = [INTRO]
    for name, section in SECTIONS.items():
        path = results / f"{name}.json"
        if path.exists():
            figures = json.loads(path.read_text())
            parts += ["\n", *section(figures["rows"]), f"\n{where(figures['machine'])}\n"]
    return "".join([*parts, HOW])


def where(machine: Figures) -> str:
    """The machine and the day in one line."""
    load = machine["load"][0]
    return (
        f"{machine['date']}, {machine['cores']} cores of {machine['cpu']}, load {load:.0f}, Python "
        f"{machine['python']}, torch {machine['torch']}, ffmpeg {machine['ffmpeg']}."
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown: words to the left, figures to the right."""
    yield f"| {' | '.join(head)} |\n|{'---|' + '---:|' * (len(head) - 1)}\n"
    for row in rows:
        yield f"| {' | '.join(row)} |\n"


def pipeline(rows: Sequence[Figures]) -> Iterator[str]:
    """A whole job against the bare transcode."""
    yield "## A whole job with `warp` at 720p\n\n"
    yield from table(
        ("voice", "frames a second", "CPU s", "bare, CPU s", "ratio", "running", "memory, GB"),
        [
            (
                f"{row['seconds']:g} s, {row['case']}",
                f"{row['frames_per_s']:.1f}",
                f"{row['ours']['cpu_s']:.1f}",
                f"{row['ffmpeg']['cpu_s']:.1f}",
                f"{row['ratio']:.2f} ({min(row['ratios']):.2f} to {max(row['ratios']):.2f})",
                f"{row['running_ratio']:.2f}",
                f"{row['ours']['peak_bytes'] / 1e9:.2f}",
            )
            for row in rows
        ],
    )
    yield "\n*cold*: a clip never seen; *cached*: its face is kept from an earlier job; *running*: "
    yield "the\nratio for a daemon that runs already, without the processor time of starting one; "
    n_rounds = max((len(row["ratios"]) for row in rows), default=0)
    yield "*memory*:\nthe peak of all processes together. The middle one of "
    yield f"{n_rounds} rounds by its ratio, in brackets\nthe least and the most.\n"


def stages(rows: Sequence[Figures]) -> Iterator[str]:
    """Where the time goes."""
    yield "## Where the time goes\n\nOne stage after another, milliseconds of CPU a frame.\n\n"
    (row,) = rows
    each = row["cpu_s"].items()
    yield from table(
        ("stage", "ms"), [(name, f"{1000 * cpu_s / row['n_frames']:.1f}") for name, cpu_s in each]
    )


def side_by_side(rows: Sequence[Figures]) -> Iterator[str]:
    """Ours, the peer where one was at hand, ffmpeg."""
    yield "## Side by side\n\n"
    if not any(row["side"] == "wav2lip" for row in rows):
        yield "No checkout of Wav2Lip was at hand: heygemd and ffmpeg alone.\n\n"
    yield from table(
        (
            "case",
            "frames",
            "CPU ms a frame",
            "wall s",
            "memory, GB",
            "times ffmpeg",
            "times heygemd",
            "times heygemd running",
        ),
        [
            (
                f"{row['case']}, {row['side']}",
                str(row["n_frames"]),
                f"{row['ms_per_frame']:.1f}",
                f"{median(run['wall_s'] for run in row['runs']):.1f}",
                f"{max(run['peak_bytes'] for run in row['runs']) / 1e9:.2f}",
                f"{row['to_ffmpeg']:.2f}",
                f"{row['to_heygemd']:.2f}",
                f"{row['to_running']:.2f}",
            )
            for row in rows
        ],
    )
    yield "\nRatios are of processor time a frame; *running*: heygemd without what a process that\n"
    yield "finds nothing to do takes. The peer starts for every clip. All encode with the same\n"
    chosen = sorted({setting for row in rows for setting in row["set"]})
    yield f"settings: {', '.join(f'`{setting}`' for setting in chosen) or 'those of heygemd'}.\n"


def scaling(rows: Sequence[Figures]) -> Iterator[str]:
    """What grows, and what does not."""
    yield "## As work grows\n\n"
    units = {"length": "s of 1080p", "height": "px high", "clips": "clips in a job"}
    yield from table(
        ("what", "frames", "CPU ms a frame", "peak memory, GB", "itself, GB"),
        [
            (
                f"{row['size']:g} {units[row['grows']]}",
                str(row["n_frames"]),
                f"{row['ms_per_frame']:.1f}",
                f"{row['peak_bytes'] / 1e9:.2f}",
                f"{row['root_peak_bytes'] / 1e9:.2f}",
            )
            for row in rows
            if row["grows"] in units
        ],
    )
    yield "\n"
    yield from table(
        ("jobs waiting", "CPU ms a look", "memory after 20 looks, MB"),
        [
            (f"{row['size']:g}", f"{1000 * row['cpu_s']:.1f}", f"{row['after_mb']:.0f}")
            for row in rows
            if row["grows"] == "waiting"
        ],
    )


def models(rows: Sequence[Figures]) -> Iterator[str]:
    """Networks and warp alone."""
    yield "## Models alone\n\n"
    yield from table(
        ("model", "device", "batch", "CPU ms a frame", "wall ms a frame"),
        [
            (
                f"{row['model']} {row['what']}",
                row["device"],
                str(row["batch"]),
                f"{row['cpu_ms']:.1f}",
                f"{row['wall_ms']:.1f}",
            )
            for row in rows
        ],
    )


def host(rows: Sequence[Figures]) -> Iterator[str]:
    """Whole jobs on one host, most of all on one with a GPU."""
    yield "## Jobs of several clips on one host\n\n"
    yield from table(
        ("model", "clips at once", "decoder", "times real time", "CPU ms a frame", "memory, GB",
         "GPU memory, GB", "GPU idle"),
        [
            (
                row["model"],
                str(row["at_once"]),
                row["hwaccel"],
                f"{row['times_real_time']:.1f}",
                f"{1000 * row['cpu_s'] / row['n_frames']:.1f}",
                f"{row['peak_bytes'] / 1e9:.2f}",
                "" if row["gpu_busy"] is None else f"{row['gpu_peak_bytes'] / 1e9:.2f}",
                "" if row["gpu_busy"] is None else f"{1 - row['gpu_busy']:.0%}",
            )
            for row in rows
        ],
    )  # fmt: skip


SECTIONS = {
    "pipeline": pipeline,
    "stages": stages,
    "side_by_side": side_by_side,
    "scaling": scaling,
    "models": models,
    "host": host,
}


if __name__ == "__main__":
    main()
