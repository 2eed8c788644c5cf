"""What stays of ended jobs, and for how long."""

import os
import time
from pathlib import Path

import pytest
from spool_faults import Killed, KillNth
from spool_world import drain, drop, make_roots, opened, run_job, tree

from heygemd.errors import ConfigError, JobLayoutError, TransientError
from heygemd.spool import fsck, shares
from heygemd.spool.fsops import FsOps
from heygemd.spool.queue import Retention, Swept
from heygemd.spool.retention import check_policy, fate_of

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

    assert closed.sweep(Retention(), in_days(5000)) == Swept()
    assert tree(folders.archive) == before


def test_inputs_stay_for_their_days_and_then_go(folders, closed):
    policy = Retention(done=fate_of("30 days"))
    assert closed.sweep(policy, in_days(29)) == Swept()

    assert closed.sweep(policy, in_days(31)) == Swept(n_inputs=1)
    assert list(folders.archive.iterdir()) == []
    assert sound(folders)


def test_inputs_that_are_not_wanted_go_at_once(folders, closed):
    assert closed.sweep(Retention(done=fate_of("delete")), in_days(0)).n_inputs == 1
    assert sound(folders)


def test_returned_inputs_lie_in_the_inbox_and_are_no_new_job(folders, closed):
    (archived,) = folders.archive.iterdir()
    before = tree(archived / "payload")

    closed.sweep(Retention(done=fate_of("return")), in_days(0))

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

    closed.sweep(Retention(done=fate_of("return")), in_days(0))

    assert tree(folders.inbox / "talk") == before
    assert (folders.inbox / "talk~2" / "a.mp4").exists()


def test_records_go_after_their_days_once_the_inputs_are_gone(folders, closed):
    policy = Retention(done=fate_of("delete"), record_days=90)
    closed.sweep(policy, in_days(1))
    assert closed.sweep(policy, in_days(89)).n_records == 0

    assert closed.sweep(policy, in_days(91)).n_records == 1
    assert list(folders.jobs.iterdir()) == []
    assert sound(folders)


def test_records_of_kept_inputs_stay(closed):
    assert closed.sweep(Retention(record_days=1), in_days(99)).n_records == 0


def test_open_jobs_and_outputs_are_never_touched(folders, closed):
    drop(folders, "open")
    closed.claim("open")
    outputs = tree(folders.outbox)
    claims = tree(folders.claims)

    closed.sweep(Retention(done=fate_of("delete"), record_days=0), in_days(5000))

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


def test_every_outcome_has_a_fate_of_its_own(folders):
    failed = folders.inbox.parent / "failed"
    failed.mkdir()
    drop(folders, "whole")
    drop(folders, "half", clips=("a.mp4", "empty.mp4"))
    (folders.inbox / "half" / "empty.mp4").write_bytes(b"")
    drop(folders, "none", clips=("empty.mp4",))
    (folders.inbox / "none" / "empty.mp4").write_bytes(b"")
    drop(folders, "nojob", sounds=("a.wav", "b.wav"))
    spool = opened(folders)
    for name in spool.ready(0.0):
        try:
            spool.claim(name)
        except JobLayoutError:
            continue
    for job in spool.jobs():
        run_job(spool, job)
    policy = Retention(
        done=fate_of("delete"), failed=fate_of(str(failed)), rejected=fate_of("return")
    )

    assert spool.sweep(policy, in_days(0)).n_inputs == 3

    kept = sorted(path.name for path in folders.archive.glob("*/payload/*.mp4"))
    assert kept == ["a.mp4", "empty.mp4"]
    assert sorted(path.name for path in failed.iterdir()) == ["none"]
    assert sorted(path.name for path in folders.inbox.iterdir() if path.name[0] != ".") == ["nojob"]
    assert sound(folders)


def test_a_fate_is_named_in_words():
    assert fate_of("keep").after_days > 10**9
    assert (fate_of("1.5 days").how, fate_of("1.5 days").after_days) == ("delete", 1.5)
    assert fate_of("1 day").after_days == 1
    assert fate_of("/srv/done").folder == Path("/srv/done")


@pytest.mark.parametrize("name", ["missing", "inbox/failed"])
def test_a_folder_that_cannot_take_inputs_is_refused_at_the_start(folders, name):
    (folders.inbox / "failed").mkdir()
    policy = Retention(failed=fate_of(str(folders.inbox.parent / name)))

    with pytest.raises(ConfigError):
        check_policy(folders, policy)


def test_a_folder_on_another_file_system_is_refused_at_the_start(folders, memory_path):
    if memory_path.stat().st_dev == folders.inbox.stat().st_dev:
        pytest.skip("one file system only")
    with pytest.raises(ConfigError, match="another file system"):
        check_policy(folders, Retention(done=fate_of(str(memory_path))))


def test_nothing_is_swept_while_a_share_is_away(folders, closed):
    shares.init_share(FsOps(), folders.inbox, "the inbox")
    closed.ready(0.0)
    folders.inbox.rename(folders.inbox.with_name("away"))
    folders.inbox.mkdir()
    records = tree(folders.jobs)

    with pytest.raises(TransientError):
        closed.sweep(Retention(done=fate_of("delete"), record_days=0), in_days(99))

    assert tree(folders.jobs) == records
    assert list(folders.inbox.iterdir()) == []


@pytest.mark.timeout(120)
def test_a_sweep_that_is_killed_anywhere_is_finished_by_the_next(memory_path):
    policy = Retention(done=fate_of("return"), record_days=0)

    def swept(n):
        root = memory_path / str(n)
        root.mkdir()
        folders = make_roots(root)
        drop(folders)
        spool = opened(folders)
        drain(spool)
        spool.close()
        fs = KillNth()
        spool = opened(folders, fs)
        n_before = fs.n_changes
        fs.n = n_before + n if n else 0
        try:
            spool.sweep(policy, in_days(1))
            spool.close()
        except Killed:
            fs.bury()
        opened(folders).sweep(policy, in_days(1))
        assert sorted(p.name for p in (folders.inbox / "talk").iterdir()) == [
            ".heygemd-done", "a.mp4", "b.mp4", "voice.wav",
        ]  # fmt: skip
        assert list(folders.archive.iterdir()) == []
        assert list(folders.jobs.iterdir()) == []
        assert sound(folders)
        return fs.n_changes - n_before

    n_changes = swept(0)
    assert n_changes > 20
    for n in range(1, n_changes + 1):
        swept(n)
