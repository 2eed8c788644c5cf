import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from heygemd.faces.kept import Kept, TrackCache, key_of, usage
from heygemd.packed import PackedPoints
from heygemd.planes import Planes, excerpt
from heygemd.records import FaceTrack


def excerpts():
    film = Planes(np.arange(12 * 8, dtype=np.uint8).reshape(1, 12, 8), 8, 7, "smpte170m")
    places = [np.array([[2.0, 3.0], [4.0, 5.0]]), np.array([[6.0, 5.0], [8.0, 7.0]])]
    return {3 + row: excerpt(film[0], place, 1) for row, place in enumerate(places)}


def kept(n_frames=5, seed=0, *, points=True):
    rng = np.random.default_rng(seed)
    boxes = rng.random((n_frames, 4)).astype(np.float32)
    boxes[1] = np.nan
    packed = PackedPoints.pack(rng.random((n_frames, 478, 3)).astype(np.float32) * 200)
    track = FaceTrack(boxes, packed if points else None, np.isfinite(boxes[:, 0]), (3,))
    prints = rng.integers(0, 2**32, n_frames, dtype=np.uint32)
    return Kept(track, prints, excerpts() if points else {})


@pytest.fixture
def cache(tmp_path):
    return TrackCache(tmp_path / "tracks", 10**6)


@pytest.mark.parametrize("points", [True, False])
def test_what_was_kept_comes_back_to_the_bit(cache, points):
    before = kept(points=points)
    cache.put("a", before)

    after = cache.get("a")

    np.testing.assert_array_equal(after.track.boxes, before.track.boxes)
    np.testing.assert_array_equal(after.track.detected, before.track.detected)
    np.testing.assert_array_equal(after.prints, before.prints)
    assert after.track.cuts == (3,)
    assert list(after.excerpts) == list(before.excerpts)
    for at, held in before.excerpts.items():
        again = after.excerpts[at]
        assert (again.x_px, again.y_px, again.frame_size) == (held.x_px, held.y_px, (8, 7))
        assert again.part.matrix == "smpte170m"
        np.testing.assert_array_equal(again.part[:, :], held.part[:, :])
    if points:
        np.testing.assert_array_equal(after.track.points[:], before.track.points[:])
    else:
        assert after.track.points is None


def test_what_was_never_kept_is_not_there(cache):
    assert cache.get("a") is None


def test_the_least_recently_asked_for_goes_when_it_is_full(cache):
    size = 0
    for n, name in enumerate("abcd"):
        cache.put(name, kept(50))
        path = cache.folder / f"{name}.npz"
        size = path.stat().st_size
        os.utime(path, ns=(n, n))
    assert cache.get("a") is not None

    TrackCache(cache.folder, 3 * size).put("e", kept(50))

    assert [name for name in "abcde" if cache.get(name) is not None] == ["a", "d", "e"]
    assert usage(cache.folder) == {"n_tracks": 3, "n_bytes": 3 * size}


def test_with_no_room_at_all_nothing_is_written(tmp_path):
    TrackCache(tmp_path / "tracks", 0).put("a", kept())

    assert not (tmp_path / "tracks").exists()


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 torn", None])
def test_a_damaged_file_is_dropped_and_found_anew(cache, damage):
    cache.put("a", kept())
    path = cache.folder / "a.npz"
    whole = path.read_bytes()
    middle = len(whole) // 2
    torn = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    path.write_bytes(torn if damage is None else damage)

    assert cache.get("a") is None
    assert not path.exists()


def test_a_folder_that_cannot_be_written_harms_nothing(tmp_path):
    (tmp_path / "tracks").write_text("in the way")
    cache = TrackCache(tmp_path / "tracks", 10**6)

    cache.put("a", kept())

    assert (tmp_path / "tracks").read_text() == "in the way"


def test_parts_of_a_dead_writer_are_swept_and_those_of_a_living_one_are_not(cache):
    cache.folder.mkdir()
    (cache.folder / ".part-old").touch()
    (cache.folder / ".part-new").touch()
    os.utime(cache.folder / ".part-old", (1, 1))

    cache.put("a", kept())

    assert {path.name for path in cache.folder.iterdir()} == {"a.npz", ".part-new"}


def test_a_kill_in_the_middle_of_writing_leaves_the_old_track_whole(cache):
    cache.put("a", kept(seed=1))
    program = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
from pathlib import Path
from test_faces_kept import kept
from heygemd.faces.kept import TrackCache
fsync = os.fsync
os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)
TrackCache(Path({str(cache.folder)!r}), 10**6).put("a", kept(seed=2))
"""
    ran = subprocess.run([sys.executable, "-c", program], check=False)

    assert ran.returncode == -signal.SIGKILL
    np.testing.assert_array_equal(cache.get("a").prints, kept(seed=1).prints)


def test_the_key_tells_clips_detectors_and_choices_apart():
    keys = {
        key_of(*words) for words in [("a", "b", "1"), ("a", "b", "2"), ("b", "b", "1"), ("ab", "1")]
    }

    assert len(keys) == 4
