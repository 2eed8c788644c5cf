"""The training of the voice network: recorded mouths, synthetic phones and noise at once."""

from __future__ import annotations

import copy
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from heygemd.nets.voice import VoiceNet
from training import attend, losses, reading
from training.phones import TRAITS, Viseme

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from heygemd.lips.warp.geometry import Basis
    from heygemd.nets.ears import Ears
    from training.attend import Named, Watched
    from training.speech import Lesson
    from training.talks import Talk


_SHARE_POWER = 0.5  # 300 clips of one person weigh 17 times a single clip


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a training run may vary.

    Attributes:
        seed: of every random choice.
        n_steps: updates.
        n_channels: width of the network.
        n_talks: windows of recorded talkers in a batch.
        n_lessons: windows of synthetic speech in a batch.
        n_noises: windows without speech in a batch.
        n_quiet: of so many windows without speech.
        rate: of learning at its peak, a tenth of the way; it falls to nothing.
        dropout: share of channels left out.
        blur: noise on what ears hear, by how much that varies.
        named: weight of naming what is said.
        ema: decay of the averaged weights that are kept.
    """

    seed: int = 0
    n_steps: int = 1000
    n_channels: int = 128
    n_talks: int = 10
    n_lessons: int = 12
    n_noises: int = 2
    n_quiet: int = 100
    rate: float = 2e-3
    weight_decay: float = 0.1
    dropout: float = 0.3
    blur: float = 0.1
    named: float = 0.5
    ema: float = 0.995


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to learn from.

    Attributes:
        talks: recorded mouths; what they say is not known.
        lessons: synthetic speech; what its lips do is not known.
        basis: what the mouths were measured in.
        ears: what all of it is heard with.
    """

    talks: Sequence[Talk]
    lessons: Sequence[Lesson]
    basis: Basis
    ears: Ears


@dataclass(frozen=True, slots=True)
class _Pool:
    """What batches are drawn from.

    Attributes:
        shares: (n talks,) how often each is drawn.
    """

    talks: Sequence[Watched]
    shares: NDArray[np.float64]
    lessons: Sequence[Named]
    noises: Sequence[Named]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Talks, lessons and noises in this order; what is asked of the first, then of the others.

    Attributes:
        heard: (B, C, T) float32.
        coefs: (n talks, K, T).
        inside: (n talks, T) bool, where coefs hold.
        viseme: (B - n talks, T) int64, -1 where not known.
        traits: (B - n talks, T, n_traits).
        core: (B - n talks, T) bool.
    """

    heard: Tensor
    coefs: Tensor
    inside: Tensor
    viseme: Tensor
    traits: Tensor
    core: Tensor


def train(
    material: Material,
    recipe: Recipe,
    *,
    watch: Callable[[int, VoiceNet], None] | None = None,
) -> VoiceNet:
    """A network that follows the talks and obeys the lessons, in evaluation mode on the CPU.

    Args:
        material: talks are drawn by ``speaker_shares``, lessons all alike.
        recipe: sizes, rates and the seed; the same recipe gives the same weights on one machine.
        watch: called every 250 steps with the step and the averaged network.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = VoiceNet(
        material.basis.n_coefs,
        n_traits=len(TRAITS),
        n_channels=recipe.n_channels,
        n_heard=material.ears.enter.out_channels,
        dropout=recipe.dropout,
    ).to(device)
    by = losses.measure(material.basis).to(device)
    net.aperture.copy_(by.aperture)
    kept = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(net.parameters(), recipe.rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, recipe.n_steps, pct_start=0.1
    )
    pool = _listen(material, recipe)
    started = time.monotonic()
    for step in range(recipe.n_steps):
        batch = _batch(pool, recipe, rng)
        loss = _loss(net.train(), batch, recipe, by, device)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        _average(kept, net, min(recipe.ema, (step + 1) / (step + 20)))
        if (step + 1) % 250 == 0:
            pace_ms = 1000 * (time.monotonic() - started) / (step + 1)
            print(f"voice: step {step + 1} loss {loss.item():.3f} {pace_ms:.0f} ms", flush=True)
            if watch is not None:
                watch(step + 1, kept)
    kept = kept.cpu()
    reading.solve(kept, pool.talks, pool.shares)
    return kept


def speaker_shares(speakers: Sequence[str]) -> NDArray[np.float64]:
    """(n,) how often each clip is drawn: people by a root of what there is of them."""
    clips = Counter(speakers)
    weights = np.array([clips[who] ** (_SHARE_POWER - 1.0) for who in speakers])
    return np.asarray(weights / weights.sum())


