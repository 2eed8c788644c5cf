"""What may come in: the table that tests try and docs/formats.md is made of.

``python tests/formats.py`` writes the page anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import lavfi

PAGE = Path(__file__).parents[1] / "docs" / "formats.md"
SIZE = "96x64"
X264, NTSC = lavfi.X264, "30000/1001"
TAGS = "setparams=color_primaries=bt2020:color_trc={}:colorspace=bt2020nc:range=tv"
TEN_BIT = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error",
           "-pix_fmt", "yuv420p10le")  # fmt: skip


@dataclass(frozen=True)
class Film:
    """One kind of clip, how ffmpeg makes it, and what heygemd makes of it."""

    what: str
    file: str
    args: tuple[str, ...] = ()
    codec: tuple[str, ...] = X264
    rate: str = "25"
    size: str = SIZE
    n_frames: int = 12
    becomes: tuple[int, int] = (96, 64)
    fps: str = ""
    n_out: int = 0
    turn_deg: int = 0
    says: str = ""

    @property
    def out_fps(self):
        return Fraction(self.fps or self.rate)

    def make(self, folder):
        path = lavfi.film(
            folder / self.file, *self.args, size=self.size, rate=self.rate,
            n_frames=self.n_frames, codec=self.codec,
        )  # fmt: skip
        if not self.turn_deg:
            return path
        turned = folder / f"turned-{self.file}"
        return lavfi.make(turned, "-display_rotation", -self.turn_deg, "-i", path, "-c", "copy")


@dataclass(frozen=True)
class Sound:
    """One kind of sound."""

    what: str
    file: str
    codec: str
    args: tuple[str, ...] = ()
    rate_hz: int = 44100
    n_channels: int = 1
    carried: str = "encoded to AAC"


def v(*words):
    return ("-c:v", *words)


FILMS = [
    Film("MP4, H.264", "a.mp4"),
    Film("MP4, H.265", "b.mp4", codec=(*v("libx265"), "-x265-params", "log-level=error")),
    Film("MP4, AV1", "c.mp4", codec=(*v("libsvtav1"), "-preset", "12", "-svtav1-params", "lp=1")),
    Film("MP4, MPEG-4 part 2", "d.mp4", codec=v("mpeg4")),
    Film("MOV, H.264", "e.mov"),
    Film("MOV, ProRes 422, 10 bit", "f.mov", codec=v("prores_ks", "-pix_fmt", "yuv422p10le")),
    Film("MOV, Motion JPEG, 4:2:2, full range", "g.mov",
         codec=v("mjpeg", "-pix_fmt", "yuvj422p")),
    Film("M4V, H.264", "h.m4v"),
    Film("MKV, H.264", "i.mkv"),
    Film("MKV, FFV1, 4:4:4", "j.mkv", codec=v("ffv1", "-pix_fmt", "yuv444p")),
    Film("MKV, VP9", "k.mkv", codec=v("libvpx-vp9", "-cpu-used", "8", "-pix_fmt", "yuv420p")),
    Film("WebM, VP9 with transparency", "l.webm",
         codec=v("libvpx-vp9", "-cpu-used", "8", "-pix_fmt", "yuva420p")),
    Film("AVI, MPEG-4 part 2", "m.avi", codec=v("mpeg4")),
    Film("AVI, Motion JPEG", "n.avi", codec=v("mjpeg", "-pix_fmt", "yuvj420p")),
    Film("FLV, Sorenson", "o.flv", codec=v("flv")),
    Film("WMV, WMV 2", "p.wmv", codec=v("wmv2")),
    Film("MPG, MPEG-1", "q.mpg", codec=v("mpeg1video")),
    Film("MPG, MPEG-2", "r.mpg", codec=v("mpeg2video")),
    Film("TS, H.264", "s.ts"),
    Film("24000/1001 frames a second", "t.mp4", rate="24000/1001"),
    Film("30000/1001 frames a second", "u.mp4", rate=NTSC),
    Film("50 frames a second", "v.mp4", rate="50"),
    Film("60000/1001 frames a second", "w.mp4", rate="60000/1001"),
    Film("22.1 frames a second", "x.mp4", rate="221/10"),
    Film("Variable rate", "y.mp4", ("-vf", "setpts=(N+floor(N/3))/30/TB", "-fps_mode", "vfr"),
         rate="30", n_frames=30, fps="183/8", n_out=30, says="evenly spaced, at its average rate"),
    Film("Turned by 90 degrees (a phone held upright)", "ra.mp4", turn_deg=90, becomes=(64, 96),
         says="stands upright"),
    Film("Turned by 180 degrees", "rb.mp4", turn_deg=180, says="stands upright"),
    Film("Turned by 270 degrees", "rc.mp4", turn_deg=270, becomes=(64, 96),
         says="stands upright"),
    Film("Pixels that are not square, 4:3", "sa.mp4", ("-vf", "setsar=4/3"),
         says="its sample aspect is kept"),
    Film("Interlaced, top field first", "il.mkv",
         ("-vf", "tinterlace=interleave_top,setfield=tff", "-flags", "+ildct+ilme"), rate="50",
         fps="25", n_frames=12, says="deinterlaced, a frame for each frame"),
    Film("HDR10 (PQ, BT.2020, 10 bit)", "pq.mp4", ("-vf", TAGS.format("smpte2084")),
         codec=TEN_BIT, says="tone-mapped to BT.709"),
    Film("HLG (BT.2020, 10 bit)", "hlg.mp4", ("-vf", TAGS.format("arib-std-b67")),
         codec=TEN_BIT, says="tone-mapped to BT.709"),
    Film("Odd size", "odd.mkv", ("-vf", "scale=97:65,setsar=1"),
         codec=v("ffv1", "-pix_fmt", "yuv444p"), becomes=(97, 65),
         says="one row and column added at the edge when it is written"),
    Film("JPEG picture", "still.jpg", n_frames=1, codec=v("mjpeg", "-pix_fmt", "yuvj420p", "-f",
         "image2", "-update", "1"), says="a clip of one frame"),
    Film("PNG picture", "still.png", n_frames=1, codec=("-f", "image2", "-update", "1"),
         says="a clip of one frame"),
    Film("WebP picture", "still.webp", n_frames=1, codec=v("libwebp", "-f", "image2", "-update",
         "1"), says="a clip of one frame"),
]  # fmt: skip

SOUNDS = [
    Sound("WAV, 16 bit", "a.wav", "pcm_s16le"),
    Sound("WAV, 32 bit float, 48 kHz, stereo", "b.wav", "pcm_f32le",
          ("-c:a", "pcm_f32le", "-ac", "2"), 48000, 2),
    Sound("WAV, 8 kHz", "c.wav", "pcm_s16le", rate_hz=8000),
    Sound("WAV, 96 kHz, 5.1", "d.wav", "pcm_s16le", ("-ac", "6"), 96000, 6),
    Sound("MP3", "e.mp3", "mp3float", ("-c:a", "libmp3lame")),
    Sound("M4A, AAC", "f.m4a", "aac", ("-c:a", "aac"), carried="copied"),
    Sound("M4A, ALAC", "g.m4a", "alac", ("-c:a", "alac")),
    Sound("AAC (ADTS)", "h.aac", "aac", ("-c:a", "aac"), carried="copied"),
    Sound("FLAC", "i.flac", "flac"),
    Sound("Ogg Vorbis", "j.ogg", "vorbis", ("-c:a", "libvorbis")),
    Sound("Opus", "k.opus", "opus", ("-c:a", "libopus"), 48000),
    Sound("WMA", "l.wma", "wmav2", ("-c:a", "wmav2")),
    Sound("AIFF", "m.aiff", "pcm_s16be"),
    Sound("MKA, AC-3", "n.mka", "ac3", ("-c:a", "ac3")),
]  # fmt: skip


def page(carried):
    """docs/formats.md; ``carried`` says of each sound's file how it reaches the output."""
    films = [
        f"| {film.what} | `.{film.file.rpartition('.')[2]}` | {film.becomes[0]}x{film.becomes[1]} "
        f"| {film.out_fps if film.n_frames > 1 else 'any'} | {film.says} |"
        for film in FILMS
    ]
    sounds = [
        f"| {sound.what} | `.{sound.file.rpartition('.')[2]}` | {sound.rate_hz} Hz, "
        f"{sound.n_channels} ch | {carried[sound.file]} |"
        for sound in SOUNDS
    ]
    return "\n".join([
        "# Formats",
        "",
        "Every row is a file that the tests make with ffmpeg, probe and read to its last frame or",
        "sample; this page is written from their tables, and a test keeps it current. What a file",
        "is, is decided by looking inside; its name only says whether to look.",
        "",
        "## Clips",
        "",
        f"The films of the tests have {SIZE.replace('x', ' by ')} pixels unless the row says",
        "otherwise. Frames come out upright, progressive, 8 bit, at one steady and exact rate.",
        "",
        "| Clip | Name | Comes out as | Frames a second | Besides |",
        "|---|---|---|---|---|",
        *films,
        "",
        "## Sounds",
        "",
        "Loudness and channels stay. AAC-LC is copied bit for bit; any other sound, MP3 too since",
        "many players refuse it in an mp4, is encoded to AAC from the original file.",
        "",
        "| Sound | Name | Kind | In the mp4 |",
        "|---|---|---|---|",
        *sounds,
        "",
    ])  # fmt: skip


if __name__ == "__main__":
    PAGE.write_text(page({sound.file: sound.carried for sound in SOUNDS}), "utf-8")
