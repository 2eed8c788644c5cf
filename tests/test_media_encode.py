"""What is written plays everywhere, in step, in the right colours, and the same each time."""

import hashlib
import weakref
from dataclasses import replace
from fractions import Fraction

import lavfi
import numpy as np
import pytest

from heygemd.errors import DependencyError, MediaError, QualityError
from heygemd.media.audio import read_waveform
from heygemd.media.colour import output_colour
from heygemd.media.decode import VideoReader
from heygemd.media.encode import PRESETS, Sound, choose_encoder, default_preset, write_video
from heygemd.media.limits import Limits
from heygemd.media.probe import look_inside, probe, probe_audio
from heygemd.media.timeline import lay_timeline
from heygemd.media.tool import find_ffmpeg
from heygemd.media.verify import verify_video
from heygemd.planes import Planes, of_bgr
from heygemd.records import Colour, EncodeOptions, VideoInfo

LIMITS = Limits()
OPTIONS = EncodeOptions(preset="ultrafast", comment="Made by a test.")
FPS = Fraction(25)
NTSC = Fraction(30000, 1001)


@pytest.fixture(scope="module")
def tool():
    return find_ffmpeg()


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    return sound_of(lavfi.tone(tmp_path_factory.mktemp("voice") / "v.wav", seconds=1), 1)


def sound_of(path, length_s):
    return Sound(path, probe_audio(path, LIMITS), Fraction(length_s))


def pictures(n_frames, height=120, width=160):
    """Smooth moving colours, so that 4:2:0 can hold them."""
    y, x = np.mgrid[:height, :width]
    for n in range(n_frames):
        frame = np.stack([x * 255 // width, y * 255 // height, (x + y + 8 * n) % 256 // 2 + 64], -1)
        yield frame[None].astype(np.uint8)


def info_of(width=160, height=120, **changes):
    info = VideoInfo(width_px=width, height_px=height, fps=FPS, n_frames=25,
                     duration_s=Fraction(1), pixel_format="yuv420p")  # fmt: skip
    return replace(info, **changes)


def write(
    tool, out, sound, batches=None, *, info=None, fps=FPS, options=OPTIONS, n_frames=25, focus=None
):
    info = info or info_of()
    batches = pictures(n_frames, info.height_px, info.width_px) if batches is None else batches
    matrix = output_colour(info).matrix
    film = (b if isinstance(b, Planes) else of_bgr(b, matrix) for b in batches)
    plan = {"info": info, "fps": fps, "n_frames": n_frames, "sound": sound}
    return write_video(tool, film, out, **plan, options=options, limits=LIMITS, focus=focus)


def decoded(tool, path):
    return np.concatenate(
        [b.bgr() for b in VideoReader(tool, path, probe(path, LIMITS)).read_all(8)]
    )


def lag_samples(heard, true):
    """How many samples later a sound is than it should be."""
    size = 2 * max(len(heard), len(true))
    likeness = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(true, size)))
    lag = int(np.argmax(likeness))
    return lag - size if lag > size // 2 else lag


@pytest.mark.parametrize(
    ("size", "colour"),
    [((160, 120), Colour()), ((1280, 720), Colour()),
     ((160, 120), Colour("bt2020", "bt2020-10", "bt2020nc", "tv"))],
    ids=["untagged SD", "untagged HD", "bt2020"],
)  # fmt: skip
def test_a_round_trip_keeps_colours_and_places(tool, tmp_path, voice, size, colour):
    width, height = size
    out = tmp_path / "out.mp4"
    brief = replace(voice, length_s=Fraction(3, 25))
    write(tool, out, brief, info=info_of(width, height, colour=colour), n_frames=3,
          options=replace(OPTIONS, quality=0))  # fmt: skip
    true = np.concatenate(list(pictures(3, height, width))).astype(int)
    got = decoded(tool, out)
    error = got - true

    assert np.abs(error).mean() < 1.5
    assert np.abs(error.mean(axis=(0, 1, 2))).max() < 0.6  # dark colours are clipped
    assert np.abs(error).mean() < np.abs(got[:, :, 1:] - true[:, :, :-1]).mean()


