"""Which folders are complete, and what people are told of the others."""

import errno
import os
import socket
import struct
import time
from pathlib import Path

import pytest
from spool_faults import FailNth
from spool_world import FastFs, drain, drop, make_roots, make_spool, opened, tree

from heygemd.spool import names

SETTLE_S = 10.0


@pytest.fixture
def folders(tmp_path):
    return make_roots(tmp_path)


def watch(spool, *times_s):
    """The last of several looks."""
    found = []
    for now_s in times_s:
        found = spool.ready(float(now_s))
    return found


def test_a_quiet_folder_is_ready_after_the_settle_time(folders):
    drop(folders)
    spool = opened(folders, settle_s=SETTLE_S)

    assert watch(spool, 0, 5) == []
    assert spool.waiting() == {"talk": "unchanged for 5 s, want 10 s"}
    assert watch(spool, 10) == ["talk"]


def test_a_file_that_grows_is_waited_for(folders):
    folder = drop(folders)
    spool = opened(folders, settle_s=SETTLE_S)
    for second in range(30):
        with (folder / "a.mp4").open("ab") as clip:
            clip.write(b"x")
        assert spool.ready(float(second)) == []

    assert watch(spool, 30, 35, 40) == ["talk"]


def test_a_writer_that_reserved_the_full_size_is_waited_for(folders):
    folder = drop(folders)
    with (folder / "a.mp4").open("wb") as clip:
        clip.truncate(1 << 16)
        spool = opened(folders, settle_s=SETTLE_S)
        for second in range(0, 40, 4):
            os.pwrite(clip.fileno(), b"data", second * 100)
            assert spool.ready(float(second)) == []


def test_a_modification_time_set_back_during_the_copy_changes_nothing(folders):
    folder = drop(folders)
    spool = opened(folders, settle_s=SETTLE_S)
    watch(spool, 0, 5)
    os.utime(folder / "a.mp4", (315532800, 315532800))
    assert watch(spool, 10, 15) == []
    os.utime(folder / "a.mp4", (4070908800, 4070908800))

    assert watch(spool, 18, 22) == []
    assert watch(spool, 28) == ["talk"]


def test_the_wall_clock_plays_no_part(folders, monkeypatch):
    drop(folders)
    spool = opened(folders, settle_s=SETTLE_S)
    watch(spool, 0, 5)
    monkeypatch.setattr(time, "time", lambda: 86_400.0)

    assert watch(spool, 9) == []
    assert watch(spool, 10) == ["talk"]


@pytest.mark.parametrize("name", ["b.mp4.part", "b.mp4.crdownload", "~$b.mp4", ".b.mp4.Ab12Cd"])
def test_a_file_that_a_program_still_writes_holds_its_folder(folders, name):
    folder = drop(folders)
    (folder / name).write_bytes(b"half")
    spool = opened(folders, settle_s=SETTLE_S)
    assert watch(spool, 0, 5, 10, 100) == []
    assert name in spool.waiting()["talk"]

    (folder / name).unlink()

    assert watch(spool, 101, 106, 111) == ["talk"]


def test_junk_is_no_job_and_no_error(folders):
    folder = folders.inbox / "talk"
    (folder / "@eaDir").mkdir(parents=True)
    for name in (".DS_Store", "._a.mp4", "Thumbs.db"):
        (folder / name).write_bytes(b"junk")
    (folders.inbox / ".DS_Store").write_bytes(b"junk")
    (folders.inbox / "@eaDir").mkdir()
    spool = opened(folders)

    assert spool.ready(0.0) == []
    assert set(spool.waiting()) == {"talk"}
    assert list(folders.outbox.glob("[!.]*")) == []


def test_junk_beside_a_job_stays_out_of_it(folders):
    drop(folders, **{"._a.mp4": "fork", ".DS_Store": "view"})
    spool = opened(folders)

    job = spool.claim("talk")

    assert [clip.name for clip in job.clips] == ["a.mp4", "b.mp4"]


