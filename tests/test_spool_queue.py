"""The queue as the daemon uses it, from a dropped folder to a closed job."""

import json
from pathlib import Path

import pytest
from spool_world import drain, drop, make_roots, make_spool, opened, render, run_job, tree

from heygemd.errors import (
    BusyError,
    ConfigError,
    CrashLoopError,
    JobLayoutError,
    JobOptionsError,
    MediaError,
)
from heygemd.records import RenderOptions
from heygemd.spool import layout
from heygemd.spool.layout import SpoolFolders, check_folders

CODE = Path(layout.__file__).parents[1]


@pytest.fixture
def folders(tmp_path):
    return make_roots(tmp_path)


def test_a_dropped_folder_becomes_mp4s_with_logs_and_a_job_json(folders):
    drop(folders)

    drain(opened(folders))

    out = folders.outbox / "talk"
    assert sorted(path.name for path in out.iterdir()) == [
        ".owner", "a.json", "a.mp4", "b.json", "b.mp4", "job.json",
    ]  # fmt: skip
    log = json.loads((out / "a.json").read_text())
    assert log["outcome"] == "ok"
    assert log["output"]["size_bytes"] == (out / "a.mp4").stat().st_size
    assert [clip["clip"] for clip in json.loads((out / "job.json").read_text())["clips"]] == [
        "a.mp4",
        "b.mp4",
    ]


def test_inputs_are_archived_as_they_were(folders):
    drop(folders)
    before = tree(folders.inbox / "talk")
    spool = opened(folders)
    (name,) = spool.ready(0.0)
    job = spool.claim(name)

    run_job(spool, job)

    assert tree(folders.archive / job.id / "payload") == before
    assert not (folders.inbox / "talk").exists()
    assert list(folders.claims.iterdir()) == []


def test_a_second_process_is_told_that_the_spool_is_held(folders):
    spool = opened(folders)

    with pytest.raises(BusyError, match="another heygemd"):
        make_spool(folders).open()

    spool.close()
    make_spool(folders).open()


def test_opening_twice_changes_nothing(folders):
    drop(folders)
    spool = opened(folders)
    spool.claim("talk")
    before = tree(folders.work)

    spool.open()

    assert tree(folders.work) == before


def test_the_options_are_job_toml_laid_over_the_settings(folders):
    drop(folders, **{"job.toml": "priority = 5\nface = 'left'\n"})
    spool = opened(folders, options=RenderOptions(length="loop"))

    job = spool.claim("talk")

    assert job.options == RenderOptions(length="loop", face="left")
    assert job.priority == 5


def test_a_folder_with_two_sounds_is_put_aside_whole_and_the_outbox_says_why(folders):
    drop(folders, sounds=("a.wav", "b.wav"))
    before = tree(folders.inbox / "talk")
    spool = opened(folders)

    with pytest.raises(JobLayoutError, match="2 audio files"):
        spool.claim("talk")

    log = json.loads((folders.outbox / "talk" / "job.json").read_text())
    assert (log["outcome"], log["code"]) == ("rejected", "job_layout")
    (shelf,) = folders.rejected.iterdir()
    assert tree(shelf / "payload") == before
    assert spool.jobs() == []
    assert list(folders.claims.iterdir()) == []


def test_a_folder_without_videos_is_put_aside(folders):
    drop(folders, clips=())
    spool = opened(folders)
    assert spool.ready(0.0) == ["talk"]

    with pytest.raises(JobLayoutError, match="no video beside voice"):
        spool.claim("talk")

    assert len(list(folders.rejected.iterdir())) == 1


def test_a_wrong_job_toml_rejects_the_folder(folders):
    drop(folders, **{"job.toml": "fase = 'left'\n"})
    spool = opened(folders)

    with pytest.raises(JobOptionsError, match="did you mean face"):
        spool.claim("talk")

    log = json.loads((folders.outbox / "talk" / "job.json").read_text())
    assert log["code"] == "job_options"


@pytest.mark.parametrize("restores", [True, False])
def test_a_job_that_asks_for_restoration_is_accepted_where_a_network_restores(folders, restores):
    drop(folders, **{"job.toml": "restore = 0.5\n"})
    spool = opened(folders, restores=restores)

    if restores:
        assert spool.claim("talk").options.restore == 0.5
    else:
        with pytest.raises(JobOptionsError, match=r"set restore\.path"):
            spool.claim("talk")
        assert "restore.path" in (folders.outbox / "talk" / "job.json").read_text()


def test_a_folder_that_is_gone_is_a_lost_race(folders):
    spool = opened(folders)

    assert spool.claim("talk") is None
    assert list(folders.claims.iterdir()) == []
    assert list(folders.jobs.iterdir()) == []