def test_a_clip_passed_through_untouched_keeps_its_pixels_bit_for_bit(tool, tmp_path, voice):
    clip = lavfi.film(tmp_path / "clip.mp4", n_frames=25)
    info = probe(clip, LIMITS)
    reader = VideoReader(tool, clip, info)
    out = tmp_path / "out.mp4"
    write(tool, out, voice, reader.read_all(8), info=info, options=replace(OPTIONS, quality=0))
    planes = [
        np.frombuffer(lavfi.raw_frames(p, pixel_format="yuv420p"), np.uint8) for p in (clip, out)
    ]

    assert len(planes[0]) == 25 * 160 * 120 * 3 // 2
    assert np.array_equal(*planes)


def test_the_output_says_which_colours_it_has(tool, tmp_path, voice):
    out = tmp_path / "out.mp4"
    write(tool, out, voice, info=info_of(colour=Colour("bt470bg", "bt709", "bt470bg", "pc")))

    assert probe(out, LIMITS).colour == Colour("bt470bg", "bt709", "bt470bg", "tv")


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), NTSC, Fraction(60), Fraction(221, 10)])
def test_any_rate_gives_exactly_the_frames_planned_and_no_drift(tool, tmp_path, fps):
    sound = sound_of(lavfi.tone(tmp_path / "v.wav", seconds=6.37), Fraction(637, 100))
    timeline = lay_timeline(1, fps, sound.length_s, "freeze")
    frame = next(pictures(1, 48, 64))
    out = tmp_path / "out.mp4"
    frames = (frame for _ in range(timeline.n_frames))
    plan = {"fps": fps, "n_frames": timeline.n_frames}
    write(tool, out, sound, frames, info=info_of(64, 48), **plan)
    verify_video(out, **plan, sound_s=sound.length_s, limits=LIMITS)
    info = probe(out, LIMITS)

    assert info.fps == fps
    assert info.n_frames == timeline.n_frames
    assert abs(info.duration_s - sound.length_s) <= Fraction(1, 2) / fps + Fraction(1, 10000)


@pytest.mark.parametrize("size", [(161, 121), (160, 121)])
def test_odd_sizes_get_one_more_column_or_row_and_no_shift(tool, tmp_path, voice, size):
    width, height = size
    out = tmp_path / "out.mp4"
    encoded = write(
        tool, out, voice, info=info_of(width, height), options=replace(OPTIONS, quality=0)
    )
    true = np.concatenate(list(pictures(25, height, width))).astype(int)
    got = decoded(tool, out)

    assert encoded.padded
    assert (encoded.width_px, encoded.height_px) == (width + width % 2, height + height % 2)
    assert got.shape[1:3] == (encoded.height_px, encoded.width_px)
    assert np.abs(got[:, :height, :width] - true).mean() < 1.5
    assert np.abs(got[:, -1, :width] - true[:, -1]).mean() < 3


def test_the_shape_of_pixels_is_kept(tool, tmp_path, voice):
    out = tmp_path / "out.mp4"
    write(tool, out, voice, info=info_of(sample_aspect=Fraction(16, 11)))

    assert probe(out, LIMITS).sample_aspect == Fraction(16, 11)


SOUNDS = {
    "plain.wav": [], "voice.mp3": [], "film.m4a": ["-c:a", "aac"], "raw.aac": ["-c:a", "aac"],
    "web.opus": [], "old.wma": [], "apple.m4a": ["-c:a", "alac"],
}  # fmt: skip


@pytest.mark.parametrize("name", SOUNDS)
def test_first_sample_and_first_frame_start_together(tool, tmp_path, name):
    chirp = "aevalsrc='0.4*sin(6.2832*(300*t+400*t*t))*(0.2+0.8*gt(mod(t,0.25),0.1))':s=48000:d=2"
    path = lavfi.make(tmp_path / name, "-f", "lavfi", "-i", chirp, *SOUNDS[name])
    true = read_waveform(tool, path, LIMITS)
    out = tmp_path / "out.mp4"
    n_frames = lay_timeline(1, FPS, true.duration_s, "freeze").n_frames
    encoded = write(tool, out, sound_of(path, true.duration_s), n_frames=n_frames,
                    info=info_of(64, 48))  # fmt: skip
    verify_video(out, n_frames=n_frames, fps=FPS, sound_s=true.duration_s, limits=LIMITS)
    heard = read_waveform(tool, out, LIMITS)

    assert encoded.sound == ("copied" if name in {"film.m4a", "raw.aac"} else "aac")
    assert lag_samples(heard.samples, true.samples) == 0
    assert abs(heard.duration_s - true.duration_s) < Fraction(1, 20)


