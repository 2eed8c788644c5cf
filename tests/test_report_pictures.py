"""The report's pictures, looked at pixel by pixel."""

from xml.etree import ElementTree as ET

import cv2
import numpy as np
import pytest
import report_world as world

from heygemd.records import Waveform
from heygemd.report.pictures import CELL_PX, Sampler, cell, waveform

STEP = CELL_PX + 2


def decoded(jpeg):
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def flat(value, *, n=1, height=90, width=160):
    return np.full((n, height, width, 3), value, np.uint8)


def stream(sampler, n_frames, before, after, batch=7):
    """Show a film in batches; ``before`` and ``after`` give a frame's grey."""
    for start in range(0, n_frames, batch):
        span = range(start, min(n_frames, start + batch))
        sampler.see_before(start, np.concatenate([flat(before(index)) for index in span]))
        sampler.see_after(start, np.concatenate([flat(after(index)) for index in span]))


def tone(n_samples=16000, loudness=0.5):
    times_s = np.arange(n_samples) / 16000
    return Waveform((loudness * np.sin(times_s * 2000)).astype(np.float32), 16000)


def layers(svg, kind):
    root = ET.fromstring(svg)  # noqa: S314 - our own
    return [node.attrib for node in root.iter() if node.attrib.get("class") == kind]


def test_frames_are_taken_from_the_middle_of_equal_stretches():
    assert Sampler(60).chosen == (5, 15, 25, 35, 45, 55)


def test_frames_with_a_face_are_preferred():
    boxes = np.full((60, 4), np.nan, np.float32)
    boxes[30:42] = world.face_box()
    assert Sampler(60, boxes).chosen == (31, 33, 35, 37, 39, 41)


def test_a_film_without_any_face_is_shown_all_the_same():
    assert len(Sampler(60, np.full((60, 4), np.nan, np.float32)).chosen) == 6


@pytest.mark.parametrize("n_frames", [0, 1, 3])
def test_a_film_shorter_than_the_sheet_is_shown_frame_by_frame(n_frames):
    assert Sampler(n_frames).chosen == tuple(range(n_frames))


