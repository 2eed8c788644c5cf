"""How long inputs and records of ended jobs stay, and what is swept besides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from heygemd.spool import claim, commit, files, names
from heygemd.spool.site import Site

DAY_S = 86_400.0
STRANGE_AGE_S = 36 * 3600.0  # leftovers of other spools: longer than any job of theirs may take


@dataclass(frozen=True, slots=True)
class Retention:
    """What happens to ended jobs.

    Attributes:
        inputs: ``keep`` for ever, keep for ``days``, ``delete`` at once, or ``return`` the folder
            to the inbox with a file ``.heygemd-done`` in it.
        days: of inputs under ``days``, rejected folders included.
        record_days: after that a job's records go too, once its inputs are gone.
    """

    inputs: Literal["keep", "days", "delete", "return"] = "keep"
    days: float = 30.0
    record_days: float = 90.0


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


def _has_inputs(site: Site, job_id: str) -> bool:
    shelves = (site.folders.archive, site.folders.rejected)
    return any(files.exists(site.fs, shelf / job_id) for shelf in shelves)


def _sweep_inputs(site: Site, job_id: str, policy: Retention, age_s: float) -> bool:
    """Let go of a job's inputs if it is time; what goes is written down before it goes."""
    rejected = files.exists(site.fs, site.folders.job(job_id) / "REJECTED")
    shelf = site.folders.rejected if rejected else site.folders.archive
    if not files.exists(site.fs, shelf / job_id) or not _is_due(policy, age_s, rejected=rejected):
        return False
    site.guard("", "inbox")
    removed = site.folders.job(job_id) / "REMOVED"
    files.put_json(site.fs, removed, {"job_id": job_id, "how": policy.inputs})
    payload = shelf / job_id / "payload"
    if policy.inputs == "return" and files.exists(site.fs, payload):
        files.write_new(site.fs, payload / names.FINISHED_NAME, [f"{job_id}\n".encode()])
        claim.give_back(site, payload, _name_of(site, job_id))
    files.remove_tree(site.fs, shelf / job_id)
    files.sync_dir(site.fs, shelf)
    return True


def _is_due(policy: Retention, age_s: float, *, rejected: bool) -> bool:
    if policy.inputs == "days":
        return age_s > policy.days * DAY_S
    return policy.inputs in {"delete", "return"} and not rejected


def _name_of(site: Site, job_id: str) -> str:
    return str((files.read_json(site.fs, site.folders.manifest(job_id)) or {})["name"])


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