def test_aac_is_copied_bit_for_bit(tool, tmp_path):
    path = lavfi.tone(tmp_path / "v.m4a", "-c:a", "aac")
    out = tmp_path / "out.mp4"
    write(tool, out, sound_of(path, 1))
    bare = ("-map", "0:a", "-c", "copy", "-f", "adts")
    packets = [lavfi.make(tmp_path / f"{p.stem}.adts", "-i", p, *bare) for p in (path, out)]

    assert packets[0].read_bytes() == packets[1].read_bytes()


@pytest.mark.parametrize(
    ("args", "rate_hz", "n_channels"),
    [(["-ar", "192000"], 48000, 1), (["-ar", "8000", "-ac", "2"], 8000, 2),
     (["-af", "pan=3c|c0=c0|c1=c0|c2=c0"], 44100, 2),
     (["-af", "pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0"], 44100, 6)],
)  # fmt: skip
def test_sound_keeps_its_rate_and_channels_where_aac_can(tool, tmp_path, args, rate_hz, n_channels):
    path = lavfi.tone(tmp_path / "v.wav", *args)
    out = tmp_path / "out.mp4"
    write(tool, out, sound_of(path, 1))
    info = probe_audio(out, LIMITS)

    assert (info.codec, info.rate_hz, info.n_channels) == ("aac", rate_hz, n_channels)


def test_a_longer_sound_is_cut_where_the_picture_ends(tool, tmp_path):
    path = lavfi.tone(tmp_path / "v.wav", seconds=5)
    out = tmp_path / "out.mp4"
    write(tool, out, sound_of(path, 1))

    assert abs(probe_audio(out, LIMITS).duration_s - 1) < Fraction(1, 20)


def test_the_same_input_gives_the_same_bytes(tool, tmp_path, voice):
    digests = set()
    for name in ("one.mp4", "two.mp4"):
        write(tool, tmp_path / name, voice)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())

    assert len(digests) == 1


def test_the_file_says_that_it_is_synthetic_and_nothing_of_when_or_where(tool, tmp_path):
    path = lavfi.tone(tmp_path / "v.mp3", "-metadata", "title=Secret", "-metadata", "artist=Anna")
    out = tmp_path / "out.mp4"
    write(tool, out, sound_of(path, 1))
    content = out.read_bytes()

    assert b"Made by a test." in content
    assert b"Secret" not in content
    assert b"Anna" not in content
    assert b"Lavf" not in content


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
def test_every_software_encoder_works_with_its_own_preset(tool, tmp_path, voice, codec):
    out = tmp_path / "out.mp4"
    options = EncodeOptions(codec=codec, quality=30, preset=default_preset(codec))
    write(tool, out, voice, options=options)

    assert probe(out, LIMITS).pixel_format == "yuv420p"


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_what_is_in_focus_keeps_more_of_its_detail(tool, tmp_path, voice, codec):
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 12, (12, 128, 160, 1)) + 128
    film = [np.broadcast_to(grain, (12, 128, 160, 3)).astype(np.uint8)]
    errors = []
    for name, focus in (("plain", None), ("focus", (slice(64, 128), slice(0, 160)))):
        out = tmp_path / f"{name}.mp4"
        brief = replace(voice, length_s=Fraction(12, 25))
        write(tool, out, brief, film, info=info_of(160, 128), n_frames=12, focus=focus,
              options=EncodeOptions(codec=codec, quality=28))  # fmt: skip
        away = np.square(decoded(tool, out).astype(float) - film[0])
        errors.append([away[:, :60].mean(), away[:, 68:].mean()])
    (above, below), (still_above, finer) = errors

    assert finer < 0.8 * below
    assert abs(still_above / above - 1) < 0.1


def test_hevc_bears_the_name_that_apple_looks_for(tool, tmp_path, voice):
    out = tmp_path / "out.mp4"
    write(tool, out, voice, options=EncodeOptions(codec="libx265", preset="ultrafast"))

    assert b"hvc1" in out.read_bytes()


def test_auto_takes_nvenc_only_where_it_really_encodes(tool):
    chosen = choose_encoder(tool, "auto")

    if chosen.codec == "libx264":
        assert "h264_nvenc does not work here: " in chosen.reason
        assert "0x" not in chosen.reason
        with pytest.raises(DependencyError, match=r"encode\.codec"):
            choose_encoder(tool, "h264_nvenc")
    else:
        assert chosen.codec == "h264_nvenc"


