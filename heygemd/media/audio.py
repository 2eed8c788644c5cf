"""Sound as lip models hear it, and whether there is any to hear."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from heygemd.errors import AudioError, LimitError, MediaError
from heygemd.media.limits import Limits
from heygemd.media.probe import probe_audio
from heygemd.media.tool import Caps, Child, Ffmpeg, command, running, user_file
from heygemd.records import AudioInfo, Waveform

RATE_HZ = 16_000  # what lip models are trained on (Wav2Lip, ACM MM 2020)
CHUNK_SAMPLES = 1 << 18
OUTLINE_SAMPLES = 40  # 2.5 ms
LONG_S = 60.0  # a sound of which four times as coarse an outline does
SILENT_DB = -60.0  # below the noise of a quiet room through any microphone


def read_waveform(
    tool: Ffmpeg, path: Path, limits: Limits, info: AudioInfo | None = None
) -> Waveform:
    """The whole sound, 16 kHz mono: all channels mixed, gaps in its time stamps filled.

    Args:
        tool: the ffmpeg to use.
        path: the file.
        limits: of length, memory and patience.
        info: of ``probe_audio``, which is asked where nothing is given.

    Raises:
        AudioError: the codes of ``probe_audio``; ``corrupt`` when nothing decodes; ``limits``.
    """
    info = info or probe_audio(path, limits)
    sound = ffmpeg.input(**user_file(path, info.container))[str(info.stream)]
    output = in_step(sound, RATE_HZ).output("pipe:1", f="f32le", ac=1)
    caps = Caps(
        memory_bytes=limits.memory_bytes,
        cpu_s=int(120 + limits.max_duration_s / 10),
        stall_s=limits.stall_s,
    )
    try:
        with running(command(tool, ffmpeg.get_args(output)), caps, reads=True) as child:
            samples = np.concatenate(list(_read_samples(child, limits)))
            child.finish()
    except (MediaError, LimitError) as error:
        raise AudioError(f"the sound cannot be decoded: {error}", code=error.reason) from error
    if not len(samples):
        raise AudioError("the sound decodes to nothing; export it again", code="corrupt")
    return Waveform(samples=np.clip(samples, -1.0, 1.0), rate_hz=RATE_HZ)


def in_step(sound: Any, rate_hz: int) -> Any:  # noqa: ANN401 - ffmpeg-python's stream
    """The sound at another rate, its first sample at 0 and silence where time stamps jump.

    What lip models hear and what is encoded beside the picture both go through here, so they
    agree on where each sound is.
    """
    return sound.filter("aresample", rate_hz, resampler="soxr", first_pts=0, **{"async": 1})


def outline(sound: Waveform) -> Waveform:
    """The loudest and the lowest sample of every 2.5 ms, of a long sound of every 10 ms.

    A drawing of it needs no more: of an hour at 16 kHz 3 MB are kept instead of 230.
    """
    is_long = len(sound.samples) > LONG_S * sound.rate_hz
    step = OUTLINE_SAMPLES * (4 if is_long else 1)
    starts = np.arange(0, len(sound.samples), step)
    if not len(starts):
        return sound
    peaks = [ends.reduceat(sound.samples, starts) for ends in (np.maximum, np.minimum)]
    return Waveform(np.stack(peaks, axis=1).ravel(), sound.rate_hz * 2 // step)


def peak_db(sound: Waveform) -> float:
    """The loudest sample in dBFS: 0 is full scale, minus infinity is digital silence."""
    highest, lowest = (float(end(sound.samples, initial=0.0)) for end in (np.max, np.min))
    peak = max(highest, -lowest)
    return 20 * math.log10(peak) if peak > 0 else -math.inf


def is_silent(sound: Waveform) -> bool:
    """True where nobody would hear anything; worth a warning, not a failure."""
    return peak_db(sound) < SILENT_DB


def _read_samples(child: Child, limits: Limits) -> Iterator[NDArray[np.float32]]:
    most = int((limits.max_duration_s + 1) * RATE_HZ)
    n_samples = 0
    while n_samples <= most:
        chunk = np.empty(CHUNK_SAMPLES, np.float32)
        n_bytes = child.read_into(chunk.data.cast("B"))
        n_samples += n_bytes // chunk.itemsize
        yield chunk[: n_bytes // chunk.itemsize]
        if n_bytes < chunk.nbytes:
            return
    raise LimitError(
        f"over {limits.max_duration_s:.0f} s long; cut it or raise media.max_duration_s"
    )
