"""A job's report: live while it runs, final at its end, and never in the way of a clip."""

import json
import threading

import pytest
from fakes import FakeWindow, make_job
from test_job import FACTS, SOUND

from heygemd.aside import AtOnce, Helper
from heygemd.errors import TransientError
from heygemd.records import ClipPictures, ClipResult
from heygemd.report.documents import clip_log, job_log
from heygemd.showing import Show


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def open_show(job, window, logs=(), clock=None, aside=None):
    logs = list(logs)
    return Show(
        job,
        window,
        document=lambda: job_log(job, SOUND, FACTS, logs),
        results=lambda: logs,
        aside=aside or AtOnce(),
        clock=clock or Clock(),
    )


def done(job, at=0, pictures=None):
    return ClipResult(job.clips[at], "ok", n_frames=25, timings_s={"total": 1.0}, pictures=pictures)


def test_page_and_progress_are_there_as_soon_as_the_job_begins():
    window = FakeWindow()
    open_show(make_job(), window)
    assert json.loads(window.shown["progress.json"][0])["job"]["name"] == "lesson"
    assert b"lesson" in window.shown["report.html"][0]


def test_progress_is_written_once_a_second_and_the_page_every_five():
    window, clock = FakeWindow(), Clock()
    job = make_job()
    progress = open_show(job, window, clock=clock).follow(job.clips[0])
    for n in range(100):
        clock.now_s = n / 10
        progress("render", n, 100)
    assert len(window.shown["progress.json"]) == 10
    assert len(window.shown["report.html"]) == 2


def test_pictures_are_kept_for_after_a_restart_and_shown_again():
    window, job = FakeWindow(), make_job(n_clips=1)
    result = done(job, pictures=ClipPictures(b"sheet!", b"poster", "<svg></svg>"))
    logs = [clip_log(result, job, SOUND, FACTS)]
    open_show(job, window, logs).ended(result)
    later = open_show(job, window, logs)
    later.final(job_log(job, SOUND, FACTS, logs))
    assert b"c2hlZXQh" in window.shown["report.html"][-1]  # base64 of the sheet


def test_the_last_page_no_longer_reloads_itself():
    window, job = FakeWindow(), make_job(n_clips=1)
    result = done(job)
    logs = [clip_log(result, job, SOUND, FACTS)]
    show = open_show(job, window, logs)
    show.ended(result)
    show.final(job_log(job, SOUND, FACTS, logs))
    assert b'http-equiv="refresh"' not in window.shown["report.html"][-1]
    assert json.loads(window.shown["progress.json"][-1])["state"] == "done"


@pytest.mark.parametrize("method", ["show", "keep"])
def test_a_share_that_is_away_costs_a_picture_and_never_the_clip(method):
    window, job = FakeWindow(), make_job(n_clips=1)

    def away(*_):
        raise TransientError("the outbox is away")

    setattr(window, method, away)
    result = done(job, pictures=ClipPictures(b"sheet", b"poster", ""))
    show = open_show(job, window, [clip_log(result, job, SOUND, FACTS)])
    show.ended(result)
    show.final(job_log(job, SOUND, FACTS, [clip_log(result, job, SOUND, FACTS)]))


class HangingWindow(FakeWindow):
    """A share that answers nothing before ``thawed``."""

    def __init__(self):
        super().__init__()
        self.thawed = threading.Event()
        self.thawed.set()

    def show(self, job, name, content):
        self.thawed.wait()
        super().show(job, name, content)


def test_a_share_that_hangs_does_not_hold_up_the_clip_and_shows_the_newest_once_it_answers():
    window, clock, helper, job = HangingWindow(), Clock(), Helper("report"), make_job()
    progress = open_show(job, window, clock=clock, aside=helper).follow(job.clips[0])
    window.thawed.clear()
    for n in range(1, 31):
        clock.now_s = float(n)
        progress("render", n, 100)
    assert helper.busy
    assert len(window.shown["progress.json"]) == 1
    window.thawed.set()
    helper.wait()
    clock.now_s = 31.0
    progress("render", 31, 100)
    helper.wait()
    newest = json.loads(window.shown["progress.json"][-1])
    assert newest["clips"][0]["n_done"] == 31
    assert len(window.shown["progress.json"]) == 3
