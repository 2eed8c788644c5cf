"""Sound to mouth: log-mel in, shape coefficients and the names of what is said out.

Dilated residual convolutions over time in the manner of temporal convolutional networks (Bai et al.
2018), written here; their weights are trained by ``training/``. One trunk feeds two heads. One
names visemes and phonetic traits, which synthetic speech teaches it in any voice and language,
though few people were filmed; the mouth's pose is read from these names alone, slurred as lips are
slower than sounds. The other hears the mouth itself, at once, in the manner of the few who were
filmed: where it hears the lips meet, and as surely as an m, b or p is named, the pose gives way to
rest, unless a vowel is named: no lips meet in one.

Batch normalisation, once trained, is the same for every moment: what is loud stays loud in every
layer, and an output depends on +-``REACH_STEPS`` steps of sound and on nothing else, so that a long
sound may be cut in pieces without a trace.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

FOLD = 2  # mel columns per output step: 80 Hz in, 40 Hz out
N_MELS = 80
N_VISEMES = 11  # mouth classes, of which one holds at a time
_BILABIAL = 1  # the class of m, b and p
_VOWELS = 6  # the first of the classes of vowels, which are the last
_DILATIONS = (1, 2, 4, 8, 2)
_SLUR_STEPS = 2.0  # standard deviation, 50 ms
_SLUR_REACH = 6
REACH_STEPS = 1 + sum(_DILATIONS) + 1 + _SLUR_REACH  # 25 steps, 0.625 s

# A gap below the first is a mouth at rest, one above the second takes nothing from the pose.
_SHUT, _PARTED = 0.02, 0.055  # IOD of a mouth of scale 1


class Block(nn.Module):
    """One residual step: look around, then mix."""

    def __init__(self, n_channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(n_channels)
        self.look = nn.Conv1d(n_channels, n_channels, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(n_channels, n_channels, 1)
        self.drop = nn.Dropout1d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        seen: Tensor = functional.relu(self.look(functional.relu(self.norm(x))))
        mixed: Tensor = self.drop(self.mix(seen))
        return x + mixed


@dataclass(frozen=True, slots=True)
class Heard:
    """What the network hears at T steps, each of two mel columns.

    Attributes:
        names: (B, n_visemes + n_traits, T) logits.
        said: (B, n_visemes + n_traits, T) how surely each name holds, 0..1, slurred over time.
        shape: (B, K, T) whitened coefs heard at once.
    """

    names: Tensor
    said: Tensor
    shape: Tensor


class VoiceNet(nn.Module):
    """Log-mel to mouth shape and to what is said.

    Args:
        n_coefs: numbers that describe a mouth.
        n_traits: phonetic traits, each of which holds or not.
        n_channels: width.
        dropout: share of channels left out of every block in training.

    Attributes:
        aperture: (n_coefs,) IOD of gap per unit of coef, of the basis that the coefs belong to.
        pose: whitened coefs by what is said, were the lips never to meet.
    """

    def __init__(
        self,
        n_coefs: int = 10,
        n_traits: int = 10,
        n_channels: int = 96,
        *,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.enter = nn.Conv1d(FOLD * N_MELS, n_channels, 3, padding=1)
        self.blocks = nn.ModuleList(Block(n_channels, d, dropout) for d in _DILATIONS)
        self.norm = nn.BatchNorm1d(n_channels)
        self.name = nn.Conv1d(n_channels, N_VISEMES + n_traits, 3, padding=1)
        self.shape = nn.Conv1d(n_channels, n_coefs, 3, padding=1)
        with torch.random.fork_rng(devices=[]):  # its random start is not used
            self.pose = nn.Conv1d(N_VISEMES + n_traits, n_coefs, 1)
        for weight in self.pose.parameters():
            nn.init.zeros_(weight)  # until the reading is solved, a mouth rests
        self.aperture: Tensor
        self.register_buffer("aperture", torch.zeros(n_coefs))

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes and what is said.

        Args:
            mel: (B, n_mels, N) log-mel at 80 columns a second; an odd last column is dropped.

        Returns:
            (B, n_coefs, N // 2) whitened coefs and (B, n_visemes + n_traits, N // 2) logits; step j
            stands for mel columns 2j and 2j + 1, so for the moment (j + 1/4) / 40 s.
        """
        heard = self.listen(mel)
        gap = torch.einsum("bkt,k->bt", heard.shape, self.aperture)
        share = ((gap - _SHUT) / (_PARTED - _SHUT)).clamp(0.0, 1.0)
        parted = share * share * (3.0 - 2.0 * share)
        vowel = heard.names[:, :N_VISEMES].softmax(dim=1)[:, _VOWELS:].sum(dim=1)
        met = (1.0 - parted) * (1.0 - vowel)
        return self.pose(heard.said) * (1.0 - met[:, None]), heard.names

    def listen(self, mel: Tensor) -> Heard:
        """What there is to hear in (B, n_mels, N), before it is made one mouth.

        A mouth teaches the names nothing: they stay what speech in any voice has made them.
        """
        x = self.enter(_pairs(mel).flatten(1, 2))
        for block in self.blocks:
            x = block(x)
        x = functional.relu(self.norm(x))
        names = self.name(x)
        visemes, traits = names.detach().split([N_VISEMES, names.shape[1] - N_VISEMES], dim=1)
        surely = torch.cat([visemes.softmax(dim=1), traits.sigmoid()], dim=1)
        shape = self.shape(x) * (1.0 - surely[:, _BILABIAL, None])
        return Heard(names, _slurred(surely), shape)


def _slurred(x: Tensor) -> Tensor:
    """(B, C, T) smoothed over time by a Gaussian; nothing is known beyond the ends."""
    offset = torch.arange(-_SLUR_REACH, _SLUR_REACH + 1, device=x.device, dtype=x.dtype)
    weight = torch.exp(-0.5 * (offset / _SLUR_STEPS) ** 2)
    weight = (weight / weight.sum()).expand(x.shape[1], 1, -1)
    return functional.conv1d(x, weight, padding=_SLUR_REACH, groups=x.shape[1])


def _pairs(mel: Tensor) -> Tensor:
    """(B, 2, n_mels, N // 2) of (B, n_mels, N)."""
    n_batch, n_mels, n_columns = mel.shape
    n_steps = n_columns // FOLD
    pairs = mel[..., : n_steps * FOLD].reshape(n_batch, n_mels, n_steps, FOLD)
    return pairs.permute(0, 3, 1, 2)
