"""One person followed through a clip: chosen, cleaned, smoothed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from heygemd.errors import NoFaceError
from heygemd.faces.detect import Sighting, areas, overlaps
from heygemd.faces.smooth import fill_gaps, runs, smooth
from heygemd.records import N_POINTS, Boxes, FaceChoice, FaceTrack

MAX_GAP = 8  # frames a face may be unseen and still be filled in
LINK_OVERLAP = 0.3  # of a face's boxes in neighbouring frames; a fast nod keeps 0.5
REACH_GAP = 50  # frames after which someone who comes back is a stranger
MAX_JUMP = 0.25  # in face sizes from the neighbours' median; one frame that jumps so far is wrong
POINTS_SMOOTHING = (5, 2)  # Savitzky-Golay; takes noise, keeps a bilabial of three frames
BOXES_SMOOTHING = (9, 2)


@dataclass(slots=True)
class Path:
    """One face through one shot.

    Attributes:
        at: rising frame indices.
        which: the face's row in the sighting of each.
        boxes: (4,) px of each.
    """

    at: list[int] = field(default_factory=list)
    which: list[int] = field(default_factory=list)
    boxes: list[Boxes] = field(default_factory=list)

    def add(self, at: int, which: int, box: Boxes) -> None:
        """Take the face ``which`` of frame ``at``."""
        self.at.append(at)
        self.which.append(which)
        self.boxes.append(box)


def track_face(
    sightings: Sequence[Sighting],
    cuts: tuple[int, ...],
    choice: FaceChoice,
    frame_size: tuple[int, int],
) -> FaceTrack:
    """One person through one clip.

    In each shot the person is chosen anew and then followed by overlap. Gaps of up to eight
    frames inside a shot are filled; frames of longer gaps have no face.

    Args:
        sightings: one per frame.
        cuts: sorted indices of frames that start a new shot.
        choice: largest over the shot, leftmost, rightmost, or nearest to the centre.
        frame_size: width and height in px.

    Returns:
        Smoothed boxes and points; ``detected`` is True where the face itself was seen.
    """
    n_frames = len(sightings)
    boxes = np.full((n_frames, 4), np.nan, dtype=np.float32)
    has_points = any(seen.points is not None for seen in sightings)
    points = np.full((n_frames, N_POINTS, 3), np.nan, np.float32) if has_points else None
    detected = np.zeros(n_frames, dtype=np.bool_)
    for start, stop in shots(n_frames, cuts):
        chosen = choose(paths(sightings, range(start, stop)), choice, frame_size)
        for at, which in chosen:
            boxes[at] = sightings[at].boxes[which]
            detected[at] = True
        wrong = start + outliers(boxes[start:stop])
        boxes[wrong], detected[wrong] = np.nan, False
        boxes[start:stop] = smooth(fill_gaps(boxes[start:stop], MAX_GAP), *BOXES_SMOOTHING)
        if points is not None:
            for at, which in chosen:
                seen = sightings[at].points
                if seen is not None and detected[at]:
                    points[at] = seen[which]
            points[start:stop] = smooth(fill_gaps(points[start:stop], MAX_GAP), *POINTS_SMOOTHING)
    return FaceTrack(boxes, points, detected, cuts)


def require_coverage(track: FaceTrack, min_coverage: float) -> None:
    """Nothing, where enough frames show the face.

    Raises:
        NoFaceError: says how many do and which do not.
    """
    if track.coverage >= min_coverage and (track.present.any() or min_coverage <= 0):
        return
    missing = list(runs(~track.present))
    where = ", ".join(f"{start} to {stop - 1}" for start, stop in missing[:5])
    more = f" and {len(missing) - 5} more stretches" if len(missing) > 5 else ""
    raise NoFaceError(
        f"a face in {int(track.present.sum())} of {len(track.present)} frames "
        f"({track.coverage:.0%}), want {min_coverage:.0%}; none in frames {where}{more}; "
        "use a clip that shows the face, or lower min_coverage"
    )


def shots(n_frames: int, cuts: tuple[int, ...]) -> list[tuple[int, int]]:
    """Each shot as ``[start, stop)``."""
    edges = [0, *cuts, n_frames]
    return [(start, stop) for start, stop in pairwise(edges) if start < stop]


def paths(sightings: Sequence[Sighting], shot: range) -> list[Path]:
    """Every face of a shot, linked from frame to frame by overlap, the best overlaps first."""
    found: list[Path] = []
    for at in shot:
        boxes = sightings[at].boxes
        alive = [path for path in found if at - path.at[-1] <= MAX_GAP + 1]
        taken: set[int] = set()
        if alive and len(boxes):
            last = np.stack([path.boxes[-1] for path in alive])
            for path_row, which in _pairs(overlaps(last, boxes)):
                alive[path_row].add(at, which, boxes[which])
                taken.add(which)
        new = [which for which in range(len(boxes)) if which not in taken]
        found += [Path([at], [which], [boxes[which]]) for which in new]
    return found


def choose(
    found: Sequence[Path], choice: FaceChoice, frame_size: tuple[int, int]
) -> list[tuple[int, int]]:
    """The chosen person's ``(frame, row in its sighting)``, rising; empty without faces.

    The best path decides who it is. Other paths join it where they lie before or after it and the
    face comes back near the place it left.
    """
    if not found:
        return []
    best = max(found, key=lambda path: _merit(path, choice, frame_size))
    joined = [best]
    rest = sorted(
        (path for path in found if path is not best), key=lambda path: _distance_in_time(path, best)
    )
    for path in rest:
        if all(_continues(path, other) for other in _neighbours(path, joined)):
            joined.append(path)
    return sorted(
        (at, which) for path in joined for at, which in zip(path.at, path.which, strict=True)
    )


def outliers(boxes: Boxes) -> NDArray[np.int64]:
    """Rows that lie far from what their neighbours on both sides say, (T, 4) px with NaN gaps."""
    rows = np.flatnonzero(np.isfinite(boxes[:, 0]))
    if len(rows) < 5:
        return np.empty(0, dtype=np.int64)
    seen = boxes[rows]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(seen, ((2, 2), (0, 0)), "edge"), 5, 0)
    off = np.abs(seen - np.median(windows, axis=2)).max(axis=1)
    return np.asarray(rows[off > MAX_JUMP * np.sqrt(areas(seen))], dtype=np.int64)


def _pairs(shared: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Row and column of the pairs that overlap most, each row and column once."""
    chosen = []
    shared = shared.copy()
    while shared.size and shared.max() > LINK_OVERLAP:
        row, column = divmod(int(shared.argmax()), shared.shape[1])
        chosen.append((row, column))
        shared[row], shared[:, column] = 0, 0
    return chosen


