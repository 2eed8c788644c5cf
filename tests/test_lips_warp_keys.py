import cv2
import numpy as np
import pytest
from drawn_talker import BASIS, talker

from heygemd.lips.warp import geometry, keys, mesh, retarget

MESH = mesh.build_mesh(BASIS)


def faces_of(track):
    pose = geometry.fit_pose(track.points, BASIS.template)
    shapes = geometry.to_canonical(track.points, pose)
    return keys.Faces(
        points=track.points[:, :468, :2],
        iod_px=pose.scale,
        aperture=np.maximum(geometry.aperture(shapes), 0),
        leak=retarget.widest_gap(shapes),
        facing=pose.rotation[:, :, 2].astype(np.float32),
    )


def cut(apertures, wanted):
    clip, track = talker(apertures)
    return clip, keys.cut_keys(clip.frames_at(wanted), faces_of(track), MESH)


def test_only_the_frames_that_are_wanted_are_read():
    clip, found = cut([0.0, 0.1, 0.2, 0.3], [1, 3])

    assert clip.asked == [1, 3]
    assert [key.frame for key in found] == [1, 3]


def test_a_key_holds_the_frames_own_pixels_around_the_mouth():
    clip, (key,) = cut([0.2], [0])
    height, width = key.pixels.shape[:2]
    found = cv2.matchTemplate(clip.frames[0], key.pixels, cv2.TM_SQDIFF)
    y, x = np.unravel_index(int(found.argmin()), found.shape)

    np.testing.assert_array_equal(clip.frames[0, y : y + height, x : x + width], key.pixels)
    assert (key.points[[61, 291, 13, 17]] > 0).all()
    assert (key.points[[61, 291, 13, 17]] < [width, height]).all()


def test_a_mouth_outside_the_picture_gives_no_key():
    clip, track = talker([0.1])
    faces = faces_of(track)
    away = keys.Faces(faces.points + 4000, faces.iod_px, faces.aperture, faces.leak, faces.facing)

    assert keys.cut_keys(clip.frames_at([0]), away, MESH) == []


def test_the_dark_between_open_lips_is_seen_and_closed_lips_show_none():
    _, (closed, opened) = cut([0.0, 0.2], [0, 1])

    assert keys.dark_gap(closed.pixels, closed.points, closed.iod_px) < 0.02
    assert keys.dark_gap(opened.pixels, opened.points, opened.iod_px) > 0.08


def test_a_gap_where_the_picture_shows_lips_is_told_from_a_real_one():
    _, (opened,) = cut([0.2], [0])
    _, (closed,) = cut([0.0], [0])

    assert keys.flesh(opened.pixels, opened.points) < 0.1
    assert keys.flesh(closed.pixels, opened.points) > 0.5


def test_teeth_of_the_lips_own_colour_make_no_false_gap_where_calm_mouths_show_them():
    _, found = cut([0.2] * 6, range(6))
    shaded = [keys.replace(key, flesh=0.6) for key in found]
    closed = [*shaded[:5], keys.replace(found[5], flesh=1.0)]
    calm, rushing = np.zeros(6, np.float32), np.full(6, 0.05, np.float32)

    assert keys.false_gap(closed, calm) == pytest.approx([0.2] * 5 + [1 / 3])
    assert keys.false_gap(shaded, rushing) == pytest.approx([0.6] * 6)


@pytest.mark.parametrize(("n_open", "shown"), [(0, False), (3, False), (4, True)])
def test_a_syllable_is_enough_to_borrow_insides_from_and_less_is_not(n_open, shown):
    apertures = [0.0] * 20 + [0.2] * n_open

    _, found = cut(apertures, range(len(apertures)))

    assert keys.show_inside(found) is shown


def test_a_blurred_key_is_told_from_sharp_ones():
    _, found = cut([0.1] * 4, [0, 1, 2, 3])
    smeared = keys.replace(found[0], texture=found[0].texture - 1.0)

    assert keys.blur([smeared, *found[1:]]) == pytest.approx([1.0, 0, 0, 0], abs=0.2)


def test_keys_of_little_detail_get_more_and_the_others_stay_nearly_as_they_are():
    _, found = cut([0.1] * 4, [0, 1, 2, 3])
    soft = keys.replace(found[0], texture=found[0].texture - 0.8)

    keys.even([soft, *found[1:]])

    energy = [keys.texture(key.pixels, key.points) for key in (soft, *found[1:])]
    assert energy[0] > energy[1] + 0.3
    assert energy[1] - found[1].texture < 0.5  # resampling will take as much of grain


@pytest.mark.parametrize("iod_px", [20.0, 100.0, 400.0])
def test_keys_stay_within_the_memory_that_is_allowed(iod_px):
    edge = 1.7 * iod_px

    assert keys.affordable(iod_px) * 3 * edge**2 <= max(keys.MAX_BYTES, 8 * 3 * edge**2)
    assert 8 <= keys.affordable(iod_px) <= keys.MAX_KEYS