def test_the_source_stands_above_the_output_in_the_order_of_time():
    sampler = Sampler(60)
    stream(sampler, 60, lambda index: index, lambda index: 255 - index)
    sheet = decoded(sampler.sheet()).astype(int)
    height = round(CELL_PX * 90 / 160) + 2
    for column, index in enumerate(sampler.chosen):
        x = column * STEP + CELL_PX // 2
        assert abs(sheet[height // 2, x, 0] - index) <= 3
        assert abs(sheet[height + height // 2, x, 0] - (255 - index)) <= 3


def test_the_size_of_the_batches_does_not_matter():
    sheets = []
    for batch in (1, 7, 60):
        sampler = Sampler(60)
        stream(sampler, 60, lambda index: index, lambda index: index, batch=batch)
        sheets.append(sampler.sheet())
    assert sheets[0] == sheets[1] == sheets[2]


def test_a_face_is_cropped_to_with_room_around_it():
    frame = world.drawn_face(4)
    shown = cell(frame, world.face_box())
    assert shown.shape == (CELL_PX, CELL_PX, 3)
    skin = np.abs(shown.astype(int) - (150, 178, 222)).max(axis=2) < 12
    rows, columns = np.flatnonzero(skin.any(axis=1)), np.flatnonzero(skin.any(axis=0))
    assert 0.55 < (rows[-1] - rows[0]) / CELL_PX < 0.7
    assert abs((columns[0] + columns[-1]) / 2 - CELL_PX / 2) < 3


@pytest.mark.parametrize(
    "box", [(-40, -30, 30, 40), (600, 300, 700, 420), (0, 0, 640, 360), (100, 100, 101, 101),
            (-500, -500, -400, -400)],
)  # fmt: skip
def test_a_box_that_leaves_its_frame_is_no_trouble(box):
    shown = cell(world.drawn_face(4), np.array(box, np.float32))
    assert shown.shape == (CELL_PX, CELL_PX, 3)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 2000), (2000, 3), (17, 31)])
def test_a_frame_of_any_size_is_no_trouble(width, height):
    sampler = Sampler(2)
    frames = flat(90, n=2, height=height, width=width)
    sampler.see_before(0, frames)
    sampler.see_after(0, frames)
    assert decoded(sampler.sheet()) is not None
    assert decoded(sampler.poster()) is not None


def test_the_frames_that_were_shown_may_change_afterwards():
    sampler = Sampler(1)
    frames = flat(200)
    sampler.see_before(0, frames)
    sampler.see_after(0, frames)
    frames[:] = 0
    assert decoded(sampler.sheet()).max() > 150


def test_a_film_that_broke_off_gives_what_was_seen():
    sampler = Sampler(60)
    stream(sampler, 30, lambda index: index, lambda index: index)
    assert decoded(sampler.sheet()).shape[1] == 3 * STEP - 2


def test_nothing_seen_gives_no_picture():
    assert Sampler(60).sheet() == b""
    assert Sampler(60).poster() == b""


def test_boxes_for_other_frames_are_refused():
    with pytest.raises(ValueError, match=r"want \(60, 4\)"):
        Sampler(60, np.zeros((59, 4), np.float32))


def test_the_poster_is_a_whole_frame_of_the_output():
    sampler = Sampler(6)
    before, after = flat(10, n=6, height=1080, width=1920), flat(240, n=6, height=1080, width=1920)
    sampler.see_before(0, before)
    sampler.see_after(0, after)
    poster = decoded(sampler.poster())
    assert poster.shape == (360, 640, 3)
    assert poster.min() > 235


def test_a_talking_head_takes_under_150_kilobytes():
    pictures = world.pictures()
    assert len(pictures.sheet) + len(pictures.poster) + len(pictures.wave) < 150_000


def test_the_sound_is_drawn_as_high_as_it_is_loud():
    loud_then_soft = np.concatenate([tone().samples, 0.1 * tone().samples])
    (path,) = layers(waveform(Waveform(loud_then_soft, 16000), n_frames=50), "sound")
    points = np.array(path["d"].strip("MZ").split(), float).reshape(-1, 2)
    left, right = points[points[:, 0] < 170, 1], points[points[:, 0] > 190, 1]
    assert 88 < np.ptp(left) <= 94
    assert 8 < np.ptp(right) < 11


def test_silence_is_drawn_as_silence():
    quiet = Waveform(np.zeros(16000, np.float32), 16000)
    (path,) = layers(waveform(quiet, n_frames=25), "sound")
    points = np.array(path["d"].strip("MZ").split(), float).reshape(-1, 2)
    assert np.ptp(points[:, 1]) < 1


@pytest.mark.parametrize("n_samples", [0, 1, 5, 359, 361])
def test_a_sound_of_any_length_can_be_drawn(n_samples):
    assert layers(waveform(tone(n_samples), n_frames=1), "sound")


def test_a_sound_with_broken_samples_can_be_drawn():
    samples = tone().samples.copy()
    samples[100:200] = np.nan
    assert "nan" not in waveform(Waveform(samples, 16000), n_frames=25)


def test_stretches_without_a_face_stand_where_they_are():
    marks = layers(waveform(tone(), n_frames=100, gaps=[(0, 24), (50, 50)]), "gap")
    assert [(float(mark["x"]), float(mark["width"])) for mark in marks] == [(0, 90), (180, 3.6)]


def test_moments_of_the_sheet_are_marked():
    marks = layers(waveform(tone(), n_frames=100, chosen=(0, 50, 99)), "tick")
    assert [float(mark["x1"]) for mark in marks] == [1.8, 181.8, 358.2]


@pytest.mark.parametrize("n_values", [1, 7, 360, 5000])
def test_a_curve_of_any_length_spans_the_picture(n_values):
    curve = np.linspace(0, 1, n_values)
    (path,) = layers(waveform(tone(), n_frames=100, curve=curve, kind="sync"), "sync")
    points = np.array(path["d"].replace("M", " ").replace("L", " ").split(), float).reshape(-1, 2)
    assert len(points) == min(360, n_values)
    assert points[0, 0] == pytest.approx(180 / len(points), abs=0.06)
    assert points[0, 1] >= points[-1, 1]  # up is more


def test_a_curve_breaks_off_where_nothing_is_known():
    curve = np.ones(100)
    curve[40:60] = np.nan
    (path,) = layers(waveform(tone(), n_frames=100, curve=curve), "opening")
    assert path["d"].count("M") == 2


def test_a_curve_of_nothing_known_is_no_trouble():
    (path,) = layers(waveform(tone(), n_frames=9, curve=np.full(9, np.nan)), "opening")
    assert path["d"] == ""
