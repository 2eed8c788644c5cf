"""Real shares and real full disks: a Samba server on the loopback, FUSE, tmpfs.

Run it as root with ``make system-test``; elsewhere each test says why it is skipped.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import made_media
import samba
from daemon_process import DaemonProcess, heygemd, write_config
from spool_world import drop, make_roots, opened

from heygemd.spool.fsops import FsOps

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        os.environ.get("HEYGEMD_SYSTEM_TEST") != "1",
        reason="mounts things and serves a share: make system-test",
    ),
]
DISK_BYTES, CLIP_BYTES = 400_000_000, 60_000_000
N_STEPS, STEP_S = 16, 0.3
PADDING_BYTES = 32_000_000  # clients send megabytes at a time
needs_samba = pytest.mark.skipif(bool(samba.obstacle()), reason=samba.obstacle() or "none")
needs_fuse = pytest.mark.skipif(bool(samba.fuse_obstacle()), reason=samba.fuse_obstacle() or "none")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for mounts")


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    made_media.write_voice(folder / "voice.wav", 1.2)
    made_media.write_clip(folder / "anna.mp4")
    made_media.write_clip(folder / "ben.mp4", 30)
    return [folder / name for name in ("anna.mp4", "ben.mp4", "voice.wav")]


@pytest.fixture
def server(tmp_path):
    root = tmp_path / "server"
    root.mkdir()
    served = samba.Server(root)
    for name in ("inbox", "outbox"):
        (served.share / name).mkdir()
    yield served
    served.close()


@pytest.fixture
def mount(server, tmp_path):
    mounted = samba.Mount(tmp_path)
    mounted.attach()
    yield mounted
    mounted.detach()


def started(share, tmp_path, extra=""):
    """A daemon whose inbox and outbox are on ``share``, marked as ``heygemd init`` marks them."""
    config = write_config(
        tmp_path / "config.toml", share / "inbox", share / "outbox", tmp_path / "work", extra
    )
    made = heygemd(config, "init")
    assert made.returncode == 0, made.stderr
    return DaemonProcess(config, tmp_path / "daemon.log")


def results(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix in {".mp4", ".json"})


def sound(config):
    """What fsck has to say; an empty list is a sound spool."""
    told = json.loads(heygemd(config, "fsck", "--json").stdout)
    return [finding for finding in told["findings"] if finding["severity"] == "error"]


def is_finished(folder):
    """Both clips and the job are told; progress.json may be there or not."""
    return {*results(folder), "progress.json"} == set(FINISHED)


FINISHED = ["anna.json", "anna.mp4", "ben.json", "ben.mp4", "job.json", "progress.json"]


@needs_samba
def test_a_folder_that_a_windows_client_drops_is_finished_and_can_be_fetched(
    server, media, tmp_path
):
    daemon = started(server.share, tmp_path)
    with daemon:
        server.drop("lesson one", *media)
        assert daemon.wait_for("job.closed")["outcome"] == "ok"
    assert is_finished(server.share / "outbox" / "lesson one")

    server.client(f'get "outbox/lesson one/anna.mp4" "{tmp_path / "fetched.mp4"}"')

    log = json.loads((server.share / "outbox" / "lesson one" / "anna.json").read_text())
    assert (tmp_path / "fetched.mp4").stat().st_size == log["output"]["size_bytes"]
    assert sound(daemon.config) == []


@needs_samba
def test_a_slow_copy_is_waited_for_however_often_it_falters(server, media, tmp_path):
    padding = PADDING_BYTES.to_bytes(4, "big") + b"free" + bytes(PADDING_BYTES - 8)
    whole, slow = media[0].read_bytes() + padding, tmp_path / "anna.mp4"
    os.mkfifo(slow)
    daemon = started(server.share, tmp_path)
    with daemon:
        copy = threading.Thread(target=server.drop, args=("lesson", media[2], slow))
        copy.start()
        with slow.open("wb", buffering=0) as writer:
            for n in range(N_STEPS):
                writer.write(whole[n * len(whole) // N_STEPS : (n + 1) * len(whole) // N_STEPS])
                time.sleep(STEP_S)  # shorter than the settle time, and all of them much longer
            assert daemon.count("job.claimed") == 0
        copy.join()
        assert daemon.wait_for("job.closed")["outcome"] == "ok"
    (archived,) = (server.share / "inbox" / ".heygemd" / "archive").glob("*/payload/anna.mp4")
    assert archived.read_bytes() == whole


@needs_samba
@needs_fuse
def test_an_inbox_behind_fuse_is_polled_and_published_to_by_reservation(
    server, mount, media, tmp_path
):
    daemon = started(mount.share, tmp_path)
    with daemon:
        assert [e["place"] for e in daemon.events() if e["event"] == "spool.recovered"] == [
            "reserve"
        ]
        server.drop("lesson", *media)
        assert daemon.wait_for("job.closed")["outcome"] == "ok"
        server.drop("lesson", *media)
        assert daemon.wait_for("job.closed")["outcome"] == "ok"
    for name in ("lesson", "lesson~2"):
        assert is_finished(server.share / "outbox" / name)
    assert list((server.share / "outbox" / ".heygemd-tmp").iterdir()) == []
    assert sound(daemon.config) == []


@needs_samba
@needs_fuse
def test_a_share_that_goes_away_is_waited_for_and_nothing_is_written_under_it(
    server, mount, media, tmp_path
):
    daemon = started(mount.share, tmp_path)
    with daemon:
        mount.detach()
        daemon.wait_for("share.lost", side="inbox")
        server.drop("lesson", *media)
        assert list(mount.point.iterdir()) == []
        mount.attach()
        daemon.wait_for("share.returned", side="inbox")
        assert daemon.wait_for("job.closed")["outcome"] == "ok"
        assert daemon.count("clip.failed") == 0
    assert sound(daemon.config) == []


@needs_samba
@needs_fuse
def test_a_server_that_dies_in_the_middle_of_a_job_costs_a_wait_and_no_clip(
    server, mount, media, tmp_path
):
    daemon = started(mount.share, tmp_path)
    with daemon:
        server.drop("lesson", *media)
        daemon.wait_for("clip.attempted")
        mount.detach()
        daemon.wait_for("share.lost")
        mount.attach()
        assert daemon.wait_for("job.closed")["outcome"] == "ok"
        assert daemon.count("clip.failed") == 0
    assert is_finished(server.share / "outbox" / "lesson")
    assert sound(daemon.config) == []


@needs_samba
@needs_fuse
def test_a_share_that_hangs_lets_the_clip_in_hand_go_on_and_loses_nothing(
    server, mount, media, tmp_path
):
    voice = tmp_path / "voice.wav"
    made_media.write_voice(voice, 60.0)
    daemon = started(mount.share, tmp_path)
    with daemon:
        server.drop("lesson", *media[:2], voice)
        daemon.wait_for("clip.attempted")
        mount.freeze()
        try:
            samba.until(lambda: is_asleep_in_the_kernel(daemon.process.pid), "a call that hangs")
            before = frames_done(daemon)
            samba.until(lambda: frames_done(daemon) > before, "frames while the share hangs")
            assert is_asleep_in_the_kernel(daemon.process.pid)
        finally:
            mount.thaw()
        assert daemon.wait_for("job.closed")["outcome"] == "ok"
        assert daemon.count("clip.failed") == 0
    assert sound(daemon.config) == []


def frames_done(daemon):
    """What the daemon says when it is asked: (stage, frames) of the clip in hand."""
    daemon.process.send_signal(signal.SIGUSR1)
    dumped = daemon.wait_for("daemon.dumped")
    while "state" not in dumped:  # one line for the state, then one for each thread
        dumped = daemon.wait_for("daemon.dumped")
    hand = dumped["state"]["in_hand"]
    return hand["stage"], hand["n_done"]


def is_asleep_in_the_kernel(pid):
    """True while the process waits for a FUSE file system's answer."""
    return any(
        path.read_text() == "request_wait_answer"  # linux/fs/fuse/dev.c
        for path in Path(f"/proc/{pid}/task").glob("*/wchan")
    )


