"""Bytes alone tell what a file is, and whether its end is there."""

import lavfi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.media.sniff import find_truncation, sniff, walk_boxes

PLAYLISTS = {
    "m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
    "ffconcat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "dash": b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5000 RTP/AVP 96\n",
    "with a byte order mark": b"\xef\xbb\xbf\n #EXTM3U\n",
}
MADE = {
    "mp4": ("mp4", ["-movflags", "+faststart"]),
    "plain.mp4": ("mp4", []),
    "fragments.mp4": ("mp4", ["-movflags", "+frag_keyframe+empty_moov"]),
    "mov": ("mp4", []),
    "mkv": ("matroska", []),
    "avi": ("riff_video", []),
    "ts": ("film", []),
    "mpg": ("film", ["-c:v", "mpeg2video"]),
    "flv": ("film", []),
    "wmv": ("film", ["-c:v", "wmv2"]),
    "png": ("picture", ["-c:v", "png", "-update", "1"]),
    "jpg": ("picture", ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-update", "1"]),
    "webp": ("picture", ["-c:v", "libwebp"]),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return {
        name: lavfi.film(
            folder / f"clip.{name}", *args, n_frames=1 if kind == "picture" else 12, codec=()
        )
        for name, (kind, args) in MADE.items()
    }


def written(folder, content):
    path = folder / "clip.mp4"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", MADE)
def test_a_container_is_known_by_its_first_bytes(made, name):
    assert sniff(made[name]) == MADE[name][0]


@pytest.mark.parametrize("name", MADE)
def test_a_whole_file_is_not_called_truncated(made, name):
    assert find_truncation(made[name]) == ""


@pytest.mark.parametrize(
    "name", ["mp4", "plain.mp4", "fragments.mp4", "mov", "mkv", "avi", "png", "jpg", "webp"]
)
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_file_that_ends_too_early_is_called_truncated(made, tmp_path, name, share):
    whole = made[name].read_bytes()

    assert find_truncation(written(tmp_path, whole[: int(share * len(whole))]))


def test_a_faststart_mp4_may_not_lose_a_single_byte(made, tmp_path):
    whole = made["mp4"].read_bytes()

    assert "wants" in find_truncation(written(tmp_path, whole[:-1]))


def test_an_mp4_without_its_index_is_called_truncated(made, tmp_path):
    path = made["plain.mp4"]
    moov = next(box for box in walk_boxes(path) if box.kind == "moov")

    assert "no moov" in find_truncation(written(tmp_path, path.read_bytes()[: moov.start]))


def test_an_mp4_without_content_is_called_truncated(made, tmp_path):
    path = made["mp4"]
    mdat = next(box for box in walk_boxes(path) if box.kind == "mdat")

    assert "no mdat" in find_truncation(written(tmp_path, path.read_bytes()[: mdat.start]))


def test_bytes_behind_the_last_box_do_no_harm(made, tmp_path):
    assert find_truncation(written(tmp_path, made["mp4"].read_bytes() + b"\0" * 99)) == ""


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_sound_streamed_without_a_size_is_not_called_truncated(tmp_path, size):
    wave = b"RIFF" + size.to_bytes(4, "little") + b"WAVEfmt " + bytes(40)

    assert find_truncation(written(tmp_path, wave)) == ""


def test_a_sound_shorter_than_its_header_says_is_called_truncated(tmp_path):
    wave = b"RIFF" + (9000).to_bytes(4, "little") + b"WAVEfmt " + bytes(40)

    assert "wants 9008 bytes" in find_truncation(written(tmp_path, wave))


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_is_a_playlist_whatever_its_name(tmp_path, name):
    assert sniff(written(tmp_path, PLAYLISTS[name])) == "playlist"


@pytest.mark.parametrize("content", [b"hello\n", "grüße\n".encode() * 2000, b"\t1;2;3\r\n"])
def test_words_are_text(tmp_path, content):
    assert sniff(written(tmp_path, content)) == "text"


def test_nothing_is_empty(tmp_path):
    assert sniff(written(tmp_path, b"")) == "empty"


def test_noise_is_unknown(tmp_path):
    assert sniff(written(tmp_path, bytes(range(128, 256)) * 100)) == "unknown"


starts = st.sampled_from(
    [b"", b"\0\0\0\x18ftypisom", b"RIFF", b"\x1aE\xdf\xa3", b"\xff\xd8\xff", b"\0\0\0\1moov"]
)


@settings(max_examples=100, deadline=None)
@given(start=starts, rest=st.binary(max_size=200))
def test_no_bytes_whatever_make_us_stumble(tmp_path_factory, start, rest):
    path = written(tmp_path_factory.getbasetemp(), start + rest)

    sniff(path)
    find_truncation(path)
