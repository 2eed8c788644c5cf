"""Sources on their way to the spool: by descriptor, hashed, and never more than was meant."""

import errno
import hashlib
import os

import pytest
from spool_faults import FailNth, WatchedFs
from spool_world import FastFs, drain, drop, make_roots, make_spool, opened, patiently, run_job

from heygemd.errors import AudioError, MediaError, TransientError


@pytest.fixture
def folders(tmp_path):
    return make_roots(tmp_path)


def claimed(folders, fs=None, **choices):
    spool = make_spool(folders, fs, **choices)
    spool.open()
    (name,) = spool.ready(0.0)
    return spool, spool.claim(name)


def test_a_staged_clip_has_the_sources_bytes_and_digest(folders):
    folder = drop(folders)
    data = (folder / "a.mp4").read_bytes()
    spool, job = claimed(folders)

    clip = spool.stage(job, job.clips[0])

    assert clip.path.read_bytes() == data
    assert clip.sha256 == hashlib.sha256(data).hexdigest()
    assert clip.path.is_relative_to(folders.work)


def test_staging_twice_copies_once(folders):
    drop(folders)
    spool, job = claimed(folders)
    clip = spool.stage(job, job.clips[0])
    before = clip.path.stat().st_ino

    assert spool.stage(job, job.clips[0]) == clip
    assert clip.path.stat().st_ino == before


def test_an_empty_sound_stops_its_job(folders):
    folder = drop(folders)
    (folder / "voice.wav").write_bytes(b"")
    spool, job = claimed(folders)

    with pytest.raises(AudioError, match="empty") as raised:
        spool.stage_sound(job)

    assert raised.value.reason == "empty_input"


