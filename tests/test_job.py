"""One job: its sound heard once, its clips one by one, its end on the disk."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from fakes import FakeExecutor, FakeQueue, make_job

from heygemd.errors import AudioError, PortraitError, TransientError
from heygemd.hearing import Heard
from heygemd.job import Workshop, run_job
from heygemd.records import AudioInfo, ClipResult, ModelFacts, Waveform

FACTS = ModelFacts("passthrough", "", "cpu", "none")
SOUND = AudioInfo("pcm_s16le", "wav", 16000, 1, Fraction(3))


class Ears:
    """Hears a job's sound, and remembers how often."""

    def __init__(self, error=None):
        self.error = error
        self.heard = []

    def __call__(self, job):
        self.heard.append(job.name)
        if self.error:
            raise self.error
        outline = Waveform(np.zeros(2400, np.float32), 800)
        return Heard(job.audio, SOUND, Fraction(3), outline, None, quiet=False)


def shop(queue, executor=None, ears=None):
    return Workshop(queue, executor or FakeExecutor(), ears or Ears(), FACTS)


def claimed(job):
    queue = FakeQueue(job)
    queue.claim(job.name)
    return queue


def test_a_job_closes_when_its_last_clip_is_done():
    job = make_job(n_clips=3)
    queue = claimed(job)
    assert [result.outcome for result in run_job(job, shop(queue))] == ["ok"] * 3
    assert queue.closed[job.id]["outcome"] == "ok"


def test_the_sound_is_heard_once_for_all_clips():
    job, ears = make_job(n_clips=5), Ears()
    list(run_job(job, shop(claimed(job), ears=ears)))
    assert ears.heard == ["lesson"]


def test_a_job_yields_after_every_clip_so_that_others_get_their_turn():
    job, executor = make_job(n_clips=3), FakeExecutor()
    run = run_job(job, shop(claimed(job), executor))
    next(run)
    assert executor.rendered == ["clip1.mp4"]


def test_clips_that_are_done_are_not_done_again():
    job, executor = make_job(n_clips=3), FakeExecutor()
    queue = claimed(job)
    first = run_job(job, shop(queue, executor))
    next(first)
    first.close()
    list(run_job(job, shop(queue, executor)))
    assert executor.rendered == ["clip1.mp4", "clip2.mp4", "clip3.mp4"]


def test_one_bad_clip_makes_the_job_partial_and_leaves_its_siblings_whole():
    job = make_job(n_clips=2)
    queue = claimed(job)
    bad = ClipResult(job.clips[0], "failed", "no_face", "a face in 0 % of frames, want 30 %")
    list(run_job(job, shop(queue, FakeExecutor({"clip1.mp4": bad}))))
    document = queue.closed[job.id]
    assert document["outcome"] == "partial"
    assert document["code"] == "clips_failed"
    assert [(row["outcome"], row["code"]) for row in document["clips"]] == [
        ("failed", "no_face"),
        ("ok", "ok"),
    ]


def test_a_job_whose_clips_all_failed_has_failed():
    job = make_job(n_clips=1)
    queue = claimed(job)
    bad = ClipResult(job.clips[0], "failed", "media", "not a video")
    list(run_job(job, shop(queue, FakeExecutor({"clip1.mp4": bad}))))
    assert queue.closed[job.id]["outcome"] == "failed"


def test_a_sound_that_cannot_be_used_fails_every_clip_and_the_job_with_its_reason():
    job = make_job(n_clips=2)
    queue = claimed(job)
    ears = Ears(AudioError("no audio stream in voice.wav", code="no_sound"))
    assert list(run_job(job, shop(queue, ears=ears))) == []
    document = queue.closed[job.id]
    assert (document["outcome"], document["code"]) == ("failed", "no_sound")
    assert {row["code"] for row in document["clips"]} == {"no_sound"}


class Linked(FakeQueue):
    """A queue whose sound is a second name of somebody else's file."""

    def stage_sound(self, job):
        raise AudioError("the file has 2 names (hard links), want one", code="unsafe_input")


def test_a_sound_that_cannot_be_taken_over_fails_the_job_once_and_is_not_tried_for_ever():
    job = make_job(n_clips=2)
    queue = Linked(job)
    queue.claim(job.name)
    assert list(run_job(job, shop(queue))) == []
    assert queue.closed[job.id]["code"] == "unsafe_input"
    assert {log["code"] for log in queue.logs[job.id].values()} == {"unsafe_input"}
    assert queue.closed[job.id]["message"].startswith("voice.wav: the file has 2 names")


def test_a_transient_error_does_not_count_against_its_clip():
    job = make_job(n_clips=2)
    queue = claimed(job)
    run = run_job(job, shop(queue, FakeExecutor({"clip1.mp4": TransientError("disk full")})))
    with pytest.raises(TransientError):
        next(run)
    assert queue.forgiven == [("lesson", "clip1.mp4")]
    assert queue.pending(job) == list(job.clips)


