"""Kill the spool before every call that changes the disk; what comes back must be whole.

Every call is killed in every run. `make crash-test` (HEYGEMD_CRASH_TEST=full) also kills again at
every call of every recovery and rebuilds every state that a power cut may leave; `make test` takes
a sample of those, with another offset in each part.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from spool_faults import Killed, KillNth
from spool_model import visible, wrongs_at_any_time, wrongs_when_finished
from spool_power import Recorder, lay_out, states
from spool_world import NoLinks, drain, drop, make_roots, make_spool, tree

from heygemd.errors import HeygemdError
from heygemd.spool import claim, outdir, publish
from heygemd.spool.queue import Spool, SpoolFolders

FULL = os.environ.get("HEYGEMD_CRASH_TEST") == "full"
CLIPS = ("a.mp4", "b.mp4")
DROPPED = dict.fromkeys((*CLIPS, "voice.wav"), 1)
FINISHED = ["talk/a.mp4", "talk/b.mp4"]


def run(folders, fs=None, max_attempts=2):
    """One process's life: open, claim, render, publish, close."""
    spool = make_spool(folders, fs, max_attempts=max_attempts)
    spool.open()
    drain(spool)
    spool.close()


class KillNthWithoutLinks(KillNth, NoLinks):
    """The same on a share that reserves names."""


def killed_run(folders, n, max_attempts=2, door=KillNth):
    """A life that ends before change ``n``; the door, to see where."""
    fs = door(n)
    try:
        run(folders, fs, max_attempts)
    except Killed:
        fs.bury()
    return fs


@pytest.fixture
def world(memory_path):
    """Makes a fresh world for each kill."""

    def fresh():
        shutil.rmtree(memory_path / "world", ignore_errors=True)
        (memory_path / "world").mkdir()
        folders = make_roots(memory_path / "world")
        drop(folders, clips=CLIPS)
        return folders

    return fresh


def n_changes(world):
    return killed_run(world(), 0).n_changes


def crash(folders, kills, max_attempts, door=KillNth):
    """Die at each of ``kills``, then run to the end; what was wrong on the way."""
    wrongs, seen = [], {}
    for n in kills:
        fs = killed_run(folders, n, max_attempts, door)
        where = f"killed before change {n}, {fs.died_at}: "
        wrongs += [where + wrong for wrong in wrongs_at_any_time(folders, DROPPED, max_attempts)]
        wrongs += [where + f"{name} changed" for name in seen.items() - visible(folders).items()]
        seen = visible(folders)
    run(folders, door(), max_attempts)
    where = f"killed before {kills}, {fs.died_at}: "
    wrongs += [
        where + wrong for wrong in wrongs_when_finished(folders, DROPPED, FINISHED, max_attempts)
    ]
    wrongs += [where + f"{name} changed" for name in seen.items() - visible(folders).items()]
    return wrongs


def test_an_undisturbed_run_is_whole_and_a_second_one_changes_nothing(world):
    folders = world()
    run(folders)
    assert wrongs_when_finished(folders, DROPPED, FINISHED) == []
    before = tree(folders.inbox.parent)

    run(folders)

    assert tree(folders.inbox.parent) == before


PARTS = 16 if FULL else 4


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(8))
def test_a_kill_before_any_change_loses_nothing_and_repeats_nothing(world, tally, part):
    for n in range(1 + part, n_changes(world) + 1, 8):
        assert crash(world(), [n], max_attempts=2) == []
        tally["kill points"] += 1


@pytest.mark.timeout(600)
def test_a_kill_while_a_name_is_reserved_loses_nothing_and_repeats_nothing(world, tally):
    changes = killed_run(world(), 0, door=KillNthWithoutLinks).changes
    about = {n for n, change in enumerate(changes, start=1) if ".lock" in change}
    assert len(about) > 10
    for n in sorted(about | {n + 1 for n in about}):
        assert crash(world(), [n], max_attempts=2, door=KillNthWithoutLinks) == []
        tally["kill points without links"] += 1