@pytest.mark.parametrize("make", ["symlink", "hard link", "fifo", "device"])
def test_what_is_no_plain_file_is_refused_and_never_read(folders, tmp_path, make):
    folder = drop(folders)
    canary = tmp_path / "secret"
    canary.write_bytes(b"secret")
    target = folder / "trap.mp4"
    if make == "symlink":
        target.symlink_to(canary)
    elif make == "hard link":
        target.hardlink_to(canary)
    elif make == "fifo":
        os.mkfifo(target)
    else:
        try:
            os.mknod(target, 0o600 | 0o020000, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root may make a device")

    (path,) = drain(opened(folders))

    log = (path.parent / "trap.json").read_text()
    assert '"unsafe_input"' in log
    assert not (path.parent / "trap.mp4").exists()
    assert b"secret" not in b"".join(p.read_bytes() for p in folders.work.rglob("*.bin"))
    assert (path.parent / "a.mp4").exists()


def test_a_link_swapped_in_between_look_and_open_is_refused(folders, tmp_path):
    drop(folders)
    canary = tmp_path / "secret.mp4"
    canary.write_bytes(b"secret")

    class Swapping(WatchedFs):
        def before(self, name, args):
            if name == "open_file" and args[0] == "a.mp4" and self.armed:
                source = self.payload / "a.mp4"
                source.unlink()
                source.symlink_to(canary)
                self.armed = False

    fs = Swapping()
    fs.armed = False
    spool, job = claimed(folders, fs)
    fs.payload, fs.armed = folders.payload(job.id), True

    with pytest.raises(MediaError) as raised:
        spool.stage(job, job.clips[0])

    assert raised.value.reason == "unsafe_input"


def test_a_job_folder_that_is_a_link_is_no_job(folders):
    drop(folders)
    (folders.inbox / "link").symlink_to(folders.inbox / "talk")

    assert opened(folders).ready(0.0) == ["talk"]


def test_a_clip_without_read_permission_is_tried_again_then_fails_alone(folders):
    drop(folders)
    fs = FailNth(1, errno.EACCES, ops=("open_file",), where="a.mp4", times=99)
    spool, job = claimed(folders, fs)

    for _ in range(2):
        with pytest.raises(TransientError):
            spool.stage(job, job.clips[0])
    with pytest.raises(MediaError, match="no permission") as raised:
        spool.stage(job, job.clips[0])

    assert raised.value.reason == "permission"
    assert spool.stage(job, job.clips[1]).sha256


def test_permission_that_comes_late_is_no_failure(folders):
    drop(folders)
    fs = FailNth(0, errno.EACCES, ops=("open_file",), where="a.mp4")
    spool, job = claimed(folders, fs)
    fs.n, fs.n_matching = 1, 0

    with pytest.raises(TransientError):
        spool.stage(job, job.clips[0])

    assert spool.stage(job, job.clips[0]).sha256


def test_a_writer_that_comes_back_after_the_claim_is_waited_for(folders):
    drop(folders)
    spool, job = claimed(folders)
    source = folders.payload(job.id) / "a.mp4"
    with source.open("ab") as writer:
        writer.write(b"more")
    with pytest.raises(TransientError, match="has changed"):
        spool.stage(job, job.clips[0])
    with source.open("ab") as writer:
        writer.write(b"and more")
    with pytest.raises(TransientError, match="has changed"):
        spool.stage(job, job.clips[0])

    clip = spool.stage(job, job.clips[0])

    assert clip.path.read_bytes().endswith(b"moreand more")


def test_a_file_that_changes_while_it_is_copied_is_copied_again(folders):
    drop(folders)

    class Growing(FastFs):
        armed = False

        def read(self, fd, n_bytes):
            if self.armed:
                self.armed = False
                with self.source.open("ab") as writer:
                    writer.write(b"late")
            return super().read(fd, n_bytes)

    fs = Growing()
    spool, job = claimed(folders, fs)
    spool.stage(job, job.clips[1])
    staged = folders.staged(job.id, job.clips[0].id)
    fs.source = folders.payload(job.id) / "a.mp4"
    original = fs.open_file

    def arming(name, folder_fd=None):
        fs.armed = fs.armed or name == "a.mp4"
        return original(name, folder_fd)

    fs.open_file = arming
    with pytest.raises(TransientError, match="while it was copied"):
        spool.stage(job, job.clips[0])
    assert not staged.exists()
    fs.open_file = original

    assert patiently(spool.stage, job, job.clips[0]).path.read_bytes().endswith(b"late")


def test_a_writer_that_has_not_finished_at_the_claim_makes_the_folder_settle_again(folders):
    folder = drop(folders)
    spool = opened(folders, settle_s=10.0)
    for now_s in (0.0, 5.0, 10.0):
        ready = spool.ready(now_s)
    assert ready == ["talk"]
    with (folder / "a.mp4").open("ab") as writer:
        writer.write(b"late data")

    assert spool.claim("talk") is None
    assert spool.jobs() == []

    found = [spool.ready(now_s) for now_s in (11.0, 16.0, 21.0)]
    assert found[:2] == [[], []]
    job = spool.claim(found[2][0])
    run_job(spool, job)
    archived = folders.archive / job.id / "payload" / "a.mp4"
    assert archived.read_bytes().endswith(b"late data")


def test_a_claim_that_was_cut_short_is_offered_at_once_by_the_next_process(folders):
    drop(folders)
    spool = opened(folders, settle_s=0.0)
    spool.ready(0.0)
    spool._take("talk")
    spool.close()

    spool = opened(folders, settle_s=60.0)
    (name,) = spool.ready(0.0)

    assert spool.claim(name).name == "talk"


def test_a_stale_share_in_the_middle_of_a_copy_costs_a_retry_and_no_clip(folders):
    drop(folders)
    fs = FailNth(0, errno.ESTALE, ops=("read",), where="a.mp4")
    spool, job = claimed(folders, fs)
    fs.n, fs.n_matching = 1, 0

    with pytest.raises(TransientError) as raised:
        spool.stage(job, job.clips[0])

    assert raised.value.reason == "stale"
    assert spool.stage(job, job.clips[0]).sha256


class Cloning(FastFs):
    """A disk that can share blocks."""

    n_clones = 0

    def clone(self, fd, source_fd):
        self.n_clones += 1
        os.write(fd, os.pread(source_fd, 1 << 20, 0))


def test_where_the_disk_can_share_blocks_a_source_is_not_written_again(folders):
    drop(folders, clips=("a.mp4", "b.mp4"))
    fs = Cloning()
    spool = opened(folders, fs)
    job = spool.stage_sound(spool.claim("talk"))
    written = []
    fs.write = lambda fd, data: written.append(bytes(data)) or os.write(fd, data)

    staged = [spool.stage(job, clip) for clip in job.clips]

    assert fs.n_clones == 3
    assert b"video" not in b"".join(written)
    for clip in staged:
        assert clip.path.read_bytes() == f"video {clip.name}".encode() * 9
        assert clip.sha256 == hashlib.sha256(clip.path.read_bytes()).hexdigest()


def test_a_disk_that_cannot_is_asked_once_and_copied_to(folders):
    drop(folders, clips=("a.mp4", "b.mp4"))
    fs = Cloning()

    def cannot(fd, source_fd):
        fs.n_clones += 1
        raise OSError(errno.EOPNOTSUPP, "cannot")

    fs.clone = cannot
    spool = opened(folders, fs)
    job = spool.stage_sound(spool.claim("talk"))

    staged = [spool.stage(job, clip) for clip in job.clips]

    assert fs.n_clones == 1
    assert [c.path.read_bytes() for c in staged] == [
        f"video {name}".encode() * 9 for name in ("a.mp4", "b.mp4")
    ]
