"""What ``heygemd check`` tries on this machine and its shares; leaves nothing behind."""

from __future__ import annotations

import os
import stat
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from heygemd.bell import is_silent
from heygemd.errors import LimitError, MediaError
from heygemd.media import encode, probe, tool
from heygemd.media.limits import Limits
from heygemd.service import put_whole
from heygemd.spool.fsops import FsOps
from heygemd.spool.shares import share_id_of

_SKEW_S = 60.0
_WATCHES = 8192  # folders that may be listened to; what Debian 12 gives at least
_LISTENERS = 16
_INOTIFY = Path("/proc/sys/fs/inotify")
_WORDS = b"heygemd was here\n"
_TRIAL_S = 30.0
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
        fs.write(fd, _WORDS)
        fs.fsync(fd)
        modified_s = fs.fstat(fd).st_mtime
        fs.close(fd)
        yield _round_trip(name, fs, file)
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


def _round_trip(name: str, fs: FsOps, file: Path) -> Finding:
    """Whether what was written comes back, and whose it has become."""
    fd = fs.open_file(file)
    try:
        content, facts = fs.read(fd, 2 * len(_WORDS)), fs.fstat(fd)
    finally:
        fs.release(fd)
    found = f"files become {stat.filemode(facts.st_mode)} {facts.st_uid}:{facts.st_gid}"
    if content != _WORDS:
        advice = "do not use this share: it gives back other bytes than it got"
        return Finding(f"{name} permissions", "error", f"{found}, but read back wrong", advice)
    if not facts.st_mode & stat.S_IRGRP:
        advice = "a UMask= of 0027 in the unit, or the mount's file_mode=, lets the group read them"
        return Finding(f"{name} permissions", "warning", found, advice)
    return Finding(f"{name} permissions", "ok", f"{found}, read back whole")


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


def try_playlists(ffmpeg: tool.Ffmpeg) -> Iterator[Finding]:
    """Playlists dressed up as videos must be refused, or they could open other files of ours."""
    with tempfile.TemporaryDirectory(prefix="heygemd-check-") as folder:
        secret, video = Path(folder, "secret.wav"), Path(folder, "video.bin")
        with wave.open(str(secret), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(8000)
            sound.writeframes(bytes(8000))
        for kind, text in (
            ("HLS", f"#EXTM3U\n#EXTINF:1,\nfile:{secret}\n#EXT-X-ENDLIST\n"),
            ("ffconcat", f"ffconcat version 1.0\nfile '{secret}'\n"),
        ):
            put_whole(video, text.encode())
            opened = [*_probes(video), *_opens(ffmpeg, video)]
            if opened:
                yield Finding(
                    f"{kind} playlists",
                    "error",
                    f"one named like a video was opened by {' and '.join(opened)}",
                    "do not run heygemd on files of strangers; report this",
                )
            else:
                yield Finding(f"{kind} playlists", "ok", "refused when named like a video")


def _probes(video: Path) -> Iterator[str]:
    """``the probe`` where it takes a file for something to play."""
    try:
        probe.probe(video, Limits())
    except (MediaError, LimitError) as error:
        if error.reason != "unsupported_container":
            yield f"the probe, as {error.reason}"
    else:
        yield "the probe"


def _opens(ffmpeg: tool.Ffmpeg, video: Path) -> Iterator[str]:
    """``ffmpeg`` where it opens a file under the whitelists that all our decoding goes through."""
    options = tool.user_file(video, "")
    words = [word for key in ("format_whitelist", "protocol_whitelist")
             for word in (f"-{key}", options[key])]  # fmt: skip
    argv = tool.command(ffmpeg, [*words, "-i", options["filename"], "-f", "null", "-"])
    if tool.run(argv, tool.Caps(), limit_s=_TRIAL_S).code == 0:
        yield "ffmpeg"


def look_at_encoders(ffmpeg: tool.Ffmpeg) -> Iterator[Finding]:
    """Which encoders work here, each tried with a second of film."""
    problems = encode.try_encoders(ffmpeg)
    works = [name for name, problem in problems.items() if not problem]
    fails = [name for name, problem in problems.items() if problem]
    found = f"{', '.join(works) or 'none'} work" + (f"; not {', '.join(fails)}" if fails else "")
    if works:
        yield Finding("encoders", "ok", found)
    else:
        advice = "leave media.ffmpeg empty for the built-in ffmpeg"
        yield Finding("encoders", "error", found, advice)


def look_at_events(inbox: Path, limits: Path = _INOTIFY) -> Iterator[Finding]:
    """Whether file events can hurry the scan."""
    if is_silent(inbox):
        yield Finding("events", "ok", "none on this file system: the inbox is polled")
        return
    try:
        n_watches = int((limits / "max_user_watches").read_text())
        n_listeners = int((limits / "max_user_instances").read_text())
    except OSError:
        yield Finding("events", "warning", "no inotify here", "the inbox is polled; this is slower")
        return
    found = f"{n_listeners} programs of a user may listen, to {n_watches} folders"
    advice = [
        f"sysctl fs.inotify.{name}={least}"
        for name, n, least in (
            ("max_user_watches", n_watches, _WATCHES),
            ("max_user_instances", n_listeners, _LISTENERS),
        )
        if n < least
    ]
    yield Finding("events", "warning" if advice else "ok", found, "; ".join(advice))


def look_at_mark(name: str, share: Path) -> Iterator[Finding]:
    """Whether a share could be told from its bare mount point while it is away."""
    share_id = share_id_of(FsOps(), share)
    if share_id:
        yield Finding(f"{name} mark", "ok", f"carries SHARE_ID {share_id}")
    else:
        found = "no SHARE_ID: while the share is away its mount point looks like an empty one"
        yield Finding(f"{name} mark", "warning", found, "heygemd init, while it is mounted")


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
