from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from portrait import clip, picture

from heygemd.faces.detect import overlaps
from heygemd.faces.mesh import FaceMesh, stir, tiles
from heygemd.faces.track import track_face
from heygemd.faces.watch import watch
from heygemd.opencv import cv2
from heygemd.planes import of_bgr


@pytest.fixture(scope="module")
def mesh():
    with FaceMesh(n_threads=2) as detector:
        yield detector


def by_eye(centre, face_px):
    """A box about the face that ``picture`` draws."""
    x, y = centre
    half = np.array([face_px, face_px * 140 / 110]) / 2
    return np.array([[x - half[0], y - half[1], x + half[0], y + half[1]]], dtype=np.float32)


def test_a_face_stands_in_planes_where_it_stands_in_bgr(mesh):
    film = of_bgr(clip(9), "bt709")
    for one, other in zip(mesh.detect(film), mesh.detect(film.bgr()), strict=True):
        assert np.abs(one.points - other.points)[..., :2].max() < 0.25  # what BlazeFace saw differs


@pytest.mark.parametrize(
    ("size", "centre", "face_px"),
    [
        ((320, 240), (160, 120), 80),
        ((176, 144), (80, 70), 36),
        ((1920, 1080), (900, 500), 400),
        ((1080, 1920), (540, 500), 90),  # full body on a phone
        ((1280, 720), (1150, 200), 60),
        ((240, 320), (200, 160), 120),  # cut by the border
    ],
)
def test_a_face_is_found_where_it_is_whatever_the_frame(mesh, size, centre, face_px):
    frame = picture(*size, centre=centre, face_px=face_px)
    sighting = mesh.detect(frame[None])[0]
    assert len(sighting.boxes) == 1
    assert overlaps(sighting.boxes, by_eye(centre, face_px))[0, 0] > 0.6


def test_points_follow_a_known_shift_to_a_fraction_of_a_pixel(mesh):
    frames = clip(3, step=(7, 3), face_px=100)
    points = np.stack([sighting.points[0] for sighting in mesh.detect(frames)])
    moved = (points[2] - points[0]).mean(axis=0)
    assert moved[:2] == pytest.approx([14, 6], abs=0.5)


def test_points_scale_with_the_picture(mesh):
    small = mesh.detect(picture(400, 300, centre=(200, 150), face_px=100)[None])[0].points[0]
    large = mesh.detect(picture(800, 600, centre=(400, 300), face_px=200)[None])[0].points[0]
    assert np.abs(large - 2 * small)[:, :2].mean() < 0.02 * 200


def test_a_picture_without_a_face_shows_none(mesh):
    grey = np.random.default_rng(1).integers(80, 100, (2, 180, 320, 3), dtype=np.uint8)
    sightings = mesh.detect(grey)
    assert [len(sighting.boxes) for sighting in sightings] == [0, 0]
    assert sightings[0].points.shape == (0, 478, 3)


