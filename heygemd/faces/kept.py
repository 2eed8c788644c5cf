"""Face tracks kept on disk, found again by the bytes of the clip; touches its own folder alone.

The same presenter with a new voice needs no detection. A file is written beside its place and
renamed into it, so a kill leaves a part that is swept later, never half a track; what cannot be
read is dropped and found anew. Losing the folder costs time, nothing else.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heygemd.log import log
from heygemd.packed import PackedPoints
from heygemd.records import FaceTrack

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = "2"  # changes whenever the same clip may be tracked otherwise, see ``faces.track``
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
    """

    track: FaceTrack
    prints: NDArray[np.uint32]


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
    }


def _kept(stored: Any) -> Kept:  # noqa: ANN401 - numpy's own mapping
    points = PackedPoints.of_arrays(stored) if "steps" in stored else None
    cuts = tuple(stored["cuts"].tolist())
    return Kept(FaceTrack(stored["boxes"], points, stored["detected"], cuts), stored["prints"])
