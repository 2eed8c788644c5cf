"""The spool as the daemon sees it: ready, claim, stage, begin, publish or fail, close."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from heygemd.errors import CrashLoopError, JobLayoutError, JobOptionsError
from heygemd.records import Clip, Job, RenderOptions
from heygemd.spool import (
    attempts,
    claim,
    control,
    files,
    look,
    outdir,
    publish,
    recover,
    repair,
    retention,
    room,
    takeover,
)
from heygemd.spool.files import weighed
from heygemd.spool.fsops import FsOps
from heygemd.spool.inbox import Inbox, Scan
from heygemd.spool.layout import MAX_ATTEMPTS, OWN, SpoolFolders
from heygemd.spool.lease import Lease
from heygemd.spool.notices import Notices
from heygemd.spool.recover import Recovered
from heygemd.spool.retention import Retention, Swept
from heygemd.spool.session import Session
from heygemd.spool.showcase import Showcase
from heygemd.spool.site import Draw, Site
from heygemd.spool.stage import Stager

__all__ = ["Recovered", "Retention", "Spool", "SpoolFolders", "Swept"]


class Spool:
    """A queue whose state is the files on its disks; kill it anywhere, open it again, go on.

    Every method raises ``TransientError`` when a disk is full or a share is away: nothing has been
    lost, the same call works later.

    Args:
        folders: the three roots.
        fs: the door to the disk.
        new_id: gives ids that are unique for ever and sort by age, see ``ids.job_id``.
        options: the settings' defaults that a job.toml is laid over.
        instance: who we are, in words for people; ids tell spools apart.
        settle_s: how long a job folder must not change before it is complete.
        marker: True accepts only folders that hold ``.ready``.
        max_attempts: how often a clip may end the process before it fails as ``crash_loop``.
        spare_bytes: a job is claimed only when so much stays free on the work disk and the outbox.
        incomplete_s: a folder that waits so long for its sound gets a ``<name>.WAITING.txt``.
        lease_s: another spool takes over after so long without a sign of life; 0: there is none.
        is_local: no other host writes to the inbox.
        restores: a network that restores faces is loaded; without one, jobs that ask for it are
            rejected.
        draw: makes report.html of a rejected folder's job.json; None makes none.
    """

    def __init__(  # noqa: PLR0913 - one call, in cli
        self,
        folders: SpoolFolders,
        *,
        fs: FsOps,
        new_id: Callable[[], str],
        options: RenderOptions,
        instance: str,
        settle_s: float,
        marker: bool,
        max_attempts: int = MAX_ATTEMPTS,
        spare_bytes: int = 1 << 29,
        incomplete_s: float = 900.0,
        lease_s: float = 0.0,
        is_local: bool = False,
        restores: bool = False,
        draw: Draw | None = None,
    ) -> None:
        self._fs = fs
        self._folders = folders
        self._new_id = new_id
        self._options = options
        self._restores = restores
        self._max_attempts = max_attempts
        self._new_inbox = partial(Inbox, fs, folders, is_local=is_local)
        self._inbox = self._new_inbox(settle_s=settle_s, marker=marker)
        self._stager = Stager()
        self._spare_bytes = spare_bytes
        self._lease = Lease(lease_s)
        self._notices = Notices(fs, folders, incomplete_s=incomplete_s)
        self._session = Session(
            fs, folders, new_id=new_id, instance=instance, shared=lease_s > 0, draw=draw
        )
        self._scan = Scan()
        self._ended: set[str] = set()

    @weighed("open the spool")
    def open(self) -> Recovered:
        """Take the lock and bring the spool back to order; calling it again is harmless.

        Raises:
            BusyError: another process holds this spool.
            ConfigError: the folders overlap, or are not there and never were.
        """
        return self._session.open()

    def close(self) -> None:
        """Give the lock back."""
        self._session.close()

    def adopt(self, options: RenderOptions, *, settle_s: float, marker: bool) -> None:
        """Use other settings from now on; folders in the inbox settle anew."""
        self._options = options
        self._inbox = self._new_inbox(settle_s=settle_s, marker=marker)

    def lost(self) -> tuple[str, ...]:
        """Sides that are not there now: ``inbox``, ``outbox``; nothing is done on them."""
        return self._session.lost()

    def showcase(self) -> Showcase:
        """Where jobs show their reports."""
        return Showcase(self._site)

    @property
    def _site(self) -> Site:
        return self._session.site

    @weighed("look at the inbox")
    def ready(self, now_s: float) -> list[str]:
        """Look at the inbox once: names of job folders that are complete, oldest first.

        A folder is complete when its signature stood still for ``settle_s`` over three looks, so
        look at least three times as often as that while ``waiting`` says that something moves.

        Args:
            now_s: monotonic.
        """
        if not self._session.is_back():
            self._scan = Scan(waiting=dict.fromkeys(self.lost(), "the share is not there"))
            return []
        self._lease.beat(self._site, now_s)
        self._ended.difference_update(self._lease.take_over(self._site, now_s))
        claimed = claim.unaccepted(self._site, self._open_ids())
        self._scan = self._inbox.scan(now_s, claimed)
        self._notices.tell(self._scan, now_s, self._inbox.first_seen_s)
        return list(self._scan.ready)

    @weighed("show a sign of life")
    def beat(self, now_s: float) -> None:
        """Keep our jobs ours while a long clip renders; call it often, it writes seldom."""
        self._lease.beat(self._site, now_s)

    def waiting(self) -> dict[str, str]:
        """Names that the last ``ready`` left out -> why, in plain words."""
        return dict(self._scan.waiting)

    def settling(self) -> bool:
        """True while time alone would make a folder ready that the last ``ready`` left out."""
        return bool(self._scan.settling)

    @weighed("claim a folder")
    def claim(self, name: str) -> Job | None:
        """Take a folder that ``ready`` named and accept it as a job.

        Returns:
            None when the folder is gone or somebody still writes into it; ``ready`` names it again
            when there is something to do.

        Raises:
            JobLayoutError: not one sound and some clips; the folder is in ``rejected/`` now, and
                the outbox says why.
            JobOptionsError: likewise, job.toml is wrong.
        """
        self._session.guard("", "inbox")
        self._session.guard("", "outbox")
        parts = Path(name).parts
        resumed = len(parts) == 4 and parts[:2] == (OWN, "claims")
        job_id = parts[2] if resumed else self._take(name)
        if not job_id:
            return None
        return self._accept(job_id, name)

    def _take(self, name: str) -> str:
        """The id of the claim that holds the folder now, empty when it could not be had."""
        seen = self._scan.looks.get(name)
        try:
            seen = seen or look.look(self._fs, self._folders.inbox / name)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        room.check_room(
            self._fs,
            self._folders,
            input_bytes=seen.n_bytes,
            clip_bytes=seen.n_clip_bytes,
            spare_bytes=self._spare_bytes,
        )
        job_id = self._new_id()
        taken = claim.take(self._site, job_id, name, seen)
        if taken == "held":
            self._inbox.forget(name)
        return job_id if taken == "taken" else ""

    def _accept(self, job_id: str, name: str) -> Job | None:
        site = self._site
        reason = files.read_json(self._fs, self._folders.claim(job_id) / "REASON.json")
        if reason is not None:
            claim.finish_rejection(site, job_id, reason)
            self._ended.add(job_id)
            kind = JobOptionsError if reason["code"] == JobOptionsError.code else JobLayoutError
            raise kind(reason["message"])
        seen = claim.look_at_claim(site, job_id)
        before = self._scan.looks.get(name)
        expected = before.signature if before else claim.claimed_signature(site, job_id)
        if seen.signature != expected or seen.busy:
            return None  # a writer is still at it; ``ready`` lets it settle where it is now
        try:
            job = claim.accept(site, job_id, seen, self._options, restores=self._restores)
        except (JobLayoutError, JobOptionsError) as error:
            claim.reject(site, job_id, error)
            self._ended.add(job_id)
            raise
        takeover.adopt(site, job)
        return job

    def _open_ids(self) -> list[str]:
        ids, site = [], self._site
        for job_id in files.entries(self._fs, self._folders.jobs):
            if job_id in self._ended:
                continue
            if recover.is_ended(site, job_id):
                self._ended.add(job_id)
            else:
                ids.append(job_id)
        return ids

    @weighed("read the jobs")
    def jobs(self) -> list[Job]:
        """Jobs accepted and not closed: higher priority first, then the older one."""
        found = [
            claim.read_job(self._site, job_id)
            for job_id in self._open_ids()
            if files.exists(self._fs, self._folders.manifest(job_id))
        ]
        return sorted(found, key=lambda job: (-job.priority, job.id))

    @weighed("read a job")
    def pending(self, job: Job) -> list[Clip]:
        """Clips that still want rendering; what is rendered already is published first."""
        return [
            clip
            for clip in claim.read_job(self._site, job.id).clips
            if not self._is_terminal(job, clip) and not publish.resume(self._site, job, clip)
        ]

    def _is_terminal(self, job: Job, clip: Clip) -> bool:
        records = (self._folders.record(kind, job.id, clip.id) for kind in ("done", "fail"))
        return any(files.exists(self._fs, record) for record in records)

    @weighed("stage a sound")
    def stage_sound(self, job: Job) -> Job:
        """The job with its sound copied to the spool under a neutral name, and hashed.

        Raises:
            AudioError: it cannot be had, and why.
        """
        return self._stager.sound(self._site, job)

    @weighed("stage a clip")
    def stage(self, job: Job, clip: Clip) -> Clip:
        """The clip copied to the spool under a neutral name, and hashed.

        Raises:
            MediaError: it cannot be had: ``empty_input``, ``unsafe_input``, ``permission``,
                ``input_gone``.
        """
        return self._stager.clip(self._site, job, clip)

    def cancelled(self, job: Job) -> bool:
        """True when somebody wants the job's remaining clips to fail as ``cancelled``."""
        with weighed("look for a cancellation"):
            return control.is_cancelled(self._site, job)

    @weighed("cancel a job")
    def cancel(self, job_id: str) -> None:
        """Ask for that."""
        control.cancel(self._site, job_id)

    @weighed("look for attempts")
    def was_tried(self, job: Job, clip: Clip) -> bool:
        """True when an attempt at the clip ended with the whole process."""
        return bool(attempts.made(self._site, job.id, clip.id))

    @weighed("begin a clip")
    def begin(self, job: Job, clip: Clip) -> Path:
        """Count an attempt, on the disk before the work; where to render to.

        Raises:
            CrashLoopError: the attempts are used up.
        """
        n_attempts = len(attempts.made(self._site, job.id, clip.id))
        if n_attempts >= self._max_attempts:
            raise CrashLoopError(
                f"{n_attempts} attempts ended with the whole process, want at most "
                f"{self._max_attempts}; the file may be broken in a way that crashes a decoder"
            )
        attempts.add(self._site, job.id, clip.id, n_attempts + 1)
        rendered = self._folders.rendered(job.id, clip.id)
        files.remove(self._fs, rendered)
        return rendered

    @weighed("forgive an attempt")
    def forgive(self, job: Job, clip: Clip) -> None:
        """Take back the last attempt: the cause lay elsewhere, or we were told to stop."""
        attempts.take_back(self._site, job.id, clip.id)

    @weighed("publish a clip")
    def publish(self, job: Job, clip: Clip, log: Mapping[str, object]) -> Path:
        """Make the rendered file visible in the outbox, with its log beside it; where it is.

        Raises:
            MediaError: ``no_output``, the renderer left nothing.
        """
        return publish.publish(self._site, job, clip, log)

    @weighed("record a failure")
    def fail(self, job: Job, clip: Clip, log: Mapping[str, object]) -> None:
        """End a clip without an output; its log says why, in the outbox too."""
        publish.fail(self._site, job, clip, log)

    @weighed("read results")
    def results(self, job: Job) -> list[dict[str, Any]]:
        """The logs of the clips that have ended, in the clips' order."""
        return publish.ended_logs(self._site, job)

    @weighed("close a job")
    def close_job(self, job: Job, log: Mapping[str, object]) -> Path:
        """Publish job.json as the last file, archive the inputs; where job.json is.

        Raises:
            ValueError: a clip has not ended.
        """
        site = self._site
        for clip in job.clips:
            if not self._is_terminal(job, clip):
                raise ValueError(f"clip {clip.id} of job {job.id} has not ended")
            if files.exists(self._fs, self._folders.record("fail", job.id, clip.id)):
                publish.tell_failure(site, job, clip)
        manifest = files.read_json(self._fs, self._folders.manifest(job.id)) or {}
        ignored = [{"name": name, "reason": why} for name, why in manifest.get("ignored", ())]
        path = outdir.ensure(site, job) / "job.json"
        outdir.put_visible(site, job.id, path, {**log, "job_id": job.id, "ignored": ignored})
        claim.move_claim(site, job.id, self._folders.claims, self._folders.archive)
        recover.end(site, job.id)
        self._ended.add(job.id)
        return path

    @weighed("retry a job")
    def retry(self, job_id: str) -> bool:
        """Open a closed job again, with the clips that failed; False when none did.

        Raises:
            JobError: the job is not closed, or its inputs are no longer kept.
        """
        reopened = control.retry(self._site, job_id)
        if reopened:
            self._ended.discard(job_id)
        return reopened

    @weighed("put a folder back")
    def put_back(self, job_id: str) -> str:
        """Return a rejected folder to the inbox; its name there.

        Raises:
            JobError: it is not among the rejected.
        """
        return control.put_back(self._site, job_id)

    @weighed("mend the spool")
    def mend(self) -> list[str]:
        """Mend what fsck finds, and say so."""
        return repair.mend(
            self._site, max_attempts=self._max_attempts, shared=self._lease.lease_s > 0
        )

    @weighed("sweep the spool")
    def sweep(self, policy: Retention, now_unix_s: float) -> Swept:
        """Let go of inputs and records as the policy says, by the wall clock; call it often."""
        return retention.sweep(self._site, policy, now_unix_s)
