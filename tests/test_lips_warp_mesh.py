import numpy as np
import pytest
from drawn_talker import BASIS, pose, shapes
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.lips.warp import geometry, masks, mesh, triangles
from heygemd.lips.warp.landmarks import OUTER
from heygemd.opencv import cv2

MESH = mesh.build_mesh(BASIS)
FACE = geometry.to_image(shapes([0.15]), pose(1))[0, :468, :2]
ANCHORS = mesh.anchor_points(FACE, MESH)
WHOLE = np.concatenate([FACE, ANCHORS])


def rows(upper, lower):
    """(2, 9) shares of the gap that teeth fill, the same on each way across."""
    return np.repeat(np.array([[upper], [lower]], np.float32), 9, axis=1)


def grid_over(points, step):
    return mesh.around(points, (2000, 2000), step)


def test_eyes_nose_and_brow_never_move():
    assert MESH.freedom[[33, 133, 263, 362, 1, 4, 98, 327, 10, 151]].max() == 0.0


def test_lips_and_chin_move_freely():
    assert MESH.freedom[[13, 14, 17, 0, 61, 291, 152]].min() > 0.99


def test_anchors_stand_outside_the_face():
    nose = FACE[[1, 4]].mean(axis=0)

    assert (
        np.linalg.norm(ANCHORS - nose, axis=1) > np.linalg.norm(FACE[MESH.ring] - nose, axis=1)
    ).all()


@pytest.mark.parametrize("step", [1.0, 2.5])
def test_moving_triangles_cover_lips_and_chin_without_a_hole(step):
    grid = grid_over(WHOLE[np.unique(MESH.skin)], step)
    ids = mesh.triangle_ids(WHOLE, MESH.skin, grid)
    lower_face = grid.to_cells(FACE[[61, 291, 17, 0, 152, 199, 164]]).round().astype(int)

    assert (ids[lower_face[:, 1], lower_face[:, 0]] > 0).all()
    grown = triangles.spread(ids, 1)
    inner = grid.to_cells(FACE[[61, 146, 17, 375, 291, 0]]).round().astype(int)
    assert (
        grown[inner[:, 1].min() : inner[:, 1].max(), inner[:, 0].min() : inner[:, 0].max()] > 0
    ).mean() > 0.8


def test_with_the_lips_as_one_area_skin_moves_as_before_and_the_area_has_no_hole():
    moved = WHOLE + np.float32([[3, 2]]) * np.concatenate(
        [MESH.freedom, np.zeros((len(ANCHORS), 1), np.float32)]
    )
    grid = grid_over(WHOLE[np.unique(MESH.skin)], 1.0)
    full, bare = (
        mesh.offsets(mesh.triangle_ids(WHOLE, which, grid), which, WHOLE, moved, grid)
        for which in (MESH.skin, MESH.bare)
    )
    lips = masks.polygon(grid.to_cells(WHOLE[list(OUTER)]), grid.shape) > 0
    skin_only = ~cv2.dilate(lips.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)

    assert len(MESH.bare) < len(MESH.skin) - 90
    assert np.array_equal(full[skin_only], bare[skin_only])
    assert (mesh.triangle_ids(WHOLE, MESH.bare, grid)[lips] > 0).mean() > 0.99


def test_a_mesh_that_stays_comes_from_where_it_is():
    grid = grid_over(WHOLE[np.unique(MESH.skin)], 2.0)
    ids = mesh.triangle_ids(WHOLE, MESH.skin, grid)

    assert np.abs(mesh.offsets(ids, MESH.skin, WHOLE, WHOLE, grid)).max() == 0.0


@settings(deadline=None, max_examples=25)
@given(st.floats(-20, 20), st.floats(-20, 20), st.floats(0.8, 1.25))
def test_offsets_undo_an_affine_motion_exactly_inside_the_mesh(dx, dy, scale):
    source = (WHOLE * scale + np.array([dx, dy])).astype(np.float32)
    grid = grid_over(WHOLE[np.unique(MESH.mouth)], 1.0)
    ids = mesh.triangle_ids(WHOLE, MESH.mouth, grid)
    offset = mesh.offsets(ids, MESH.mouth, WHOLE, source, grid)
    rows, columns = np.nonzero(ids)
    place = np.stack([columns + grid.x_px, rows + grid.y_px], axis=1)

    np.testing.assert_allclose(
        place + offset[rows, columns], place * scale + np.array([dx, dy]), atol=0.05
    )