def _listen(material: Material, recipe: Recipe) -> _Pool:
    """All that there is to learn from, heard once."""
    ears, rng = material.ears, np.random.default_rng(recipe.seed)
    talks = [attend.watched(talk, ears) for talk in material.talks]
    lessons = [attend.named(lesson, ears) for lesson in material.lessons]
    noises = [attend.noise(ears, rng) for _ in range(recipe.n_quiet)]
    print(f"voice: heard {len(talks)} talks and {len(lessons)} lessons", flush=True)
    return _Pool(talks, speaker_shares([talk.speaker for talk in talks]), lessons, noises)


def _batch(pool: _Pool, recipe: Recipe, rng: np.random.Generator) -> _Batch:
    """Windows of talks, lessons and noises, in this order; short ones end in what nobody knows."""
    talks = [pool.talks[i] for i in rng.choice(len(pool.talks), recipe.n_talks, p=pool.shares)]
    others = [pool.lessons[i] for i in rng.integers(len(pool.lessons), size=recipe.n_lessons)]
    others += [pool.noises[i] for i in rng.integers(len(pool.noises), size=recipe.n_noises)]
    windows = [_window(one.heard.shape[1], rng) for one in talks + others]
    seen = list(zip(talks, windows, strict=False))
    said = list(zip(others, windows[len(talks) :], strict=True))
    heard = [_cut(one.heard.T, window) for one, window in seen + said]
    columns = (
        np.stack(heard).astype(np.float32).transpose(0, 2, 1),
        np.stack([_cut(one.coefs, window) for one, window in seen]).transpose(0, 2, 1),
        np.stack([_cut(one.known, window) for one, window in seen]),
        np.stack([_cut(one.said.viseme, window, beyond=-1) for one, window in said]),
        np.stack([_cut(one.said.traits, window) for one, window in said]),
        np.stack([_cut(one.said.core, window) for one, window in said]),
    )
    return _Batch(*(torch.from_numpy(np.ascontiguousarray(column)) for column in columns))


def _window(n_steps: int, rng: np.random.Generator) -> slice:
    first = int(rng.integers(0, max(1, n_steps - attend.N_STEPS + 1)))
    return slice(first, first + attend.N_STEPS)


def _cut(rows: NDArray[Any], window: slice, *, beyond: float = 0) -> NDArray[Any]:
    """(N_STEPS, ...) of (T, ...) rows, filled up where they end."""
    cut = rows[window]
    missing = [(0, attend.N_STEPS - len(cut)), *[(0, 0)] * (rows.ndim - 1)]
    return np.pad(cut, missing, constant_values=beyond)


def _loss(
    net: VoiceNet, batch: _Batch, recipe: Recipe, by: losses.Measure, device: torch.device
) -> Tensor:
    raw = batch.heard.to(device)
    raw = raw + recipe.blur * raw.std() * torch.randn_like(raw)
    first, second = recipe.n_talks, recipe.n_talks + recipe.n_lessons
    heard, spoken = net.listen(raw[:second]), net.spoken(raw)
    coefs, inside = batch.coefs.to(device), batch.inside.to(device)
    viseme, core = batch.viseme.to(device), batch.core.to(device)
    traits = batch.traits.to(device)
    phones, noise = viseme[: recipe.n_lessons], viseme[recipe.n_lessons :]
    loss: Tensor = (
        losses.follow(heard.shape[:first], coefs, inside, by)
        + losses.obey(heard.shape[first:], phones, core[: recipe.n_lessons], by)
        + recipe.named * losses.name_sounds(heard.names[first:], phones, traits[: recipe.n_lessons])
        + losses.tell_speech(spoken[:first], inside, is_speech=True)
        + losses.tell_speech(spoken[first:second], phones > Viseme.SILENCE, is_speech=True)
        + losses.tell_speech(spoken[second:], noise == Viseme.SILENCE, is_speech=False)
    )
    return loss


def _average(kept: VoiceNet, net: VoiceNet, decay: float) -> None:
    """Move the averaged weights, and what the layers have seen of their inputs, to the new ones."""
    new = net.state_dict()
    for name, mean in kept.state_dict().items():
        if mean.is_floating_point():  # batch normalisation's count of batches is none
            mean.lerp_(new[name], 1.0 - decay)
