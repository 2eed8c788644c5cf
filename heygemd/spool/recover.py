"""Bring a spool back to order after any crash, before anything else is done with it."""

from __future__ import annotations

from dataclasses import dataclass

from heygemd.spool import claim, commit, control, files, outdir, publish, retention, takeover
from heygemd.spool.layout import RECORD_FOLDERS
from heygemd.spool.site import Site

STRANGE_AGE_S = 36 * 3600  # leftovers of other spools are swept when this old by the share's clock


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was found when the spool was opened.

    Attributes:
        place: how files are published here: link, rename or reserve.
        n_open: jobs that go on.
        n_claims: folders claimed and not accepted, looked at again by ``ready``.
        n_published: clips that were rendered before and are published now.
        n_swept: leftovers removed.
        lost: sides that are not there: ``inbox``, ``outbox``.
    """

    place: str
    n_open: int = 0
    n_claims: int = 0
    n_published: int = 0
    n_swept: int = 0
    lost: tuple[str, ...] = ()


def recover(site: Site) -> Recovered:
    """Finish what was begun and undo what cannot be finished; the same again changes nothing.

    Raises:
        OSError: a disk or share fails; nothing is lost, try again.
    """
    n_swept = sweep_building(site) + retention.empty_trash(site)
    n_open = n_claims = n_published = 0
    for job_id in files.entries(site.fs, site.folders.jobs):
        takeover.finish_takeover(site, job_id)
        if files.exists(site.fs, site.folders.job(job_id) / "REOPEN"):
            control.finish_retry(site, job_id)
            n_open += 1
        elif is_ended(site, job_id):
            clean_ended(site, job_id)
        elif files.exists(site.fs, site.folders.archive / job_id):
            claim.move_claim(site, job_id, site.folders.claims, site.folders.archive)
            end(site, job_id)
        elif files.exists(site.fs, site.folders.rejected / job_id):
            _finish_rejected(site, job_id)
        elif files.exists(site.fs, site.folders.manifest(job_id)):
            n_published += _recover_job(site, job_id)
            n_open += 1
        elif files.exists(site.fs, site.folders.payload(job_id)):
            claim.settle_claim(site.fs, site.folders, job_id)
            n_claims += 1
        else:
            site.guard("", "inbox")  # else the folder may be there, and its share not
            claim.drop(site.fs, site.folders, job_id)
            n_swept += 1
    return Recovered(site.place, n_open, n_claims, n_published, n_swept)


def is_ended(site: Site, job_id: str) -> bool:
    """True for closed and rejected jobs, and those another spool has taken over."""
    folder = site.folders.job(job_id)
    return any(files.exists(site.fs, folder / name) for name in ("CLOSED", "REJECTED", "LOST"))


def sweep_building(site: Site) -> int:
    """Remove what our jobs had under construction in the outbox; how many things."""
    fs, building = site.fs, site.folders.building
    n_swept = 0
    for name in fs.names(building):
        if name.startswith(f"{site.spool_id}."):
            files.remove_tree(fs, building / name)
            n_swept += 1
        elif name.endswith(commit.LOCKS):
            commit.break_lock(fs, building / name, whose=f"{site.spool_id}.")
    if n_swept:
        files.sync_dir(fs, building)
    return n_swept


def _recover_job(site: Site, job_id: str) -> int:
    """Sync what a killed process left, sweep, publish what was rendered; how many clips."""
    fs, folder = site.fs, site.folders.job(job_id)
    for kind in RECORD_FOLDERS:
        _sweep_growing(site, job_id, kind)
        files.sync_dir(fs, folder / kind)
    files.sync_dir(fs, folder)
    job = claim.read_job(site, job_id)
    takeover.adopt(site, job)
    n_published = 0
    for clip in job.clips:
        if files.exists(fs, site.folders.record("fail", job_id, clip.id)):
            publish.tell_failure(site, job, clip)
        elif files.exists(fs, site.folders.record("done", job_id, clip.id)):
            files.remove(fs, site.folders.rendered(job_id, clip.id))
        elif publish.resume(site, job, clip):
            n_published += 1
    return n_published


def _sweep_growing(site: Site, job_id: str, kind: str) -> None:
    folder = site.folders.job(job_id) / kind
    for name in site.fs.names(folder):
        if name.endswith(".tmp"):
            files.remove(site.fs, folder / name)


def _finish_rejected(site: Site, job_id: str) -> None:
    shelf = site.folders.rejected / job_id
    reason = files.read_json(site.fs, shelf / "REASON.json") or {}
    files.sync_dir(site.fs, site.folders.rejected)
    files.sync_dir(site.fs, site.folders.claims)
    told = files.read_json(site.fs, shelf / "claim.json") or {}
    name = str(told.get("name") or job_id)
    out_name = outdir.owned(site, job_id, name)
    files.put_json(
        site.fs,
        site.folders.job(job_id) / "REJECTED",
        {**reason, "job_id": job_id, "name": name, "out_name": out_name},
    )


def end(site: Site, job_id: str) -> None:
    """Write the record that closes a job, then let go of its working files."""
    files.put_json(site.fs, site.folders.job(job_id) / "CLOSED", {"job_id": job_id})
    clean_ended(site, job_id)


def clean_ended(site: Site, job_id: str) -> None:
    """Remove staged and rendered files of an ended job; its records stay."""
    for kind in ("in", "work"):
        folder = site.folders.job(job_id) / kind
        for name in files.all_entries(site.fs, folder):
            files.remove(site.fs, folder / name)
