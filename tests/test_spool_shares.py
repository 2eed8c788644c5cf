"""Shares that go away and come back: nothing is done on a bare mount point."""

import errno
import json

import pytest
from spool_faults import FailNth
from spool_model import visible
from spool_world import FastFs, drain, drop, make_roots, make_spool, opened, render, run_job, tree

from heygemd.errors import ConfigError, TransientError
from heygemd.spool import shares


@pytest.fixture
def folders(tmp_path):
    return make_roots(tmp_path)


@pytest.fixture
def marked(folders):
    """Both sides carry a SHARE_ID."""
    for number, side in enumerate((folders.inbox, folders.outbox)):
        shares.init_share(FastFs(), side, f"share-{number}")
    return folders


def unmount(side):
    """Leave the bare mount point; what is mounted there again by ``mount``."""
    away = side.with_name(f"{side.name}-away")
    side.rename(away)
    side.mkdir()
    return away


def mount(side, away):
    side.rmdir()
    away.rename(side)


def test_a_share_keeps_the_id_it_got_first(folders):
    assert shares.init_share(FastFs(), folders.inbox, "one") == "one"
    assert shares.init_share(FastFs(), folders.inbox, "two") == "one"


def test_plain_folders_need_no_sentinel(folders):
    drop(folders)

    drain(opened(folders))

    assert len(visible(folders)) == 2


@pytest.mark.parametrize("side", ["inbox", "outbox"])
def test_a_share_that_is_away_takes_no_jobs_and_gets_no_files(marked, side):
    drop(marked)
    spool = opened(marked)
    root = getattr(marked, side)
    away = unmount(root)

    assert spool.ready(0.0) == []
    assert spool.lost() == (side,)
    assert spool.waiting() == {side: "the share is not there"}
    with pytest.raises(TransientError) as raised:
        spool.claim("talk")
    assert raised.value.reason == "share_gone"
    assert list(root.iterdir()) == []

    mount(root, away)
    assert spool.ready(1.0) == ["talk"]
    drain(spool, 2.0)
    assert len(visible(marked)) == 2


def test_an_outbox_that_goes_in_the_middle_of_a_job_costs_no_render(marked):
    drop(marked)
    spool = opened(marked)
    job = spool.stage_sound(spool.claim("talk"))
    clip = spool.stage(job, job.clips[0])
    render(clip, spool.begin(job, clip))
    away = unmount(marked.outbox)

    for _ in range(2):
        with pytest.raises(TransientError) as raised:
            spool.publish(job, clip, {"outcome": "ok"})
        assert raised.value.reason == "share_gone"
    with pytest.raises(TransientError):
        spool.pending(job)
    assert list(marked.outbox.iterdir()) == []

    mount(marked.outbox, away)
    assert [left.id for left in spool.pending(job)] == ["0002"]


def test_an_inbox_that_goes_stops_no_clip_that_is_staged(marked):
    drop(marked, clips=("a.mp4",))
    spool = opened(marked)
    job = spool.stage_sound(spool.claim("talk"))
    clip = spool.stage(job, job.clips[0])
    unmount(marked.inbox)

    render(clip, spool.begin(job, clip))
    spool.publish(job, clip, {"outcome": "ok"})

    assert list(visible(marked)) == ["talk/a.mp4"]
    with pytest.raises(TransientError):
        spool.close_job(job, {"clips": []})
    assert list(marked.inbox.iterdir()) == []


def test_a_start_without_a_known_share_waits_for_it(marked):
    drop(marked)
    opened(marked).close()
    away = unmount(marked.inbox)

    spool = make_spool(marked)
    assert spool.open().lost == ("inbox",)
    assert spool.ready(0.0) == []
    assert list(marked.inbox.iterdir()) == []

    mount(marked.inbox, away)
    assert spool.ready(1.0) == ["talk"]


def test_another_share_under_the_same_path_is_not_ours(marked):
    opened(marked).close()
    unmount(marked.inbox)
    shares.init_share(FastFs(), marked.inbox, "stranger")
    drop(marked)

    assert make_spool(marked).open().lost == ("inbox",)


def test_a_claim_is_not_forgotten_because_its_share_is_away(marked):
    drop(marked)
    spool = opened(marked)
    spool.ready(0.0)
    spool._take("talk")
    spool.close()
    away = unmount(marked.inbox)

    spool = make_spool(marked)
    spool.open()
    assert len(list(marked.jobs.iterdir())) == 1
    mount(marked.inbox, away)

    for name in spool.ready(0.0):
        run_job(spool, spool.claim(name))
    assert len(visible(marked)) == 2


def test_a_sentinel_given_later_is_remembered(folders):
    spool = opened(folders)
    shares.init_share(FastFs(), folders.inbox, "share-1")
    shares.init_share(FastFs(), folders.outbox, "share-2")
    spool.ready(0.0)

    known = json.loads((folders.work / "spool.json").read_text())["shares"]

    assert known == {"inbox": "share-1", "outbox": "share-2"}


def test_a_share_that_does_not_answer_is_away(marked):
    drop(marked)
    fs = FailNth(0, errno.EHOSTDOWN, ops=("open_file",), where="SHARE_ID")
    spool = make_spool(marked, fs)
    spool.open()
    before = tree(marked.inbox.parent)
    fs.n, fs.n_matching, fs.times = 1, 0, 99

    assert spool.ready(0.0) == []
    assert tree(marked.inbox.parent) == before


def test_a_claim_across_file_systems_is_a_mistake_in_the_settings(folders):
    drop(folders)
    before = tree(folders.inbox / "talk")
    spool = make_spool(folders, FailNth(1, errno.EXDEV, ops=("rename",), where="inbox/talk"))
    spool.open()

    with pytest.raises(ConfigError, match="one file system"):
        spool.claim("talk")

    assert tree(folders.inbox / "talk") == before
    assert list(folders.claims.iterdir()) == []


def test_an_outbox_on_another_file_system_is_no_matter(tmp_path, memory_path):
    folders = make_roots(tmp_path)
    outbox = memory_path / "outbox"
    outbox.mkdir()
    if outbox.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system here")
    elsewhere = type(folders)(folders.inbox, outbox, folders.work)
    drop(elsewhere)

    drain(opened(elsewhere))

    assert len(visible(elsewhere)) == 2
