"""The pose of a mouth, a linear reading of what is said: ridge regression on recorded talkers.

The names come of speech in any voice, the mouths of a few people with fifty words between them. A
reading that follows those few as closely as it can learns their sentences; a strong ridge keeps to
what holds for any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from heygemd.nets.voice import VoiceNet
    from training.attend import Watched

    Doubles = NDArray[np.float64]

_RIDGE = 0.1  # of every name's variance
_WIDER = 1.15  # than filmed gaps vary; of that the lips that meet take a part again


def solve(net: VoiceNet, watched: Sequence[Watched], shares: Doubles) -> None:
    """Give a network that names sounds its reading of the names, ``net.pose``.

    Args:
        net: in evaluation mode on the CPU; nothing but its reading is changed.
        watched: the mouths to be read.
        shares: (n,) how much each counts.
    """
    said, mouths, weights = [], [], []
    for one, share in zip(watched, shares, strict=True):
        with torch.inference_mode():
            heard = torch.from_numpy(one.heard.astype(np.float32))
            rows = net.listen(heard[None]).said[0].T.double().numpy()
        said.append(rows[one.known])
        mouths.append(one.coefs[one.known].astype(np.float64))
        weights.append(np.full(one.known.sum(), share / one.known.sum()))
    weight, bias = read(
        np.concatenate(said),
        np.concatenate(mouths),
        np.concatenate(weights),
        net.aperture.double().numpy(),
    )
    solved = {"weight": torch.from_numpy(weight)[:, :, None], "bias": torch.from_numpy(bias)}
    net.pose.load_state_dict(solved)


def read(
    said: Doubles, mouths: Doubles, weights: Doubles, aperture: Doubles
) -> tuple[Doubles, Doubles]:
    """Mouths as a linear function of what is said; their gap varies a little more than filmed.

    Least squares alone would have them move less the less surely a name tells the mouth.

    Args:
        said: (N, n_names) how surely each name holds.
        mouths: (N, K) whitened coefs.
        weights: (N,) how much each moment counts.
        aperture: (K,) IOD of gap per unit of coef.

    Returns:
        (K, n_names) weight and (K,) bias.
    """
    weights = weights / weights.sum()
    usual, rest = weights @ said, weights @ mouths
    spread = np.sqrt(weights @ (said - usual) ** 2) + 1e-6  # a name that never holds asks nothing
    names, moves = (said - usual) / spread, mouths - rest
    square = names.T @ (names * weights[:, None]) + _RIDGE * np.eye(names.shape[1])
    slope = np.linalg.solve(square, names.T @ (moves * weights[:, None]))
    filmed, plain = (np.sqrt(weights @ (m @ aperture) ** 2) for m in (moves, names @ slope))
    slope *= _WIDER * filmed / plain
    weight = slope.T / spread
    return weight, rest - weight @ usual
