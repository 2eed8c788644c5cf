"""What stays of ended jobs, and for how long."""

import os
import time

import pytest
from spool_world import drain, drop, make_roots, opened, tree

from heygemd.spool import fsck
from heygemd.spool.fsops import FsOps
from heygemd.spool.queue import Retention, Swept

DAY_S = 86_400.0


@pytest.fixture
def folders(tmp_path):
    return make_roots(tmp_path)


@pytest.fixture
def closed(folders):
    """A spool with one closed job."""
    drop(folders)
    spool = opened(folders)
    drain(spool)
    return spool


def in_days(n):
    return time.time() + n * DAY_S


def sound(folders):
    return fsck.check(FsOps(), folders, max_attempts=2, at_rest=True) == []


def test_kept_inputs_stay_for_ever(folders, closed):
    before = tree(folders.archive)

    assert closed.sweep(Retention(inputs="keep"), in_days(5000)) == Swept()
    assert tree(folders.archive) == before


def test_inputs_stay_for_their_days_and_then_go(folders, closed):
    policy = Retention(inputs="days", days=30)
    assert closed.sweep(policy, in_days(29)) == Swept()

    assert closed.sweep(policy, in_days(31)) == Swept(n_inputs=1)
    assert list(folders.archive.iterdir()) == []
    assert sound(folders)


def test_inputs_that_are_not_wanted_go_at_once(folders, closed):
    assert closed.sweep(Retention(inputs="delete"), in_days(0)).n_inputs == 1
    assert sound(folders)


def test_returned_inputs_lie_in_the_inbox_and_are_no_new_job(folders, closed):
    (archived,) = folders.archive.iterdir()
    before = tree(archived / "payload")

    closed.sweep(Retention(inputs="return"), in_days(0))

    after = tree(folders.inbox / "talk")
    assert after.pop(".heygemd-done")
    assert after == before
    assert closed.ready(0.0) == []
    assert "finished job" in closed.waiting()["talk"]
    assert sound(folders)
    (folders.inbox / "talk" / ".heygemd-done").unlink()
    assert closed.ready(1.0) == ["talk"]


def test_a_returned_folder_takes_nobodys_place(folders, closed):
    drop(folders, clips=("other.mp4",))
    before = tree(folders.inbox / "talk")

    closed.sweep(Retention(inputs="return"), in_days(0))

    assert tree(folders.inbox / "talk") == before
    assert (folders.inbox / "talk~2" / "a.mp4").exists()


def test_records_go_after_their_days_once_the_inputs_are_gone(folders, closed):
    policy = Retention(inputs="delete", record_days=90)
    closed.sweep(policy, in_days(1))
    assert closed.sweep(policy, in_days(89)).n_records == 0

    assert closed.sweep(policy, in_days(91)).n_records == 1
    assert list(folders.jobs.iterdir()) == []
    assert sound(folders)


def test_records_of_kept_inputs_stay(closed):
    assert closed.sweep(Retention(inputs="keep", record_days=1), in_days(99)).n_records == 0


def test_open_jobs_and_outputs_are_never_touched(folders, closed):
    drop(folders, "open")
    closed.claim("open")
    outputs = tree(folders.outbox)
    claims = tree(folders.claims)

    closed.sweep(Retention(inputs="delete", record_days=0), in_days(5000))

    assert tree(folders.outbox) == outputs
    assert tree(folders.claims) == claims
    assert len(closed.jobs()) == 1


def test_strangers_leftovers_go_when_old_by_the_shares_own_clock(folders, closed):
    building = folders.outbox / ".heygemd-tmp"
    for name, age_s in (("old", 37 * 3600), ("new", 35 * 3600)):
        (building / f"stranger.{name}.part").write_bytes(b"half")
        then = time.time() - age_s
        os.utime(building / f"stranger.{name}.part", (then, then))

    swept = closed.sweep(Retention(), in_days(300))

    assert swept.n_strange == 1
    assert [path.name for path in building.iterdir()] == ["stranger.new.part"]
