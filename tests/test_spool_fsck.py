"""Every promise that fsck checks, broken once, and what mending makes of it."""

import json

import pytest
from spool_model import visible
from spool_world import drain, drop, make_roots, opened, render, run_job

from heygemd.spool import fsck
from heygemd.spool.fsops import FsOps


@pytest.fixture
def folders(tmp_path):
    return make_roots(tmp_path)


@pytest.fixture
def finished(folders):
    """A closed job; its id."""
    drop(folders)
    spool = opened(folders)
    drain(spool)
    spool.close()
    return next(folders.jobs.iterdir()).name


def rules(folders, *, at_rest=True):
    found = fsck.check(FsOps(), folders, max_attempts=2, at_rest=at_rest)
    return sorted({finding.rule for finding in found if finding.severity == "error"})


def notes(folders):
    found = fsck.check(FsOps(), folders, max_attempts=2, at_rest=True)
    return sorted({finding.rule for finding in found if finding.severity == "note"})


@pytest.mark.usefixtures("finished")
def test_a_sound_spool_has_no_findings(folders):
    assert fsck.check(FsOps(), folders, max_attempts=2, at_rest=True) == []


def test_a_clip_both_done_and_failed_is_found_and_decided_by_the_outbox(folders, finished):
    (folders.job(finished) / "fail" / "0001").write_text("{}")
    assert rules(folders) == ["I1"]

    opened(folders).mend()

    assert rules(folders) == []
    assert (folders.job(finished) / "done" / "0001").exists()


def test_a_closed_job_with_a_clip_that_has_not_ended_is_found(folders, finished):
    (folders.job(finished) / "done" / "0001").unlink()

    assert rules(folders) == ["I1", "I5"]


def test_a_lost_input_is_found(folders, finished):
    (folders.archive / finished / "payload" / "a.mp4").unlink()

    assert rules(folders) == ["I2"]


def test_lost_inputs_are_found(folders, finished):
    (folders.archive / finished).rename(folders.inbox / "elsewhere")

    assert rules(folders) == ["I2"]


@pytest.mark.usefixtures("finished")
def test_an_output_with_other_bytes_is_found_set_aside_and_made_again_on_retry(folders):
    (folders.outbox / "talk" / "a.mp4").write_bytes(b"damaged")
    assert rules(folders) == ["I3", "I7"]

    spool = opened(folders)
    assert any("set aside" in said for said in spool.mend())
    (job_id,) = [path.name for path in folders.jobs.iterdir()]
    assert spool.retry(job_id)
    run_job(spool, spool.jobs()[0])

    assert rules(folders) == []
    assert sorted(visible(folders)) == ["talk/a.mp4", "talk/b.mp4"]
    assert (folders.outbox / "talk" / "a.mp4.aside").read_bytes() == b"damaged"


@pytest.mark.usefixtures("finished")
def test_a_sidecar_that_speaks_of_other_bytes_is_written_again(folders):
    sidecar = folders.outbox / "talk" / "a.json"
    before = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps({**before, "output": {**before["output"], "sha256": "0"}}))
    assert rules(folders) == ["I3"]

    opened(folders).mend()

    assert json.loads(sidecar.read_text()) == before


@pytest.mark.usefixtures("finished")
def test_a_second_mp4_of_a_clip_is_found_and_set_aside(folders):
    out = folders.outbox / "talk"
    log = json.loads((out / "a.json").read_text())
    log["output"]["name"] = "a~2.mp4"
    (out / "a~2.json").write_text(json.dumps(log))
    (out / "a~2.mp4").write_bytes((out / "a.mp4").read_bytes())
    assert rules(folders) == ["I4"]

    opened(folders).mend()

    assert rules(folders) == []
    assert (out / "a.mp4").exists()
    assert not (out / "a~2.mp4").exists()


def test_a_job_json_before_its_time_is_found(folders):
    drop(folders)
    spool = opened(folders)
    job = spool.claim("talk")
    (folders.outbox / "talk" / "job.json").write_text(json.dumps({"job_id": job.id}))

    assert rules(folders) == ["I5"]


@pytest.mark.usefixtures("finished")
def test_leftovers_are_found_at_rest_and_swept(folders):
    spool_id = json.loads((folders.work / "spool.json").read_text())["id"]
    (folders.outbox / ".heygemd-tmp" / f"{spool_id}.x.part").write_bytes(b"half")
    (folders.jobs / "orphan").mkdir()
    assert rules(folders, at_rest=False) == []
    assert rules(folders) == ["I6"]

    opened(folders).mend()

    assert rules(folders) == []


def test_a_claim_whose_spool_is_lost_is_taken_over_and_finished_without_doing_it_twice(folders):
    drop(folders)
    spool = opened(folders)
    job = spool.stage_sound(spool.claim("talk"))
    clip = spool.stage(job, job.clips[0])
    render(clip, spool.begin(job, clip))
    spool.publish(job, clip, {"outcome": "ok"})
    spool.close()
    before = visible(folders)
    folders.work.rename(folders.work.with_name("lost"))

    spool = opened(folders)
    assert notes(folders) == ["I6"]
    assert any("taken over" in said for said in spool.mend())
    for name in spool.ready(0.0):
        run_job(spool, spool.claim(name))

    assert before.items() <= visible(folders).items()
    assert sorted(visible(folders)) == ["talk/a.mp4", "talk/b.mp4"]
    assert rules(folders) == []


def test_too_many_attempts_are_found(folders, finished):
    for n in (2, 3):
        (folders.job(finished) / "att" / f"0001.{n}").touch()

    assert rules(folders) == ["I8"]


@pytest.mark.usefixtures("finished")
def test_strange_files_in_our_folders_are_noted(folders):
    (folders.work / "core").touch()
    (folders.inbox / ".heygemd" / "notes.txt").touch()

    assert notes(folders) == ["I9"]


@pytest.mark.usefixtures("finished")
def test_results_that_people_took_are_noted_and_no_error(folders):
    (folders.outbox / "talk" / "a.mp4").unlink()

    assert rules(folders) == []
    assert notes(folders) == ["I7"]


@pytest.mark.usefixtures("finished")
def test_mending_a_sound_spool_does_nothing(folders):
    assert opened(folders).mend() == []


def test_an_open_job_at_work_is_sound(folders):
    drop(folders)
    spool = opened(folders)
    job = spool.stage_sound(spool.claim("talk"))
    clip = spool.stage(job, job.clips[0])
    render(clip, spool.begin(job, clip))

    assert rules(folders, at_rest=False) == []
