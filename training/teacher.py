"""From phones to a moving mouth: gives synthetic speech the lips that a person would have made.

Recorded talkers whose phones are aligned teach a small network how mouths move for a sequence of
phones, whoever speaks. It then draws the lips of sentences that nobody was filmed speaking.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from heygemd.lips.warp.voice import FIRST_STEP_S, STEPS_PER_S
from heygemd.nets.voice import Block, MomentNorm
from training import augment, losses
from training.phones import TRAITS, Viseme, traits, visemes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from heygemd.lips.warp.geometry import Basis
    from training.phones import Phone
    from training.talks import Talk

N_FEATURES = len(Viseme) + len(TRAITS) + 4
_STRESS = "ˈ"
_LONG = "ː"
_CHANNELS = 96
_WINDOW = augment.N_STEPS
_PACES = (0.8, 1.25)


def phone_features(phones: Sequence[Phone], moments_s: NDArray[np.float64]) -> NDArray[np.float32]:
    """(N_FEATURES, T) what is being said at (T,) moments, how far into it, and how slowly."""
    rows = np.zeros((N_FEATURES, len(moments_s)), np.float32)
    rows[int(Viseme.SILENCE)] = 1.0
    for start_s, end_s, ipa in phones:
        here = (moments_s >= start_s) & (moments_s < end_s)
        if not here.any():
            continue
        progress = ((moments_s[here] - start_s) / (end_s - start_s)).astype(np.float32)
        first, last = visemes(ipa)
        late = progress > 0.5
        rows[int(Viseme.SILENCE), here] = 0.0
        rows[np.where(late, int(last), int(first)), np.flatnonzero(here)] = 1.0
        offset = len(Viseme)
        rows[offset : offset + len(TRAITS), here] = np.array(traits(ipa), np.float32)[:, None]
        offset += len(TRAITS)
        rows[offset, here] = progress
        rows[offset + 1, here] = min(1.0, 5.0 * (end_s - start_s))
        rows[offset + 2, here] = float(_STRESS in ipa)
        rows[offset + 3, here] = float(_LONG in ipa)
    return rows


class Teacher(nn.Module):
    """Phones to mouth shape, 40 steps a second in and out."""

    def __init__(self, n_coefs: int) -> None:
        super().__init__()
        self.enter = nn.Conv1d(N_FEATURES, _CHANNELS, 5, padding=2)
        self.blocks = nn.ModuleList(Block(_CHANNELS, d, 0.3) for d in (1, 2, 4, 2))
        self.norm = MomentNorm(_CHANNELS)
        self.shape = nn.Conv1d(_CHANNELS, n_coefs, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, N_FEATURES, T) -> (B, n_coefs, T)."""
        x = self.enter(features)
        for block in self.blocks:
            x = block(x)
        shape: Tensor = self.shape(nn.functional.gelu(self.norm(x)))
        return shape


def train(
    talks: Sequence[Talk],
    phones: Sequence[Sequence[Phone]],
    basis: Basis,
    *,
    seed: int,
    n_steps: int = 1500,
) -> Teacher:
    """A teacher that has seen recorded talkers, in evaluation mode.

    Args:
        talks: recorded mouths.
        phones: what each says, aligned.
        basis: what they were measured in.
        seed: the same seed gives the same weights.
        n_steps: updates.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = Teacher(basis.n_coefs)
    kept = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, n_steps, pct_start=0.1)
    by = losses.measure(basis)
    people = sorted({talk.speaker for talk in talks})
    mine = {who: [i for i, talk in enumerate(talks) if talk.speaker == who] for who in people}
    weights = np.array([len(mine[who]) ** 0.5 for who in people])
    for step in range(n_steps):
        rows = []
        for who in rng.choice(len(people), 24, p=weights / weights.sum()):
            chosen = mine[people[who]][rng.integers(len(mine[people[who]]))]
            rows.append(_example(talks[chosen], phones[chosen], rng))
        features, coefs, inside = (
            torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True)
        )
        loss = losses.follow(net.train()(features), coefs, inside, by)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            decay = min(0.995, (step + 1) / (step + 20))
            for mean, new in zip(kept.parameters(), net.parameters(), strict=True):
                mean.lerp_(new, 1.0 - decay)
        if (step + 1) % 500 == 0:
            print(f"teacher: step {step + 1} loss {loss.item():.3f}", flush=True)
    return kept


def _example(
    talk: Talk, phones: Sequence[Phone], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Features, coefs (K, T) and where they hold, of a random stretch at a random pace."""
    pace = rng.uniform(*_PACES)
    span_s = _WINDOW / STEPS_PER_S * pace
    start_s = rng.uniform(-0.2, max(0.0, talk.times_s[-1] + 0.2 - span_s))
    moments_s = start_s + np.arange(_WINDOW) / STEPS_PER_S * pace
    rows, inside = augment.targets_at(moments_s, talk.times_s, talk.coefs)
    paced = [((a - start_s) / pace, (b - start_s) / pace, ipa) for a, b, ipa in phones]
    shift_s = rng.normal(0.0, 0.01)
    features = phone_features(paced, np.arange(_WINDOW) / STEPS_PER_S + shift_s)
    return features, rows.T.copy(), inside


def draw(net: Teacher, phones: Sequence[Phone], n_steps: int) -> NDArray[np.float32]:
    """(n_steps, K) coefs of the lips that would say the phones, at the voice network's steps."""
    margin = 20
    moments_s = FIRST_STEP_S + (np.arange(n_steps + 2 * margin) - margin) / STEPS_PER_S
    features = torch.from_numpy(phone_features(phones, moments_s))
    with torch.inference_mode():
        coefs = net(features[None])[0].T[margin:-margin]
    return np.ascontiguousarray(coefs.numpy())
