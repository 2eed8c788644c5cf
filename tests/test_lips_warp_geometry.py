from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.errors import ModelError
from heygemd.lips.warp import geometry
from heygemd.lips.warp.landmarks import LOWER_INNER, RIGID, UPPER_INNER

RNG = np.random.default_rng(7)
TEMPLATE = RNG.normal(0.0, 0.5, (478, 3)).astype(np.float32)
SEEDS = st.integers(0, 2**32 - 1)


def made_basis(n_coefs=4, n_moving=172):
    rng = np.random.default_rng(3)
    axes, _ = np.linalg.qr(rng.normal(size=(n_moving * 3, n_coefs)))
    return geometry.Basis(
        template=TEMPLATE,
        index=np.sort(rng.permutation(np.arange(478))[:n_moving]),
        mean=rng.normal(0, 0.01, (n_moving, 3)).astype(np.float32),
        components=axes.T.reshape(n_coefs, n_moving, 3).astype(np.float32),
        sd=np.linspace(1.0, 0.1, n_coefs).astype(np.float32),
        weights=rng.uniform(0.5, 2.0, n_moving).astype(np.float32),
        triangles=np.array([[0, 1, 2], [1, 2, 3]], np.int32),
    )


def posed(n_frames, seed=0):
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(n_frames, 3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))[:, None, None]
    return geometry.Pose(
        rng.uniform(20, 300, n_frames), rotation, rng.normal(0, 500, (n_frames, 3))
    )


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_the_pose_that_made_the_points_is_found_again(seed):
    pose = posed(3, seed)
    points = geometry.to_image(np.repeat(TEMPLATE[None], 3, 0), pose)

    found = geometry.fit_pose(points, TEMPLATE, sigma=0.0)

    np.testing.assert_allclose(found.scale, pose.scale, rtol=1e-4)
    np.testing.assert_allclose(found.rotation, pose.rotation, atol=1e-4)
    np.testing.assert_allclose(found.shift, pose.shift, atol=0.05)


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_shapes_survive_the_way_into_the_picture_and_back(seed):
    pose = posed(4, seed)
    shapes = np.random.default_rng(seed).normal(size=(4, 478, 3)).astype(np.float32)

    back = geometry.to_canonical(geometry.to_image(shapes, pose), pose)

    np.testing.assert_allclose(back, shapes, atol=2e-3)


def test_a_mirrored_face_is_never_fitted_by_a_reflection():
    points = geometry.to_image(TEMPLATE[None] * [-1.0, 1.0, 1.0], posed(1))

    assert np.linalg.det(geometry.fit_pose(points, TEMPLATE).rotation[0]) == pytest.approx(1.0)


def test_frames_without_a_face_stay_nan_and_do_not_touch_their_neighbours():
    points = geometry.to_image(np.repeat(TEMPLATE[None], 20, 0), posed(20))
    whole = geometry.fit_pose(points[:9], TEMPLATE)
    points[9] = np.nan

    pose = geometry.fit_pose(points, TEMPLATE)

    assert np.isnan(pose.scale[9])
    assert np.isnan(geometry.to_canonical(points, pose)[9]).all()
    np.testing.assert_array_equal(pose.scale[:9], whole.scale)
    assert np.isfinite(np.delete(pose.rotation, 9, axis=0)).all()


def test_a_clip_without_any_face_has_a_pose_of_nan():
    pose = geometry.fit_pose(np.full((3, 478, 3), np.nan, np.float32), TEMPLATE)

    assert np.isnan(pose.scale).all()
    assert np.isnan(pose.rotation).all()


def test_a_head_that_is_shaken_is_where_its_points_are():
    shift = np.zeros((9, 3))
    shift[[2, 6], 0] = 10.0, 0.1
    upright = np.repeat(np.eye(3)[None], 9, 0)
    shaken = geometry.Pose(np.full(9, 100.0), upright, shift)

    found = geometry.fit_pose(geometry.to_image(np.repeat(TEMPLATE[None], 9, 0), shaken), TEMPLATE)

    assert found.shift[2, 0] == pytest.approx(10.0, abs=0.1)
    assert found.shift[6, 0] < 0.08


def test_smoothing_never_crosses_a_cut():
    values = np.repeat([0.0, 1.0], 10)[:, None]
    within = geometry.stretches(np.ones(20, np.bool_), cuts=[10])

    np.testing.assert_allclose(geometry.smooth(values, 2.0, within), values)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.booleans(), max_size=30), st.lists(st.integers(0, 40), max_size=4))
