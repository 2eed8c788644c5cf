"""Windows that training hears, and losses that it minds."""

from pathlib import Path

import numpy as np
import pytest
import torch

import heygemd.lips.warp
from heygemd.lips.warp import geometry
from training import augment, losses
from training.phones import Viseme

ASSETS = Path(heygemd.lips.warp.__file__).parent / "assets"


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture(scope="module")
def by():
    return losses.measure(geometry.load_basis(ASSETS / "face.safetensors"))


@pytest.mark.parametrize("n_columns", [50, 240, 900])
def test_a_window_has_its_size_whatever_it_is_cut_from(rng, n_columns):
    columns = rng.uniform(-4, 4, (80, n_columns)).astype(np.float32)

    window = augment.window(columns, rng, [columns])

    assert window.mel.shape == (80, augment.N_COLUMNS)
    assert window.mel.dtype == np.float32
    assert window.source_s.shape == (augment.N_STEPS,)


def test_a_window_stays_in_the_range_of_the_log_mel(rng):
    columns = rng.uniform(-4, 4, (80, 400)).astype(np.float32)

    for _ in range(20):
        heard = augment.window(columns, rng, [columns]).mel
        assert heard.min() >= -4.0
        assert heard.max() <= 4.0


def test_a_window_says_where_its_steps_lie_in_the_source(rng):
    ramp = np.tile(np.linspace(-4, 4, 800, dtype=np.float32), (80, 1))

    heard, first = augment.stretch(ramp, 1.25, rng)

    column = (heard[0, 100] + 4) / 8 * 799
    assert column == pytest.approx(first + 125, abs=0.01)


def test_powers_of_equal_sounds_add_three_decibels():
    columns = np.zeros((80, 10), np.float32)

    assert np.allclose(augment.mix_power(columns, columns), 3.0103 * 8 / 100, atol=1e-4)


def test_bands_that_are_not_warped_stay(rng):
    columns = rng.uniform(-4, 4, (80, 10)).astype(np.float32)

    assert np.allclose(augment.warp_bands(columns, 1.0, 0.0), columns, atol=1e-2)


def test_naming_right_and_surely_costs_little():
    viseme = torch.tensor([[3, 3, -1]])
    traits = torch.tensor([[[1.0, 0.0]] * 3])
    logits = torch.full((1, 13, 3), -12.0)
    logits[:, 3] = logits[:, 11] = 12.0

    sure = losses.name_sounds(logits, viseme, traits)
    wrong = losses.name_sounds(-logits, viseme, traits)

    assert sure < 1.5 < wrong


def test_naming_what_nobody_knows_costs_nothing():
    viseme, traits = torch.full((1, 4), -1), torch.zeros(1, 4, 2)

    assert losses.name_sounds(torch.randn(1, 13, 4), viseme, traits).item() == 0.0


def mouths(by, gap, wider=0.0):
    """(1, K, 1) the smallest coefs that give a gap and a width."""
    readings = np.stack([by.aperture.numpy(), by.width.numpy()])
    coefs = np.linalg.lstsq(readings, np.array([gap, wider]), rcond=None)[0]
    return torch.tensor(coefs, dtype=torch.float32)[None, :, None]


def asked(kind):
    return torch.full((1, 1), int(kind)), torch.ones(1, 1, dtype=torch.bool)


@pytest.mark.parametrize(
    ("kind", "gap", "wider"),
    [
        (Viseme.BILABIAL, -0.01, 0.0),
        (Viseme.SILENCE, 0.0, 0.0),
        (Viseme.LABIODENTAL, 0.02, 0.0),
        (Viseme.OPEN, 0.15, 0.0),
        (Viseme.ROUND_CLOSE, 0.05, -0.05),
        (Viseme.SPREAD, 0.05, 0.03),
        (Viseme.ALVEOLAR, 0.3, 0.3),
    ],
)
def test_a_mouth_that_does_what_the_phone_demands_costs_nothing(by, kind, gap, wider):
    assert losses.obey(mouths(by, gap, wider), *asked(kind), by).item() < 1e-5


@pytest.mark.parametrize(
    ("kind", "gap", "wider"),
    [
        (Viseme.BILABIAL, 0.05, 0.0),
        (Viseme.SILENCE, 0.05, 0.0),
        (Viseme.LABIODENTAL, 0.1, 0.0),
        (Viseme.OPEN, 0.02, 0.0),
        (Viseme.ROUND_CLOSE, 0.05, 0.05),
        (Viseme.SPREAD, 0.05, -0.05),
    ],
)
def test_a_mouth_that_breaks_the_demand_costs(by, kind, gap, wider):
    assert losses.obey(mouths(by, gap, wider), *asked(kind), by).item() > 0.01


def test_nothing_is_demanded_where_the_phone_is_not_known(by):
    unknown = torch.full((1, 1), -1), torch.zeros(1, 1, dtype=torch.bool)

    assert losses.obey(mouths(by, 0.3, 0.3), *unknown, by).item() == 0.0


def test_following_exactly_costs_nothing(by):
    coefs = torch.randn(2, 10, 30)

    assert losses.follow(coefs, coefs, torch.ones(2, 30, dtype=torch.bool), by).item() == 0.0


def test_what_cannot_be_trusted_is_not_followed(by):
    coefs, inside = torch.randn(2, 10, 30), torch.zeros(2, 30, dtype=torch.bool)

    assert losses.follow(coefs, coefs + 1, inside, by).item() == 0.0


def test_a_missed_closure_costs_more_than_a_missed_opening(by):
    closed, ajar, wide = mouths(by, 0.0), mouths(by, 0.05), mouths(by, 0.1)
    inside = torch.ones(1, 1, dtype=torch.bool)

    assert losses.follow(ajar, closed, inside, by) > losses.follow(ajar, wide, inside, by)


def test_speech_that_is_told_surely_costs_little():
    where = torch.tensor([[True, False]])
    sure = torch.tensor([[9.0, -9.0]])  # the second moment is not asked for

    assert losses.tell_speech(sure, where, is_speech=True) < 0.01
    assert losses.tell_speech(sure, where, is_speech=False) > 5.0
