import cv2
import numpy as np
import pytest
from drawn_talker import SKIN, talker, voice_of

from heygemd.lips.warp.cover import covered, learn, look, odd
from heygemd.lips.warp.model import Warp

TALK = [0.0, 0.05, 0.2, 0.12, 0.0, 0.18, 0.25, 0.02, 0.0, 0.1, 0.22, 0.15] * 2
HIDDEN = range(10, 14)


@pytest.fixture(scope="module")
def spoken():
    """A talker who holds a dark microphone before the mouth for four frames."""
    warp = Warp()
    clip, track = talker(TALK)
    for at in HIDDEN:
        x, y = track.points[at, 13, :2].astype(int).tolist()
        cv2.circle(clip.frames[at], (x, y + 10), 42, (35, 30, 30), -1)
    plan = warp.study(clip, track, voice_of(TALK[::-1]))
    return plan, warp.speak(clip.frames, plan, range(len(TALK)))


def test_a_hidden_mouth_is_not_painted_over(spoken):
    _, patches = spoken

    assert [at for at, patch in enumerate(patches) if patch is None] == list(HIDDEN)


def test_hidden_mouths_are_not_lent(spoken):
    plan, _ = spoken

    assert not {key.frame for key in plan.keys} & set(HIDDEN)


def fingers(width):
    """A talker with fingers of so many px at the lower lip in some frames, and the plan of it."""
    clip, track = talker(TALK)
    for at in HIDDEN:
        x, y = track.points[at, 17, :2].astype(int).tolist()
        cv2.ellipse(clip.frames[at], (x, y + 4), (width // 2, 9), 0, 0, 360, (190, 210, 245), -1)
    return clip, track, Warp().study(clip, track, voice_of(TALK[::-1]))


def test_a_finger_at_the_lips_makes_a_mouth_odd_though_it_hides_little():
    _, _, plan = fingers(14)
    odd = {key.frame: key.odd for key in plan.keys}

    assert min(odd[at] for at in HIDDEN) > max(odd[at] for at in odd if at not in HIDDEN)
    assert not {plan.keys[choice].frame for choice in plan.choice[:, 0]} & set(HIDDEN)


def test_a_mouth_with_fingertips_beneath_the_lips_is_not_lent_and_speaks_all_the_same():
    warp = Warp()
    clip, track = talker(TALK)
    for at in HIDDEN:
        x, y = track.points[at, 17, :2].astype(int).tolist()
        cv2.ellipse(clip.frames[at], (x, y + 16), (18, 9), 0, 0, 360, (90, 110, 150), -1)
    plan = warp.study(clip, track, voice_of(TALK[::-1]))

    assert set(HIDDEN) <= {key.frame for key in plan.keys}
    assert not {plan.keys[choice].frame for choice in plan.choice[:, 0]} & set(HIDDEN)
    assert all(patch is not None for patch in warp.speak(clip.frames, plan, range(len(TALK))))


def test_fingers_that_hide_a_quarter_of_the_mouth_are_not_painted_over():
    clip, track, plan = fingers(40)
    hidden = [
        covered(clip.frames[at], track.points[at, :468, :2], plan.pose.scale[at], plan.complexion)
        for at in range(len(TALK))
    ]

    assert min(hidden[at] for at in HIDDEN) == 1.0
    assert max(hidden[at] for at in range(len(TALK)) if at not in HIDDEN) == 0.0


def test_a_mouth_that_opens_but_once_is_not_hidden():
    opens_once = [0.0] * 24 + [0.1, 0.25, 0.25, 0.25, 0.1]
    clip, track = talker(opens_once)
    plan = Warp().study(clip, track, voice_of(opens_once[::-1]))

    assert len(plan.keys) == len(opens_once)


def test_a_hand_of_the_skins_own_colour_is_not_painted_over():
    warp = Warp()
    clip, track = talker(TALK)
    for at in HIDDEN:
        x, y = track.points[at, 13, :2].astype(int).tolist()
        cv2.ellipse(clip.frames[at], (x - 4, y + 30), (40, 50), 0, 0, 360, SKIN, -1)
        for finger in (-20, 0, 20):
            cv2.line(clip.frames[at], (x + finger, y - 15), (x + finger, y + 30), (90, 110, 150), 3)
    plan = warp.study(clip, track, voice_of(TALK[::-1]))
    patches = warp.speak(clip.frames, plan, range(len(TALK)))

    assert [at for at, patch in enumerate(patches) if patch is None] == list(HIDDEN)


def test_a_hand_that_hides_the_lower_lip_alone_is_seen():
    warp = Warp()
    clip, track = talker(TALK)
    for at in HIDDEN:
        x, y = track.points[at, 14, :2].astype(int).tolist()
        cv2.rectangle(clip.frames[at], (x - 30, y), (x + 30, y + 60), SKIN, -1)
    plan = warp.study(clip, track, voice_of(TALK[::-1]))
    hidden = [
        covered(frame, points, float(scale), plan.complexion)
        for frame, points, scale in zip(
            clip.frames, track.points[:, :468, :2], plan.pose.scale, strict=True
        )
    ]

    assert min(hidden[at] for at in HIDDEN) == 1.0
    assert max(hidden[at] for at in range(len(TALK)) if at not in HIDDEN) == 0.0


def test_talking_alone_hides_nothing():
    warp = Warp()
    clip, track = talker(TALK)
    plan = warp.study(clip, track, voice_of(TALK[::-1]))

    assert all(patch is not None for patch in warp.speak(clip.frames, plan, range(len(TALK))))


def test_a_change_of_exposure_hides_nothing():
    warp = Warp()
    clip, track = talker(TALK)
    clip.frames[10:14] = (clip.frames[10:14] * np.float32(0.6)).astype(np.uint8)
    plan = warp.study(clip, track, voice_of(TALK[::-1]))

    assert all(patch is not None for patch in warp.speak(clip.frames, plan, range(len(TALK))))


def test_a_mouth_that_is_half_hidden_is_moved_in_part_and_the_patch_says_so():
    warp = Warp()
    clip, track = talker(TALK)
    for at in HIDDEN:
        x, y = track.points[at, 61, :2].astype(int).tolist()
        cv2.circle(clip.frames[at], (x, y), 5, (35, 30, 30), -1)
    plan = warp.study(clip, track, voice_of(TALK[::-1]))
    patches = warp.speak(clip.frames, plan, range(len(TALK)))
    free = [
        1.0 - covered(frame, points, float(scale), plan.complexion)
        for frame, points, scale in zip(
            clip.frames, track.points[:, :468, :2], plan.pose.scale, strict=True
        )
    ]

    assert [patch.share for patch in patches] == pytest.approx(free, abs=1e-3)
    assert 0.1 < min(free) < 0.9


def test_what_lies_outside_the_picture_says_nothing():
    clip, track = talker([0.1])
    points = track.points[0, :468, :2] + np.array([0, 95], np.float32)
    seen = look(clip.frames[0], points, 100.0)
    beyond = np.isnan(seen).any(axis=1)
    usual = learn(np.concatenate([np.repeat(seen[None], 12, 0), np.nan_to_num(seen)[None]]))

    assert 0 < beyond.sum() < 20
    assert usual is not None
    assert odd(seen, usual) == 0.0
    assert np.array_equal(usual.usual[~beyond], seen[~beyond])