def test_a_sound_may_come_after_the_videos(folders):
    folder = drop(folders, sounds=())
    spool = opened(folders, settle_s=SETTLE_S)
    assert watch(spool, 0, 5, 10, 60) == []
    assert "no audio file yet beside 2 videos" in spool.waiting()["talk"]

    (folder / "voice.wav").write_bytes(b"sound")

    assert watch(spool, 61, 66, 71) == ["talk"]


def test_a_folder_that_waits_long_for_its_sound_is_told_beside_it_and_left_alone(folders):
    folder = drop(folders, sounds=())
    before = tree(folder)
    spool = opened(folders, settle_s=SETTLE_S, incomplete_s=900)
    note = folders.inbox / "talk.WAITING.txt"
    watch(spool, 0, 899)
    assert not note.exists()

    watch(spool, 900)

    assert "no audio file yet" in note.read_text()
    assert tree(folder) == before
    (folder / "voice.wav").write_bytes(b"sound")
    watch(spool, 910)
    assert not note.exists()


def test_a_notice_goes_with_its_folder(folders):
    folder = drop(folders, sounds=(), clips=("a.mp4",))
    spool = opened(folders, incomplete_s=0)
    watch(spool, 0)
    (folder / "a.mp4").unlink()
    folder.rmdir()

    watch(spool, 1)

    assert list(folders.inbox.glob("[!.]*")) == []


def test_a_folder_renamed_while_it_settles_is_one_job_under_its_new_name(folders):
    folder = drop(folders)
    spool = opened(folders, settle_s=SETTLE_S)
    watch(spool, 0, 5)
    folder.rename(folders.inbox / "speech")

    assert watch(spool, 6, 11, 16) == ["speech"]


def test_a_folder_deleted_while_it_settles_is_forgotten(folders):
    folder = drop(folders)
    spool = opened(folders, settle_s=SETTLE_S)
    watch(spool, 0, 5)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()

    assert watch(spool, 10) == []
    assert spool.waiting() == {}


def test_folders_come_in_the_order_in_which_they_came(folders):
    spool = opened(folders)
    drop(folders, "zulu")
    assert spool.ready(0.0) == ["zulu"]
    drop(folders, "alpha")

    assert spool.ready(1.0) == ["zulu", "alpha"]


def test_folders_that_were_there_before_come_by_age(folders):
    for age, name in ((3, "b"), (1, "c"), (2, "a")):
        folder = drop(folders, name)
        os.utime(folder, (1000 - age, 1000 - age))

    assert opened(folders).ready(0.0) == ["b", "a", "c"]


@pytest.mark.timeout(120)
class CountingFs(FastFs):
    """Counts the calls that a scan makes."""

    def __init__(self):
        super().__init__()
        self.n_calls = 0

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if callable(found) and not name.startswith("_"):
            self.n_calls += 1
        return found


def test_a_scan_asks_the_disk_a_fixed_number_of_times_per_folder(memory_path):
    (memory_path / "roots").mkdir()
    folders = make_roots(memory_path / "roots")
    fs = CountingFs()
    spool = opened(folders, fs, settle_s=SETTLE_S)
    counts = []
    for n_folders in (100, 200, 400):
        for n in range(n_folders):
            folder = folders.inbox / f"job{n:05d}"
            folder.mkdir(exist_ok=True)
            (folder / "voice.wav").touch()
            (folder / "a.mp4").touch()
        spool.ready(0.0)
        fs.n_calls = 0
        assert spool.ready(5.0) == []
        counts.append(fs.n_calls)
    assert len(spool.waiting()) == 400
    per_folder = (counts[1] - counts[0]) / 100
    assert per_folder <= 12
    assert counts[2] - counts[1] == 200 * per_folder


@pytest.mark.parametrize("is_local", [False, True])
def test_a_look_makes_nothing_new_of_what_has_not_changed(folders, is_local):
    drop(folders)
    spool = opened(folders, settle_s=SETTLE_S, is_local=is_local)
    spool.ready(0.0)
    before = spool._scan.looks["talk"]

    spool.ready(1.0)

    assert spool._scan.looks["talk"] == before
    assert (spool._scan.looks["talk"] is before) == is_local


