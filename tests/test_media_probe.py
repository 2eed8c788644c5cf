"""A file is what its bytes say, and whatever is wrong with it gets a code and a way out."""

import os
import subprocess
from dataclasses import replace
from fractions import Fraction

import lavfi
import pytest

from heygemd.errors import AudioError, LimitError, MediaError
from heygemd.media.limits import Limits
from heygemd.media.probe import probe, probe_audio, probe_kind
from heygemd.records import Colour

NTSC = Fraction(30000, 1001)
LIMITS = Limits()
X264 = lavfi.X264


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def plain(folder):
    return lavfi.film(folder / "plain.mp4")


def unread(path, content):
    """A file last read in 1970, so that any reading shows."""
    path.write_bytes(content)
    os.utime(path, ns=(0, path.stat().st_mtime_ns))
    return path


def code_of(caught):
    return caught.value.reason


@pytest.mark.parametrize(
    "suffix", ["mp4", "mov", "mkv", "webm", "avi", "flv", "m4v", "mpg", "ts", "wmv"]
)
def test_every_promised_container_is_read(folder, suffix):
    codecs = {"webm": ["-c:v", "libvpx", "-cpu-used", 8], "mpg": ["-c:v", "mpeg2video"],
              "wmv": ["-c:v", "wmv2"], "m4v": [*X264, "-f", "mp4"]}  # fmt: skip
    path = lavfi.film(folder / f"any.{suffix}", n_frames=30, codec=codecs.get(suffix, X264))
    info = probe(path, LIMITS)

    assert (info.width_px, info.height_px, info.fps) == (160, 120, 25)
    assert info.n_frames == 30
    assert abs(info.duration_s - Fraction(30, 25)) < Fraction(1, 20)
    assert not info.variable_rate


@pytest.mark.parametrize(
    ("suffix", "fps"),
    [("mp4", Fraction(24000, 1001)), ("mkv", Fraction(24000, 1001)), ("mp4", NTSC), ("mkv", NTSC),
     ("mp4", Fraction(60)), ("mp4", Fraction(221, 10))],
)  # fmt: skip
def test_a_constant_rate_is_told_exactly(folder, suffix, fps):
    info = probe(lavfi.film(folder / f"rate.{suffix}", rate=fps, n_frames=40), LIMITS)

    assert info.fps == fps
    assert info.n_frames == 40


def test_a_variable_rate_becomes_its_average(folder):
    path = lavfi.film(
        folder / "vfr.mp4", "-vf", "setpts='if(lt(N,30),N,30+(N-30)*3)/30/TB'",
        "-fps_mode", "vfr", rate="30", n_frames=60,
    )  # fmt: skip
    info = probe(path, LIMITS)

    assert info.variable_rate
    assert abs(info.fps - Fraction(59, 1) / (Fraction(117, 30))) < Fraction(1, 50)


@pytest.mark.parametrize("turn_deg", [90, 180, 270])
def test_rotation_is_applied_to_size_and_shape_of_pixels(folder, turn_deg):
    flat = lavfi.film(folder / "flat.mp4", "-vf", "setsar=4/3")
    path = lavfi.make(
        folder / "turned.mp4", "-display_rotation", -turn_deg, "-i", flat, "-c", "copy"
    )
    info = probe(path, LIMITS)
    upright = turn_deg == 180

    assert info.rotation_deg == turn_deg
    assert (info.width_px, info.height_px) == ((160, 120) if upright else (120, 160))
    assert info.sample_aspect == (Fraction(4, 3) if upright else Fraction(3, 4))


def test_fields_are_seen(folder):
    path = lavfi.film(
        folder / "fields.mpg", "-vf", "setfield=tff", "-flags", "+ildct+ilme",
        codec=("-c:v", "mpeg2video"),
    )  # fmt: skip

    assert probe(path, LIMITS).interlaced


def test_colour_tags_and_depth_are_seen(folder):
    path = lavfi.film(
        folder / "hdr.mkv", "-pix_fmt", "yuv420p10le", "-vf",
        "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv",
        codec=("-c:v", "ffv1"), n_frames=3,
    )  # fmt: skip
    info = probe(path, LIMITS)

    assert info.colour == Colour("bt2020", "smpte2084", "bt2020nc", "tv")
    assert info.pixel_format == "yuv420p10le"


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_still_picture_is_a_clip_of_one_frame(folder, suffix):
    path = lavfi.film(folder / f"still%d.{suffix}", n_frames=1, codec=())
    path = path.with_name(f"still1.{suffix}")
    info = probe(path, LIMITS)

    assert probe_kind(path) == "picture"
    assert info.still
    assert (info.width_px, info.height_px, info.n_frames) == (160, 120, 1)


