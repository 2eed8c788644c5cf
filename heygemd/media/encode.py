"""Frames and the original sound into one mp4, in one encode, the same bytes each time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from heygemd.errors import DependencyError, QualityError
from heygemd.host import usable_cores
from heygemd.media import colour
from heygemd.media.audio import in_step
from heygemd.media.limits import Limits
from heygemd.media.tool import Caps, Ffmpeg, command, running, user_file
from heygemd.media.trial import film, problem_of
from heygemd.planes import Planes, Window
from heygemd.records import AudioInfo, EncodeOptions, VideoInfo

HARDWARE = ("h264_nvenc", "hevc_nvenc")
PRESETS = {
    "libx264": "veryfast", "libx265": "fast", "libsvtav1": "8",
    "h264_nvenc": "p5", "hevc_nvenc": "p5",
}  # fmt: skip
# Of the whole scale of quantisers: 5 steps of 51 finer. Lips and skin about them kept 0.98 of the
# source's fine detail on four clips instead of 0.91, for 9 to 23 % more bytes.
FOCUS = -0.1
MAX_THREADS = 24  # x264 gains nothing beyond, and costs memory for each
AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
AAC_BITS_PER_SAMPLE = 6  # 6144 bits in a frame of 1024 (ISO/IEC 14496-3)
AAC_CHANNELS = (1, 2, 6)


@dataclass(frozen=True, slots=True)
class Encoder:
    """Which encoder is used, and why."""

    codec: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sound:
    """What is laid beside the picture.

    Attributes:
        path: the original file, under a neutral name.
        info: of ``probe_audio``.
        length_s: how much of it is heard; exact, from decoding or from the timeline.
    """

    path: Path
    info: AudioInfo
    length_s: Fraction


@dataclass(frozen=True, slots=True)
class Encoded:
    """What was written.

    Attributes:
        width_px: of the output; one more than the clip's where that is odd.
        height_px: likewise.
        padded: True where the right or lower edge was doubled to make the size even.
        sound: ``copied`` or ``aac``.
    """

    n_frames: int
    width_px: int
    height_px: int
    padded: bool
    sound: str


def choose_encoder(tool: Ffmpeg, wanted: str) -> Encoder:
    """The encoder to use: ``auto`` tries NVENC with a real second of film, else takes libx264.

    Args:
        tool: the ffmpeg to use.
        wanted: ``auto`` or an encoder's name.

    Raises:
        DependencyError: the encoder that was named does not work here.
    """
    names = ["h264_nvenc", "libx264"] if wanted == "auto" else [wanted]
    reasons: list[str] = []
    for name in names:
        problem = _try_encoder(tool, name)
        if not problem:
            return Encoder(codec=name, reason="; ".join(reasons) or f"{name} works")
        reasons.append(f"{name} does not work here: {problem}")
    raise DependencyError(f"{'; '.join(reasons)}; set encode.codec to one that does, or to auto")


def try_encoders(tool: Ffmpeg) -> dict[str, str]:
    """Every encoder that settings may name, with why it does not work; empty where it does."""
    return {name: _try_encoder(tool, name) for name in PRESETS}


def default_preset(codec: str) -> str:
    """A preset that balances speed and size, the encoder's own word; empty for unknown ones."""
    return PRESETS.get(codec, "")


def write_video(  # noqa: PLR0913 - all are named
    tool: Ffmpeg,
    batches: Iterable[Planes],
    out: Path,
    *,
    info: VideoInfo,
    fps: Fraction,
    n_frames: int,
    sound: Sound,
    options: EncodeOptions,
    limits: Limits,
    focus: Window | None = None,
) -> Encoded:
    """Write an mp4; on any failure nothing is left at ``out``.

    Args:
        tool: the ffmpeg to use.
        batches: of the clip's size, any number of frames; their sum is ``n_frames``.
        out: where; an existing file is replaced.
        info: of the source clip: size, shape of pixels, colour.
        fps: exact.
        n_frames: as planned.
        sound: the original.
        options: codec, quality, preset.
        limits: memory and patience.
        focus: rows and columns that are to keep more of their detail than the rest; encoders that
            cannot do that take no notice.

    Raises:
        MediaError: ffmpeg failed, and what it said.
        QualityError: not ``n_frames`` frames came.
        TransientError: the disk is full.
    """
    size = (info.width_px + info.width_px % 2, info.height_px + info.height_px % 2)
    film = (info.width_px, info.height_px, colour.output_colour(info).matrix)
    args = _encode_args(
        out, info=info, size=size, fps=fps, sound=sound, options=options, focus=focus
    )
    caps = Caps(
        memory_bytes=None if options.codec in HARDWARE else 2 * limits.memory_bytes,
        file_bytes=None,
        stall_s=limits.stall_s,
    )
    written = 0
    done = False
    try:
        with running(
            command(tool, args), caps, feeds=True, frame_bytes=3 * math.prod(size) // 2
        ) as child:
            for batch in batches:
                if (batch.width_px, batch.height_px, batch.matrix) != film:
                    raise ValueError(f"planes {batch.shape} in {batch.matrix} for {film}")
                child.write(batch.packed.data.cast("B"))
                written += len(batch)
                del batch  # or its memory is not free yet when the next frames want some
            if written != n_frames:
                raise QualityError(f"{written} frames came to the encoder, planned {n_frames}")
            child.finish(extra_s=float(sound.length_s))  # faststart moves the whole file once more
        done = True
    finally:
        if not done:
            out.unlink(missing_ok=True)
    return Encoded(
        n_frames=written,
        width_px=size[0],
        height_px=size[1],
        padded=size != (info.width_px, info.height_px),
        sound="copied" if can_copy(sound.info) else "aac",
    )