@pytest.mark.parametrize("step", [1.0, 3.0])
def test_a_map_without_offset_leaves_every_pixel_alone(step):
    grid = mesh.around(np.array([[10.0, 20.0], [57.0, 81.0]]), (200, 200), step)
    x, y, far = mesh.backward_map(np.zeros((*grid.shape, 2), np.float32), grid)

    assert x.shape == y.shape == (grid.height_px, grid.width_px)
    assert not far.any()
    assert (x[0] == np.arange(grid.x_px, grid.x_px + grid.width_px)).all()
    assert (y[:, 0] == np.arange(grid.y_px, grid.y_px + grid.height_px)).all()


@settings(deadline=None, max_examples=25)
@given(
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    st.tuples(st.floats(0, 300), st.floats(0, 300)),
)
def test_a_rectangle_never_leaves_the_frame(corner, size):
    points = np.array([corner, np.add(corner, size)])

    grid = mesh.around(points, (120, 160), 1.0, pad_px=3)

    if grid is not None:
        assert grid.x_px >= 0
        assert grid.y_px >= 0
        assert grid.x_px + grid.width_px <= 160
        assert grid.y_px + grid.height_px <= 120
        assert min(grid.width_px, grid.height_px) >= mesh.MIN_EDGE_PX


def test_a_mouth_outside_the_frame_has_no_rectangle():
    assert mesh.around(FACE + 5000, (300, 300), 1.0) is None


def test_teeth_keep_their_length_whatever_the_gap():
    wide = geometry.to_image(shapes([0.3]), pose(1))[0, :468, :2]
    reach = mesh.Gape(wide, FACE, 70.0, 35.0, *rows(0.5, 0.35)).reach

    np.testing.assert_allclose(reach[0], 2.0 * reach[1], rtol=1e-5)
    assert (reach[0] <= 70.0 * mesh.TEETH + 1e-3).all()


def test_without_upper_teeth_the_dark_is_stretched_and_not_the_edge_of_the_lower_ones():
    wide, own = (
        geometry.to_image(shapes([aperture]), pose(1))[0, :468, :2] for aperture in (0.2, 0.1)
    )
    gape = mesh.Gape(wide, own, 70.0, 70.0, *rows(0.0, 0.6))

    target, key = gape.reach / 70.0

    np.testing.assert_allclose(target, key, rtol=1e-5)
    np.testing.assert_allclose(key, np.outer((0.2, 0.6), gape.heights[1]), rtol=1e-4)


def test_teeth_that_fill_a_gap_are_drawn_a_little_longer_with_it():
    own, wider, far_wider = (
        geometry.to_image(shapes([aperture]), pose(1))[0, :468, :2]
        for aperture in (0.10, 0.108, 0.2)
    )

    def longer(target, teeth):
        seen, shown = mesh.Gape(target, own, 70.0, 70.0, *rows(teeth, 0.03)).reach
        return seen[0, 4] / shown[0, 4], seen[1, 4] / shown[1, 4]

    assert longer(wider, 0.92) == pytest.approx((1.08, 1.0), abs=0.02)
    assert longer(far_wider, 0.92) == pytest.approx((mesh.LONGER, 1.0), abs=1e-3)
    assert longer(far_wider, 0.5) == pytest.approx((1.0, 1.0), abs=1e-3)
    assert longer(own, 0.92) == pytest.approx((1.0, 1.0), abs=1e-3)


def test_triangles_of_the_mouth_lie_above_the_gap_first():
    above, below = MESH.mouth[: MESH.n_upper], MESH.mouth[MESH.n_upper :]

    assert np.isin(mesh.UPPER[1:-1], above).all()
    assert np.isin(mesh.LOWER_INNER[1:-1], below).all()
    assert not np.isin(mesh.LOWER_INNER[1:-1], above).any()
    assert not np.isin(mesh.UPPER[1:-1], below).any()


def test_rows_of_teeth_lie_between_the_lips():
    reach = mesh.Gape(FACE, FACE, 70.0, 70.0, *rows(0.5, 0.35)).reach[0]
    every = mesh.with_teeth(FACE, ANCHORS, reach)
    upper, lower = every[-18:-9], every[-9:]

    assert len(every) == MESH.inside.max() + 1
    assert (upper[:, 1] <= lower[:, 1] + 1e-3).all()
    assert (upper[:, 1] >= FACE[list(mesh.UPPER[1:-1]), 1] - 1e-3).all()
