"""What status and fsck read of a spool, at work or dead."""

import pytest
from spool_world import drain, drop, make_roots, opened, run_clip

from heygemd.errors import JobLayoutError
from heygemd.spool import fsck
from heygemd.spool.fsops import FsOps
from heygemd.spool.survey import survey


@pytest.fixture
def folders(tmp_path):
    return make_roots(tmp_path)


def test_every_job_is_told_with_its_state(folders):
    spool = opened(folders)
    drop(folders, "closed")
    drain(spool)
    drop(folders, "rejected", sounds=("a.wav", "b.wav"))
    with pytest.raises(JobLayoutError):
        spool.claim("rejected")
    drop(folders, "open", **{"job.toml": "priority = 3\n"})
    job = spool.stage_sound(spool.claim("open"))
    run_clip(spool, job, job.clips[0])
    spool.fail(job, job.clips[1], {"outcome": "failed"})
    drop(folders, "claimed")
    spool._take("claimed")

    told = {job.name or "claimed": job for job in survey(FsOps(), folders)}

    assert {name: job.state for name, job in told.items()} == {
        "closed": "closed",
        "rejected": "rejected",
        "open": "open",
        "claimed": "claimed",
    }
    assert (told["open"].n_clips, told["open"].n_done, told["open"].n_failed) == (2, 1, 1)
    assert told["open"].priority == 3
    assert told["rejected"].out_name == "rejected"


def test_status_and_fsck_say_the_same_of_a_living_and_of_a_dead_spool(folders):
    drop(folders)
    spool = opened(folders)
    job = spool.stage_sound(spool.claim("talk"))
    run_clip(spool, job, job.clips[0])

    def told():
        found = fsck.check(FsOps(), folders, max_attempts=2, at_rest=False)
        return survey(FsOps(), folders), found

    living = told()
    spool.close()

    assert told() == living
    assert living[1] == []


def test_a_spool_that_never_was_has_no_jobs(tmp_path):
    assert survey(FsOps(), make_roots(tmp_path)) == []
