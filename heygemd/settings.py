"""Settings: a TOML file, then the environment, then ``--set``; strict, documented, immutable."""

from __future__ import annotations

import difflib
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from heygemd.errors import ConfigError
from heygemd.records import FaceChoice, LengthPolicy, RenderOptions, SilencePolicy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_settings import PydanticBaseSettingsSource

ENV_PREFIX = "HEYGEMD_"


class Section(BaseModel):
    """Keys that belong together; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Folders(Section):
    """Where jobs come from, where they are worked on, where results go."""

    inbox: Path = Field(Path("spool/inbox"), description="users drop job folders here")
    outbox: Path = Field(Path("spool/outbox"), description="finished mp4s and logs appear here")
    work: Path = Field(
        Path("spool/work"), description="the daemon's own; a local disk, not a share"
    )
    failed: Path | None = Field(
        None, description="inputs of rejected and failed jobs go here; on the inbox's file system"
    )
    models: Path = Field(Path("models"), description="where heygemd models add keeps checkpoints")


class Intake(Section):
    """When a dropped folder counts as complete."""

    settle_s: float = Field(
        10.0, ge=0.0, description="a job folder must stay unchanged this long; 60 for slow shares"
    )
    rescan_s: float = Field(
        30.0, gt=0.0, description="look at the inbox at least this often; file events only hurry it"
    )
    watch: Literal["auto", "events", "poll"] = Field(
        "auto", description="auto polls where the file system sends no events (SMB, NFS)"
    )
    marker: bool = Field(
        default=False, description="true: a job starts only when it holds a file named .ready"
    )
    incomplete_timeout_s: float = Field(
        900.0, ge=0.0, description="a folder without its sound for so long gets a .WAITING.txt"
    )
    spare_mb: int = Field(
        512, ge=0, description="jobs wait unless so much stays free in work and outbox"
    )
    lease_s: float = Field(
        0.0,
        ge=0.0,
        description="0: one heygemd on this inbox; else, at least 60: another one that shows no "
        "life for so long loses its jobs",
    )

    @field_validator("lease_s")
    @classmethod
    def _check_lease(cls, lease_s: float) -> float:
        if 0 < lease_s < 60:
            raise ValueError("want 0, or at least 60: shares answer late")
        return lease_s


_FATE = r"^(keep|delete|return|\d+(\.\d+)? days?|/.*)$"


class Keep(Section):
    """What becomes of inputs when a job is over: keep, "30 days", delete, return, or a folder."""

    done: str = Field("keep", pattern=_FATE, description="of a job whose clips are all done")
    partial: str = Field("keep", pattern=_FATE, description="of one with clips that failed")
    failed: str = Field("keep", pattern=_FATE, description="of one that made nothing")
    rejected: str = Field("keep", pattern=_FATE, description="of a folder that was no job")
    record_days: float = Field(
        90.0, ge=0.0, description="the daemon's own records stay so long after the inputs went"
    )


class Model(Section):
    """The lip model that stays loaded."""

    name: Literal["warp", "wav2lip", "passthrough"] = Field(
        "warp", description="warp is built in; wav2lip wants a checkpoint of yours in model.path"
    )
    path: Path | None = Field(None, description="the checkpoint, for models that need one")
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description='auto takes the first GPU, else the CPU; or "cpu", "cuda", "cuda:1"',
    )
    batch: int = Field(16, ge=1, le=256, description="frames per step; halved when memory is short")
    clips: int = Field(
        0, ge=0, le=8, description="clips in hand at once; 0 takes two from four cores on, else one"
    )
    backend: Literal["auto", "torch", "onnx", "openvino", "tensorrt"] = Field(
        "auto", description="what runs wav2lip; auto takes the fastest here: heygemd models export"
    )
    compat: Literal["none", "wav2lip"] = Field(
        "none",
        description='"wav2lip" reproduces the published pipeline bit for bit, hard edges too',
    )


class Faces(Section):
    """Who is looked for, and how."""

    detector: Literal["mediapipe", "s3fd"] = Field(
        "mediapipe", description="s3fd gives Wav2Lip's own boxes and wants weights in model_path"
    )
    model_path: Path | None = Field(
        None, description="the detector's weights; mediapipe finds its own"
    )
    workers: int = Field(
        0, ge=0, le=64, description="detector threads; 0 takes one per core, up to 8"
    )
    choice: FaceChoice = Field(
        "largest",
        description="whom to follow: largest, left, right, centre, or who is in reference.jpg",
    )
    cache_mb: int = Field(
        2048, ge=0, description="faces of clips kept in folders.work, 5 to 50 MB each; 0 keeps none"
    )
    min_coverage: float = Field(
        0.3, ge=0.0, le=1.0, description="a clip that shows a face in fewer frames fails"
    )


class Restore(Section):
    """Sharper faces after the lips have moved; wants pip install 'heygemd[restore]'."""

    path: Path | None = Field(
        None, description="a checkpoint of GFPGAN, CodeFormer or RestoreFormer; none restores none"
    )
    blend: float = Field(0.7, ge=0.0, le=1.0, description="share of the restored face; 0 is none")
    batch: int = Field(4, ge=1, le=64, description="faces at once; halved when memory is short")


class Sync(Section):
    """How sound and picture are brought together."""

    length: LengthPolicy = Field(
        "pingpong",
        description="clip shorter than sound: pingpong, loop, freeze, error; trim cuts the sound",
    )
    offset_ms: float = Field(
        0.0, ge=-500.0, le=500.0, description="moves the lips against the sound; positive is later"
    )
    silence: SilencePolicy = Field(
        "close",
        description="where nothing is said: lips close, the source's mouth returns, or model's say",
    )
    silence_s: float = Field(0.5, gt=0.0, description="pauses shorter than this belong to speech")


class Encode(Section):
    """How mp4s are written."""

    codec: Literal["auto", "libx264", "h264_nvenc", "libx265", "hevc_nvenc", "libsvtav1"] = Field(
        "auto", description="auto tries h264_nvenc with a real encode, else libx264"
    )
    quality: int = Field(18, ge=0, le=51, description="crf or cq; lower is better and larger")
    preset: str = Field("", description="the encoder's own word; empty takes a balanced one")
    audio_bit_rate: int = Field(
        192_000, ge=32_000, description="bits a second, where the sound cannot be copied"
    )
    comment: str = Field(
        "Lip movements in this video were synthesised by heygemd.",
        description="written into every mp4; empty writes none",
    )
    c2pa_cert: Path | None = Field(
        None, description="PEM chain that signs every mp4; wants pip install 'heygemd[c2pa]'"
    )
    c2pa_key: Path | None = Field(None, description="its private key, PEM, for this service alone")


class Quality(Section):
    """What is asked of a finished clip beyond being whole."""

    min_sync: float = Field(
        0.0, ge=0.0, le=1.0, description="least confidence of the sync scorer; 0 asks for nothing"
    )
    syncnet_path: Path | None = Field(
        None, description="SyncNet's weights (syncnet_v2.model), which then judge: LSE-C / 10"
    )
    below: Literal["warn", "hold"] = Field(
        "warn", description="hold fails a clip that scores less; warn publishes it with a warning"
    )


class Media(Section):
    """The door to ffmpeg, and what is too much."""

    ffmpeg: Path | None = Field(None, description="another ffmpeg than the built-in one")
    hwaccel: Literal["none", "cuda"] = Field(
        "none", description="cuda decodes on the GPU (NVDEC), whose memory is not bounded then"
    )
    max_pixels: int = Field(8192 * 4608, ge=1, description="pixels in a frame")
    max_duration_s: float = Field(4 * 3600.0, gt=0.0, description="length of a clip or a sound")
    stall_s: float = Field(
        120.0, gt=0.0, le=150.0, description="a decoder that gives nothing for so long has hung"
    )


class Log(Section):
    """The daemon's own log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level")
    style: Literal["json", "console"] = Field("json", description="console is for people")


