"""Two spools on one inbox: each job once, and nobody waits for the dead."""

import threading

import pytest
from spool_faults import Killed
from spool_model import visible
from spool_world import NoLinks, drain, drop, make_roots, make_spool, render, run_job, tree

from heygemd.errors import TransientError
from heygemd.spool.queue import SpoolFolders

LEASE_S = 60.0


@pytest.fixture
def folders(tmp_path):
    return make_roots(tmp_path)


def another(folders):
    """The same inbox and outbox, a work folder of its own."""
    work = folders.work.with_name("work2")
    work.mkdir()
    return SpoolFolders(folders.inbox, folders.outbox, work)


@pytest.fixture
def pair(folders):
    """Two opened spools that know of each other."""
    spools = [make_spool(f, lease_s=LEASE_S) for f in (folders, another(folders))]
    for spool in spools:
        spool.open()
    return spools


@pytest.mark.timeout(120)
def test_two_spools_share_two_hundred_jobs_and_do_each_once(memory_path):
    (memory_path / "roots").mkdir()
    folders = make_roots(memory_path / "roots")
    for n in range(200):
        drop(folders, f"job{n:03d}", clips=("a.mp4",))
    done, errors = [], []

    def work(own):
        spool = make_spool(own)
        spool.open()
        try:
            for name in spool.ready(0.0):
                job = spool.claim(name)
                if job is not None:
                    done.append(run_job(spool, job).parent.name)
        except TransientError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f,)) for f in (folders, another(folders))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert sorted(done) == [f"job{n:03d}" for n in range(200)]
    assert len(visible(folders)) == 200


def test_a_spool_that_shows_no_life_loses_its_jobs_after_the_lease(folders, pair):
    first, second = pair
    drop(folders)
    first.ready(0.0)
    first.claim("talk")

    found = [second.ready(now_s) for now_s in (1000.0, 1030.0, 1059.0)]
    assert found == [[], [], []]
    (name,) = second.ready(1061.0)
    run_job(second, second.claim(name))

    assert len(visible(folders)) == 2


def test_a_spool_that_beats_keeps_its_jobs(folders, pair):
    first, second = pair
    drop(folders)
    first.ready(0.0)
    first.claim("talk")
    for now_s in range(0, 600, 20):
        first.beat(float(now_s))
        assert second.ready(5000.0 + now_s) == []


def test_a_spool_alone_beats_and_watches_nobody(folders):
    spool = make_spool(folders)
    spool.open()
    before = tree(folders.inbox)

    spool.beat(0.0)
    spool.ready(1.0)

    assert tree(folders.inbox) == before


class DiesWhileItReserves(NoLinks):
    """Dies between its look at the name that it reserved and the rename to it."""

    def rename(self, source, target):
        if target.suffix == ".mp4":
            raise Killed
        super().rename(source, target)

    def unlink(self, path):
        if path.parent.suffix == ".lock":
            raise Killed
        super().unlink(path)


def test_a_name_that_a_dead_spool_reserved_does_not_block_its_successor(folders):
    drop(folders, clips=("a.mp4",))
    first = make_spool(folders, DiesWhileItReserves(), lease_s=LEASE_S)
    second = make_spool(another(folders), NoLinks(), lease_s=LEASE_S)
    for spool in (first, second):
        spool.open()
    with pytest.raises(Killed):
        drain(first)
    assert [path.suffix for path in folders.building.iterdir()].count(".lock") == 1
    second.ready(0.0)

    drain(second, 61.0)

    assert list(visible(folders)) == ["talk/a.mp4"]
    assert list(folders.building.iterdir()) == []


def test_a_holder_that_wakes_up_late_publishes_nothing_more(folders, pair):
    first, second = pair
    drop(folders, clips=("a.mp4",))
    first.ready(0.0)
    job = first.stage_sound(first.claim("talk"))
    clip = first.stage(job, job.clips[0])
    render(clip, first.begin(job, clip))
    second.ready(0.0)
    (name,) = second.ready(61.0)
    run_job(second, second.claim(name))
    before = tree(folders.outbox)

    with pytest.raises(TransientError) as raised:
        first.publish(job, clip, {"outcome": "ok"})

    assert raised.value.reason == "claim_lost"
    assert first.jobs() == []
    assert tree(folders.outbox) == before
    assert list(visible(folders)) == ["talk/a.mp4"]


def test_what_the_dead_spool_published_is_not_done_again(folders, pair):
    first, second = pair
    drop(folders)
    first.ready(0.0)
    job = first.stage_sound(first.claim("talk"))
    clip = first.stage(job, job.clips[0])
    render(clip, first.begin(job, clip))
    first.publish(job, clip, {"outcome": "ok"})
    before = visible(folders)
    second.ready(0.0)
    (name,) = second.ready(61.0)

    job = second.claim(name)

    assert [left.name for left in second.pending(job)] == ["b.mp4"]
    run_job(second, job)
    assert before.items() <= visible(folders).items()
    assert len(visible(folders)) == 2


def test_a_file_that_the_late_holder_linked_at_the_last_moment_stands(folders, pair):
    first, second = pair
    drop(folders, clips=("a.mp4",))
    first.ready(0.0)
    job = first.stage_sound(first.claim("talk"))
    clip = first.stage(job, job.clips[0])
    render(clip, first.begin(job, clip))
    second.ready(0.0)
    (name,) = second.ready(61.0)
    theirs = second.stage_sound(second.claim(name))
    late = second.stage(theirs, theirs.clips[0])
    render(late, second.begin(theirs, late))
    final = folders.outbox / "talk" / "a.mp4"
    fs = second._fs
    original = fs.link

    def slow(source, target):
        if target == final and not final.exists():
            final.write_bytes(folders.rendered(job.id, clip.id).read_bytes())
        original(source, target)

    fs.link = slow

    assert second.publish(theirs, late, {"outcome": "ok"}) == final
    assert list(visible(folders)) == ["talk/a.mp4"]
    assert final.read_bytes() == folders.rendered(job.id, clip.id).read_bytes()
    second.close_job(theirs, {"clips": second.results(theirs)})


def test_of_two_heirs_one_inherits(folders, pair):
    first, second = pair
    third = make_spool(
        SpoolFolders(folders.inbox, folders.outbox, folders.work.with_name("work3")),
        lease_s=LEASE_S,
    )
    third.open()
    drop(folders)
    first.ready(0.0)
    first.claim("talk")
    for heir in (second, third):
        heir.ready(0.0)

    offers = [heir.ready(61.0) for heir in (second, third)]

    assert [len(offer) for offer in offers] == [1, 0]


def test_the_claim_of_a_spool_that_never_beat_is_taken_over_too(folders):
    drop(folders)
    lost = make_spool(folders)
    lost.open()
    lost.claim("talk")
    heir = make_spool(another(folders), lease_s=LEASE_S)
    heir.open()
    heir.ready(0.0)

    (name,) = heir.ready(61.0)

    assert heir.claim(name).name == "talk"
    drain(heir, 62.0)
    assert len(visible(folders)) == 2
