"""What a predicted mouth is asked: to follow a measured one, and to do what a phone demands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from heygemd.lips.warp import geometry
from heygemd.lips.warp.landmarks import CORNERS
from training.phones import Viseme

if TYPE_CHECKING:
    from heygemd.lips.warp.geometry import Basis

_SOFTEN = 0.7  # coefs count by spread ** 0.7: jaw first, but fine shape not last
_CLOSED = 0.02  # IOD
_CLOSED_WEIGHT = 3.0  # a mouth that should be closed counts this much more


@dataclass(frozen=True, slots=True)
class Measure:
    """Linear readings of a mouth from its coefs.

    Attributes:
        aperture: (K,) IOD of gap per unit of coef.
        width: (K,) IOD between the corners, against rest.
        importance: (K,) weight of each coef in the loss, the first is 1.
    """

    aperture: Tensor
    width: Tensor
    importance: Tensor

    def to(self, device: torch.device) -> Measure:
        """The same on a device."""
        return Measure(*(t.to(device) for t in (self.aperture, self.width, self.importance)))


def measure(basis: Basis) -> Measure:
    """How the basis's coefs open and widen the mouth."""
    units = np.eye(basis.n_coefs, dtype=np.float32)
    zero = np.zeros((1, basis.n_coefs), np.float32)
    gap = geometry.coef_aperture(units, basis) - geometry.coef_aperture(zero, basis)
    moved = geometry.displacement(units, basis) - geometry.displacement(zero, basis)
    right, left = (int(np.flatnonzero(basis.index == corner)[0]) for corner in CORNERS)
    wider = moved[:, left, 0] - moved[:, right, 0]
    importance = (basis.sd / basis.sd[0]) ** _SOFTEN
    return Measure(*(torch.tensor(a, dtype=torch.float32) for a in (gap, wider, importance)))


def follow(predicted: Tensor, measured: Tensor, inside: Tensor, by: Measure) -> Tensor:
    """Distance to measured mouths: shape, speed, and the gap, closures most of all.

    Args:
        predicted: (B, K, T) coefs.
        measured: (B, K, T) coefs.
        inside: (B, T) bool, where the measurement may be trusted.
        by: readings of the basis.
    """
    known = inside.float()
    n_known = known.sum().clamp(min=1.0)
    weight = by.importance[:, None]
    shape = functional.smooth_l1_loss(predicted, measured, reduction="none") * weight
    both = known[:, 1:] * known[:, :-1]
    speed = (predicted.diff(dim=2) - measured.diff(dim=2)).abs() * weight
    gap = torch.einsum("bkt,k->bt", predicted, by.aperture)
    true_gap = torch.einsum("bkt,k->bt", measured, by.aperture)
    closed = 1.0 + _CLOSED_WEIGHT * (true_gap < _CLOSED).float()
    n_coefs = predicted.shape[1]
    return (
        2.0 * (shape.sum(dim=1) * known).sum() / (n_known * n_coefs)
        + 1.6 * (speed.sum(dim=1) * both).sum() / (n_known * n_coefs)
        + 8.0 * ((gap - true_gap).abs() * closed * known).sum() / n_known
    )


def obey(coefs: Tensor, viseme: Tensor, core: Tensor, by: Measure) -> Tensor:
    """How far mouths break what the phones demand; 0 where every demand is met.

    Args:
        coefs: (B, K, T).
        viseme: (B, T) int64, -1 where nothing is demanded.
        core: (B, T) bool, the middles of phones.
        by: readings of the basis.
    """
    gap = torch.einsum("bkt,k->bt", coefs, by.aperture)
    wider = torch.einsum("bkt,k->bt", coefs, by.width)

    def broken(kind: Viseme, excess: Tensor, *, everywhere: bool = False) -> Tensor:
        asked = (viseme == int(kind)) & (core | everywhere)
        return (functional.relu(excess) * asked).sum() / (asked.sum() + 1)

    gaps = (
        broken(Viseme.BILABIAL, gap)
        + 0.5 * broken(Viseme.SILENCE, gap - 0.01, everywhere=True)
        + broken(Viseme.LABIODENTAL, gap - 0.035)
        + broken(Viseme.OPEN, 0.11 - gap)
        + 0.5 * broken(Viseme.MID, 0.07 - gap)
        + 0.5 * broken(Viseme.ROUND_MID, 0.07 - gap)
        + 0.5 * broken(Viseme.SPREAD, 0.03 - gap)
        + 0.5 * broken(Viseme.ROUND_CLOSE, gap - 0.12)
        + 0.5 * broken(Viseme.ROUND_CLOSE, 0.02 - gap)
    )
    widths = (
        broken(Viseme.ROUND_CLOSE, wider)
        + 0.5 * broken(Viseme.ROUND_MID, wider)
        + 0.5 * broken(Viseme.SPREAD, -wider)
    )
    return 6.0 * gaps + 3.0 * widths


def name_sounds(logits: Tensor, viseme: Tensor, traits: Tensor) -> Tensor:
    """How badly what is said is named.

    Args:
        logits: (B, visemes + traits, T).
        viseme: (B, T) int64, -1 where nobody knows.
        traits: (B, T, n_traits) float32, 0 or 1.
    """
    known = (viseme >= 0).float()
    n_known = known.sum().clamp(min=1.0)
    n_visemes = len(Viseme)
    classes = functional.cross_entropy(
        logits[:, :n_visemes], viseme, ignore_index=-1, label_smoothing=0.05, reduction="sum"
    )
    marks = functional.binary_cross_entropy_with_logits(
        logits[:, n_visemes:].transpose(1, 2), traits, reduction="none"
    )
    return (classes + (marks.sum(dim=2) * known).sum()) / n_known


def tell_speech(logits: Tensor, where: Tensor, *, is_speech: bool) -> Tensor:
    """How badly (B, T) logits tell that there is speech, or none, at the moments ``where``."""
    cost = functional.softplus(-logits if is_speech else logits)
    return (cost * where).sum() / where.sum().clamp(min=1)
