"""The records that flow through heygemd, in the order a job meets them."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heygemd.packed import PackedPoints

Frames: TypeAlias = NDArray[np.uint8]
"""(N, H, W, 3) BGR, 0..255."""

Boxes: TypeAlias = NDArray[np.float32]
"""(T, 4) x1 y1 x2 y2 in pixels, one row per frame; a NaN row means no face."""

Points: TypeAlias = NDArray[np.float32]
"""(T, 478, 3) MediaPipe face mesh, x y z in pixels; NaN rows mean no face."""

N_POINTS = 478  # MediaPipe face mesh with irises

LengthPolicy = Literal["pingpong", "loop", "freeze", "trim", "error"]
FaceChoice = Literal["largest", "left", "right", "centre", "reference"]
SilencePolicy = Literal["close", "source", "model"]


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """What a person may choose per job; the settings give the defaults.

    Attributes:
        length: what to do when sound and clip differ in length.
        face: whom to follow when several faces are seen.
        min_coverage: share of frames that must show a face, 0..1.
        sync_offset_ms: moves the lips against the sound; positive is later.
        silence: what lips do where nothing is said.
        silence_s: shorter pauses belong to speech.
        restore: share of the restored face, 0..1; 0 where no network restores.
        min_sync: least confidence of the sync scorer; 0 asks for nothing.
        below_min_sync: whether a clip that scores less is published with a warning or fails.
    """

    length: LengthPolicy = "pingpong"
    face: FaceChoice = "largest"
    min_coverage: float = 0.3
    sync_offset_ms: float = 0.0
    silence: SilencePolicy = "close"
    silence_s: float = 0.5
    restore: float = 0.0
    min_sync: float = 0.0
    below_min_sync: Literal["warn", "hold"] = "warn"


@dataclass(frozen=True, slots=True)
class Clip:
    """One source video of a job.

    Attributes:
        id: unique in its job and safe as a file name, e.g. ``0003``.
        name: the file name the user gave, unchanged.
        stem: what the outputs are called, safe on Windows and distinct in the job.
        path: where its bytes lie now, under a neutral name once staged.
        sha256: hex digest of its bytes, empty until staged.
    """

    id: str
    name: str
    stem: str
    path: Path
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One claimed folder: a sound and the clips to sync to it.

    Attributes:
        id: unique for ever; the spool's key.
        name: the folder name the user gave.
        out_name: the folder in the outbox, ``name`` made safe and distinct.
        audio_name: the sound's file name as the user gave it.
        audio: where its bytes lie, under a neutral name once staged.
        audio_sha256: hex digest of its bytes, empty until staged.
        options: job.toml laid over the settings' defaults.
        priority: higher runs first.
        reference_name: the picture of the person to follow, as the user named it; empty without.
        reference: where its bytes lie, under a neutral name once staged.
    """

    id: str
    name: str
    out_name: str
    audio_name: str
    audio: Path
    clips: tuple[Clip, ...]
    options: RenderOptions
    audio_sha256: str = ""
    priority: int = 0
    reference_name: str = ""
    reference: Path | None = None


@dataclass(frozen=True, slots=True)
class Colour:
    """Colour tags by their ffmpeg names; empty means untagged."""

    primaries: str = ""
    transfer: str = ""
    matrix: str = ""
    range: str = ""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a probe says of a clip.

    Attributes:
        width_px: as frames come out of the decoder, rotation applied.
        height_px: likewise.
        fps: exact, e.g. 30000/1001; of the constant-rate stream that is decoded.
        n_frames: estimate before decoding; 0 when nobody knows.
        duration_s: of the video stream.
        rotation_deg: what the decoder turns clockwise: 0, 90, 180 or 270.
        sample_aspect: width over height of one pixel, rotation applied.
        interlaced: the stream says that its frames are two fields.
        still: one picture, not a film.
        stream: index of the video track in its container.
        start_s: time stamp of the first frame, as the container counts.
    """

    width_px: int
    height_px: int
    fps: Fraction
    n_frames: int
    duration_s: Fraction
    container: str = ""
    codec: str = ""
    pixel_format: str = ""
    rotation_deg: int = 0
    sample_aspect: Fraction = Fraction(1)
    colour: Colour = field(default_factory=Colour)
    bit_rate: int = 0
    interlaced: bool = False
    variable_rate: bool = False
    still: bool = False
    has_audio: bool = False
    stream: int = 0
    start_s: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        if self.width_px < 1 or self.height_px < 1:
            raise ValueError(f"a frame of {self.width_px}x{self.height_px} px, want at least 1x1")
        if self.fps <= 0:
            raise ValueError(f"fps {self.fps}, want more than 0")


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a probe says of a sound.

    Attributes:
        duration_s: by the container; decoding alone tells it exactly.
        profile: of the codec, e.g. ``LC``.
        stream: index of the audio track in its container.
    """

    codec: str
    container: str
    rate_hz: int
    n_channels: int
    duration_s: Fraction
    bit_rate: int = 0
    profile: str = ""
    stream: int = 0


