"""Every format that docs/formats.md names is made, probed and read to its end."""

from fractions import Fraction

import formats
import lavfi
import numpy as np
import pytest

from heygemd.media.audio import peak_db, read_waveform
from heygemd.media.decode import VideoReader
from heygemd.media.encode import can_copy
from heygemd.media.limits import Limits
from heygemd.media.probe import probe, probe_audio, probe_kind
from heygemd.media.tool import find_ffmpeg

LIMITS = Limits()
pytestmark = pytest.mark.timeout(60)  # AV1 and HEVC on a busy machine


@pytest.fixture(scope="module")
def tool():
    return find_ffmpeg()


@pytest.mark.parametrize("film", formats.FILMS, ids=lambda film: film.what)
def test_a_clip_of_this_format_comes_out_as_the_page_says(tool, tmp_path, film):
    path = film.make(tmp_path)
    info = probe(path, LIMITS)
    frames = np.concatenate([batch.bgr() for batch in VideoReader(tool, path, info).read_all(8)])
    assert probe_kind(path) == ("video" if film.n_frames > 1 else "picture")
    assert (info.width_px, info.height_px) == film.becomes
    assert frames.shape[1:] == (*film.becomes[::-1], 3)
    assert info.still == (film.n_frames == 1)
    assert info.still or info.fps == film.out_fps
    assert abs(len(frames) - (film.n_out or film.n_frames)) <= (0 if not film.n_out else 1)
    assert info.rotation_deg == film.turn_deg
    assert info.interlaced == ("Interlaced" in film.what)
    assert info.sample_aspect == (Fraction(4, 3) if "4:3" in film.what else 1)
    assert info.variable_rate == ("Variable" in film.what)
    assert 40 < frames.mean() < 215
    assert frames.std() > 30  # the test picture, neither black nor grey


@pytest.mark.parametrize("sound", formats.SOUNDS, ids=lambda sound: sound.what)
def test_a_sound_of_this_format_is_heard_and_carried_as_the_page_says(tool, tmp_path, sound):
    path = lavfi.tone(tmp_path / sound.file, *sound.args, seconds=1.0, rate_hz=sound.rate_hz)
    info = probe_audio(path, LIMITS)
    heard = read_waveform(tool, path, LIMITS)
    assert probe_kind(path) == "audio"
    assert (info.codec, info.rate_hz, info.n_channels) == (
        sound.codec, sound.rate_hz, sound.n_channels,
    )  # fmt: skip
    assert abs(heard.duration_s - 1) < Fraction(1, 10)
    assert -30 < peak_db(heard) < -10
    assert ("copied" if can_copy(info) else "encoded to AAC") == sound.carried


def test_the_page_is_what_the_tables_say():
    carried = {sound.file: sound.carried for sound in formats.SOUNDS}
    assert formats.PAGE.read_text("utf-8") == formats.page(carried), "python tests/formats.py"
