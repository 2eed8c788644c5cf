from dataclasses import replace

import numpy as np
import pytest
from drawn_talker import BASIS, pose, shapes, voice_of
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.lips.warp import geometry, retarget
from heygemd.lips.warp.landmarks import CHIN, LIPS
from heygemd.lips.warp.voice import Voice, coefs_at

TALK = [0.0, 0.05, 0.2, 0.12, 0.0, 0.18, 0.25, 0.02]


def said(coefs, person):
    """How far landmarks leave rest where all is said so slowly that the jaw can follow."""
    return retarget.spoken(coefs, coefs, person, BASIS)


def test_a_person_is_closed_at_rest_even_if_the_clip_never_shows_it():
    person = retarget.meet(shapes([0.08, 0.1, 0.2, 0.3]), BASIS)

    assert geometry.aperture(person.rest) == pytest.approx(0.0, abs=1e-5)


def test_somebody_who_opens_the_mouth_talks():
    assert retarget.meet(shapes(TALK), BASIS).talks


def test_an_idle_face_does_not_talk():
    assert not retarget.meet(shapes([0.0, 0.01, 0.0, 0.02]), BASIS).talks


def test_speech_is_brought_to_the_persons_own_range():
    person = retarget.meet(shapes(TALK), BASIS)
    loud = voice_of([0.0, 0.3, 0.26, 0.0, 0.31, 0.2] * 4).coefs

    asked = geometry.coef_aperture(retarget.suit(loud, person, BASIS), BASIS)

    assert np.quantile(asked, 0.95) < 0.31


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_lips_are_never_asked_to_pass_through_each_other(seed):
    wild = np.random.default_rng(seed).normal(0, 2, (20, BASIS.n_coefs)).astype(np.float32)
    person = retarget.meet(shapes(TALK), BASIS)

    asked = geometry.coef_aperture(retarget.suit(wild, person, BASIS), BASIS)

    assert asked.min() >= retarget.OVERLAP - 1e-3


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_aimed_lips_never_cross(seed):
    wild = np.random.default_rng(seed).normal(0, 1, (5, BASIS.n_coefs)).astype(np.float32)
    own = shapes(TALK)
    person = retarget.meet(own, BASIS)

    moved, aperture = retarget.aim(
        said(wild, person), own[:5], person, BASIS, np.ones(5, np.float32)
    )

    assert retarget.widest_gap(own[:5, :468] + moved).min() >= 0.0
    assert aperture.min() >= 0.0


def test_lips_that_are_told_to_come_near_close_exactly():
    own = shapes(TALK)
    person = retarget.meet(own, BASIS)
    near = geometry.coefs(shapes([0.005]), person.rest, BASIS)

    moved, aperture = retarget.aim(
        said(near, person), own[2:3], person, BASIS, np.ones(1, np.float32)
    )

    assert aperture[0] == 0.0
    assert retarget.widest_gap(own[2:3, :468] + moved)[0] == pytest.approx(0.0, abs=1e-5)


def test_no_share_moves_nothing():
    own = shapes(TALK)
    person = retarget.meet(own, BASIS)
    coefs = voice_of([0.3]).coefs

    moved, _ = retarget.aim(said(coefs, person), own[:1], person, BASIS, np.zeros(1, np.float32))

    assert not moved.any()


def test_the_aim_is_the_shape_that_was_asked_for():
    own = shapes(TALK)
    person = retarget.meet(own, BASIS)
    wanted = voice_of([0.2]).coefs

    _, aperture = retarget.aim(said(wanted, person), own[:1], person, BASIS, np.ones(1, np.float32))

    assert aperture[0] == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(("yaw_deg", "share"), [(0.0, 1.0), (39.0, 1.0), (61.0, 0.0)])
def test_the_effect_fades_as_the_head_turns_away(yaw_deg, share):
    turned = pose(3, yaw_deg=yaw_deg)

    found = retarget.strength(turned, np.ones(3, np.bool_), np.arange(3))

    np.testing.assert_allclose(found, share)


def test_half_turned_heads_are_moved_in_part():
    found = retarget.strength(pose(1, yaw_deg=50.0), np.ones(1, np.bool_), np.zeros(1, np.int64))

    assert 0.2 < found[0] < 0.8


def test_the_effect_fades_before_and_after_frames_without_a_face():
    seen = np.ones(40, np.bool_)
    seen[20:25] = False

    found = retarget.strength(pose(40), seen, np.arange(40))

    assert (found[20:25] == 0).all()
    assert (np.diff(found[10:21]) <= 0).all()
    assert (np.diff(found[24:35]) >= 0).all()
    assert found[10] == found[34] == 1.0
    assert 0 < found[19] < 0.5


def test_a_face_of_a_few_pixels_is_left_alone():
    found = retarget.strength(pose(1, iod_px=15.0), np.ones(1, np.bool_), np.zeros(1, np.int64))

    assert found[0] == 0.0


