"""ffmpeg children: started with limits, drained, read or fed, and always reaped."""

from __future__ import annotations

import fcntl
import os
import re
import resource
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from heygemd.errors import (
    DependencyError,
    HeygemdError,
    LimitError,
    MediaError,
    TransientError,
)
from heygemd.log import log
from heygemd.media.environment import child_environment

PIPE_BYTES = 1 << 20  # Linux's default ceiling for F_SETPIPE_SZ
SAID_BYTES = 4000  # of standard error kept for messages
MAX_OUT_BYTES = 16 << 20  # of a child that is run to its end
START_S = 30.0  # for a program of 170 MB on a cold disk

# Demuxers that read one file and nothing else; playlists (hls, concat, dash, sdp) are not here.
SAFE_DEMUXERS = (
    "aac,aiff,asf,avi,flac,flv,jpeg_pipe,matroska,mov,mp3,mpeg,mpegts,mpegvideo,ogg,png_pipe,"
    "w64,wav,webp_pipe"
)
NEEDED_FILTERS = (
    "addroi", "aresample", "bwdif", "extractplanes", "fillborders", "fps", "pad", "reverse",
    "scale", "select", "tonemap", "zscale",
)  # fmt: skip
OUT_OF_MEMORY = ("Cannot allocate memory", "Resource temporarily unavailable")


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """Which ffmpeg we use.

    Attributes:
        path: the program.
        version: in its own words, e.g. ``n9.0.2``.
        hwaccel: what decodes, ``cuda``; empty for the processor.
    """

    path: Path
    version: str
    hwaccel: str = ""

    @property
    def decoder(self) -> str:
        """What frames depend on: other decoders may mend broken streams in other ways."""
        return f"{self.version} {self.hwaccel}".strip()


@dataclass(frozen=True, slots=True)
class Caps:
    """What the kernel lets a child use; None leaves a resource unlimited.

    Attributes:
        memory_bytes: address space.
        cpu_s: processor time.
        file_bytes: largest file it may write; 0 means none.
        stall_s: wall clock without a byte moving before it counts as hung.
    """

    memory_bytes: int | None = 8 << 30
    cpu_s: int | None = None
    file_bytes: int | None = 0
    stall_s: float = 120.0


def find_ffmpeg(path: Path | None = None) -> Ffmpeg:
    """The ffmpeg to use, proven to run and to have what we need.

    Args:
        path: of the settings; None takes the one in the imageio-ffmpeg wheel.

    Raises:
        DependencyError: it is not there, does not run, or lacks a filter.
    """
    path = path or _bundled_ffmpeg()
    try:
        version = run([str(path), "-hide_banner", "-version"], Caps(), limit_s=START_S)
        filters = run([str(path), "-hide_banner", "-filters"], Caps(), limit_s=START_S)
    except (OSError, MediaError) as error:
        raise DependencyError(
            f"ffmpeg at {path} does not run: {error}; set media.ffmpeg to one that does"
        ) from error
    if version.code or filters.code:
        raise DependencyError(
            f"ffmpeg at {path} ends with exit code {version.code or filters.code} and says: "
            f"{version.said}; set media.ffmpeg to one that runs"
        )
    known = set(re.findall(r"^ \S+ (\w+)", filters.out.decode(), re.MULTILINE))
    missing = [name for name in NEEDED_FILTERS if name not in known]
    if missing:
        raise DependencyError(
            f"ffmpeg at {path} has no filter {', '.join(missing)}; want a full build, "
            "or leave media.ffmpeg empty for the built-in one"
        )
    found = re.match(r"ffmpeg version (\S+)", version.out.decode())
    return Ffmpeg(path=path, version=found.group(1) if found else "unknown")


def _bundled_ffmpeg() -> Path:
    import imageio_ffmpeg  # noqa: PLC0415 - not needed where the settings name an ffmpeg

    try:
        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise DependencyError(
            "no ffmpeg: install imageio-ffmpeg with its binary, or set media.ffmpeg"
        ) from error


