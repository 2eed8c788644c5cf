"""Cut-off files, by their outermost sizes."""

import struct

import pytest

from heygemd.spool import containers
from heygemd.spool.fsops import FsOps


def box(kind, body):
    return struct.pack(">I", 8 + len(body)) + kind + body


MP4 = box(b"ftyp", b"isom" * 4) + box(b"moov", b"m" * 90) + box(b"mdat", b"d" * 500)
LARGE = box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"mdat", 16 + 300) + b"d" * 300
WAV = b"RIFF" + struct.pack("<I", 4 + 100) + b"WAVE" + b"s" * 100
OPEN_WAV = b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + b"s" * 10
EBML = b"\x1a\x45\xdf\xa3\x84head\x18\x53\x80\x67\x40\xc8" + b"c" * 200
LIVE = b"\x1a\x45\xdf\xa3\x84head\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"c" * 20


@pytest.fixture
def is_cut_off(tmp_path):
    def ask(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        fs = FsOps()
        fd = fs.open_file(path)
        try:
            return containers.cut_off(fs, fd, name, len(data))
        finally:
            fs.release(fd)

    return ask


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.mp4", MP4), ("a.mov", LARGE), ("a.wav", WAV), ("a.mkv", EBML), ("a.webm", EBML)],
)
def test_whole_files_are_whole_and_every_cut_of_them_is_seen(is_cut_off, name, data):
    assert not is_cut_off(name, data)
    for length in (len(data) // 2, len(data) - 2):
        assert is_cut_off(name, data[:length]), length


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.wav", OPEN_WAV),
        ("a.mkv", LIVE),
        ("a.mp4", MP4[:-508] + struct.pack(">I4s", 0, b"mdat") + b"d" * 9),
        ("a.mp4", b"no box file at all"),
        ("a.wav", b"neither"),
        ("a.mp3", b"no container to walk"),
    ],
)
def test_what_has_no_end_to_miss_is_left_to_the_decoder(is_cut_off, name, data):
    assert not is_cut_off(name, data)


def test_room_that_a_writer_has_only_reserved_is_not_a_film(is_cut_off):
    assert is_cut_off("a.mp4", bytes(4096))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mp3", "a.jpg"])
def test_a_name_without_a_byte_is_a_copy_that_has_not_begun(is_cut_off, name):
    assert is_cut_off(name, b"")
