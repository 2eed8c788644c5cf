"""What was seen in every frame of a clip, in blocks: an object for each frame would weigh more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from heygemd.faces.detect import Sighting, first_face
from heygemd.packed import PackedPoints
from heygemd.records import Boxes, Points

BLOCK_FRAMES = 64


@dataclass(frozen=True, slots=True)
class _Block:
    """Some frames' sightings, one after another.

    Attributes:
        first: (n + 1,) row of each frame's first face, and the number of faces.
        looks: of the frames that have any, by their place in the block.
    """

    first: NDArray[np.int32]
    boxes: Boxes
    scores: NDArray[np.float32]
    points: PackedPoints | None
    looks: dict[int, NDArray[np.float32]]

    def sighting(self, at: int) -> Sighting:
        """That of the frame ``at``."""
        faces = slice(int(self.first[at]), int(self.first[at + 1]))
        points = None if self.points is None else self.points.part(faces)
        return Sighting(self.boxes[faces], self.scores[faces], points, self.looks.get(at))


class Sightings(Sequence[Sighting]):
    """One sighting per frame, their points packed next to the first face of all."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._open: list[Sighting] = []
        self._like: Points | None = None

    def extend(self, seen: Iterable[Sighting]) -> None:
        """Take the sightings of the frames that follow."""
        for sighting in seen:
            self._open.append(sighting)
            if len(self._open) == BLOCK_FRAMES:
                self._close()

    def _close(self) -> None:
        seen, self._open = self._open, []
        if self._like is None:
            self._like = first_face(seen)
        points = [np.asarray(each.points) for each in seen if isinstance(each.points, np.ndarray)]
        counts = [0, *(len(each.scores) for each in seen)]
        self._blocks.append(
            _Block(
                np.cumsum(counts, dtype=np.int32),
                np.concatenate([each.boxes for each in seen]),
                np.concatenate([each.scores for each in seen]),
                PackedPoints.pack(np.concatenate(points), self._like) if points else None,
                {at: each.looks for at, each in enumerate(seen) if each.looks is not None},
            )
        )

    def __len__(self) -> int:
        return len(self._blocks) * BLOCK_FRAMES + len(self._open)

    @overload
    def __getitem__(self, at: int) -> Sighting: ...
    @overload
    def __getitem__(self, at: slice) -> list[Sighting]: ...
    def __getitem__(self, at: int | slice) -> Sighting | list[Sighting]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        at = range(len(self))[at]
        block, row = divmod(at, BLOCK_FRAMES)
        return self._blocks[block].sighting(row) if block < len(self._blocks) else self._open[row]

    def __iter__(self) -> Iterator[Sighting]:
        return (self[at] for at in range(len(self)))
