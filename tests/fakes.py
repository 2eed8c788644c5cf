"""Fakes that keep the contracts, for tests of the spine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from heygemd.errors import JobError, JobLayoutError
from heygemd.records import Clip, ClipResult, Job, RenderOptions


def make_job(name="lesson", n_clips=2, priority=0, folder=Path("/nowhere")):
    clips = tuple(
        Clip(f"{n:04d}", f"clip{n}.mp4", f"clip{n}", folder / f"clip{n}.mp4")
        for n in range(1, n_clips + 1)
    )
    return Job(name, name, name, "voice.wav", folder / "voice.wav", clips, RenderOptions(),
               priority=priority)  # fmt: skip


class FakeWindow:
    """The showcase's contract in memory."""

    def __init__(self):
        self.shown = {}
        self.pictures = {}

    def show(self, job, name, content):
        self.shown.setdefault(name, []).append(content)

    def keep(self, job, clip, pictures):
        self.pictures[clip.id] = dict(pictures)

    def kept(self, job, clip):
        return self.pictures.get(clip.id, {})


class FakeQueue:
    """The spool's contract in memory: see ``daemon.Intake``."""

    def __init__(self, *jobs):
        self.inbox = {job.name: job for job in jobs}
        self.rejects = set()
        self.accepted = {}
        self.logs = {}
        self.closed = {}
        self.forgiven = []
        self.cancels = set()
        self.crashed = set()
        self.attempts = []
        self.beats_s = []
        self.window = FakeWindow()

    def ready(self, now_s):
        return sorted(self.inbox)

    def waiting(self):
        return {}

    def lost(self):
        return ()

    def beat(self, now_s):
        self.beats_s.append(now_s)

    def cancel(self, job_id):
        self.cancels.add(job_id)

    def cancelled(self, job):
        return job.id in self.cancels

    def retry(self, job_id):
        if job_id not in self.closed:
            raise JobError("not closed")
        del self.closed[job_id]
        logs = self.logs[job_id]
        self.logs[job_id] = {key: log for key, log in logs.items() if log["outcome"] == "ok"}
        return True

    def settling(self):
        return False

    def claim(self, name):
        job = self.inbox.pop(name)
        if name in self.rejects:
            raise JobLayoutError("no sound in this folder")
        self.accepted[job.id] = job
        self.logs[job.id] = {}
        return job

    def jobs(self):
        return [job for job in self.accepted.values() if job.id not in self.closed]

    def pending(self, job):
        return [clip for clip in job.clips if clip.id not in self.logs[job.id]]

    def stage_sound(self, job):
        return replace(job, audio_sha256="ab" * 32)

    def stage(self, job, clip):
        return replace(clip, sha256="cd" * 32)

    def was_tried(self, job, clip):
        return (job.name, clip.name) in self.crashed

    def begin(self, job, clip):
        self.attempts.append((job.name, clip.name))
        return Path("/nowhere/out.mp4")

    def forgive(self, job, clip):
        self.forgiven.append((job.name, clip.name))

    def publish(self, job, clip, log):
        assert clip.id not in self.logs[job.id], "published twice"
        self.logs[job.id][clip.id] = {
            **log,
            "output": {"name": clip.stem + ".mp4", "size_bytes": 1, "sha256": "ef" * 32},
        }
        return Path(clip.stem + ".mp4")

    def fail(self, job, clip, log):
        assert clip.id not in self.logs[job.id], "failed after it was done"
        self.logs[job.id][clip.id] = dict(log)

    def results(self, job):
        return [self.logs[job.id][clip.id] for clip in job.clips if clip.id in self.logs[job.id]]

    def showcase(self):
        return self.window

    def close_job(self, job, log):
        assert not self.pending(job), "closed with clips left"
        self.closed[job.id] = log
        return Path("job.json")


class FakeExecutor:
    """Does what ``script`` says of a clip's name: a result, or an error to raise."""

    n_active = 0

    def __init__(self, script=None):
        self.script = script or {}
        self.rendered = []

    def render(self, clips, prepare, *, alone=None):
        for clip in clips:
            task = prepare(clip)
            self.rendered.append(clip.name)
            plan = self.script.get(clip.name)
            plan = plan.pop(0) if isinstance(plan, list) else plan
            if isinstance(plan, Exception):
                raise plan
            yield plan or ClipResult(task.clip, "ok", n_frames=25, timings_s={"total": 1.0})
