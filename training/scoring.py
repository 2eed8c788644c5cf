"""The figures that the sync scorer is held to, on people and clips that it was not trained on."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from heygemd.lips import mel
from heygemd.lips.warp.voice import level
from training import footage, landmarks, mouths, report, split

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from heygemd.quality import SyncScorer
    from training.mouths import Mouth

SHIFTS = (-12, -6, -2, 0, 3, 8)  # frames by which the sound is moved
WINDOW_S = 2.0
_WITHIN_MS = 40.0  # one frame
# How late the picture comes in the originals, ms, where that is known or was found by two other
# judges (lip network and published sync net); of the rest it is taken to be 0.
KNOWN_MS = {"sync_example_cnn": 120.0, "hdtf_markey": -40.0}
SHIFTED = ("sync_example_offset12.avi",)
FOREIGN = ("SadTalker__chinese_news.wav", "SadTalker__deyu.wav", "V-Express__AOC.mp3")


def measure(scorer: SyncScorer, data: Path, media: Path | None, cache: Path) -> dict[str, Any]:
    """Every figure, by name; those of real clips are left out where there is no media."""
    multi = sorted((data / "grid").glob("multi_*.mkv"))
    chosen = [c for c in multi if split.speaker(c.stem).startswith("test_")]
    grid = _mouths(chosen, cache, "landmarks", "mouths")
    figures: dict[str, Any] = {"grid": grid_figures(scorer, grid), "speed": speed(scorer, grid)}
    if media is not None:
        paths = [media / "video" / name for name in (*report.REAL_CLIPS, *SHIFTED)]
        figures["real"] = real_figures(
            scorer, _mouths(paths, cache, "media", "media_mouths"), media
        )
    return figures


def grid_figures(scorer: SyncScorer, people: list[Mouth]) -> dict[str, Any]:
    """Unseen speakers: whole clips, their sound moved by known amounts; and others' sounds."""
    errors, own, foreign = [], [], []
    for one, other in zip(people, people[1:] + people[:1], strict=True):
        for shift in SHIFTS:
            score = scorer.score(one.crops, moved(one.mel, shift), fps=25.0)
            if score is None:
                continue
            errors.append(abs(score.offset_ms + 40.0 * shift))
            own += [score.confidence] if shift == 0 else []
        crossed = scorer.score(one.crops, other.mel, fps=25.0)
        foreign += [crossed.confidence] if crossed is not None else []
    return {
        "n_clips": len(people),
        "within_a_frame": round(float(np.mean(np.array(errors) <= _WITHIN_MS)), 3),
        "confidence": round(float(np.mean(own)), 3),
        "foreign_confidence": round(float(np.mean(foreign)), 3),
    }


def moved(columns: NDArray[np.float32], n_frames: int) -> NDArray[np.float32]:
    """The sound later by a number of 25 fps frames, as long as before."""
    by = round(n_frames * mel.COLUMNS_PER_S / 25)
    padded = np.pad(columns, ((0, 0), (abs(by), abs(by))), constant_values=mel.SILENCE)
    first = abs(by) - by
    return padded[:, first : first + columns.shape[1]]


def real_figures(scorer: SyncScorer, clips: list[Mouth], media: Path) -> dict[str, Any]:
    """Real clips, whole and in windows of 2 s, with their own sound and with foreign ones."""
    sounds = [mel.log_mel(level(footage.read_sound(media / "audio" / name))) for name in FOREIGN]
    rows: dict[str, Any] = {}
    for one in clips:
        fps = 1.0 / float(np.median(np.diff(one.times_s)))
        score = scorer.score(one.crops, one.mel, fps=fps)
        if score is None:
            raise ValueError(f"{one.name} cannot be scored")
        want_ms = KNOWN_MS.get(one.name, 0.0)
        windows = [w.offset_ms - want_ms for w in windowed(scorer, one, fps)]
        crossed = [scorer.score(one.crops, sound, fps=fps) for sound in sounds]
        rows[one.name] = {
            "offset_ms": round(score.offset_ms, 1),
            "confidence": round(score.confidence, 3),
            "foreign_confidence": round(
                float(np.mean([c.confidence for c in crossed if c is not None])), 3
            ),
            "n_windows": len(windows),
            "windows_within_a_frame": sum(abs(error) <= _WITHIN_MS for error in windows),
        }
    judged = {name: row for name, row in rows.items() if f"{name}.avi" not in SHIFTED}
    return {
        "clips": rows,
        "within_a_frame": sum(
            abs(row["offset_ms"] - KNOWN_MS.get(name, 0.0)) <= _WITHIN_MS
            for name, row in judged.items()
        ),
        "n_clips": len(judged),
        "windows_within_a_frame": round(
            sum(row["windows_within_a_frame"] for row in judged.values())
            / sum(row["n_windows"] for row in judged.values()),
            3,
        ),
        "confidence": round(float(np.mean([r["confidence"] for r in judged.values()])), 3),
        "foreign_confidence": round(
            float(np.mean([r["foreign_confidence"] for r in judged.values()])), 3
        ),
    }


def windowed(scorer: SyncScorer, one: Mouth, fps: float) -> list[Any]:
    """Scores of consecutive windows of 2 s."""
    n_frames = round(WINDOW_S * fps)
    scores = []
    for first, stop in pairwise(range(0, len(one.crops) + 1, n_frames)):
        column = round(first / fps * mel.COLUMNS_PER_S)
        heard = one.mel[:, column : column + round(WINDOW_S * mel.COLUMNS_PER_S)]
        scores.append(scorer.score(one.crops[first:stop], heard, fps=fps))
    return [score for score in scores if score is not None]


def speed(scorer: SyncScorer, people: list[Mouth]) -> dict[str, float]:
    """How many times faster than real time a clip is judged, in CPU time, after the cutting."""
    crops = np.concatenate([one.crops for one in people] * 3)
    columns = np.concatenate([one.mel for one in people] * 3, axis=1)
    started_s = time.process_time()
    scorer.score(crops, columns, fps=25.0)
    spent_s = time.process_time() - started_s
    return {"times_real_time_per_core": round(len(crops) / 25.0 / spent_s, 1)}


def _mouths(paths: list[Path], cache: Path, marks: str, cut: str) -> list[Mouth]:
    found = landmarks.record_all(paths, cache / marks)
    return [mouths.mouth(p, r, cache / cut) for p, r in zip(paths, found, strict=True)]
