"""``python -m training.sync --data DATA --out DIR``: recorded talkers in, a sync scorer out."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional

from heygemd.nets.sync import HEARD_HZ, SEEN_FPS, SyncNet, halved
from heygemd.quality import SyncScorer
from training import augment, mouths, recordings, scoring, split, talks
from training.voice import speaker_shares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from training.mouths import Mouth

N_CLIPS_OF_S1 = 64
N_FRAMES = augment.N_STEPS * SEEN_FPS // HEARD_HZ  # 60: as long as what is heard
EDGE_FRAMES = 4  # at either end an embedding sees or hears too little
MAX_LAG = 15  # frames
_TONED_SHARE = 0.35
_N_TONES = 5  # of a curve from black to white


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a training run may vary.

    Attributes:
        seed: of every random choice.
        n_steps: updates.
        n_windows: windows of 2.4 s in a batch.
        heat: how sharply the agreement at one moment is judged.
        curve_heat: how sharply its mean over a window is judged.
    """

    seed: int = 0
    n_steps: int = 1200
    n_windows: int = 10
    rate: float = 2e-3
    weight_decay: float = 0.05
    dropout: float = 0.2
    heat: float = 0.1
    curve_heat: float = 0.03


def train(people: Sequence[Mouth], recipe: Recipe) -> SyncNet:
    """A scorer that has seen these clips, in evaluation mode on the CPU."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = SyncNet(dropout=recipe.dropout).to(device)
    optimiser = torch.optim.AdamW(net.parameters(), recipe.rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, recipe.n_steps, pct_start=0.1
    )
    shares = speaker_shares([split.speaker(one.name) for one in people])
    crowd = [one.mel for one in people]
    started, mean_loss = time.monotonic(), 0.0
    for step in range(recipe.n_steps):
        drawn = [people[i] for i in rng.choice(len(people), recipe.n_windows, p=shares)]
        crops, columns, known = batch(drawn, rng, crowd)
        seen = net.train().watch(disturbed(halved(crops.to(device)), rng))
        heard = at_frames(net.hear(columns.to(device)))
        loss = disagreement(seen, heard, known.to(device), recipe)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        mean_loss += (loss.item() - mean_loss) / (step % 100 + 1)
        if (step + 1) % 100 == 0:
            pace_s = (time.monotonic() - started) / (step + 1)
            print(f"sync: step {step + 1} loss {mean_loss:.3f} {pace_s:.2f} s", flush=True)
            mean_loss = 0.0
    net.eval().cpu()
    return net


def batch(
    drawn: Sequence[Mouth], rng: np.random.Generator, crowd: Sequence[NDArray[np.float32]]
) -> tuple[Tensor, Tensor, Tensor]:
    """(B, N_FRAMES, 64, 96) crops 0..255, (B, 80, N) log-mels, (B, N_FRAMES) which frames count."""
    crops, columns, known = [], [], []
    for one in drawn:
        window = augment.window(one.mel, rng, crowd)
        moments_s = frame_moments_s(window.source_s)
        nearest = np.abs(one.times_s[None] - moments_s[:, None]).argmin(axis=1)
        inside = np.abs(one.times_s[nearest] - moments_s) < 1.0 / SEEN_FPS
        inside[:EDGE_FRAMES] = inside[-EDGE_FRAMES:] = False
        crops.append(torch.from_numpy(one.crops[nearest]))
        columns.append(torch.from_numpy(window.mel))
        known.append(torch.from_numpy(inside))
    return torch.stack(crops).float(), torch.stack(columns), torch.stack(known)


def frame_moments_s(source_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N_FRAMES,) moments of the source at a window's 25 fps frames, from those of its steps."""
    pace = (source_s[1] - source_s[0]) * HEARD_HZ
    in_window_s = (np.arange(N_FRAMES) + 0.5) / SEEN_FPS
    return np.asarray(source_s[0] + (in_window_s - 0.25 / HEARD_HZ) * pace)


def at_frames(heard: Tensor) -> Tensor:
    """(B, N_FRAMES, D) of (B, N_STEPS, D): what is heard at the frames' moments."""
    place = (torch.arange(N_FRAMES, device=heard.device) + 0.5) / SEEN_FPS * HEARD_HZ - 0.25
    before = place.floor().long()
    share = (place - before)[None, :, None]
    rows = heard[:, before] * (1 - share) + heard[:, before + 1] * share
    return functional.normalize(rows, dim=2)


def disagreement(seen: Tensor, heard: Tensor, known: Tensor, recipe: Recipe) -> Tensor:
    """How badly moments are told from those around them, by the frame and by the window.

    Args:
        seen: (B, T, D) unit vectors.
        heard: (B, T, D) unit vectors at the same moments.
        known: (B, T) bool.
        recipe: its heats.
    """
    agree = seen @ heard.transpose(1, 2)  # (B, frame seen, moment heard)
    rows = torch.arange(agree.shape[1], device=agree.device)
    near = (rows[:, None] - rows[None]).abs() <= MAX_LAG
    allowed = near & known[:, :, None] & known[:, None, :]
    logits = (agree / recipe.heat).masked_fill(~allowed, -1e4)
    true = rows.expand(agree.shape[:2]).masked_fill(~known, -1)
    by_frame = functional.cross_entropy(
        logits.transpose(1, 2), true, ignore_index=-1
    ) + functional.cross_entropy(logits, true, ignore_index=-1)
    curve = torch.stack([lag_mean(agree, allowed, lag) for lag in range(-MAX_LAG, MAX_LAG + 1)], 1)
    middle = torch.full((len(curve),), MAX_LAG, device=agree.device)
    by_window = functional.cross_entropy(curve / recipe.curve_heat, middle)
    return by_frame + by_window


