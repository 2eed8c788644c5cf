"""The JSON documents of the outbox: one per clip, one per job. Docs: docs/logs.md."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from functools import cache
from importlib import metadata
from typing import Any

from heygemd import __version__
from heygemd.errors import JobError
from heygemd.records import AudioInfo, ClipResult, Job, ModelFacts, Notice, Sync
from heygemd.report import catalogue

SCHEMA_VERSION = 1
CLIPS_FAILED = "clips_failed"  # the code of a job whose only trouble is its clips'
_PACKAGES = (
    *("torch", "opencv-python", "ai-edge-litert", "numpy", "numba", "librosa"),
    *("imageio-ffmpeg", "av"),
)


@cache
def _packages() -> dict[str, str]:
    """Versions as they were when this process first asked; each takes a walk over the disk."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # another build of it may stand in, e.g. headless cv2
            continue
    return found


def versions() -> dict[str, str]:
    """What took part, by name: heygemd, Python and the packages that touch pixels or sound."""
    return {"heygemd": __version__, "python": platform.python_version(), **_packages()}


def clip_log(
    result: ClipResult, job: Job, sound: AudioInfo | None, facts: ModelFacts
) -> dict[str, Any]:
    """What stands in ``<stem>.json``; the spool adds the output's name, size and sha256."""
    total_s = result.timings_s.get("total", 0.0)
    return {
        "schema_version": SCHEMA_VERSION,
        "outcome": result.outcome,
        "code": result.code,
        "message": result.message,
        "job": {"id": job.id, "name": printable(job.name)},
        "clip": {
            "id": result.clip.id,
            "name": printable(result.clip.name),
            "sha256": result.clip.sha256,
            "probe": None if result.info is None else _plain(asdict(result.info)),
        },
        "sound": _sound(job, sound),
        "options": asdict(job.options),
        "silence": {"without_speech": [list(silent) for silent in result.silences]},
        "timeline": [list(run) for run in result.runs],
        "n_frames": result.n_frames,
        "fps": rate(result.fps) if result.fps is not None else None,
        "duration_s": round(float(result.duration_s), 6),
        "faces": {
            "coverage": round(result.coverage, 4),
            "without_face": [list(gap) for gap in result.gaps],
            "untouched": [list(span) for span in result.untouched],
            "partly": [list(span) for span in result.partly],
            "alike": [[first, last, round(share, 3)] for first, last, share in result.alike],
            "detector": facts.detector,
        },
        "sync": _sync(result.sync),
        "timings_s": {stage: round(took_s, 3) for stage, took_s in result.timings_s.items()},
        "frames_per_s": round(result.n_frames / total_s, 2) if total_s > 0 else 0.0,
        "model": _model(facts),
        "notes": result.notes,
        "warnings": [_warning(notice) for notice in result.warnings],
        "versions": versions(),
    }


def job_log(
    job: Job,
    sound: AudioInfo | None,
    facts: ModelFacts,
    clips: Sequence[Mapping[str, Any]],
    error: JobError | None = None,
) -> dict[str, Any]:
    """What stands in ``job.json``, the last file to appear.

    Args:
        job: as accepted.
        sound: None when it could not be read.
        facts: the model in use.
        clips: the logs of all clips.
        error: why the job as a whole failed; None leaves the outcome to the clips.
    """
    n_ok = sum(clip["outcome"] == "ok" for clip in clips)
    outcome, code = ("ok", "ok") if n_ok == len(clips) else ("partial", CLIPS_FAILED)
    message = f"{n_ok} of {len(clips)} clips are done"
    if error is not None:
        code, message = error.reason, str(error)
    if error is not None or n_ok == 0:
        outcome = "failed"
    return {
        "schema_version": SCHEMA_VERSION,
        "outcome": outcome,
        "code": code,
        "message": message,
        "job": {"id": job.id, "name": printable(job.name)},
        "sound": _sound(job, sound),
        "options": asdict(job.options),
        "model": _model(facts),
        "clips": [_row(clip) for clip in clips],
        "versions": versions(),
    }


def rate(fps: Fraction) -> str:
    """Exact and readable, e.g. ``30000/1001`` or ``25/1``."""
    return f"{fps.numerator}/{fps.denominator}"


def printable(name: str) -> str:
    """A file name that is not UTF-8, with its stray bytes escaped."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _warning(notice: Notice) -> dict[str, Any]:
    message = catalogue.warning(notice.code).say("en", notice.values)
    return {"code": notice.code, "message": message, "values": notice.values}


def _sync(sync: Sync | None) -> dict[str, float] | None:
    if sync is None:
        return None
    return {"offset_ms": round(sync.offset_ms, 1), "confidence": round(sync.confidence, 4)}


def _model(facts: ModelFacts) -> dict[str, Any]:
    return {
        "name": facts.name,
        "sha256": facts.sha256,
        "device": facts.device,
        "restorer": {"name": facts.restorer, "sha256": facts.restorer_sha256},
    }


def _row(clip: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": clip["clip"]["name"],
        "outcome": clip["outcome"],
        "code": clip["code"],
        "message": clip["message"],
        "output": clip.get("output"),
        "n_frames": clip["n_frames"],
        "frames_per_s": clip["frames_per_s"],
    }


def _sound(job: Job, sound: AudioInfo | None) -> dict[str, Any]:
    probe = None if sound is None else _plain(asdict(sound))
    return {"name": printable(job.audio_name), "sha256": job.audio_sha256, "probe": probe}


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """Fractions as JSON takes them: seconds as numbers, everything else exact, as ``rate``."""
    return {
        key: (round(float(value), 6) if key.endswith("_s") else rate(value))
        if isinstance(value, Fraction)
        else value
        for key, value in record.items()
    }
