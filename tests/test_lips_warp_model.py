from dataclasses import replace

import numpy as np
import pytest
from drawn_talker import SIZE, draw, pose, shapes, talker, track_of, voice_of

from heygemd.errors import ClipError, ConfigError, ModelError, NoFaceError
from heygemd.lips.warp import geometry
from heygemd.lips.warp.model import Warp
from heygemd.packed import PackedPoints
from heygemd.planes import of_bgr

TALK = [0.0, 0.05, 0.2, 0.12, 0.0, 0.18, 0.25, 0.02, 0.0, 0.1, 0.22, 0.15]
SPEECH = [0.0, 0.0, 0.2, 0.25, 0.2, 0.1, 0.0, 0.0, 0.1, 0.2, 0.1, 0.0]


@pytest.fixture(scope="module")
def warp():
    return Warp()


@pytest.fixture(scope="module")
def spoken(warp):
    clip, track = talker(TALK)
    plan = warp.study(clip, track, voice_of(SPEECH))
    return clip, plan, speak(warp, clip, plan)


def speak(warp, clip, plan, batch=16):
    source = clip.timeline.source
    patches = []
    for first in range(0, len(source), batch):
        span = range(first, min(first + batch, len(source)))
        patches += warp.speak(clip.frames[source[span.start : span.stop]], plan, span)
    return patches


def laid(frame, patch):
    out = frame.astype(np.float32)
    height, width = patch.alpha.shape
    where = (slice(patch.y_px, patch.y_px + height), slice(patch.x_px, patch.x_px + width))
    out[where] += (patch.pixels - out[where]) * patch.alpha[..., None]
    return np.round(out).astype(np.uint8)


def darkness(frame, face):
    """How many pixels near the mouth are as dark as the inside."""
    x, y = face[[13, 14, 61, 291], :2].mean(axis=0).astype(int)
    return int((frame[y - 35 : y + 45, x - 30 : x + 30].max(axis=2) < 60).sum())


def same(one, other):
    return (one is None) == (other is None) and (
        one is None
        or (
            (one.x_px, one.y_px) == (other.x_px, other.y_px)
            and np.array_equal(one.pixels, other.pixels)
            and np.array_equal(one.alpha, other.alpha)
        )
    )


def test_every_frame_gets_a_patch_inside_the_picture(spoken):
    _, _, patches = spoken

    for patch in patches:
        height, width = patch.alpha.shape
        assert 0 <= patch.x_px <= SIZE[0] - width
        assert 0 <= patch.y_px <= SIZE[1] - height
        assert 0.0 <= patch.alpha.min() <= patch.alpha.max() <= 1.0


def test_no_point_is_looked_at_but_those_that_a_plan_keeps(warp):
    clip, track = talker(TALK)
    packed = PackedPoints.pack(track.points)
    plan = warp.study(clip, replace(track, points=packed), voice_of(SPEECH))
    whole = speak(warp, clip, replace(plan, points=packed[:]))

    assert len(plan.points.kept) < 300
    for kept, patch in zip(speak(warp, clip, plan), whole, strict=True):
        assert same(kept, patch)


def test_mouths_open_and_close_as_the_voice_asks(spoken):
    clip, plan, patches = spoken
    dark = [
        darkness(laid(frame, patch), face)
        for frame, patch, face in zip(clip.frames, patches, plan.points[:, :, :2], strict=True)
    ]

    assert dark[0] < 20
    assert dark[7] < 20
    assert dark[3] > 100
    assert np.corrcoef(dark, SPEECH)[0, 1] > 0.85


def test_the_upper_face_is_never_touched(spoken):
    _, plan, patches = spoken

    for patch, face in zip(patches, plan.points[:, :, :2], strict=True):
        eyes = int(face[[33, 263], 1].max()) - patch.y_px
        assert eyes <= 0 or not patch.alpha[:eyes].any()


