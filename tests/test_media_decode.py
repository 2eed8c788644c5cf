"""The same source index gives the same pixels, however it is reached."""

from dataclasses import replace
from fractions import Fraction

import lavfi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.errors import MediaError
from heygemd.media.decode import VideoReader, stretches
from heygemd.media.limits import Limits
from heygemd.media.probe import probe
from heygemd.media.timeline import lay_timeline
from heygemd.media.tool import find_ffmpeg
from heygemd.records import Timeline

LIMITS = Limits()
SMALL_BLOCKS = 25 * 160 * 120 * 3 // 2  # twenty-five frames of 160x120
X264 = lavfi.X264
LONG_GROUPS = (*X264, "-preset", "veryfast", "-bf", "3", "-g", "250")
CLIPS = {
    "one_group.mp4": {"codec": LONG_GROUPS},
    "open_groups.mp4": {"codec": (*LONG_GROUPS, "-g", "12", "-x264-params", "open-gop=1")},
    "milliseconds.mkv": {"codec": LONG_GROUPS, "rate": "30000/1001"},
    "broadcast.ts": {"codec": (*LONG_GROUPS, "-g", "15")},
    "fields.mpg": {
        "codec": ("-c:v", "mpeg2video", "-q:v", "3", "-flags", "+ildct+ilme", "-vf", "setfield=tff")
    },
    "xvid.avi": {"codec": ("-c:v", "mpeg4", "-q:v", "3", "-bf", "2")},
    "late.mp4": {"codec": (*X264, "-output_ts_offset", "1.48")},
    "phone.mp4": {
        "codec": (*LONG_GROUPS, "-vf", "setpts='(N+floor(N/3))/30/TB'", "-fps_mode", "vfr")
    },
}


@pytest.fixture(scope="module")
def tool():
    return find_ffmpeg()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("clips")


def open_clip(tool, path, **changes):
    info = replace(probe(path, LIMITS), **changes)
    return VideoReader(tool, path, info, LIMITS, reverse_bytes=SMALL_BLOCKS)


def joined(batches):
    return np.concatenate([batch.packed.copy() for batch in batches])


def every_frame(reader, batch=16):
    return joined(reader.read_all(batch))


@pytest.mark.parametrize("name", CLIPS)
def test_forward_backward_and_by_number_give_the_same_pixels(tool, folder, name):
    path = lavfi.film(folder / name, n_frames=60, **CLIPS[name])
    reader = open_clip(tool, path)
    forward = every_frame(reader)
    sound_s = 2 * len(forward) / reader.info.fps
    timeline = lay_timeline(len(forward), reader.info.fps, sound_s, "pingpong")
    played = joined(reader.read_timeline(timeline, 16))
    asked = [0, 3, 41, len(forward) - 1]

    assert reader.n_frames == len(forward) == reader.info.n_frames
    assert np.array_equal(played, forward[timeline.source])
    for index, frame in reader.frames_at(asked):
        assert np.array_equal(frame.packed, forward[index])
    fresh = dict(open_clip(tool, path).frames_at(asked))
    assert list(fresh) == asked
    assert all(np.array_equal(fresh[index].packed, forward[index]) for index in asked)


def test_frames_are_those_that_plain_ffmpeg_shows(tool, folder):
    path = lavfi.film(folder / "plain.mp4", n_frames=30)
    plain = lavfi.raw_frames(path, pixel_format="yuv420p")
    ours = every_frame(open_clip(tool, path))

    assert np.array_equal(ours, np.frombuffer(plain, np.uint8).reshape(-1, 180, 160))


def test_a_clip_that_seeks_elsewhere_is_counted_from_its_start(tool, folder):
    path = lavfi.film(folder / "liar.mp4", n_frames=80, codec=LONG_GROUPS)
    reader = open_clip(tool, path, start_s=Fraction(1, 5))  # as if time stamps were not the truth
    forward = every_frame(reader)
    timeline = lay_timeline(80, reader.info.fps, Fraction(6), "pingpong")

    assert np.array_equal(joined(reader.read_timeline(timeline, 16)), forward[timeline.source])


def test_batches_are_full_but_for_the_last(tool, folder):
    reader = open_clip(tool, lavfi.film(folder / "batches.mp4", n_frames=20))

    assert [len(batch) for batch in reader.read_all(8)] == [8, 8, 4]
    timeline = lay_timeline(20, reader.info.fps, Fraction(45, 25), "pingpong")
    assert [len(batch) for batch in reader.read_timeline(timeline, 16)] == [16, 16, 13]


def test_a_batch_that_somebody_keeps_is_not_written_over(tool, folder):
    reader = open_clip(tool, lavfi.film(folder / "kept.mp4", n_frames=40))
    kept = [batch[1:3].packed[:, ::2] for batch in reader.read_all(8)]
    again = every_frame(reader)

    looked_at = again.reshape(5, 8, 180, 160)[:, 1:3, ::2]
    assert np.array_equal(kept, looked_at)


def test_memory_of_batches_nobody_keeps_is_used_again(tool, folder):
    reader = open_clip(tool, lavfi.film(folder / "spare.mp4", n_frames=80))
    places = {batch.packed.ctypes.data for batch in reader.read_all(8)}

    assert len(places) <= 2


