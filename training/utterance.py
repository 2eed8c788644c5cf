"""Speech whose phones are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Utterance:
    """Speech whose phones are known.

    Attributes:
        samples: (N,) float32 mono at 16 kHz.
        phones: (start_s, end_s, IPA) in time order, without gaps; a pause is an empty IPA.
        voice: which voice spoke.
    """

    samples: NDArray[np.float32]
    phones: tuple[tuple[float, float, str], ...]
    voice: str
