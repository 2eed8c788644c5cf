"""A job's folder in the outbox: built hidden, renamed in as a whole, owned by one job."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heygemd.records import Job
from heygemd.spool import files, names
from heygemd.spool.site import Site

PAGE = "report.html"
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR}


def reserve(
    site: Site, job_id: str, name: str, *, document: Mapping[str, Any] | None = None
) -> str:
    """The name of the outbox folder that is this job's and nobody else's, made if need be.

    It is called ``name``, or ``name~2`` and so on where that is taken; ``document`` is a job.json
    that is there from the folder's first moment, and so is the page that shows it.
    """
    site.guard(job_id, "outbox")
    fs, outbox = site.fs, site.folders.outbox
    ours = owned(site, job_id, name)
    if ours:
        if document is not None:
            _put_page(site, outbox / ours, document, via=site.growing(job_id, "page.part"))
            put_visible(site, job_id, outbox / ours / "job.json", document)
        files.sync_dir(fs, outbox)
        return ours
    hidden = site.growing(job_id, "d")
    files.remove_tree(fs, hidden)
    files.make_dir(fs, hidden)
    files.put(fs, hidden / ".owner", job_id.encode())
    if document is not None:
        _put_page(site, hidden, document)
        files.put_json(fs, hidden / "job.json", document)
    site.guard(job_id, "outbox")
    chosen = _rename_in(site, hidden, name)
    files.sync_dir(fs, outbox)
    files.sync_dir(fs, site.folders.building)
    return chosen


def _put_page(
    site: Site, folder: Path, document: Mapping[str, Any], *, via: Path | None = None
) -> None:
    if site.draw is not None:
        files.put(site.fs, folder / PAGE, site.draw(document), via=via)


def _rename_in(site: Site, hidden: Path, name: str) -> str:
    """rename(2) of a folder takes an empty folder's place, and fails on any other."""
    n = 1
    while True:
        target = site.folders.outbox / names.numbered(name, n)
        try:
            site.fs.rename(hidden, target)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            n += 1
            continue
        return target.name


def owned(site: Site, job_id: str, name: str) -> str:
    """The folder that a reservation cut short has left, empty where there is none."""
    key = names.same_key(name)
    for entry in sorted(site.fs.names(site.folders.outbox)):
        stem, tilde, number = entry.rpartition("~")
        plain = stem if tilde and number.isdecimal() else entry
        if key in {names.same_key(plain), names.same_key(entry)} and owner(site, entry) == job_id:
            return entry
    return ""


def owner(site: Site, out_name: str) -> str:
    """The job id that an outbox folder belongs to, empty for a foreign one."""
    folder = site.folders.outbox / out_name
    if folder.is_symlink():  # never out of the outbox, whoever put it there
        return ""
    data = files.read_bytes(site.fs, folder / ".owner")
    return data.decode("utf-8", "replace").strip() if data else ""


def moved_name(site: Site, job_id: str) -> str:
    """The job's second outbox folder, where people have moved the first one away; else empty."""
    data = files.read_bytes(site.fs, site.folders.job(job_id) / "outdir")
    return data.decode("utf-8") if data else ""


def ensure(site: Site, job: Job) -> Path:
    """The job's outbox folder, made anew when somebody has taken it away."""
    known = moved_name(site, job.id) or job.out_name
    if owner(site, known) == job.id:
        return site.folders.outbox / known
    chosen = reserve(site, job.id, names.safe_name(job.name))
    if chosen != known:
        files.put(site.fs, site.folders.job(job.id) / "outdir", chosen.encode())
    return site.folders.outbox / chosen


def put_visible(site: Site, job_id: str, path: Path, document: Mapping[str, Any]) -> None:
    """Replace one JSON document that people see; it grows where they do not look."""
    site.guard(job_id, "outbox")
    growing = site.growing(job_id, "json.part")
    files.put_json(site.fs, path, document, via=growing)
