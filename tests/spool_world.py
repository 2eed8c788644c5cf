"""What the spool's tests share: a small world of folders, a renderer with a nonce, a whole run."""

import errno
import itertools
import os
import secrets
from pathlib import Path

from heygemd.errors import ClipError, TransientError
from heygemd.records import RenderOptions
from heygemd.spool.fsops import FsOps
from heygemd.spool.queue import Spool, SpoolFolders

CHUNK_BYTES = 64


class FastFs(FsOps):
    """The real thing without the wait for the disk: the kernel remembers what a test looks at."""

    def __init__(self):
        super().__init__(chunk_bytes=CHUNK_BYTES)

    def fsync(self, fd):
        os.fstat(fd)

    def fsync_dir(self, path):
        path.lstat()


class NoLinks(FastFs):
    """A share that knows neither hard links nor RENAME_NOREPLACE."""

    def link(self, source, target):
        raise OSError(errno.EPERM, "no links here", str(source), None, str(target))

    def rename_new(self, source, target):
        raise OSError(errno.EINVAL, "no such flag", str(source), None, str(target))


def make_roots(root):
    """An empty inbox, outbox and work folder."""
    folders = SpoolFolders(root / "inbox", root / "outbox", root / "work")
    for folder in (folders.inbox, folders.outbox, folders.work):
        folder.mkdir()
    return folders


def drop(folders, name="talk", clips=("a.mp4", "b.mp4"), sounds=("voice.wav",), **extra):
    """A person drops a job folder; ``extra`` are more files by name."""
    folder = folders.inbox / name
    folder.mkdir(exist_ok=True)
    for sound in sounds:
        (folder / sound).write_bytes(f"sound {sound}".encode())
    for clip in clips:
        (folder / clip).write_bytes(f"video {clip}".encode() * 9)
    for other, text in extra.items():
        (folder / other).write_text(text)
    return folder


_COUNTER = itertools.count(1)


def new_id():
    """Ids in rising order, distinct in the whole test run."""
    return f"{next(_COUNTER):012x}-{secrets.token_hex(5)}"


def make_spool(folders, fs=None, **choices):
    choices = {"settle_s": 0.0, "marker": False, "instance": "test", **choices}
    options = choices.pop("options", RenderOptions())
    return Spool(folders, fs=fs or FastFs(), new_id=new_id, options=options, **choices)


def opened(folders, fs=None, **choices):
    spool = make_spool(folders, fs, **choices)
    spool.open()
    return spool


def render(clip, target):
    """A fake renderer whose output is never the same twice."""
    nonce = secrets.token_hex(8)
    target.write_bytes(f"MP4 of {clip.sha256} {nonce} END".encode() * 3)


def patiently(call, *args, n_tries=4):
    """What a call gives in the end; the daemon comes back later, a test at once."""
    for _ in range(n_tries - 1):
        try:
            return call(*args)
        except TransientError:
            continue
    return call(*args)


def run_clip(spool, job, clip, rendered=None):
    """One clip from staging to its record, as the job runner does it."""
    try:
        staged = patiently(spool.stage, job, clip)
        target = spool.begin(job, staged)
        try:
            render(staged, target)
            if rendered:
                rendered(target)
            spool.publish(job, staged, {"clip": clip.name, "outcome": "ok"})
        except TransientError:
            spool.forgive(job, clip)
            raise
    except ClipError as error:
        log = {"clip": clip.name, "outcome": "failed", "code": error.reason}
        spool.fail(job, clip, {**log, "message": str(error)})


def run_job(spool, job, rendered=None):
    job = patiently(spool.stage_sound, job)
    for clip in spool.pending(job):
        run_clip(spool, job, clip, rendered)
    return spool.close_job(job, {"name": job.name, "clips": spool.results(job)})


def drain(spool, now_s=0.0, rendered=None):
    """Claim what is ready and run what is open; the paths of the job.json files."""
    for name in spool.ready(now_s):
        spool.claim(name)
    return [run_job(spool, job, rendered) for job in spool.jobs()]


def insist(spool, n_rounds=8):
    """Open and drain as a daemon does, until a job is closed: what passes is tried again."""
    for _ in range(n_rounds):
        try:
            spool.open()
            if drain(spool) or list(spool._folders.jobs.glob("*/CLOSED")):
                return  # closing may have been finished by opening
        except TransientError:
            continue
    raise AssertionError(f"no job closed in {n_rounds} rounds: {spool.waiting()}")


def tree(root, *, but=()):
    """Every file below ``root``: relative path -> bytes; folders end with a slash."""
    found = {}
    for path in sorted(Path(root).rglob("*")):
        key = str(path.relative_to(root))
        if not any(part in key for part in but):
            found[f"{key}/" if path.is_dir() else key] = b"" if path.is_dir() else path.read_bytes()
    return found
