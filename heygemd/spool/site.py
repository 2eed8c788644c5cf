"""What every step of the spool needs at hand: the disk, the folders, who we are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from heygemd.records import Clip, Job
from heygemd.spool.fsops import FsOps
from heygemd.spool.layout import SpoolFolders

Side = Literal["inbox", "outbox"]

Guard = Callable[[str, Side], None]
"""(job id, side): raises unless the side is there and the job is still ours."""

Draw = Callable[[Mapping[str, Any]], bytes]
"""What job.json says -> the page that shows it to people."""


@dataclass(frozen=True, slots=True)
class Site:
    """One spool's tools.

    Attributes:
        fs: the door to the disk.
        folders: the three roots.
        spool_id: unique for ever to this spool's work folder.
        place: how a finished file is put under its final name without replacing another.
        guard: called right before anything becomes visible to people.
        draw: makes a rejected folder's page; None makes none.
    """

    fs: FsOps
    folders: SpoolFolders
    spool_id: str
    place: str
    guard: Guard
    draw: Draw | None = None

    def growing(self, job_id: str, what: str) -> Path:
        """Where something of a job is built in the outbox; no other spool uses the name."""
        return self.folders.building / f"{self.spool_id}.{job_id}.{what}"


def clip_ids(job: Job, clip: Clip) -> dict[str, str]:
    """What every JSON document of a clip says of whose it is."""
    return {"job_id": job.id, "clip_id": clip.id}