def _merit(path: Path, choice: FaceChoice, frame_size: tuple[int, int]) -> float:
    """How well a path fits the choice; time seen weighs in, so that a flicker is never chosen."""
    boxes = np.stack(path.boxes)
    area = float(areas(boxes).sum())
    if choice == "largest":
        return area
    width_px, height_px = frame_size
    x, y = np.median((boxes[:, :2] + boxes[:, 2:]) / 2, axis=0).tolist()
    away: float = {
        "left": x / width_px,
        "right": 1 - x / width_px,
        "centre": float(np.hypot(x - width_px / 2, y - height_px / 2)) / width_px,
    }[choice]
    return len(path.at) / (0.05 + max(0.0, away))


def _distance_in_time(path: Path, other: Path) -> int:
    return max(path.at[0] - other.at[-1], other.at[0] - path.at[-1])


def _neighbours(path: Path, joined: Sequence[Path]) -> list[Path]:
    """Those of ``joined`` that overlap the path in time, else the nearest one."""
    nearest = min(joined, key=lambda other: _distance_in_time(path, other))
    return [other for other in joined if _distance_in_time(path, other) <= 0] or [nearest]


def _continues(path: Path, other: Path) -> bool:
    """Whether two paths may be one person who was unseen in between."""
    first, second = (path, other) if path.at[0] > other.at[-1] else (other, path)
    if first.at[0] <= second.at[-1] or first.at[0] - second.at[-1] > REACH_GAP:
        return False
    return bool(overlaps(first.boxes[0][None], second.boxes[-1][None])[0, 0] > LINK_OVERLAP / 2)
