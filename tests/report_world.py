"""A made-up job for tests of the report: its records, its documents as published, its pictures."""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from heygemd.records import (
    AudioInfo,
    Clip,
    ClipPictures,
    ClipResult,
    Job,
    ModelFacts,
    Notice,
    RenderOptions,
    VideoInfo,
    Waveform,
)
from heygemd.report.documents import clip_log, job_log
from heygemd.report.pictures import Sampler, waveform

FACTS = ModelFacts("warp", "7c" * 32, "cuda:0", "mediapipe")
SOUND = AudioInfo("pcm_s16le", "wav", 48000, 2, Fraction(12))
TIMINGS_S = {"probe": 0.21, "faces": 6.4, "study": 1.13, "render": 12.9, "verify": 0.38,
             "decode": 3.1, "lips": 8.2, "total": 21.2}  # fmt: skip
FPS = Fraction(30000, 1001)
N_FRAMES = 360


def make_job(*names, name="lesson", audio_name="voice.wav"):
    clips = tuple(
        Clip(f"{n:04d}", clip, f"clip{n}", Path(f"/nowhere/{n}"), f"{n:02x}" * 32)
        for n, clip in enumerate(names, start=1)
    )
    return Job("0197f3", name, name, audio_name, Path("/nowhere/sound"), clips, RenderOptions(),
               audio_sha256="ab" * 32)  # fmt: skip


def done(clip, *warnings, gaps=()):
    info = VideoInfo(1280, 720, FPS, 300, Fraction(10), "mov", "h264", "yuv420p", rotation_deg=90)
    n_gone = sum(last - first + 1 for first, last in gaps)
    return ClipResult(
        clip, "ok", info=info, n_frames=N_FRAMES, fps=FPS, duration_s=N_FRAMES / FPS,
        coverage=1 - n_gone / N_FRAMES, gaps=gaps, timings_s=TIMINGS_S, warnings=warnings,
        notes={"n_source_frames": 300, "cuts": 2, "sync_offset_ms": 12.5},
    )  # fmt: skip


def failed(clip, code="no_face", message="a face in 3 of 240 frames (1%), want 30%"):
    return ClipResult(clip, "failed", code, message, timings_s={"total": 3.2})


def published(job, *results):
    """The clips' logs, with what the spool adds."""
    logs = []
    for result in results:
        log = clip_log(result, job, SOUND, FACTS)
        log |= {"job_id": job.id, "clip_id": result.clip.id}
        if result.outcome == "ok":
            log["output"] = {
                "name": f"{result.clip.stem}.mp4", "size_bytes": 3_400_000, "sha256": "ef" * 32,
            }  # fmt: skip
        logs.append(json.loads(json.dumps(log)))
    return logs


def closed(job, logs, error=None):
    """job.json, with what the spool adds."""
    log = job_log(job, SOUND if error is None else None, FACTS, logs, error)
    ignored = [{"name": "Thumbs.db", "reason": "neither sound nor picture"}]
    return json.loads(json.dumps({**log, "job_id": job.id, "ignored": ignored}))


def rejected(code="job_layout", message="2 sounds: a.wav, b.wav; want exactly one", name="lesson"):
    """job.json of a folder that is no job, as the spool writes it."""
    return {
        "outcome": "rejected", "code": code, "message": message, "job_id": "0197f4", "name": name,
    }  # fmt: skip


def finished_job():
    """(job.json, the clips' logs, pictures): one fine, one to look at, one failed."""
    job = make_job("anna.mp4", "ben.mov", "empty street.mp4")
    gaps = ((100, 139), (200, 203))
    results = [
        done(job.clips[0]),
        done(
            job.clips[1],
            Notice("frames_without_face", {"n_gone": 44, "n_frames": N_FRAMES}),
            Notice("cuts", {"n_cuts": 2}),
            gaps=gaps,
        ),
        failed(job.clips[2]),
    ]
    logs = published(job, *results)
    return closed(job, logs), logs, {"0001": pictures(), "0002": pictures(gaps)}


def drawn_face(opening, *, width=640, height=360, seed=0):
    """(H, W, 3) uint8: a face whose mouth is ``opening`` px open, over a wall with a pattern."""
    random = np.random.default_rng(seed)
    small = random.integers(60, 120, (9, 16, 3), dtype=np.uint8)
    frame = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    x, y, r = width // 2, height // 2, height // 4
    cv2.ellipse(frame, (x, y), (int(r * 0.78), r), 0, 0, 360, (150, 178, 222), -1)
    for side in (-1, 1):
        cv2.circle(frame, (x + side * r // 3, y - r // 4), r // 10, (60, 40, 30), -1)
    cv2.ellipse(frame, (x, y + r // 2), (r // 3, max(1, opening)), 0, 0, 360, (60, 50, 140), -1)
    return frame


def face_box(width=640, height=360):
    x, y, r = width / 2, height / 2, height / 4
    return np.array([x - 0.78 * r, y - r, x + 0.78 * r, y + r], np.float32)


@cache
def pictures(gaps=()):
    times_s = np.arange(12 * 16000) / 16000
    loudness = np.abs(np.sin(times_s * 2.1)) * np.abs(np.sin(times_s * 9.3))
    noise = np.random.default_rng(1).standard_normal(len(times_s))
    sound = Waveform((0.3 * loudness * noise).astype(np.float32).clip(-1, 1), 16000)
    opening = np.interp(np.linspace(0, 12, N_FRAMES), times_s, loudness)
    boxes = np.tile(face_box(), (N_FRAMES, 1))
    for first, last in gaps:
        boxes[first : last + 1] = np.nan
        opening[first : last + 1] = np.nan
    sampler = Sampler(N_FRAMES, boxes)
    for index in sampler.chosen:
        before, after = drawn_face(2), drawn_face(round(14 * opening[index]))
        sampler.see_before(index, before[None])
        sampler.see_after(index, after[None])
    wave = waveform(sound, n_frames=N_FRAMES, gaps=gaps, chosen=sampler.chosen, curve=opening)
    return ClipPictures(sampler.sheet(), sampler.poster(), wave)


def renamed(log, name):
    """The same log for a clip of another name."""
    return {**log, "clip": {**log["clip"], "name": name}}
