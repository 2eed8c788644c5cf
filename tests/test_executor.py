"""A clip's own errors become its result; everything else ends the work."""

import threading
from dataclasses import replace

import lavfi
import pytest
from stage_fakes import FixedFace, Painter

from heygemd.errors import GpuLostError, MediaError, TransientError
from heygemd.executor import Lanes, LocalExecutor
from heygemd.hearing import hear
from heygemd.media import tool
from heygemd.media.limits import Limits
from heygemd.models import Models
from heygemd.records import Clip, EncodeOptions, RenderOptions
from heygemd.render import ClipTask
from heygemd.studio import Studio


@pytest.fixture(scope="module")
def studio():
    return Studio(tool.find_ffmpeg(), Limits(), EncodeOptions(preset="ultrafast"))


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    lavfi.film(folder / "good.mp4", n_frames=10)
    (folder / "bad.mp4").write_bytes(b"no video at all, only words, and a few more of them")
    lavfi.tone(folder / "voice.wav", seconds=0.4)
    return folder


@pytest.fixture
def prepare(media, studio, tmp_path):
    heard = hear(media / "voice.wav", RenderOptions(), Models(FixedFace(), Painter()), studio)
    return lambda clip: ClipTask(clip, heard, tmp_path / f"{clip.id}.mp4", RenderOptions())


def clips(media, *names):
    return [Clip(f"{n:04d}", name, name[:-4], media / name) for n, name in enumerate(names, 1)]


def test_a_bad_clip_is_a_failed_result_and_its_siblings_are_whole(media, studio, prepare):
    executor = LocalExecutor(Models(FixedFace(), Painter()), studio)
    results = list(executor.render(clips(media, "good.mp4", "bad.mp4", "good.mp4"), prepare))
    assert [result.outcome for result in results] == ["ok", "failed", "ok"]
    assert results[1].code == "unsupported_container"
    assert "want mp4" in results[1].message
    assert results[1].timings_s["total"] > 0


def test_an_error_while_a_clip_is_prepared_is_the_clips_own(media, studio):
    def prepare(clip):
        raise MediaError(f"{clip.name} cannot be read", code="permission")

    executor = LocalExecutor(Models(FixedFace(), Painter()), studio)
    (result,) = executor.render(clips(media, "good.mp4"), prepare)
    assert (result.outcome, result.code) == ("failed", "permission")


@pytest.mark.parametrize("error", [GpuLostError("gone"), TransientError("busy"), KeyError("bug")])
def test_what_is_not_the_clips_fault_goes_up(media, studio, prepare, error):
    executor = LocalExecutor(Models(FixedFace(), Painter(error)), studio)
    with pytest.raises(type(error)):
        list(executor.render(clips(media, "good.mp4"), prepare))


def test_clips_are_rendered_as_they_are_asked_for(media, studio, prepare):
    prepared = []

    def counting(clip):
        prepared.append(clip.id)
        return prepare(clip)

    executor = LocalExecutor(Models(FixedFace(), Painter()), studio)
    results = executor.render(clips(media, "good.mp4", "good.mp4"), counting)
    next(results)
    results.close()
    assert prepared == ["0001"]


class Meeting(Painter):
    """A painter that paints only once so many clips are painted at the same time."""

    def __init__(self, n, error=None):
        super().__init__(error)
        self.barrier = threading.Barrier(n, timeout=10)
        self.met = threading.local()

    def speak(self, frames, plan, span):
        if span.start == 0:
            self.barrier.wait()
        return super().speak(frames, plan, span)


def test_two_lanes_render_two_clips_at_the_same_time(media, studio, prepare):
    executor = LocalExecutor(Models(FixedFace(), Meeting(2)), studio, Lanes(2))
    results = list(executor.render(clips(media, *["good.mp4"] * 4), prepare))
    assert sorted(result.clip.id for result in results) == ["0001", "0002", "0003", "0004"]
    assert {result.outcome for result in results} == {"ok"}
    assert executor.n_active == 0


def test_no_more_clips_are_begun_than_there_are_lanes(media, studio, prepare):
    executor = LocalExecutor(Models(FixedFace(), Painter()), studio, Lanes(2))
    active = []

    def counting(clip):
        active.append(executor.n_active)
        return prepare(clip)

    assert len(list(executor.render(clips(media, *["good.mp4"] * 5), counting))) == 5
    assert max(active) == 1


