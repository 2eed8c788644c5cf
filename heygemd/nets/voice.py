"""What ears hear to mouth: shape coefficients and the names of what is said.

``nets.ears`` have heard much natural speech; the little network here is trained by ``training/``.
One trunk feeds two heads. One names visemes and phonetic traits, which synthetic speech teaches it;
from these names alone a pose is read, slurred as lips are slower than sounds. The other hears the
mouth itself, in the manner of the few who were filmed, and as surely as an m, b or p is named, its
lips meet. The mouth is the mean of the two; where the second hears the lips meet it rests, less so
the less lips meet in what is named. A third head tells speech from noise; it hears past the trunk,
which noise would teach to take faint speech for silence. Where a mouth says nothing for a while, by
that head or by the names, it rests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

N_VISEMES = 11  # mouth classes, of which one holds at a time
_SILENCE, _BILABIAL = 0, 1  # classes: nothing; m, b and p
_SLUR_STEPS = 2.5  # standard deviation, 50 ms
_WHILE_STEPS = 10.0  # the same of what a while is, 200 ms

# A gap below the first is a mouth at rest, one above the second takes nothing from the mouth.
_SHUT, _PARTED = 0.02, 0.06  # IOD of a mouth of scale 1
# How far it rests by class: in a pause people leave lips as they are, few meet in a vowel.
_MEET = (0.0, 1.0, 1.0, 0.8, 0.8, 0.8, 0.5, 0.5, 0.5, 0.5, 0.5)
_SAYS_LESS, _SAYS_NOTHING = 0.6, 0.8  # share of a while without speech


@dataclass(frozen=True, slots=True)
class Heard:
    """What the network makes of T steps.

    Attributes:
        names: (B, n_visemes + n_traits, T) logits.
        said: (B, n_visemes + n_traits, T) how surely each name holds, 0..1, slurred over time.
        shape: (B, K, T) whitened coefs heard at once.
    """

    names: Tensor
    said: Tensor
    shape: Tensor


class VoiceNet(nn.Module):
    """What ears hear to mouth shape and to what is said.

    Args:
        n_coefs: numbers that describe a mouth.
        n_traits: phonetic traits, each of which holds or not.
        n_channels: width.
        n_heard: numbers that ears give to each moment.
        dropout: share of channels left out in training.

    Attributes:
        aperture: (n_coefs,) IOD of gap per unit of coef, of the basis that the coefs belong to.
        pose: whitened coefs by what is said, were the lips never to meet.
    """

    def __init__(
        self,
        n_coefs: int = 10,
        n_traits: int = 10,
        n_channels: int = 128,
        *,
        n_heard: int = 512,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.settle = nn.LayerNorm(n_heard)
        self.enter = nn.Conv1d(n_heard, n_channels, 1)
        self.norm_enter = nn.BatchNorm1d(n_channels)
        self.look = nn.Conv1d(n_channels, n_channels, 3, padding=1)
        self.norm = nn.BatchNorm1d(n_channels)
        self.drop = nn.Dropout1d(dropout)
        self.name = nn.Conv1d(n_channels, N_VISEMES + n_traits, 3, padding=1)
        self.shape = nn.Conv1d(n_channels, n_coefs, 3, padding=1)
        self.tell = nn.Conv1d(n_heard, 1, 1)
        with torch.random.fork_rng(devices=[]):  # its random start is not used
            self.pose = nn.Conv1d(N_VISEMES + n_traits, n_coefs, 1)
        for weight in self.pose.parameters():
            nn.init.zeros_(weight)  # until the reading is solved, a mouth rests
        self.aperture: Tensor
        self.register_buffer("aperture", torch.zeros(n_coefs))

    def forward(self, heard: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes and what is said.

        Args:
            heard: (B, n_heard, T) of ``nets.ears``.

        Returns:
            (B, n_coefs, T) whitened coefs and (B, n_visemes + n_traits, T) logits.
        """
        made = self.listen(heard)
        gap = torch.einsum("bkt,k->bt", made.shape, self.aperture)
        visemes = made.names[:, :N_VISEMES].softmax(dim=1)
        met = 1.0 - _risen(gap, _SHUT, _PARTED)
        met = met * torch.einsum("bvt,v->bt", visemes, visemes.new_tensor(_MEET))
        mouth = 0.5 * (self.pose(made.said) + made.shape) * (1.0 - met[:, None])
        says = self.spoken(heard).sigmoid() * (1.0 - visemes[:, _SILENCE])
        nothing = _slurred(1.0 - says[:, None], _WHILE_STEPS)
        return mouth * (1.0 - _risen(nothing, _SAYS_LESS, _SAYS_NOTHING)), made.names

    def spoken(self, heard: Tensor) -> Tensor:
        """(B, T) logits, whether (B, n_heard, T) is speech; they teach nothing else of this."""
        logits: Tensor = self.tell(self._settled(heard).detach())
        return logits[:, 0]

    def listen(self, heard: Tensor) -> Heard:
        """What there is in (B, n_heard, T), before it is made one mouth.

        A mouth teaches the names nothing: they stay what speech in any voice has made them.
        """
        x = self.drop(functional.relu(self.norm_enter(self.enter(self._settled(heard)))))
        x = x + self.drop(functional.relu(self.look(x)))
        x = functional.relu(self.norm(x))
        names = self.name(x)
        visemes, traits = names.detach().split([N_VISEMES, names.shape[1] - N_VISEMES], dim=1)
        surely = torch.cat([visemes.softmax(dim=1), traits.sigmoid()], dim=1)
        shape = self.shape(x) * (1.0 - surely[:, _BILABIAL, None])
        return Heard(names, _slurred(surely, _SLUR_STEPS), shape)

    def _settled(self, heard: Tensor) -> Tensor:
        settled: Tensor = self.settle(heard.transpose(1, 2))
        return settled.transpose(1, 2)


def _risen(x: Tensor, low: float, high: float) -> Tensor:
    """0 below ``low``, 1 above ``high``, smooth between."""
    share = ((x - low) / (high - low)).clamp(0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def _slurred(x: Tensor, deviation: float) -> Tensor:
    """(B, C, T) smoothed over time by a Gaussian of so many steps; beyond the ends is nothing."""
    reach = math.ceil(3.0 * deviation)
    offset = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    weight = torch.exp(-0.5 * (offset / deviation) ** 2)
    weight = (weight / weight.sum()).expand(x.shape[1], 1, -1)
    return functional.conv1d(x, weight, padding=reach, groups=x.shape[1])
