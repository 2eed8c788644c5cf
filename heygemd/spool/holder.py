"""Which spool holds a claim."""

from __future__ import annotations

from heygemd.spool import files
from heygemd.spool.site import Site


def holder(site: Site, job_id: str) -> tuple[str, int]:
    """(spool id, epoch) of whoever holds a claim, archived or not; ("", 0) where nobody does.

    The epoch is 1 for whoever claimed the folder, and one more with every takeover.
    """
    for shelf in (site.folders.claims, site.folders.archive):
        document = files.read_json(site.fs, shelf / job_id / "claim.json")
        if document is not None:
            return str(document.get("spool", "")), int(document.get("epoch", 0))
    return "", 0


def was_taken_over(site: Site, job_id: str) -> bool:
    """True when somebody else began the job, and may have published some of it."""
    return holder(site, job_id)[1] > 1
