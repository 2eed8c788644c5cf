"""Where a clip cuts to another shot, from thumbnails of its frames."""

from __future__ import annotations

import math
from array import array

import numpy as np
from numpy.typing import NDArray

from heygemd.opencv import cv2
from heygemd.planes import Film, Picture, Still

THUMBNAIL_PX = (48, 27)  # width, height: enough to tell shots, too coarse to see lips
_CONTRAST = 25.0  # variance of a frame that is all but flat, in squared grey levels
_REACH = 5  # frames before and after that say how much movement is usual
_LEAST = 0.25  # lost correlation; talking people lose less than 0.05 from frame to frame
_TIMES_USUAL = 3.0  # a pan or a shaking hand is fast too, but for many frames


class CutFinder:
    """Remembers how little each frame resembles the two before it: 8 bytes a frame."""

    def __init__(self) -> None:
        self._last: list[NDArray[np.float32]] = []
        self._steps, self._skips = array("f"), array("f")

    def add(self, frames: Film) -> None:
        """Take the clip's next frames."""
        for frame in frames:
            seen = _thumbnail(frame)
            before = self._last[-1] if self._last else seen
            self._steps.append(_unlike(seen, before))
            self._skips.append(_unlike(seen, (self._last or [seen])[0]))
            self._last = [*self._last[-1:], seen]

    def cuts(self) -> tuple[int, ...]:
        """Sorted indices of frames that start a new shot, never 0."""
        return find_cuts(np.array(self._steps), np.array(self._skips))


def find_cuts(steps: NDArray[np.float32], skips: NDArray[np.float32]) -> tuple[int, ...]:
    """Sorted indices of frames that start a new shot.

    A cut is a step that is large, much larger than its neighbours, and that lasts: after a flash
    or a lost frame the picture resembles the one before it again.

    Args:
        steps: (T,) how unlike frame t and t - 1 are, 0 the same, 1 nothing in common; first is 0.
        skips: (T,) the same for t and t - 2.
    """
    found = []
    for at in np.flatnonzero(steps > _LEAST).tolist():
        around = np.concatenate([steps[max(1, at - _REACH) : at], steps[at + 1 : at + 1 + _REACH]])
        usual = float(around.max(initial=0.0))
        came_back = at + 1 < len(skips) and skips[at + 1] < steps[at] / 2
        is_return = at > 1 and skips[at] < steps[at] / 2
        if steps[at] > _TIMES_USUAL * usual and not came_back and not is_return:
            found.append(at)
    return tuple(found)


def _thumbnail(frame: Picture) -> NDArray[np.float32]:
    """(27, 48) float32 brightness about its mean."""
    every = max(1, min(frame.shape[0] // 108, frame.shape[1] // 192))  # averaging all is slow
    luma = frame.y if isinstance(frame, Still) else frame[..., 1]  # green is as good, and free
    few = np.ascontiguousarray(luma[::every, ::every])
    small = cv2.resize(few, THUMBNAIL_PX, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(small - small.mean(), dtype=np.float32)


def _unlike(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """One minus the correlation of two thumbnails, 0 for the same; brightness does not count."""
    shared, own, others = (
        float(np.vdot(left, right)) / one.size + _CONTRAST
        for left, right in ((one, other), (one, one), (other, other))
    )
    return max(0.0, 1.0 - shared / math.sqrt(own * others))
