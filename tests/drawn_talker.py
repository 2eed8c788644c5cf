"""A drawn person whose every landmark is known: flat skin, red lips, a dark mouth with teeth."""

from dataclasses import dataclass, field
from fractions import Fraction

import cv2
import numpy as np

from heygemd.lips.warp import geometry
from heygemd.lips.warp.landmarks import INNER, OUTER, OVAL
from heygemd.lips.warp.model import ASSETS
from heygemd.lips.warp.voice import Voice
from heygemd.records import FaceTrack, Timeline, VideoInfo

BASIS = geometry.load_basis(ASSETS / "face.safetensors")
SKIN, LIPS, DARK, WALL = (140, 170, 215), (70, 70, 190), (20, 20, 40), (90, 120, 60)
SIZE = (300, 320)  # width, height


def shapes(apertures):
    """(T, 478, 3) canonical: the average face, opened along the first axis of the basis."""
    rest = geometry.close_lips(BASIS.template)
    unit = np.zeros((1, BASIS.n_coefs), np.float32)
    base = geometry.coef_aperture(unit, BASIS)[0]
    unit[0, 0] = 1.0
    slope = geometry.coef_aperture(unit, BASIS)[0] - base
    coefs = np.zeros((len(apertures), BASIS.n_coefs), np.float32)
    coefs[:, 0] = (np.asarray(apertures) - base) / slope
    faces = np.repeat(rest[None], len(apertures), axis=0)
    faces[:, BASIS.index] += geometry.displacement(coefs, BASIS)
    return np.stack(
        [
            geometry.close_lips(f, 0.0 if a == 0 else 1.0)
            for f, a in zip(faces, apertures, strict=True)
        ]
    )


def pose(n_frames, *, iod_px=70.0, yaw_deg=0.0, step_px=0.5):
    """A head that drifts to the right."""
    c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    turn = np.tile([[c, 0, s], [0, 1, 0], [-s, 0, c]], (n_frames, 1, 1))
    shift = np.zeros((n_frames, 3))
    shift[:, 0] = SIZE[0] / 2 + step_px * np.arange(n_frames)
    shift[:, 1] = SIZE[1] * 0.38
    return geometry.Pose(np.full(n_frames, iod_px), turn, shift)


def draw(points):
    """(H, W, 3) uint8: one frame, with some grain so that it has detail."""
    frame = np.full((SIZE[1], SIZE[0], 3), WALL, np.uint8)
    flat = np.round(points[:, :2] * 16).astype(np.int32)
    for ring, colour in ((OVAL, SKIN), (OUTER, LIPS), (INNER, DARK)):
        if ring is INNER and geometry.aperture(points) < 1.0:
            continue
        cv2.fillPoly(frame, [flat[list(ring)]], colour, cv2.LINE_AA, 4)
    grain = np.random.default_rng(5).integers(-6, 7, frame.shape)
    return np.clip(frame + grain, 0, 255).astype(np.uint8)


@dataclass
class DrawnClip:
    """Keeps the contract of ``ClipReader``."""

    frames: np.ndarray
    timeline: Timeline
    asked: list
    excerpts: dict = field(default_factory=dict)

    @property
    def info(self):
        height, width = self.frames.shape[1:3]
        return VideoInfo(width, height, self.timeline.fps, len(self.frames), Fraction(1))

    def frames_at(self, indices):
        for index in indices:
            self.asked.append(index)
            yield index, self.frames[index]


def track_of(points):
    seen = np.isfinite(points[:, 0, 0])
    boxes = np.concatenate([points[..., :2].min(axis=1), points[..., :2].max(axis=1)], axis=1)
    return FaceTrack(boxes.astype(np.float32), points, seen)


def talker(apertures, *, n_out=None, **pose_options):
    """A clip and its track, one source frame per aperture."""
    points = geometry.to_image(shapes(apertures), pose(len(apertures), **pose_options))
    frames = np.stack([draw(face) for face in points])
    source = np.arange(n_out or len(apertures)) % len(apertures)
    return DrawnClip(frames, Timeline(source, Fraction(25)), []), track_of(points)


def voice_of(apertures, rate_hz=25.0):
    """A voice that asks for these apertures, one per output frame at 25 a second."""
    faces = shapes(apertures)
    rest = geometry.close_lips(BASIS.template)
    coefs = geometry.coefs(faces, rest, BASIS)
    return Voice(coefs, rate_hz, first_s=0.5 / rate_hz)
