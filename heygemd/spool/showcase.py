"""What a job shows beside its outputs: the report page, its progress, the pictures it is made of.

None of it is a record: whatever is lost here can be drawn again, and no state depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heygemd.records import Clip, Job
from heygemd.spool import files, outdir
from heygemd.spool.files import weighed
from heygemd.spool.site import Site

PICTURES = "pictures"


@dataclass(frozen=True, slots=True)
class Showcase:
    """The window of one spool's jobs."""

    site: Site

    @weighed("show the report")
    def show(self, job: Job, name: str, content: bytes) -> None:
        """Replace a file that people see in the job's outbox folder, as a whole.

        Raises:
            TransientError: the outbox is away or full.
        """
        self.site.guard(job.id, "outbox")
        growing = self.site.growing(job.id, f"{name}.part")
        files.put(self.site.fs, outdir.ensure(self.site, job) / name, content, via=growing)

    @weighed("keep a clip's pictures")
    def keep(self, job: Job, clip: Clip, pictures: Mapping[str, bytes]) -> None:
        """Keep a clip's pictures with the job's records, for a report after a restart."""
        folder = self.site.folders.job(job.id) / PICTURES
        files.make_dir(self.site.fs, folder)
        for name, content in pictures.items():
            files.put(self.site.fs, folder / f"{clip.id}.{name}", content)

    def kept(self, job: Job, clip: Clip) -> dict[str, bytes]:
        """The pictures that were kept, by name; empty where there are none."""
        folder = self.site.folders.job(job.id) / PICTURES
        prefix = f"{clip.id}."
        return {
            name.removeprefix(prefix): files.read_bytes(self.site.fs, folder / name) or b""
            for name in files.all_entries(self.site.fs, folder)
            if name.startswith(prefix)
        }