class Service(Section):
    """How the daemon lives under systemd."""

    drain_s: float = Field(
        540.0,
        ge=0.0,
        description="after a stop is asked for, the clip in hand may take this long to finish; "
        "less than TimeoutStopSec",
    )
    metrics_file: Path | None = Field(
        None, description="Prometheus text for node_exporter, e.g. .../heygemd.prom"
    )


class Settings(BaseSettings):
    """All settings, by section."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    folders: Folders = Folders()
    intake: Intake = Intake()
    keep: Keep = Keep()
    model: Model = Model()
    faces: Faces = Faces()
    restore: Restore = Restore()
    sync: Sync = Sync()
    encode: Encode = Encode()
    quality: Quality = Quality()
    media: Media = Media()
    log: Log = Log()
    service: Service = Service()


NEED_RESTART = (
    "folders.",
    "intake.watch",
    "intake.incomplete_timeout_s",
    "intake.spare_mb",
    "intake.lease_s",
    "model.",
    "quality.syncnet_path",
    "faces.detector",
    "faces.model_path",
    "faces.workers",
    "restore.path",
    "restore.batch",
    "service.metrics_file",
)
"""Keys, by their beginnings, that a reload cannot change."""


def changes(old: Settings, new: Settings) -> list[str]:
    """The keys whose values differ, e.g. ``["intake.settle_s"]``."""
    return [
        f"{section}.{key}"
        for section in Settings.model_fields
        for key, value in getattr(new, section)
        if value != getattr(getattr(old, section), key)
    ]


def render_options(settings: Settings) -> RenderOptions:
    """The defaults that a job.toml is laid over."""
    return RenderOptions(
        length=settings.sync.length,
        face=settings.faces.choice,
        min_coverage=settings.faces.min_coverage,
        sync_offset_ms=settings.sync.offset_ms,
        # As published means as published; a job may still ask for more.
        silence="model" if settings.model.compat == "wav2lip" else settings.sync.silence,
        silence_s=settings.sync.silence_s,
        restore=settings.restore.blend if settings.restore.path else 0.0,
        min_sync=settings.quality.min_sync,
        below_min_sync=settings.quality.below,
    )


def load(path: Path | None = None, *, overrides: Sequence[str] = (), env: bool = True) -> Settings:
    """Read the settings: ``overrides`` beat the environment, which beats the file.

    Args:
        path: a TOML file; none means defaults and the environment alone.
        overrides: ``section.key=value`` words.
        env: False leaves the environment out, for tests.

    Raises:
        ConfigError: unreadable, unknown key, bad value; names the key and the nearest known one.
    """
    if path is not None and not path.is_file():
        raise ConfigError(f"no settings file at {path}; config.example.toml shows what it may hold")
    for place in (path, path.resolve().parent) if path is not None else ():
        mode = place.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise ConfigError(f"{place} may be written by everybody; chmod o-w {place}")

    class _Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            file = TomlConfigSettingsSource(settings_cls, toml_file=path)
            return (init_settings, env_settings, file) if env else (init_settings, file)

    try:
        return _Sourced(**_nested(overrides))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    except (ValidationError, SettingsError) as error:
        raise ConfigError(f"{path or 'settings'}: {explain(error, Settings)}") from error


def _nested(overrides: Sequence[str]) -> dict[str, Any]:
    """``["a.b=1"]`` as ``{"a": {"b": 1}}``; values are TOML where they parse, else plain words."""
    nested: dict[str, Any] = {}
    for word in overrides:
        key, equals, value = word.partition("=")
        section, dot, name = key.strip().partition(".")
        if not (equals and dot and section and name):
            raise ConfigError(f"--set {word!r}, want section.key=value, e.g. model.device=cpu")
        nested.setdefault(section, {})[name] = _value(value)
    return nested


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def explain(error: ValidationError | SettingsError, model: type[BaseModel]) -> str:
    """What is wrong, key by key, in words, with the nearest known key for an unknown one."""
    if isinstance(error, SettingsError):
        return str(error)
    return "; ".join(_sentence(detail, model) for detail in error.errors())


def _sentence(detail: Any, model: type[BaseModel]) -> str:  # noqa: ANN401 - pydantic's own dict
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] != "extra_forbidden":
        return f"{key} = {detail['input']!r}: {detail['msg']}"
    nearest = difflib.get_close_matches(key, list(_keys(model)), n=1, cutoff=0.5)
    hint = f", did you mean {nearest[0]}?" if nearest else ""
    return f"unknown key {key}{hint}"


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys(field.annotation, f"{prefix}{name}.")
