"""Publishing: nothing half, nothing twice, nothing of anybody else's overwritten."""

import errno
import json
import os
import stat
import threading

import pytest
from spool_faults import FailNth, LieNth
from spool_model import visible
from spool_world import (
    FastFs,
    NoLinks,
    drain,
    drop,
    insist,
    make_roots,
    make_spool,
    opened,
    render,
    run_job,
    tree,
)

from heygemd.errors import TransientError
from heygemd.spool import commit, fsck
from heygemd.spool.fsops import FsOps


@pytest.fixture
def folders(tmp_path):
    return make_roots(tmp_path)


def rendered(folders, fs=None):
    """A spool with one clip rendered and not published."""
    drop(folders, clips=("a.mp4",))
    spool = make_spool(folders, fs)
    spool.open()
    spool.ready(0.0)
    job = spool.claim("talk")
    clip = spool.stage(job, job.clips[0])
    render(clip, spool.begin(job, clip))
    return spool, job, clip


def sound(folders):
    return fsck.check(FsOps(), folders, max_attempts=2, at_rest=True) == []


class NoRenames(FastFs):
    def link(self, source, target):
        raise OSError(errno.ENOTSUP, "no links here", str(source), None, str(target))


@pytest.mark.parametrize(
    ("fs", "way"), [(FastFs(), "link"), (NoRenames(), "rename"), (NoLinks(), "reserve")]
)
def test_the_best_way_that_the_outbox_knows_is_found_and_works(folders, fs, way):
    drop(folders)
    spool = make_spool(folders, fs)
    assert spool.open().place == way

    drain(spool)

    assert sorted(visible(folders)) == ["talk/a.mp4", "talk/b.mp4"]
    assert sound(folders)


@pytest.mark.parametrize("fs", [FastFs(), NoRenames(), NoLinks()])
def test_a_file_that_people_put_there_is_kept_and_ours_is_numbered(folders, fs):
    spool, job, clip = rendered(folders, fs)
    foreign = folders.outbox / "talk" / "a.mp4"
    foreign.write_bytes(b"a person's own")

    path = spool.publish(job, clip, {"outcome": "ok"})

    assert foreign.read_bytes() == b"a person's own"
    assert path.name == "a~2.mp4"
    assert json.loads(path.with_suffix(".json").read_text())["output"]["name"] == "a~2.mp4"
    assert not (folders.outbox / "talk" / "a.json").exists()


@pytest.mark.parametrize("fs", [FastFs(), NoRenames()])
def test_a_file_that_appears_at_the_last_moment_is_kept_too(folders, fs):
    spool, job, clip = rendered(folders, fs)
    foreign = folders.outbox / "talk" / "a.mp4"
    place = "link" if type(fs) is FastFs else "rename_new"
    original = getattr(fs, place)

    def late(source, target):
        if target == foreign and not foreign.exists():
            foreign.write_bytes(b"a person's own")
        original(source, target)

    setattr(fs, place, late)

    path = spool.publish(job, clip, {"outcome": "ok"})

    assert foreign.read_bytes() == b"a person's own"
    assert path.name == "a~2.mp4"
    assert not foreign.with_suffix(".json").exists()
    spool.close_job(job, {"clips": spool.results(job)})
    assert sound(folders)


def test_a_persons_json_is_kept_too(folders):
    spool, job, clip = rendered(folders)
    (folders.outbox / "talk" / "a.json").write_text("mine")

    path = spool.publish(job, clip, {"outcome": "ok"})

    assert (folders.outbox / "talk" / "a.json").read_text() == "mine"
    assert path.name == "a~2.mp4"


def test_a_numbered_name_does_not_take_another_clips(folders):
    drop(folders, clips=("a.mp4", "a~2.mp4"))
    spool = opened(folders)
    job = spool.claim("talk")
    (folders.outbox / "talk" / "a.mp4").write_bytes(b"a person's own")

    run_job(spool, job)

    assert sorted(visible(folders)) == ["talk/a.mp4", "talk/a~2.mp4", "talk/a~3.mp4"]


def test_a_link_that_says_it_exists_though_it_worked_is_a_success(folders):
    spool, job, clip = rendered(folders, LieNth(0, errno.EEXIST, ops=("link",)))
    spool._fs.n = spool._fs.n_matching + 1

    assert spool.publish(job, clip, {"outcome": "ok"}).name == "a.mp4"
    assert spool._fs.n_failed == 1


