import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.packed import PackedPoints, normalised


def faces(n_rows, size_px=600.0, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random((n_rows, 478, 3)) * size_px + [900, 400, -50]).astype(np.float32)


ANOTHER = normalised(faces(1, seed=5)[0])


@settings(max_examples=20, deadline=None)
@given(size_px=st.floats(1, 4000), seed=st.integers(0, 99))
def test_points_come_back_within_a_four_thousandth_of_the_face_however_they_differ(size_px, seed):
    points = faces(3, size_px, seed)

    away = np.abs(PackedPoints.pack(points, ANOTHER)[:] - points).max()

    assert away <= 2 * size_px / 8180 + 2e-4


def test_faces_that_are_alike_come_back_finer_still():
    points = faces(1)[[0, 0, 0]]
    points += np.random.default_rng(1).uniform(-30, 30, points.shape).astype(np.float32)
    points[1] *= 2

    away = np.abs(PackedPoints.pack(points)[:] - points).max()

    assert away <= 0.04, "px, in faces of 600 and 1200 px"


def test_packing_what_was_unpacked_changes_next_to_nothing():
    like = faces(1)[0]
    once = PackedPoints.pack(like + faces(2, 20))[:]

    np.testing.assert_allclose(PackedPoints.pack(once)[:], once, atol=0.01)


def test_rows_without_a_face_stay_nan_and_harm_no_other():
    points = faces(3)
    points[1] = np.nan
    packed = PackedPoints.pack(points)

    assert np.isnan(packed[1]).all()
    assert np.isfinite(packed[[0, 2]]).all()
    assert np.isnan(PackedPoints(2, ANOTHER)[:]).all()


def test_points_that_all_lie_on_one_spot_are_kept():
    points = np.full((1, 478, 3), 7.5, np.float32)

    np.testing.assert_array_equal(PackedPoints.pack(points)[:], points)


@pytest.mark.parametrize(
    "key", [2, slice(1, 4), [4, 0], (2, 13), (slice(0, 3), slice(0, 468), slice(0, 2)), (3, [1, 2])]
)
def test_it_is_indexed_as_an_array_is(key):
    packed = PackedPoints.pack(faces(5))

    np.testing.assert_array_equal(packed[key], packed[:][key])


@pytest.mark.parametrize("n_points", [1, 2, 5, 478])
def test_any_number_of_points_is_packed(n_points):
    points = faces(4)[:, :n_points]

    np.testing.assert_allclose(PackedPoints.pack(points)[:], points, atol=0.15)


def test_it_takes_three_eighths_of_the_memory_of_single_precision():
    packed = PackedPoints.pack(faces(100))
    held = sum(value.nbytes for name, value in packed.arrays().items() if name != "like")

    assert held < 0.38 * faces(100).nbytes
    assert packed.shape == (100, 478, 3)
    assert len(packed) == 100
