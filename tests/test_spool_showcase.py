"""What a job shows beside its outputs: replaced as a whole, kept apart per clip."""

import errno

import pytest
from spool_world import FastFs, drop, make_roots, opened, run_job

from heygemd.errors import TransientError
from heygemd.spool.fsck import check


@pytest.fixture
def claimed(tmp_path):
    folders = make_roots(tmp_path)
    drop(folders)
    spool = opened(folders)
    (name,) = spool.ready(0.0)
    job = spool.claim(name)
    yield folders, spool, job
    spool.close()


def test_a_page_is_replaced_as_a_whole_in_the_jobs_outbox_folder(claimed):
    folders, spool, job = claimed
    for content in (b"first", b"second"):
        spool.showcase().show(job, "report.html", content)
    assert (folders.outbox / job.out_name / "report.html").read_bytes() == b"second"


def test_pictures_are_kept_per_clip_and_found_after_a_restart(claimed):
    folders, spool, job = claimed
    first, second = job.clips
    spool.showcase().keep(job, first, {"sheet.jpg": b"1", "wave.svg": b"<svg/>"})
    spool.showcase().keep(job, second, {"sheet.jpg": b"2"})
    spool.close()
    again = opened(folders)
    try:
        assert again.showcase().kept(job, first) == {"sheet.jpg": b"1", "wave.svg": b"<svg/>"}
        assert again.showcase().kept(job, second) == {"sheet.jpg": b"2"}
    finally:
        again.close()


def test_a_clip_without_pictures_has_none(claimed):
    _, spool, job = claimed
    assert spool.showcase().kept(job, job.clips[0]) == {}


def test_a_full_outbox_is_transient_and_leaves_nothing_half(tmp_path):
    class Full(FastFs):
        full = False

        def write(self, fd, data):
            if self.full:
                raise OSError(errno.ENOSPC, "no space")
            return super().write(fd, data)

    folders = make_roots(tmp_path)
    drop(folders)
    fs = Full()
    spool = opened(folders, fs)
    (name,) = spool.ready(0.0)
    job = spool.claim(name)
    fs.full = True
    with pytest.raises(TransientError):
        spool.showcase().show(job, "report.html", b"page")
    assert not (folders.outbox / job.out_name / "report.html").exists()
    spool.close()


def test_what_is_shown_and_kept_breaks_no_promise_of_the_spool(claimed):
    folders, spool, job = claimed
    spool.showcase().keep(job, job.clips[0], {"sheet.jpg": b"1"})
    spool.showcase().show(job, "progress.json", b"{}")
    run_job(spool, job)
    spool.close()
    assert check(FastFs(), folders, max_attempts=2, at_rest=True) == []
