"""The bell: rings on change, falls back to silence, never hangs."""

import errno
import logging
import os
import time

import pytest

from heygemd.bell import Bell, file_system, is_silent
from heygemd.log import log


@pytest.fixture
def bell(tmp_path):
    bell = Bell(tmp_path, "events")
    bell.wait(0.01)  # begins to listen
    yield bell
    bell.close()


def test_a_ring_ends_the_wait(bell):
    bell.ring()
    assert bell.wait(10)


def test_a_ring_counts_once(bell):
    bell.ring()
    bell.wait(10)
    assert not bell.wait(0.1)


def test_a_wait_is_short_so_that_signals_are_seen(tmp_path):
    started_s = time.monotonic()
    Bell(tmp_path, "poll").wait(3600)
    assert time.monotonic() - started_s < 60


def rings(bell, do, n_waits=100):
    while bell.wait(0.05):  # what still comes from before
        pass
    do()
    return any(bell.wait(0.1) for _ in range(n_waits))


def test_a_new_file_deep_inside_rings(bell, tmp_path):
    (tmp_path / "job").mkdir()
    assert rings(bell, lambda: (tmp_path / "job" / "voice.wav").write_bytes(b"x"))


def test_reading_does_not_ring(bell, tmp_path):
    (tmp_path / "voice.wav").write_bytes(b"x")
    assert not rings(bell, lambda: (tmp_path / "voice.wav").read_bytes(), n_waits=4)


def test_a_folder_that_vanished_and_came_back_rings_again(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    bell = Bell(folder, "events")
    bell.wait(0.01)
    folder.rmdir()
    bell.wait(0.05)
    folder.mkdir()
    jobs = (folder / f"job{n}" for n in range(50))
    try:  # it listens again once it has noticed; until then a job rings nothing
        assert any(rings(bell, next(jobs).mkdir, n_waits=2) for _ in range(50))
        assert bell.troubles["rebuilt"] >= 1
    finally:
        bell.close()


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENOSPC])
def test_where_the_kernel_has_no_watches_left_it_polls_and_says_so_once(
    tmp_path, monkeypatch, code
):
    class Exhausted:
        emitters = ()

        def schedule(self, *_, **__):
            raise OSError(code, os.strerror(code))

    warned = []
    monkeypatch.setattr("heygemd.bell.Observer", Exhausted)
    monkeypatch.setattr(log, "warning", lambda event, **values: warned.append((event, values)))
    bell = Bell(tmp_path, "events")

    for _ in range(3):
        assert not bell.wait(0.01)

    assert warned == [("watch.degraded", {"reason": os.strerror(code)})]
    assert bell.troubles["degraded"] == 1


def test_events_that_were_lost_ring_the_bell_and_are_counted(bell):
    while bell.wait(0.05):
        pass
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed")

    assert bell.wait(10)
    assert bell.troubles["overflow"] == 1


def test_polling_never_listens(tmp_path):
    bell = Bell(tmp_path, "poll")
    assert not rings(bell, lambda: (tmp_path / "job").mkdir(), n_waits=4)


@pytest.fixture
def mounts(tmp_path):
    path = tmp_path / "mountinfo"
    path.write_text(
        "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
        f"30 22 0:40 / {tmp_path} rw - cifs //nas/share rw\n"
        f"31 30 0:41 / {tmp_path}/local\\040disk rw - xfs /dev/sdb rw\n"
        f"32 30 0:42 / {tmp_path}/fuse rw - fuse.sshfs host: rw\n"
    )
    return path


def test_the_nearest_mount_says_the_file_system(tmp_path, mounts):
    (tmp_path / "local disk").mkdir()
    assert file_system(tmp_path / "local disk", mounts) == "xfs"
    assert file_system(tmp_path / "other", mounts) == "cifs"


def test_shares_are_silent_and_disks_are_not(tmp_path, mounts):
    assert is_silent(tmp_path / "inbox", mounts)
    assert is_silent(tmp_path / "fuse" / "inbox", mounts)
    assert not is_silent(tmp_path / "local disk", mounts)
