"""Disks and shares that fail: every call may fail once, and nothing is lost or done twice."""

import errno
import os
import shutil

import pytest
from spool_faults import FailNth, LieNth
from spool_model import wrongs_when_finished
from spool_world import drop, insist, make_roots, make_spool

FULL = os.environ.get("HEYGEMD_CRASH_TEST") == "full"
CLIPS = ("a.mp4", "b.mp4")
DROPPED = dict.fromkeys((*CLIPS, "voice.wav"), 1)
FINISHED = ["talk/a.mp4", "talk/b.mp4"]


@pytest.fixture
def world(memory_path):
    """Makes a fresh world for each fault."""

    def fresh():
        shutil.rmtree(memory_path / "world", ignore_errors=True)
        (memory_path / "world").mkdir()
        folders = make_roots(memory_path / "world")
        drop(folders, clips=CLIPS)
        return folders

    return fresh


def wrongs_with(world, make_fs, stride=1, offset=0):
    """Let each matching call fail in turn, in one process that goes on; what was wrong then."""
    counting = make_fs(0)
    insist(make_spool(world(), counting))
    wrongs = []
    for n in range(1 + offset, counting.n_matching + 1, stride):
        folders = world()
        fs = make_fs(n)
        spool = make_spool(folders, fs)
        insist(spool)
        spool.close()
        assert fs.n_failed > 0
        where = f"call {n} of {counting.n_matching}, {fs.failed_at}: "
        wrongs += [where + wrong for wrong in wrongs_when_finished(folders, DROPPED, FINISHED)]
    return wrongs


@pytest.mark.timeout(7200 if FULL else 300)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE])
def test_any_change_may_fail_once(world, code):
    stride = 1 if FULL else 5
    offset = code % stride

    assert wrongs_with(world, lambda n: FailNth(n, code), stride, offset) == []


@pytest.mark.timeout(7200 if FULL else 300)
def test_any_change_may_fail_three_times_in_a_row(world):
    stride = 1 if FULL else 9

    assert wrongs_with(world, lambda n: FailNth(n, errno.ENOSPC, times=3), stride) == []


@pytest.mark.timeout(7200 if FULL else 300)
@pytest.mark.parametrize("ops", [("names",), ("open_file", "open_folder"), ("read",), ("lstat",)])
def test_any_look_may_find_a_stale_share(world, ops):
    stride = 1 if FULL else 17

    assert wrongs_with(world, lambda n: FailNth(n, errno.ESTALE, ops=ops), stride) == []


@pytest.mark.timeout(7200 if FULL else 300)
@pytest.mark.parametrize(
    ("op", "code"),
    [
        ("rename", errno.EIO),
        ("rename", errno.ENOENT),
        ("link", errno.EEXIST),
        ("link", errno.EIO),
        ("mkdir", errno.EEXIST),
        ("mkdir", errno.EIO),
        ("unlink", errno.ENOENT),
        ("create", errno.EIO),
    ],
)
def test_any_change_may_work_and_say_that_it_failed(world, op, code):
    assert wrongs_with(world, lambda n: LieNth(n, code, ops=(op,))) == []
