"""Anything may happen at any time, in any order; nothing is lost, half, or there twice."""

import errno
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from spool_faults import Killed, WatchedFs
from spool_model import COMPLETE, fsck_wrongs, inputs, visible
from spool_world import FastFs, drain, make_roots, make_spool

from heygemd.errors import JobLayoutError, TransientError
from heygemd.spool import shares

FULL = os.environ.get("HEYGEMD_CRASH_TEST") == "full"
MANY_ATTEMPTS = 1000


class StormFs(WatchedFs):
    """Dies after so many changes, and has no room left while the disk is full."""

    def __init__(self):
        self.kill_in = 0
        self.full = False
        self.dead = False
        super().__init__()

    def before(self, name, args):
        if self.dead:
            raise Killed
        if self.full and name in {"create", "write", "mkdir"}:
            raise OSError(errno.ENOSPC, "no space left", self.path_of(args))
        if self.kill_in and name in self.CHANGES:
            self.kill_in -= 1
            if not self.kill_in:
                self.dead = True
                raise Killed


class SpoolMachine(RuleBasedStateMachine):
    """People, a daemon, and the weather."""

    @initialize(settle_s=st.sampled_from([0.0, 0.0, 2.0]))
    def start(self, settle_s):
        memory = Path("/dev/shm")  # noqa: S108 - a fresh folder below it
        self.root = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
        self.folders = make_roots(self.root)
        for side in (self.folders.inbox, self.folders.outbox):
            shares.init_share(FastFs(), side, f"id of {side.name}")
        self.dropped = Counter()
        self.n_jobs = 0
        self.now_s = 0.0
        self.away = {}
        self.published = {}
        self.full = False
        self.settle_s = settle_s
        self.drop(n_clips=2, has_sound=True)
        self.live()
        self.spool.open()  # a share that was never seen cannot be missed

    def live(self):
        self.fs = StormFs()
        self.fs.full = self.full
        self.spool = make_spool(
            self.folders, self.fs, max_attempts=MANY_ATTEMPTS, settle_s=self.settle_s, spare_bytes=0
        )

    def life(self, *, kill_in=0):
        """One round of a daemon, which may end with its death."""
        self.fs.kill_in = kill_in
        self.now_s += 1.0
        try:
            self.spool.open()
            drain(self.spool, self.now_s)
        except TransientError:
            pass
        except Killed:
            self.fs.bury()
            self.live()
            return
        self.fs.kill_in = 0

    def open_folders(self):
        if "inbox" in self.away:
            return []
        return sorted(p for p in self.folders.inbox.iterdir() if p.name.startswith("job"))

    @rule(n_clips=st.integers(1, 2), has_sound=st.booleans())
    @precondition(lambda self: "inbox" not in self.away and self.n_jobs < 4)
    def drop(self, n_clips, has_sound):
        self.n_jobs += 1
        folder = self.folders.inbox / f"job{self.n_jobs}"
        folder.mkdir()
        files = [f"{folder.name}-{n}.mp4" for n in range(n_clips)]
        files += [f"{folder.name}.wav"] * has_sound
        for name in files:
            (folder / name).write_bytes(b"some bytes")
        self.dropped.update(files)

    @rule(data=st.data())
    @precondition(lambda self: self.open_folders())
    def grow(self, data):
        folder = data.draw(st.sampled_from(self.open_folders()))
        for path in sorted(folder.iterdir())[:1]:
            with path.open("ab") as writer:
                writer.write(b"more")

    @rule(data=st.data())
    @precondition(lambda self: self.open_folders())
    def add_the_sound(self, data):
        folder = data.draw(st.sampled_from(self.open_folders()))
        if not list(folder.glob("*.wav")):
            name = f"{folder.name}.wav"
            (folder / name).write_bytes(b"some sound")
            self.dropped.update([name])

    @rule(data=st.data())
    @precondition(lambda self: self.open_folders())
    def rename(self, data):
        folder = data.draw(st.sampled_from(self.open_folders()))
        folder.rename(folder.with_name(f"{folder.name}x"))

    @rule()
    @precondition(lambda self: "inbox" not in self.away)
    def pause_or_go_on(self):
        pause = self.folders.inbox / "PAUSE"
        if pause.exists():
            pause.unlink()
        else:
            pause.touch()

    @rule(n_rounds=st.integers(1, 5))
    def run(self, n_rounds):
        for _ in range(n_rounds):
            self.life()

    @rule(kills_in=st.lists(st.integers(1, 250), min_size=1, max_size=3))
    def run_and_die(self, kills_in):
        for kill_in in kills_in:
            self.life(kill_in=kill_in)

    @rule()
    def restart(self):
        self.spool.close()
        self.fs.bury()
        self.live()

    @rule()
    def fill_or_free_the_disk(self):
        self.full = self.fs.full = not self.full

    @rule(side=st.sampled_from(["inbox", "outbox"]))
    def unplug_or_plug(self, side):
        root = getattr(self.folders, side)
        if side in self.away:
            assert list(root.iterdir()) == [], "written to a bare mount point"
            root.rmdir()
            self.away.pop(side).rename(root)
        else:
            self.away[side] = root.with_name(f"{side}-away")
            root.rename(self.away[side])
            root.mkdir()

    @invariant()
    def nothing_is_lost_half_or_changed(self):
        if not hasattr(self, "root") or self.away:
            return
        assert inputs(self.folders) == self.dropped
        seen = visible(self.folders)
        assert all(COMPLETE.fullmatch(data) for data in seen.values())
        assert self.published.items() <= seen.items()
        self.published = seen
        names = Counter(Path(name).name for name in seen)
        assert not names or max(names.values()) == 1
        if (self.folders.work / "jobs").exists():
            assert fsck_wrongs(self.folders, MANY_ATTEMPTS, at_rest=False) == []

    def teardown(self):
        if not hasattr(self, "root"):
            return
        for side in list(self.away):
            self.unplug_or_plug(side)
        if self.full:
            self.fill_or_free_the_disk()
        (self.folders.inbox / "PAUSE").unlink(missing_ok=True)
        for folder in self.open_folders():
            if not list(folder.glob("*.wav")):
                (folder / f"{folder.name}.wav").write_bytes(b"some sound")
                self.dropped.update([f"{folder.name}.wav"])
        try:
            for _ in range(20):
                self.life()
        except JobLayoutError as error:
            raise AssertionError(f"rejected: {error}") from error
        self.nothing_is_lost_half_or_changed()
        wanted = sorted(name for name in self.dropped if name.endswith(".mp4"))
        assert sorted(Path(name).name for name in visible(self.folders)) == wanted
        assert fsck_wrongs(self.folders, MANY_ATTEMPTS, at_rest=True) == []
        self.spool.close()
        self.fs.bury()
        shutil.rmtree(self.root)


TestSpoolMachine = pytest.mark.timeout(3000 if FULL else 120)(SpoolMachine.TestCase)
TestSpoolMachine.settings = settings(
    max_examples=300 if FULL else 40,
    stateful_step_count=40 if FULL else 12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
