"""The training of the voice network: recorded mouths, synthetic phones and noise at once."""

from __future__ import annotations

import copy
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from heygemd.lips import mel
from heygemd.lips.warp.voice import level
from heygemd.nets.voice import VoiceNet
from heygemd.records import Waveform
from training import augment, losses, reading, sounds
from training.footage import RATE_HZ
from training.phones import TRAITS, Said, silence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from heygemd.lips.warp.geometry import Basis
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
        dropout: share of channels left out of every block.
        named: weight of naming what is said; more of it starves the mouths, and names that are
            surer of synthetic speech read free speech worse.
        ema: decay of the averaged weights that are kept.
    """

    seed: int = 0
    n_steps: int = 2000
    n_channels: int = 96
    n_talks: int = 14
    n_lessons: int = 8
    n_noises: int = 2
    n_quiet: int = 200
    rate: float = 3e-3
    weight_decay: float = 0.1
    dropout: float = 0.25
    named: float = 0.2
    ema: float = 0.995


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to learn from.

    Attributes:
        talks: recorded mouths; what they say is not known.
        lessons: synthetic speech; what its lips do is not known.
        basis: what the mouths were measured in.
    """

    talks: Sequence[Talk]
    lessons: Sequence[Lesson]
    basis: Basis


@dataclass(frozen=True, slots=True)
class _Pool:
    """What batches are drawn from.

    Attributes:
        shares: (n talks,) how often each is drawn.
        noises: (80, N_COLUMNS) windows without speech.
    """

    talks: Sequence[Talk]
    shares: NDArray[np.float64]
    lessons: Sequence[Lesson]
    noises: Sequence[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Talks, lessons and noises in this order; what is asked of the first two.

    Attributes:
        mel: (B, 80, N).
        coefs: (n talks, K, T).
        inside: (n talks, T) bool, where coefs hold.
        viseme: (B - n talks, T) int64, -1 where not known.
        traits: (B - n talks, T, n_traits).
        core: (B - n talks, T) bool.
    """

    mel: Tensor
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
        dropout=recipe.dropout,
    ).to(device)
    by = losses.measure(material.basis).to(device)
    net.aperture.copy_(by.aperture)
    kept = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(net.parameters(), recipe.rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, recipe.n_steps, pct_start=0.1
    )
    pool = _Pool(
        material.talks,
        speaker_shares([talk.speaker for talk in material.talks]),
        material.lessons,
        quiet_windows(recipe.n_quiet, rng),
    )
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


def quiet_windows(n_windows: int, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """(80, N_COLUMNS) log-mels of levelled sounds that are not speech."""
    n_samples = augment.N_COLUMNS * mel.HOP
    made = []
    for _ in range(n_windows):
        sound = Waveform(sounds.not_speech(n_samples, rng) * np.float32(0.05), RATE_HZ)
        made.append(mel.log_mel(level(sound))[:, : augment.N_COLUMNS])
    return made


def _batch(pool: _Pool, recipe: Recipe, rng: np.random.Generator) -> _Batch:
    """Talks, lessons and noises, in this order."""
    crowd = [talk.mel for talk in pool.talks]
    heard, coefs, inside = [], [], []
    spoken: list[Said] = []
    talks = [pool.talks[i] for i in rng.choice(len(pool.talks), recipe.n_talks, p=pool.shares)]
    lessons = [pool.lessons[i] for i in rng.integers(len(pool.lessons), size=recipe.n_lessons)]
    for talk in talks:
        window = augment.window(talk.mel, rng, crowd)
        rows, known = augment.targets_at(window.source_s, talk.times_s, talk.coefs)
        heard.append(window.mel)
        coefs.append(rows.T)
        inside.append(known)
    for lesson in lessons:
        window = augment.window(lesson.mel, rng, crowd)
        heard.append(window.mel)
        spoken.append(augment.said_at(window.source_s, lesson.said))
    for choice in rng.integers(len(pool.noises), size=recipe.n_noises):
        lift = rng.uniform(-2.0, 1.0)
        heard.append(np.clip(pool.noises[choice] + np.float32(lift), mel.SILENCE, -mel.SILENCE))
        spoken.append(silence(augment.N_STEPS))
    tensors = [torch.from_numpy(np.stack(column)) for column in (heard, coefs, inside)]
    tensors += [
        torch.from_numpy(np.stack([getattr(one, name) for one in spoken]))
        for name in ("viseme", "traits", "core")
    ]
    return _Batch(*tensors)


def _loss(
    net: VoiceNet, batch: _Batch, recipe: Recipe, by: losses.Measure, device: torch.device
) -> Tensor:
    heard = net.listen(batch.mel.to(device))
    first, second = recipe.n_talks, recipe.n_talks + recipe.n_lessons
    coefs, inside = batch.coefs.to(device), batch.inside.to(device)
    viseme, traits, core = (t.to(device) for t in (batch.viseme, batch.traits, batch.core))
    n_lessons = recipe.n_lessons
    loss: Tensor = (
        losses.follow(heard.shape[:first], coefs, inside, by)
        + losses.obey(heard.shape[first:second], viseme[:n_lessons], core[:n_lessons], by)
        + recipe.named * losses.name_sounds(heard.names[first:], viseme, traits)
        + losses.stay_closed(heard.shape[second:], by)
    )
    return loss


def _average(kept: VoiceNet, net: VoiceNet, decay: float) -> None:
    """Move the averaged weights, and what the layers have seen of their inputs, to the new ones."""
    new = net.state_dict()
    for name, mean in kept.state_dict().items():
        if mean.is_floating_point():  # batch normalisation's count of batches is none
            mean.lerp_(new[name], 1.0 - decay)
