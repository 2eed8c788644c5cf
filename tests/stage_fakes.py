"""A detector and a lip model that keep the contracts and say what they were asked."""

import numpy as np

from heygemd.faces.detect import Sighting
from heygemd.records import Patch

BOX = (40.0, 30.0, 120.0, 100.0)
POINTS = np.random.default_rng(0).uniform(45, 95, (478, 3)).astype(np.float32)


class FixedFace:
    """Sees one face, always in the same place; or nobody at all."""

    name, version, wants_frames = "fixed", "1", 8

    def __init__(self, *, sees=True, has_points=False):
        self.sees = sees
        self.has_points = has_points
        self.n_seen = 0
        self.closed = False

    def detect(self, frames):
        self.n_seen += len(frames)
        n_faces = int(self.sees)
        boxes = np.array([BOX] * n_faces, np.float32).reshape(n_faces, 4)
        points = np.tile(POINTS, (n_faces, 1, 1)) if self.has_points else None
        return [Sighting(boxes, np.ones(n_faces, np.float32), points) for _ in frames]

    def close(self):
        self.closed = True


class Painter:
    """Paints the face's middle white, and remembers what it heard, studied and spoke."""

    name, sha256, device, wants_points, batch = "painter", "", "cpu", False, 0

    def __init__(self, error=None):
        self.error = error
        self.heard, self.studied, self.spans = [], [], []

    def hear(self, sound):
        self.heard.append(sound)
        return sound

    def collector(self):
        return None

    def study(self, clip, track, voice):
        self.studied.append((clip.timeline, track))
        return voice

    def speak(self, frames, plan, span):
        assert len(frames) == len(span)
        if self.error:
            raise self.error
        self.spans.append(span)
        pixels, alpha = np.full((40, 40, 3), 255, np.uint8), np.ones((40, 40), np.float32)
        return [Patch(60, 50, pixels, alpha) for _ in span]
