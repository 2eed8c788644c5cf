"""What people may ask of a job."""

import json
import time

import pytest
from spool_faults import Killed, KillNth
from spool_model import visible
from spool_world import FastFs, drain, drop, make_roots, make_spool, opened, run_clip, run_job, tree

from heygemd.errors import JobError, JobLayoutError, TransientError
from heygemd.records import Clip, Job, RenderOptions
from heygemd.spool import fsck, ids
from heygemd.spool.fsops import FsOps
from heygemd.spool.queue import Retention
from heygemd.spool.retention import fate_of
from heygemd.spool.turns import by_turns


@pytest.fixture
def folders(tmp_path):
    return make_roots(tmp_path)


@pytest.fixture
def half_failed(folders):
    """(spool, job): a.mp4 failed, b.mp4 is done, the job is closed."""
    drop(folders)
    spool = opened(folders)
    spool.ready(0.0)
    job = spool.stage_sound(spool.claim("talk"))
    spool.fail(job, job.clips[0], {"clip": "a.mp4", "outcome": "failed", "code": "no_face"})
    run_job(spool, job)
    return spool, job


def test_a_job_is_cancelled_by_id_or_by_a_file_in_its_outbox_folder(folders):
    drop(folders, "one")
    drop(folders, "two")
    spool = opened(folders)
    one, two = spool.claim("one"), spool.claim("two")
    assert not spool.cancelled(one)

    spool.cancel(one.id)
    (folders.outbox / "two" / "CANCEL").touch()

    assert spool.cancelled(one)
    assert spool.cancelled(two)
    assert opened_again_is_cancelled(folders, spool, one)


def opened_again_is_cancelled(folders, spool, job):
    spool.close()
    return opened(folders).cancelled(job)


def test_a_retry_does_again_what_failed_and_nothing_else(folders, half_failed):
    spool, job = half_failed
    before = visible(folders)

    assert spool.retry(job.id)

    (again,) = spool.jobs()
    assert [clip.name for clip in spool.pending(again)] == ["a.mp4"]
    assert not (folders.outbox / "talk" / "job.json").exists()
    run_job(spool, again)
    assert before.items() <= visible(folders).items()
    assert sorted(visible(folders)) == ["talk/a.mp4", "talk/b.mp4"]
    assert json.loads((folders.outbox / "talk" / "a.json").read_text())["outcome"] == "ok"
    assert fsck.check(FsOps(), folders, max_attempts=2, at_rest=True) == []


def test_attempts_start_anew_with_a_retry(folders, half_failed):
    spool, job = half_failed
    for n in (1, 2):
        (folders.job(job.id) / "att" / f"0001.{n}").touch()

    spool.retry(job.id)

    run_job(spool, spool.jobs()[0])
    assert len(visible(folders)) == 2


def test_a_job_without_failures_is_not_opened_again(folders):
    drop(folders)
    spool = opened(folders)
    drain(spool)
    before = tree(folders.inbox.parent)

    assert spool.retry(next(folders.jobs.iterdir()).name) is False
    assert tree(folders.inbox.parent) == before


def test_an_open_job_cannot_be_retried(folders):
    drop(folders)
    spool = opened(folders)

    with pytest.raises(JobError, match="not closed"):
        spool.retry(spool.claim("talk").id)


def test_a_job_whose_inputs_are_gone_cannot_be_retried(half_failed):
    spool, job = half_failed
    spool.sweep(Retention(done=fate_of("delete"), partial=fate_of("delete")), time.time())

    with pytest.raises(JobError, match="no longer kept"):
        spool.retry(job.id)


def test_a_retry_killed_anywhere_is_finished_or_never_was(memory_path):
    n, died = 0, True
    while died:
        n += 1
        root = memory_path / str(n)
        root.mkdir()
        folders = make_roots(root)
        drop(folders)
        spool = opened(folders)
        spool.ready(0.0)
        job = spool.stage_sound(spool.claim("talk"))
        spool.fail(job, job.clips[0], {"outcome": "failed"})
        run_job(spool, job)
        spool.close()
        fs = KillNth()
        spool = make_spool(folders, fs)
        spool.open()
        fs.n = fs.n_changes + n
        try:
            spool.retry(job.id)
            died = False
        except Killed:
            pass
        fs.bury()

        spool = opened(folders)
        drain(spool)
        spool.retry(job.id)
        drain(spool)
        spool.close()

        assert sorted(visible(folders)) == ["talk/a.mp4", "talk/b.mp4"], fs.died_at
        assert fsck.check(FsOps(), folders, max_attempts=2, at_rest=True) == [], fs.died_at
    assert n > 10