def test_a_name_with_a_pattern_reads_no_other_picture(folder):
    secret = lavfi.film(folder / "secret1.png", n_frames=1, codec=(), size="320x240")
    decoy = folder / "secret%d.png"
    decoy.write_bytes(lavfi.film(folder / "decoy.png", n_frames=1, codec=()).read_bytes())

    assert secret.exists()
    assert probe(decoy, LIMITS).width_px == 160


@pytest.mark.parametrize(
    "suffix", ["wav", "mp3", "m4a", "aac", "flac", "ogg", "opus", "wma", "aiff"]
)
def test_every_promised_sound_is_read(folder, suffix):
    path = lavfi.tone(folder / f"tone.{suffix}", rate_hz=48000)
    info = probe_audio(path, LIMITS)

    assert (info.rate_hz, info.n_channels) == (48000, 1)
    assert abs(info.duration_s - 1) < Fraction(1, 10)


def test_an_mp3_with_a_cover_is_a_sound(folder, plain):
    cover = lavfi.make(folder / "cover.jpg", "-i", plain, "-frames:v", 1)
    path = lavfi.make(
        folder / "covered.mp3", "-f", "lavfi", "-i", "sine=d=1", "-i", cover, "-map", 0, "-map", 1,
        "-c:v", "copy", "-disposition:v", "attached_pic",
    )  # fmt: skip

    assert probe_kind(path) == "audio"
    with pytest.raises(MediaError) as caught:
        probe(path, LIMITS)
    assert code_of(caught) == "no_video"


def test_an_mp4_with_sound_alone_is_a_sound_and_no_clip(folder):
    path = lavfi.tone(folder / "sound.mp4", "-c:a", "aac")

    assert probe_kind(path) == "audio"
    with pytest.raises(MediaError, match="only sound") as caught:
        probe(path, LIMITS)
    assert code_of(caught) == "no_video"


def test_a_silent_film_is_a_clip_and_no_sound(plain):
    assert not probe(plain, LIMITS).has_audio
    with pytest.raises(AudioError, match="want wav") as caught:
        probe_audio(plain, LIMITS)
    assert code_of(caught) == "no_sound"


WRONG = {
    "empty_input": b"",
    "unsupported_container": b"Dear Anna,\n",
}


@pytest.mark.parametrize("code", WRONG)
@pytest.mark.parametrize(("look", "error"), [(probe, MediaError), (probe_audio, AudioError)])
def test_what_is_no_media_says_what_is_wanted(folder, code, look, error):
    path = folder / "wrong.mp4"
    path.write_bytes(WRONG[code])

    with pytest.raises(error, match="want ") as caught:
        look(path, LIMITS)
    assert code_of(caught) == code