class Meanwhile(NoLinks):
    """Lets something else happen between the look at a final name and the rename to it."""

    def __init__(self, final, meanwhile):
        super().__init__()
        self.final = final
        self.meanwhile = meanwhile

    def lstat(self, name, folder_fd=None):
        try:
            return super().lstat(name, folder_fd)
        finally:
            if name == self.final and self.meanwhile:
                meanwhile, self.meanwhile = self.meanwhile, None
                meanwhile()


@pytest.fixture
def parts(folders):
    """Two heygemds' parts of one final name."""
    building = folders.outbox / ".heygemd-tmp"
    building.mkdir()
    (folders.outbox / "talk").mkdir()
    found = [building / "one.job.0001.part", building / "two.job.0001.part"]
    for part in found:
        part.write_bytes(part.name.encode())
    return found


def place(fs, part, final, **choices):
    commit.place(fs, commit.RESERVE, part, final, **choices)


def test_a_name_that_another_heygemd_reserves_is_waited_for(folders, parts):
    final, refused = folders.outbox / "talk" / "a.mp4", []

    def second():
        with pytest.raises(OSError, match="another heygemd") as raised:
            place(NoLinks(), parts[1], final)
        refused.append(raised.value.errno)

    place(Meanwhile(final, second), parts[0], final)

    assert refused == [errno.EBUSY]
    assert final.read_bytes() == b"one.job.0001.part"
    with pytest.raises(FileExistsError):
        place(NoLinks(), parts[1], final)
    assert sorted(folders.building.iterdir()) == [parts[1]]


def test_whoever_has_lost_the_name_replaces_nothing_when_he_goes_on(folders, parts):
    final = folders.outbox / "talk" / "a.mp4"

    def successor():
        place(NoLinks(), parts[1], final, may_break=True)

    with pytest.raises(FileNotFoundError):
        place(Meanwhile(final, successor), parts[0], final)

    assert final.read_bytes() == b"two.job.0001.part"
    assert list(folders.building.iterdir()) == []


def test_the_reservation_of_a_name_does_not_depend_on_who_asks_or_where_it_is_mounted(tmp_path):
    here = commit.lock_of(tmp_path / "a", tmp_path / "outbox" / "Talk" / "\u00e9.mp4")
    there = commit.lock_of(tmp_path / "b", tmp_path / "share" / "talk" / "E\u0301.mp4")

    assert here.name == there.name
    assert here.name != commit.lock_of(tmp_path, tmp_path / "talk" / "e.mp4").name


def test_a_reservation_that_a_crash_left_is_swept_by_its_owner_and_by_nobody_else(folders):
    drop(folders)
    spool = opened(folders, NoLinks())
    spool_id = json.loads((folders.work / "spool.json").read_text())["id"]
    final = folders.outbox / "talk" / "a.mp4"
    lock = commit.lock_of(folders.building, final)
    other = lock.with_name("other.lock")
    for path, owner in ((lock, spool_id), (other, "somebody")):
        path.mkdir()
        (path / f"{owner}.job.0001.part").touch()
    spool.close()

    spool = opened(folders, NoLinks())

    assert list(folders.building.iterdir()) == [other]
    drain(spool)
    assert sorted(visible(folders)) == ["talk/a.mp4", "talk/b.mp4"]


