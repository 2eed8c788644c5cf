import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.lips.warp import triangles
from heygemd.opencv import cv2

ROWS, COLUMNS = 30, 40


def random_corners(seed, n_triangles=60):
    draw = np.random.default_rng(seed)
    middles = draw.uniform(-6, [COLUMNS + 6, ROWS + 6], (n_triangles, 1, 2))
    sizes = draw.choice([0.4, 3.0, 15.0], (n_triangles, 1, 1))
    return (middles + sizes * draw.uniform(-1, 1, (n_triangles, 3, 2))).astype(np.float32)


def meshed(corners):
    """The points and the triangles of (M, 3, 2) corners."""
    points = np.ascontiguousarray(corners, np.float32).reshape(-1, 2)
    return points, np.arange(len(points), dtype=np.int32).reshape(-1, 3)


def depth(corners):
    """(rows, columns) how deep each cell lies in one triangle; below 0 outside, 0 on its rim."""
    corners = corners.astype(np.float64)
    y, x = np.mgrid[:ROWS, :COLUMNS].astype(np.float64)
    sides = np.roll(corners, -1, axis=0) - corners
    turn = np.sign(sides[0, 0] * sides[1, 1] - sides[0, 1] * sides[1, 0])
    low, high = corners.min(axis=0), corners.max(axis=0)
    found = [x - low[0] + 0.5, high[0] + 0.5 - x, y - low[1] + 0.5, high[1] + 0.5 - y]
    for (from_x, from_y), (dx, dy) in zip(corners, sides, strict=True):
        inside = turn * (dx * (y - from_y) - dy * (x - from_x))
        found.append(inside / max(abs(dx), abs(dy)) + 0.5)
    return np.min(found, axis=0)


def altitude(corners):
    sides = np.roll(corners, -1, axis=0) - corners
    area = abs(sides[0, 0] * sides[1, 1] - sides[0, 1] * sides[1, 0])
    return area / np.linalg.norm(sides, axis=1).max()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31))
def test_triangles_cover_what_lies_in_them_or_half_a_cell_beyond_the_later_ones_on_top(seed):
    corners = random_corners(seed)
    wanted, is_sure = np.zeros((ROWS, COLUMNS), np.int32), np.ones((ROWS, COLUMNS), np.bool_)
    for number, corner in enumerate(corners, 1):
        if altitude(corner.astype(np.float64)) <= 0.8:
            continue
        deep = depth(corner)
        wanted[deep >= 0] = number
        is_sure = np.where(deep > 1e-4, True, is_sure) & (np.abs(deep) > 1e-4)

    ids = triangles.fill(*meshed(corners), ROWS, COLUMNS, 0.8)

    np.testing.assert_array_equal(ids[is_sure], wanted[is_sure])
    assert is_sure.mean() > 0.99


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.7]))
def test_neighbours_leave_no_crack_though_flat_ones_are_left_out(seed, least):
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[-3 : ROWS + 3 : 4, -3 : COLUMNS + 3 : 4].astype(np.float32)
    x = x + draw.uniform(-1.6, 1.6, x.shape).astype(np.float32)
    y = y + draw.uniform(-1.6, 1.6, x.shape).astype(np.float32)
    points = np.stack([x, y], axis=-1)
    upper = np.stack([points[:-1, :-1], points[:-1, 1:], points[1:, :-1]], axis=2)
    lower = np.stack([points[:-1, 1:], points[1:, :-1], points[1:, 1:]], axis=2)
    corners = np.concatenate([upper.reshape(-1, 3, 2), lower.reshape(-1, 3, 2)])

    ids = triangles.fill(*meshed(corners), ROWS, COLUMNS, least)

    assert (ids[2:-2, 2:-2] > 0).all()


def test_a_triangle_without_an_area_covers_nothing():
    line = np.array([[[2, 3], [10, 11], [20, 21]]], np.float32)

    assert not triangles.fill(*meshed(line), ROWS, COLUMNS, 0.0).any()


def test_ids_grow_over_cracks_and_the_rim_and_the_highest_neighbour_wins():
    ids = np.zeros((5, 9), np.int32)
    ids[2, 2], ids[2, 4] = 3, 5

    grown = triangles.spread(ids, 1)

    assert grown[1].tolist() == [0, 3, 3, 5, 5, 5, 0, 0, 0]
    assert grown[2].tolist() == [0, 3, 3, 5, 5, 5, 0, 0, 0]
    assert not grown[0].any()
    assert triangles.spread(ids, 2)[0].tolist() == [3, 3, 5, 5, 5, 5, 5, 0, 0]
    assert ids.sum() == 8


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31))
def test_a_linear_function_given_at_the_corners_is_found_at_every_cell(seed):
    corners = random_corners(seed)
    draw = np.random.default_rng(seed)
    by_place, at_zero = draw.normal(size=(2, 2)), draw.normal(size=2)
    ids = triangles.fill(*meshed(corners), ROWS, COLUMNS, 0.8)

    found = triangles.linear(ids, *meshed(corners), meshed(corners @ by_place + at_zero)[0])

    y, x = np.mgrid[:ROWS, :COLUMNS]
    wanted = np.stack([x, y], axis=-1) @ by_place + at_zero
    np.testing.assert_allclose(found[ids > 0], wanted[ids > 0], atol=2e-3)
    assert not found[ids == 0].any()


@pytest.mark.parametrize("seed", range(3))
def test_the_same_triangles_give_the_same_bytes(seed):
    corners = random_corners(seed)
    moved = meshed(corners[::-1])[0]
    ids = triangles.fill(*meshed(corners), ROWS, COLUMNS, 0.8)
    found = triangles.linear(ids, *meshed(corners), moved)

    assert triangles.fill(*meshed(corners), ROWS, COLUMNS, 0.8).tobytes() == ids.tobytes()
    assert triangles.linear(ids.copy(), *meshed(corners), moved).tobytes() == found.tobytes()


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(4, 30), st.integers(4, 30))
def test_a_map_is_stretched_as_pictures_are(rows, columns, height, width):
    offset = np.random.default_rng(rows).normal(size=(rows, columns, 2)).astype(np.float32)

    x, y, far = triangles.stretch(offset, height, width, 7, 90)

    wanted = cv2.resize(offset, (width, height), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(x, wanted[..., 0] + np.arange(7, 7 + width), atol=1e-4)
    np.testing.assert_allclose(y.T, wanted[..., 1].T + np.arange(90, 90 + height), atol=1e-4)
    np.testing.assert_allclose(far, np.abs(wanted).max(axis=2), atol=1e-5)