@dataclass(frozen=True, slots=True)
class Waveform:
    """Sound as lip models hear it.

    Attributes:
        samples: (N,) float32 mono in [-1, 1].
        rate_hz: samples a second; lip models want 16000.
    """

    samples: NDArray[np.float32]
    rate_hz: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or self.samples.dtype != np.float32:
            raise ValueError(f"samples {self.samples.dtype}{self.samples.shape}, want float32 (N,)")

    @property
    def duration_s(self) -> Fraction:
        """Exact length."""
        return Fraction(len(self.samples), self.rate_hz)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Which source frame stands behind each output frame.

    Attributes:
        source: (n_out,) int64 indices into the decoded clip.
        fps: exact rate of the output.
    """

    source: NDArray[np.int64]
    fps: Fraction

    @property
    def n_frames(self) -> int:
        """How many frames the output has."""
        return len(self.source)


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """One person through one clip, a row per source frame, gaps filled where that is honest.

    Attributes:
        boxes: (T, 4) float32 x1 y1 x2 y2 px; NaN rows where no face is.
        points: (T, 478, 3) float32 px, NaN rows likewise; None from detectors that give boxes only.
        detected: (T,) bool, True where the detector saw the face itself.
        cuts: sorted indices of frames that start a new shot, never 0.
        alike: (first frame, last frame, -1..1) of every shot, how much the person most like the
            reference is like it; empty without a reference.
    """

    boxes: Boxes
    points: Points | PackedPoints | None
    detected: NDArray[np.bool_]
    cuts: tuple[int, ...] = ()
    alike: tuple[tuple[int, int, float], ...] = ()

    def __post_init__(self) -> None:
        n_frames = len(self.detected)
        if self.boxes.shape != (n_frames, 4):
            raise ValueError(f"boxes {self.boxes.shape}, want ({n_frames}, 4)")
        if self.points is not None and self.points.shape != (n_frames, N_POINTS, 3):
            raise ValueError(f"points {self.points.shape}, want ({n_frames}, {N_POINTS}, 3)")

    @property
    def present(self) -> NDArray[np.bool_]:
        """(T,) bool, True where there is a box, seen or interpolated."""
        return np.asarray(np.isfinite(self.boxes).all(axis=1), dtype=np.bool_)

    @property
    def coverage(self) -> float:
        """Share of frames with a box, 0..1; 0 for an empty clip."""
        return float(self.present.mean()) if len(self.detected) else 0.0


@dataclass(frozen=True, slots=True)
class Patch:
    """Which pixels of one frame change, and how much.

    Attributes:
        x_px: left edge in the frame.
        y_px: top edge in the frame.
        pixels: (h, w, 3) uint8 BGR.
        alpha: (h, w) float32 in [0, 1]; 0 leaves the frame's own pixel bit for bit.
        share: how much of what the voice asks is done, 0..1; alpha is not to be scaled by it.
    """

    x_px: int
    y_px: int
    pixels: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.pixels.shape != (*self.alpha.shape, 3):
            raise ValueError(f"pixels {self.pixels.shape} do not fit alpha {self.alpha.shape}")


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """How outputs are written.

    Attributes:
        codec: an ffmpeg encoder name, already resolved from ``auto``.
        quality: crf for x264/x265/SVT, cq for NVENC.
        preset: the encoder's own word.
        audio_bit_rate: bits a second, where the sound must be encoded.
        comment: written into the container; says that the lips are synthetic.
    """

    codec: str = "libx264"
    quality: int = 18
    preset: str = "veryfast"
    audio_bit_rate: int = 192_000
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something people should know of a clip that is done.

    Attributes:
        code: an entry among the warnings of the message catalogue.
        values: what the entry's sentences leave open.
    """

    code: str
    values: dict[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sync:
    """How well the lips of an output follow its sound.

    Attributes:
        offset_ms: positive when the picture comes after the sound.
        confidence: how far the best offset stands above the usual one, 0..1.
    """

    offset_ms: float
    confidence: float


@dataclass(frozen=True, slots=True)
class ClipPictures:
    """What the report page shows of a clip.

    Attributes:
        sheet: JPEG, some frames before and, below them, after; empty where none was seen.
        poster: JPEG, one whole frame after; empty likewise.
        wave: SVG, the sound with what the lips made of it; empty likewise.
    """

    sheet: bytes = b""
    poster: bytes = b""
    wave: str = ""


@dataclass(frozen=True, slots=True)
class ClipResult:
    """The outcome of one clip; becomes ``<stem>.json`` beside the mp4.

    Attributes:
        outcome: ``ok`` or ``failed``.
        code: ``ok``, or the reason of the error that stopped the clip.
        gaps: [first, last] output frame ranges that passed through without a face.
        untouched: likewise, with a face that the model left alone: turned away, tiny or hidden.
        partly: likewise, with a mouth that moves less than the voice asks, for the same reasons.
        alike: as in ``FaceTrack``.
        silences: [first, last] output frame ranges in which nothing is said.
        runs: (first, last, first source frame, last source frame) of every stretch of output frames
            behind which the clip runs forth, back, or stands still.
        timings_s: seconds of wall time per stage.
        sync: None where nobody can say.
    """

    clip: Clip
    outcome: Literal["ok", "failed"]
    code: str = "ok"
    message: str = ""
    info: VideoInfo | None = None
    n_frames: int = 0
    fps: Fraction | None = None
    duration_s: Fraction = Fraction(0)
    coverage: float = 0.0
    gaps: tuple[tuple[int, int], ...] = ()
    untouched: tuple[tuple[int, int], ...] = ()
    partly: tuple[tuple[int, int], ...] = ()
    alike: tuple[tuple[int, int, float], ...] = ()
    silences: tuple[tuple[int, int], ...] = ()
    runs: tuple[tuple[int, int, int, int], ...] = ()
    timings_s: dict[str, float] = field(default_factory=dict)
    warnings: tuple[Notice, ...] = ()
    notes: dict[str, float | int | str] = field(default_factory=dict)
    pictures: ClipPictures | None = None
    sync: Sync | None = None


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the logs say of the models in use; a sha256 is empty where there are no weights."""

    name: str
    sha256: str
    device: str
    detector: str
    restorer: str = ""
    restorer_sha256: str = ""
