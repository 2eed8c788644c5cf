"""One scan of the inbox: which job folders are complete, and why the others are not."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field

from heygemd.errors import JobOptionsError
from heygemd.spool import names
from heygemd.spool.fsops import FsOps
from heygemd.spool.layout import SpoolFolders
from heygemd.spool.look import Look, Signature, cut_off_names, glance, look, read_options
from heygemd.spool.settle import Settler

READY_WAIT_S = 2.0  # a folder that says itself that it is complete
CUT_OFF_FACTOR = 6.0  # a file that looks cut off is taken after this many waits: the user's copy
# may have failed for good, and then the clip should fail with a reason rather than wait for ever


@dataclass(slots=True)
class Scan:
    """What one scan saw.

    Attributes:
        ready: names that are complete, those to claim first in front.
        waiting: name -> why not, in plain words.
        settling: names in ``waiting`` that time alone would make ready.
        looks: name -> what was in it, of every folder that could be looked into.
        notices: the ``.WAITING.txt`` files that are there.
    """

    ready: list[str] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    settling: set[str] = field(default_factory=set)
    looks: dict[str, Look] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _FirstSeen:
    at_s: float
    mtime_ns: int


class Inbox:
    """Looks at the inbox again and again, and remembers what stood still.

    Args:
        settle_s: how long a folder must not change.
        marker: a folder without ``.ready`` is never complete.
        is_local: no other host writes here, so a look at what has not changed may be a short one.
    """

    def __init__(
        self,
        fs: FsOps,
        folders: SpoolFolders,
        *,
        settle_s: float,
        marker: bool,
        is_local: bool = False,
    ) -> None:
        self._fs = fs
        self._folders = folders
        self._marker = marker
        self._is_local = is_local
        self._looks: dict[str, Look] = {}
        self._settler = Settler(settle_s)
        self._known: dict[str, _FirstSeen] = {}

    def scan(self, now_s: float, claimed: Mapping[str, Signature]) -> Scan:
        """Look at every job folder once.

        Args:
            now_s: monotonic.
            claimed: folders taken and not accepted yet, relative to the inbox, with the signature
                that they were taken with; they settle again where they are.

        Raises:
            OSError: the inbox itself cannot be listed.
        """
        seen = Scan()
        entries = self._fs.names(self._folders.inbox)
        if any(entry.upper() == names.PAUSE_NAME for entry in entries):
            seen.waiting[names.PAUSE_NAME] = "intake is paused; remove the file PAUSE to go on"
        for name in [*entries, *claimed]:
            self._look(name, seen, now_s)
        for name in self._known.keys() - seen.looks.keys() - seen.waiting.keys():
            del self._known[name]
        self._looks = seen.looks
        settled = self._settle(seen, now_s, claimed)
        if names.PAUSE_NAME in seen.waiting:
            settled = [name for name in settled if name in claimed]
        seen.ready = sorted(settled, key=lambda name: self._turn(name, seen.looks[name]))
        return seen

    def forget(self, name: str) -> None:
        """Start a folder's wait again."""
        self._settler.forget(name)

    def first_seen_s(self, name: str) -> float | None:
        """When a folder was seen first, by the monotonic clock."""
        known = self._known.get(name)
        return known.at_s if known else None

    def _look(self, name: str, seen: Scan, now_s: float) -> None:
        if name.startswith(".") and "/" not in name:
            return
        kind = names.kind_of(name)
        if kind == "junk":
            return
        folder = f"{self._folders.inbox}/{name}"  # pathlib would take half of the whole time
        try:
            if name not in self._known:
                status = self._fs.lstat(folder)
                if not stat.S_ISDIR(status.st_mode):
                    self._note_loose(name, seen)
                    return
                self._known[name] = _FirstSeen(now_s, status.st_mtime_ns)
            if kind == "temp":
                seen.waiting[name] = (
                    "named as if a program still wrote it; rename it when it is whole"
                )
                return
            before = self._looks.get(name) if self._is_local else None
            seen.looks[name] = (
                glance(self._fs, folder, before)
                if before
                else look(self._fs, folder, opens=not self._is_local)
            )
        except FileNotFoundError:  # renamed or deleted under us
            return
        except OSError as error:
            seen.waiting[name] = f"cannot be read now: {error.strerror}"

    def _note_loose(self, name: str, seen: Scan) -> None:
        if name.endswith(".WAITING.txt"):
            seen.notices.append(name)
        elif name.lower() not in {names.PAUSE_NAME.lower(), "readme.txt", "readme.md"}:
            seen.waiting[name] = "a file; put one sound and its videos into a folder of their own"

    def _settle(self, seen: Scan, now_s: float, claimed: Mapping[str, Signature]) -> list[str]:
        waits_s: dict[str, float] = {}
        candidates: dict[str, Signature] = {}
        for name, folder in seen.looks.items():
            why = self._blocked(folder, name in claimed)
            if why:
                seen.waiting[name] = why
                self._settler.forget(name)
                continue
            candidates[name] = folder.signature
            if claimed.get(name) == folder.signature:
                waits_s[name] = 0.0  # it had settled, and nothing has changed since
            elif folder.has_ready:
                waits_s[name] = min(self._settler.settle_s, READY_WAIT_S)
        settled = set(self._settler.settled(candidates, now_s, waits_s=waits_s))
        for name in candidates.keys() - settled:
            quiet_s = self._settler.quiet_s(name, now_s)
            wait_s = waits_s.get(name, self._settler.settle_s)
            seen.waiting[name] = f"unchanged for {quiet_s:.0f} s, want {wait_s:.0f} s"
            seen.settling.add(name)
        return [name for name in candidates if name in settled and self._whole(name, seen, now_s)]

    def _blocked(self, folder: Look, is_claimed: bool) -> str:  # noqa: FBT001 - private
        if folder.busy or is_claimed:
            return folder.busy
        if folder.is_finished:
            return "a finished job; remove the file .heygemd-done to run it again"
        if folder.has_cancel:
            return "cancelled; remove the file CANCEL to go on"
        if self._marker and not folder.has_ready:
            return "waits for the file .ready"
        return _lacks(folder)

    def _whole(self, name: str, seen: Scan, now_s: float) -> bool:
        """True unless a container says that bytes are missing and the writer may come back."""
        patience_s = CUT_OFF_FACTOR * self._settler.settle_s
        if self._settler.quiet_s(name, now_s) >= patience_s:
            return True
        try:
            cut = cut_off_names(self._fs, self._folders.inbox / name, seen.looks[name])
        except OSError as error:
            seen.waiting[name] = f"cannot be read now: {error.strerror}"
            return False
        if cut:
            seen.settling.add(name)
            seen.waiting[name] = (
                f"{', '.join(cut)} looks cut off; taken as it is when unchanged for "
                f"{patience_s:.0f} s"
            )
        return not cut

    def _turn(self, name: str, folder: Look) -> tuple[int, float, int, str]:
        """Higher priority first, then who came first."""
        try:
            priority = read_options(self._fs, self._folders.inbox / name, folder).priority
        except (JobOptionsError, OSError):  # claiming says what is wrong
            priority = 0
        known = self._known[name]
        return -priority, known.at_s, known.mtime_ns, name


def _lacks(folder: Look) -> str:
    """What a folder must still get before it can be judged; empty when nothing."""
    if folder.sounds:
        return ""
    noted = "".join(f"; {name}: {why}" for name, why in folder.ignored)
    if not folder.clips:
        return f"empty: wants one sound and its videos{noted}"
    return f"no audio file yet beside {len(folder.clips)} videos{noted}"