def can_copy(info: AudioInfo) -> bool:
    """True where the sound goes into an mp4 untouched and every player takes it.

    AAC-LC alone. MP3 in mp4 is allowed by the standard, but phones, editors and upload sites
    refuse it, and its decoder delay is not written where mp4 players look for it.
    """
    return info.codec == "aac" and info.profile == "LC" and info.container in {"mov", "aac"}


def _encode_args(  # noqa: PLR0913
    out: Path,
    *,
    info: VideoInfo,
    size: tuple[int, int],
    fps: Fraction,
    sound: Sound,
    options: EncodeOptions,
    focus: Window | None,
) -> list[str]:
    picture = ffmpeg.input(
        "pipe:0",
        f="rawvideo",
        pixel_format="yuv420p",
        video_size=size,
        framerate=str(fps),
        thread_queue_size=2,
        protocol_whitelist="pipe",
    ).video
    tags = colour.output_colour(info)
    picture = picture.filter(
        "setparams",
        color_primaries=tags.primaries,
        color_trc=tags.transfer,
        colorspace=tags.matrix,
        range=tags.range,
    ).filter("setsar", str(info.sample_aspect))
    if focus is not None:
        rows, columns = focus
        picture = picture.filter(
            "addroi",
            x=columns.start,
            y=rows.start,
            w=columns.stop - columns.start,
            h=rows.stop - rows.start,
            qoffset=FOCUS,
        )
    heard = ffmpeg.input(**user_file(sound.path, sound.info.container))[str(sound.info.stream)]
    if can_copy(sound.info):
        audio = {"c:a": "copy"}
    else:
        rate_hz = _aac_rate_hz(sound.info.rate_hz)
        heard = in_step(heard, rate_hz)
        audio = _aac_options(sound.info, rate_hz, options.audio_bit_rate)
    output = ffmpeg.output(
        picture,
        heard,
        f"file:{out.absolute()}",
        **{
            "c:v": options.codec,
            **_quality_options(options),
            **audio,
            **_container_options(options),
            "t": _seconds(sound.length_s),
        },
    )
    return list(ffmpeg.get_args(ffmpeg.overwrite_output(output)))


def _quality_options(options: EncodeOptions) -> dict[str, Any]:
    preset = options.preset or default_preset(options.codec)
    chosen: dict[str, Any] = {"preset": preset} if preset else {}
    if options.codec in HARDWARE:
        chosen |= {"rc": "vbr", "cq": options.quality, "b:v": 0}
    else:
        chosen |= {"crf": options.quality, "threads:v": _n_threads()}
    if options.codec in {"libx265", "hevc_nvenc"}:
        chosen["tag:v"] = "hvc1"  # the name Apple's players look for
    if options.codec == "libx265":
        chosen["x265-params"] = "log-level=error"
    return chosen


def _container_options(options: EncodeOptions) -> dict[str, Any]:
    """Index in front, nothing of the clock or the machine inside."""
    comment = {"metadata": f"comment={options.comment}"} if options.comment else {}
    return {
        "f": "mp4",
        "movflags": "+faststart",
        "fflags": "+bitexact",
        "flags:v": "+bitexact",
        "flags:a": "+bitexact",
        "fps_mode": "passthrough",
        "map_metadata": -1,
        "map_chapters": -1,
        **comment,
    }


def _aac_options(info: AudioInfo, rate_hz: int, bit_rate: int) -> dict[str, Any]:
    n_channels = info.n_channels if info.n_channels in AAC_CHANNELS else 2
    most = AAC_BITS_PER_SAMPLE * rate_hz * n_channels
    return {"c:a": "aac", "b:a": min(bit_rate, most), "ac": n_channels}


def _aac_rate_hz(rate_hz: int) -> int:
    return rate_hz if rate_hz in AAC_RATES_HZ else 48_000


def _seconds(length_s: Fraction) -> str:
    """As ffmpeg reads it, rounded up: a microsecond less would lose the last frame."""
    return f"{-(-length_s * 1_000_000 // 1) / 1_000_000:.6f}"


def _n_threads() -> int:
    """Said outright, since x264's output depends on it."""
    return min(MAX_THREADS, usable_cores() * 3 // 2 + 1)


def _try_encoder(tool: Ffmpeg, name: str) -> str:
    """Why an encoder does not work; empty where it does."""
    options = EncodeOptions(codec=name, preset=default_preset(name))
    output = film().output(
        "-", f="null", pix_fmt="yuv420p", **{"c:v": name, **_quality_options(options)}
    )
    return problem_of(tool, output, Caps(memory_bytes=None, file_bytes=0))
