"""Real clips and voices, where they are at hand: every one is read, turned round and written."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from heygemd.media.audio import is_silent, read_waveform
from heygemd.media.decode import VideoReader
from heygemd.media.encode import Sound, write_video
from heygemd.media.limits import Limits
from heygemd.media.probe import probe, probe_audio, probe_kind
from heygemd.media.timeline import lay_timeline
from heygemd.media.tool import find_ffmpeg
from heygemd.media.verify import verify_video
from heygemd.records import EncodeOptions

LIMITS = Limits()
MEDIA = Path(__file__).parents[1].parent / "shared" / "media"
NTSC = Fraction(30000, 1001)
# size, rate, frames; what a player says of them
CLIPS = {
    "asl_hands_occlusion_ccby.mkv": (640, 480, 30, 47),
    "carphone_176x144.mp4": (176, 144, NTSC, 120),
    "cartoon_face.mp4": (256, 256, 30, 513),
    "grid_hq_720x576.mpg": (720, 576, 25, 75),
    "grid_s1_male.mpg": (360, 288, 25, 75),
    "latentsync_demo1_vertical.mp4": (1080, 1920, 25, 250),
    "mcgurk_congruent_ma.mp4": (1920, 1080, 25, 147),
    "nasa_noface_pd.mp4": (480, 270, NTSC, 390),
    "noface_bottles_ccby.mp4": (640, 360, Fraction(179, 6), 1189),
    "painting_mona.mp4": (1280, 720, NTSC, 479),
    "retalking_face1_22fps_smallface.mp4": (700, 700, Fraction(221, 10), 135),
    "sync_example_cnn.avi": (224, 224, 25, 317),
    "talkvid_zh.mp4": (1920, 1080, 24, 121),
    "vertical_noaudio_d13.mp4": (720, 1280, 30, 352),
    "vox_profile.mp4": (224, 224, 25, 174),
}
SMALL = ["carphone_176x144.mp4", "grid_s1_male.mpg", "sync_example_cnn.avi", "vox_profile.mp4"]
VOICES = ["SadTalker__deyu.wav", "V-Express__AOC.mp3", "whisper__jfk.flac", "synth_silence_3s.wav"]

pytestmark = pytest.mark.skipif(not MEDIA.is_dir(), reason=f"no {MEDIA}")


@pytest.fixture(scope="module")
def tool():
    return find_ffmpeg()


@pytest.mark.parametrize("name", CLIPS)
def test_a_clip_is_what_players_say(name):
    path = MEDIA / "video" / name
    info = probe(path, LIMITS)

    assert (info.width_px, info.height_px, info.fps, info.n_frames) == CLIPS[name]


@pytest.mark.parametrize("name", SMALL)
def test_a_clip_goes_forth_and_back_into_an_output_that_passes_the_gate(tool, tmp_path, name):
    path, voice = MEDIA / "video" / name, MEDIA / "audio" / "V-Express__AOC.mp3"
    info = probe(path, LIMITS)
    reader = VideoReader(tool, path, info, reverse_bytes=40 * info.width_px * info.height_px)
    forward = np.concatenate([batch.bgr() for batch in reader.read_all(16)])
    sound_s = read_waveform(tool, voice, LIMITS).duration_s
    timeline = lay_timeline(len(forward), info.fps, sound_s, "pingpong")
    plan = {"n_frames": timeline.n_frames, "fps": info.fps}
    shown = []

    def watched():
        for batch in reader.read_timeline(timeline, 16):
            shown.append(batch.bgr())
            yield batch

    out = tmp_path / "out.mp4"
    sound = Sound(voice, probe_audio(voice, LIMITS), sound_s)
    write_video(tool, watched(), out, info=info, sound=sound, options=EncodeOptions(),
                limits=LIMITS, **plan)  # fmt: skip
    verify_video(out, sound_s=sound_s, limits=LIMITS, **plan)

    assert np.array_equal(np.concatenate(shown), forward[timeline.source])


@pytest.mark.parametrize("name", VOICES)
def test_a_voice_is_heard_in_full(tool, name):
    path = MEDIA / "audio" / name
    sound = read_waveform(tool, path, LIMITS)
    header_s = probe_audio(path, LIMITS).duration_s

    assert abs(sound.duration_s - header_s) < Fraction(1, 10)
    assert is_silent(sound) == (path.name == "synth_silence_3s.wav")


def test_kinds_are_told_apart():
    assert {probe_kind(path) for path in [MEDIA / "video" / name for name in SMALL]} == {"video"}
    assert probe_kind(MEDIA / "audio" / "whisper__jfk.flac") == "audio"
