"""The soft way back into the frame: where it may reach, and in whose colours."""

import cv2
import numpy as np
import pytest

from heygemd.lips.wav2lip import blend
from heygemd.lips.wav2lip.poses import Pose
from heygemd.nets.wav2lip import FIRST_SHOWN

UPRIGHT = Pose((160.0, 120.0), (100.0, 140.0), 0.0)
LEANING = Pose((160.0, 120.0), (100.0, 140.0), np.radians(20))


def oval(pose, scale=1.0):
    """Points of a face that fills the pose's box up to the room under the chin."""
    around = np.linspace(0, 2 * np.pi, 478)
    points = np.column_stack((46 * np.cos(around), 45 * np.sin(around) - 3)) * scale + 47.5
    back = np.linalg.inv(np.vstack((pose.to_crop(), [0, 0, 1])))[:2]
    return (points @ back[:, :2].T + back[:, 2] + 0.5).astype(np.float32)


def with_points(pose, scale=1.0):
    return Pose(pose.centre_px, pose.size_px, pose.angle_rad, oval(pose, scale))


@pytest.fixture
def frame():
    noise = np.random.default_rng(4).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 6)


ALL = [UPRIGHT, LEANING, with_points(UPRIGHT), with_points(LEANING)]


@pytest.mark.parametrize("pose", ALL)
def test_the_mask_covers_the_mouth_and_spares_eyes_and_border(pose):
    alpha = blend.mask(pose)

    assert alpha[66:82, 34:62].min() > 0.95, "the mouth"
    assert (alpha[: FIRST_SHOWN + 2] == 0).all(), "eyes and nose; two rows more for a cubic"
    assert max(alpha[-1].max(), alpha[:, 0].max(), alpha[:, -1].max()) < 0.02
    assert 0 <= alpha.min() <= alpha.max() <= 1


@pytest.mark.parametrize("pose", ALL)
def test_the_mask_has_no_hard_edge(pose):
    alpha = blend.mask(pose)

    assert np.abs(np.diff(alpha, axis=0)).max() < 0.3
    assert np.abs(np.diff(alpha, axis=1)).max() < 0.3


def test_points_keep_the_mask_off_what_is_beside_the_face():
    narrow = blend.mask(with_points(UPRIGHT, scale=0.7))
    anybody = blend.mask(UPRIGHT)

    assert narrow[60:75, 4:10].max() < 0.2 * anybody[60:75, 4:10].max()
    assert (narrow <= anybody + 1e-6).all()


def test_a_crop_of_a_leaning_face_is_upright(frame):
    leaning = cv2.getRotationMatrix2D((159.5, 119.5), -20, 1)
    turned = cv2.warpAffine(frame, leaning, (320, 240), borderMode=cv2.BORDER_REPLICATE)

    difference = blend.crop(turned, LEANING).astype(int) - blend.crop(frame, UPRIGHT)
    assert np.abs(difference).mean() < 1.5


def test_a_crop_reaching_outside_the_frame_repeats_its_edge(frame):
    outside = Pose((0.0, 120.0), (100.0, 140.0), 0.0)
    face = blend.crop(frame, outside)

    np.testing.assert_array_equal(face[:, 5], face[:, 40])


def test_a_large_face_is_shrunk_without_skipping_pixels():
    checks = (np.indices((400, 400)).sum(0) % 2 * 255).astype(np.uint8)
    frame = np.repeat(checks[..., None], 3, axis=2)
    face = blend.crop(frame, Pose((200.0, 200.0), (384.0, 384.0), 0.0))

    assert np.abs(face.astype(int) - 127).max() <= 2


@pytest.mark.parametrize("pose", ALL)
def test_what_was_cut_out_fits_back_in(frame, pose):
    face = blend.crop(frame, pose)
    patch = blend.patch(face.astype(np.float32) / 255, face, pose, 320, 240)
    height, width = patch.alpha.shape
    area = frame[patch.y_px : patch.y_px + height, patch.x_px : patch.x_px + width]
    moved = np.abs(patch.pixels.astype(int) - area)[patch.alpha > 0.01]

    assert moved.mean() < 0.8
    assert moved.max() <= 6


@pytest.mark.parametrize(
    "centre", [(0, 120), (320, 120), (160, 230), (160, 0), (-20, 250), (330, 10)]
)
def test_a_patch_stays_inside_the_frame(frame, centre):
    pose = Pose(centre, (100.0, 140.0), 0.3)
    face = blend.crop(frame, pose)
    patch = blend.patch(face.astype(np.float32) / 255, face, pose, 320, 240)

    assert patch.x_px >= 0
    assert patch.y_px >= 0
    assert patch.x_px + patch.alpha.shape[1] <= 320
    assert patch.y_px + patch.alpha.shape[0] <= 240


def test_a_mouth_outside_the_frame_needs_no_patch(frame):
    pose = Pose((160.0, 300.0), (100.0, 140.0), 0.0)
    face = blend.crop(frame, pose)

    assert blend.patch(face.astype(np.float32) / 255, face, pose, 320, 240) is None


def test_another_light_on_the_whole_face_is_taken_away():
    source = np.full((96, 96, 3), 120, np.float32)
    alpha = blend.mask(UPRIGHT)
    matched = blend.match_colour(source - [10, 0, -8], source, alpha)

    assert np.abs(matched - source)[alpha > 0.01].max() < 0.5


def test_light_that_changes_across_the_face_is_followed():
    source = np.full((96, 96, 3), 120, np.float32)
    slope = np.linspace(-12, 12, 96)[None, :, None]
    alpha = blend.mask(UPRIGHT)
    before, after = source + slope, blend.match_colour(source + slope, source, alpha)
    border = (alpha > 0.2) & (alpha < 0.8)

    assert np.abs(after - source)[border].mean() < 0.4 * np.abs(before - source)[border].mean()


def test_a_face_that_agrees_at_the_border_keeps_its_new_mouth():
    source = np.full((96, 96, 3), 120, np.float32)
    face = source.copy()
    face[66:80, 36:60] = 20  # an open mouth
    matched = blend.match_colour(face, source, blend.mask(UPRIGHT))

    assert np.abs(matched - face).max() < 1.5


def test_what_differs_too_much_at_the_border_is_not_taken_for_light():
    source = np.full((96, 96, 3), 120, np.float32)
    face = source.copy()
    face[:, :14] = 250  # a bright background behind one cheek
    matched = blend.match_colour(face, source, blend.mask(UPRIGHT))

    assert np.abs(matched - face)[:, 20:].max() < 1.5
