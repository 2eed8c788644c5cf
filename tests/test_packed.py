import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.packed import BLOCK_ROWS, PackedPoints


def talking(n_rows, size_px=600.0, seed=0, speed=0.01):
    """A face that moves as a whole, and whose points move besides by so much of its size."""
    rng = np.random.default_rng(seed)
    face = rng.random((478, 3)) * size_px
    away = np.cumsum(rng.normal(0, 0.02 * size_px, (n_rows, 1, 3)), axis=0)
    stir = np.cumsum(rng.uniform(-speed, speed, (n_rows, 478, 3)) * size_px, axis=0)
    return (face + away + stir + [900, 400, -50]).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(
    n_rows=st.integers(1, 2 * BLOCK_ROWS + 3),
    size_px=st.floats(1, 4000),
    seed=st.integers(0, 99),
    speed=st.floats(0, 0.05),
)
def test_points_come_back_within_half_a_step_of_what_they_moved_and_errors_do_not_add_up(
    n_rows, size_px, seed, speed
):
    points = talking(n_rows, size_px, seed, speed)

    away = np.abs(PackedPoints.pack(points)[:] - points).max()

    # A row's error lengthens the way to the next by itself: twice the way is ample.
    assert away <= 2 * (speed * size_px) / 127 + 1e-3 + size_px * 1e-5


def test_a_face_that_stays_is_kept_exactly():
    points = talking(1)[[0] * 100]

    np.testing.assert_array_equal(PackedPoints.pack(points)[:], points)


def test_packing_what_was_unpacked_changes_next_to_nothing():
    once = PackedPoints.pack(talking(100, 20))[:]

    np.testing.assert_allclose(PackedPoints.pack(once)[:], once, atol=0.01)


def test_rows_without_a_face_stay_nan_and_harm_no_other():
    points = talking(2 * BLOCK_ROWS)
    points[[0, 5, 6, BLOCK_ROWS]] = np.nan
    unpacked = PackedPoints.pack(points)[:]

    seen = np.isfinite(points[:, 0, 0])
    assert np.isnan(unpacked[~seen]).all()
    np.testing.assert_allclose(unpacked[seen], points[seen], atol=0.2)
    assert np.isnan(PackedPoints(2, 478)[:]).all()


def test_rows_are_appended_as_they_come():
    points = talking(150)
    packed = PackedPoints(150, 478)
    for some in (slice(0, 10), slice(10, 100), slice(100, 150)):
        packed.append(points[some])
        assert np.isfinite(packed[some]).all()

    np.testing.assert_array_equal(packed[:], PackedPoints.pack(points)[:])
    with pytest.raises(IndexError):
        packed.append(points[:1])


@pytest.mark.parametrize(
    "key",
    [2, -1, slice(1, 4), [4, 70, 0], slice(60, 70), (2, 13), (3, [1, 2]), slice(90, 50, -7),
     (slice(0, 3), slice(0, 468), slice(0, 2))],
)  # fmt: skip
def test_it_is_indexed_as_an_array_is(key):
    packed = PackedPoints.pack(talking(100))

    np.testing.assert_array_equal(packed[key], packed[:][key])


def test_what_is_given_out_may_be_changed():
    packed = PackedPoints.pack(talking(3))
    before = packed[1]
    packed[1][:] = 0
    packed[0:2][:] = 0

    np.testing.assert_array_equal(packed[1], before)


def test_a_row_outside_is_an_error():
    with pytest.raises(IndexError):
        PackedPoints.pack(talking(3))[3]


@pytest.mark.parametrize("n_points", [1, 2, 5, 478])
def test_any_number_of_points_is_packed(n_points):
    points = talking(4)[:, :n_points]

    np.testing.assert_allclose(PackedPoints.pack(points)[:], points, atol=0.15)


def test_what_is_stored_comes_back_as_it_was():
    packed = PackedPoints.pack(talking(100))

    np.testing.assert_array_equal(PackedPoints.of_arrays(packed.arrays())[:], packed[:])
    with pytest.raises(ValueError, match="moved"):
        PackedPoints.of_arrays({**packed.arrays(), "moved": np.zeros((2, 3), np.float32)})


def test_it_takes_little_more_than_a_quarter_of_the_memory_of_single_precision():
    packed = PackedPoints.pack(talking(640))
    held = sum(value.nbytes for value in packed.arrays().values())

    assert held < 0.27 * talking(640).nbytes
    assert packed.shape == (640, 478, 3)
    assert len(packed) == 640


def test_of_few_points_those_that_are_kept_stay_the_same_and_all_others_are_0():
    packed = PackedPoints.pack(talking(100))
    kept = np.array([0, 7, 300])
    rows = np.array([70, 2, 2])

    few = packed.only(kept)

    np.testing.assert_array_equal(few[rows][:, kept], packed[rows][:, kept])
    assert few[10:20].shape == (10, 478, 3)
    assert np.count_nonzero(few[:].any(axis=(0, 2))) == 3
    assert sum(held.nbytes for held in few.few.arrays().values()) < 30_000


def test_few_points_of_a_row_without_a_face_are_nan():
    points = talking(3)
    points[1] = np.nan

    assert np.isnan(PackedPoints.pack(points).only(np.array([4]))[:][:, 4, 0]).tolist() == [0, 1, 0]
