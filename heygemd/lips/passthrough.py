"""A lip model that changes nothing: for tests and dry runs of everything around it."""

from __future__ import annotations

from heygemd.lips.base import ClipReader, Plan, Voice
from heygemd.planes import Film
from heygemd.records import FaceTrack, Patch, Waveform


class Passthrough:
    """See ``LipModel``; every frame passes through untouched."""

    name = "passthrough"
    sha256 = ""
    wants_points = False
    batch = 0

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def hear(self, sound: Waveform) -> Voice:
        """Nothing is wanted of the sound."""
        del sound

    def collector(self) -> None:
        """None: see ``LipModel.collector``."""

    def study(self, clip: ClipReader, track: FaceTrack, voice: Voice) -> Plan:
        """Nothing is learned of the clip."""
        del clip, track, voice

    def speak(self, frames: Film, plan: Plan, span: range) -> list[Patch | None]:
        """No patches."""
        del plan, span
        return [None] * len(frames)
