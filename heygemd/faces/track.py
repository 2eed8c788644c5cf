"""One person followed through a clip: chosen, cleaned, smoothed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from heygemd.errors import NoFaceError
from heygemd.faces.boxes import bounds
from heygemd.faces.detect import Sighting, areas, overlaps
from heygemd.faces.likeness import ALIKE, Look
from heygemd.faces.smooth import fill_gaps, runs, smooth, steady
from heygemd.packed import PackedPoints
from heygemd.records import N_POINTS, Boxes, FaceChoice, FaceTrack, Points

MAX_GAP = 8  # frames a face may be unseen and still be filled in
LINK_OVERLAP = 0.3  # of a face's boxes in neighbouring frames; a fast nod keeps 0.5
RETURN_OVERLAP = 0.15  # of the boxes before and after a longer absence
REACH_GAP = 50  # frames after which someone who comes back is a stranger
MAX_JUMP = 0.25  # in face sizes from the neighbours' median; one frame that jumps so far is wrong
POINTS_SMOOTHING = (5, 2)  # Savitzky-Golay; takes noise, keeps a bilabial of three frames
# Of a face's longer side, 2.7 times the distance between the eyes: smoothing would move the inner
# lips of nine clips by 0.001 to 0.003 in half of the frames, and by up to 0.005 to 0.026 where they
# part or close from one frame to the next; those of a man who shakes his head by 0.035.
NOISE = (0.003, 0.0075)
# Points of smaller faces tremble no less, in pixels: with this, lips under eyes 27 px apart closed
# in 0.86 instead of 0.71 of the frames in which an English voice told them to. Nine other runs
# gained and lost alike.
LEAST_SIDE_PX = 150.0
BOXES_SMOOTHING = (9, 2)
BLOCK_FRAMES = 256  # whose points are unpacked at a time


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
    reference: Look | None = None,
) -> FaceTrack:
    """One person through one clip.

    In each shot the person is chosen anew: the one of most area over the shot, or the one seen
    long and far to the left, to the right, near the centre, or the one most like a reference, if
    anybody is like it. Then they are followed by overlap.
    Gaps of up to eight frames inside a shot are filled; frames of longer gaps have no face.

    Args:
        sightings: one per frame.
        cuts: sorted indices of frames that start a new shot.
        choice: whom to follow.
        frame_size: width and height in px.
        reference: what the person looks like; for the choice ``reference``.

    Returns:
        Smoothed boxes and points; ``detected`` is True where the face itself was seen.
    """
    n_frames = len(sightings)
    boxes = np.full((n_frames, 4), np.nan, dtype=np.float32)
    has_points = any(seen.points is not None for seen in sightings)
    which = np.zeros(n_frames, np.int64)
    alike: list[tuple[int, int, float]] = []
    for start, stop in shots(n_frames, cuts):
        present = people(paths(sightings, range(start, stop)))
        if choice == "reference" and reference is not None:
            person, how_alike = most_alike(present, sightings, reference)
            alike.append((start, stop - 1, how_alike))
        else:
            person = max(present, key=lambda path: _merit(path, choice, frame_size), default=Path())
        boxes[person.at] = np.array(person.boxes, dtype=np.float32).reshape(-1, 4)
        boxes[start + outliers(boxes[start:stop])] = np.nan
        which[person.at] = person.which
    detected = np.isfinite(boxes[:, 0])
    points = PackedPoints(n_frames, N_POINTS) if has_points else None
    for start, stop in shots(n_frames, cuts):
        boxes[start:stop] = smooth(fill_gaps(boxes[start:stop], MAX_GAP), *BOXES_SMOOTHING)
        if points is not None:
            chosen = np.where(detected, which, -1)[start:stop]
            for rows in _clean_points(sightings, range(start, stop), chosen):
                points.append(rows)
    return FaceTrack(boxes, points, detected, cuts, tuple(alike))


def most_alike(
    present: Sequence[Path], sightings: Sequence[Sighting], reference: Look
) -> tuple[Path, float]:
    """The person most like the reference and how much; an empty path where nobody is like it."""
    found, best = Path(), 0.0
    for path in present:
        looks = [
            seen.looks[which]
            for which, seen in zip(path.which, (sightings[at] for at in path.at), strict=True)
            if seen.looks is not None
        ]
        how_alike = float(np.median(np.stack(looks) @ reference)) if looks else 0.0
        if how_alike > best:
            found, best = path, how_alike
    return (found if best >= ALIKE else Path()), best


def _clean_points(
    sightings: Sequence[Sighting], shot: range, which: NDArray[np.int64]
) -> Iterator[Points]:
    """Smoothed points of one shot, by the block; NaN where no face is.

    Args:
        sightings: one per frame.
        shot: the frames.
        which: the person's row in each frame of the shot; -1 where they were not seen.
    """
    margin = 2 * MAX_GAP + POINTS_SMOOTHING[0]  # a gap, one more beyond it, and a window
    for first in range(shot.start, shot.stop, BLOCK_FRAMES):
        begin, stop = max(shot.start, first - margin), min(shot.stop, first + BLOCK_FRAMES)
        rows = np.full((min(shot.stop, stop + margin) - begin, N_POINTS, 3), np.nan, np.float32)
        for row, at in enumerate(range(begin, begin + len(rows))):
            if which[at - shot.start] >= 0:
                points = sightings[at].points
                if points is not None:
                    rows[row] = points[which[at - shot.start]]
        whole = fill_gaps(rows, MAX_GAP)
        clean = steady(whole, *POINTS_SMOOTHING, NOISE, _sides_px(whole))
        yield clean[first - begin : stop - begin]


def _sides_px(points: Points) -> NDArray[np.float32]:
    """(T,) the longer side of (T, P, 3) points as far as it counts; NaN where no face is."""
    boxes = bounds(points)
    return np.asarray(np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), LEAST_SIDE_PX))


def require_coverage(track: FaceTrack, min_coverage: float) -> None:
    """Nothing, where enough frames show the face.

    Raises:
        NoFaceError: says how many do and which do not.
    """
    if track.coverage >= min_coverage:
        return
    missing = list(runs(~track.present))
    where = ", ".join(f"{start} to {stop - 1}" for start, stop in missing[:5])
    best = max((how_alike for *_, how_alike in track.alike), default=None)
    like = "" if best is None else f"; likeness to the reference {best:.2f}, want {ALIKE}"
    more = f" and {len(missing) - 5} more stretches" if len(missing) > 5 else ""
    raise NoFaceError(
        f"a face in {int(track.present.sum())} of {len(track.present)} frames "
        f"({track.coverage:.0%}), want {min_coverage:.0%}{like}; none in frames {where}{more}; "
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


def people(found: Sequence[Path]) -> list[Path]:
    """Paths joined into people: whoever comes back soon, near where they left, is the same."""
    known: list[Path] = []
    for path in sorted(found, key=lambda path: path.at[0]):
        gone = [other for other in known if 0 < path.at[0] - other.at[-1] <= REACH_GAP]
        shared = [
            float(overlaps(path.boxes[0][None], other.boxes[-1][None])[0, 0]) for other in gone
        ]
        if shared and max(shared) > RETURN_OVERLAP:
            same = gone[shared.index(max(shared))]
            same.at += path.at
            same.which += path.which
            same.boxes += path.boxes
        else:
            known.append(Path([*path.at], [*path.which], [*path.boxes]))
    return known


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
    if choice == "reference":
        raise ValueError("the choice reference wants a reference")
    x, y = np.median((boxes[:, :2] + boxes[:, 2:]) / 2, axis=0).tolist()
    away: float = {
        "left": x / width_px,
        "right": 1 - x / width_px,
        "centre": float(np.hypot(x - width_px / 2, y - height_px / 2)) / width_px,
    }[choice]
    return len(path.at) / (0.05 + max(0.0, away))
