import importlib.util
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from drawn_talker import BASIS, draw, pose, shapes

from heygemd.faces.detect import Sighting
from heygemd.lips.warp import geometry

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def load(name):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


mouths, watching = load("mouths"), load("watching")
TALK = np.array([0.0, 0.0, 0.2, 0.25, 0.2, 0.1, 0.0, 0.0, 0.1, 0.2, 0.1, 0.0, 0.0, 0.2], np.float32)

REST = shapes([0.0])[0]


def face(aperture, **pose_options):
    return geometry.to_image(shapes([aperture]), pose(1, **pose_options))[0]


def test_a_mouth_that_does_as_told_is_called_obedient():
    found = mouths.obedience(TALK, TALK * 0.9, TALK[::-1].copy())

    assert found["r"] == pytest.approx(1.0)
    assert found["slope"] == pytest.approx(0.9)
    assert (found["closed"], found["open"]) == (1.0, 1.0)


def test_a_mouth_that_keeps_its_own_way_is_all_leak():
    own = np.roll(TALK, 3)

    found = mouths.obedience(TALK, own, own)

    assert np.hypot(found["leak"], found["r"]) == pytest.approx(1.0)
    assert found["r"] < 0.5
    assert found["closed"] < 1.0


def test_voices_that_are_alike_are_no_leak():
    found = mouths.obedience(TALK, TALK, (TALK + 0.2 * np.roll(TALK, 3)).astype(np.float32))

    assert found["leak"] < 0.01


def test_frames_without_a_face_are_not_judged():
    seen = TALK.copy()
    seen[6] = np.nan

    assert mouths.obedience(TALK, seen, TALK)["r"] == pytest.approx(1.0)


def test_the_same_picture_is_as_near_and_as_like_as_can_be():
    picture = draw(face(0.1))

    assert mouths.ssim(picture, picture) == pytest.approx(1.0)
    assert mouths.psnr_db(picture, picture) > 70


def test_a_blurred_mouth_is_less_sharp_and_less_fine():
    points = face(0.1)
    sharp = draw(points)
    soft = np.stack([sharp, np.roll(sharp, 1, 0), np.roll(sharp, 1, 1)]).mean(axis=0)
    looks = mouths.Looks(REST)

    looks.see(sharp, soft.astype(np.uint8), points, points)

    for source, output in (*looks.sharpness, *looks.fineness):
        assert output < 0.8 * source


def test_a_mouth_is_as_sharp_as_those_of_the_source_that_are_as_open():
    talk = [0.0, 0.25] * mouths.AS_OPEN
    looks = mouths.Looks(REST)
    for source, output in zip(talk, [0.25, 0.25, *talk[1:-1]], strict=True):
        looks.see(draw(face(source)), draw(face(output)), face(source), face(output))

    assert mouths.sharpness(looks) == pytest.approx(1.0, abs=0.1)
    assert np.isnan(mouths.sharpness(mouths.Looks(REST)))


def test_what_the_inside_shows_does_not_count_as_fineness():
    closed, wide = face(0.0), face(0.25)
    looks = mouths.Looks(REST)

    looks.see(draw(closed), draw(wide), closed, wide)

    (source, output), (source_fine, output_fine) = looks.sharpness[0], looks.fineness[0]
    assert output > 1.2 * source
    assert output_fine < 1.2 * source_fine


def flicker(sources, outputs, points):
    """Mean change in the ring from frame to frame, of the source and of the output."""
    looks = mouths.Looks(REST)
    for source, output, place in zip(sources, outputs, points, strict=True):
        looks.see(source, output, place, place)
    return np.mean(looks.flicker, axis=0)


def test_a_mouth_held_still_does_not_flicker_for_the_sources_lips_that_move():
    talking = [face(aperture) for aperture in (0.0, 0.2, 0.05, 0.25, 0.0)]

    source, output = flicker([draw(each) for each in talking], [draw(face(0.0))] * 5, talking)

    assert output < 0.2 * source


