"""How long one look at an inbox of many job folders takes, and what memory it leaves behind.

python benchmarks/scan.py [--folders 100 1000 10000] [--root DIR]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from itertools import count
from pathlib import Path

from heygemd.records import RenderOptions
from heygemd.spool.fsops import FsOps
from heygemd.spool.ids import job_id
from heygemd.spool.queue import Spool, SpoolFolders

LOOKS = 5


def fill(inbox: Path, n_folders: int) -> None:
    """Job folders of one sound and one clip, as a person would drop them."""
    for n in range(n_folders):
        folder = inbox / f"job{n:05d}"
        folder.mkdir()
        (folder / "voice.wav").touch()
        (folder / "anna.mp4").touch()


def measure(root: Path, n_folders: int) -> tuple[float, float, float]:
    """Median wall and processor seconds of one look; MB that further looks added."""
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
    )
    spool.open()
    spool.ready(0.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    walls_s, cpus_s = [], []
    for n in range(LOOKS):
        wall_s, cpu_s = time.monotonic(), time.process_time()
        spool.ready(float(n))
        walls_s.append(time.monotonic() - wall_s)
        cpus_s.append(time.process_time() - cpu_s)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    spool.close()
    return sorted(walls_s)[LOOKS // 2], sorted(cpus_s)[LOOKS // 2], grown_mb


def main() -> None:
    """Print a row per size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folders", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--root", type=Path, help="on the file system to measure")
    arguments = parser.parse_args()
    for n_folders in arguments.folders:
        with tempfile.TemporaryDirectory(dir=arguments.root) as root:
            wall_s, cpu_s, grown_mb = measure(Path(root), n_folders)
        print(
            f"{n_folders:6d} folders: {wall_s:.3f} s, cpu {cpu_s:.3f} s, "
            f"{1e6 * cpu_s / n_folders:.0f} us a folder, memory {grown_mb:+.1f} MB in {LOOKS} looks"
        )


if __name__ == "__main__":
    main()
