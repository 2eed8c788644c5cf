import numpy as np
import pytest
from portrait import picture
from real_clips import frames_of

from heygemd.faces import boxes
from heygemd.faces.detect import overlaps
from heygemd.faces.mesh import FaceMesh

# What S3FD (sfd_face.pth) draws on each picture; it took no part in the fit.
S3FD = [
    ({"face_px": 100}, [120.7, 58.2, 200.4, 165.3]),
    ({"face_px": 100, "turn_deg": 20}, [114.3, 60.1, 199.5, 164.9]),
    ({"face_px": 100, "turn_deg": -20}, [123.3, 57.2, 208.1, 162.7]),
    ({"face_px": 60, "centre": (100, 90)}, [76.0, 55.1, 125.1, 116.7]),
]

# The same of the third frame of clips that took part.
S3FD_ON_CLIPS = [
    ("hdtf_markey.mp4", [123.4, 91.5, 402.1, 488.0]),
    ("vox_profile.mp4", [52.3, -0.9, 161.3, 165.4]),
    ("carphone_176x144.mp4", [65.6, 33.8, 110.4, 98.4]),
    ("dark_d20.mp4", [149.9, 148.7, 338.4, 397.6]),
    ("grid_m_darkskin.mpg", [115.8, 65.1, 223.9, 246.4]),
    ("greenscreen_avatar_vertical.mp4", [313.4, 204.5, 433.2, 362.7]),
    ("talkvid_zh.mp4", [795.4, 131.0, 1084.2, 519.3]),
]


@pytest.fixture(scope="module")
def points():
    with FaceMesh() as mesh:
        return np.stack([mesh.detect(picture(**options)[None])[0].points[0] for options, _ in S3FD])


def test_boxes_are_drawn_as_s3fd_draws_them(points):
    drawn = np.array([box for _, box in S3FD], dtype=np.float32)
    assert np.diag(overlaps(boxes.fit(points), drawn)).min() > 0.85


@pytest.mark.parametrize(("name", "drawn"), S3FD_ON_CLIPS)
def test_on_real_clips_the_boxes_of_the_mesh_cover_those_of_s3fd(name, drawn):
    frame = frames_of(name, 3)[2:]
    with FaceMesh() as mesh:
        sighting = mesh.detect(frame)[0]
    assert overlaps(sighting.boxes, np.array([drawn], dtype=np.float32))[0, 0] > 0.85


def test_boxes_move_and_grow_with_the_face(points):
    moved = points * 2 + np.array([30, -10, 0], dtype=np.float32)
    wanted = boxes.fit(points) * 2 + np.array([30, -10, 30, -10], dtype=np.float32)
    assert np.allclose(boxes.fit(moved), wanted, atol=0.01)


def test_a_mirrored_face_gets_the_mirrored_box(points):
    order = np.arange(478)
    for right, left in ((boxes.RIGHT_EYE, boxes.LEFT_EYE), (boxes.RIGHT_EAR, boxes.LEFT_EAR)):
        order[[right, left]] = left, right
    flipped = points[:, order] * np.array([-1, 1, 1], dtype=np.float32)
    wanted = boxes.fit(points)[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], dtype=np.float32)
    assert np.allclose(boxes.fit(flipped), wanted, atol=0.01)


def test_no_faces_give_no_boxes():
    fitted = boxes.fit(np.empty((0, 478, 3), dtype=np.float32))
    assert fitted.shape == (0, 4)
    assert fitted.dtype == np.float32


def test_the_window_of_the_mouth_holds_it_in_all_boxes_together():
    seen = np.array([[10, 20, 50, 80], [np.nan] * 4, [30, 40, 70, 100]], np.float32)

    assert boxes.mouth_window(seen, (200, 200)) == (slice(57, 103), slice(16, 64))
    assert boxes.mouth_window(seen, (90, 60)) == (slice(57, 90), slice(16, 60))


@pytest.mark.parametrize("seen", [[[np.nan] * 4], [[-90, 0, -30, 60]], [[0, 150, 60, 210]]])
def test_a_face_that_is_not_in_the_picture_has_no_window_of_the_mouth(seen):
    assert boxes.mouth_window(np.array(seen, np.float32), (100, 100)) is None
