"""What status tells, from the folders and a daemon's status.json."""

import io
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from rich.console import Console
from spool_world import drain, drop, make_roots, opened, run_clip

from heygemd.report.progress import ClipProgress, progress_document
from heygemd.spool.fsops import FsOps
from heygemd.spool.survey import survey
from heygemd.status import find, state, view

NOW_S = 1_000_000.0


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    return make_roots(tmp_path)


def told(folders, tmp_path):
    return state(folders, now_s=NOW_S, run_dir=tmp_path / "run")


def shown(document):
    console = Console(file=io.StringIO(), width=160)
    console.print(view(document))
    return console.file.getvalue()


def report(tmp_path, folders, name="heygemd", **values):
    document = {
        "state": "ready", "status": "1 job waiting", "updated_s": NOW_S - 2, "version": "1",
        "pid": os.getpid(), "work": str(folders.work.resolve()), "in_hand": None,
        "folders_waiting": {"new": "still changing"}, **values,
    }  # fmt: skip
    path = tmp_path / "run" / name / "status.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document))


def test_without_a_daemon_the_folders_tell_all(folders, tmp_path):
    spool = opened(folders)
    drop(folders, "closed")
    drain(spool)
    drop(folders, "open")
    job = spool.stage_sound(spool.claim("open"))
    run_clip(spool, job, job.clips[0])
    drop(folders, "new")
    document = told(folders, tmp_path)
    assert document["daemon"] is None
    assert document["inbox"]["folders"] == ["new"]
    states = {job["name"]: (job["state"], job["n_done"]) for job in document["jobs"]}
    assert states == {"closed": ("closed", 2), "open": ("open", 1)}
    text = shown(document)
    assert "no daemon has reported" in text
    assert "in the inbox: new" in text


def test_a_daemon_that_works_shows_its_clip_and_why_folders_wait(folders, tmp_path):
    hand = {"job": "lesson", "clip": "a.mp4", "number": 3, "n_clips": 10, "stage": "render",
            "n_done": 41, "n_frames": 100, "frames_per_s": 38.2}  # fmt: skip
    model = {"name": "warp", "device": "cuda:0"}
    report(tmp_path, folders, in_hand=hand, model=model)
    drop(folders, "new")
    text = shown(told(folders, tmp_path))
    assert "ready: 1 job waiting" in text
    assert "warp on cuda:0" in text
    assert "lesson: a.mp4 (3 of 10) render" in text
    assert "38 fps" in text
    assert "in the inbox: new, still changing" in text


def begun(folders, **values):
    """A job with one clip done and the other in hand, and the progress.json beside its outputs."""
    spool = opened(folders)
    drop(folders, "lesson")
    job = spool.stage_sound(spool.claim("lesson"))
    run_clip(spool, job, job.clips[0])
    clips = [ClipProgress(job.clips[0].id, "a.mp4", "ok"),
             ClipProgress(job.clips[1].id, "b.mp4", "running", "render", 30, 60)]  # fmt: skip
    now = datetime.fromtimestamp(NOW_S - 3, UTC)
    document = progress_document(job, clips, now=now, frames_per_s=25.0, eta_s=75.0)
    path = folders.outbox / "lesson" / "progress.json"
    path.write_text(json.dumps({**document, **values}))
    return path


def test_without_a_daemons_word_the_outbox_says_how_far_the_clip_in_hand_is(folders, tmp_path):
    begun(folders)
    document = told(folders, tmp_path)
    (job,) = document["jobs"]
    assert (job["progress"]["share"], job["progress"]["age_s"]) == (0.875, 3.0)
    text = shown(document)
    assert "lesson: b.mp4 (2 of 2) render" in text
    assert "25 fps" in text
    assert "0:01:15" in text


def test_progress_of_long_ago_is_no_clip_in_hand_and_no_time_left(folders, tmp_path):
    begun(folders, updated="1970-01-01T00:00:00Z")
    text = shown(told(folders, tmp_path))
    assert "b.mp4" not in text
    assert "0:01:15" not in text


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"updated": 3}', '{"updated": "soon", "clips": []}', "\xff"]
)
def test_a_progress_file_that_makes_no_sense_is_as_none(folders, tmp_path, text):
    begun(folders).write_text(text, encoding="latin-1")
    (job,) = told(folders, tmp_path)["jobs"]
    assert (job["progress"], job["n_done"]) == (None, 1)


def test_a_progress_file_is_not_read_through_a_link(folders, tmp_path):
    path = begun(folders)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    (job,) = told(folders, tmp_path)["jobs"]
    assert job["progress"] is None


@pytest.mark.timeout(240)
def test_watching_draws_anew_until_it_is_interrupted(folders):
    words = [f"folders.{name}={getattr(folders, name)}" for name in ("inbox", "outbox", "work")]
    sets = [part for word in words for part in ("--set", word)]
    command = [sys.executable, "-m", "heygemd", "status", "--watch", *sets]
    env = {**os.environ, "TERM": "xterm", "FORCE_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        env=env,
        # A shell's background job ignores the signal, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread
    ) as process:
        seen = b""
        while seen.count(b"no jobs yet") < 2:
            seen += os.read(process.stdout.fileno(), 1 << 16) or pytest.fail(seen.decode())
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130


def test_a_daemon_of_another_spool_is_not_ours(folders, tmp_path):
    report(tmp_path, folders, work="/elsewhere")
    assert told(folders, tmp_path)["daemon"] is None


def test_of_two_reports_the_later_one_counts(folders, tmp_path):
    report(tmp_path, folders, name="heygemd", updated_s=NOW_S - 50, version="old")
    report(tmp_path, folders, name="heygemd-1", updated_s=NOW_S - 1, version="new")
    assert told(folders, tmp_path)["daemon"]["version"] == "new"


def test_a_daemon_that_says_nothing_for_long_is_called_silent(folders, tmp_path):
    report(tmp_path, folders, updated_s=NOW_S - 500)
    assert "has said nothing for 500 s" in shown(told(folders, tmp_path))


@pytest.mark.parametrize("values", [{"state": "stopped"}, {"pid": 2**22 + 1}])
def test_a_daemon_that_ended_or_died_is_called_stopped(folders, tmp_path, values):
    report(tmp_path, folders, **values)
    assert "stopped" in shown(told(folders, tmp_path))


def test_a_share_that_is_away_is_told(folders, tmp_path):
    folders.inbox.rmdir()
    document = told(folders, tmp_path)
    assert document["inbox"]["folders"] is None
    assert "is not there" in shown(document)


def test_names_with_markup_and_stray_bytes_are_shown_as_they_are(folders, tmp_path):
    spool = opened(folders)
    drop(folders, "[red]x\udcff")
    spool.claim("[red]x\udcff")
    document = told(folders, tmp_path)
    assert json.dumps(document)
    assert r"[red]x\udcff" in shown(document)


def test_a_job_is_found_by_its_id_the_beginning_of_it_or_its_latest_name(folders):
    spool = opened(folders)
    for _ in range(2):
        drop(folders, "lesson")
        drain(spool)
    first, second = survey(FsOps(), folders)
    assert find([first, second], first.job_id) == first
    assert find([first, second], first.job_id[:-3]) == first
    assert find([first, second], "lesson") == second
    assert find([first, second], "nothing") is None
