"""The lip model ``warp``: mouths of the clip itself, fitted to what the voice asks for."""

from __future__ import annotations

import hashlib
from pathlib import Path

from heygemd.lips.base import ClipReader
from heygemd.lips.warp import cover, geometry, study, voice
from heygemd.lips.warp.aim import Aim, hold_back, take_aim
from heygemd.lips.warp.gallery import Gallery
from heygemd.lips.warp.mesh import build_mesh
from heygemd.lips.warp.render import draw
from heygemd.lips.warp.study import Plan
from heygemd.lips.warp.voice import Voice
from heygemd.planes import Film, Picture
from heygemd.records import FaceTrack, Patch, Waveform

ASSETS = Path(__file__).parent / "assets"
FACE_FILE = "face.safetensors"
VOICE_FILE = "voice.safetensors"


class Warp:
    """See ``LipModel``; pixels are moved on the CPU, only the voice is heard on the device.

    Args:
        assets: folder with the face basis and the voice network.
        device: where the voice network runs, e.g. ``cuda:0``.

    Raises:
        ModelError: a file is missing or is not what its name says.
        DependencyError: the wheel that carries the ears is missing.
    """

    name = "warp"
    wants_points = True
    batch = 0

    def __init__(self, assets: Path = ASSETS, device: str = "cpu") -> None:
        self.device = device
        self._basis = geometry.load_basis(assets / FACE_FILE)
        self._mesh = build_mesh(self._basis)
        self._net = voice.load_net(assets / VOICE_FILE, device)
        self.sha256 = _sha256([assets / FACE_FILE, assets / VOICE_FILE])

    def hear(self, sound: Waveform) -> Voice:
        """Mouth shapes over time."""
        return voice.hear(sound, self._net)

    def collector(self) -> Gallery:
        """See ``LipModel.collector``."""
        return Gallery(self._basis, self._mesh)

    def study(self, clip: ClipReader, track: FaceTrack, voice: Voice) -> Plan:
        """The person, the mouths that can be borrowed, and which serves which frame."""
        return study.study(clip, track, voice, self._basis, self._mesh)

    def speak(self, frames: Film, plan: Plan, span: range) -> list[Patch | None]:
        """One patch per frame; the same whatever span a frame is asked for in."""
        aims = take_aim(plan, span, self._basis, self._mesh)
        return [
            None if aim is None else self._speak_once(frame, plan, aim)
            for frame, aim in zip(frames, aims, strict=True)
        ]

    def _speak_once(self, frame: Picture, plan: Plan, aim: Aim) -> Patch | None:
        """One frame's patch, less of it where something hides the mouth."""
        if plan.complexion is not None:
            hidden = cover.covered(frame, aim.points, aim.iod_px, plan.complexion)
            seen = hold_back(aim, 1.0 - hidden)
            if seen is None:
                return None
            aim = seen
        return draw(frame, aim, self._mesh)


def _sha256(paths: list[Path]) -> str:
    """Hex digest of several files' bytes, one after another."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()
