"""heygemd beside Wav2Lip's own pipeline and ffmpeg's bare transcode, on the same clip and voice.

python benchmarks/side_by_side.py --face VIDEO --audio AUDIO
    [--wav2lip DIR --python PYTHON --checkpoint FILE --box Y1 Y2 X1 X2] [--rounds 3] [--clips 3]
    [--cases cold cached warm]

The peer is any checkout of Wav2Lip, run by a Python that has what it needs; both sides then load
the same checkpoint, and the ffmpeg that the peer calls encodes with our settings. Random weights
show the same speed. Without a peer, heygemd runs beside ffmpeg alone. The order changes from round
to round; ratios are of processor time a frame, medians over rounds. Ours start once and stay: a
second ratio leaves out what a process takes that finds nothing to do. The peer starts for every
clip.

cold       one job in a fresh process, and one run of the peer
cached     the same job with a known face track, and the peer told where the face is (--box)
warm       several clips in one job, and as many runs of the peer
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from measuring import (
    FFMPEG,
    Run,
    Spool,
    another,
    measure,
    seconds_of,
    transcode,
    write,
    x264_words,
)

from heygemd.media.limits import Limits
from heygemd.media.probe import probe

OURS, PEER, BARE = "heygemd", "wav2lip", "ffmpeg"
CASES = ("cold", "cached", "warm")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--face", type=Path, required=True)
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--wav2lip", type=Path, help="a checkout of the peer")
    parser.add_argument("--python", default=sys.executable, help="the peer's own")
    parser.add_argument("--checkpoint", type=Path, help="for both; without one ours is warp")
    parser.add_argument("--box", nargs=4, help="top bottom left right of the face, for the peer")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=3, help="in the warm case")
    parser.add_argument("--set", action="append", default=[], help="section.key=value, for ours")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    if arguments.wav2lip is not None and arguments.checkpoint is None:
        parser.error("--wav2lip wants --checkpoint")
    rounds: dict[tuple[str, str], list[Job]] = {}
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            steps = plan(Path(scratch), arguments)
            for case, side, step in reversed(steps) if number % 2 else steps:
                if case in arguments.cases:
                    rounds.setdefault((case, side), []).append(step())
    rows = [
        {**row(case, side, jobs, rounds), "set": arguments.set}
        for (case, side), jobs in rounds.items()
    ]
    for each in sorted(rows, key=lambda row: (row["case"], row["side"])):
        print_row(each)
    write(arguments.json, "side_by_side", rows)


@dataclass(frozen=True, slots=True)
class Job:
    """One or several clips done by one side.

    Attributes:
        run: what it took.
        n_frames: that came out.
        start_cpu_s: processor time of a process that finds nothing to do; 0 for others than ours.
    """

    run: Run
    n_frames: int
    start_cpu_s: float = 0.0

    def ms_per_frame(self, *, running: bool = False) -> float:
        """Processor time a frame; of a process that runs already, where that is asked for."""
        start_s = self.start_cpu_s if running else 0.0
        return 1000 * (self.run.cpu_s - start_s) / self.n_frames


def plan(folder: Path, arguments: argparse.Namespace) -> list[tuple[str, str, Callable[[], Job]]]:
    """Every case and side of one round, in an order that may be turned around."""
    face, audio = arguments.face, arguments.audio
    copies = [another(face, n, folder) for n in range(arguments.clips)]

    def ours(name: str, clips: list[Path]) -> Callable[[], Job]:
        return lambda: our_job(folder / name, clips, arguments, known=name == "cached")

    bare = transcode(face, audio, seconds_of(audio), folder / "bare.mp4", arguments.set)
    steps = [
        ("cold", OURS, ours("cold", [face])),
        ("cached", OURS, ours("cached", [face])),
        ("warm", OURS, ours("warm", copies)),
        *((case, BARE, lambda: job([bare])) for case in CASES[:2]),
        ("warm", BARE, lambda: job([bare] * len(copies))),
    ]
    if arguments.wav2lip is not None:
        out = folder / "peer.mp4"
        programs = same_ffmpeg(folder / "bin", arguments.set)
        whole, boxed = (peer(arguments, programs, out, box=box) for box in (None, arguments.box))
        where = arguments.wav2lip
        steps.append(("cold", PEER, lambda: job([whole], out=out, cwd=where)))
        steps.append(("warm", PEER, lambda: job([whole] * len(copies), out=out, cwd=where)))
        if arguments.box is not None:
            steps.append(("cached", PEER, lambda: job([boxed], out=out, cwd=where)))
    return steps


def our_job(folder: Path, clips: list[Path], arguments: argparse.Namespace, *, known: bool) -> Job:
    """One job of ours in a fresh process, after one on the same clips where they are known."""
    model = "warp" if arguments.checkpoint is None else "wav2lip"
    more = list(arguments.set)
    if arguments.checkpoint is not None:
        more.append(f"model.path={arguments.checkpoint.absolute()}")
    spool = Spool(folder, model, more)
    start = spool.run()
    if known:
        spool.drop("before", arguments.audio, clips)
        spool.run()
    spool.drop("job", arguments.audio, clips)
    run = spool.run()
    return Job(run, sum(log["n_frames"] for log in spool.logs("job")), start.cpu_s)


def job(commands: list[list[str]], *, out: Path | None = None, cwd: Path | None = None) -> Job:
    """Commands one after another, each of which writes ``out``, by default its last word."""
    runs, n_frames = [], 0
    for command in commands:
        runs.append(measure(command, cwd=cwd))
        n_frames += probe(out or Path(command[-1]), Limits()).n_frames
    return Job(added(runs), n_frames)


def same_ffmpeg(folder: Path, sets: Sequence[str]) -> str:
    """A PATH whose first ffmpeg is ours, and writes mp4s with our encoder settings."""
    folder.mkdir()
    program = folder / "ffmpeg"
    program.write_text(
        "#!/bin/sh\n# The settings go before the last word, which is what is written.\n"
        "left=$#\nfor word; do\n  shift\n  case $left:$word in\n"
        f'    1:*.mp4) set -- "$@" {shlex.join(x264_words(sets))} ;;\n'
        '  esac\n  set -- "$@" "$word"\n  left=$((left - 1))\ndone\n'
        f'exec {shlex.quote(FFMPEG)} "$@"\n'
    )
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def peer(
    arguments: argparse.Namespace, programs: str, out: Path, *, box: list[str] | None
) -> list[str]:
    """The peer's command line.

    Args:
        arguments: of ours.
        programs: the PATH that it finds ffmpeg by.
        out: what it writes.
        box: where the face is, if it is to be told.
    """
    paths = {
        "--checkpoint_path": arguments.checkpoint, "--face": arguments.face,
        "--audio": arguments.audio, "--outfile": out,
    }  # fmt: skip
    words = [word for name, path in paths.items() for word in (name, str(path.absolute()))]
    told = ["--box", *box] if box else []
    return ["env", f"PATH={programs}", arguments.python, "inference.py", *words, *told]


def added(runs: list[Run]) -> Run:
    """Several runs one after another as one."""
    return Run(
        sum(run.wall_s for run in runs),
        sum(run.cpu_s for run in runs),
        max(run.peak_bytes for run in runs),
        max(run.root_peak_bytes for run in runs),
    )


def row(
    case: str, side: str, jobs: list[Job], rounds: dict[tuple[str, str], list[Job]]
) -> dict[str, Any]:
    """One side of one case: all rounds, and the median ratios to the bare transcode and to ours."""
    found: dict[str, Any] = {
        "case": case,
        "side": side,
        "n_frames": jobs[0].n_frames,
        "ms_per_frame": median(one.ms_per_frame() for one in jobs),
        "runs": [asdict(one.run) for one in jobs],
    }
    for name, other, running in (
        ("to_ffmpeg", BARE, False), ("to_heygemd", OURS, False), ("to_running", OURS, True)
    ):  # fmt: skip
        pairs = zip(jobs, rounds[case, other], strict=True)
        found[name] = median(
            one.ms_per_frame() / base.ms_per_frame(running=running) for one, base in pairs
        )
    return found


def print_row(row: dict[str, Any]) -> None:
    """One line of the table."""
    cpu_s, wall_s = (median(run[name] for run in row["runs"]) for name in ("cpu_s", "wall_s"))
    peak_gb = max(run["peak_bytes"] for run in row["runs"]) / 1e9
    print(
        f"{row['case']:7s} {row['side']:8s} cpu {cpu_s:8.1f} s, wall {wall_s:8.1f} s, "
        f"{row['n_frames']:5d} frames, {row['ms_per_frame']:8.1f} ms each, peak {peak_gb:5.2f} GB, "
        f"{row['to_ffmpeg']:7.2f} x ffmpeg, {row['to_heygemd']:7.2f} x heygemd, "
        f"{row['to_running']:7.2f} x heygemd running"
    )


if __name__ == "__main__":
    main()
