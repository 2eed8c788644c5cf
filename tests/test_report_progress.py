"""What progress.json says, moment by moment."""

from datetime import UTC, datetime, timedelta, timezone

import jsonschema
import log_docs
import pytest
import report_world as world

from heygemd.report.progress import ClipProgress, Tally, progress_document

NOW = datetime(2026, 1, 2, 11, 4, 5, tzinfo=timezone(timedelta(hours=8)))


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


def make_tally(clock, n_clips=2, ended=()):
    job = world.make_job(*(f"{n}.mp4" for n in range(n_clips)))
    return job, Tally(job, ended, clock, lambda: NOW)


def valid(document):
    schema = log_docs.schema("progress")
    jsonschema.Draft202012Validator(schema).validate(document)
    described = {path for path, _ in log_docs.fields(schema)}
    assert set(document) <= described
    assert {f"clips[].{key}" for clip in document["clips"] for key in clip} <= described
    return document


def test_a_document_keeps_to_its_schema_in_every_state(clock):
    job, tally = make_tally(clock, 3)
    valid(tally.document())
    told = tally.follow(job.clips[0])
    valid(tally.document())
    steps = [("faces", 8, 0), ("faces", 16, 100), ("study", 1, 0), ("render", 50, 100)]
    for stage, n_done, n_frames in [*steps, ("verify", 20, 100)]:
        clock.now_s += 2
        told(stage, n_done, n_frames)
        valid(tally.document())
    tally.end(job.clips[0], "failed")
    valid(tally.document())


def test_the_time_is_told_in_utc():
    document = progress_document(world.make_job("a.mp4"), [], now=NOW)
    assert document["updated"] == "2026-01-02T03:04:05Z"


def test_a_name_that_is_not_utf8_can_be_written(clock):
    job = world.make_job("caf\udce9.mp4", name="\udcff")
    document = Tally(job, (), clock, lambda: datetime.now(UTC)).document()
    assert document["clips"][0]["name"] == "caf\\udce9.mp4"
    assert document["job"]["name"] == "\\udcff"


@pytest.mark.parametrize(
    ("clip", "share"),
    [
        (ClipProgress("1", "a"), 0.0),
        (ClipProgress("1", "a", "running"), 0.0),
        (ClipProgress("1", "a", "running", "faces", 50, 100), 0.25),
        (ClipProgress("1", "a", "running", "faces", 50, 0), 0.0),
        (ClipProgress("1", "a", "running", "faces", 130, 100), 0.5),
        (ClipProgress("1", "a", "running", "study", 7, 0), 0.5),
        (ClipProgress("1", "a", "running", "render", 50, 100), 0.75),
        (ClipProgress("1", "a", "running", "verify", 50, 100), 1.0),
        (ClipProgress("1", "a", "ok"), 1.0),
        (ClipProgress("1", "a", "failed"), 1.0),
    ],
)
def test_each_pass_is_half_of_a_clip(clip, share):
    assert clip.share == share


def test_a_job_is_done_when_its_last_clip_is(clock):
    job, tally = make_tally(clock)
    tally.end(job.clips[0], "ok")
    assert tally.document()["state"] == "running"
    tally.end(job.clips[1], "failed")
    document = tally.document()
    assert (document["state"], document["n_ended"], document["n_failed"]) == ("done", 2, 1)
    assert document["share"] == 1.0


def test_nobody_knows_how_long_it_takes_before_anything_is_done(clock):
    job, tally = make_tally(clock)
    tally.follow(job.clips[0])
    clock.now_s += 60
    document = tally.document()
    assert document["eta_s"] is None
    assert document["frames_per_s"] is None


def test_the_rest_takes_as_long_as_the_pace_so_far_says(clock):
    job, tally = make_tally(clock, 4)
    tally.follow(job.clips[0])
    clock.now_s += 30
    tally.end(job.clips[0], "ok")
    assert tally.document()["eta_s"] == 90


def test_clips_that_ended_in_an_earlier_life_make_nothing_faster(clock):
    job = world.make_job("0.mp4", "1.mp4", "2.mp4", "3.mp4")
    ended = world.published(job, world.done(job.clips[0]), world.failed(job.clips[1]))
    tally = Tally(job, ended, clock, lambda: NOW)
    document = tally.document()
    assert [clip["state"] for clip in document["clips"]] == ["ok", "failed", "waiting", "waiting"]
    assert document["eta_s"] is None
    clock.now_s += 30
    tally.end(job.clips[2], "ok")
    assert tally.document()["eta_s"] == 30


def test_the_pace_is_that_of_the_pass_in_hand(clock):
    job, tally = make_tally(clock)
    told = tally.follow(job.clips[0])
    told("faces", 10, 100)
    clock.now_s += 1
    told("faces", 100, 100)
    assert tally.document()["frames_per_s"] == 90.0
    told("render", 8, 100)
    clock.now_s += 4
    told("render", 48, 100)
    assert tally.document()["frames_per_s"] == 10.0


def test_the_paces_of_two_clips_in_hand_add_up(clock):
    job, tally = make_tally(clock)
    told = [tally.follow(clip) for clip in job.clips[:2]]
    told[0]("render", 10, 100)
    clock.now_s += 1
    told[1]("faces", 10, 100)
    clock.now_s += 1
    told[0]("render", 30, 100)
    told[1]("faces", 40, 100)
    assert tally.document()["frames_per_s"] == 10.0 + 30.0


def test_a_job_without_clips_is_done():
    document = progress_document(world.make_job(), [], now=NOW)
    assert (document["state"], document["share"]) == ("done", 1.0)
