"""The network that hears a mouth's shape: log-mel in, shape coefficients and phonetic traits out.

Two dilated residual convolutions over time in the manner of temporal convolutional networks (Bai et
al. 2018), written here; their weights are trained by ``training/``. The first names what is said,
the second moves a mouth that says so. Only those names and the loudness pass from one to the other,
so that a mouth depends on what is said and not on whose voice says it: names can be learned from
any speech whose phones are known, mouths only from the few people who were filmed.

Every normalisation looks at one moment alone, so that an output depends on +-``REACH_STEPS`` steps
of sound and on nothing else: a long sound may be cut in pieces without a trace.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

FOLD = 2  # mel columns per output step: 80 Hz in, 40 Hz out
N_MELS = 80
N_VISEMES = 11  # mouth classes, of which one holds at a time
N_BANDS = 4  # loudness of so many broad bands reaches the mouth
_HEAR_DILATIONS = (1, 2, 4, 8, 2)
_MOVE_DILATIONS = (1, 2, 4)
REACH_STEPS = 1 + sum(_HEAR_DILATIONS) + 1 + 1 + sum(_MOVE_DILATIONS) + 1  # 28 steps, 0.7 s


class MomentNorm(nn.Module):
    """Layer norm over the channels of each moment, (B, C, T) in and out."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        last: Tensor = functional.layer_norm(
            x.transpose(1, 2), self.weight.shape, self.weight, self.bias
        )
        first: Tensor = last.transpose(1, 2)
        return first


class Block(nn.Module):
    """One residual step: look around, then mix."""

    def __init__(self, n_channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = MomentNorm(n_channels)
        self.look = nn.Conv1d(n_channels, n_channels, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(n_channels, n_channels, 1)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        seen: Tensor = functional.gelu(self.look(functional.gelu(self.norm(x))))
        mixed: Tensor = self.drop(self.mix(seen))
        return x + mixed


class VoiceNet(nn.Module):
    """Log-mel to mouth shape, by way of what is said.

    Args:
        n_coefs: numbers that describe a mouth.
        n_traits: phonetic traits, each of which holds or not.
        n_channels: width of the part that hears.
        n_moving: width of the part that moves.
        dropout: in training.
    """

    def __init__(
        self,
        n_coefs: int = 10,
        n_traits: int = 10,
        n_channels: int = 96,
        n_moving: int = 64,
        *,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.enter = nn.Conv1d(FOLD * N_MELS, n_channels, 3, padding=1)
        self.blocks = nn.ModuleList(Block(n_channels, d, dropout) for d in _HEAR_DILATIONS)
        self.norm = MomentNorm(n_channels)
        self.name = nn.Conv1d(n_channels, N_VISEMES + n_traits, 3, padding=1)
        self.begin = nn.Conv1d(N_VISEMES + n_traits + N_BANDS, n_moving, 3, padding=1)
        self.moves = nn.ModuleList(Block(n_moving, d, dropout) for d in _MOVE_DILATIONS)
        self.rest = MomentNorm(n_moving)
        self.shape = nn.Conv1d(n_moving, n_coefs, 3, padding=1)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes and what is said.

        Args:
            mel: (B, n_mels, N) log-mel at 80 columns a second; an odd last column is dropped.

        Returns:
            (B, n_coefs, N // 2) whitened coefs and (B, n_visemes + n_traits, N // 2) logits; step j
            stands for mel columns 2j and 2j + 1, so for the moment (j + 1/4) / 40 s.
        """
        logits = self.name_sounds(mel)
        return self.move(logits.detach(), self.loudness(mel)), logits

    def name_sounds(self, mel: Tensor) -> Tensor:
        """(B, n_visemes + n_traits, N // 2) logits of what is said."""
        x = self.enter(_pairs(mel).flatten(1, 2))
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.name(functional.gelu(self.norm(x)))
        return logits

    def move(self, logits: Tensor, loudness: Tensor) -> Tensor:
        """(B, n_coefs, T) mouths that say (B, n_visemes + n_traits, T) this loudly."""
        said = torch.cat(
            [
                logits[:, :N_VISEMES].softmax(dim=1),
                logits[:, N_VISEMES:].sigmoid(),
                loudness,
            ],
            dim=1,
        )
        x = self.begin(said)
        for block in self.moves:
            x = block(x)
        shape: Tensor = self.shape(functional.gelu(self.rest(x)))
        return shape

    @staticmethod
    def loudness(mel: Tensor) -> Tensor:
        """(B, N_BANDS, N // 2) mean level of broad bands, about -1 to 1."""
        pairs = _pairs(mel).mean(dim=1)
        n_batch, n_mels, n_steps = pairs.shape
        return pairs.reshape(n_batch, N_BANDS, n_mels // N_BANDS, n_steps).mean(dim=2) / 4.0


def _pairs(mel: Tensor) -> Tensor:
    """(B, 2, n_mels, N // 2) of (B, n_mels, N)."""
    n_batch, n_mels, n_columns = mel.shape
    n_steps = n_columns // FOLD
    pairs = mel[..., : n_steps * FOLD].reshape(n_batch, n_mels, n_steps, FOLD)
    return pairs.permute(0, 3, 1, 2)