class Lonely(FakeExecutor):
    """Remembers which clips it was told to do alone."""

    def __init__(self):
        super().__init__()
        self.alone = []

    def render(self, clips, prepare, *, alone=None):
        def asked():
            for clip in clips:
                self.alone += [clip.name] if alone(clip) else []
                yield clip

        yield from super().render(asked(), prepare)


def test_a_clip_that_was_in_hand_when_the_process_ended_is_done_alone():
    job, executor = make_job(n_clips=3), Lonely()
    queue = claimed(job)
    queue.crashed = {("lesson", "clip2.mp4")}
    list(run_job(job, shop(queue, executor)))
    assert executor.alone == ["clip2.mp4"]


class Pair(FakeExecutor):
    """Prepares two clips before it has a result of either, as an executor with two lanes does."""

    def render(self, clips, prepare, *, alone=None):
        under_way = []
        for clip in clips:
            under_way.append(prepare(clip).clip)
            if len(under_way) == 2:
                yield ClipResult(under_way.pop(0), "ok", n_frames=25, timings_s={"total": 1.0})
        for clip in under_way:
            yield ClipResult(clip, "ok", n_frames=25, timings_s={"total": 1.0})


def test_a_job_that_is_closed_with_a_clip_under_way_counts_no_attempt_at_it():
    job = make_job(n_clips=3)
    queue = claimed(job)
    run = run_job(job, shop(queue, Pair()))
    next(run)
    run.close()
    assert queue.forgiven == [("lesson", "clip2.mp4")]
    assert [clip.name for clip in queue.pending(job)] == ["clip2.mp4", "clip3.mp4"]


def test_a_stop_lets_the_clips_under_way_end_and_leaves_the_job_open():
    job, ending = make_job(n_clips=3), []
    queue = claimed(job)
    place = Workshop(queue, Pair(), Ears(), FACTS, ending=lambda: bool(ending))
    run = run_job(job, place)
    next(run)
    ending.append(1)
    assert next(run).clip.name == "clip2.mp4"
    with pytest.raises(TransientError) as stop:
        next(run)
    assert stop.value.reason == "stopped"
    assert (queue.forgiven, queue.closed) == ([], {})


def test_what_is_left_of_a_cancelled_job_fails_and_clips_under_way_end_first():
    job = make_job(n_clips=4)
    queue = claimed(job)
    run = run_job(job, shop(queue, Pair()))
    next(run)
    queue.cancel(job.id)
    results = list(run)
    assert [(result.clip.name, result.code) for result in results] == [
        ("clip2.mp4", "ok"),
        ("clip3.mp4", "cancelled"),
        ("clip4.mp4", "cancelled"),
    ]


def test_the_log_of_a_clip_says_what_went_in_and_what_was_found():
    job = make_job(n_clips=1)
    queue = claimed(job)
    list(run_job(job, shop(queue)))
    (log,) = queue.results(job)
    assert log["schema_version"] == 1
    assert log["clip"]["sha256"] == "cd" * 32
    assert log["sound"]["sha256"] == "ab" * 32
    assert log["frames_per_s"] == 25.0
    assert log["versions"]["heygemd"]


def test_a_reference_picture_that_cannot_be_used_fails_every_clip_with_its_reason():
    job = make_job()
    queue = claimed(job)
    ears = Ears(PortraitError("the reference picture shows no face"))
    assert list(run_job(job, shop(queue, ears=ears))) == []
    assert {log["code"] for log in queue.logs[job.id].values()} == {"portrait"}
    assert queue.closed[job.id]["code"] == "portrait"


class BusyAside:
    """An errand that is not over before somebody waits for it."""

    busy = True

    def run(self, errand):
        raise AssertionError("two errands at once")

    def wait(self):
        self.busy = False


class StrictQueue(FakeQueue):
    """Wants nobody else to write while it does."""

    aside = BusyAside()

    def publish(self, job, clip, log):
        assert not self.aside.busy
        return super().publish(job, clip, log)


def test_nothing_is_published_while_the_report_is_still_being_written():
    job = make_job(n_clips=1)
    queue = StrictQueue(job)
    queue.claim(job.name)
    list(run_job(job, replace(shop(queue), aside=queue.aside)))
    assert len(queue.results(job)) == 1


@pytest.mark.parametrize("must_end", [False, True])
def test_only_a_stop_leaves_the_report_alone_that_is_still_being_written(must_end):
    job, aside = make_job(n_clips=1), BusyAside()
    executor = FakeExecutor({"clip1.mp4": TransientError("no memory left on the device")})
    place = shop(claimed(job), executor)
    run = run_job(job, replace(place, aside=aside, stopped=lambda: must_end))
    with pytest.raises(TransientError):
        next(run)
    assert aside.busy is must_end
