import pytest
from drawn_talker import BASIS, talker

from heygemd.lips.warp import cover, keys
from heygemd.lips.warp.gallery import Gallery
from heygemd.lips.warp.mesh import build_mesh
from heygemd.planes import of_bgr

MESH = build_mesh(BASIS)


def gallery_of(apertures, **pose_options):
    clip, track = talker(apertures, **pose_options)
    gallery = Gallery(BASIS, MESH)
    for at, frame in enumerate(of_bgr(clip.frames, "bt709")):
        gallery.see(at, frame, track.points[at])
    return gallery.excerpts()


def test_every_mouth_is_kept_while_there_is_room():
    assert list(gallery_of([0.0, 0.1, 0.2])) == [0, 1, 2]


def test_mouths_unlike_the_others_stay_when_room_is_short(monkeypatch):
    monkeypatch.setattr(keys, "MAX_KEYS", 8)
    apertures = [0.0] * 150
    apertures[20], apertures[90], apertures[140] = 0.2, 0.3, 0.12

    kept = gallery_of(apertures)

    assert len(kept) == 8
    assert {20, 90, 140} <= set(kept)
    assert list(kept) == sorted(kept)


def test_faces_that_are_turned_away_are_not_kept():
    assert gallery_of([0.0, 0.1], yaw_deg=58.0) == {}


def test_a_clip_without_a_single_face_leaves_nothing():
    assert Gallery(BASIS, MESH).excerpts() == {}


@pytest.mark.parametrize("iod_px", [30.0, 70.0])
def test_what_is_kept_is_small_and_holds_the_mouth(iod_px):
    (kept,) = gallery_of([0.1], iod_px=iod_px).values()
    clip, track = talker([0.1], iod_px=iod_px)
    (frame,) = of_bgr(clip.frames, "bt709")
    lips = track.points[0, [61, 291, 0, 17], :2]
    (left, top), (right, bottom) = lips.min(axis=0).astype(int), lips.max(axis=0).astype(int) + 1

    assert kept.holds((slice(top, bottom), slice(left, right)))
    assert cover.look(kept, track.points[0, :468, :2], iod_px) == pytest.approx(
        cover.look(frame, track.points[0, :468, :2], iod_px), abs=1e-6
    )
    assert max(kept.part.shape) < 3 * iod_px
