"""What the pulse tells: a sentence, a file, and no more often than anybody can read it."""

import json

import pytest
from fakes import make_job

from heygemd.pulse import InHand, Pulse


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def pulse(tmp_path):
    clock = Clock()
    return Pulse(status_file=tmp_path / "status.json", clock=clock, wall=clock)


def read(pulse):
    return json.loads(pulse.status_file.read_text())


def begin(pulse, number=1, n_clips=3):
    job = make_job("lesson-12", n_clips)
    return pulse.clip_begun(job, job.clips[number - 1])


@pytest.mark.parametrize(
    ("hand", "sentence"),
    [
        (InHand("lesson", "a.mp4", 1, 3), "lesson: clip 1 of 3, staging"),
        (InHand("lesson", "a.mp4", 1, 3, "render", 41, 100, 38.2),
         "lesson: clip 1 of 3, render 41 %, 38 fps"),
        (InHand("lesson", "a.mp4", 1, 3, "faces", 50, 0, 9.6),
         "lesson: clip 1 of 3, faces frame 50, 10 fps"),
        (InHand("lesson", "a.mp4", 1, 3, "faces", 105, 100, 9.6),
         "lesson: clip 1 of 3, faces 100 %, 10 fps"),
    ],
)  # fmt: skip
def test_a_person_can_read_how_far_a_clip_is(hand, sentence):
    assert hand.sentence() == sentence


def test_before_the_model_is_warm_it_says_so(pulse):
    assert pulse.status() == "loading the model"


@pytest.mark.parametrize(
    ("n_jobs", "folders", "lost", "sentence"),
    [
        (0, {}, (), "idle, waiting for jobs"),
        (2, {}, (), "2 jobs waiting"),
        (1, {"a": "still changing"}, (), "1 job waiting, 1 folder not complete yet"),
        (0, {"a": "x"}, ("inbox", "outbox"),
         "inbox is not there, waiting for it, outbox is not there, waiting for it"),
    ],
)  # fmt: skip
def test_the_status_says_what_is_left(pulse, n_jobs, folders, lost, sentence):
    pulse.ready()
    pulse.queue(n_jobs, folders, lost)
    assert pulse.status() == sentence


def test_the_job_in_hand_is_not_counted_as_waiting(pulse):
    pulse.ready()
    pulse.queue(3, {})
    begin(pulse, number=3)
    assert pulse.status() == "2 jobs waiting, lesson-12: clip 3 of 3, staging"


def test_frames_a_second_are_measured_from_the_first_batch_of_a_stage(pulse):
    told = begin(pulse)
    for stage in ("faces", "render"):
        pulse.clock.now_s += 50.0  # probing, studying: no frames pass
        told(stage, 10, 100)
        pulse.clock.now_s += 2.0
        told(stage, 50, 100)
        assert pulse.in_hand.frames_per_s == pytest.approx(20.0)


def test_two_clips_in_hand_are_both_told_each_at_its_own_pace(pulse):
    pulse.ready()
    pulse.queue(1, {})
    told = [begin(pulse, number) for number in (1, 2)]
    told[0]("render", 10, 100)
    told[1]("faces", 100, 200)
    pulse.clock.now_s += 1.0
    told[0]("render", 30, 100)
    told[1]("faces", 150, 200)
    assert pulse.status() == (
        "lesson-12: clip 1 of 3, render 30 %, 20 fps, lesson-12: clip 2 of 3, faces 75 %, 50 fps"
    )
    document = read(pulse)
    assert document["in_hand"]["number"] == 1
    assert [hand["number"] for hand in document["beside"]] == [2]


def test_a_clip_that_ends_leaves_the_other_in_hand(pulse):
    job = make_job("lesson-12", 3)
    for clip in job.clips[:2]:
        pulse.clip_begun(job, clip)
    pulse.clip_ended(job, job.clips[0])
    assert pulse.in_hand.number == 2
    pulse.job_left(job)
    assert pulse.in_hand is None


def test_frames_are_counted_by_stage(pulse):
    told = begin(pulse)
    for stage, n_done in (("faces", 10), ("faces", 25), ("render", 16), ("render", 32)):
        told(stage, n_done, 100)
    begin(pulse, number=2)("faces", 5, 100)
    sample = pulse.metrics.registry.get_sample_value
    assert sample("heygemd_frames_total", {"stage": "faces"}) == 30
    assert sample("heygemd_frames_total", {"stage": "render"}) == 32


def test_the_file_says_what_the_sentence_says_and_more(pulse):
    pulse.about.update(pid=7)
    pulse.ready(model={"name": "warp", "device": "cuda:0"})
    pulse.queue(1, {"new": "still changing"})
    begin(pulse, number=2)
    document = read(pulse)
    assert document["state"] == "ready"
    assert document["status"] == pulse.status()
    assert document["model"] == {"name": "warp", "device": "cuda:0"}
    assert (document["pid"], document["n_jobs_open"]) == (7, 1)
    assert document["folders_waiting"] == {"new": "still changing"}
    assert document["in_hand"]["number"] == 2


def test_a_hundred_batches_in_one_second_are_one_line(pulse):
    told = begin(pulse)
    before = pulse.status_file.stat().st_ino
    for n_done in range(100):
        told("render", n_done, 100)
    assert pulse.status_file.stat().st_ino == before


def test_names_that_are_not_utf8_are_told_too(pulse):
    job = make_job("\udcff\n")
    pulse.clip_begun(job, job.clips[0])
    assert read(pulse)["in_hand"]["job"] == "\udcff\n"


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path):
    pulse = Pulse(status_file=tmp_path / "gone" / "status.json")
    pulse.ready()
    pulse.tell()
    assert not pulse.status_file.exists()


def test_metrics_are_written_every_fifteen_seconds_and_at_the_end(tmp_path):
    clock, path = Clock(), tmp_path / "metrics.prom"
    pulse = Pulse(metrics_files=(path,), clock=clock, wall=clock)
    pulse.ready()
    path.unlink()
    clock.now_s += 14.0
    pulse.tell()
    assert not path.exists()
    clock.now_s += 1.0
    pulse.tell()
    assert "heygemd_ready 1.0" in path.read_text()
    pulse.ended()
    assert "heygemd_ready 0.0" in path.read_text()


def test_the_last_words_are_that_it_stopped(pulse):
    pulse.ready()
    pulse.ended()
    assert read(pulse)["state"] == "stopped"
