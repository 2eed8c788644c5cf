"""What was learned of a clip, kept on disk by its bytes; touches its own folder alone.

The same presenter with a new voice needs no detection, and no search for mouths. A file is written
beside its place and renamed into it, so a kill leaves a part that is swept later, never half a
track; what cannot be read is dropped and found anew. Losing the folder costs time, nothing else.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heygemd.log import log
from heygemd.packed import PackedPoints
from heygemd.planes import Excerpt, Still, packed_shape
from heygemd.records import FaceTrack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FORMAT = "6"  # changes whenever the same clip may be tracked otherwise, see ``faces.track``
FOLDER = "tracks"  # in the work folder
_ENDING = ".npz"
_PART = ".part-"
_STALE_S = 3600.0  # a part this old has lost its writer


@dataclass(frozen=True, slots=True)
class Kept:
    """What pass 1 learns of a clip.

    Attributes:
        track: of every source frame.
        prints: (T,) uint32, see ``media.decode.fingerprint``.
        excerpts: what the lip model set aside, by source frame number.
    """

    track: FaceTrack
    prints: NDArray[np.uint32]
    excerpts: Mapping[int, Excerpt] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrackCache:
    """Tracks in a folder; the ones that were not asked for longest go when it is full.

    Attributes:
        folder: the daemon's own, on a local disk; made when the first track is kept.
        max_bytes: of all tracks together; 0 keeps none.
    """

    folder: Path
    max_bytes: int

    def get(self, key: str) -> Kept | None:
        """What was kept under a key; None where nothing readable is."""
        path = self.folder / f"{key}{_ENDING}"
        try:
            with np.load(path, allow_pickle=False) as stored:
                kept = _kept(stored)
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            log.warning("track.dropped", key=key, reason=str(error))
            with suppress(OSError):
                path.unlink()
            return None
        return kept

    def put(self, key: str, kept: Kept) -> None:
        """Keep it, whole or not at all; a full disk is told in the log and harms nothing else."""
        if not self.max_bytes:
            return
        part = None
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=_PART, delete=False) as file:
                part = Path(file.name)
                np.savez(file, allow_pickle=False, **_stored(kept))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.folder / f"{key}{_ENDING}")
            self._make_room()
        except OSError as error:
            log.warning("track.unkept", key=key, reason=str(error))
            if part is not None:
                part.unlink(missing_ok=True)

    def _make_room(self) -> None:
        """Remove the oldest until the rest fits, and parts that were left behind."""
        found = []
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):  # another process removed it
                facts = path.stat()
                if path.name.startswith(_PART) and time.time() - facts.st_mtime > _STALE_S:
                    path.unlink()
                elif path.suffix == _ENDING:
                    found.append((facts.st_mtime_ns, facts.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size


def usage(folder: Path) -> dict[str, int]:
    """How many tracks are kept in a folder, and their bytes."""
    sizes = []
    with suppress(FileNotFoundError):
        for path in folder.glob(f"*{_ENDING}"):
            with suppress(FileNotFoundError):
                sizes.append(path.stat().st_size)
    return {"n_tracks": len(sizes), "n_bytes": sum(sizes)}


def key_of(clip_sha256: str, *made_by: str) -> str:
    """The key of a clip's track.

    Args:
        clip_sha256: of the clip's bytes.
        made_by: all else that the track depends on: detector, its version, decoder, choice.
    """
    return hashlib.sha256("\0".join((FORMAT, clip_sha256, *made_by)).encode()).hexdigest()


def _stored(kept: Kept) -> dict[str, NDArray[Any]]:
    track = kept.track
    points = track.points
    if isinstance(points, np.ndarray):
        points = PackedPoints.pack(points)
    return {
        "boxes": track.boxes,
        "detected": track.detected,
        "cuts": np.array(track.cuts, np.int64),
        "prints": kept.prints,
        **({} if points is None else points.arrays()),
        **_stored_excerpts(kept.excerpts),
    }


def _kept(stored: Any) -> Kept:  # noqa: ANN401 - numpy's own mapping
    points = PackedPoints.of_arrays(stored) if "steps" in stored else None
    cuts = tuple(stored["cuts"].tolist())
    track = FaceTrack(stored["boxes"], points, stored["detected"], cuts)
    return Kept(track, stored["prints"], _kept_excerpts(stored))


def _stored_excerpts(excerpts: Mapping[int, Excerpt]) -> dict[str, NDArray[Any]]:
    """Their planes one after another, with a row of whole numbers and a matrix for each."""
    if not excerpts:
        return {}
    parts = [held.part for held in excerpts.values()]
    rows = [
        (at, held.x_px, held.y_px, held.part.width_px, held.part.height_px, *held.frame_size)
        for at, held in excerpts.items()
    ]
    return {
        "excerpts": np.array(rows, np.int64),
        "excerpt_planes": np.concatenate([part.packed.ravel() for part in parts]),
        "excerpt_matrix": np.array(parts[0].matrix),
    }


def _kept_excerpts(stored: Any) -> dict[int, Excerpt]:  # noqa: ANN401 - numpy's own mapping
    if "excerpts" not in stored:
        return {}
    found, planes, matrix = {}, stored["excerpt_planes"], str(stored["excerpt_matrix"])
    for at, x_px, y_px, width_px, height_px, *frame_size in stored["excerpts"].tolist():
        shape = packed_shape(1, width_px, height_px)[1:]
        packed, planes = np.split(planes, [math.prod(shape)])
        still = Still(packed.reshape(shape), width_px, height_px, matrix)
        found[at] = Excerpt(still, x_px, y_px, (frame_size[0], frame_size[1]))
    return found
