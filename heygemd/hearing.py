"""A job's sound, and whom it asks to follow: learned once, used by each of its clips."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from heygemd import heap
from heygemd.errors import LimitError, MediaError, PortraitError
from heygemd.faces.detect import areas
from heygemd.faces.likeness import Look, look_at
from heygemd.lips.base import Voice
from heygemd.media import audio, probe, silence
from heygemd.media.decode import VideoReader
from heygemd.models import Models
from heygemd.records import AudioInfo, Job, RenderOptions, Waveform
from heygemd.studio import Studio
from heygemd.witness import JudgedVoice, voice_to_judge


@dataclass(frozen=True, slots=True)
class Heard:
    """What is kept of a job's sound.

    Attributes:
        path: the original file, which is what viewers will hear.
        duration_s: its exact length.
        outline: see ``audio.outline``; not delayed.
        voice: what the lip model wants of it.
        quiet: no sample is louder than a whisper of noise.
        silences: where the lips have nothing to say, in seconds; empty where the model decides.
        person: what the person to follow looks like; None without a reference picture.
        judged: what sync scorers want of it; None where nobody shall judge.
    """

    path: Path
    info: AudioInfo
    duration_s: Fraction
    outline: Waveform
    voice: Voice
    quiet: bool
    silences: tuple[silence.Stretch, ...] = ()
    person: Look | None = None
    judged: JudgedVoice | None = None


def hear_job(job: Job, models: Models, studio: Studio) -> Heard:
    """All that is learned once per job: of its sound, and of whom to follow.

    Raises:
        AudioError: the sound cannot be read or used.
        PortraitError: the reference picture likewise.
    """
    heard = hear(job.audio, job.options, models, studio)
    person = None if job.reference is None else meet(job.reference, models, studio)
    return replace(heard, person=person)


def hear(path: Path, options: RenderOptions, models: Models, studio: Studio) -> Heard:
    """Read a job's sound and let the models listen to it, once.

    Raises:
        AudioError: the file cannot be read or used.
    """
    info = probe.probe_audio(path, studio.limits)
    sound = audio.read_waveform(studio.tool, path, studio.limits, info)
    followed = _delayed(sound, options.sync_offset_ms)
    silences: tuple[silence.Stretch, ...] = ()
    if options.silence != "model":
        silences = silence.find_silence(followed, options.silence_s)
    if options.silence == "close":
        followed = silence.hush(followed, silences)
    voice = models.lips.hear(followed)
    quiet, judged = audio.is_silent(sound), None
    if models.scorer is not None and not quiet:
        judged = voice_to_judge(sound, by_syncnet=models.syncnet is not None)
    outline = audio.outline(sound)
    heap.trim()
    return Heard(path, info, sound.duration_s, outline, voice, quiet, silences, judged=judged)


def meet(path: Path, models: Models, studio: Studio) -> Look:
    """What the person in a job's reference picture looks like.

    Raises:
        PortraitError: no picture, or nobody to be seen in it.
    """
    try:
        info = probe.probe(path, studio.limits)
        pictures = next(VideoReader(studio.tool, path, info, studio.limits).read_all(1))
    except (MediaError, LimitError) as error:
        raise PortraitError(f"the reference picture cannot be read: {error}") from error
    (seen,) = models.detector.detect(pictures)
    if seen.points is None:
        raise PortraitError(
            'face = "reference" wants face meshes; set faces.detector = "mediapipe"'
        )
    if not len(seen.boxes):
        raise PortraitError("the reference picture shows no face, want one that looks ahead")
    largest = int(areas(seen.boxes).argmax())
    return look_at(pictures[0], seen.points[largest])


def _delayed(sound: Waveform, offset_ms: float) -> Waveform:
    """The sound as the lips shall follow it: later by ``offset_ms``, and no shorter."""
    shift = round(abs(offset_ms) / 1000.0 * sound.rate_hz)
    if shift == 0:
        return sound
    quiet = np.zeros(shift, np.float32)
    moved = (quiet, sound.samples[:-shift]) if offset_ms > 0 else (sound.samples[shift:], quiet)
    return Waveform(np.concatenate(moved)[: len(sound.samples)], sound.rate_hz)