def test_a_rejected_folder_can_be_put_back_and_mended(folders):
    drop(folders, sounds=("a.wav", "b.wav"))
    spool = opened(folders)
    with pytest.raises(JobLayoutError):
        spool.claim("talk")
    (job_id,) = [path.name for path in folders.rejected.iterdir()]

    assert spool.put_back(job_id) == "talk"
    (folders.inbox / "talk" / "b.wav").unlink()
    drain(spool)

    assert sorted(visible(folders)) == ["talk~2/a.mp4", "talk~2/b.mp4"]
    assert list(folders.rejected.iterdir()) == []


def test_what_was_never_rejected_cannot_be_put_back(folders):
    with pytest.raises(JobError, match="not among the rejected"):
        opened(folders).put_back("nobody")


class LittleRoom(FastFs):
    """A disk with a set amount of free space."""

    free = 0

    def free_bytes(self, folder):
        assert folder.is_dir()
        return self.free


def test_a_job_that_the_disks_cannot_hold_is_not_claimed_until_they_can(folders):
    folder = drop(folders)
    before = tree(folder)
    fs = LittleRoom()
    spool = make_spool(folders, fs, spare_bytes=1_000_000)
    spool.open()
    spool.ready(0.0)

    with pytest.raises(TransientError, match="free some space") as raised:
        spool.claim("talk")

    assert raised.value.reason == "disk_full"
    assert tree(folder) == before
    assert list(folders.jobs.iterdir()) == []
    fs.free = 2_000_000
    assert spool.claim("talk") is not None


def jobs_of(*sizes, priorities=(0, 0, 0)):
    clips = [tuple(Clip(f"{n}", "", "", None) for n in range(size)) for size in sizes]
    return [
        Job(f"{n}", "", "", "", None, own, RenderOptions(), priority=priority)
        for n, (own, priority) in enumerate(zip(clips, priorities, strict=False))
    ]


def test_a_large_job_starves_no_small_one():
    jobs = jobs_of(4, 1, 2)
    order = [job.id + clip.id for job, clip in by_turns(jobs, {job.id: job.clips for job in jobs})]

    assert order == ["00", "10", "20", "01", "21", "02", "03"]


def test_a_higher_priority_goes_before_all_turns():
    jobs = jobs_of(2, 2, priorities=(5, 0))
    order = [job.id + clip.id for job, clip in by_turns(jobs, {job.id: job.clips for job in jobs})]

    assert order == ["00", "01", "10", "11"]


def test_ids_sort_by_age_and_differ_by_chance():
    first, second = ids.job_id(1_700_000_000_000, b"abcde"), ids.job_id(1_700_000_000_001, b"aaaaa")

    assert first < second
    assert ids.job_id(1_700_000_000_000, b"abcdf") != first
    assert ids.is_job_id(first)


def test_a_cancelled_jobs_clips_that_are_done_stay(folders):
    drop(folders)
    spool = opened(folders)
    job = spool.stage_sound(spool.claim("talk"))
    run_clip(spool, job, job.clips[0])
    spool.cancel(job.id)
    for clip in spool.pending(job):
        spool.fail(job, clip, {"clip": clip.name, "outcome": "failed", "code": "cancelled"})
    spool.close_job(job, {"clips": spool.results(job)})

    assert list(visible(folders)) == ["talk/a.mp4"]
    assert spool.retry(job.id)
    drain(spool)
    assert len(visible(folders)) == 2


def test_a_rejection_that_is_killed_anywhere_is_told_once_with_its_page(memory_path):
    def rejected(n):
        root = memory_path / str(n)
        root.mkdir()
        folders = make_roots(root)
        before = tree(drop(folders, sounds=("a.wav", "b.wav")))
        fs = KillNth(n)
        try:
            reject(make_spool(folders, fs, draw=draw))
        except Killed:
            fs.bury()
        reject(make_spool(folders, draw=draw))
        assert [path.name for path in folders.outbox.iterdir() if path.name[0] != "."] == ["talk"]
        told = json.loads((folders.outbox / "talk" / "job.json").read_text())
        assert told["outcome"] == "rejected"
        assert (folders.outbox / "talk" / "report.html").read_bytes() == draw(told)
        (shelf,) = folders.rejected.iterdir()
        assert tree(shelf / "payload") == before
        assert fsck.check(FsOps(), folders, max_attempts=2, at_rest=True) == []
        return fs.n_changes

    def draw(document):
        return f"<p>{document['message']}</p>".encode()

    for n in range(rejected(0)):
        rejected(n + 1)


def reject(spool):
    """Open, and claim what is ready, as the daemon does."""
    spool.open()
    for name in spool.ready(0.0):
        with pytest.raises(JobLayoutError):
            spool.claim(name)
    spool.close()
