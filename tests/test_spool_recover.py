"""What a new process makes of what a dead one left."""

import pytest
import structlog
from spool_faults import Killed, KillNth
from spool_model import visible, wrongs_when_finished
from spool_world import drain, drop, make_roots, make_spool, opened, render, run_clip, run_job

from heygemd.errors import JobLayoutError
from heygemd.spool import fsck
from heygemd.spool.fsops import FsOps


@pytest.fixture
def folders(tmp_path):
    return make_roots(tmp_path)


def attempts(folders, job):
    return sorted(path.name for path in (folders.job(job.id) / "att").iterdir())


def die_before(folders, pattern):
    """A life that ends right before the first change whose words hold ``pattern``."""

    class KillAt(KillNth):
        def before(self, name, args):
            super().before(name, args)
            if name in self.CHANGES and pattern in " ".join(
                [name, self.path_of(args), *map(str, args[1:])]
            ):
                self.dead = True
                raise Killed

    fs = KillAt()
    spool = make_spool(folders, fs)
    spool.open()
    with pytest.raises(Killed):
        drain(spool)
    fs.bury()


def test_a_clip_that_was_half_rendered_is_rendered_again_and_published_once(folders):
    drop(folders, clips=("a.mp4",))
    spool = opened(folders)
    job = spool.claim("talk")
    clip = spool.stage(job, job.clips[0])
    spool.begin(job, clip).write_bytes(b"half of it")
    spool.close()

    spool = opened(folders)
    run_job(spool, spool.jobs()[0])

    assert attempts(folders, job) == ["0001.1", "0001.2"]
    assert wrongs_when_finished(folders, {"a.mp4": 1, "voice.wav": 1}, ["talk/a.mp4"]) == []


def test_a_clip_that_was_linked_is_done_and_not_rendered_again(folders):
    drop(folders, clips=("a.mp4",))
    die_before(folders, "/done/")
    before = visible(folders)
    assert list(before) == ["talk/a.mp4"]

    spool = opened(folders)

    (job,) = spool.jobs()
    assert spool.pending(job) == []
    assert attempts(folders, job) == ["0001.1"]
    assert visible(folders) == before


def test_a_clip_that_was_rendered_and_announced_is_published_by_opening(folders):
    drop(folders, clips=("a.mp4",))
    die_before(folders, "0001.part")

    spool = make_spool(folders)
    with structlog.testing.capture_logs() as told:
        assert spool.open().n_published == 1

    assert list(visible(folders)) == ["talk/a.mp4"]
    (line,) = (each for each in told if each["event"] == "clip.published")
    assert (line["job"], line["clip"], line["output"]) == ("talk", "a.mp4", "a.mp4")


def test_a_folder_claimed_and_not_accepted_becomes_a_job(folders):
    drop(folders)
    die_before(folders, ".owner")

    drain(opened(folders))

    assert len(visible(folders)) == 2


def test_finished_clips_of_several_jobs_are_not_done_again(folders):
    for n in range(3):
        drop(folders, f"job{n}", clips=[f"{m}.mp4" for m in range(4)])
    spool = opened(folders)
    jobs = [spool.stage_sound(spool.claim(f"job{n}")) for n in range(3)]
    for job in jobs[:2]:
        for clip in spool.pending(job)[:3]:
            run_clip(spool, job, clip)
    before = visible(folders)
    assert len(before) == 6
    spool.close()

    drain(opened(folders))

    after = visible(folders)
    assert len(after) == 12
    assert before.items() <= after.items()
    for job in jobs:
        assert len(attempts(folders, job)) == 4


@pytest.mark.parametrize("step", ["/rejected/", "REJECTED", ".d", "job.json"])
def test_a_rejection_that_was_cut_short_is_finished(folders, step):
    drop(folders, sounds=("a.wav", "b.wav"))
    die_before(folders, step)

    spool = opened(folders)
    for name in spool.ready(0.0):
        with pytest.raises(JobLayoutError, match="2 audio files"):
            spool.claim(name)

    assert '"job_layout"' in (folders.outbox / "talk" / "job.json").read_text()
    assert len(list(folders.rejected.iterdir())) == 1
    assert len(list(folders.jobs.glob("*/REJECTED"))) == 1
    assert fsck.check(FsOps(), folders, max_attempts=2, at_rest=True) == []


def test_a_claim_from_before_the_rename_is_forgotten(folders):
    drop(folders)
    die_before(folders, "payload")
    assert len(list(folders.claims.iterdir())) == 1

    spool = opened(folders)

    assert list(folders.claims.iterdir()) == []
    assert spool.ready(0.0) == ["talk"]


def test_a_finished_spool_is_opened_in_few_steps(folders):
    drop(folders)
    spool = opened(folders)
    drain(spool)
    spool.close()
    fs = KillNth()

    make_spool(folders, fs).open()

    assert fs.n_changes < 30


def test_rendering_in_a_closed_spool_is_a_mistake_of_ours(folders):
    with pytest.raises(ValueError, match="not open"):
        make_spool(folders).jobs()


def test_the_renderers_file_of_an_earlier_attempt_is_gone(folders):
    drop(folders, clips=("a.mp4",))
    spool = opened(folders)
    job = spool.claim("talk")
    clip = spool.stage(job, job.clips[0])
    render(clip, spool.begin(job, clip))

    assert not spool.begin(job, clip).exists()