def test_alpha_is_nothing_at_the_rim_of_a_patch(spoken):
    _, _, patches = spoken

    for patch in patches:
        rim = [patch.alpha[0], patch.alpha[-1], patch.alpha[:, 0], patch.alpha[:, -1]]
        assert max(line.max() for line in rim) <= 0.0


@pytest.mark.parametrize("batch", [1, 5])
def test_a_frame_looks_the_same_in_whatever_batch_it_is_asked_for(warp, spoken, batch):
    clip, plan, patches = spoken

    assert all(map(same, speak(warp, clip, plan, batch), patches))


def test_planes_are_spoken_to_as_whole_frames_of_bgr_are(warp, spoken):
    clip, plan, _ = spoken
    film = of_bgr(clip.frames[clip.timeline.source[:4]], "bt709")
    of_planes, of_frames = (warp.speak(each, plan, range(4)) for each in (film, film.bgr()))

    assert all(map(same, of_planes, of_frames))


def test_the_same_clip_gives_the_same_bytes_again(warp, spoken):
    clip, track = talker(TALK)

    again = speak(warp, clip, warp.study(clip, track, voice_of(SPEECH)))

    assert all(map(same, again, spoken[2]))


def test_a_clip_that_never_opens_gets_a_painted_inside(warp):
    clip, track = talker([0.0] * 6)
    plan = warp.study(clip, track, voice_of([0.0, 0.2, 0.25, 0.2, 0.1, 0.0]))

    patches = speak(warp, clip, plan)

    assert (plan.painted == 1.0).all()
    assert darkness(laid(clip.frames[2], patches[2]), plan.points[2, :, :2]) > 60


def test_a_still_picture_talks(warp):
    clip, track = talker([0.0], n_out=6)
    plan = warp.study(clip, track, voice_of([0.0, 0.2, 0.25, 0.2, 0.1, 0.0]))

    patches = speak(warp, clip, plan)

    assert darkness(laid(clip.frames[0], patches[2]), plan.points[0, :, :2]) > 60
    assert darkness(laid(clip.frames[0], patches[0]), plan.points[0, :, :2]) < 20


def test_frames_without_a_face_pass_through_and_their_neighbours_fade(warp):
    clip, track = talker(TALK * 3)
    points = track.points.copy()
    points[15:18] = np.nan
    plan = warp.study(clip, track_of(points), voice_of(SPEECH * 3))

    patches = speak(warp, clip, plan)

    assert [at for at, patch in enumerate(patches) if patch is None] == [15, 16, 17]
    assert 0 < plan.share[14] < plan.share[12] < 1


def test_a_face_that_turns_away_passes_through(warp):
    front, side = talker(TALK), talker(TALK, yaw_deg=65.0)
    points = np.concatenate([front[1].points, side[1].points])
    frames = np.concatenate([front[0].frames, side[0].frames])
    clip, _ = talker(TALK * 2)
    clip = replace(clip, frames=frames)
    plan = warp.study(clip, replace(track_of(points), cuts=(len(TALK),)), voice_of(SPEECH * 2))

    patches = speak(warp, clip, plan)

    assert all(patch is None for patch in patches[len(TALK) :])
    assert all(patch is not None for patch in patches[: len(TALK)])


def test_mouths_that_the_sound_is_too_short_to_show_are_lent_too(warp):
    clip, track = talker(TALK * 2)
    clip = replace(clip, timeline=replace(clip.timeline, source=np.arange(8)))

    plan = warp.study(clip, track, voice_of(SPEECH))

    assert max(key.frame for key in plan.keys) > 8


def test_no_mouth_is_lent_by_a_shot_that_is_not_shown(warp):
    clip, track = talker(TALK * 2)
    clip = replace(clip, timeline=replace(clip.timeline, source=np.arange(8)))

    plan = warp.study(clip, replace(track, cuts=(8,)), voice_of(SPEECH))

    assert max(key.frame for key in plan.keys) < 8


