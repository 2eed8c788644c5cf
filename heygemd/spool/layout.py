"""Where everything of a spool lies on its three disks.

INBOX/<job>/                               people's
INBOX/.heygemd/claims/<job id>/            claim.json, payload/ (the folder, moved by one rename)
INBOX/.heygemd/archive/<job id>/           the same, after the job is closed
INBOX/.heygemd/rejected/<job id>/          the same, with REASON.json
WORK/instance.lock  WORK/spool.json        one process at a time; who this spool is
WORK/jobs/<job id>/job.json                the manifest, written last at accept
WORK/jobs/<job id>/in/<clip>.bin .json     staged bytes, and what they were
WORK/jobs/<job id>/att/<clip>.<n>          attempt markers, on the disk before work begins
WORK/jobs/<job id>/work/<clip>.mp4         what the renderer writes
WORK/jobs/<job id>/intent/<clip>           "this is the file I am about to publish"
WORK/jobs/<job id>/done/<clip> fail/<clip> exactly one of them ends a clip
WORK/jobs/<job id>/CLOSED  REJECTED        one of them ends a job
WORK/tracks/                               the renderer's own, see faces.kept; may be deleted
OUTBOX/.heygemd-tmp/<spool>.<job id>.*     files and folders under construction
OUTBOX/<job>/.owner <stem>.json <stem>.mp4 job.json (last)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from heygemd.errors import ConfigError

OWN = ".heygemd"
MAX_ATTEMPTS = 2  # how often a clip may end the whole process
AUDIO_ID = "audio"
REFERENCE_ID = "reference"
_CODE = Path(__file__).resolve().parents[1]
RECORD_FOLDERS = ("in", "att", "work", "intent", "done", "fail")


@dataclass(frozen=True, slots=True)
class SpoolFolders:
    """The three roots and the paths beneath them.

    Attributes:
        inbox: people drop job folders here.
        outbox: results appear here.
        work: the daemon's own, on a local disk.
    """

    inbox: Path
    outbox: Path
    work: Path

    @property
    def claims(self) -> Path:
        """Folders taken and not finished."""
        return self.inbox / OWN / "claims"

    @property
    def archive(self) -> Path:
        """Inputs of closed jobs."""
        return self.inbox / OWN / "archive"

    @property
    def rejected(self) -> Path:
        """Inputs of folders that were no jobs."""
        return self.inbox / OWN / "rejected"

    @property
    def building(self) -> Path:
        """Outputs under construction, on the outbox's file system."""
        return self.outbox / ".heygemd-tmp"

    @property
    def jobs(self) -> Path:
        """One folder per job this spool ever claimed, until retention removes it."""
        return self.work / "jobs"

    @property
    def trash(self) -> Path:
        """Records of jobs that are being forgotten."""
        return self.work / "trash"

    @property
    def beats(self) -> Path:
        """One heartbeat per spool that shares this inbox."""
        return self.inbox / OWN / "spools"

    def claim(self, job_id: str) -> Path:
        """The claim of a job."""
        return self.claims / job_id

    def payload(self, job_id: str) -> Path:
        """The person's folder while the job is open."""
        return self.claims / job_id / "payload"

    def job(self, job_id: str) -> Path:
        """All that the spool knows of a job."""
        return self.jobs / job_id

    def manifest(self, job_id: str) -> Path:
        """What was accepted."""
        return self.job(job_id) / "job.json"

    def record(self, kind: str, job_id: str, clip_id: str) -> Path:
        """A clip's ``intent``, ``done`` or ``fail`` record."""
        return self.job(job_id) / kind / clip_id

    def staged(self, job_id: str, clip_id: str) -> Path:
        """A source's bytes under a neutral name."""
        return self.job(job_id) / "in" / f"{clip_id}.bin"

    def rendered(self, job_id: str, clip_id: str) -> Path:
        """Where the renderer writes."""
        return self.job(job_id) / "work" / f"{clip_id}.mp4"


def check_folders(folders: SpoolFolders) -> None:
    """Refuse roots that would feed on each other, or on the program itself.

    Raises:
        ConfigError: a root is a symbolic link, or lies in another root or the program, or around.
    """
    roots = {"inbox": folders.inbox, "outbox": folders.outbox, "work": folders.work}
    for name, root in roots.items():
        if root.is_symlink():
            raise ConfigError(
                f"folders.{name} {root} is a symbolic link to {root.readlink()}; name that instead"
            )
    real = {name: root.resolve() for name, root in roots.items()}
    for name, root in real.items():
        if root.is_relative_to(_CODE) or _CODE.is_relative_to(root):
            raise ConfigError(
                f"folders.{name} {root} and the program in {_CODE} lie in each other; "
                "choose a folder of its own"
            )
        for other, outer in real.items():
            if name != other and root.is_relative_to(outer):
                raise ConfigError(
                    f"folders.{name} {root} lies in folders.{other} {outer}; set them side by side"
                )
