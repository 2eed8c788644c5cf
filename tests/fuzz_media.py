"""Flips bytes in the headers of real media files and sends each through our doors to parsers.

``make fuzz`` prints a table and ends with 1 when anything happened that must not: an error outside
our tree, a door that held us longer than its limits, a touched canary. The same seed makes the same
files; those that went wrong are kept.
"""

# ruff: noqa: T201 - a table is what it is for

from __future__ import annotations

import argparse
import ctypes
import logging
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import imageio_ffmpeg
import structlog

from heygemd.errors import HeygemdError
from heygemd.media import audio, probe, tool
from heygemd.media.decode import VideoReader
from heygemd.media.limits import Limits

KINDS = ("mp4", "mkv", "avi", "wav", "flac")
SOUNDS = {"wav", "flac"}
HEADER_BYTES = 2048
MOST_FLIPS = 12
# Smaller than the service's, so that what is hungry or slow is met sooner.
LIMITS = Limits(max_duration_s=600.0, probe_s=30.0, stall_s=30.0, memory_bytes=2 << 30)
BATCH = 8
# A door opens a file with at most four children, each of which may use up its patience once.
DOOR_S = 4 * LIMITS.probe_s + LIMITS.stall_s
IN_OPEN, IN_ACCESS = 0x20, 0x01  # inotify(7)
IN_NONBLOCK = 0x800


@dataclass
class Outcome:
    """What happened to all files."""

    codes: Counter = field(default_factory=Counter)
    wrong: list = field(default_factory=list)
    slowest_s: float = 0.0

    @property
    def n_files(self):
        return sum(self.codes.values())


class Canary:
    """A folder of files that nobody has a reason to open; knows when somebody does."""

    def __init__(self, folder):
        folder.mkdir()
        self.path = folder / "secret.txt"
        self.path.write_text("nobody should read this\n")
        (folder / "secret.ts").write_bytes(b"G" * 188 * 64)
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(IN_NONBLOCK)
        watched = libc.inotify_add_watch(self._fd, os.fsencode(folder), IN_OPEN | IN_ACCESS)
        if min(self._fd, watched) < 0:
            raise OSError(ctypes.get_errno(), "inotify is not to be had")

    def touched(self):
        """Names of the files that were opened since the last call."""
        try:
            events = os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return []
        names, at = [], 0
        while at < len(events):
            length = struct.unpack_from("iIII", events, at)[3]
            names.append(events[at + 16 : at + 16 + length].rstrip(b"\0").decode())
            at += 16 + length
        return [name for name in names if name]  # without one it is the folder: it was listed


def originals(folder, canary):
    """Small true files of every kind, each with a name in it that a parser could follow."""
    made = {}
    picture = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=0.4"]
    sound = ["-f", "lavfi", "-i", "sine=f=300:d=0.4:r=16000"]
    film = [*picture, *sound, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
            "-c:a", "aac", "-shortest"]  # fmt: skip
    extra = {"mp4": ["-movflags", "+faststart"], "avi": ["-c:v", "mpeg4", "-c:a", "pcm_s16le"]}
    for kind in KINDS:
        path = folder / f"original.{kind}"
        source = sound if kind in SOUNDS else [*film, *extra.get(kind, [])]
        tags = ["-metadata", f"title=file:{canary.path}", "-metadata", f"comment={canary.path}"]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *source, *tags, str(path)]
        subprocess.run(command, check=True)
        made[kind] = path.read_bytes()
    return made


def damaged(content, rng):
    """The same file with some bytes changed, most of them in its header."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, MOST_FLIPS)):
        most = len(changed) if rng.random() < 0.2 else min(HEADER_BYTES, len(changed))
        at = rng.randrange(
            4, most
        )  # the first four bytes say which parser; wrong ones stop at once
        changed[at] = rng.choice(
            (changed[at] ^ (1 << rng.randrange(8)), rng.randrange(256), 0, 255)
        )
    return bytes(changed)


def open_door(path, kind, ffmpeg):
    """Everything that a dropped file of this kind goes through; returns what came out in a word."""
    if kind in SOUNDS:
        return "decoded" if len(audio.read_waveform(ffmpeg, path, LIMITS).samples) else "nothing"
    info = probe.probe(path, LIMITS)
    n_frames = sum(
        len(frames) for frames in VideoReader(ffmpeg, path, info, LIMITS).read_all(BATCH)
    )
    return "decoded" if n_frames else "nothing"


def fuzz(*, n_files, seconds, seed, keep, n_workers=2):
    """Open ``n_files`` damaged files, or as many as ``seconds`` allow.

    Args:
        n_files: of all kinds together.
        seconds: no file is begun after them.
        seed: the same one makes the same files.
        keep: a folder for the files that went wrong.
        n_workers: files that are opened at once.
    """
    outcome = Outcome()
    ffmpeg = tool.find_ffmpeg()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        canary = Canary(folder / "canary")
        made = originals(folder, canary)
        until_s = time.monotonic() + seconds

        def one(number):
            if time.monotonic() > until_s:
                return
            kind = KINDS[number % len(KINDS)]
            path = folder / f"{number}.bin"
            path.write_bytes(damaged(made[kind], random.Random(f"{seed} {number}")))  # noqa: S311
            started_s = time.monotonic()
            try:
                code = open_door(path, kind, ffmpeg)
            except HeygemdError as error:
                code = error.reason
            except Exception:  # noqa: BLE001 - this is what is looked for
                code = "BUG"
                outcome.wrong.append((number, kind, traceback.format_exc()))
            spent_s = time.monotonic() - started_s
            outcome.slowest_s = max(outcome.slowest_s, spent_s)
            if spent_s > DOOR_S:
                outcome.wrong.append((number, kind, f"held us for {spent_s:.0f} s"))
            if touched := canary.touched():
                outcome.wrong.append((number, kind, f"opened {touched}"))
            if any(number == each[0] for each in outcome.wrong):
                keep.mkdir(parents=True, exist_ok=True)
                path.rename(keep / f"{seed}-{number}.{kind}")
            else:
                path.unlink()
            outcome.codes[kind, code] += 1

        with ThreadPoolExecutor(n_workers) as pool:
            for _ in pool.map(one, range(n_files)):
                pass
        # What the canary is worth: opening it is seen.
        canary.path.read_text()
        if not canary.touched():
            outcome.wrong.append((-1, "", "the canary does not sing"))
    return outcome


def main():
    """Print what came of it; 1 when something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-out"))
    words = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    outcome = fuzz(n_files=words.files, seconds=words.seconds, seed=words.seed, keep=words.keep,
                   n_workers=words.workers)  # fmt: skip
    for kind in KINDS:
        told = {code: n for (one, code), n in sorted(outcome.codes.items()) if one == kind}
        print(f"{kind:5}{sum(told.values()):6}  " + ", ".join(f"{c} {n}" for c, n in told.items()))
    print(f"{outcome.n_files} files, slowest {outcome.slowest_s:.1f} s, {len(outcome.wrong)} wrong")
    for number, kind, what in outcome.wrong:
        print(f"file {number} ({kind}): {what}")
    return 1 if outcome.wrong or outcome.n_files < words.files else 0


if __name__ == "__main__":
    sys.exit(main())
