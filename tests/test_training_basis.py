"""The average face and its ways to move."""

import numpy as np
import pytest

from heygemd.lips.warp import geometry
from heygemd.lips.warp.landmarks import EYES
from training import basis as bases


@pytest.fixture(scope="module")
def face():
    """A symmetric cloud that stands upright, its marked points where a face has them."""
    rng = np.random.default_rng(0)
    half = rng.uniform([0.05, -1, -0.5], [1, 2, 0.5], (239, 3))
    cloud = np.concatenate([half, half * [-1, 1, 1]]).astype(np.float32)
    for eye, x in zip(EYES, (-0.5, 0.5), strict=True):
        for point, side in zip(eye, (-0.1, 0.1), strict=True):
            cloud[point] = [x + side, 0.0, 0.0]
    cloud[10], cloud[152] = [0, -1, 0], [0, 2, 0]
    return cloud


def turned(face, *, scale, angle, shift):
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    return (scale * face @ turn.T + shift).astype(np.float32)


def test_an_upright_face_has_level_eyes_at_distance_one(face):
    tilted = turned(face, scale=120.0, angle=0.3, shift=[300, 200, 10])

    upright = bases.upright(tilted)

    left, right = (upright[list(eye)].mean(axis=0) for eye in EYES)
    assert np.allclose(right - left, [1, 0, 0], atol=1e-4)


def test_the_template_does_not_care_where_and_how_large_faces_stand(face):
    first = bases.template([face, face])
    second = bases.template(
        [
            turned(face, scale=80.0, angle=0.2, shift=[10, 20, 0]),
            turned(face, scale=33.0, angle=-0.4, shift=[-400, 5, 7]),
        ]
    )

    assert np.allclose(first, second, atol=1e-3)


def test_the_template_is_symmetric(face):
    rng = np.random.default_rng(1)
    crooked = face + rng.normal(0, 0.003, face.shape).astype(np.float32)

    mean = bases.template([crooked])
    mirror = bases.mirror_pairs(mean)

    assert np.allclose(mean[mirror] * [-1, 1, 1], mean, atol=1e-5)
    assert (mirror[mirror] == np.arange(478)).all()


def test_axes_give_back_the_moves_they_were_learned_from(face):
    index = bases.moving_points(face)
    rng = np.random.default_rng(2)
    axes = rng.normal(0, 0.1, (3, len(index), 3))
    coefs = rng.normal(0, 1, (200, 3))
    moves = np.einsum("tk,kli->tli", coefs, axes).astype(np.float32)

    basis, explained = bases.fit(face, [moves], n_coefs=3)

    assert explained[-1] == pytest.approx(1.0, abs=1e-6)
    shapes = np.tile(face, (200, 1, 1))
    shapes[:, index] += moves * np.float32(geometry.mouth_scale(face))
    found = geometry.displacement(geometry.coefs(shapes, face, basis), basis)
    assert np.allclose(found, moves, atol=1e-3)


def test_coefs_of_a_mouth_at_rest_are_zero(face):
    index = bases.moving_points(face)
    moves = np.random.default_rng(3).normal(0.05, 0.1, (50, len(index), 3)).astype(np.float32)

    basis, _ = bases.fit(face, [moves], n_coefs=5)

    assert np.allclose(geometry.coefs(face[None], face, basis), 0.0, atol=1e-5)


def test_whitened_coefs_spread_by_one(face):
    index = bases.moving_points(face)
    rng = np.random.default_rng(4)
    moves = np.einsum(
        "tk,kli->tli", rng.normal(0, 1, (400, 2)), rng.normal(0, 0.1, (2, len(index), 3))
    ).astype(np.float32)
    basis, _ = bases.fit(face, [moves], n_coefs=2)
    shapes = np.tile(face, (400, 1, 1))
    shapes[:, index] += moves * np.float32(geometry.mouth_scale(face))

    found = geometry.coefs(shapes, face, basis)

    assert np.allclose(np.sqrt((found**2).mean(axis=0)), 1.0, atol=0.01)


def test_every_triangle_has_three_points_of_the_mesh():
    triangles = bases.face_triangles()

    assert triangles.shape[1] == 3
    assert triangles.min() >= 0
    assert triangles.max() < 468
    assert len(triangles) > 800
