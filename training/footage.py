"""Pictures and sound of recorded clips, on one clock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from heygemd.records import Frames, Waveform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

RATE_HZ = 16_000


def read_frames(path: Path, *, max_frames: int) -> Iterator[tuple[float, Frames]]:
    """Yield ``(middle of the frame in s, (H, W, 3) uint8 RGB)``, on the container's clock."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        half_s = 0.5 / float(stream.average_rate or 25)
        for index, frame in enumerate(container.decode(stream)):
            if index == max_frames:
                return
            start_s = frame.time if frame.time is not None else index * 2 * half_s
            yield start_s + half_s, np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def read_sound(path: Path) -> Waveform:
    """The first sound track as 16 kHz mono, sample 0 at time 0 of the container; empty if none.

    Broken packets are left out and leave silence: old broadcast files open with one.
    """
    pieces: list[tuple[float, NDArray[np.float32]]] = []
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return Waveform(np.zeros(0, np.float32), RATE_HZ)
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        for packet in container.demux(container.streams.audio[0]):
            try:
                decoded = packet.decode()
            except av.error.InvalidDataError:
                continue
            for frame in decoded:
                pieces += [
                    (out.time or 0.0, out.to_ndarray()[0]) for out in resampler.resample(frame)
                ]
        pieces += [(out.time or 0.0, out.to_ndarray()[0]) for out in resampler.resample(None)]
    if not pieces:
        return Waveform(np.zeros(0, np.float32), RATE_HZ)
    starts = [round(start_s * RATE_HZ) for start_s, _ in pieces]
    n_samples = max(start + len(piece) for start, (_, piece) in zip(starts, pieces, strict=True))
    samples = np.zeros(n_samples, np.float32)
    for start, (_, piece) in zip(starts, pieces, strict=True):
        kept = piece[max(0, -start) :]
        samples[max(0, start) : max(0, start) + len(kept)] = kept
    return Waveform(samples, RATE_HZ)