def test_stretches_hold_every_frame_with_a_face_once(present, cuts):
    found = geometry.stretches(np.array(present, np.bool_), cuts)

    covered = [frame for first, stop in found for frame in range(first, stop)]
    assert covered == [frame for frame, seen in enumerate(present) if seen]
    assert not any(first < cut < stop for first, stop in found for cut in cuts)


def test_steady_points_keep_a_parabola_and_lose_noise():
    time = np.arange(40, dtype=np.float32)
    parabola = np.broadcast_to((0.1 * time**2)[:, None, None], (40, 478, 3)).astype(np.float32)
    noise = RNG.normal(0, 1, parabola.shape).astype(np.float32)

    np.testing.assert_allclose(geometry.steady(parabola)[2:-2], parabola[2:-2], rtol=1e-4)
    assert np.std(geometry.steady(noise)) < 0.75 * np.std(noise)


def shape_with_gap(gap):
    shape = TEMPLATE.copy()
    up, low = list(UPPER_INNER[1:-1]), list(LOWER_INNER[1:-1])
    shape[low, 1] = shape[up, 1] + gap
    return shape


def test_aperture_is_the_gap_between_the_inner_lips():
    assert geometry.aperture(shape_with_gap(0.25)) == pytest.approx(0.25, abs=1e-6)


@pytest.mark.parametrize("gap", [0.2, 0.01, -0.05])
def test_closed_lips_meet_exactly(gap):
    closed = geometry.close_lips(shape_with_gap(gap))

    assert geometry.aperture(closed) == pytest.approx(0.0, abs=1e-6)


def test_the_face_at_rest_comes_from_the_most_closed_frames():
    shapes = np.stack([shape_with_gap(gap) for gap in np.linspace(0.0, 0.5, 41)])
    shapes[3] = np.nan

    assert geometry.aperture(geometry.neutral(shapes, 0.1)) < 0.05


def test_a_clip_without_a_face_has_no_face_at_rest():
    with pytest.raises(ValueError, match="no frame"):
        geometry.neutral(np.full((2, 478, 3), np.nan, np.float32))


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_coefs_come_back_from_the_shapes_they_make(seed):
    basis = made_basis()
    whitened = np.random.default_rng(seed).normal(size=(5, 4)).astype(np.float32)
    rest = TEMPLATE
    shapes = np.repeat(rest[None], 5, 0)
    shapes[:, basis.index] += geometry.mouth_scale(rest) * geometry.displacement(whitened, basis)

    np.testing.assert_allclose(geometry.coefs(shapes, rest, basis), whitened, atol=2e-3)


def test_coef_aperture_is_the_aperture_of_the_shape_on_a_closed_face():
    inner = [*UPPER_INNER, *LOWER_INNER[1:-1]]
    others = [i for i in range(478) if i not in inner][: 172 - len(inner)]
    basis = replace(made_basis(), index=np.array(sorted(inner + others)))
    rest = shape_with_gap(0.0)
    rest *= geometry.MOUTH_WIDTH / geometry.width(rest)
    whitened = RNG.normal(size=(6, 4)).astype(np.float32)
    shapes = np.repeat(rest[None], 6, 0)
    shapes[:, basis.index] += geometry.displacement(whitened, basis)

    np.testing.assert_allclose(
        geometry.coef_aperture(whitened, basis), geometry.aperture(shapes), atol=1e-5
    )


def test_a_basis_is_the_same_after_the_disk(tmp_path):
    basis = made_basis()
    geometry.save_basis(basis, tmp_path / "face.safetensors")

    again = geometry.load_basis(tmp_path / "face.safetensors")

    for name in geometry.Basis.__slots__:
        np.testing.assert_array_equal(getattr(again, name), getattr(basis, name))


@pytest.mark.parametrize("content", [None, b"", b"not tensors"])
def test_a_file_that_is_no_basis_is_refused_by_name(tmp_path, content):
    path = tmp_path / "face.safetensors"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ModelError, match=r"face\.safetensors"):
        geometry.load_basis(path)


def test_a_basis_whose_parts_do_not_fit_is_refused():
    with pytest.raises(ValueError, match="weights"):
        replace(made_basis(), weights=np.ones(3, np.float32))


@pytest.mark.parametrize("angle_deg", [-50.0, 0.0, 30.0])
def test_yaw_is_the_turn_of_the_head_to_either_side(angle_deg):
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    turn = np.array([[[c, 0, s], [0, 1, 0], [-s, 0, c]]])
    pose = geometry.Pose(np.ones(1), turn, np.zeros((1, 3)))

    assert geometry.yaw_deg(pose)[0] == pytest.approx(abs(angle_deg))


def test_the_rigid_points_are_23_distinct_ones():
    assert len(set(RIGID)) == len(RIGID) == 23
