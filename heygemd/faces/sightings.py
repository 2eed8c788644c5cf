"""What was seen in every frame of a clip, in blocks: an object for each frame would weigh more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from heygemd.faces.detect import Sighting
from heygemd.packed import PackedPoints
from heygemd.records import Boxes

# A block's points take more than 1 MB then, see ``heap.part_large``: those that find no hole in the
# heap have pages of their own, and what the others leave there ``heap.trim`` gives back.
BLOCK_FRAMES = 768


@dataclass(frozen=True, slots=True)
class _Block:
    """Some frames' sightings, one after another.

    Attributes:
        first: (n + 1,) row of each frame's first face, and the number of faces.
        points: first all faces that are the first of their frames, then all second ones: the next
            face of the same person is most like it.
        place: row of points of each face.
        looks: of the frames that have any, by their place in the block.
    """

    first: NDArray[np.int32]
    boxes: Boxes
    scores: NDArray[np.float32]
    points: PackedPoints | None
    place: NDArray[np.int64]
    looks: dict[int, NDArray[np.float32]]

    def sighting(self, at: int) -> Sighting:
        """That of the frame ``at``."""
        faces = slice(int(self.first[at]), int(self.first[at + 1]))
        points = None if self.points is None else self.points[self.place[faces]]
        return Sighting(self.boxes[faces], self.scores[faces], points, self.looks.get(at))


class Sightings(Sequence[Sighting]):
    """One sighting per frame, their points packed."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._open: list[Sighting] = []

    def extend(self, seen: Iterable[Sighting]) -> None:
        """Take the sightings of the frames that follow."""
        for sighting in seen:
            self._open.append(sighting)
            if len(self._open) == BLOCK_FRAMES:
                self._blocks.append(_block_of(self._open))
                self._open = []

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


def _block_of(seen: Sequence[Sighting]) -> _Block:
    counts = [len(each.scores) for each in seen]
    ranks = np.concatenate([np.arange(count) for count in counts])
    order = np.argsort(ranks, kind="stable")
    points = [each.points for each in seen if each.points is not None]
    return _Block(
        np.cumsum([0, *counts], dtype=np.int32),
        np.concatenate([each.boxes for each in seen]),
        np.concatenate([each.scores for each in seen]),
        PackedPoints.pack(np.concatenate(points)[order]) if points else None,
        np.argsort(order),
        {at: each.looks for at, each in enumerate(seen) if each.looks is not None},
    )
