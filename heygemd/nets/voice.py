"""Sound to mouth: log-mel in, shape coefficients and the names of what is said out.

Dilated residual convolutions over time in the manner of temporal convolutional networks (Bai et al.
2018), written here; their weights are trained by ``training/``. One trunk feeds two heads. Naming
visemes and phonetic traits makes the trunk hear what lips are asked for in any voice and language,
though few people were filmed; and as surely as an m, b or p is heard, the mouth goes to rest.

Batch normalisation, once trained, is the same for every moment: what is loud stays loud in every
layer, and an output depends on +-``REACH_STEPS`` steps of sound and on nothing else, so that a long
sound may be cut in pieces without a trace.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

FOLD = 2  # mel columns per output step: 80 Hz in, 40 Hz out
N_MELS = 80
N_VISEMES = 11  # mouth classes, of which one holds at a time
_BILABIAL = 1  # the class of m, b and p
_DILATIONS = (1, 2, 4, 8, 2)
REACH_STEPS = 1 + sum(_DILATIONS) + 1  # 19 steps, 0.475 s


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


class VoiceNet(nn.Module):
    """Log-mel to mouth shape and to what is said.

    Args:
        n_coefs: numbers that describe a mouth.
        n_traits: phonetic traits, each of which holds or not.
        n_channels: width.
        dropout: share of channels left out of every block in training.
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

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes and what is said.

        Args:
            mel: (B, n_mels, N) log-mel at 80 columns a second; an odd last column is dropped.

        Returns:
            (B, n_coefs, N // 2) whitened coefs and (B, n_visemes + n_traits, N // 2) logits; step j
            stands for mel columns 2j and 2j + 1, so for the moment (j + 1/4) / 40 s.
        """
        x = self.enter(_pairs(mel).flatten(1, 2))
        for block in self.blocks:
            x = block(x)
        heard = functional.relu(self.norm(x))
        logits = self.name(heard)
        meets = logits[:, :N_VISEMES].detach().softmax(dim=1)[:, _BILABIAL, None]
        return self.shape(heard) * (1.0 - meets), logits


def _pairs(mel: Tensor) -> Tensor:
    """(B, 2, n_mels, N // 2) of (B, n_mels, N)."""
    n_batch, n_mels, n_columns = mel.shape
    n_steps = n_columns // FOLD
    pairs = mel[..., : n_steps * FOLD].reshape(n_batch, n_mels, n_steps, FOLD)
    return pairs.permute(0, 3, 1, 2)