def test_two_faces_are_two(mesh):
    both = picture(640, 240, centre=(160, 120), face_px=80)
    both[:, 320:] = picture(320, 240, centre=(160, 120), face_px=60)
    boxes = mesh.detect(both[None])[0].boxes
    assert sorted((boxes[:, 0] + boxes[:, 2]).round() // 640) == [0, 1]


def test_a_face_that_comes_between_two_searches_is_seen_from_its_first_frame(mesh):
    frames = clip(16, face_px=90)
    frames[:3] = 90
    frames[13:] = 90
    n_faces = [len(sighting.boxes) for sighting in mesh.detect(frames)]
    assert n_faces == [0] * 3 + [1] * 10 + [0] * 3


def test_points_do_not_jump_where_one_call_ends_and_the_next_begins(mesh):
    still = np.repeat(picture(640, 480, centre=(300, 200), face_px=120)[None], 24, axis=0)
    watched = watch([still], mesh)
    points = np.stack([sighting.points[0] for sighting in watched.sightings])
    assert np.abs(points - points[5])[..., :2].max() < 0.6  # of a face 120 px wide


class Counted:
    """A landmarker whose looks at a face that is known are counted."""

    def __init__(self, landmarker):
        self.landmarker = landmarker
        self.n_traced = 0

    def find(self, picture, known=()):
        return self.landmarker.find(picture, known)

    def trace(self, picture, last):
        self.n_traced += 1
        return self.landmarker.trace(picture, last)


def test_of_a_calm_mouth_every_other_frame_is_looked_at_and_the_rest_lie_halfway():
    with FaceMesh() as mesh:
        counted = mesh._landmarkers[0] = Counted(mesh._idle.get())
        mesh._idle.put(counted)
        points = np.stack([s.points[0] for s in mesh.detect(clip(16, step=(3, 1), face_px=100))])
        few = counted.n_traced
        counted.n_traced = 0
        frames = clip(16, step=(3, 1), face_px=100)
        height_px, width_px = frames.shape[1:3]
        for frame in frames[1::2]:  # longer faces, so the mouth is never where it was
            frame[:] = cv2.resize(frame, (width_px, height_px * 9 // 8))[:height_px]
        mesh.detect(frames)

    assert few <= 11
    assert counted.n_traced >= 16
    steps = np.diff(points[..., :2].mean(axis=1), axis=0)
    assert steps == pytest.approx(np.tile([3.0, 1.0], (15, 1)), abs=0.5)


def test_what_stirs_is_the_mouth_and_not_the_head(mesh):
    (face,) = mesh.detect(picture(320, 240, centre=(160, 120), face_px=80)[None])[0].points
    turned = face @ np.float32([[0.6, 0.8, 0], [-0.8, 0.6, 0], [0, 0, 1]]) * 2 + np.float32(9)
    open_wide = face.copy()
    iod_px = np.linalg.norm(face[[33, 133], :2].mean(axis=0) - face[[362, 263], :2].mean(axis=0))
    open_wide[14, 1] += 0.1 * iod_px

    assert stir(face, turned) < 1e-5
    assert stir(face, open_wide) == pytest.approx(0.1, abs=1e-5)


def test_a_face_that_leaves_over_the_border_is_let_go(mesh):
    frames = clip(16, centre=(60, 120), step=(-16, 0), face_px=90)
    n_faces = [len(sighting.boxes) for sighting in mesh.detect(frames)]
    assert n_faces[0] == 1
    assert n_faces[8:] == [0] * 8


def test_a_frame_of_one_pixel_is_no_trouble(mesh):
    assert len(mesh.detect(np.zeros((1, 1, 1, 3), np.uint8))[0].boxes) == 0


def test_the_same_frames_give_the_same_points_to_the_bit_on_any_thread(mesh):
    frames = clip(8, face_px=90)
    with ThreadPoolExecutor(3) as pool:  # more than the detector has landmarkers
        seen = list(pool.map(lambda _: mesh.detect(frames), range(3)))
    for other in seen[1:]:
        for one, two in zip(seen[0], other, strict=True):
            assert (one.points[:] == two.points[:]).all()


def test_a_clip_gives_one_track_whatever_the_threads_and_batches(mesh):
    frames = clip(24, face_px=90, step=(2, 1))
    tracks = []
    for n_threads, batch in ((1, 24), (2, 5)):
        batches = (frames[at : at + batch] for at in range(0, 24, batch))
        watched = watch(batches, mesh, n_threads=n_threads)
        tracks.append(track_face(watched.sightings, watched.cuts, "largest", watched.frame_size))
    assert (tracks[0].points[:] == tracks[1].points[:]).all()
    assert tracks[0].coverage == 1


def test_tiles_cover_the_frame_and_any_face_of_half_a_tile_lies_inside_one():
    windows = np.array(tiles(1280, 720, 0.6))
    edge = 432
    assert (windows[:, 2:] - windows[:, :2] == edge).all()
    for x in range(0, 1280 - edge // 2 + 1, 24):
        for y in range(0, 720 - edge // 2 + 1, 24):
            inside = (windows[:, :2] <= (x, y)) & (windows[:, 2:] >= (x + edge // 2, y + edge // 2))
            assert inside.all(axis=1).any()


def test_the_tiles_of_a_square_frame_are_the_frame():
    assert tiles(300, 300, 1.0) == [(0, 0, 300, 300)]


def test_the_version_names_the_model(mesh):
    assert mesh.version.endswith("64184e229b26")