def test_skin_that_trembles_flickers():
    grain = np.random.default_rng(5).integers(-20, 20, draw(face(0.1)).shape)
    skin = (draw(face(0.1)) + grain).clip(0, 255).astype(np.uint8)

    source, output = flicker([skin] * 4, [skin, np.roll(skin, 1, 0)] * 2, [face(0.1)] * 4)

    assert source < 0.1
    assert output > 1.0


def test_a_crop_turns_with_the_head():
    points = face(0.1)
    turned = points.copy()
    turned[:, :2] = points[:, 1::-1] * (1, -1) + (0, 300)

    upright = mouths.crop(draw(points), points, 0.6, 64).astype(np.float32)
    again = mouths.crop(draw(turned), turned, 0.6, 64).astype(np.float32)

    assert np.abs(upright - again).mean() < 12


def test_trembling_lips_are_jitter_and_resting_ones_are_none():
    still = shapes([0.1] * 8)
    rng = np.random.default_rng(3)

    assert mouths.jitter(still) == pytest.approx(0.0, abs=1e-3)
    assert mouths.jitter(still + rng.normal(0, 0.01, still.shape).astype(np.float32)) > 5


def test_nothing_trembles_more_or_less_than_a_picture_that_stands_still():
    rng = np.random.default_rng(3)
    still = shapes([0.1] * 8)
    restless = still + rng.normal(0, 0.01, still.shape).astype(np.float32)

    assert np.isnan(mouths.trembling(restless, still))
    assert mouths.trembling(restless, restless) == pytest.approx(1.0)


def test_lips_one_hundredth_away_have_an_error_of_one():
    true = shapes([0.1, 0.2])
    away = true + np.array([0.01, 0, 0], np.float32)

    assert mouths.lip_error(true, away) == pytest.approx(1.0, rel=1e-3)


def test_shapes_are_those_the_face_was_made_of():
    made = shapes([0.0, 0.2, 0.1])

    found = mouths.shapes_of(geometry.to_image(made, pose(3)), BASIS.template)

    np.testing.assert_allclose(geometry.aperture(found), geometry.aperture(made), atol=0.01)


def test_judged_frames_lie_away_from_all_that_may_be_borrowed():
    fps = Fraction(25)
    frames = np.arange(200)
    judged = watching.judged_frames(frames, fps)
    lent = np.flatnonzero(watching.blocks(frames, fps) % 2 == 0)

    assert 30 < judged.sum() < 100
    assert np.abs(np.flatnonzero(judged)[:, None] - lent[None]).min() > 5


class Counting:
    name, version, wants_frames = "counting", "1", 2

    def __init__(self):
        self.n_asked = 0

    def detect(self, frames):
        self.n_asked += 1
        points = np.full((1, 478, 3), float(frames[0, 0, 0, 0]), np.float32)
        none = Sighting(np.empty((0, 4), np.float32), np.empty(0, np.float32), points[:0])
        return [Sighting(np.ones((1, 4), np.float32), np.ones(1, np.float32), points), none]

    def close(self):
        pass


def test_the_same_frames_are_looked_at_once_even_by_the_next_process(tmp_path):
    frames = np.full((2, 4, 4, 3), 7, np.uint8)
    first, second = Counting(), Counting()

    seen = watching.Remembering(first, tmp_path).detect(frames)
    again = watching.Remembering(second, tmp_path).detect(frames)

    assert (first.n_asked, second.n_asked) == (1, 0)
    assert [len(face.scores) for face in again] == [1, 0]
    np.testing.assert_array_equal(again[0].points, seen[0].points)


def test_other_frames_are_looked_at_anew(tmp_path):
    asked = Counting()
    patient = watching.Remembering(asked, tmp_path)

    patient.detect(np.full((2, 4, 4, 3), 7, np.uint8))
    seen = patient.detect(np.full((2, 4, 4, 3), 8, np.uint8))

    assert asked.n_asked == 2
    assert seen[0].points[0, 0, 0] == 8
