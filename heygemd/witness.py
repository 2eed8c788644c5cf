"""Watches the mouths of an output as it streams by, and says how well they follow the sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heygemd.faces.mouths import HEIGHT_PX, WIDTH_PX, cut_mouths, mouth_views
from heygemd.lips.mel import log_mel
from heygemd.lips.warp.voice import level
from heygemd.planes import Film
from heygemd.quality import SyncScore, SyncScorer
from heygemd.records import FaceTrack, Timeline, Waveform

JUDGED_FRAMES = 1500  # a minute at 25 fps; their mouths take 9 MB, and more tells no more
_JUDGED_S = 62.0


def voice_to_judge(sound: Waveform) -> NDArray[np.float32]:
    """(80, N) log-mel of the minute that is judged, levelled as the scorer was trained.

    Args:
        sound: what people hear, 16 kHz mono.
    """
    start = sound.samples[: int(_JUDGED_S * sound.rate_hz)]
    return log_mel(level(Waveform(start, sound.rate_hz)))


class Witness:
    """Keeps small pictures of the mouths of an output's first minute.

    Args:
        faces: rows are source frames.
        timeline: from source to output.
    """

    def __init__(self, faces: FaceTrack, timeline: Timeline) -> None:
        source = timeline.source[:JUDGED_FRAMES]
        self._fps = timeline.fps
        self._views = None if faces.points is None else mouth_views(faces.points[source])
        n_views = 0 if self._views is None else len(self._views)
        # One block: small pictures kept between large frames would hold the heap open below them.
        self._mouths = np.zeros((n_views, HEIGHT_PX, WIDTH_PX), np.uint8)
        self._n_seen = 0

    def see(self, start: int, frames: Film) -> None:
        """Look at finished frames, the first of them output frame ``start``; in order."""
        if self._views is not None and start < len(self._views):
            views = self._views[start : start + len(frames)]
            self._n_seen = start + len(views)
            self._mouths[start : self._n_seen] = cut_mouths(frames[: len(views)], views)

    def judge(self, scorer: SyncScorer, voice: NDArray[np.float32]) -> SyncScore | None:
        """What the scorer says; None where too little was seen or heard.

        Args:
            scorer: of ``quality``.
            voice: from ``voice_to_judge``.
        """
        if not self._n_seen:
            return None
        return scorer.score(self._mouths[: self._n_seen], voice, fps=float(self._fps))