def test_jobs_come_by_priority_then_by_age(folders):
    spool = opened(folders)
    for name, priority in (("first", 0), ("second", 0), ("urgent", 9)):
        drop(folders, name, **{"job.toml": f"priority = {priority}\n"})
        spool.claim(name)

    assert [job.name for job in spool.jobs()] == ["urgent", "first", "second"]


def test_ready_puts_urgent_folders_in_front(folders):
    drop(folders, "first")
    drop(folders, "urgent", **{"job.toml": "priority = 9\n"})

    assert opened(folders).ready(0.0) == ["urgent", "first"]


def test_a_clip_whose_attempts_are_used_up_is_a_crash_loop(folders):
    drop(folders)
    spool = opened(folders, max_attempts=2)
    job = spool.claim("talk")
    clip = spool.stage(job, job.clips[0])
    spool.begin(job, clip)
    spool.begin(job, clip)

    with pytest.raises(CrashLoopError, match="2 attempts"):
        spool.begin(job, clip)


def test_a_forgiven_attempt_does_not_count(folders):
    drop(folders)
    spool = opened(folders, max_attempts=1)
    job = spool.claim("talk")
    clip = spool.stage(job, job.clips[0])
    for _ in range(5):
        spool.begin(job, clip)
        spool.forgive(job, clip)

    spool.begin(job, clip)


def test_attempts_of_one_clip_do_not_count_for_another(folders):
    drop(folders)
    spool = opened(folders, max_attempts=1)
    job = spool.claim("talk")
    for clip in job.clips:
        spool.begin(job, spool.stage(job, clip))


def test_a_failed_clip_leaves_its_reason_in_the_outbox_and_its_siblings_alone(folders):
    drop(folders)
    (folders.inbox / "talk" / "a.mp4").write_bytes(b"")
    spool = opened(folders)

    drain(spool)

    out = folders.outbox / "talk"
    assert json.loads((out / "a.json").read_text())["code"] == "empty_input"
    assert not (out / "a.mp4").exists()
    assert (out / "b.mp4").exists()


def test_a_renderer_that_left_nothing_fails_its_clip(folders):
    drop(folders)
    spool = opened(folders)
    job = spool.claim("talk")
    clip = spool.stage(job, job.clips[0])
    spool.begin(job, clip)

    with pytest.raises(MediaError, match="no file"):
        spool.publish(job, clip, {})


def test_a_job_with_a_clip_at_work_cannot_be_closed(folders):
    drop(folders)
    spool = opened(folders)
    job = spool.claim("talk")

    with pytest.raises(ValueError, match="has not ended"):
        spool.close_job(job, {})


def test_a_published_clip_cannot_fail(folders):
    drop(folders)
    spool = opened(folders)
    job = spool.claim("talk")
    clip = spool.stage(job, job.clips[0])
    render(clip, spool.begin(job, clip))
    spool.publish(job, clip, {})

    with pytest.raises(ValueError, match="is done"):
        spool.fail(job, clip, {})


def test_staging_hashes_and_gives_neutral_names(folders):
    drop(folders, clips=("-rf %03d.mp4",))
    spool = opened(folders)
    job = spool.stage_sound(spool.claim("talk"))

    clip = spool.stage(job, job.clips[0])

    assert job.audio.name == "audio.bin"
    assert clip.path.name == "0001.bin"
    assert clip.path.read_bytes() == b"video -rf %03d.mp4" * 9
    assert len(clip.sha256) == 64


def test_overlapping_folders_are_refused(tmp_path):
    folders = make_roots(tmp_path)
    inside = SpoolFolders(folders.inbox, folders.inbox / "out", folders.work)
    (folders.inbox / "out").mkdir()

    with pytest.raises(ConfigError, match="side by side"):
        make_spool(inside).open()


@pytest.mark.parametrize("inbox", [CODE, CODE.parent, CODE / "spool"], ids=str)
def test_folders_in_or_around_the_program_are_refused(tmp_path, inbox):
    folders = make_roots(tmp_path)

    with pytest.raises(ConfigError, match="the program in"):
        check_folders(SpoolFolders(inbox, folders.outbox, folders.work))


def test_a_root_that_is_a_symbolic_link_is_refused(tmp_path):
    folders = make_roots(tmp_path)
    folders.outbox.rename(tmp_path / "elsewhere")
    folders.outbox.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match="symbolic link"):
        make_spool(folders).open()


def test_a_folder_that_never_was_there_is_a_mistake_in_the_settings(tmp_path):
    folders = make_roots(tmp_path)
    folders.outbox.rmdir()

    with pytest.raises(ConfigError, match="heygemd init"):
        make_spool(folders).open()
