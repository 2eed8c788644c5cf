"""Mend what fsck finds, without ever throwing bytes away: what is wrong is set aside."""

from __future__ import annotations

from pathlib import Path

from heygemd.spool import claim, files, fsck, names, publish, recover
from heygemd.spool.fsck import Finding
from heygemd.spool.site import Site


def mend(site: Site, *, max_attempts: int, shared: bool) -> list[str]:
    """Recover, check, mend; what was done, one sentence each.

    Args:
        site: an opened spool.
        max_attempts: as for ``fsck.check``.
        shared: other spools use this inbox, so claims that are not ours are theirs.
    """
    recover.recover(site)
    done = []
    for finding in fsck.check(site.fs, site.folders, max_attempts=max_attempts, at_rest=True):
        said = _mend(site, finding, shared=shared)
        if said:
            done.append(f"{finding.rule} {finding.path}: {said}")
    return done


def _mend(site: Site, finding: Finding, *, shared: bool) -> str:
    """What was done about one finding, empty when only a person can do something."""
    if finding.rule == "I1" and finding.clip_id:
        return _choose_record(site, finding)
    if finding.rule in {"I3", "I7"} and finding.severity == "error":
        return _mend_output(site, finding)
    if finding.rule == "I4":
        return _set_aside_strangers(site, finding)
    if finding.rule == "I6" and finding.severity == "note" and not shared:
        return _adopt_claim(site, finding.job_id)
    return ""


def _choose_record(site: Site, finding: Finding) -> str:
    """Of done and failed, believe the one that the outbox bears out."""
    records = {
        kind: site.folders.record(kind, finding.job_id, finding.clip_id)
        for kind in ("done", "fail")
    }
    if not all(files.exists(site.fs, path) for path in records.values()):
        return ""
    job = claim.read_job(site, finding.job_id)
    clip = next(clip for clip in job.clips if clip.id == finding.clip_id)
    wrong = "fail" if publish.is_published(site, job, clip) else "done"
    files.remove(site.fs, records[wrong])
    files.sync_dir(site.fs, records[wrong].parent)
    return f"the {wrong} record was removed, the outbox speaks against it"


def _mend_output(site: Site, finding: Finding) -> str:
    """Rewrite a sidecar that speaks of other bytes; set aside an mp4 that is not what was made."""
    if not finding.path.name.endswith(".mp4") or not files.exists(site.fs, finding.path):
        return ""
    job = claim.read_job(site, finding.job_id)
    clip = next(clip for clip in job.clips if clip.id == finding.clip_id)
    if publish.is_published(site, job, clip):
        publish.tell_success(site, job, clip)
        return "the JSON beside it was written again"
    aside = _set_aside(site, finding.path)
    done, intent = (site.folders.record(k, job.id, clip.id) for k in ("done", "intent"))
    files.remove(site.fs, done)
    files.remove(site.fs, intent)
    files.sync_dir(site.fs, done.parent)
    files.sync_dir(site.fs, intent.parent)
    if recover.is_ended(site, job.id):
        log = {
            "clip": clip.name,
            "outcome": "failed",
            "code": "damaged",
            "message": f"the output was changed after it was published; it is {aside.name} now",
        }
        publish.fail(site, job, clip, log)
        return f"set aside as {aside.name}; retry the job to make it again"
    return f"set aside as {aside.name}; it is made again"


def _set_aside_strangers(site: Site, finding: Finding) -> str:
    """Of several mp4s of one clip, keep the one that the done record names."""
    done = files.read_json(site.fs, site.folders.record("done", finding.job_id, finding.clip_id))
    kept = done["name"] if done else ""
    if not kept or finding.path.name == kept:
        return ""
    return f"set aside as {_set_aside(site, finding.path).name}"


def _set_aside(site: Site, path: Path) -> Path:
    site.guard("", "outbox")
    n = 1
    while files.exists(site.fs, target := path.with_name(names.numbered(f"{path.name}.aside", n))):
        n += 1
    site.fs.rename(path, target)
    files.sync_dir(site.fs, path.parent)
    return target


def _adopt_claim(site: Site, job_id: str) -> str:
    """Take over a claim that no spool knows of, e.g. after the work folder was lost."""
    path = site.folders.claim(job_id) / "claim.json"
    files.make_dir(site.fs, site.folders.job(job_id))
    document = files.read_json(site.fs, path) or {"job": job_id, "name": job_id}
    epoch = int(document.get("epoch", 0)) + 1
    files.put_json(site.fs, path, {**document, "spool": site.spool_id, "epoch": epoch})
    return "taken over; it goes on where the outbox shows that it stopped"
