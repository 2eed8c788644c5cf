"""The jobs commands: through the files of the spool, with and without a daemon."""

import json

import pytest
from spool_model import visible
from spool_world import drain, drop, make_roots, opened, render
from test_daemon import Clock, FakeBell
from test_job import FACTS, Ears

from heygemd import cli
from heygemd.daemon import Daemon, Stop
from heygemd.job import Workshop
from heygemd.records import ClipResult
from heygemd.spool.fsops import FsOps
from heygemd.spool.requests import open_requests, take_requests
from heygemd.spool.survey import survey


@pytest.fixture
def folders(tmp_path):
    return make_roots(tmp_path)


@pytest.fixture
def command(folders, capsys, tmp_path):
    def run(*words):
        config = tmp_path / "config.toml"
        config.write_text(
            f'[folders]\ninbox = "{folders.inbox}"\noutbox = "{folders.outbox}"\n'
            f'work = "{folders.work}"\n'
        )
        code = cli.main(["jobs", *words, "--config", str(config)])
        return code, capsys.readouterr()

    return run


def half_failed(folders):
    """A closed job of which one clip failed."""
    spool = opened(folders)
    open_requests(FsOps(), folders)
    drop(folders, "lesson", clips=("a.mp4", "b.mp4"))
    job = spool.stage_sound(spool.claim("lesson"))
    for clip, code in zip(job.clips, ("ok", "no_face"), strict=True):
        if code == "ok":
            spool.begin(job, staged := spool.stage(job, clip)).write_bytes(b"MP4")
            spool.publish(job, staged, {"outcome": "ok"})
        else:
            spool.fail(job, clip, {"outcome": "failed", "code": code, "message": "no [face]"})
    spool.close_job(job, {"name": job.name})
    return spool, job


def test_the_list_has_a_line_for_every_job(folders, command):
    spool = opened(folders)
    for name in ("a", "b"):
        drop(folders, name)
        drain(spool)
    code, said = command("list")
    assert code == 0
    assert len(said.out.splitlines()) == 3


def test_the_list_for_machines_is_json(folders, command):
    half_failed(folders)
    (job,) = json.loads(command("list", "--json")[1].out)
    assert (job["name"], job["state"], job["n_done"], job["n_failed"]) == ("lesson", "closed", 1, 1)


def test_a_job_is_shown_with_its_clips_and_why_one_failed(folders, command):
    half_failed(folders)
    code, said = command("show", "lesson")
    assert code == 0
    assert "a.mp4  done" in said.out
    assert "no [face] [no_face]" in said.out
    clips = json.loads(command("show", "lesson", "--json")[1].out)["clips"]
    assert [clip["state"] for clip in clips] == ["done", "failed"]
    assert clips[0]["output"] == "a.mp4"


def test_a_job_that_is_not_there_is_an_error_with_advice(folders, command):
    code, said = command("show", "nothing")
    assert code == 1
    assert "heygemd jobs list" in said.err


def test_a_retry_is_left_for_the_daemon_which_opens_the_job_again(folders, command):
    spool, job = half_failed(folders)
    code, said = command("retry", "lesson")
    assert code == 0, said.err
    assert list(take_requests(FsOps(), folders)) == [("retry", job.id)]
    assert spool.retry(job.id)
    assert survey(FsOps(), folders)[0].state == "open"


def test_a_request_is_taken_once(folders, command):
    half_failed(folders)
    command("retry", "lesson")
    command("retry", "lesson")
    assert len(list(take_requests(FsOps(), folders))) == 1
    assert list(take_requests(FsOps(), folders)) == []


def test_a_job_without_failures_is_not_retried(folders, command):
    spool = opened(folders)
    drop(folders, "lesson")
    drain(spool)
    assert command("retry", "lesson")[0] == 1


def test_an_open_job_is_cancelled_and_a_closed_one_is_not(folders, command):
    spool, _ = half_failed(folders)
    drop(folders, "open")
    job = spool.claim("open")
    assert command("cancel", "open")[0] == 0
    assert list(take_requests(FsOps(), folders)) == [("cancel", job.id)]
    assert command("cancel", "lesson")[0] == 1


def test_where_no_daemon_ever_worked_the_command_says_so(folders, command):
    spool = opened(folders)
    drop(folders, "open")
    spool.claim("open")
    code, said = command("cancel", "open")
    assert code == 1
    assert "start heygemd" in said.err


class Renders:
    """An executor that writes a file, unless it shall fail."""

    n_active = 0

    def __init__(self, failing=()):
        self.failing, self.rendered = set(failing), []

    def render(self, clips, prepare, *, alone=None):
        for clip in clips:
            task = prepare(clip)
            self.rendered.append(clip.name)
            if clip.name in self.failing:
                yield ClipResult(task.clip, "failed", "no_face", "nobody is seen")
            else:
                render(task.clip, task.out)
                yield ClipResult(task.clip, "ok", n_frames=25, timings_s={"total": 1.0})


def at_work(folders, executor):
    """A daemon on a real spool, that does what is asked of it and ends."""
    spool = opened(folders)
    open_requests(FsOps(), folders)
    shop = Workshop(spool, executor, Ears(), FACTS)
    bell = FakeBell(Clock())
    return Daemon(
        spool, shop, bell, Stop(), 30, 0, clock=bell.clock,
        requests=lambda: take_requests(FsOps(), folders),
    )  # fmt: skip


def test_a_retry_that_is_asked_for_does_again_what_failed_and_nothing_else(folders, command):
    drop(folders, "lesson", clips=("a.mp4", "b.mp4", "c.mp4"))
    executor = Renders(failing=["b.mp4"])
    daemon = at_work(folders, executor)
    daemon.drain()
    before = visible(folders)
    assert sorted(before) == ["lesson/a.mp4", "lesson/c.mp4"]

    assert command("retry", "lesson")[0] == 0
    executor.failing.clear()
    executor.rendered.clear()
    daemon.drain()

    assert executor.rendered == ["b.mp4"]
    assert before.items() <= visible(folders).items()
    assert "lesson/b.mp4" in visible(folders)
    assert json.loads((folders.outbox / "lesson" / "job.json").read_text())["outcome"] == "ok"


def test_a_cancelled_job_gives_up_what_is_left_and_keeps_what_is_done(folders, command):
    drop(folders, "lesson", clips=("a.mp4", "b.mp4", "c.mp4"))
    daemon = at_work(folders, Renders())
    daemon.turn()
    assert list(visible(folders)) == ["lesson/a.mp4"]

    assert command("cancel", "lesson")[0] == 0
    daemon.drain()

    assert list(visible(folders)) == ["lesson/a.mp4"]
    told = json.loads((folders.outbox / "lesson" / "job.json").read_text())
    assert [clip["code"] for clip in told["clips"]] == ["ok", "cancelled", "cancelled"]
    assert command("retry", "lesson")[0] == 0
    daemon.drain()
    assert len(visible(folders)) == 3
