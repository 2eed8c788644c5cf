"""Attempts at a clip, one small file each, on the disk before the work that may end the process."""

from __future__ import annotations

from heygemd.spool import files
from heygemd.spool.site import Site


def made(site: Site, job_id: str, clip_id: str) -> list[str]:
    """The files' names."""
    names = files.entries(site.fs, site.folders.job(job_id) / "att")
    return [name for name in names if name.startswith(f"{clip_id}.")]


def add(site: Site, job_id: str, clip_id: str, number: int) -> None:
    """One more, the ``number``-th."""
    folder = site.folders.job(job_id) / "att"
    files.write_new(site.fs, folder / f"{clip_id}.{number}", [])
    files.sync_dir(site.fs, folder)


def take_back(site: Site, job_id: str, clip_id: str) -> None:
    """The last one, whose cause lay elsewhere."""
    folder = site.folders.job(job_id) / "att"
    for name in made(site, job_id, clip_id)[-1:]:
        files.remove(site.fs, folder / name)
    files.sync_dir(site.fs, folder)
