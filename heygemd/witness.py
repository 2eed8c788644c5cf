"""Watches the mouths of an output as it streams by, and says how well they follow the sound."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heygemd.faces.mouths import HEIGHT_PX, WIDTH_PX, cut_mouths, mouth_views
from heygemd.faces.squares import cut_squares, square_views
from heygemd.lips.mel import log_mel
from heygemd.lips.warp.voice import level
from heygemd.nets.syncnet import FACE_PX
from heygemd.planes import Film
from heygemd.quality import LAGS_MS, SyncScore, SyncScorer
from heygemd.records import FaceTrack, Timeline, Waveform
from heygemd.syncnet import FPS, SyncNetScore, SyncNetScorer, mel_cepstra

JUDGED_FRAMES = 750  # half a minute at 25 fps; their mouths take 5 MB
_JUDGED_S = 32.0
SYNCNET_FRAMES = 250  # ten seconds; their faces take 38 MB
_SYNCNET_S = SYNCNET_FRAMES / FPS
_FULL_LSE_C = 10.0  # what SyncNet gives footage at its best; counts as a confidence of 1


@dataclass(frozen=True, slots=True)
class JudgedVoice:
    """What scorers want of a sound.

    Attributes:
        mel: (80, N) log-mel, levelled as our own scorer was trained.
        cepstra: (13, N) for SyncNet; None where it does not judge.
    """

    mel: NDArray[np.float32]
    cepstra: NDArray[np.float32] | None = None


def voice_to_judge(sound: Waveform, *, by_syncnet: bool = False) -> JudgedVoice:
    """The beginning of a sound as scorers hear it.

    Args:
        sound: what people hear, 16 kHz mono.
        by_syncnet: SyncNet judges too.
    """
    start = sound.samples[: int(_JUDGED_S * sound.rate_hz)]
    mel = log_mel(level(Waveform(start, sound.rate_hz)))
    first = sound.samples[: int(_SYNCNET_S * sound.rate_hz)]
    return JudgedVoice(mel, mel_cepstra(first) if by_syncnet else None)


class Witness:
    """Keeps small pictures of the mouths of an output's first half minute.

    Args:
        faces: rows are source frames.
        timeline: from source to output.
        by_syncnet: keep the faces of its first ten seconds as well.
    """

    def __init__(self, faces: FaceTrack, timeline: Timeline, *, by_syncnet: bool = False) -> None:
        source = timeline.source[:JUDGED_FRAMES]
        self._fps = timeline.fps
        self._views = None if faces.points is None else mouth_views(faces.points[source])
        n_views = 0 if self._views is None else len(self._views)
        # One block: small pictures kept between large frames would hold the heap open below them.
        self._mouths = np.zeros((n_views, HEIGHT_PX, WIDTH_PX), np.uint8)
        self._n_seen = 0
        moments = (np.arange(SYNCNET_FRAMES if by_syncnet else 0) + 0.5) / FPS
        at = (moments * float(timeline.fps)).astype(np.int64)
        self._at = at[at < timeline.n_frames]
        followed = timeline.source if by_syncnet else timeline.source[:0]
        self._squares = square_views(faces.boxes[followed])[self._at]
        self._faces = np.zeros((len(self._at), FACE_PX, FACE_PX, 3), np.uint8)

    def see(self, start: int, frames: Film) -> None:
        """Look at finished frames, the first of them output frame ``start``; in order."""
        if self._views is not None and start < len(self._views):
            views = self._views[start : start + len(frames)]
            self._n_seen = start + len(views)
            self._mouths[start : self._n_seen] = cut_mouths(frames[: len(views)], views)
        for row in np.flatnonzero((self._at >= start) & (self._at < start + len(frames))):
            at = int(self._at[row]) - start
            self._faces[row] = cut_squares(frames[at : at + 1], self._squares[row : row + 1])[0]

    def judge(
        self, scorer: SyncScorer, voice: JudgedVoice, syncnet: SyncNetScorer | None = None
    ) -> SyncScore | None:
        """What the scorers say; None where too little was seen or heard.

        Args:
            scorer: of ``quality``.
            voice: from ``voice_to_judge``.
            syncnet: has the last word where it can say something.
        """
        score = None
        if self._n_seen:
            score = scorer.score(self._mouths[: self._n_seen], voice.mel, fps=float(self._fps))
        if syncnet is None or voice.cepstra is None:
            return score
        told = syncnet.score(self._faces, voice.cepstra)
        return score if told is None else _said(score, told)


def _said(ours: SyncScore | None, told: SyncNetScore) -> SyncScore:
    """What SyncNet told, with our own curve to draw where there is one."""
    nothing = np.zeros(len(LAGS_MS), np.float32)
    drawn = ours or SyncScore(0.0, 0.0, nothing, told.n_windows, np.empty(0, np.float32))
    return replace(
        drawn,
        offset_ms=told.offset_ms,
        confidence=float(np.clip(told.confidence / _FULL_LSE_C, 0.0, 1.0)),
        notes={"lse_c": round(told.confidence, 3), "lse_d": round(told.distance, 3)},
    )