def command(tool: Ffmpeg, args: Sequence[str]) -> list[str]:
    """The whole command line; ``args`` come from ffmpeg-python's ``get_args``."""
    return [str(tool.path), "-nostdin", "-hide_banner", "-loglevel", "error", *args]


def user_file(path: Path, demuxer: str) -> dict[str, str]:
    """Input options that let ffmpeg read this one file with this one demuxer."""
    return {
        "filename": f"file:{path.absolute()}",  # so that no name is taken for a protocol
        "f": demuxer,
        "format_whitelist": SAFE_DEMUXERS,
        "protocol_whitelist": "file,pipe",
    }


class Child:
    """A running child, with at most one end of a pipe in our hands; made by ``running``."""

    def __init__(self, process: subprocess.Popen[bytes], stall_s: float) -> None:
        self._process = process
        self._stall_s = stall_s
        self._said = b""
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    @property
    def said(self) -> str:
        """The end of what it wrote to standard error."""
        return self._said.decode("utf-8", "replace").strip() or "nothing"

    def read_into(self, target: memoryview) -> int:
        """Fill ``target``; returns the bytes read, fewer only at the end of the stream.

        Raises:
            MediaError: ``stalled``.
        """
        pipe = _opened(self._process.stdout)
        filled = 0
        while filled < len(target):
            try:
                n_bytes = os.readv(pipe.fileno(), [target[filled:]])
            except BlockingIOError:
                self._wait_for(pipe.fileno(), select.POLLIN)
                continue
            if n_bytes == 0:
                break
            filled += n_bytes
        return filled

    def write(self, source: memoryview) -> None:
        """Feed all of ``source``.

        Raises:
            MediaError: it stopped reading, and why; or ``stalled``.
        """
        pipe = _opened(self._process.stdin)
        written = 0
        while written < len(source):
            try:
                written += os.write(pipe.fileno(), source[written:])
            except BlockingIOError:
                self._wait_for(pipe.fileno(), select.POLLOUT)
            except BrokenPipeError:
                self.finish()
                raise MediaError(f"ffmpeg stopped reading early; it said: {self.said}") from None

    def wait(self) -> int:
        """Let it end by itself; returns its exit code.

        Raises:
            MediaError: ``stalled``.
        """
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._drain(to_the_end=True)
        try:
            return self._process.wait(self._stall_s)
        except subprocess.TimeoutExpired:
            raise self._stalled() from None

    def finish(self, *, extra_s: float = 0.0) -> None:
        """Let it end by itself and see that it succeeded.

        Args:
            extra_s: patience beyond ``stall_s``, where the end is much work.

        Raises:
            MediaError: it failed or crashed, and what it said.
            LimitError: the kernel stopped it at one of its caps.
            TransientError: the disk is full.
        """
        self._stall_s += extra_s
        code = self.wait()
        if code or _is_out_of_memory(self.said):  # ffmpeg may end early, and content
            raise failure(code, self.said)
        if self._said:
            log.warning("ffmpeg.said", said=self.said)

    def _wait_for(self, fd: int, event: int) -> None:
        """Sleep until ``fd`` is ready, draining standard error meanwhile."""
        deadline_s = time.monotonic() + self._stall_s
        while True:
            ready = self._poll({fd: event}, deadline_s)
            if fd in ready:
                return
            self._drain()

    def _poll(self, events: dict[int, int], deadline_s: float) -> set[int]:
        poll = select.poll()
        for fd, event in events.items():
            poll.register(fd, event)
        pipe = _opened(self._process.stderr)
        if not pipe.closed:
            poll.register(pipe.fileno(), select.POLLIN)
        ready = poll.poll(1000 * max(0.0, deadline_s - time.monotonic()))
        if not ready:
            raise self._stalled()
        return {fd for fd, _ in ready}

    def _drain(self, *, to_the_end: bool = False) -> None:
        """Take what standard error holds, so that the child never blocks on it."""
        pipe = _opened(self._process.stderr)
        deadline_s = time.monotonic() + self._stall_s
        while not pipe.closed:
            try:
                text = os.read(pipe.fileno(), PIPE_BYTES)
            except BlockingIOError:
                if not to_the_end:
                    return
                self._poll({}, deadline_s)
                continue
            if text:
                self._said = (self._said + text)[-SAID_BYTES:]
            else:
                pipe.close()

    def _stalled(self) -> MediaError:
        return MediaError(
            f"no progress for {self._stall_s:.0f} s; the child process said: {self.said}",
            code="stalled",
        )


