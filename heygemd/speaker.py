"""All that changes pixels of one clip: lips, their fade into silence, restored faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heygemd.faces import paste
from heygemd.lips.base import Plan
from heygemd.models import Models
from heygemd.planes import Planes
from heygemd.records import FaceTrack, Timeline


@dataclass(frozen=True, slots=True)
class Speaker:
    """Lays patches into the frames of one clip.

    Attributes:
        shares: (n_out,) how much of each patch is laid.
        blend: share of restored faces, 0..1.
        done: (n_out,) set: how much of what the voice asks the lip model did in each frame.
    """

    models: Models
    plan: Plan
    faces: FaceTrack
    timeline: Timeline
    shares: NDArray[np.float32]
    blend: float
    done: NDArray[np.float32]

    def speak(self, frames: Planes, span: range) -> None:
        """Move the lips in the frames themselves, and restore faces where that is asked for."""
        shares = self.shares[span.start : span.stop]
        patches = self.models.lips.speak(frames, self.plan, span)
        self.done[span.start : span.stop] = [
            0.0 if patch is None else patch.share for patch in patches
        ]
        paste.lay(frames, paste.fade(patches, shares))
        restorer, points = self.models.restorer, self.faces.points
        if restorer is None or points is None or self.blend == 0.0:
            return
        source = self.timeline.source[span.start : span.stop]
        paste.lay(frames, restorer.restore(frames, points[source], shares * self.blend))