@needs_root
@pytest.mark.parametrize("full", ["work", "outbox"])
def test_a_full_disk_pauses_the_daemon_and_fails_nothing(media, tmp_path, full):
    (tmp_path / "share").mkdir()
    for name in ("inbox", "outbox"):
        (tmp_path / "share" / name).mkdir()
    disk = samba.memory_disk(
        tmp_path / "work" if full == "work" else tmp_path / "share" / "outbox", "4m"
    )
    try:
        daemon = started(tmp_path / "share", tmp_path)
        with daemon:
            filler = disk / ".filler"
            fill(filler)
            for name in ("one", "two"):
                folder = tmp_path / "share" / name
                folder.mkdir()
                for path in media:
                    (folder / path.name).write_bytes(path.read_bytes())
                folder.rename(tmp_path / "share" / "inbox" / name)
            daemon.wait_for("intake.paused", code="disk_full")
            assert daemon.count("job.claimed") == 0
            filler.unlink()
            for _ in ("one", "two"):
                assert daemon.wait_for("job.closed")["outcome"] == "ok"
            assert daemon.count("clip.failed") == 0
        assert [f for f in sound(daemon.config) if f["rule"] != "I9"] == []
    finally:
        samba.unmount(disk)


@needs_root
@pytest.mark.skipif(shutil.which("mkfs.xfs") is None, reason="missing: mkfs.xfs")
def test_staging_on_a_disk_that_shares_blocks_takes_no_room(tmp_path):
    image, disk = tmp_path / "disk.img", tmp_path / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, disk], check=True)
    try:
        folders = make_roots(disk)
        folder = drop(folders, clips=("a.mp4",))
        (folder / "a.mp4").write_bytes(os.urandom(CLIP_BYTES))
        spool = opened(folders, FsOps(), spare_bytes=0)
        job = spool.stage_sound(spool.claim("talk"))
        os.sync()
        before = FsOps().free_bytes(disk)
        staged = spool.stage(job, job.clips[0])
        os.sync()
        assert before - FsOps().free_bytes(disk) < CLIP_BYTES // 10
        assert staged.path.read_bytes() == job.clips[0].path.read_bytes()
        spool.close()
    finally:
        samba.unmount(disk)


LISTENER = """
import sys
from pathlib import Path
from heygemd.bell import Bell
bell = Bell(Path(sys.argv[1]), "events")
bell.wait(0.01)
print("listening", flush=True)
while not bell.troubles["overflow"]:
    bell.wait(0.5)
bell.close()
"""


def test_a_flood_that_loses_events_loses_no_job(tmp_path):
    """60 000 files while the listener is stopped; the kernel keeps 16 384 events for it."""
    folders = make_roots(tmp_path)
    for n in range(300):
        (folders.inbox / f"job{n}").mkdir()
    command = [sys.executable, "-c", LISTENER, str(folders.inbox)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
        try:
            assert listener.stdout.readline() == "listening\n"
            listener.send_signal(signal.SIGSTOP)
            for n in range(300):
                drop(folders, f"job{n}", clips=[f"{m}.mp4" for m in range(199)])
            listener.send_signal(signal.SIGCONT)
            assert listener.wait(timeout=120) == 0
        finally:
            listener.kill()

    assert len(opened(folders).ready(0.0)) == 300


def fill(path):
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as filler:
        try:
            while filler.write(bytes(65_536)):
                pass
        except OSError:
            return