@pytest.mark.parametrize("is_local", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a.mp4").write_bytes(b"more of it"),
        lambda folder: (folder / "new.mp4").write_bytes(b"new"),
        lambda folder: (folder / "a.mp4").unlink(),
        lambda folder: (folder / "a.mp4").rename(folder / "z.mp4"),
        lambda folder: os.utime(folder / "a.mp4", (0, 0)),
        lambda folder: os.truncate(folder / "a.mp4", 1000),
        lambda folder: (folder / "a.mp4").rename(folder / "b.mp4"),
        lambda folder: (folder / "notes.txt").write_text("changed"),
        lambda folder: (folder / "job.toml").write_text("priority = 1"),
    ],
)
def test_every_change_starts_the_wait_again_however_short_the_look(folders, change, is_local):
    folder = drop(folders)
    (folder / "notes.txt").write_text("as they were")
    spool = opened(folders, settle_s=SETTLE_S, is_local=is_local)
    assert [spool.ready(now_s) for now_s in (0.0, 4.0)] == [[], []]
    change(folder)
    assert [spool.ready(now_s) for now_s in (9.0, 12.0, 18.0, 20.0)] == [[], [], [], ["talk"]]


def test_a_short_look_asks_the_disk_half_as_often(folders):
    fs = CountingFs()
    for n in range(10):
        drop(folders, f"job{n}", clips=("a.mp4",))
    spool = opened(folders, fs, settle_s=SETTLE_S, is_local=True)
    counts = []
    for now_s in (0.0, 1.0, 2.0):
        fs.n_calls = 0
        spool.ready(now_s)
        counts.append(fs.n_calls)
    assert counts[1] == counts[2]
    assert counts[1] <= 10 * 6 + 10


def test_many_files_without_a_single_event_are_all_found(folders):
    for n in range(60):
        drop(folders, f"job{n}", clips=[f"{m}.mp4" for m in range(10)])

    assert len(opened(folders).ready(0.0)) == 60


def test_a_name_that_is_no_utf8_is_a_name_like_any_other(folders):
    folder = drop(folders, clips=())
    (folder / os.fsdecode(b"\xff.mp4")).write_bytes(b"video")
    (path,) = drain(opened(folders))

    assert sorted(p.name for p in path.parent.glob("*.mp4")) == ["_.mp4"]
    assert '"\\udcff.mp4"' in (path.parent / "_.json").read_text()


def test_strange_names_make_distinct_outputs(folders):
    clips = [
        "-rf.mp4", "a\nb.mp4", "%03d.mp4", "data:x.mp4", "pipe:0.mp4", "x" * 251 + ".mp4",
        "שלום.mp4", "👩‍🚀.mp4", "\u00e9.mp4", "e\u0301.mp4",
        "Video.MP4", "video.mp4", "CON.mp4", "a .mp4",
    ]  # fmt: skip
    drop(folders, clips=clips)

    (path,) = drain(opened(folders))

    outputs = [p.name for p in path.parent.glob("*.mp4")]
    assert len(outputs) == len(clips)
    assert len({names.same_key(name) for name in outputs}) == len(clips)
    assert all(names.safe_stem(name) + ".mp4" == name for name in outputs)


def test_a_folder_in_a_job_folder_is_left_out_with_a_reason(folders):
    folder = drop(folders)
    (folder / "takes").mkdir()
    (folder / "c.mp4").mkdir()

    (path,) = drain(opened(folders))

    assert '"takes"' in path.read_text()
    assert "a folder; heygemd looks at files only" in path.read_text()
    assert not (path.parent / "c.mp4").exists()


def test_a_loose_file_in_the_inbox_is_told_where_it_belongs(folders):
    (folders.inbox / "a.mp4").write_bytes(b"video")
    spool = opened(folders)

    assert spool.ready(0.0) == []
    assert "folder of their own" in spool.waiting()["a.mp4"]


def test_with_markers_a_folder_without_one_is_never_ready(folders):
    drop(folders)
    spool = opened(folders, settle_s=0.0, marker=True)

    assert watch(spool, 0, 100, 10_000) == []
    assert spool.waiting() == {"talk": "waits for the file .ready"}


