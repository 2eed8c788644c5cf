"""The sync scorer: what it finds, and what it refuses."""

import numpy as np
import pytest
import torch
from real_clips import FOLDER, frames_of
from safetensors.torch import save_file
from torch.nn import functional

from heygemd import quality
from heygemd.errors import ModelError
from heygemd.faces.mesh import FaceMesh
from heygemd.faces.mouths import cut_mouths, mouth_views
from heygemd.lips import mel
from heygemd.lips.warp.voice import level
from heygemd.nets.sync import HEARD_HZ, SEEN_FPS, SyncNet
from heygemd.quality import LAGS_MS, SyncScorer, judged, lag_curve, peak_ms
from training.footage import read_sound


def walk(seed=0, seconds=6, hz=200):
    """A unit vector that wanders, as a function of time in s."""
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.standard_normal((seconds * hz, 8)), axis=0)
    steps -= np.array([np.convolve(column, np.ones(200) / 200, "same") for column in steps.T]).T

    def at(moments_s):
        place = np.clip(np.asarray(moments_s) * hz, 0, len(steps) - 1)
        rows = [np.interp(place, np.arange(len(steps)), column) for column in steps.T]
        return functional.normalize(torch.tensor(np.stack(rows, 1), dtype=torch.float32), dim=1)

    return at


def embedded(late_ms, seconds=6):
    at = walk()
    seen_s = (np.arange(seconds * SEEN_FPS) + 0.5) / SEEN_FPS
    heard_s = (np.arange(seconds * HEARD_HZ) + 0.25) / HEARD_HZ
    return at(seen_s - late_ms / 1000), at(heard_s)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def scorer():
    return SyncScorer()


@pytest.fixture(scope="module")
def noise():
    rng = np.random.default_rng(0)
    crops = rng.integers(1, 255, (100, 64, 96)).astype(np.uint8)
    return crops, rng.normal(0.0, 1.0, (80, 321)).astype(np.float32)


@pytest.mark.parametrize("late_ms", [0.0, 120.0, -80.0, 310.0, -500.0])
def test_a_picture_that_comes_late_has_a_positive_offset(late_ms):
    seen, heard = embedded(late_ms)

    curve, n_frames = lag_curve(seen, heard, torch.ones(len(seen), dtype=torch.bool))

    assert n_frames == 150
    assert peak_ms(curve) == pytest.approx(late_ms, abs=10)


def test_frames_that_do_not_count_do_not_count():
    seen, heard = embedded(80.0)
    seen[40:] = functional.normalize(torch.ones(8), dim=0)
    known = torch.arange(len(seen)) < 40

    assert peak_ms(lag_curve(seen, heard, known)[0]) == pytest.approx(80.0, abs=10)


def test_a_peak_between_two_steps_is_found_between_them():
    curve = (-((LAGS_MS - 47.0) ** 2) / 1e6).astype(np.float32)

    assert peak_ms(curve) == pytest.approx(47.0, abs=0.5)


def test_a_peak_at_the_end_of_the_curve_is_told_as_it_is():
    assert peak_ms(np.arange(len(LAGS_MS), dtype=np.float32)) == LAGS_MS[-1]


def test_frames_next_to_one_without_a_face_are_not_judged():
    crops = np.ones((20, 64, 96), np.uint8)
    crops[10] = 0

    assert np.flatnonzero(~judged(crops)).tolist() == list(range(7, 14))


def test_a_mouth_that_moves_by_chance_has_no_confidence(scorer, noise):
    score = scorer.score(*noise, fps=25.0)

    assert score is not None
    assert score.curve.shape == LAGS_MS.shape
    assert score.n_frames == 100
    assert 0.0 <= score.confidence < 0.1


@pytest.mark.parametrize(
    ("clip", "negative"), [("grid_m_darkskin.mpg", False), ("grid_m_glasses.mpg", True)]
)
def test_dark_skin_and_a_negative_are_judged_as_fair_skin_is(scorer, clip, negative):
    frames = frames_of(clip)
    with FaceMesh() as mesh:
        points = np.stack([sighting.points[0] for sighting in mesh.detect(frames)])
    crops = cut_mouths(frames, mouth_views(points))

    score = scorer.score(
        255 - crops if negative else crops, mel.log_mel(level(read_sound(FOLDER / clip))), fps=25
    )

    assert abs(score.offset_ms) < 40
    assert score.confidence > 0.2


def test_less_than_a_second_of_mouth_is_not_judged(scorer, noise):
    crops, columns = noise

    assert scorer.score(crops[:24], columns, fps=25.0) is None
    assert scorer.score(crops * 0, columns, fps=25.0) is None


def test_a_sound_of_less_than_a_second_is_not_judged(scorer, noise):
    crops, columns = noise

    assert scorer.score(crops, columns[:, :79], fps=25.0) is None


def test_any_rate_is_brought_to_25(scorer, noise):
    crops, columns = noise
    doubled = np.repeat(crops, 2, axis=0)

    once, twice = (scorer.score(c, columns, fps=f) for c, f in ((crops, 25.0), (doubled, 50.0)))

    assert np.allclose(once.curve, twice.curve, atol=1e-5)


def test_a_clip_in_many_pieces_is_judged_as_one(scorer, noise, monkeypatch):
    whole = scorer.score(*noise, fps=25.0)
    monkeypatch.setattr(quality, "_CHUNK_FRAMES", 30)

    assert np.allclose(scorer.score(*noise, fps=25.0).curve, whole.curve, atol=1e-4)


def test_shapes_that_are_no_mouths_or_no_mel_are_refused(scorer, noise):
    crops, columns = noise

    with pytest.raises(ValueError, match="crops"):
        scorer.score(crops[:, :32], columns, fps=25.0)
    with pytest.raises(ValueError, match="mel"):
        scorer.score(crops, columns[:40], fps=25.0)


def test_missing_weights_and_others_are_a_model_error(tmp_path):
    tensors = SyncNet().state_dict()
    del tensors["look.0.weight"]
    save_file(tensors, tmp_path / "other.safetensors")

    for name in ("none", "other"):
        with pytest.raises(ModelError, match="reinstall"):
            SyncScorer(tmp_path / f"{name}.safetensors")