def test_noise_is_an_unsupported_container(folder):
    path = folder / "noise.mp4"
    path.write_bytes(bytes((7 * n * n + n // 251) % 256 for n in range(50_000)))

    with pytest.raises(MediaError, match="no kind we know") as caught:
        probe(path, LIMITS)
    assert code_of(caught) == "unsupported_container"
    assert probe_kind(path) == "unknown"


@pytest.mark.parametrize("share", [0.3, 0.99])
def test_a_truncated_faststart_mp4_is_refused_and_still_counts_as_a_film(folder, share):
    whole = lavfi.film(folder / "whole.mp4", "-movflags", "+faststart").read_bytes()
    path = folder / "cut.mp4"
    path.write_bytes(whole[: int(share * len(whole))])

    with pytest.raises(MediaError, match="copy it again") as caught:
        probe(path, LIMITS)
    assert code_of(caught) == "truncated_input"
    assert probe_kind(path) == "video"


def test_an_mp4_of_the_right_size_full_of_zeros_is_corrupt(folder, plain):
    whole = plain.read_bytes()
    path = folder / "zeros.mp4"
    path.write_bytes(whole[:64] + bytes(len(whole) - 64))

    with pytest.raises(MediaError) as caught:
        probe(path, LIMITS)
    assert code_of(caught) in {"corrupt", "truncated_input"}


def test_pictures_in_a_code_that_nobody_knows_are_corrupt_and_not_a_crash(folder, plain):
    path = folder / "unknown.mp4"
    path.write_bytes(plain.read_bytes().replace(b"avc1", b"zzzz"))

    with pytest.raises(MediaError, match="knows how its pictures are coded") as caught:
        probe(path, LIMITS)
    assert code_of(caught) == "corrupt"


def test_a_sound_in_a_code_that_nobody_knows_leaves_the_clip_usable(folder):
    whole = lavfi.film(
        folder / "both.mp4", "-f", "lavfi", "-i", "sine=d=1.2", "-c:a", "aac", n_frames=30
    ).read_bytes()
    path = folder / "unheard.mp4"
    path.write_bytes(whole.replace(b"mp4a", b"zzzz").replace(b"esds", b"free"))

    assert probe(path, LIMITS).n_frames == 30
    with pytest.raises(AudioError) as caught:
        probe_audio(path, LIMITS)
    assert code_of(caught) == "no_sound"


@pytest.mark.parametrize(
    "playlist",
    ["#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:{canary}\n",
     "ffconcat version 1.0\nfile {canary}\n",
     "v=0\nc=IN IP4 127.0.0.1\nm=video 5000 RTP/AVP 96\na={canary}\n"],
    ids=["m3u8", "ffconcat", "sdp"],
)  # fmt: skip
def test_a_playlist_named_mp4_is_refused_and_what_it_names_stays_unread(folder, plain, playlist):
    canary = unread(folder / "canary.mp4", plain.read_bytes())
    control = unread(folder / "control.mp4", plain.read_bytes())
    control.read_bytes()
    if control.stat().st_atime_ns == 0:
        pytest.skip("this file system does not note when a file was read")
    path = folder / "list.mp4"
    path.write_text(playlist.format(canary=canary))

    with pytest.raises(MediaError, match="playlist") as caught:
        probe(path, LIMITS)
    assert code_of(caught) == "unsupported_container"
    assert probe_kind(path) == "playlist"
    assert canary.stat().st_atime_ns == 0


def test_ffmpeg_itself_refuses_a_playlist_that_gets_past_us(folder, plain):
    from heygemd.media.tool import user_file  # noqa: PLC0415 - beside what it proves

    path = folder / "sneaky.mp4"
    path.write_text(f"ffconcat version 1.0\nfile {plain}\n")
    options = {**user_file(path, "concat"), "safe": "0"}
    name = options.pop("filename")
    words = [word for key, value in options.items() for word in (f"-{key}", value)]
    ended = subprocess.run(
        [lavfi.FFMPEG, "-nostdin", "-v", "error", *words, "-i", name, "-f", "null", "-"],
        capture_output=True, check=False,
    )  # fmt: skip

    assert ended.returncode != 0
    assert b"not on whitelist" in ended.stderr


@pytest.mark.parametrize("suffix", ["png", "mp4", "ts"])
def test_a_bomb_is_refused_by_its_pixels_before_it_is_decoded(folder, suffix):
    path = lavfi.make(
        folder / f"bomb.{suffix}", "-f", "lavfi", "-i", "color=size=1600x1600:rate=1",
        "-frames:v", 1, *([] if suffix == "png" else X264),
    )  # fmt: skip
    small = replace(LIMITS, max_pixels=1_000_000)

    with pytest.raises(LimitError, match=r"media\.max_pixels") as caught:
        probe(path, small)
    assert code_of(caught) == "limits"
    assert probe_kind(path, small) in {"video", "picture"}


def test_too_long_a_clip_is_refused(plain):
    with pytest.raises(LimitError, match=r"media\.max_duration_s"):
        probe(plain, replace(LIMITS, max_duration_s=1.0))


def test_two_frames_a_day_apart_are_too_long(folder):
    path = lavfi.film(
        folder / "day.mkv", "-vf", "setpts=N*86400/TB", "-fps_mode", "vfr", n_frames=2
    )

    with pytest.raises(LimitError, match="s long"):
        probe(path, LIMITS)


def test_too_long_a_sound_is_refused(folder):
    path = lavfi.tone(folder / "long.wav", seconds=3)

    with pytest.raises(AudioError) as caught:
        probe_audio(path, replace(LIMITS, max_duration_s=2.0))
    assert code_of(caught) == "limits"


def test_thirty_sound_tracks_are_refused(folder):
    tracks = [word for _ in range(30) for word in ("-map", "0:a")]
    path = lavfi.make(
        folder / "tracks.mkv", "-f", "lavfi", "-i", "sine=d=0.1", *tracks, "-c:a", "pcm_s16le"
    )

    with pytest.raises(LimitError, match="30 streams"):
        probe(path, LIMITS)


def test_a_probe_that_takes_too_long_is_given_up(plain):
    with pytest.raises(MediaError) as caught:
        probe(plain, replace(LIMITS, probe_s=0.01))
    assert code_of(caught) == "probe_timeout"


def test_a_probe_that_wants_too_much_memory_dies_alone(plain):
    with pytest.raises(MediaError) as caught:
        probe(plain, replace(LIMITS, memory_bytes=100 << 20))
    assert code_of(caught) == "oom"


def test_the_track_a_player_would_show_is_taken(folder):
    path = lavfi.make(
        folder / "two.mkv", "-f", "lavfi", "-i", "testsrc2=size=64x48:d=1", "-f", "lavfi", "-i",
        "testsrc2=size=160x120:d=1", "-map", 0, "-map", 1, *X264, "-disposition:v:1", "default",
        "-disposition:v:0", "0",
    )  # fmt: skip
    info = probe(path, LIMITS)

    assert (info.stream, info.width_px) == (1, 160)
