"""SyncNet's judgement, with weights that people bring: the offset and the figures of LSE.

Faces and sound are prepared as published (Chung and Zisserman, ACCV-W 2016; the repository
joonson/syncnet_python): squares of 224 pixels around the face at 25 frames a second, mel cepstra
at 100 columns a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from heygemd.errors import ModelError
from heygemd.lips.containers import read_tensors
from heygemd.nets.syncnet import FACE_PX, N_CEPSTRA, N_COLUMNS, N_FRAMES, PublishedSyncNet

RATE_HZ, FPS = 16_000, 25
REACH = 15  # frames to either side that are tried
MIN_WINDOWS = 25  # one second
COLUMNS_PER_FRAME = 4
_BATCH = 10
_WANTED = "want syncnet_v2.model as published"
# python_speech_features 0.6, as published: 25 ms every 10 ms, 26 filters up to half the rate.
_LENGTH, _STEP, _N_FFT, _N_FILTERS, _LIFTER, _EMPHASIS = 400, 160, 512, 26, 22, 0.97
_FULL_SCALE = 32768.0  # it was trained on 16-bit samples


@dataclass(frozen=True, slots=True)
class SyncNetScore:
    """What SyncNet says of one clip.

    Attributes:
        offset_ms: positive when the picture comes after the sound.
        confidence: LSE-C, the median distance less the least; above 3 is in sync for certain.
        distance: LSE-D, the least mean distance; lower is better.
        distances: (2 REACH + 1,) mean distance by offset, from the picture late to it early.
        n_windows: how many windows of five frames were judged.
    """

    offset_ms: float
    confidence: float
    distance: float
    distances: NDArray[np.float32]
    n_windows: int


class SyncNetScorer:
    """SyncNet with the published weights.

    Args:
        path: ``syncnet_v2.model``, a state dict.
        device: where it runs.

    Raises:
        ModelError: no such file, or not SyncNet's weights.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        tensors = read_tensors(path)
        net = PublishedSyncNet()
        try:
            fit = net.load_state_dict(tensors, strict=False)
        except RuntimeError as error:
            raise ModelError(f"{path} holds another network: {_short(error)}; {_WANTED}") from error
        lacking = [name for name in fit.missing_keys if not name.endswith("num_batches_tracked")]
        if lacking or fit.unexpected_keys:
            raise ModelError(
                f"{path} holds another network: {len(lacking)} of SyncNet's tensors are missing, "
                f"{len(fit.unexpected_keys)} are not SyncNet's; {_WANTED}"
            )
        self._device = torch.device(device)
        self._net = net.eval().to(self._device)

    def score(self, faces: NDArray[np.uint8], cepstra: NDArray[np.float32]) -> SyncNetScore | None:
        """Judge a clip; None where less than a second shows a face and has sound.

        Args:
            faces: (T, 224, 224, 3) BGR at 25 frames a second; black where no face is.
            cepstra: (13, N) from ``mel_cepstra`` of the sound that begins with the first frame.

        Raises:
            ValueError: another shape.
        """
        if faces.shape[1:] != (FACE_PX, FACE_PX, 3) or cepstra.shape[0] != N_CEPSTRA:
            raise ValueError(
                f"faces {faces.shape} and cepstra {cepstra.shape}, "
                f"want (T, {FACE_PX}, {FACE_PX}, 3) and ({N_CEPSTRA}, N)"
            )
        n_heard = (cepstra.shape[1] - N_COLUMNS) // COLUMNS_PER_FRAME + 1
        n_windows = min(len(faces) - N_FRAMES, n_heard)
        if n_windows < MIN_WINDOWS:
            return None
        shown = np.asarray(faces.any(axis=(1, 2, 3)), np.bool_)
        stacks = np.lib.stride_tricks.sliding_window_view(shown, N_FRAMES)[:n_windows]
        known = np.asarray(stacks.all(axis=1), np.bool_)
        if known.sum() < MIN_WINDOWS:
            return None
        with torch.inference_mode():
            seen = torch.cat([self._see(faces, part) for part in _parts(n_windows)])
            heard = torch.cat([self._hear(cepstra, part) for part in _parts(n_windows)])
        return judged(seen, heard, torch.from_numpy(known))

    def _see(self, faces: NDArray[np.uint8], part: range) -> torch.Tensor:
        stacks = np.stack([faces[n : n + N_FRAMES] for n in part]).transpose(0, 4, 1, 2, 3)
        return self._net.see(torch.from_numpy(stacks).to(self._device).float()).cpu()

    def _hear(self, cepstra: NDArray[np.float32], part: range) -> torch.Tensor:
        first = [COLUMNS_PER_FRAME * n for n in part]
        stacks = np.stack([cepstra[None, :, at : at + N_COLUMNS] for at in first])
        return self._net.hear(torch.from_numpy(stacks).to(self._device)).cpu()