def test_an_encoder_that_is_named_is_tried_before_it_is_believed(tool):
    assert choose_encoder(tool, "libx264").codec == "libx264"
    with pytest.raises(DependencyError, match="libx999 does not work here"):
        choose_encoder(tool, "libx999")


def test_every_encoder_of_the_settings_has_a_preset():
    assert set(PRESETS) == {"libx264", "libx265", "libsvtav1", "h264_nvenc", "hevc_nvenc"}


@pytest.mark.parametrize("n_fed", [24, 26])
def test_more_or_fewer_frames_than_planned_leave_no_file(tool, tmp_path, voice, n_fed):
    out = tmp_path / "out.mp4"

    with pytest.raises((QualityError, MediaError)):
        write(tool, out, voice, pictures(n_fed))
    assert not out.exists()


def test_frames_are_let_go_before_the_next_are_asked_for(tool, tmp_path, voice):
    info = info_of()
    held = []

    def film():
        for frame in pictures(25):
            made = [of_bgr(frame, output_colour(info).matrix)]
            memory = weakref.ref(made[0].packed)
            yield made.pop()
            held.append(memory() is not None)

    plan = {"info": info, "fps": FPS, "n_frames": 25, "sound": voice}
    write_video(tool, film(), tmp_path / "out.mp4", **plan, options=OPTIONS, limits=LIMITS)

    assert held == [False] * 25


def test_a_source_that_fails_leaves_no_file_and_its_own_error(tool, tmp_path, voice):
    def failing():
        yield from pictures(5)
        raise MediaError("the source ran dry")

    out = tmp_path / "out.mp4"
    with pytest.raises(MediaError, match="ran dry"):
        write(tool, out, voice, failing())
    assert not out.exists()


def test_an_encoder_that_refuses_leaves_no_file_and_says_why(tool, tmp_path, voice):
    out = tmp_path / "out.mp4"
    with pytest.raises(MediaError, match="preset"):
        write(tool, out, voice, options=replace(OPTIONS, preset="warp9"))
    assert not out.exists()


@pytest.mark.parametrize("policy", ["pingpong", "loop"])
def test_flashes_and_beeps_stay_together_to_the_end(tool, tmp_path, policy):
    """A clip flashes at frame 40 of 60; wherever the timeline shows that frame, a beep sounds."""
    clip = lavfi.make(
        tmp_path / "flash.mp4", "-f", "lavfi", "-i", "color=gray:size=64x48:rate=30000/1001",
        "-frames:v", 60, "-vf", "geq=lum='if(eq(N,40),235,60)':cb=128:cr=128", *lavfi.X264,
    )  # fmt: skip
    sound_s = Fraction(8)
    timeline = lay_timeline(60, NTSC, sound_s, policy)
    beeps = np.flatnonzero(timeline.source == 40)
    wave = np.zeros(int(sound_s * 44100), np.int16)
    for frame in beeps:
        start = round(int(frame) / NTSC * 44100)
        wave[start : start + 400] = 20000
    raw = tmp_path / "beeps.raw"
    raw.write_bytes(wave.tobytes())
    path = lavfi.make(
        tmp_path / "beeps.mp3", "-f", "s16le", "-ar", 44100, "-i", raw, "-b:a", "192k"
    )
    reader = VideoReader(tool, clip, probe(clip, LIMITS), LIMITS)
    assert sum(map(len, reader.read_all(16))) == 60
    out = tmp_path / "out.mp4"
    write(tool, out, sound_of(path, sound_s), reader.read_timeline(timeline, 16), info=reader.info,
          fps=NTSC, n_frames=timeline.n_frames)  # fmt: skip

    flashes = np.flatnonzero(decoded(tool, out).mean(axis=(1, 2, 3)) > 150)
    loud = np.flatnonzero(np.abs(read_waveform(tool, out, LIMITS).samples) > 0.2)
    onsets_s = loud[np.diff(loud, prepend=-16000) > 800] / 16000

    assert flashes.tolist() == beeps.tolist()
    assert len(onsets_s) == len(beeps)
    assert np.abs(onsets_s - flashes / float(NTSC)).max() < 0.005


def test_what_was_written_is_laid_out_for_players(tool, tmp_path, voice):
    out = tmp_path / "out.mp4"
    write(tool, out, voice)
    facts = look_inside(out, LIMITS)

    assert facts["container"] == "mov"
    assert (facts["video"]["codec"], facts["audio"]["codec"]) == ("h264", "aac")
    assert out.read_bytes()[4:8] == b"ftyp"
