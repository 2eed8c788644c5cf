import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heygemd.lips.warp import light

SHAPE = (40, 60)
NOTHING = np.zeros(SHAPE, np.float32)
GREY = np.full((*SHAPE, 3), 100, np.uint8)


def ring(stride=1):
    around = np.zeros(SHAPE, np.bool_)
    around[5:35, 5:55] = True
    around[12:28, 15:45] = False
    return np.ascontiguousarray(around[::stride, ::stride])


@given(st.lists(st.integers(0, 30), min_size=1, max_size=70))
def test_a_median_is_that_of_the_sorted_values(values):
    values = np.array(values, np.float32)

    assert light.median(values.copy()) == np.float32(np.median(values))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_layer_takes_the_brightness_and_the_tint_of_the_skin(stride):
    tint = np.array([0.8, 1.0, 1.3])
    skin = (GREY * tint).astype(np.uint8)

    lit = light.relit(GREY, skin, ring(stride), stride, NOTHING)

    np.testing.assert_allclose(lit, skin, atol=1.5)


def test_light_that_falls_from_a_side_falls_on_the_layer():
    across = np.linspace(0.8, 1.2, SHAPE[1])[None, :, None]
    skin = (GREY * across).astype(np.uint8)

    lit = light.relit(GREY, skin, ring(), 1, NOTHING)

    assert lit[:, :5].mean() / lit[:, -5:].mean() == pytest.approx(0.75, abs=0.05)
    assert lit[:5].mean() == pytest.approx(lit[-5:].mean(), rel=1e-3)


def test_a_ring_of_a_few_pixels_changes_nothing():
    few = np.zeros(SHAPE, np.bool_)
    few[3, :20] = True

    lit = light.relit(GREY, GREY // 2, few, 1, NOTHING)

    np.testing.assert_array_equal(lit, GREY)


def test_what_is_inside_does_not_blush_with_the_skin():
    inside = NOTHING.copy()
    inside[15:25, 20:40] = 1.0
    skin = (GREY * np.array([1.0, 1.0, 1.04])).astype(np.uint8)

    lit = light.relit(GREY, skin, ring(), 1, inside)

    assert lit[0, 0, 2] / lit[0, 0, 0] == pytest.approx(1.04, abs=1e-3)
    assert lit[20, 30, 2] / lit[20, 30, 0] == pytest.approx(1.0, abs=1e-3)


def test_a_mouth_is_laid_in_part_rounded_and_within_the_range_of_bytes():
    picture = np.full((4, 6, 3), 100, np.uint8)
    shown = np.zeros((4, 6), np.float32)
    layer = np.full((2, 3, 3), 101.0, np.float32)
    layer[0, 0], layer[0, 1] = 400.0, -300.0
    alpha = np.ones((2, 3), np.float32)
    alpha[1] = [0.0, 0.02, 1.0]

    light.lay(picture[1:3, 2:5], shown[1:3, 2:5], layer, alpha, 0.5)

    assert picture[1:3, 2:5, 0].tolist() == [[250, 0, 101], [100, 100, 101]]
    np.testing.assert_allclose(shown[1:3, 2:5], [[1, 1, 1], [0, 0.2, 1]], atol=1e-6)
    assert picture[[0, 3]].min() == picture[[0, 3]].max() == 100
    assert not shown[:, :2].any()
