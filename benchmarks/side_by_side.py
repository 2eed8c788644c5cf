"""heygemd beside Wav2Lip's own pipeline and ffmpeg's bare transcode, on the same clip and voice.

python benchmarks/side_by_side.py --face VIDEO --audio AUDIO
    [--wav2lip DIR --python PYTHON --checkpoint FILE --box Y1 Y2 X1 X2] [--rounds 3] [--clips 3]

The peer is any checkout of Wav2Lip, run by a Python that has what it needs; both sides then load
the same checkpoint. Random weights show the same speed. Without a peer, heygemd runs beside ffmpeg
alone. The order changes from round to round; ratios are medians over rounds.

cold       one job in a fresh process, and one run of the peer
cached     the same job with a known face track, and the peer told where the face is (--box)
warm       several clips in one job, and as many runs of the peer
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from measuring import Run, Spool, another, measure, seconds_of, transcode, write

OURS, PEER, BARE = "heygemd", "wav2lip", "ffmpeg"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--face", type=Path, required=True)
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--wav2lip", type=Path, help="a checkout of the peer")
    parser.add_argument("--python", default=sys.executable, help="the peer's own")
    parser.add_argument("--checkpoint", type=Path, help="for both; without one ours is warp")
    parser.add_argument("--box", nargs=4, help="top bottom left right of the face, for the peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=3, help="in the warm case")
    parser.add_argument("--set", action="append", default=[], help="section.key=value, for ours")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    if arguments.wav2lip is not None and arguments.checkpoint is None:
        parser.error("--wav2lip wants --checkpoint")
    rounds: dict[tuple[str, str], list[Run]] = {}
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            steps = plan(Path(scratch), arguments)
            for case, side, step in reversed(steps) if number % 2 else steps:
                rounds.setdefault((case, side), []).append(step())
    rows = [row(case, side, runs, rounds) for (case, side), runs in rounds.items()]
    for each in sorted(rows, key=lambda row: (row["case"], row["side"])):
        print_row(each)
    write(arguments.json, "side_by_side", rows)


def plan(folder: Path, arguments: argparse.Namespace) -> list[tuple[str, str, Callable[[], Run]]]:
    """Every case and side of one round, in an order that may be turned around."""
    face, audio = arguments.face, arguments.audio
    copies = [another(face, n, folder) for n in range(arguments.clips)]
    model = "warp" if arguments.checkpoint is None else "wav2lip"
    more = list(arguments.set)
    if arguments.checkpoint is not None:
        more.append(f"model.path={arguments.checkpoint.absolute()}")

    def ours(name: str, clips: list[Path], *, known: bool = False) -> Callable[[], Run]:
        def run() -> Run:
            spool = Spool(folder / name, model, more)
            if known:
                spool.drop("before", audio, clips)
                spool.run()
            spool.drop("job", audio, clips)
            return spool.run()

        return run

    length_s = seconds_of(audio)
    bare = transcode(face, audio, length_s, folder / "bare.mp4")
    steps = [
        ("cold", OURS, ours("cold", [face])),
        ("cached", OURS, ours("cached", [face], known=True)),
        ("warm", OURS, ours("warm", copies)),
        ("cold", BARE, lambda: measure(bare)),
    ]
    if arguments.wav2lip is not None:
        out = folder / "peer.mp4"
        whole, boxed = (peer(arguments, out, box=box) for box in (None, arguments.box))
        steps.append(("cold", PEER, lambda: measure(whole, cwd=arguments.wav2lip)))
        many = [whole] * arguments.clips
        steps.append(
            ("warm", PEER, lambda: added([measure(one, cwd=arguments.wav2lip) for one in many]))
        )
        if arguments.box is not None:
            steps.append(("cached", PEER, lambda: measure(boxed, cwd=arguments.wav2lip)))
    return steps


def peer(arguments: argparse.Namespace, out: Path, *, box: list[str] | None) -> list[str]:
    """The peer's command line."""
    paths = {
        "--checkpoint_path": arguments.checkpoint, "--face": arguments.face,
        "--audio": arguments.audio, "--outfile": out,
    }  # fmt: skip
    words = [word for name, path in paths.items() for word in (name, str(path.absolute()))]
    return [arguments.python, "inference.py", *words, *(["--box", *box] if box else [])]


def added(runs: list[Run]) -> Run:
    """Several runs one after another as one."""
    return Run(
        sum(run.wall_s for run in runs),
        sum(run.cpu_s for run in runs),
        max(run.peak_bytes for run in runs),
        max(run.root_peak_bytes for run in runs),
    )


def row(
    case: str, side: str, runs: list[Run], rounds: dict[tuple[str, str], list[Run]]
) -> dict[str, Any]:
    """One side of one case: all rounds, and the median ratios to the bare transcode and to ours."""
    found: dict[str, Any] = {"case": case, "side": side, "runs": [asdict(run) for run in runs]}
    for name, other in (("to_ffmpeg", ("cold", BARE)), ("to_heygemd", (case, OURS))):
        pairs = zip(runs, rounds[other], strict=True)
        found[name] = median(run.cpu_s / base.cpu_s for run, base in pairs)
    return found


def print_row(row: dict[str, Any]) -> None:
    """One line of the table."""
    cpu_s, wall_s = (median(run[name] for run in row["runs"]) for name in ("cpu_s", "wall_s"))
    peak_gb = max(run["peak_bytes"] for run in row["runs"]) / 1e9
    print(
        f"{row['case']:7s} {row['side']:8s} cpu {cpu_s:8.1f} s, wall {wall_s:8.1f} s, peak "
        f"{peak_gb:5.2f} GB, {row['to_ffmpeg']:7.2f} x ffmpeg, {row['to_heygemd']:7.2f} x heygemd"
    )


if __name__ == "__main__":
    main()