def judged(seen: torch.Tensor, heard: torch.Tensor, known: torch.Tensor) -> SyncNetScore:
    """The offset at which pictures and sounds are closest.

    Where an offset leaves the clip there is silence of zeros, as published.

    Args:
        seen: (T, D) a row per window of frames.
        heard: (T, D) a row per window of sound.
        known: (T,) bool, windows that count.
    """
    around = functional.pad(heard, (0, 0, REACH, REACH))
    shifts = range(2 * REACH + 1)
    rows = [functional.pairwise_distance(seen, around[n : n + len(seen)]) for n in shifts]
    distances = torch.stack([row[known].mean() for row in rows])
    best = int(distances.argmin())
    return SyncNetScore(
        offset_ms=1000.0 * (REACH - best) / FPS,
        confidence=float(distances.median() - distances[best]),
        distance=float(distances[best]),
        distances=distances.numpy(),
        n_windows=int(known.sum()),
    )


def mel_cepstra(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """(13, N) mel-frequency cepstra, the first of them the loudness, 100 columns a second.

    Args:
        samples: (n,) 16 kHz mono in [-1, 1].
    """
    loud = samples.astype(np.float64) * _FULL_SCALE
    emphasised = np.append(loud[:1], loud[1:] - _EMPHASIS * loud[:-1])
    n_columns = 1 + max(0, -(-(len(loud) - _LENGTH) // _STEP))
    padded = np.zeros((n_columns - 1) * _STEP + _LENGTH)
    padded[: len(emphasised)] = emphasised
    columns = np.lib.stride_tricks.sliding_window_view(padded, _LENGTH)[::_STEP]
    power = np.abs(np.fft.rfft(columns, _N_FFT)) ** 2 / _N_FFT
    least = np.finfo(float).eps  # of what a logarithm is taken
    energy = np.maximum(power.sum(axis=1), least)
    bands = np.log(np.maximum(power @ _filters().T, least))
    cepstra = bands @ _cosines().T * (1 + _LIFTER / 2 * np.sin(np.pi * _quefrencies() / _LIFTER))
    cepstra[:, 0] = np.log(energy)
    return np.ascontiguousarray(cepstra.T, np.float32)


@cache
def _filters() -> NDArray[np.float64]:
    """(26, 257) triangles between whole bins, evenly spaced in mel."""
    mels = np.linspace(0.0, 2595 * np.log10(1 + RATE_HZ / 2 / 700), _N_FILTERS + 2)
    edges = np.floor((_N_FFT + 1) * 700 * (10 ** (mels / 2595) - 1) / RATE_HZ)
    bins = np.arange(_N_FFT // 2 + 1)
    low, middle, high = (edges[n : n + _N_FILTERS, None] for n in range(3))
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return np.asarray(np.where(bins < middle, rising, falling).clip(0.0), np.float64)


@cache
def _cosines() -> NDArray[np.float64]:
    """(13, 26) the first rows of an orthonormal cosine transform."""
    angles = np.pi * (np.arange(_N_FILTERS) + 0.5) / _N_FILTERS
    rows = np.sqrt(2 / _N_FILTERS) * np.cos(_quefrencies()[:, None] * angles)
    rows[0] /= np.sqrt(2)
    return np.asarray(rows, np.float64)


def _quefrencies() -> NDArray[np.int64]:
    return np.arange(N_CEPSTRA)


def _parts(n_windows: int) -> list[range]:
    """Some windows at a time, so that memory stays small."""
    return [range(first, min(first + _BATCH, n_windows)) for first in range(0, n_windows, _BATCH)]


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