def second_kills(world, first):
    """Every change of the recovery after a kill before change ``first``, and some of what follows.

    What follows a recovery is an ordinary life, and that was killed everywhere by itself.
    """
    folders, fs = world(), KillNth()
    killed_run(folders, first)
    spool = make_spool(folders, fs, max_attempts=3)
    spool.open()
    n_recovery = fs.n_changes
    drain(spool)
    spool.close()
    return [*range(1, n_recovery + 2), *range(n_recovery + 2, fs.n_changes + 1, 7)]


@pytest.mark.timeout(7200 if FULL else 600)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_second_kill_in_recovery_changes_nothing_of_that(world, tally, part):
    first_stride, second_stride = (PARTS, 1) if FULL else (60, 7)
    for first in range(1 + part, n_changes(world) + 1, first_stride):
        for second in second_kills(world, first)[part % second_stride :: second_stride]:
            assert crash(world(), [first, second], max_attempts=3) == []
            tally["double kills"] += 1


@pytest.mark.timeout(7200 if FULL else 600)
def test_recovering_twice_leaves_the_same_tree_as_recovering_once(world):
    for n in range(1, n_changes(world) + 1, 1 if FULL else 9):
        folders = world()
        killed_run(folders, n)
        spool = make_spool(folders)
        spool.open()
        before = tree(folders.inbox.parent)
        spool.open()
        spool.close()
        assert tree(folders.inbox.parent) == before, f"killed before change {n}"


def recorded_run(folders, **choices):
    recorder = Recorder(folders.inbox.parent, **choices)
    spool = make_spool(folders, recorder)
    spool.open()
    drain(spool, rendered=recorder.note_written)
    spool.close()
    return recorder


def power_wrongs(recorder, root, stride, offset=0, tried=None):
    """Yield what was wrong after any power cut, and after the next run."""
    for what, state in states(recorder, stride, offset):
        if tried is not None:
            tried["power-cut states"] += 1
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        lay_out(state, root)
        folders = SpoolFolders(root / "inbox", root / "outbox", root / "work")
        found = wrongs_at_any_time(folders, DROPPED)
        try:
            run(folders)
        except HeygemdError as error:
            found.append(f"does not come back: {error}")
        found += wrongs_when_finished(folders, DROPPED, FINISHED)
        yield from (f"{what}: {wrong}" for wrong in found)


@pytest.mark.timeout(14_400 if FULL else 900)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_power_cut_anywhere_loses_nothing_and_repeats_nothing(world, memory_path, tally, part):
    recorder, tried = recorded_run(world()), Counter()
    stride = PARTS if FULL else 24

    assert list(power_wrongs(recorder, memory_path / "cut", stride, part, tried)) == []
    tally.update(tried)


# -- tests of the tests: each broken spool must be caught ------------------------------------------


def wrongs_around(world, pattern):
    """What the kill harness says when it kills right before and after changes like ``pattern``."""
    changes = killed_run(world(), 0).changes
    around = {
        n + later
        for n, change in enumerate(changes, start=1)
        if re.search(pattern, change)
        for later in (0, 1, 2)
    }
    return [wrong for n in sorted(around) for wrong in crash(world(), [n], max_attempts=3)]


def test_the_harness_catches_a_missing_data_fsync(world, memory_path):
    recorder = recorded_run(world(), data_syncs=False)

    assert any("half an mp4" in wrong for wrong in power_wrongs(recorder, memory_path / "cut", 9))


def test_the_harness_catches_a_missing_directory_fsync(world, memory_path):
    recorder = recorded_run(world(), folder_syncs=False)

    assert any("gone" in wrong for wrong in power_wrongs(recorder, memory_path / "cut", 9))


def test_the_harness_catches_done_before_publish(world, monkeypatch):
    deliver = publish.deliver

    def hasty(site, job, clip, intent):
        record = site.folders.record("done", job.id, clip.id)
        publish.files.put_json(site.fs, record, {**publish._output(intent), "log": {}})
        return deliver(site, job, clip, intent)

    monkeypatch.setattr(publish, "deliver", hasty)

    wrongs = wrongs_around(world, r"rename .*/done/")

    assert any("visible ['talk/b.mp4']" in wrong for wrong in wrongs)


