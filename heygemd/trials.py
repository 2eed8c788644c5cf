"""What ``heygemd check`` tries on this machine and its shares; leaves nothing behind."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from heygemd.bell import is_silent
from heygemd.errors import LimitError, MediaError
from heygemd.media import probe
from heygemd.media.limits import Limits
from heygemd.service import put_whole
from heygemd.spool.fsops import FsOps

_SKEW_S = 60.0
_WATCHES = 8192  # folders that may be listened to; what Debian 12 gives at least
_WATCH_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")
_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        advice: what to do, where ``level`` is not ok.
    """

    name: str
    level: Literal["ok", "warning", "error"]
    found: str
    advice: str = ""


def try_share(
    name: str, folder: Path, *, fs: FsOps | None = None, wall: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """Write, rename, link and remove in a folder, as the spool does; and compare the clocks."""
    fs = fs or FsOps()
    place = folder / f".heygemd-check-{os.getpid()}"
    file, other = place / "a", place / "b"
    try:
        fs.mkdir(place)
        fd = fs.create(file)
        fs.write(fd, b"heygemd")
        fs.fsync(fd)
        modified_s = fs.fstat(fd).st_mtime
        fs.close(fd)
        yield _strategy(name, fs, file, other)
        yield _skew(name, modified_s - wall())
    except OSError as error:
        yield Finding(
            f"{name} writing",
            "error",
            f"{folder}: {error.strerror}",
            f"let the user that runs heygemd (uid {os.getuid()}) create, rename and delete there",
        )
    finally:
        for path in (file, other):
            with suppress(OSError):
                fs.unlink(path)
        with suppress(OSError):
            fs.rmdir(place)


def _strategy(name: str, fs: FsOps, file: Path, other: Path) -> Finding:
    """How a result can be shown without ever replacing one: by link, by rename, by reservation."""
    found = f"{name} publishing"
    for way, call in (("hard link", fs.link), ("rename without replacing", fs.rename_new)):
        try:
            call(file, other)
        except OSError:
            continue
        return Finding(found, "ok", f"by {way}")
    fs.rename(file, other)
    return Finding(found, "ok", "by reservation: this share has neither links nor safe renames")


def _skew(name: str, skew_s: float) -> Finding:
    found = f"the share's clock is {skew_s:+.0f} s from ours"
    if abs(skew_s) <= _SKEW_S:
        return Finding(f"{name} clock", "ok", found)
    return Finding(f"{name} clock", "warning", found, "let both ask the same time server (NTP)")


def try_playlist() -> Iterator[Finding]:
    """A playlist dressed up as a video must be refused, or it could open other files of ours."""
    with tempfile.TemporaryDirectory(prefix="heygemd-check-") as folder:
        secret, video = Path(folder, "secret.ts"), Path(folder, "video.bin")
        put_whole(secret, b"G" * 188 * 64)
        put_whole(video, f"#EXTM3U\n#EXTINF:1,\nfile:{secret}\n#EXT-X-ENDLIST\n".encode())
        try:
            probe.probe(video, Limits())
        except (MediaError, LimitError) as error:
            yield Finding("playlists", "ok", f"refused: {error.reason}")
        else:
            yield Finding(
                "playlists",
                "error",
                "a playlist named like a video was opened",
                "do not run heygemd on files of strangers; report this",
            )


def look_at_events(inbox: Path, limit: Path = _WATCH_LIMIT) -> Iterator[Finding]:
    """Whether file events can hurry the scan."""
    if is_silent(inbox):
        yield Finding("events", "ok", "none on this file system: the inbox is polled")
        return
    try:
        n_watches = int(limit.read_text())
    except OSError:
        yield Finding("events", "warning", "no inotify here", "the inbox is polled; this is slower")
        return
    level: Literal["ok", "warning"] = "ok" if n_watches >= _WATCHES else "warning"
    advice = "" if level == "ok" else f"sysctl fs.inotify.max_user_watches={_WATCHES}"
    yield Finding("events", level, f"up to {n_watches} folders can be listened to", advice)


def look_at_driver(path: Path = _DRIVER) -> Iterator[Finding]:
    """The NVIDIA driver's own words; nothing where there is none."""
    with suppress(OSError):
        yield Finding("driver", "ok", path.read_text().splitlines()[0].strip())


def look_at_gpus() -> Iterator[Finding]:
    """Every GPU that torch sees, after a multiplication on it."""
    import torch  # noqa: PLC0415 - seconds that --help must not take

    if not torch.cuda.is_available():
        built = torch.version.cuda
        found = (
            f"none; torch {torch.__version__} is built for {f'CUDA {built}' if built else 'CPU'}"
        )
        yield Finding("GPU", "ok", found)
        return
    for number in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(number)
        free_bytes, _ = torch.cuda.mem_get_info(number)
        major, minor = facts.major, facts.minor
        found = f"cuda:{number} {facts.name}, {free_bytes / 1e9:.1f} GB free, sm_{major}{minor}"
        ones = torch.ones(64, 64, device=f"cuda:{number}")
        if float((ones @ ones).sum()) == 64**3:
            yield Finding("GPU", "ok", found)
        else:
            yield Finding("GPU", "error", f"{found}: wrong product", "test its memory; replace it")
