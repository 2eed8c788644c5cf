"""What people may ask of a job: stop it, or do again what failed."""

from __future__ import annotations

from heygemd.errors import JobError
from heygemd.records import Job
from heygemd.spool import claim, files, outdir
from heygemd.spool.layout import RECORD_FOLDERS
from heygemd.spool.site import Site

CANCEL = "CANCEL"


def cancel(site: Site, job_id: str) -> None:
    """Have the job's remaining clips fail as ``cancelled``; a clip at work ends first."""
    files.write_new(site.fs, site.folders.job(job_id) / CANCEL, [])
    files.sync_dir(site.fs, site.folders.job(job_id))


def is_cancelled(site: Site, job: Job) -> bool:
    """True when ``cancel`` was called, or a file CANCEL lies in the job's outbox folder."""
    if files.exists(site.fs, site.folders.job(job.id) / CANCEL):
        return True
    out_name = outdir.moved_name(site, job.id) or job.out_name
    return files.exists(site.fs, site.folders.outbox / out_name / CANCEL)


def retry(site: Site, job_id: str) -> bool:
    """Open a closed job again, with the clips that failed; False when none did.

    The inputs go back from the archive to the claims; what is done stays done.

    Raises:
        JobError: the job is not closed, or its inputs are no longer kept.
    """
    fs, folders = site.fs, site.folders
    if not files.exists(fs, folders.job(job_id) / "CLOSED"):
        raise JobError(f"job {job_id} is not closed; only a closed job can be done again")
    if not files.entries(fs, folders.job(job_id) / "fail"):
        return False
    if not any(files.exists(fs, shelf / job_id) for shelf in (folders.archive, folders.claims)):
        raise JobError(
            f"the inputs of job {job_id} are no longer kept; drop the folder again",
            code="input_gone",
        )
    files.put_json(fs, folders.job(job_id) / "REOPEN", {"job_id": job_id})
    finish_retry(site, job_id)
    return True


def finish_retry(site: Site, job_id: str) -> None:
    """The rest of a retry, from its REOPEN record on; safe to repeat.

    job.json goes first, for it says that all is over; CLOSED goes last, for until then the job
    does not count as open.
    """
    fs, folders = site.fs, site.folders
    site.guard(job_id, "outbox")
    job = claim.read_job(site, job_id)
    folder = folders.outbox / job.out_name
    if outdir.owner(site, job.out_name) == job_id:
        files.remove(fs, folder / "job.json")
        files.remove(fs, folder / CANCEL)
        files.sync_dir(fs, folder)
    claim.move_claim(site, job_id, folders.archive, folders.claims)
    for kind in RECORD_FOLDERS:
        files.make_dir(fs, folders.job(job_id) / kind)
    failed = files.entries(fs, folders.job(job_id) / "fail")
    _remove_all(site, job_id, "att", [f"{clip_id}." for clip_id in failed])
    _remove_all(site, job_id, "fail", failed)
    files.remove(fs, folders.job(job_id) / CANCEL)
    files.remove(fs, folders.job(job_id) / "CLOSED")
    files.sync_dir(fs, folders.job(job_id))
    files.remove(fs, folders.job(job_id) / "REOPEN")
    files.sync_dir(fs, folders.job(job_id))


def _remove_all(site: Site, job_id: str, kind: str, prefixes: list[str]) -> None:
    folder = site.folders.job(job_id) / kind
    for name in files.all_entries(site.fs, folder):
        if name.startswith(tuple(prefixes)):
            files.remove(site.fs, folder / name)
    files.sync_dir(site.fs, folder)


def put_back(site: Site, job_id: str) -> str:
    """Return a rejected folder to the inbox, where it can be mended; its name there.

    Raises:
        JobError: it is not among the rejected.
    """
    fs, folders = site.fs, site.folders
    record = files.read_json(fs, folders.job(job_id) / "REJECTED")
    shelf = folders.rejected / job_id
    if record is None or not files.exists(fs, shelf / "payload"):
        raise JobError(f"job {job_id} is not among the rejected", code="input_gone")
    files.put_json(fs, folders.job(job_id) / "REMOVED", {"job_id": job_id, "how": "return"})
    name = claim.give_back(site, shelf / "payload", folders.inbox, str(record["name"]))
    files.remove_tree(fs, shelf)
    files.sync_dir(fs, folders.rejected)
    return name