def test_of_many_publishers_of_one_name_without_links_one_wins(tmp_path):
    fs = NoLinks()
    final = tmp_path / "a.mp4"
    parts = [tmp_path / f"{n}.part" for n in range(16)]
    for n, part in enumerate(parts):
        part.write_bytes(b"%d" % n * 100)
    won, refused, start = [], [], threading.Barrier(len(parts))

    def publish(part):
        start.wait()
        try:
            place(fs, part, final)
        except OSError as error:
            refused.append(error.errno)
        else:
            won.append(part)

    threads = [threading.Thread(target=publish, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    assert set(refused) <= {errno.EEXIST, errno.EBUSY}
    assert final.read_bytes() == b"%d" % parts.index(won[0]) * 100


@pytest.mark.parametrize("op", ["fsync", "close"])
def test_a_part_whose_bytes_are_in_doubt_is_thrown_away_and_copied_again(folders, op):
    fs = FailNth(1, errno.EIO, ops=(op,), where="0001.part")
    spool, job, clip = rendered(folders, fs)
    with pytest.raises(TransientError):
        spool.publish(job, clip, {"outcome": "ok"})
    assert list((folders.outbox / ".heygemd-tmp").iterdir()) == []
    n_syncs = fs.n_matching

    assert spool.pending(job) == []

    assert fs.n_matching > n_syncs
    assert list(visible(folders)) == ["talk/a.mp4"]


def test_a_rendered_file_whose_bytes_are_in_doubt_is_rendered_again(folders):
    fs = FailNth(1, errno.EIO, ops=("fsync",), where="0001.mp4")
    spool, job, clip = rendered(folders, fs)

    with pytest.raises(TransientError, match="rendering again"):
        spool.publish(job, clip, {"outcome": "ok"})

    assert spool.pending(job) == list(job.clips)[:1] or spool.pending(job)[0].id == clip.id
    assert not folders.rendered(job.id, clip.id).exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_an_outbox_that_takes_nothing_holds_the_queue_and_costs_no_render(folders, code):
    fs = FailNth(1, code, ops=("create",), where="0001.part", times=5)
    spool, job, clip = rendered(folders, fs)
    with pytest.raises(TransientError):
        spool.publish(job, clip, {"outcome": "ok"})
    spool.forgive(job, clip)
    for _ in range(4):
        with pytest.raises(TransientError):
            spool.pending(job)

    assert spool.pending(job) == []
    assert list(visible(folders)) == ["talk/a.mp4"]


def test_a_folder_sync_that_the_file_system_does_not_know_is_no_error(folders):
    drop(folders)
    fs = FailNth(1, errno.EINVAL, ops=("fsync_dir",), times=10**6)
    spool = make_spool(folders, fs)
    spool.open()

    drain(spool)

    assert fs.n_failed > 10
    assert len(visible(folders)) == 2


def test_a_folder_sync_that_fails_is_done_again(folders):
    drop(folders)
    fs = FailNth(1, errno.EIO, ops=("fsync_dir",), where="outbox/talk", times=2)
    spool = make_spool(folders, fs)

    insist(spool)

    assert fs.n_failed == 2
    assert sorted(visible(folders)) == ["talk/a.mp4", "talk/b.mp4"]


def test_no_file_is_given_another_owner_or_mode(folders):
    """Shares refuse chmod and chown; the umask and a setgid folder do the work."""
    mask = os.umask(0o007)
    try:
        os.chown(folders.outbox, -1, 4242)
        folders.outbox.chmod(0o2770)
        drop(folders)
        drain(opened(folders))
    except PermissionError:
        pytest.skip("only root may give a folder another group")
    finally:
        os.umask(mask)

    for path in (folders.outbox / "talk").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660, path
        assert path.stat().st_gid == 4242, path


def test_a_job_of_the_same_name_gets_a_second_folder_and_leaves_the_first_alone(folders):
    drop(folders)
    spool = opened(folders)
    drain(spool)
    before = tree(folders.outbox / "talk")
    drop(folders)

    (path,) = drain(spool)

    assert path.parent.name == "talk~2"
    assert tree(folders.outbox / "talk") == before


def test_a_folder_dropped_again_after_the_claim_is_a_job_of_its_own(folders):
    drop(folders, clips=("a.mp4",))
    spool = opened(folders)
    first = spool.claim("talk")
    drop(folders, clips=("late.mp4",))

    drain(spool)

    assert sorted(visible(folders)) == ["talk/a.mp4", "talk~2/late.mp4"]
    assert first.out_name == "talk"


def test_outputs_go_on_in_a_new_folder_when_people_take_the_first_one_away(folders):
    drop(folders)
    spool = opened(folders)
    job = spool.stage_sound(spool.claim("talk"))
    clip = spool.stage(job, job.clips[0])
    render(clip, spool.begin(job, clip))
    spool.publish(job, clip, {"outcome": "ok"})
    (folders.outbox / "talk").rename(folders.inbox.parent / "taken")
    (folders.outbox / "talk").mkdir()
    (folders.outbox / "talk" / "theirs.txt").write_text("mine")

    path = run_job(spool, job)

    assert path.parent.name == "talk~2"
    assert sorted(p.name for p in path.parent.glob("*.mp4")) == ["b.mp4"]
    assert spool.jobs() == []


def test_an_outbox_folder_that_is_a_link_is_never_followed(folders, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folders.outbox / "talk").symlink_to(elsewhere)
    drop(folders)

    drain(opened(folders))

    assert list(elsewhere.iterdir()) == []
    assert sorted(visible(folders)) == ["talk~2/a.mp4", "talk~2/b.mp4"]


def test_people_may_take_a_result_before_the_job_is_closed(folders):
    spool, job, clip = rendered(folders)
    spool.publish(job, clip, {"outcome": "ok"}).unlink()
    spool.close()

    spool = opened(folders)
    run_job(spool, spool.jobs()[0])

    assert visible(folders) == {}
    errors = fsck.check(FsOps(), folders, max_attempts=2, at_rest=True)
    assert [finding.severity for finding in errors] == ["note"]
