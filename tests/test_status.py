"""What status tells, from the folders and a daemon's status.json."""

import io
import json
import os

import pytest
from rich.console import Console
from spool_world import drain, drop, make_roots, opened, run_clip

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
