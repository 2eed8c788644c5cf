"""Ears that have heard much speech: log-mel in, what is heard of it out.

The lower layers of the encoder of Whisper (Radford et al. 2022, "Robust speech recognition via
large-scale weak supervision"), written here from the paper; weights of its size "base" by OpenAI,
MIT licence, as https://github.com/openai/whisper publishes code and weights. They are not trained
further. Parameter names are this module's own; ``lips.warp.ears`` reads them from a published file.

Attention is over the whole of what is given, so that every output depends on all of it; what lies
some seconds away counts little.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

N_MELS = 80
FOLD = 2  # log-mel columns to an output
MAX_STEPS = 1500  # 30 s, for which Whisper was trained


class Layer(nn.Module):
    """Attend to every moment, then think about each."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_look = nn.LayerNorm(width)
        self.ask = nn.Linear(width, 3 * width)  # queries, keys and values
        self.look = nn.Linear(width, width)
        self.norm_think = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.think = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        asked = self.ask(self.norm_look(x)).unflatten(2, (3, self.n_heads, -1))
        query, key, value = asked.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.look(seen.transpose(1, 2).flatten(2))
        thought: Tensor = self.think(functional.gelu(self.widen(self.norm_think(x))))
        return x + thought


class Ears(nn.Module):
    """Whisper's encoder up to one of its layers.

    Args:
        n_layers: of the 6 that "base" has.
        width: numbers to each moment.
        n_heads: of attention.
    """

    def __init__(self, n_layers: int = 3, width: int = 512, n_heads: int = 8) -> None:
        super().__init__()
        self.enter = nn.Conv1d(N_MELS, width, 3, padding=1)
        self.fold = nn.Conv1d(width, width, 3, padding=1, stride=FOLD)
        self.layers = nn.ModuleList(Layer(width, n_heads) for _ in range(n_layers))

    def forward(self, mel: Tensor) -> Tensor:
        """What is heard.

        Args:
            mel: (B, 80, N) log-mel at 100 columns a second, N at most 3000; an odd last column
                counts for a step.

        Returns:
            (B, width, ceil(N / 2)) in single precision, whatever the weights are in; step j stands
            for the moment of column 2 j.
        """
        x = functional.gelu(self.enter(mel.to(self.enter.weight.dtype)))
        x = functional.gelu(self.fold(x)).transpose(1, 2)
        x = x + places(x.shape[1], x.shape[2]).to(x)
        for layer in self.layers:
            x = layer(x)
        return x.transpose(1, 2).float()


def places(n_steps: int, width: int) -> Tensor:
    """(n_steps, width) sines, then cosines, of paces from 1 to 1/10000 radians a step.

    Raises:
        ValueError: more steps than Whisper was trained for.
    """
    if n_steps > MAX_STEPS:
        raise ValueError(f"{n_steps} steps at once, want at most {MAX_STEPS}")
    paces = torch.exp(torch.linspace(0.0, -math.log(10_000.0), width // 2))
    angles = torch.arange(n_steps)[:, None] * paces
    return torch.cat([angles.sin(), angles.cos()], dim=1)
