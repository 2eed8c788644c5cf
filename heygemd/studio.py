"""What rendering needs besides the models."""

from __future__ import annotations

from dataclasses import dataclass

from heygemd.faces.kept import TrackCache
from heygemd.media.credentials import Signer
from heygemd.media.limits import Limits
from heygemd.media.tool import Ffmpeg
from heygemd.records import EncodeOptions


@dataclass(frozen=True, slots=True)
class Studio:
    """Ffmpeg, its limits, how outputs are written.

    Attributes:
        tracks: face tracks of clips seen before; None keeps none.
    """

    tool: Ffmpeg
    limits: Limits
    encode: EncodeOptions
    batch: int = 16
    signer: Signer | None = None
    tracks: TrackCache | None = None
