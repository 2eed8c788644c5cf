import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heygemd.lips.warp import masks

SQUARE = np.float32([[20, 20], [60, 20], [60, 50], [20, 50]])


@given(st.integers(0, 99), st.integers(1, 40), st.sampled_from([(), (3,), (2, 3)]))
def test_a_median_is_the_one_that_numpy_gives(seed, n_rows, shape):
    values = np.random.default_rng(seed).integers(-99, 99, (n_rows, *shape)).astype(np.float32)

    assert np.array_equal(masks.median(values), np.median(values, axis=0).astype(np.float32))


def test_a_polygon_is_full_inside_and_empty_outside():
    mask = masks.polygon(SQUARE, (80, 90))

    assert mask[35, 40] == 1.0
    assert mask[10, 40] == mask[35, 70] == 0.0
    assert masks.box(mask) == (slice(20, 51), slice(20, 61))


def test_a_swollen_outline_keeps_its_middle():
    wide = masks.swell(SQUARE, 2.0, 0.5)

    assert wide.mean(axis=0) == pytest.approx(SQUARE.mean(axis=0))
    assert np.ptp(wide, axis=0).tolist() == [80.0, 15.0]


def test_a_ring_lies_around_the_outline_and_not_on_it():
    ring = masks.ring(SQUARE, (80, 90))

    assert not ring[35, 40]
    assert ring[35, 64]
    assert not ring[5, 5]


def test_texture_is_detail_and_a_smooth_face_has_none():
    everywhere = np.ones((40, 40), np.bool_)
    smooth = np.full((40, 40, 3), 120, np.uint8)
    rough = smooth + np.random.default_rng(0).integers(0, 30, smooth.shape).astype(np.uint8)

    assert masks.detail(smooth, everywhere) == 0.0
    assert masks.detail(rough, everywhere) > 5.0
    assert masks.detail(rough, np.zeros_like(everywhere)) == 0.0
