"""One process's hold on a spool: the lock, the shares, and recovery when either comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from heygemd.errors import BusyError, ConfigError, TransientError
from heygemd.spool import commit, files, recover, shares
from heygemd.spool.fsops import FsOps
from heygemd.spool.holder import holder
from heygemd.spool.layout import OWN, SpoolFolders, check_folders
from heygemd.spool.recover import Recovered
from heygemd.spool.site import Draw, Side, Site


class Session:
    """Opens and closes a spool, and knows whether its shares are there.

    Args:
        fs: the door to the disk.
        folders: the three roots.
        new_id: names the spool at its first opening.
        instance: who we are, in words for people.
        shared: other spools use this inbox too.
        draw: makes a rejected folder's page.
    """

    def __init__(  # noqa: PLR0913 - one call, in Spool
        self,
        fs: FsOps,
        folders: SpoolFolders,
        *,
        new_id: Callable[[], str],
        instance: str,
        shared: bool,
        draw: Draw | None = None,
    ) -> None:
        self._fs = fs
        self._folders = folders
        self._new_id = new_id
        self._instance = instance
        self._shared = shared
        self._draw = draw
        self._lock_fd: int | None = None
        self._site: Site | None = None
        self._share_ids: dict[str, str] = {}
        self._needs_recovery = True

    @property
    def site(self) -> Site:
        """The opened spool's tools."""
        if self._site is None:
            raise ValueError("the spool is not open")
        return self._site

    def open(self) -> Recovered:
        """Take the lock, then recover; where a share is away, recovery waits for it.

        Raises:
            BusyError: another process holds this spool.
            ConfigError: the folders overlap, or are not there and never were.
        """
        check_folders(self._folders)
        if not files.exists(self._fs, self._folders.work):
            self._fs.mkdir(self._folders.work)
        self._lock()
        files.make_dir(self._fs, self._folders.jobs)
        spool_id = self._identify()
        lost = self.lost()
        if not lost:
            return self._recover(spool_id)
        self._refuse_bare_start(lost)
        self._needs_recovery = True
        self._site = Site(self._fs, self._folders, spool_id, commit.LINK, self.guard, self._draw)
        return Recovered(commit.LINK, lost=lost)

    def close(self) -> None:
        """Give the lock back."""
        if self._lock_fd is not None:
            self._fs.release(self._lock_fd)
            self._lock_fd = None

    def _lock(self) -> None:
        if self._lock_fd is not None:
            return
        try:
            self._lock_fd = self._fs.lock(self._folders.work / "instance.lock")
        except BlockingIOError as error:
            raise BusyError(
                f"another heygemd works in {self._folders.work}; stop it, or set folders.work"
            ) from error

    def _identify(self) -> str:
        """This spool's id, made at its first opening; loads what is known of the shares."""
        path = self._folders.work / "spool.json"
        document = files.read_json(self._fs, path)
        if document is None:
            there = {side: f for side, f in self._sides().items() if files.exists(self._fs, f)}
            shares_seen = {side: shares.share_id_of(self._fs, f) for side, f in there.items()}
            document = {"id": self._new_id(), "instance": self._instance, "shares": shares_seen}
            files.put_json(self._fs, path, document)
        self._share_ids = dict(document["shares"])
        return str(document["id"])

    def _recover(self, spool_id: str) -> Recovered:
        fs, folders = self._fs, self._folders
        self._remember_shares(spool_id)
        files.make_dir(fs, folders.inbox / OWN)
        for folder in (folders.claims, folders.archive, folders.rejected, folders.building):
            files.make_dir(fs, folder)
        place = commit.probe(fs, folders.building, spool_id)
        self._site = Site(fs, folders, spool_id, place, self.guard, self._draw)
        recovered = recover.recover(self._site)
        self._needs_recovery = False
        return recovered

    def _sides(self) -> dict[Side, Path]:
        return {"inbox": self._folders.inbox, "outbox": self._folders.outbox}

    def lost(self) -> tuple[Side, ...]:
        """Sides that are not there now: ``inbox``, ``outbox``."""
        return tuple(
            side
            for side, folder in self._sides().items()
            if not shares.is_there(self._fs, folder, self._share_ids.get(side, ""))
        )

    def _refuse_bare_start(self, lost: tuple[Side, ...]) -> None:
        """A folder that never was there is a mistake in the settings, not a share that is away."""
        never = [side for side in lost if side not in self._share_ids]
        if never:
            named = ", ".join(f"folders.{side} {self._sides()[side]}" for side in never)
            raise ConfigError(f"no folder at {named}; make it, or run heygemd init")

    def _remember_shares(self, spool_id: str) -> None:
        found: dict[str, str] = {
            side: shares.share_id_of(self._fs, folder) for side, folder in self._sides().items()
        }
        if found != self._share_ids:
            document = {"id": spool_id, "instance": self._instance, "shares": found}
            files.put_json(self._fs, self._folders.work / "spool.json", document)
            self._share_ids = found

    def guard(self, job_id: str, side: Side) -> None:
        """Let a change of the world outside go ahead.

        Raises:
            TransientError: the share is away, or another spool has taken the job over.
        """
        if side in self.lost():
            where = self._sides()[side]
            raise TransientError(f"the {side} {where} is not there; mount it", code="share_gone")
        if job_id and self._shared and "inbox" not in self.lost():
            self._check_holder(job_id)

    def _check_holder(self, job_id: str) -> None:
        spool_id, epoch = holder(self.site, job_id)
        if spool_id == self.site.spool_id:
            return
        lost = {"job_id": job_id, "spool": spool_id, "epoch": epoch}
        files.put_json(self._fs, self._folders.job(job_id) / "LOST", lost)
        raise TransientError(f"job {job_id} was taken over by {spool_id}", code="claim_lost")

    def is_back(self) -> bool:
        """True when both sides are there, after recovering what waited for them."""
        if self.lost():
            return False
        if self._needs_recovery or not all(self._share_ids.values()):
            self._remember_shares(self.site.spool_id)
        if self._needs_recovery:
            self._recover(self.site.spool_id)
        return True
