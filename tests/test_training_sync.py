"""The lesson of the sync scorer: moments told apart, windows on one clock."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from heygemd.lips import mel
from training import augment, mouths, scoring, sync


@pytest.fixture(autouse=True)
def _one_thread():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two that wait for each other are slow on a busy machine
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def clip(n_frames=75):
    """Frame i is painted i, and so is column i * 3.2 of its sound."""
    crops = np.repeat(np.arange(n_frames, dtype=np.uint8), 64 * 96).reshape(n_frames, 64, 96)
    columns = np.tile(np.linspace(-1.0, 1.0, n_frames * 16 // 5, dtype=np.float32), (80, 1))
    return mouths.Mouth("clip", crops, (np.arange(n_frames) + 0.5) / 25, columns)


def test_what_is_seen_and_heard_in_a_window_is_of_the_same_moments(rng, monkeypatch):
    one = clip()
    for name in ("warp_bands", "blur_bands"):
        monkeypatch.setattr(augment, name, lambda columns, *_: columns)
    window = augment.window(one.mel, rng, [])
    moments_s = sync.frame_moments_s(window.source_s)
    in_window_s = (np.arange(sync.N_FRAMES) + 0.5) / 25

    by_steps = np.interp(in_window_s, (np.arange(96) + 0.25) / 40, window.source_s)

    assert len(moments_s) == 60
    assert np.allclose(moments_s[:-1], by_steps[:-1], atol=1e-6)


def test_frames_outside_the_clip_and_at_the_ends_do_not_count(rng):
    crops, columns, known = sync.batch([clip(30)] * 4, rng, [])

    assert crops.shape == (4, 60, 64, 96)
    assert columns.shape == (4, 80, augment.N_COLUMNS)
    assert not known[:, :4].any()
    assert not known[:, -4:].any()
    for frames, row in zip(crops[:, :, 0, 0], known, strict=True):
        assert (frames[1:-1][row[1:-1]].diff() >= 0).all()
        assert row.sum() <= 30 / 0.8 + 1


def embeddings(seed, late=0):
    torch.manual_seed(seed)
    walk = torch.randn(2, 60 + late, 16)
    return functional.normalize(walk, dim=2)[:, :60]


def test_agreement_at_the_same_moment_costs_little_and_at_another_much():
    known = torch.ones(2, 60, dtype=torch.bool)
    seen = embeddings(0)
    late = torch.roll(seen, 5, dims=1)

    right = sync.disagreement(seen, seen, known, sync.Recipe())
    wrong = sync.disagreement(late, seen, known, sync.Recipe())

    assert right < 0.5
    assert wrong > 5.0


def test_the_lag_is_how_long_the_picture_comes_after_the_sound():
    seen = embeddings(0)
    heard = torch.roll(seen, -5, dims=1)
    allowed = torch.ones(2, 60, 60, dtype=torch.bool)

    agree = seen @ heard.transpose(1, 2)

    means = [float(sync.lag_mean(agree, allowed, lag).mean()) for lag in range(-8, 9)]
    assert int(np.argmax(means)) - 8 == 5


def test_frames_that_do_not_count_cost_nothing():
    known = torch.ones(2, 60, dtype=torch.bool)
    known[:, 40:] = False
    seen, heard = embeddings(0), embeddings(0)
    other = heard.clone()
    other[:, 40:] = functional.normalize(torch.randn(2, 20, 16), dim=2)

    one, two = (sync.disagreement(seen, h, known, sync.Recipe()) for h in (heard, other))

    assert torch.allclose(one, two)


def test_some_mouths_are_seen_in_other_tones_and_some_as_negatives(rng):
    shades = torch.linspace(0.0, 1.0, 48).expand(200, 1, 32, 48)

    rows = sync.toned(shades, rng)[:, 0, 0]

    steps = rows.diff(dim=1)
    changed = ~torch.isclose(rows, shades[:, 0, 0], atol=1e-6).all(dim=1)
    assert 0.25 < changed.float().mean() < 0.45
    assert 0 < (steps <= 0).all(dim=1).sum() < changed.sum() / 2
    assert 0 < (steps[changed] >= 0).all(dim=1).sum() < changed.sum() / 2
    assert rows.min() >= 0.0
    assert rows.max() <= 1.0


def test_a_disturbed_mouth_keeps_its_size_and_range(rng):
    crops = torch.rand(8, 5, 32, 48)

    disturbed = sync.disturbed(crops.clone(), rng)

    assert disturbed.shape == crops.shape
    assert disturbed.min() > -0.3
    assert disturbed.max() < 1.3
    assert not torch.allclose(disturbed, crops, atol=0.05)


@pytest.mark.parametrize("shift", [-12, -2, 0, 3, 8])
def test_a_moved_sound_is_later_by_so_many_frames(shift):
    columns = np.full((80, 240), mel.SILENCE, np.float32)
    columns[:, 100] = 1.0

    moved = scoring.moved(columns, shift)

    assert moved.shape == columns.shape
    assert int(moved[0].argmax()) == 100 + round(shift * 3.2)
