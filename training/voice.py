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
from training import augment, losses, sounds
from training.footage import RATE_HZ
from training.phones import Viseme

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
        n_steps: updates.
        n_channels: width of the network.
        n_talks: windows of recorded talkers in a batch.
        n_lessons: windows of synthetic speech in a batch.
        n_noises: windows without speech in a batch.
        ema: decay of the averaged weights that are kept.
    """

    n_steps: int = 3000
    n_channels: int = 128
    n_talks: int = 16
    n_lessons: int = 12
    n_noises: int = 3
    rate: float = 2e-3
    weight_decay: float = 0.1
    dropout: float = 0.25
    ema: float = 0.998


@dataclass(frozen=True, slots=True)
class _Batch:
    mel: Tensor
    coefs: Tensor
    inside: Tensor
    viseme: Tensor
    core: Tensor


def train(
    talks: Sequence[Talk],
    lessons: Sequence[Lesson],
    basis: Basis,
    *,
    seed: int,
    recipe: Recipe,
    watch: Callable[[int, VoiceNet], None] | None = None,
) -> VoiceNet:
    """A network that follows the talks and obeys the lessons, in evaluation mode on the CPU.

    Args:
        talks: recorded mouths; every speaker weighs by ``speaker_shares``.
        lessons: synthetic speech.
        basis: what the talks were measured in.
        seed: the same seed gives the same weights on the same machine.
        recipe: sizes and rates.
        watch: called every 500 steps with the step and the averaged network.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = VoiceNet(basis.n_coefs, len(Viseme), recipe.n_channels, dropout=recipe.dropout).to(device)
    kept = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(net.parameters(), recipe.rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, recipe.n_steps, pct_start=0.1
    )
    by = losses.measure(basis).to(device)
    shares = speaker_shares(talks)
    noises = quiet_windows(160, rng)
    started = time.monotonic()
    for step in range(recipe.n_steps):
        batch = _batch(talks, shares, lessons, noises, recipe, rng)
        loss = _loss(net.train(), batch, recipe, by, device)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        _average(kept, net, min(recipe.ema, (step + 1) / (step + 20)))
        if (step + 1) % 500 == 0:
            pace_ms = 1000 * (time.monotonic() - started) / (step + 1)
            print(f"voice: step {step + 1} loss {loss.item():.3f} {pace_ms:.0f} ms", flush=True)
            if watch is not None:
                watch(step + 1, kept)
    return kept.cpu()


def speaker_shares(talks: Sequence[Talk]) -> NDArray[np.float64]:
    """(n,) how often each talk is drawn: people by a root of what there is of them."""
    clips = Counter(talk.speaker for talk in talks)
    weights = np.array([clips[talk.speaker] ** (_SHARE_POWER - 1.0) for talk in talks])
    return np.asarray(weights / weights.sum())


def quiet_windows(n_windows: int, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """(80, N_COLUMNS) log-mels of levelled sounds that are not speech."""
    n_samples = augment.N_COLUMNS * mel.HOP
    made = []
    for _ in range(n_windows):
        sound = Waveform(sounds.not_speech(n_samples, rng) * np.float32(0.05), RATE_HZ)
        made.append(mel.log_mel(level(sound))[:, : augment.N_COLUMNS])
    return made


def _batch(
    talks: Sequence[Talk],
    shares: NDArray[np.float64],
    lessons: Sequence[Lesson],
    noises: Sequence[NDArray[np.float32]],
    recipe: Recipe,
    rng: np.random.Generator,
) -> _Batch:
    """Talks, lessons and noises, in this order."""
    crowd = [talk.mel for talk in talks]
    heard, coefs, inside, viseme, core = [], [], [], [], []
    for choice in rng.choice(len(talks), recipe.n_talks, p=shares):
        talk = talks[choice]
        window = augment.window(talk.mel, rng, crowd)
        rows, known = augment.targets_at(window.source_s, talk.times_s, talk.coefs)
        heard.append(window.mel)
        coefs.append(rows.T)
        inside.append(known)
    for choice in rng.integers(len(lessons), size=recipe.n_lessons):
        lesson = lessons[choice]
        window = augment.window(lesson.mel, rng, crowd)
        kinds, middles = augment.labels_at(window.source_s, lesson.viseme, lesson.core)
        heard.append(window.mel)
        viseme.append(kinds)
        core.append(middles)
    for choice in rng.integers(len(noises), size=recipe.n_noises):
        lift = rng.uniform(-2.0, 1.0)
        heard.append(np.clip(noises[choice] + np.float32(lift), mel.SILENCE, -mel.SILENCE))
    return _Batch(*(torch.from_numpy(np.stack(a)) for a in (heard, coefs, inside, viseme, core)))


def _loss(
    net: VoiceNet, batch: _Batch, recipe: Recipe, by: losses.Measure, device: torch.device
) -> Tensor:
    coefs, logits = net(batch.mel.to(device))
    first, second = recipe.n_talks, recipe.n_talks + recipe.n_lessons
    viseme = batch.viseme.to(device)
    loss: Tensor = (
        losses.follow(coefs[:first], batch.coefs.to(device), batch.inside.to(device), by)
        + losses.obey(coefs[first:second], viseme, batch.core.to(device), by)
        + 0.25 * losses.name_visemes(logits[first:second], viseme)
        + losses.stay_closed(coefs[second:], by)
    )
    return loss


def _average(kept: VoiceNet, net: VoiceNet, decay: float) -> None:
    with torch.no_grad():
        for mean, new in zip(kept.parameters(), net.parameters(), strict=True):
            mean.lerp_(new, 1.0 - decay)
