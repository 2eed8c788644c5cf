"""How well a clip's mouth follows its sound: the offset in ms, and how sure that is.

The scorer of ``nets/sync.py`` embeds what the mouth does and what the voice says; the lag at which
they agree best is the offset. It was trained on recorded talkers alone, apart from every lip model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.nn import functional

from heygemd.errors import ModelError
from heygemd.nets.sync import (
    HEARD_HZ,
    HEIGHT_PX,
    N_MELS,
    SEEN_FPS,
    SEEN_REACH,
    WIDTH_PX,
    SyncNet,
)

WEIGHTS = Path(__file__).parent / "assets" / "sync.safetensors"
STEP_MS = 20.0  # of the curve; half a frame at 25 fps
MAX_LAG_MS = 600.0  # to either side
LAGS_MS = np.arange(-MAX_LAG_MS, MAX_LAG_MS + 1, STEP_MS)
MIN_SEEN_FRAMES = 25  # one second; less says nothing
_BLIND = 3  # frames next to one without a face whose embedding it touches
_CHUNK_FRAMES = 250
_FIRST_HEARD_S = 0.25 / HEARD_HZ


@dataclass(frozen=True, slots=True)
class SyncScore:
    """What the scorer says of one clip.

    Attributes:
        offset_ms: positive when the picture comes after the sound.
        confidence: how far the best lag stands above the median one; real footage 0.1 to 0.5,
            a foreign voice below 0.1.
        curve: (len(LAGS_MS),) mean agreement at every lag, -1..1.
        n_frames: how many 25 fps moments were judged.
        agreement: (T,) at 25 a second, -1..1 at the best lag; NaN where it was not judged.
        notes: what else a scorer says, by name.
    """

    offset_ms: float
    confidence: float
    curve: NDArray[np.float32]
    n_frames: int
    agreement: NDArray[np.float32]
    notes: dict[str, float] = field(default_factory=dict)


class SyncScorer:
    """The sync scorer with its weights.

    Args:
        weights: a safetensors file from ``training/sync.py``; the shipped ones by default.
        device: where it runs.

    Raises:
        ModelError: no such file, or not this network's weights.
    """

    def __init__(self, weights: Path = WEIGHTS, device: str = "cpu") -> None:
        net = SyncNet()
        try:
            net.load_state_dict(load_file(weights))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise ModelError(
                f"no sync scorer at {weights} ({error}); reinstall heygemd, its wheel carries it"
            ) from error
        self._device = torch.device(device)
        self._net = net.eval().to(self._device)

    def score(
        self, crops: NDArray[np.uint8], mel: NDArray[np.float32], *, fps: float
    ) -> SyncScore | None:
        """Judge a clip; None where less than a second shows a mouth and has sound.

        Args:
            crops: (T, 64, 96) grey from ``faces.mouths.cut_mouths``; black rows show no face.
            mel: (80, N) log-mel of the levelled sound at 80 columns a second, from time 0; frame
                i shows the moment (i + 1/2) / fps.
            fps: of the crops; any rate is brought to 25 by the nearest frame.

        Raises:
            ValueError: another shape.
        """
        if crops.ndim != 3 or crops.shape[1:] != (HEIGHT_PX, WIDTH_PX):
            raise ValueError(f"crops {crops.shape}, want (T, {HEIGHT_PX}, {WIDTH_PX})")
        if mel.ndim != 2 or mel.shape[0] != N_MELS:
            raise ValueError(f"mel {mel.shape}, want ({N_MELS}, N)")
        moments_s = (np.arange(int(len(crops) / fps * SEEN_FPS)) + 0.5) / SEEN_FPS
        steady = crops[np.minimum((moments_s * fps).astype(int), len(crops) - 1)]
        known = judged(steady)
        if known.sum() < MIN_SEEN_FRAMES or mel.shape[1] < 2 * HEARD_HZ:
            return None
        with torch.inference_mode():
            seen = self._see(steady)
            heard = self._net.hear(torch.from_numpy(mel)[None].to(self._device))[0]
            curve, n_frames = lag_curve(seen, heard, torch.from_numpy(known))
            best_ms = float(LAGS_MS[int(curve.argmax())])
            inside, agreed = _agreement(seen, heard.cpu(), torch.from_numpy(known), best_ms)
        agreement = np.full(len(seen), np.nan, np.float32)
        agreement[inside.numpy()] = agreed.numpy()
        return SyncScore(
            offset_ms=peak_ms(curve),
            confidence=float(curve.max() - np.median(curve)),
            curve=curve,
            n_frames=n_frames,
            agreement=agreement,
        )

    def _see(self, crops: NDArray[np.uint8]) -> torch.Tensor:
        """(T, D) embeddings, a stretch at a time so that long clips cost no more memory."""
        rows = []
        for first in range(0, len(crops), _CHUNK_FRAMES):
            begin = max(0, first - SEEN_REACH)
            piece = crops[begin : first + _CHUNK_FRAMES + SEEN_REACH]
            seen = self._net.see(torch.from_numpy(piece)[None].to(self._device).float())[0]
            rows.append(seen[first - begin : first - begin + _CHUNK_FRAMES].cpu())
        return torch.cat(rows)


def judged(crops: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(T,) which frames show a mouth, and so do their neighbours."""
    shown = np.asarray(crops.any(axis=(1, 2)), np.bool_)
    padded = np.pad(shown, _BLIND, mode="edge")
    near = [padded[shift : shift + len(shown)] for shift in range(2 * _BLIND + 1)]
    return np.asarray(np.all(near, axis=0), np.bool_)


def lag_curve(
    seen: torch.Tensor, heard: torch.Tensor, known: torch.Tensor
) -> tuple[NDArray[np.float32], int]:
    """Mean agreement at each of ``LAGS_MS``, over the frames that have sound at every lag.

    A clip too short for that is judged, at each lag, by what frames there are.

    Args:
        seen: (T, D) at 25 a second.
        heard: (M, D) at 40 a second.
        known: (T,) bool, frames that count.

    Returns:
        (len(LAGS_MS),) float32, and how many frames it stands on at lag 0.
    """
    heard = heard.cpu()
    curve = np.full(len(LAGS_MS), -1.0, np.float32)
    for place, lag_ms in enumerate(LAGS_MS):
        _, agreed = _agreement(seen, heard, known, lag_ms)
        if len(agreed):
            curve[place] = float(agreed.mean())
    return curve, int(known.sum())


def _agreement(
    seen: torch.Tensor, heard: torch.Tensor, known: torch.Tensor, lag_ms: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """(T,) which frames are judged at a lag, and the agreement of each of them."""
    moments_s = (torch.arange(len(seen)) + 0.5) / SEEN_FPS
    at = ((moments_s - lag_ms / 1000.0) - _FIRST_HEARD_S) * HEARD_HZ
    inside = known & (at >= 0) & (at <= len(heard) - 1)
    before = at[inside].floor().long().clamp(max=len(heard) - 2)
    share = (at[inside] - before)[:, None]
    rows = functional.normalize(heard[before] * (1 - share) + heard[before + 1] * share, dim=1)
    return inside, (seen[inside] * rows).sum(dim=1)


def peak_ms(curve: NDArray[np.float32]) -> float:
    """Where the curve is highest, between its steps by a parabola through three of them."""
    top = int(curve.argmax())
    if top in {0, len(curve) - 1}:
        return float(LAGS_MS[top])
    left, middle, right = (float(v) for v in curve[top - 1 : top + 2])
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(LAGS_MS[top] + shift * STEP_MS)