def lag_mean(agree: Tensor, allowed: Tensor, lag: int) -> Tensor:
    """(B,) mean agreement of frames with the sound ``lag`` frames before them."""
    values = agree.diagonal(-lag, 1, 2)
    count = allowed.diagonal(-lag, 1, 2).float()
    return (values * count).sum(dim=1) / count.sum(dim=1).clamp(min=1.0)


def disturbed(crops: Tensor, rng: np.random.Generator) -> Tensor:
    """(B, T, H, W) mouths, 0..1, moved, turned, mirrored, blurred, lit otherwise, partly hidden."""
    crops = toned(crops, rng)
    n_clips, _, height, width = crops.shape
    turn = torch.from_numpy(turns(n_clips, height / width, rng)).to(crops.device)
    grid = functional.affine_grid(turn, [n_clips, 1, height, width], align_corners=False)
    moved = functional.grid_sample(crops, grid, padding_mode="border", align_corners=False)
    gamma = torch.from_numpy(np.exp(rng.normal(0.0, 0.3, n_clips)).astype(np.float32))
    moved = moved.clamp(0.0, 1.0) ** gamma.to(crops.device)[:, None, None, None]
    for clip in range(n_clips):
        if rng.random() < 0.3:
            moved[clip] = functional.avg_pool2d(moved[clip], 3, stride=1, padding=1)
        if rng.random() < 0.3:
            top, left = int(rng.integers(height)), int(rng.integers(width))
            hidden = moved[clip, :, top : top + 12, left : left + 12]
            hidden[:] = float(rng.uniform())
    return moved + rng.uniform(0.0, 0.03) * torch.randn(moved.shape, device=moved.device)


def toned(crops: Tensor, rng: np.random.Generator) -> Tensor:
    """(B, T, H, W) mouths, 0..1, a third of the clips in other tones, some of them negatives.

    An open mouth is darker than fair skin, and as bright as dark skin or brighter: who has seen
    fair people alone takes a dark woman's open mouth for a closed one.
    """
    seen = crops.clone()
    for clip in seen:
        if rng.random() < _TONED_SHARE:
            tones = rng.uniform(0.0, 1.0, _N_TONES)
            if rng.random() < 0.5:  # of these, one half keeps the order of tones, or turns it
                tones = np.sort(tones)[:: rng.choice([-1, 1])].copy()
            curve = torch.from_numpy(tones.astype(np.float32)).to(clip.device)
            place = clip.clamp(0.0, 1.0) * (_N_TONES - 1)
            below = place.long().clamp(max=_N_TONES - 2)
            clip[:] = torch.lerp(curve[below], curve[below + 1], place - below)
    return seen


def turns(n_clips: int, aspect: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(n, 2, 3) random affine maps in units of half a crop, half of them mirrored."""
    angle = rng.normal(0.0, 0.08, n_clips)
    across, along = np.exp(rng.normal(0.0, 0.1, (2, n_clips)))
    mirror = np.where(rng.random(n_clips) < 0.5, -1.0, 1.0)
    turn = np.zeros((n_clips, 2, 3), np.float32)
    turn[:, 0, 0] = across * np.cos(angle) * mirror
    turn[:, 0, 1] = -np.sin(angle) * aspect
    turn[:, 1, 0] = np.sin(angle) / aspect * mirror
    turn[:, 1, 1] = along * np.cos(angle)
    turn[:, :, 2] = rng.normal(0.0, 0.06, (n_clips, 2))
    return turn


def main() -> None:
    """Cut the mouths, train, write the weights and measure them."""
    parser = argparse.ArgumentParser(prog="training.sync", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds grid/*.mkv")
    parser.add_argument("--media", type=Path, help="evaluation media; never trained on")
    parser.add_argument("--out", type=Path, required=True, help="weights there are replaced")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=Recipe().n_steps)
    parser.add_argument("--clips-of-s1", type=int, default=N_CLIPS_OF_S1)
    parser.add_argument("--aside", default="", help="speakers not trained on, by commas")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--judge-only", action="store_true", help="train nothing, measure --out")
    words = parser.parse_args()
    torch.set_num_threads(words.threads)
    weights = words.out / "sync.safetensors"
    if not words.judge_only:
        clips = recordings.grid_clips(words.data, words.seed, words.clips_of_s1)
        clips = recordings.trained_on(clips, tuple(words.aside.split(",")))
        found = recordings.record_all(clips, words.cache)
        people = [
            mouths.mouth(clip, recording, words.cache / "mouths")
            for clip, recording in zip(clips, found, strict=True)
            if talks.usable(recording)
        ]
        recipe = replace(Recipe(), seed=words.seed, n_steps=words.steps)
        net = train(people, recipe)
        save(net, weights, recipe, n_clips=len(people))
    figures = scoring.measure(SyncScorer(weights), words.data, words.media, words.cache)
    text = json.dumps(figures, indent=2, sort_keys=True)
    weights.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    print(text)


def save(net: SyncNet, path: Path, recipe: Recipe, n_clips: int) -> None:
    """Write the weights, with the recipe beside them in the file's header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.contiguous() for name, value in net.state_dict().items()}
    header = json.dumps(asdict(recipe) | {"n_clips": n_clips}, sort_keys=True)
    save_file(tensors, path, metadata={"recipe": header})


if __name__ == "__main__":
    main()
