"""Doors to the disk that kill, fail, lie and remember."""

import errno
import os

from spool_world import FastFs

from heygemd.spool.fsops import FsOps

OPENERS = ("create", "open_file", "open_folder", "lock")
CLOSERS = ("close", "release")
LOOKS = ("open_file", "open_folder", "read", "read_at", "fstat", "lstat", "names", "free_bytes")


class Killed(BaseException):
    """The process has died at this call; nothing after it happens."""


class WatchedFs(FastFs):
    """Calls ``before`` and ``after`` around every call, and knows which descriptors are open."""

    def __init__(self):
        super().__init__()
        self.fds = {}
        for name in (*FsOps.CHANGES, *LOOKS, "lock", "release"):
            setattr(self, name, self._watched(name, getattr(self, name)))

    def _watched(self, name, call):
        def watched(*args):
            self.before(name, args)
            result = call(*args)
            if name in OPENERS:
                self.fds[result] = args[0]
            if name in CLOSERS:
                self.fds.pop(args[0], None)
            self.after(name, args)
            return result

        return watched

    def path_of(self, args):
        """The path a call is about, through its descriptor where it has one."""
        return str(self.fds.get(args[0], args[0]))

    def before(self, name, args):
        pass

    def after(self, name, args):
        pass

    def bury(self):
        """Close what a dead process had open, as the kernel would."""
        for fd in list(self.fds):
            os.close(fd)
        self.fds.clear()


class KillNth(WatchedFs):
    """Dies before the nth call that changes the disk; n = 0 only counts."""

    def __init__(self, n=0):
        self.n = n
        self.n_changes = 0
        self.dead = False
        self.died_at = ""
        self.changes = []
        super().__init__()

    def before(self, name, args):
        if self.dead:
            raise Killed
        if name not in FsOps.CHANGES:
            return
        self.n_changes += 1
        self.changes.append(" ".join([name, self.path_of(args), *map(str, args[1:])]))
        if self.n_changes == self.n:
            self.dead = True
            self.died_at = self.changes[-1]
            raise Killed


class FailNth(WatchedFs):
    """Fails the nth matching call with an errno, ``times`` in a row."""

    def __init__(self, n=0, code=errno.EIO, *, ops=FsOps.CHANGES, where="", times=1):
        self.n = n
        self.code = code
        self.ops = ops
        self.where = where
        self.times = times
        self.n_matching = 0
        self.n_failed = 0
        self.failed_at = ""
        super().__init__()

    def matches(self, name, args):
        if name not in self.ops or self.where not in self.path_of(args):
            return False
        self.n_matching += 1
        return bool(self.n) and self.n <= self.n_matching < self.n + self.times

    def before(self, name, args):
        if self.matches(name, args):
            self.n_failed += 1
            self.failed_at = " ".join([name, self.path_of(args), *map(str, args[1:])])
            if name == "close":  # the kernel frees the descriptor whatever close(2) says
                os.close(args[0])
                self.fds.pop(args[0], None)
            raise OSError(self.code, os.strerror(self.code), self.path_of(args))


class LieNth(FailNth):
    """Does the nth matching call, then says that it failed."""

    def before(self, name, args):
        pass

    def after(self, name, args):
        if self.matches(name, args):
            self.n_failed += 1
            self.failed_at = " ".join([name, self.path_of(args), *map(str, args[1:])])
            raise OSError(self.code, os.strerror(self.code), self.path_of(args))
