"""How long one look at an inbox of many job folders takes, and what memory it leaves behind.

python benchmarks/scan.py [--folders 100 1000 10000] [--root DIR] [--share]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median

from heygemd.records import RenderOptions
from heygemd.spool.fsops import FsOps
from heygemd.spool.ids import job_id
from heygemd.spool.queue import Spool, SpoolFolders

LOOKS = 20


def fill(inbox: Path, n_folders: int) -> None:
    """Job folders of one sound and one clip, as a person would drop them."""
    for n in range(n_folders):
        folder = inbox / f"job{n:05d}"
        folder.mkdir()
        (folder / "voice.wav").touch()
        (folder / "anna.mp4").touch()


@dataclass(frozen=True, slots=True)
class Row:
    """One size: the first look, the median of later ones, memory before and after those."""

    first_s: float
    wall_s: float
    cpu_s: float
    before_mb: float
    after_mb: float


def measure(root: Path, n_folders: int, *, is_local: bool) -> Row:
    """Look at ``n_folders`` that settle."""
    folders = SpoolFolders(root / "inbox", root / "outbox", root / "work")
    for folder in (folders.inbox, folders.outbox, folders.work):
        folder.mkdir(parents=True)
    fill(folders.inbox, n_folders)
    ids = count()
    spool = Spool(
        folders,
        fs=FsOps(),
        new_id=lambda: job_id(next(ids), bytes(5)),
        options=RenderOptions(),
        instance="benchmark",
        settle_s=3600.0,
        marker=False,
        is_local=is_local,
    )
    spool.open()
    first_s, _ = timed(spool, 0.0)
    before_mb = resident_mb()
    looks = [timed(spool, float(n)) for n in range(1, LOOKS + 1)]
    walls_s, cpus_s = zip(*looks, strict=True)
    spool.close()
    return Row(first_s, median(walls_s), median(cpus_s), before_mb, resident_mb())


def timed(spool: Spool, now_s: float) -> tuple[float, float]:
    """Wall and processor seconds of one look."""
    wall_s, cpu_s = time.monotonic(), time.process_time()
    spool.ready(now_s)
    return time.monotonic() - wall_s, time.process_time() - cpu_s


def resident_mb() -> float:
    """What the process holds now."""
    n_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return n_pages * resource.getpagesize() / 1e6


def main() -> None:
    """Print a row per size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folders", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--root", type=Path, help="on the file system to measure")
    parser.add_argument("--share", action="store_true", help="look as at a share: open every file")
    arguments = parser.parse_args()
    for n_folders in arguments.folders:
        with tempfile.TemporaryDirectory(dir=arguments.root) as root:
            row = measure(Path(root), n_folders, is_local=not arguments.share)
        print(
            f"{n_folders:6d} folders: {row.wall_s:.3f} s, cpu {row.cpu_s:.3f} s "
            f"({1e6 * row.cpu_s / n_folders:.0f} us a folder), first look {row.first_s:.3f} s, "
            f"memory {row.before_mb:.1f} MB before {LOOKS} looks, {row.after_mb:.1f} MB after"
        )


if __name__ == "__main__":
    main()
