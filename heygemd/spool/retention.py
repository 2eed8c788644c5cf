"""How long inputs and records of ended jobs stay, and what is swept besides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from heygemd.errors import ConfigError
from heygemd.spool import claim, commit, files, names
from heygemd.spool.layout import SpoolFolders
from heygemd.spool.site import Site

DAY_S = 86_400.0
STRANGE_AGE_S = 36 * 3600.0  # leftovers of other spools: longer than any job of theirs may take

Outcome = Literal["done", "partial", "failed", "rejected"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an ended job's inputs, and when.

    Attributes:
        how: ``delete`` them, ``return`` the folder to the inbox with a file ``.heygemd-done`` in
            it, or ``move`` it to ``folder``.
        after_days: infinite keeps them.
        folder: on the file system of the inbox.
    """

    how: Literal["delete", "return", "move"] = "delete"
    after_days: float = math.inf
    folder: Path | None = None


KEEP = Fate()


def fate_of(words: str) -> Fate:
    """The fate that a setting names: ``keep``, ``30 days``, ``delete``, ``return`` or a folder."""
    if words == "keep":
        return KEEP
    if words.startswith("/"):
        return Fate("move", 0.0, Path(words))
    if words == "return":
        return Fate("return", 0.0)
    return Fate("delete", 0.0 if words == "delete" else float(words.split(maxsplit=1)[0]))


@dataclass(frozen=True, slots=True)
class Retention:
    """What happens to ended jobs, by how they ended.

    Attributes:
        done: every clip is done.
        partial: some are.
        failed: none is.
        rejected: the folder was no job.
        record_days: after that a job's records go too, once its inputs are gone.
    """

    done: Fate = KEEP
    partial: Fate = KEEP
    failed: Fate = KEEP
    rejected: Fate = KEEP
    record_days: float = 90.0

    def fate(self, outcome: Outcome) -> Fate:
        """What becomes of the inputs of a job that ended like this."""
        fate: Fate = getattr(self, outcome)
        return fate


def check_policy(folders: SpoolFolders, policy: Retention) -> None:
    """Refuse folders that inputs could not be moved to by a rename, or would be found in again.

    Raises:
        ConfigError: there is no such folder, it is on another disk, or in the way.
    """
    fates = (policy.done, policy.partial, policy.failed, policy.rejected)
    for folder in {fate.folder for fate in fates if fate.folder}:
        for root in (folders.inbox, folders.outbox, folders.work):
            if folder.resolve().is_relative_to(root.resolve()):
                raise ConfigError(f"inputs would go to {folder}, which lies in {root}")
        if not folders.inbox.is_dir():  # the share is away; moving waits for it
            continue
        if not folder.is_dir():
            raise ConfigError(f"no folder at {folder}, where inputs shall go; make it")
        if folder.stat().st_dev != folders.inbox.stat().st_dev:
            raise ConfigError(
                f"{folder} is on another file system than the inbox {folders.inbox}; inputs are "
                "moved by a rename, which needs one"
            )


@dataclass(frozen=True, slots=True)
class Swept:
    """How many of each were removed or returned."""

    n_inputs: int = 0
    n_records: int = 0
    n_strange: int = 0


def sweep(site: Site, policy: Retention, now_unix_s: float) -> Swept:
    """Do what retention says; only closed and rejected jobs are touched, and never outputs.

    Args:
        site: the spool.
        policy: what to keep.
        now_unix_s: wall clock of this machine, compared with the work disk's own time stamps.
    """
    for side in ("inbox", "outbox"):  # what is away is not gone
        site.guard("", side)
    n_inputs = n_records = 0
    for job_id in files.entries(site.fs, site.folders.jobs):
        age_s = _ended_since_s(site, job_id, now_unix_s)
        if age_s is None:
            continue
        n_inputs += _sweep_inputs(site, job_id, policy, age_s)
        if age_s > policy.record_days * DAY_S and not _has_inputs(site, job_id):
            _forget(site, job_id)
            n_records += 1
    return Swept(n_inputs, n_records, _sweep_strange(site))


def _ended_since_s(site: Site, job_id: str, now_unix_s: float) -> float | None:
    """How long ago a job has ended, None for one that has not."""
    for mark in ("CLOSED", "REJECTED", "LOST"):
        path = site.folders.job(job_id) / mark
        if files.exists(site.fs, path):
            return now_unix_s - site.fs.lstat(path).st_mtime
    return None


def _is_lost(site: Site, job_id: str) -> bool:
    """True for a job that another spool goes on with: its inputs are that one's business."""
    return files.exists(site.fs, site.folders.job(job_id) / "LOST")


def _has_inputs(site: Site, job_id: str) -> bool:
    if _is_lost(site, job_id):
        return False
    shelves = (site.folders.archive, site.folders.rejected)
    return any(files.exists(site.fs, shelf / job_id) for shelf in shelves)


def _outcome(site: Site, job_id: str) -> Outcome:
    job = site.folders.job(job_id)
    if files.exists(site.fs, job / "REJECTED"):
        return "rejected"
    if not files.entries(site.fs, job / "fail"):
        return "done"
    return "partial" if files.entries(site.fs, job / "done") else "failed"


def _sweep_inputs(site: Site, job_id: str, policy: Retention, age_s: float) -> bool:
    """Let go of a job's inputs if it is time; what goes is written down before it goes."""
    outcome = _outcome(site, job_id)
    fate = policy.fate(outcome)
    shelf = site.folders.rejected if outcome == "rejected" else site.folders.archive
    if age_s < fate.after_days * DAY_S or not _has_inputs(site, job_id):
        return False
    site.guard("", "inbox")
    removed = site.folders.job(job_id) / "REMOVED"
    files.put_json(site.fs, removed, {"job_id": job_id, "how": fate.how, "to": fate.folder})
    payload = shelf / job_id / "payload"
    if fate.how != "delete" and files.exists(site.fs, payload):
        if fate.how == "return":
            files.write_new(site.fs, payload / names.FINISHED_NAME, [f"{job_id}\n".encode()])
        home = fate.folder or site.folders.inbox
        claim.give_back(site, payload, home, claim.name_of(site, job_id))
    files.remove_tree(site.fs, shelf / job_id)
    files.sync_dir(site.fs, shelf)
    return True


def _forget(site: Site, job_id: str) -> None:
    """Remove a job's records as a whole: half of them would be another job."""
    files.make_dir(site.fs, site.folders.trash)
    site.fs.rename(site.folders.job(job_id), site.folders.trash / job_id)
    files.sync_dir(site.fs, site.folders.jobs)
    empty_trash(site)


def empty_trash(site: Site) -> int:
    """Finish forgetting; how many jobs."""
    names_left = files.all_entries(site.fs, site.folders.trash)
    for name in names_left:
        files.remove_tree(site.fs, site.folders.trash / name)
    return len(names_left)


def _sweep_strange(site: Site) -> int:
    """Remove leftovers of other spools, old by the share's own clock; how many."""
    building = site.folders.building
    strange = [n for n in site.fs.names(building) if not n.startswith(f"{site.spool_id}.")]
    if not strange:
        return 0
    site.guard("", "outbox")
    probe = site.growing("clock", "probe")
    files.write_new(site.fs, probe, [b"."])
    now_there_s = site.fs.lstat(probe).st_mtime
    files.remove(site.fs, probe)
    n_swept = 0
    for name in strange:
        if now_there_s - site.fs.lstat(building / name).st_mtime > STRANGE_AGE_S:
            remove = commit.break_lock if name.endswith(commit.LOCKS) else files.remove_tree
            remove(site.fs, building / name)
            n_swept += 1
    return n_swept
