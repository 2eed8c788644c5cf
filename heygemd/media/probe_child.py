"""The child process that parses a user's file: prints what it saw as JSON and ends.

Run by path with ``python -I``, so it imports nothing of heygemd. The parent caps its memory and
time; whatever a poison file does here ends with this process.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import av.error
import av.logging

N_FRAMES_SEEN = 4  # enough to see a field flag; the first alone may be a lone key frame
N_DELTAS = 64  # most frequent gaps between frames that are reported
ATTACHED_PICTURE = 0x400  # AV_DISPOSITION_ATTACHED_PIC


def main(path: str, demuxer: str, demuxers: str, max_pixels: str, max_streams: str) -> None:
    """Print one JSON object: what the file holds, or ``{"error": code, "said": text}``.

    Args:
        path: the file.
        demuxer: the only one to try; empty lets the bytes choose among ``demuxers``.
        demuxers: comma-separated, all that may ever open this file.
        max_pixels: width times height of a frame.
        max_streams: tracks of all kinds.
    """
    options = {
        "format_whitelist": demuxers,
        "protocol_whitelist": "file",
        "max_pixels": max_pixels,
    }
    av.logging.set_level(av.logging.ERROR)
    with av.logging.Capture() as logs:
        try:
            seen = look(f"file:{path}", demuxer or None, options, int(max_streams))
        except MemoryError:
            seen = {"error": "oom", "said": "out of memory"}
        except (av.error.FFmpegError, ValueError) as error:
            seen = {"error": "corrupt", "said": f"{type(error).__name__}: {error}"}
    said = [text.strip() for _, _, text in logs]
    seen["logs"] = said[-8:]
    if any("max pixel count" in text for text in said):
        seen |= {"error": "limits", "said": next(t for t in said if "max pixel count" in t)}
    elif any("not on whitelist" in text for text in said):
        seen |= {"error": "unsupported_container", "said": said[-1]}
    json.dump(seen, sys.stdout)


def look(
    url: str, demuxer: str | None, options: dict[str, str], max_streams: int
) -> dict[str, Any]:
    """What the file holds; sound and picture are those a player would take."""
    with av.open(url, format=demuxer, options=options, metadata_errors="replace") as container:
        seen: dict[str, Any] = {
            "container": container.format.name.split(",")[0],
            "n_streams": len(container.streams),
            "duration_s": container.duration / av.time_base if container.duration else None,
            "bit_rate": container.bit_rate,
            "video": None,
            "audio": None,
        }
        if seen["n_streams"] > max_streams:
            return seen | {"error": "limits", "said": f"{seen['n_streams']} streams"}
        video = _best(container, "video")
        audio = _best(container, "audio")
        pixels = {"max_pixels": options["max_pixels"]}
        if audio is not None:
            seen["audio"] = see_audio(audio)
        if video is not None:
            video.codec_context.options = pixels
            video.codec_context.thread_count = 1
            seen["video"] = see_video(video)
        see_packets(container, [stream for stream in (video, audio) if stream is not None], seen)
        return seen


def _best(container: Any, kind: str) -> Any:  # noqa: ANN401 - av ships no types we rely on
    stream = container.streams.best(kind)
    if stream is None or int(stream.disposition) & ATTACHED_PICTURE:
        return None
    if stream.codec_context is None and kind == "video":
        raise ValueError("nothing here knows how its pictures are coded")
    return None if stream.codec_context is None else stream


def see_audio(stream: Any) -> dict[str, Any]:  # noqa: ANN401
    """The sound's header."""
    codec = stream.codec_context
    return {
        "index": stream.index,
        "codec": codec.name,
        "profile": stream.profile or "",
        "rate_hz": codec.rate or 0,
        "n_channels": codec.channels or 0,
        "bit_rate": codec.bit_rate or 0,
        "time_base": _pair(stream.time_base),
        "duration": stream.duration,
    }


def see_video(stream: Any) -> dict[str, Any]:  # noqa: ANN401
    """The picture's header."""
    codec = stream.codec_context
    return {
        "index": stream.index,
        "codec": codec.name,
        "bit_rate": codec.bit_rate or 0,
        "time_base": _pair(stream.time_base),
        "duration": stream.duration,
        "n_header_frames": stream.frames,
        "rates": [_pair(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate],
        "width_px": codec.width,
        "height_px": codec.height,
        "sample_aspect": _pair(stream.sample_aspect_ratio),
    }


def see_packets(container: Any, streams: list[Any], seen: dict[str, Any]) -> None:  # noqa: ANN401
    """Add time stamps of all packets, and the first few pictures decoded, to ``seen``."""
    stamps: dict[int, list[int]] = {stream.index: [] for stream in streams}
    ends: dict[int, int] = {}
    frames: list[dict[str, Any]] = []
    sounds: list[int] = []
    for packet in _packets(container, streams):
        stream = packet.stream
        if stream.type == "video" and len(frames) < N_FRAMES_SEEN:
            frames += [see_frame(frame) for frame in _decode(packet)]
        elif stream.type == "audio" and not sounds:
            sounds += [frame.pts or 0 for frame in _decode(packet) if frame.samples]
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None or packet.is_discard or not packet.size:
            continue
        stamps[stream.index].append(stamp)
        ends[stream.index] = max(ends.get(stream.index, stamp), stamp + (packet.duration or 0))
    for stream in streams:
        seen[stream.type] |= sum_up(stamps[stream.index], ends.get(stream.index))
    if seen["video"]:
        seen["video"]["frames"] = frames[:N_FRAMES_SEEN]
    if seen["audio"]:
        seen["audio"]["heard_at"] = sounds[0] if sounds else None


def _packets(container: Any, streams: list[Any]) -> Iterator[Any]:  # noqa: ANN401
    if not streams:
        return
    try:
        yield from container.demux(streams)
    except av.error.FFmpegError as error:  # players show what comes before the damage; so do we
        av.logging.log(av.logging.ERROR, "demux", str(error))


def _decode(packet: Any) -> list[Any]:  # noqa: ANN401
    try:
        return list(packet.decode())
    except av.error.FFmpegError:  # a stream may begin amid a group of pictures
        return []


def see_frame(frame: Any) -> dict[str, Any]:  # noqa: ANN401
    """One decoded picture."""
    return {
        "width_px": frame.width,
        "height_px": frame.height,
        "pixel_format": frame.format.name,
        "pts": frame.pts,
        "interlaced": bool(frame.interlaced_frame),
        "rotation_deg": frame.rotation,
        "primaries": int(frame.color_primaries),
        "transfer": int(frame.color_trc),
        "matrix": int(frame.colorspace),
        "range": int(frame.color_range),
    }


def sum_up(stamps: list[int], end: int | None) -> dict[str, Any]:
    """Count, first, last, end and the gaps between time stamps, in ticks."""
    stamps = sorted(stamps)
    gaps = Counter(after - before for before, after in pairwise(stamps))
    return {
        "n_packets": len(stamps),
        "first": stamps[0] if stamps else None,
        "last": stamps[-1] if stamps else None,
        "end": end,
        "gaps": gaps.most_common(N_DELTAS),
    }


def _pair(value: Fraction | None) -> list[int] | None:
    return None if value is None else [value.numerator, value.denominator]


if __name__ == "__main__":
    main(*sys.argv[1:])
