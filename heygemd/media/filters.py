"""ffmpeg arguments that turn a clip's frames into planes: rate, fields, rotation, colour."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from heygemd.host import usable_cores
from heygemd.media import colour
from heygemd.media.limits import Limits
from heygemd.media.tool import user_file
from heygemd.records import VideoInfo

PREROLL_S = Fraction(1, 4)  # before the first frame wanted: more than a frame is reordered by
LONG_PREROLL_S = Fraction(1)  # where filters look at a frame's neighbours, too
STREAM_PREROLL_S = Fraction(3)  # where no index says which frame is a key frame
STREAMS = ("mpegts", "mpeg", "mpegvideo")
MAX_DECODE_THREADS = 8  # each holds frames of its own
# One thread decodes 500 frames of 720p a second; two took a sixth more processor time for them.
THREAD_PIXELS = 1_000_000
PEAK_NITS = 100  # what tone mapping takes as diffuse white
# Without these two swscale rounds towards black and shares chroma between pixels.
ACCURATE = "bilinear+accurate_rnd+full_chroma_int+full_chroma_inp"
TURNS = {90: "clock", 270: "cclock"}
RGB_FORMATS = ("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "monow", "monob")


def decode_threads(n_pixels: int) -> int:
    """How many threads decode frames of so many pixels."""
    return min(MAX_DECODE_THREADS, usable_cores(), -(-n_pixels // THREAD_PIXELS))


def decode_args(  # noqa: PLR0913 - each is one fact of the same command
    path: Path,
    info: VideoInfo,
    limits: Limits,
    *,
    first: int = 0,
    stop: int | None = None,
    backward: bool = False,
    seeks: bool = False,
    hwaccel: str = "",
) -> list[str]:
    """Arguments that write the frames ``first`` to ``stop`` of a clip as planes to a pipe.

    The planes are 4:2:0 of video range in the output's own matrix; a clip that has them already
    comes out bit for bit. Odd edges become even by repeating the last row or column.

    Args:
        path: the clip.
        info: of ``probe``.
        limits: pixels in a frame.
        first: index of the first frame, in the constant-rate stream.
        stop: index behind the last; None reads to the end.
        backward: last frame first.
        seeks: begin reading near ``first`` instead of at the start.
        hwaccel: what decodes, as ffmpeg calls it; it leaves to the processor what it cannot decode.
    """
    options: dict[str, Any] = {
        **user_file(path, info.container),
        "max_pixels": limits.max_pixels,
        "threads": decode_threads(info.width_px * info.height_px),
        "noautorotate": None,  # turned below, as probed, so that size and pixels agree
        "reinit_filter": 0,  # a size that changes midway is scaled, not started over
    }
    if hwaccel:
        options |= {"hwaccel": hwaccel, "threads": 1}
    seek_s = info.start_s + first / info.fps - _preroll_s(info)
    begin = "PTS-STARTPTS"
    if seeks and seek_s > info.start_s:
        options |= {"copyts": None, "noaccurate_seek": None, "seek_timestamp": 1}
        options["ss"] = f"{float(seek_s):.6f}"
        begin = f"PTS-round({info.start_s.numerator}/{info.start_s.denominator}/TB)"
    stream = ffmpeg.input(**options)[str(info.stream)]
    if not info.still:
        stream = _at_constant_rate(stream, info, begin)
        if first or stop is not None:
            bounds = {} if stop is None else {"end_pts": stop}
            stream = stream.filter("trim", start_pts=first, **bounds)
        if backward:
            stream = stream.filter("reverse")
    stream = _to_planes(_turned(_in_video_range(stream, info), info), info)
    frames: dict[str, Any] = {"frames:v": 1} if info.still else {}
    output = stream.output(
        "pipe:1", f="rawvideo", pix_fmt="yuv420p", fps_mode="passthrough", **frames
    )
    return list(ffmpeg.get_args(output))


def bytes_per_pixel(pixel_format: str) -> float:
    """What a decoded frame costs in memory, rounded up for formats that are rare."""
    deep = 2 if pixel_format.endswith(("le", "be")) or pixel_format.startswith("p0") else 1
    if "420" in pixel_format or pixel_format.startswith(("nv12", "nv21", "p01")):
        return 1.5 * deep
    return (2 if "422" in pixel_format else 4) * deep


def _preroll_s(info: VideoInfo) -> Fraction:
    if info.container in STREAMS:
        return STREAM_PREROLL_S
    return LONG_PREROLL_S if info.interlaced or info.variable_rate else PREROLL_S


def _at_constant_rate(stream: Any, info: VideoInfo, begin: str) -> Any:  # noqa: ANN401
    """Frames whose time stamp is their index: frame n is the one shown at n / fps."""
    stream = stream.filter("setpts", begin)
    if info.interlaced:
        stream = stream.filter("bwdif", mode="send_frame", deint="interlaced")
    return stream.filter("fps", fps=str(info.fps), round="near")


def _in_video_range(stream: Any, info: VideoInfo) -> Any:  # noqa: ANN401
    """PQ and HLG as BT.709 of standard range; all else untouched."""
    if not colour.is_hdr(info.colour):
        return stream
    tags = colour.source_colour(info)
    return (
        stream.filter(
            "zscale", tin=tags.transfer, pin=tags.primaries, min=tags.matrix,
            rin="full" if tags.range == "pc" else "limited", t="linear", npl=PEAK_NITS,
        )
        .filter("format", "gbrpf32le")
        .filter("zscale", p="bt709")
        .filter("tonemap", tonemap="hable", desat=0)
        .filter("zscale", t="bt709", m="bt709", r="limited", p="bt709")
        .filter("format", "yuv420p")
    )  # fmt: skip


def _turned(stream: Any, info: VideoInfo) -> Any:  # noqa: ANN401
    if info.rotation_deg == 180:
        return stream.filter("hflip").filter("vflip")
    if info.rotation_deg:
        return stream.filter("transpose", TURNS[info.rotation_deg])
    return stream


def _to_planes(stream: Any, info: VideoInfo) -> Any:  # noqa: ANN401
    """4:2:0 in the output's matrix and range, every edge even."""
    tags = colour.BT709 if colour.is_hdr(info.colour) else colour.source_colour(info)
    wanted = colour.output_colour(info)
    options: dict[str, Any] = {"out_color_matrix": wanted.matrix, "out_range": wanted.range}
    if not info.pixel_format.startswith(RGB_FORMATS):
        options |= {"in_color_matrix": tags.matrix, "in_range": tags.range}
    if "420" not in info.pixel_format:
        options |= {"out_h_chr_pos": 0, "out_v_chr_pos": 128}  # as MPEG-2 sites colours
    size = (info.width_px, info.height_px)
    stream = stream.filter("scale", *size, flags=ACCURATE, **options)
    right, below = (edge % 2 for edge in size)
    if right or below:
        stream = (
            stream.filter("format", "yuv444p")  # where every pixel can be repeated
            .filter("pad", size[0] + right, size[1] + below)
            .filter("fillborders", right=right, bottom=below, mode="smear")
            .filter("scale", flags=ACCURATE, out_h_chr_pos=0, out_v_chr_pos=128)
        )
    return stream.filter("format", "yuv420p")