def test_the_harness_catches_writing_in_place(world, monkeypatch):
    def in_place(fs, _way, part, final, **_):
        publish.files.write_new(fs, final, [part.read_bytes()])

    monkeypatch.setattr(publish.commit, "place", in_place)

    assert any("half an mp4" in wrong for wrong in wrongs_around(world, r"create .*talk/a.mp4"))


def test_the_harness_catches_archive_first(world, monkeypatch):
    close_job = Spool.close_job

    def hasty(spool, job, log):
        folders = spool._folders
        claim.move_claim(spool._site, job.id, folders.claims, folders.archive)
        return close_job(spool, job, log)

    monkeypatch.setattr(Spool, "close_job", hasty)

    wrongs = wrongs_around(world, r"rename .*/claims/\S+ .*/archive/")

    assert any("holds ['.owner', 'a.json'" in wrong for wrong in wrongs)


def test_the_harness_catches_claim_json_after_the_rename(world, monkeypatch):
    put_json, late = claim.put_json, []

    def later(fs, path, document):
        if path.name == "claim.json":
            late[:] = [(fs, path, document)]
        else:
            put_json(fs, path, document)

    def settle(_fs, _folders, _job_id):
        while late:
            put_json(*late.pop())

    monkeypatch.setattr(claim, "put_json", later)
    monkeypatch.setattr(claim, "settle_claim", settle)

    assert any("outbox holds" in wrong for wrong in wrongs_around(world, r"rename .*payload"))


def test_the_harness_catches_a_missing_intent(world, monkeypatch):
    monkeypatch.setattr(publish, "_put_intent", lambda *_: None)
    wrongs = wrongs_around(world, r"link .*a.mp4")

    assert any("visible ['talk/a.mp4', 'talk/a~2.mp4'" in wrong for wrong in wrongs)


def test_the_harness_catches_an_owner_file_put_into_a_visible_folder(world, monkeypatch):
    rename_in = outdir._rename_in

    def bare(site, hidden, name):
        (hidden / ".owner").unlink()
        chosen = rename_in(site, hidden, name)
        owner = site.folders.outbox / chosen / ".owner"
        publish.files.put(site.fs, owner, hidden.name.split(".")[1].encode())
        return chosen

    monkeypatch.setattr(outdir, "_rename_in", bare)

    wrongs = wrongs_around(world, r"rename .*\.d .*/outbox/")

    assert any("outbox holds ['talk', 'talk~2']" in wrong for wrong in wrongs)


# -- the same with a real process and a real SIGKILL -----------------------------------------------

LIFE = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from spool_faults import KillNth
from heygemd.spool.queue import SpoolFolders
import test_spool_crash

class SigKillNth(KillNth):
    def before(self, name, args):
        self.n_changes += name in self.CHANGES
        if self.n_changes == self.n:
            os.kill(os.getpid(), signal.SIGKILL)

root = Path(sys.argv[2])
folders = SpoolFolders(root / "inbox", root / "outbox", root / "work")
test_spool_crash.run(folders, SigKillNth(int(sys.argv[3])))
"""


def process_run(folders, n):
    """A life of its own process; its exit status, -SIGKILL when it was killed before change n."""
    here = Path(__file__).parent
    command = [sys.executable, "-c", LIFE, str(here), str(folders.inbox.parent), str(n)]
    return subprocess.run(command, cwd=here.parent, check=False, timeout=60).returncode


@pytest.mark.timeout(7200 if FULL else 600)
def test_a_process_that_is_really_killed_leaves_a_spool_that_another_one_finishes(world):
    last = n_changes(world)
    for n in range(11, last, 7 if FULL else last // 3):
        folders = world()
        assert process_run(folders, n) == -signal.SIGKILL
        assert wrongs_at_any_time(folders, DROPPED) == []
        run(folders)
        assert wrongs_when_finished(folders, DROPPED, FINISHED) == []