def gallery_of(warp, clip, track):
    gallery = warp.collector()
    for at, frame in enumerate(of_bgr(clip.frames, "bt709")):
        gallery.see(at, frame, track.points[at])
    return gallery.excerpts()


def test_a_study_decodes_nothing_where_the_gallery_has_enough_mouths(warp):
    clip, track = talker(TALK)
    planes = replace(clip, frames=of_bgr(clip.frames, "bt709"))
    plan = warp.study(planes, track, voice_of(SPEECH))
    stocked = replace(planes, asked=[], excerpts=gallery_of(warp, clip, track))

    same_plan = warp.study(stocked, track, voice_of(SPEECH))

    assert stocked.asked == []
    for one, other in zip(same_plan.keys, plan.keys, strict=True):
        assert one.frame == other.frame
        assert np.array_equal(one.pixels, other.pixels)
    assert np.array_equal(same_plan.choice, plan.choice)


def test_a_study_decodes_where_too_few_mouths_were_kept_of_what_is_shown(warp):
    clip, track = talker(TALK)
    few = dict(list(gallery_of(warp, clip, track).items())[:4])
    stocked = replace(clip, frames=of_bgr(clip.frames, "bt709"), excerpts=few)

    plan = warp.study(stocked, track, voice_of(SPEECH))

    assert len(stocked.asked) == len(plan.keys) > 4


def test_a_chin_below_the_picture_is_no_obstacle(warp):
    clip, track = talker(TALK)
    low = track.points + np.array([0, 95, 0], np.float32)
    clip = replace(clip, frames=np.stack([draw(face) for face in low]))
    plan = warp.study(clip, track_of(low), voice_of(SPEECH))

    for patch in speak(warp, clip, plan):
        assert patch.y_px + patch.alpha.shape[0] <= SIZE[1]


def test_boxes_alone_are_refused_with_the_setting_to_change(warp):
    clip, track = talker([0.1])

    with pytest.raises(ConfigError, match=r"faces\.detector"):
        warp.study(clip, replace(track, points=None), voice_of([0.1]))


def test_a_clip_without_a_face_is_refused(warp):
    clip, track = talker([0.1, 0.2])

    with pytest.raises(NoFaceError):
        warp.study(clip, track_of(np.full_like(track.points, np.nan)), voice_of([0.1, 0.1]))


def test_a_mouth_that_is_never_in_the_picture_is_refused(warp):
    clip, track = talker([0.1, 0.2])

    with pytest.raises(NoFaceError, match="outside"):
        warp.study(clip, track_of(track.points + np.float32(2000)), voice_of([0.1, 0.1]))


@pytest.mark.parametrize("pose_options", [{"iod_px": 14.0}, {"yaw_deg": 70.0}])
def test_a_face_too_small_or_turned_away_all_the_time_is_refused_with_its_size(warp, pose_options):
    clip, track = talker([0.1, 0.2], **pose_options)

    with pytest.raises(ClipError, match="degrees") as refused:
        warp.study(clip, track, voice_of([0.1, 0.1]))

    assert refused.value.reason == "face_unusable"


def test_a_folder_without_the_weights_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"face\.safetensors"):
        Warp(tmp_path)


def test_the_digest_names_the_weights(warp):
    assert len(warp.sha256) == 64


def test_silence_closes_a_mouth_that_was_open(warp):
    clip, track = talker([0.2, 0.25, 0.0, 0.22, 0.2, 0.18])
    plan = warp.study(clip, track, voice_of([0.0] * 6))

    patches = speak(warp, clip, plan)

    before = darkness(clip.frames[1], plan.points[1, :, :2])
    assert darkness(laid(clip.frames[1], patches[1]), plan.points[1, :, :2]) < 0.2 * before


def test_the_pose_of_the_drawn_person_is_the_one_it_was_drawn_with():
    _, track = talker(TALK)

    found = geometry.fit_pose(track.points, shapes([0.0])[0])

    np.testing.assert_allclose(found.scale, pose(1).scale[0], rtol=0.02)
