import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.faces.detect import Sighting
from heygemd.faces.watch import stretches, thread_count, watch
from heygemd.host import usable_cores
from heygemd.planes import Planes


def clip_of(n_frames, height_px=4, width_px=6):
    """Frames that carry their own number."""
    return np.arange(n_frames, dtype=np.uint8).reshape(-1, 1, 1, 1) * np.ones(
        (1, height_px, width_px, 3), np.uint8
    )


class Counting:
    """A detector whose boxes tell which frames it was asked for, and in what company."""

    name, version = "counting", "1"

    def __init__(self, wants_frames=4, *, fails_at=None):
        self.wants_frames = wants_frames
        self.fails_at = fails_at
        self.asked = []
        self.threads = set()

    def detect(self, frames):
        numbers = frames[:, 0, 0, 0].tolist()
        self.asked.append(numbers)
        self.threads.add(threading.current_thread())
        if self.fails_at in numbers:
            raise OverflowError(f"frame {self.fails_at}")
        return [
            Sighting(np.array([[number, numbers[0], 0, 0]], np.float32), np.ones(1, np.float32))
            for number in numbers
        ]

    def close(self):
        pass


def told(watched):
    return [sighting.boxes[0, :2].tolist() for sighting in watched.sightings]


def test_every_frame_is_seen_once_in_order():
    watched = watch([clip_of(11)], Counting(4), n_threads=3)
    assert [number for number, _ in told(watched)] == list(range(11))


@settings(deadline=None, max_examples=40)  # a busy machine is no fault
@given(st.lists(st.integers(1, 9), max_size=6), st.integers(1, 5), st.integers(1, 4))
def test_neither_batches_nor_threads_change_the_result(lengths, wants, n_threads):
    whole = clip_of(sum(lengths))
    batches = np.split(whole, np.cumsum(lengths)[:-1]) if lengths else []
    other = watch(batches, Counting(wants), n_threads=n_threads)
    assert told(other) == told(watch([whole], Counting(wants)))


def test_the_frame_size_is_told_as_width_and_height():
    assert watch([clip_of(3)], Counting()).frame_size == (6, 4)


def test_a_clip_without_frames_gives_nothing():
    watched = watch([], Counting())
    assert len(watched.sightings) == 0
    assert watched.cuts == ()


def test_cuts_come_with_the_sightings():
    scenes = np.random.default_rng(5).integers(0, 256, (2, 1, 36, 64, 3), dtype=np.uint8)
    frames = np.concatenate([np.repeat(scene, 10, axis=0) for scene in scenes])
    assert watch([frames], Counting()).cuts == (10,)


def test_an_error_of_the_detector_is_raised_and_no_thread_is_left():
    detector = Counting(2, fails_at=5)
    with pytest.raises(OverflowError, match="frame 5"):
        watch((clip_of(40)[at : at + 1] for at in range(40)), detector, n_threads=2)
    assert not any(thread.is_alive() for thread in detector.threads)


def test_an_error_of_the_source_is_raised_and_no_thread_is_left():
    def broken():
        yield clip_of(8)
        raise OSError("gone")

    detector = Counting(2)
    with pytest.raises(OSError, match="gone"):
        watch(broken(), detector, n_threads=2)
    assert not any(thread.is_alive() for thread in detector.threads)


def test_no_more_than_a_few_stretches_are_read_ahead_of_the_detector():
    started, release = threading.Event(), threading.Event()
    n_read = 0

    class Waiting(Counting):
        def detect(self, frames):
            started.set()
            assert release.wait(10)
            return super().detect(frames)

    def source():
        nonlocal n_read
        for frame in clip_of(100):
            n_read += 1
            if n_read > 30:
                release.set()  # reached only when nothing holds the reader back
            yield frame[None]

    def let_go():
        assert started.wait(10)
        release.set()

    helper = threading.Timer(0.3, lambda: (counts.append(n_read), let_go()))
    counts = []
    helper.start()
    watch(source(), Waiting(2), n_threads=2)
    helper.join()
    assert counts[0] <= 2 * (2 + 2)


def test_stretches_are_of_the_length_asked_for():
    assert [len(part) for part in stretches([clip_of(3), clip_of(5), clip_of(1)], 4)] == [4, 4, 1]


def test_stretches_of_huge_frames_are_shorter():
    huge = np.broadcast_to(np.uint8(0), (9, 4320, 7680, 3))  # 8K, without its memory
    assert [len(part) for part in stretches((huge[at : at + 1] for at in range(9)), 4)][:2] == [
        1,
        1,
    ]


def test_an_empty_batch_is_no_trouble():
    assert [len(part) for part in stretches([clip_of(0), clip_of(3)], 2)] == [2, 1]


def test_no_workers_means_one_per_core_up_to_eight():
    assert thread_count(0) == min(8, usable_cores())
    assert thread_count(3) == 3


def test_frames_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match=r"a frame of \(5, 6, 3\) after \(4, 6, 3\)"):
        list(stretches([clip_of(2), clip_of(2, height_px=5)], 3))


class WithPoints(Counting):
    """As ``Counting``, with a mesh for every face."""

    def detect(self, frames):
        points = np.tile(np.float32([[1, 1, 0], [4, 3, 0]]), (1, 239, 1))
        return [
            Sighting(seen.boxes, seen.scores, points.reshape(1, 478, 3))
            for seen in super().detect(frames)
        ]


@pytest.mark.parametrize("wants", [1, 3, 4, 7])
def test_looks_are_taken_of_every_fourth_frame_whatever_the_stretches(wants):
    watched = watch([clip_of(14)], WithPoints(wants), n_threads=2, wants_looks=True)
    with_looks = [at for at, seen in enumerate(watched.sightings) if seen.looks is not None]
    assert with_looks == [0, 4, 8, 12]


def test_nobody_is_looked_at_unless_asked_for():
    watched = watch([clip_of(9)], WithPoints())
    assert all(seen.looks is None for seen in watched.sightings)


class OneOrTwo:
    """Sees one face in even frames, two in odd ones; frames carry their number in every plane."""

    name, version, wants_frames = "one or two", "1", 4

    def detect(self, frames):
        return [self._sighting(1 + int(number) % 2) for number in frames.packed[:, 0, 0]]

    def _sighting(self, n_faces):
        boxes, points = np.zeros((n_faces, 4), np.float32), np.ones((n_faces, 478, 3), np.float32)
        return Sighting(boxes, np.ones(n_faces, np.float32), points)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_frames_that_show_one_face_are_shown_in_order(n_threads):
    packed = np.arange(11, dtype=np.uint8)[:, None, None] * np.ones((1, 6, 4), np.uint8)
    shown = []

    def see(at, frame, points):
        shown.append((at, int(frame.y[0, 0]), points.shape))

    watch([Planes(packed, 4, 4, "bt709")], OneOrTwo(), n_threads=n_threads, see=see)

    assert shown == [(at, at, (478, 3)) for at in range(0, 11, 2)]
