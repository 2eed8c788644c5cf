"""The network that hears a mouth's shape: log-mel in, shape coefficients and visemes out.

A dilated residual convolution over time in the manner of temporal convolutional networks (Bai et
al. 2018), written here; its weights are trained by ``training/``. Every normalisation looks at one
moment alone, so that an output depends on +-``REACH_STEPS`` steps of sound and on nothing else: a
long sound may be cut in pieces without a trace.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

FOLD = 2  # mel columns per output step: 80 Hz in, 40 Hz out
DILATIONS = (1, 2, 4, 8, 2)
REACH_STEPS = 1 + sum(DILATIONS) + 1  # 19 steps, 0.48 s to either side


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
    """Log-mel to mouth shape.

    Args:
        n_coefs: numbers that describe a mouth.
        n_visemes: classes of the second head, used in training alone.
        n_channels: width of the trunk.
        n_mels: rows of the mel spectrogram.
        dropout: in training.
    """

    def __init__(
        self,
        n_coefs: int = 10,
        n_visemes: int = 11,
        n_channels: int = 128,
        *,
        n_mels: int = 80,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        self.enter = nn.Conv1d(FOLD * n_mels, n_channels, 3, padding=1)
        self.blocks = nn.ModuleList(Block(n_channels, d, dropout) for d in DILATIONS)
        self.norm = MomentNorm(n_channels)
        self.shape = nn.Conv1d(n_channels, n_coefs, 3, padding=1)
        self.viseme = nn.Conv1d(n_channels, n_visemes, 3, padding=1)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes and viseme scores.

        Args:
            mel: (B, n_mels, N) log-mel at 80 columns a second; an odd last column is dropped.

        Returns:
            (B, n_coefs, N // 2) whitened coefs and (B, n_visemes, N // 2) logits; step j stands for
            mel columns 2j and 2j + 1, so for the moment (j + 1/4) / 40 s.
        """
        n_batch, n_mels, n_columns = mel.shape
        n_steps = n_columns // FOLD
        pairs = mel[..., : n_steps * FOLD].reshape(n_batch, n_mels, n_steps, FOLD)
        x = self.enter(pairs.transpose(2, 3).reshape(n_batch, n_mels * FOLD, n_steps))
        for block in self.blocks:
            x = block(x)
        x = functional.gelu(self.norm(x))
        return self.shape(x), self.viseme(x)