@contextmanager
def running(
    argv: Sequence[str],
    caps: Caps,
    *,
    reads: bool = False,
    feeds: bool = False,
    frame_bytes: int | None = None,
) -> Iterator[Child]:
    """Start a child; when the block ends, for any reason, it is dead and reaped.

    Args:
        argv: the whole command line; paths in it are absolute.
        caps: what the kernel lets it use.
        reads: True gives us its standard output.
        feeds: True gives us its standard input, which is closed otherwise.
        frame_bytes: of each frame that it is fed.
    """
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE if feeds else subprocess.DEVNULL,
        stdout=subprocess.PIPE if reads else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        bufsize=0,
        cwd="/",
        env=child_environment(frame_bytes),
        process_group=0,  # Ctrl-C is ours to handle: the clip in hand is finished first
    )
    try:
        _cap(process.pid, caps)
        yield Child(process, caps.stall_s)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: exit code (negative is a signal), output, end of standard error."""

    code: int
    out: bytes
    said: str


def run(argv: Sequence[str], caps: Caps, *, limit_s: float) -> Ended:
    """Run a child to its end; of its output the first 16 MiB count.

    Raises:
        MediaError: ``stalled``, when it does not end in ``limit_s``.
    """
    with running(argv, replace(caps, stall_s=limit_s), reads=True) as child:
        out = memoryview(bytearray(MAX_OUT_BYTES))
        n_bytes = child.read_into(out)
        return Ended(code=child.wait(), out=bytes(out[:n_bytes]), said=child.said)


def failure(code: int, said: str) -> HeygemdError:
    """The error that stands for a child's exit code."""
    if code == -signal.SIGXCPU:
        return LimitError("ffmpeg used up its processor time; want a smaller or saner file")
    if code == -signal.SIGXFSZ:
        return LimitError("ffmpeg wanted to write more than it may")
    if code == -signal.SIGKILL or _is_out_of_memory(said):
        return MediaError(f"ffmpeg ran out of memory; it said: {said}", code="oom")
    if code < 0:
        name = signal.Signals(-code).name
        return MediaError(f"ffmpeg died of {name}; it said: {said}", code="crash")
    if "No space left on device" in said:
        return TransientError(f"the disk is full; ffmpeg said: {said}")
    return MediaError(f"ffmpeg failed with exit code {code}; it said: {said}")


def _is_out_of_memory(said: str) -> bool:
    return any(words in said for words in OUT_OF_MEMORY)


def _opened(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("this end of the child was not asked for")
    return pipe


def _cap(pid: int, caps: Caps) -> None:
    """Set the child's limits from outside: no code of ours runs between fork and exec."""
    wanted = {
        resource.RLIMIT_AS: caps.memory_bytes,
        resource.RLIMIT_CPU: caps.cpu_s,
        resource.RLIMIT_FSIZE: caps.file_bytes,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in wanted.items():
        if most is None:
            continue
        with suppress(ProcessLookupError):  # it has ended already; its exit code will tell
            _, hard = resource.prlimit(pid, kind)
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            # SIGXCPU comes at the first, SIGKILL at the second: keep them apart to tell them apart.
            last = least + 5 if kind == resource.RLIMIT_CPU and least == most else least
            resource.prlimit(pid, kind, (least, min(last, hard) if hard >= 0 else last))