def test_progress_is_told_in_the_thread_that_waits(media, studio, prepare):
    told = set()

    def listening(clip):
        def progress(stage, n_done, n_frames):
            told.add((clip.id, threading.current_thread()))

        return replace(prepare(clip), progress=progress)

    executor = LocalExecutor(Models(FixedFace(), Painter()), studio, Lanes(2))
    list(executor.render(clips(media, "good.mp4", "good.mp4"), listening))
    here = threading.current_thread()
    assert told == {("0001", here), ("0002", here)}


def test_a_clip_that_must_be_alone_waits_for_the_others_and_they_for_it(media, studio, prepare):
    executor = LocalExecutor(Models(FixedFace(), Painter()), studio, Lanes(3))
    begun = []

    def noting(clip):
        begun.append((clip.id, executor.n_active))
        return prepare(clip)

    wanted = clips(media, *["good.mp4"] * 5)
    results = list(executor.render(wanted, noting, alone=lambda clip: clip.id == "0003"))
    assert len(results) == 5
    assert begun[:3] == [("0001", 0), ("0002", 1), ("0003", 0)]
    assert begun[3] == ("0004", 0)


def test_a_clip_that_waits_to_be_alone_is_asked_about_once(media, studio, prepare):
    executor = LocalExecutor(Models(FixedFace(), Painter()), studio, Lanes(2))
    asked = []

    def alone(clip):
        asked.append(clip.id)
        return clip.id == "0002"

    list(executor.render(clips(media, *["good.mp4"] * 3), prepare, alone=alone))
    assert asked == ["0001", "0002", "0003"]


def test_a_disk_that_is_away_between_clips_lets_the_others_under_way_end(media, studio, prepare):
    def alone(clip):
        if clip.id == "0002":
            raise TransientError("the disk is away")
        return False

    executor = LocalExecutor(Models(FixedFace(), Painter()), studio, Lanes(2))
    results = executor.render(clips(media, *["good.mp4"] * 3), prepare, alone=alone)
    assert next(results).outcome == "ok"
    with pytest.raises(TransientError, match="away"):
        next(results)


def test_a_clip_worth_a_retry_lets_the_others_under_way_end_first(media, studio, prepare):
    def busy_share(clip):
        if clip.id == "0002":
            raise TransientError("the share is away")
        return prepare(clip)

    executor = LocalExecutor(Models(FixedFace(), Painter()), studio, Lanes(2))
    results = executor.render(clips(media, *["good.mp4"] * 3), busy_share)
    assert next(results).clip.id == "0001"
    with pytest.raises(TransientError, match="away"):
        next(results)
    assert executor.n_active == 0


def test_what_is_not_the_clips_fault_gives_up_the_others_under_way(media, studio, prepare):
    class Failing(Meeting):
        def speak(self, frames, plan, span):
            if span.start == 0 and self.barrier.wait() == 0:
                raise GpuLostError("gone")
            return Painter.speak(self, frames, plan, span)

    executor = LocalExecutor(Models(FixedFace(), Failing(2)), studio, Lanes(2))
    with pytest.raises(GpuLostError):
        list(executor.render(clips(media, "good.mp4", "good.mp4"), prepare))
    assert executor.n_active == 0


def test_closing_gives_up_what_is_under_way(media, studio, prepare):
    executor = LocalExecutor(Models(FixedFace(), Painter()), studio, Lanes(2))
    results = executor.render(clips(media, "bad.mp4", "good.mp4"), prepare)
    assert next(results).outcome == "failed"
    results.close()
    assert executor.n_active == 0


def test_a_job_that_has_its_turn_carries_on_what_another_has_under_way(media, studio, prepare):
    executor = LocalExecutor(Models(FixedFace(), Painter()), studio, Lanes(2))
    one = executor.render(clips(media, *["good.mp4"] * 3), prepare)
    other = executor.render(clips(media, *["good.mp4"] * 3), prepare)
    results = [next(one), next(other), next(one), next(other), *one, *other]
    assert len(results) == 6
    assert executor.n_active == 0


def test_clips_too_large_for_the_memory_together_take_turns(media, studio, prepare):
    class Solo(Painter):
        inside = 0

        def speak(self, frames, plan, span):
            if span.start == 0:
                self.inside += 1
                assert self.inside == 1
            if span.stop == 10:
                self.inside -= 1
            return super().speak(frames, plan, span)

    executor = LocalExecutor(Models(FixedFace(), Solo()), studio, Lanes(2, memory_bytes=1))
    results = list(executor.render(clips(media, *["good.mp4"] * 3), prepare))
    assert [result.outcome for result in results] == ["ok"] * 3