def with_jaw(share):
    """Shapes of a talker whose chin goes so far with the mouth, against the aperture's change."""
    faces = shapes(TALK)
    gap = geometry.aperture(faces) - geometry.aperture(faces[:1])
    faces[:, CHIN, 1] = faces[0, CHIN, 1] + share * gap
    return faces


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_a_persons_own_jaw_is_learned(share):
    jaw = retarget.meet(with_jaw(share), BASIS).jaw

    learned = jaw * retarget.JAW_OF_BASIS / retarget.JAW_SLOW
    assert learned == pytest.approx(share, abs=0.02)


def test_an_idle_face_gets_a_usual_jaw_and_a_jump_is_none_of_a_jaws():
    jumps = np.concatenate([with_jaw(0.3), with_jaw(0.3) + np.float32(0.5)])

    usual = retarget.JAW * retarget.JAW_SLOW / retarget.JAW_OF_BASIS
    assert retarget.meet(shapes([0.0, 0.01, 0.0]), BASIS).jaw == usual
    assert retarget.meet(jumps, BASIS).jaw == pytest.approx(retarget.meet(with_jaw(0.3), BASIS).jaw)


def test_a_lazy_jaw_moves_less_under_the_same_lips():
    coefs = voice_of([0.25]).coefs
    lazy, lively = retarget.meet(with_jaw(0.25), BASIS), retarget.meet(with_jaw(0.6), BASIS)
    still = shapes([0.0])

    went = [
        retarget.aim(said(coefs, person), still, person, BASIS, np.ones(1, np.float32))[0][0, :, 1]
        for person in (replace(lively, jaw=lazy.jaw), lively)
    ]

    assert went[0][CHIN] == pytest.approx(went[1][CHIN] * lazy.jaw / lively.jaw, abs=0.01)
    np.testing.assert_array_equal(went[0][list(LIPS)], went[1][list(LIPS)])


def test_a_jaw_goes_further_in_slow_movements_than_in_quick_ones():
    person = retarget.meet(shapes([0.0, 0.01, 0.0]), BASIS)
    chin = int(np.flatnonzero(BASIS.index == CHIN)[0])

    def follows(period):
        """How far the chin goes while the aperture goes by 1, said so many frames a time."""
        coefs = voice_of(0.1 + 0.08 * np.sin(2 * np.pi * np.arange(120) / period)).coefs
        moved = retarget.spoken(coefs, retarget.slowed(coefs, 25.0), person, BASIS)[20:-20, chin, 1]
        return np.ptp(moved) / np.ptp(geometry.coef_aperture(coefs, BASIS)[20:-20])

    slow, quick = follows(30), follows(5)
    assert slow > retarget.JAW > quick > 0.6 * retarget.JAW


def quick_speech(rate_hz):
    """Two seconds that open four times a second."""
    times_s = (np.arange(int(2 * rate_hz)) + 0.5) / rate_hz
    return voice_of(0.12 + 0.1 * np.sin(2 * np.pi * 4 * times_s), rate_hz)


def test_lips_are_as_quick_at_every_frame_rate():
    followed = retarget.follow(quick_speech(50.0))
    reach = []
    for fps in (25.0, 50.0, 60.0):
        coefs = coefs_at(followed, (np.arange(int(2 * fps)) + 0.5) / fps)
        middle = slice(int(0.5 * fps), int(1.5 * fps))
        jaw = retarget.slowed(coefs, fps)
        reach.append([geometry.coef_aperture(each[middle], BASIS).std() for each in (coefs, jaw)])

    np.testing.assert_allclose(reach, [reach[0]] * 3, rtol=0.05)


def test_lips_are_slower_than_the_voice_and_the_jaw_is_slower_still():
    asked = quick_speech(50.0)
    lips = retarget.follow(asked).coefs
    jaw = retarget.slowed(lips, 50.0)

    spread = [np.ptp(geometry.coef_aperture(c[25:75], BASIS)) for c in (asked.coefs, lips, jaw)]
    assert spread[0] > 1.1 * spread[1] > 1.2 * spread[2]


def test_lips_neither_lag_nor_lead():
    asked = quick_speech(50.0)
    backwards = replace(asked, coefs=asked.coefs[::-1])

    np.testing.assert_allclose(
        retarget.follow(asked).coefs, retarget.follow(backwards).coefs[::-1], atol=1e-5
    )


@pytest.mark.parametrize("n_rows", [0, 1, 3])
def test_a_voice_of_hardly_any_rows_is_followed(n_rows):
    asked = Voice(quick_speech(50.0).coefs[:n_rows], 50.0, first_s=0.01)

    followed = retarget.follow(asked)

    assert followed.coefs.shape == asked.coefs.shape
    assert (followed.rate_hz, followed.first_s) == (50.0, 0.01)
