"""Go on with a job that another spool began: one rename takes it, the outbox tells what is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from heygemd.records import Job
from heygemd.spool import claim, files, outdir
from heygemd.spool.holder import was_taken_over
from heygemd.spool.site import Site, clip_ids


def take_over(site: Site, job_id: str) -> bool:
    """Take a claim from a spool that has fallen silent; False when another was quicker."""
    fs, folders = site.fs, site.folders
    known = files.exists(fs, folders.job(job_id))
    files.make_dir(fs, folders.job(job_id))
    try:
        fs.rename(folders.claim(job_id), _taking(site, job_id))
    except FileNotFoundError:
        if not files.exists(fs, _taking(site, job_id)):
            if not known:
                claim.drop(fs, folders, job_id)
            return False
    return finish_takeover(site, job_id)


def _taking(site: Site, job_id: str) -> Path:
    return site.folders.claims / f"{job_id}.{site.spool_id}"


def finish_takeover(site: Site, job_id: str) -> bool:
    """The rest of a takeover, from its rename on; False when there is none under way."""
    fs, taking = site.fs, _taking(site, job_id)
    if not files.exists(fs, taking):
        return False
    document = files.read_json(fs, taking / "claim.json") or {"job": job_id, "name": job_id}
    if document.get("spool") != site.spool_id:
        epoch = int(document.get("epoch", 0)) + 1
        files.put_json(
            fs, taking / "claim.json", {**document, "spool": site.spool_id, "epoch": epoch}
        )
    files.remove(fs, site.folders.job(job_id) / "LOST")
    fs.rename(taking, site.folders.claim(job_id))
    claim.settle_claim(fs, site.folders, job_id)
    return True


def adopt(site: Site, job: Job) -> None:
    """Write the records of clips that the spool before us ended; what it published stays."""
    if not was_taken_over(site, job.id):
        return
    told = _told(site, job)
    for clip in job.clips:
        records = {k: site.folders.record(k, job.id, clip.id) for k in ("done", "fail", "intent")}
        log = told.get(clip.id)
        if log is None or any(files.exists(site.fs, records[kind]) for kind in ("done", "fail")):
            continue
        output = log.get("output")
        if output is None:
            files.put_json(site.fs, records["fail"], log)
            continue
        final = site.folders.outbox / job.out_name / output["name"]
        if not files.exists(site.fs, final):
            continue  # its holder fell silent between the sidecar and the mp4
        size, sha256 = files.digest_of(site.fs, final)
        if (size, sha256) == (output["size_bytes"], output["sha256"]):
            stem = str(output["name"]).removesuffix(".mp4")
            facts = {"size_bytes": size, "sha256": sha256, "stem": stem, "log": log}
            files.put_json(site.fs, records["intent"], facts)
            files.put_json(site.fs, records["done"], {**output, "log": log})


def _told(site: Site, job: Job) -> dict[str, dict[str, Any]]:
    """Clip id -> what a JSON document of this job in the outbox says of it."""
    found = {}
    folder = site.folders.outbox / job.out_name
    if outdir.owner(site, job.out_name) != job.id:
        return {}
    for name in files.all_entries(site.fs, folder):
        if not name.endswith(".json") or name == "job.json":
            continue
        try:
            log = files.parse(files.read_bytes(site.fs, folder / name) or b"")
        except ValueError:  # a person's own file
            continue
        for clip in job.clips:
            if clip_ids(job, clip).items() <= log.items():
                found[clip.id] = log
    return found