@pytest.mark.parametrize("policy", ["loop", "freeze", "trim"])
def test_every_length_policy_shows_the_frames_it_names(tool, folder, policy):
    reader = open_clip(tool, lavfi.film(folder / "policy.mp4", n_frames=20))
    forward = every_frame(reader)
    timeline = lay_timeline(20, reader.info.fps, Fraction(2), policy)

    assert np.array_equal(joined(reader.read_timeline(timeline, 16)), forward[timeline.source])


def test_a_still_picture_lasts_as_long_as_it_must(tool, folder):
    lavfi.film(folder / "still%d.png", n_frames=1, codec=())
    reader = open_clip(tool, folder / "still1.png")
    (picture,) = every_frame(reader)
    timeline = lay_timeline(1, reader.info.fps, Fraction(1, 2), "pingpong")
    shown = joined(reader.read_timeline(timeline, 5))

    assert len(shown) == 13
    assert (shown == picture).all()


def test_a_timeline_longer_than_the_clip_is_an_error(tool, folder):
    reader = open_clip(tool, lavfi.film(folder / "short.mp4", n_frames=10))

    with pytest.raises(MediaError, match="missing") as caught:
        joined(reader.read_timeline(Timeline(np.arange(20), Fraction(25)), 8))
    assert caught.value.reason == "corrupt"


def test_a_clip_of_which_half_the_frames_decode_is_corrupt(tool, folder):
    path = lavfi.film(folder / "half.mp4", n_frames=30)
    reader = open_clip(tool, path, n_frames=60)

    with pytest.raises(MediaError, match="only 30 of 60 frames") as caught:
        every_frame(reader)
    assert caught.value.reason == "corrupt"
    assert reader.n_frames is None


def test_leaving_a_clip_midway_leaves_no_ffmpeg_behind(tool, folder):
    reader = open_clip(tool, lavfi.film(folder / "midway.mp4", n_frames=80))
    batches = reader.read_all(4)
    next(batches)
    batches.close()

    assert len(every_frame(reader)) == 80


def test_a_variable_rate_shows_at_each_instant_the_frame_shown_then(tool, folder):
    slower = "setpts='if(lt(N,20),N,20+(N-20)*4)/25/TB'"
    path = lavfi.make(
        folder / "steps.mkv", "-f", "lavfi", "-i", "color=black:size=64x48:rate=25",
        "-frames:v", 40, "-vf", f"geq=lum='16+N*5':cb=128:cr=128,{slower}",
        "-fps_mode", "vfr", "-c:v", "ffv1",
    )  # fmt: skip
    reader = open_clip(tool, path)
    fps = reader.info.fps
    shown_s = [Fraction(n if n < 20 else 20 + (n - 20) * 4, 25) for n in range(40)]
    firsts = [int(second * fps + Fraction(1, 2)) for second in shown_s]
    frames = every_frame(reader)
    levels = np.rint((frames[:, 24, 32].astype(float) - 16) / 5).astype(int)
    wanted = [max(n for n in range(40) if firsts[n] <= k) for k in range(len(frames))]

    assert levels.tolist() == wanted
    assert abs(len(frames) / fps - shown_s[-1]) <= 2 / fps


def test_fields_are_woven_into_whole_frames(tool, folder):
    bar = "geq=lum='if(lt(mod(X-N*5,160),40),235,60)':cb=128:cr=128"
    moving = f"color=gray:size=160x120:rate=50,{bar}"
    path = lavfi.make(
        folder / "combed.mpg", "-f", "lavfi", "-i", moving, "-frames:v", 30,
        "-vf", "tinterlace=interleave_top,setfield=tff", "-flags", "+ildct+ilme",
        "-c:v", "mpeg2video", "-q:v", "1",
    )  # fmt: skip
    reader = open_clip(tool, path)

    def combing(frames):
        rows = frames[:, :120].astype(int)
        return np.abs(2 * rows[:, 1:-1] - rows[:, :-2] - rows[:, 2:]).mean()

    plain = np.frombuffer(lavfi.raw_frames(path, pixel_format="yuv420p"), np.uint8)
    plain = plain.reshape(-1, 180, 160)
    ours = every_frame(reader)
    assert reader.info.interlaced
    assert len(ours) == len(plain)
    assert combing(ours) < combing(plain) / 4


def test_a_size_that_changes_midway_keeps_the_first_size_and_every_frame(tool, folder):
    large = lavfi.film(folder / "large.ts", n_frames=20)
    small = lavfi.film(folder / "small.ts", "-output_ts_offset", "0.8", n_frames=20, size="80x60")
    path = folder / "both.ts"
    path.write_bytes(large.read_bytes() + small.read_bytes())
    frames = every_frame(open_clip(tool, path))

    assert frames.shape == (40, 180, 160)
    assert frames[-1].std() > 20


indices = st.lists(st.integers(0, 30), min_size=1, max_size=80)


@settings(max_examples=100, deadline=None)
@given(indices, st.integers(1, 9))
def test_stretches_say_the_timeline_again_whatever_it_is(source, n_reverse):
    timeline = Timeline(np.array(source), Fraction(25))
    said = []
    for stretch in stretches(timeline, n_reverse):
        shown = list(range(stretch.first, stretch.stop)) * stretch.n_times
        said += reversed(shown) if stretch.backward else shown
        assert stretch.n_out == len(shown)
        assert not stretch.backward or len(shown) <= n_reverse

    assert said == source
