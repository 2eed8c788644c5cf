"""What a file holds, as a child process under limits sees it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

from heygemd.errors import AudioError, DependencyError, HeygemdError, LimitError, MediaError
from heygemd.media import colour, probe_child, rate
from heygemd.media.limits import Limits
from heygemd.media.sniff import Sniffed, find_truncation, sniff
from heygemd.media.tool import SAFE_DEMUXERS, Caps, Ended, run
from heygemd.records import AudioInfo, VideoInfo

Kind = Literal["video", "audio", "picture", "empty", "playlist", "text", "unknown"]
"""What a file is: the first three can be used, the others say what was found instead."""

NO_MEMORY = ("MemoryError", "failed to map segment", "annot allocate memory")
STILL_FPS = Fraction(25)  # of a clip made of one picture

Facts = dict[str, Any]
"""What the child printed."""

FORCED = {
    "mp4": "mov", "mp4_sound": "mov", "riff_video": "avi", "riff_sound": "wav",
    "matroska": "matroska",
}  # fmt: skip
PICTURES = {b"\x89PNG": "png_pipe", b"RIFF": "webp_pipe"}
VIDEO_WANTED = "want mp4, mov, mkv, webm, avi, flv, m4v, mpg, ts, wmv, jpg, png or webp"
AUDIO_WANTED = "want wav, mp3, m4a, aac, flac, ogg, opus, wma or aiff"
FOUND = {
    "empty": "an empty file", "playlist": "a playlist, which could name other files",
    "text": "a text file", "unknown": "bytes of no kind we know",
}  # fmt: skip


def probe(path: Path, limits: Limits) -> VideoInfo:
    """What a clip is.

    Raises:
        MediaError: ``empty_input``, ``truncated_input``, ``unsupported_container``, ``no_video``,
            ``corrupt``, ``probe_timeout``, ``crash`` or ``oom``.
        LimitError: too many pixels or tracks, or too long.
    """
    facts = look_inside(path, limits, _clip_error)
    video = facts["video"]
    if video is None:
        raise MediaError(
            f"no picture in this {facts['container']} file, only "
            f"{'sound' if facts['audio'] else 'nothing we know'}; want a video or a still picture",
            code="no_video",
        )
    if not video["frames"]:
        raise MediaError(
            f"not one frame of this {video['codec']} video decodes; it said: "
            f"{_tail(facts)}; export the clip again",
            code="corrupt",
        )
    return _video_info(facts, limits)


def probe_audio(path: Path, limits: Limits) -> AudioInfo:
    """What a sound is.

    Raises:
        AudioError: the codes of ``probe``, ``no_sound`` for ``no_video``, and ``limits``.
    """
    facts = look_inside(path, limits, _sound_error)
    audio = facts["audio"]
    if audio is None or audio["rate_hz"] < 1 or audio["n_channels"] < 1:
        raise AudioError(
            f"no sound in this {facts['container']} file; {AUDIO_WANTED}", code="no_sound"
        )
    duration_s = _duration_s(audio, facts)
    if duration_s > limits.max_duration_s:
        raise AudioError(_too_long(duration_s, limits), code="limits")
    return AudioInfo(
        codec=audio["codec"],
        container=facts["container"],
        rate_hz=audio["rate_hz"],
        n_channels=audio["n_channels"],
        duration_s=duration_s,
        bit_rate=audio["bit_rate"],
        profile=audio["profile"],
        stream=audio["index"],
    )


def probe_kind(path: Path, limits: Limits | None = None) -> Kind:
    """What a file is by its content; the name counts for nothing.

    A damaged film is still ``video``: its clip fails with a reason instead of being overlooked.
    """
    seen = sniff(path)
    if seen in {"empty", "playlist", "text"}:
        return seen
    if seen == "picture":
        return "picture"
    try:
        facts = look_inside(path, limits or Limits(), _clip_error)
    except LimitError:
        return "audio" if seen in {"mp4_sound", "riff_sound", "sound"} else "video"
    except MediaError:
        damaged: dict[Sniffed, Kind] = {
            "mp4": "video", "riff_video": "video", "matroska": "video", "film": "video",
            "mp4_sound": "audio", "riff_sound": "audio", "sound": "audio",
        }  # fmt: skip
        return damaged.get(seen, "unknown")
    if facts["video"]:
        return "video"
    return "audio" if facts["audio"] else "unknown"


def look_inside(
    path: Path, limits: Limits, refuse: Callable[[str, str], HeygemdError] | None = None
) -> Facts:
    """What ``probe_child`` sees in a file.

    Args:
        path: the file.
        limits: pixels, tracks and time that it may cost.
        refuse: makes the error to raise of a code and a message; clips' errors by default.
    """
    refuse = refuse or _clip_error
    seen = sniff(path)
    if seen == "empty":
        raise refuse("empty_input", f"the file is empty; {_wanted(refuse)}")
    if seen in {"playlist", "text"}:
        raise refuse("unsupported_container", f"found {FOUND[seen]}; {_wanted(refuse)}")
    if lost := find_truncation(path):
        raise refuse("truncated_input", f"the file ends too early: {lost}; copy it again")
    facts = _run_child(path, _demuxer(path, seen), limits, refuse)
    error = facts.get("error", "")
    if error == "limits":
        raise refuse("limits", f"{facts['said']}; {_allowed(limits)}")
    if error == "oom":
        raise refuse("oom", "looking at the file took all the memory it may")
    if error == "unsupported_container" or (error and seen == "unknown"):
        raise refuse("unsupported_container", f"found {FOUND['unknown']}; {_wanted(refuse)}")
    if error:
        raise refuse("corrupt", f"the file cannot be read: {facts['said']}; export it again")
    return facts


def _run_child(
    path: Path, demuxer: str, limits: Limits, refuse: Callable[[str, str], HeygemdError]
) -> Facts:
    argv = [
        sys.executable, "-I", probe_child.__file__, str(path.absolute()), demuxer, SAFE_DEMUXERS,
        str(limits.max_pixels), str(limits.max_streams),
    ]  # fmt: skip
    caps = Caps(memory_bytes=limits.memory_bytes, cpu_s=int(limits.probe_s) + 1)
    try:
        ended = run(argv, caps, limit_s=limits.probe_s)
    except MediaError as stalled:
        raise refuse(
            "probe_timeout",
            f"looking at the file took over {limits.probe_s:.0f} s; export it again",
        ) from stalled
    if ended.code:
        raise _dead_child(ended, refuse)
    return cast("Facts", json.loads(ended.out))


def _dead_child(ended: Ended, refuse: Callable[[str, str], HeygemdError]) -> HeygemdError:
    """The error that stands for a child which could not tell us anything."""
    if "No module named" in ended.said:
        return DependencyError(f"probing needs PyAV: {ended.said}; pip install av")
    if ended.code == -signal.SIGXCPU:
        return refuse("probe_timeout", "looking at the file took all the processor time it may")
    if ended.code == -signal.SIGKILL or any(words in ended.said for words in NO_MEMORY):
        return refuse("oom", "looking at the file took all the memory it may")
    return refuse(
        "crash",
        f"looking at the file ended in exit code {ended.code}; export it again; "
        f"the child said: {ended.said[-300:]}",
    )


def _demuxer(path: Path, seen: Sniffed) -> str:
    if seen != "picture":
        return FORCED.get(seen, "")
    with path.open("rb") as file:
        return PICTURES.get(file.read(4), "jpeg_pipe")


def _video_info(facts: Facts, limits: Limits) -> VideoInfo:
    video, frame = facts["video"], facts["video"]["frames"][0]
    still = facts["container"].endswith("_pipe")
    tick_s = Fraction(*video["time_base"])
    gaps = [(gap * tick_s, count) for gap, count in video["gaps"]]
    fps = rate.constant_rate(gaps, tick_s, [Fraction(*pair) for pair in video["rates"]])
    fps = STILL_FPS if still else fps
    duration_s = 1 / fps if still else _duration_s(video, facts) or 1 / fps
    if duration_s > limits.max_duration_s:
        raise LimitError(_too_long(duration_s, limits))
    sample_aspect = Fraction(*(video["sample_aspect"] or (1, 1))) or Fraction(1)
    turn_deg = -frame["rotation_deg"] % 360  # ffmpeg counts against the clock
    width_px, height_px = frame["width_px"], frame["height_px"]
    if turn_deg in {90, 270}:
        width_px, height_px, sample_aspect = height_px, width_px, 1 / sample_aspect
    span_s = 0 if still else ((video["last"] or 0) - (video["first"] or 0)) * tick_s
    return VideoInfo(
        width_px=width_px,
        height_px=height_px,
        fps=fps,
        n_frames=round(span_s * fps) + 1,
        duration_s=duration_s,
        container=facts["container"],
        codec=video["codec"],
        pixel_format=frame["pixel_format"],
        rotation_deg=turn_deg if turn_deg in {90, 180, 270} else 0,
        sample_aspect=sample_aspect,
        colour=colour.colour_tags(
            frame["primaries"], frame["transfer"], frame["matrix"], frame["range"]
        ),
        bit_rate=video["bit_rate"],
        interlaced=any(frame["interlaced"] for frame in video["frames"]),
        variable_rate=not still and not rate.is_steady(gaps, fps, tick_s),
        still=still,
        has_audio=facts["audio"] is not None,
        stream=video["index"],
        start_s=(frame["pts"] or 0) * tick_s,
    )


def _duration_s(track: Facts, facts: Facts) -> Fraction:
    """Of one track, by its packets, else by its header."""
    tick_s = Fraction(*track["time_base"])
    if track["n_packets"] and track["end"] > track["first"]:
        return tick_s * int(track["end"] - track["first"])
    if track["duration"]:
        return tick_s * int(track["duration"])
    return Fraction(facts["duration_s"] or 0).limit_denominator(1_000_000)


def _clip_error(code: str, message: str) -> HeygemdError:
    return LimitError(message) if code == "limits" else MediaError(message, code=code)


def _sound_error(code: str, message: str) -> HeygemdError:
    return AudioError(message, code=code)


def _wanted(refuse: Callable[[str, str], HeygemdError]) -> str:
    return AUDIO_WANTED if refuse is _sound_error else VIDEO_WANTED


def _allowed(limits: Limits) -> str:
    return (
        f"at most {limits.max_pixels} pixels and {limits.max_streams} tracks are allowed; "
        "shrink the file or raise media.max_pixels"
    )


def _too_long(duration_s: Fraction, limits: Limits) -> str:
    return (
        f"{float(duration_s):.0f} s long, at most {limits.max_duration_s:.0f} s are allowed; "
        "cut it or raise media.max_duration_s"
    )


def _tail(facts: Facts) -> str:
    return "; ".join(facts["logs"][-2:]) or "nothing"
