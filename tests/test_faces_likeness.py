"""Two faces are told apart by their meshes' colours, under other light and at other sizes."""

import cv2
import numpy as np
import pytest
import real_clips

from heygemd.faces.likeness import ALIKE, LOOK_POINTS, likeness, look_at


def mesh(size_px=120.0, x=150.0, y=140.0, turn=0.0):
    """(478, 3): points spread evenly over a disc, turned by ``turn`` radians."""
    n = np.arange(478)
    radius, angle = np.sqrt((n + 0.5) / 478) * size_px, n * 2.399963 + turn
    points = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle), 0 * n], axis=1)
    points[468, :2] = x - size_px / 2 * np.cos(turn), y - size_px / 2 * np.sin(turn)
    points[473, :2] = x + size_px / 2 * np.cos(turn), y + size_px / 2 * np.sin(turn)
    return points.astype(np.float32)


def person(seed):
    """(280, 300, 3) uint8: blotches that no other seed has."""
    small = np.random.default_rng(seed).integers(60, 200, (9, 10, 3), dtype=np.uint8)
    return cv2.resize(small, (300, 280), interpolation=cv2.INTER_CUBIC)


def test_a_face_is_like_itself_and_unlike_others():
    looks = [look_at(person(seed), mesh()) for seed in range(6)]
    assert likeness(looks[0], looks[0]) == pytest.approx(1, abs=1e-5)
    assert max(likeness(looks[0], other) for other in looks[1:]) < 0.4


def test_exposure_white_balance_and_light_from_one_side_do_not_matter():
    picture = person(1)
    light = np.linspace(0.6, 1.3, 300)[None, :, None] * (0.9, 1.0, 1.15)
    lit = np.clip((picture / 255) ** 1.2 * light * 255, 0, 255).astype(np.uint8)
    assert likeness(look_at(picture, mesh()), look_at(lit, mesh())) > 0.95


@pytest.mark.parametrize("scale", [0.3, 0.6, 2.5])
def test_size_does_not_matter(scale):
    picture = person(2)
    other = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert likeness(look_at(picture, mesh()), look_at(other, mesh() * np.float32(scale))) > 0.95


def test_a_tilted_head_is_the_same_head():
    picture = person(3)
    spin = cv2.getRotationMatrix2D((150, 140), -25, 1.0)
    tilted = cv2.warpAffine(picture, spin, (300, 280), borderMode=cv2.BORDER_REFLECT)
    points = mesh(size_px=80)
    turned = points.copy()
    turned[:, :2] = points[:, :2] @ spin[:, :2].T + spin[:, 2]
    assert likeness(look_at(picture, points), look_at(tilted, turned)) > 0.9


@pytest.mark.parametrize("x", [-500.0, -60.0, 310.0, 900.0])
def test_a_mesh_that_leaves_the_picture_still_has_a_look(x):
    look = look_at(person(4), mesh(x=x))
    assert np.isfinite(look).all()


def test_a_grey_wall_is_like_nobody():
    wall = look_at(np.full((280, 300, 3), 90, np.uint8), mesh())
    assert likeness(wall, look_at(person(5), mesh())) < ALIKE


def test_a_look_is_of_length_one():
    look = look_at(person(6), mesh())
    assert look.shape == (3 * len(LOOK_POINTS),)
    assert np.linalg.norm(look) == pytest.approx(1, abs=1e-5)


@pytest.mark.timeout(120)
def test_two_people_of_a_real_interview_are_told_apart():
    frames = real_clips.frames_of("two_faces_interview.mp4", 6, every=70)
    faces_mesh = pytest.importorskip("heygemd.faces.mesh")
    detector = faces_mesh.FaceMesh(1)
    pairs = []
    for frame in frames:
        (seen,) = detector.detect(frame[None])
        order = np.argsort(seen.boxes[:, 0])
        pairs.append([look_at(frame, seen.points[which]) for which in order])
    detector.close()
    for pair in pairs[1:]:
        for reference, same, other in ((0, pair[0], pair[1]), (1, pair[1], pair[0])):
            assert likeness(pairs[0][reference], same) > likeness(pairs[0][reference], other)