def test_a_marker_shortens_the_wait_to_two_seconds(folders):
    drop(folders, **{".ready": ""})
    spool = opened(folders, settle_s=60.0, marker=True)

    assert watch(spool, 0, 1, 1.9) == []
    assert watch(spool, 2) == ["talk"]


def test_a_file_that_windows_still_holds_is_waited_for(folders):
    drop(folders)
    fs = FailNth(1, errno.EBUSY, ops=("open_file",), where="a.mp4", times=2)
    spool = make_spool(folders, fs)
    spool.open()

    assert spool.ready(0.0) == []
    assert "a.mp4 is open in a program that writes it" in spool.waiting()["talk"]
    assert watch(spool, 1, 2) == ["talk"]


def test_a_copy_that_the_finder_has_under_way_is_waited_for(folders):
    folder = drop(folders)
    entry = struct.pack(">III", 9, 38, 32)
    busy = b"\0\x05\x16\x07\0\x02\0\0" + bytes(16) + b"\0\x01" + entry + b"brokMACS" + bytes(24)
    (folder / "._a.mp4").write_bytes(busy)
    spool = opened(folders)
    assert spool.ready(0.0) == []
    assert "the Finder is still copying a.mp4" in spool.waiting()["talk"]

    (folder / "._a.mp4").write_bytes(busy.replace(b"brokMACS", b"M4V hook"))

    assert spool.ready(1.0) == ["talk"]


def test_a_video_that_looks_cut_off_gets_more_time_and_is_then_taken_as_it_is(folders):
    folder = drop(folders)
    (folder / "a.mp4").write_bytes(struct.pack(">I", 1000) + b"mdat" + b"half")
    spool = opened(folders, settle_s=SETTLE_S)

    assert watch(spool, 0, 5, 10, 59) == []
    assert "a.mp4 looks cut off" in spool.waiting()["talk"]
    assert watch(spool, 60) == ["talk"]


def test_pause_holds_the_intake_and_nothing_else(folders):
    spool = opened(folders)
    drop(folders, "before")
    job = spool.claim("before")
    (folders.inbox / "PAUSE").touch()
    drop(folders)

    assert spool.ready(0.0) == []
    assert "remove the file PAUSE" in spool.waiting()["PAUSE"]
    assert [open_job.id for open_job in spool.jobs()] == [job.id]
    (folders.inbox / "PAUSE").unlink()
    assert spool.ready(1.0) == ["talk"]


def test_a_cancelled_folder_is_not_claimed(folders):
    drop(folders, CANCEL="")
    spool = opened(folders)

    assert spool.ready(0.0) == []
    assert "cancelled" in spool.waiting()["talk"]


def test_a_share_that_does_not_answer_makes_one_folder_wait_and_no_other(folders):
    drop(folders, "one")
    drop(folders, "two")
    fs = FailNth(1, errno.ESTALE, ops=("open_folder",), where="one")
    spool = make_spool(folders, fs)
    spool.open()

    assert spool.ready(0.0) == ["two"]
    assert "cannot be read now" in spool.waiting()["one"]
    assert sorted(spool.ready(1.0)) == ["one", "two"]


def test_sockets_and_fifos_beside_the_videos_hang_nobody(folders, monkeypatch):
    folder = drop(folders)
    os.mkfifo(folder / "pipe.mp4")
    os.mkfifo(folder / "pipe.wav")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.mp4")

    (path,) = drain(opened(folders))

    for stem, word in (("pipe", "a FIFO"), ("socket", "a socket")):
        assert "unsafe_input" in (path.parent / f"{stem}.json").read_text()
        assert word in (path.parent / f"{stem}.json").read_text()
    assert (path.parent / "a.mp4").exists()


def test_looking_twice_holds_no_descriptor(folders):
    drop(folders)
    spool = opened(folders, FastFs())
    before = len(list(Path("/proc/self/fd").iterdir()))
    watch(spool, 0, 1, 2)

    assert len(list(Path("/proc/self/fd").iterdir())) == before
