"""Phones sorted into what the lips do, and the sentences of GRID."""

import numpy as np
import pytest

from training.align import align, grid_phones
from training.espeak import spans
from training.phones import TRAITS, Viseme, said, unknown, visemes


@pytest.mark.parametrize(
    ("phone", "kind"),
    [
        ("b", Viseme.BILABIAL),
        ("m", Viseme.BILABIAL),
        ("pʰ", Viseme.BILABIAL),
        ("f", Viseme.LABIODENTAL),
        ("t", Viseme.ALVEOLAR),
        ("tʃ", Viseme.POSTALVEOLAR),
        ("ŋ", Viseme.VELAR),
        ("iː", Viseme.SPREAD),
        ("w", Viseme.ROUND_CLOSE),
        ("ˈuː", Viseme.ROUND_CLOSE),
        ("", Viseme.SILENCE),
        ("_:", Viseme.SILENCE),
    ],
)
def test_a_phone_has_the_viseme_of_its_place(phone, kind):
    assert visemes(phone) == (kind, kind)


def test_a_diphthong_begins_and_ends_differently():
    assert visemes("aɪ") == (Viseme.OPEN, Viseme.SPREAD)


def test_a_sound_without_lips_leaves_them_to_its_neighbours():
    assert visemes("ǃ") == (Viseme.VELAR, Viseme.VELAR)


@pytest.mark.parametrize(
    "clip", ["s1_bbaf2n", "hq_dataset__bbaf2n", "multi_evaluation__x__bbaf2n__video"]
)
def test_a_clips_name_spells_its_sentence(clip):
    words = ["b ɪ n", "b l uː", "æ t", "ɛ f", "t uː", "n aʊ"]

    assert [" ".join(word) for word in grid_phones(clip)] == words


def test_a_name_that_spells_nothing_is_refused():
    with pytest.raises(ValueError, match="does not end with a code"):
        grid_phones("holiday")


MOMENTS_S = (np.arange(12) + 0.25) / 40


def test_every_moment_of_a_phone_gets_its_viseme():
    heard = said([(0.0, 0.1, "m"), (0.1, 0.2, "ɑ")], MOMENTS_S)

    assert heard.viseme[:4].tolist() == [Viseme.BILABIAL] * 4
    assert heard.viseme[4:8].tolist() == [Viseme.OPEN] * 4
    assert (heard.viseme[8:] == Viseme.SILENCE).all()
    assert heard.core[1:3].all()
    assert not heard.core[8:].any()


def test_a_diphthong_has_the_traits_of_what_it_is_becoming():
    heard = said([(0.0, 0.2, "aɪ")], MOMENTS_S)
    low, high = (list(TRAITS).index(name) for name in ("low", "high"))

    assert heard.traits[:4, low].all()
    assert not heard.traits[4:, low].any()
    assert heard.traits[4:8, high].all()


def test_what_nobody_knows_stays_unknown_when_looked_up():
    found = unknown(5).at(np.array([0, 4, 2]), np.array([True, True, False]))

    assert found.viseme.tolist() == [-1, -1, -1]


def test_silence_has_no_traits():
    assert not said([], MOMENTS_S).traits.any()


def test_a_voiceless_stop_begins_with_its_closure():
    rows = spans([(0.0, "a"), (0.2, "p"), (0.24, "a")], 0.4)

    assert [ipa for _, _, ipa in rows] == ["a", "p", "a"]
    assert rows[1][:2] == (pytest.approx(0.155), 0.24)


def test_a_closure_never_swallows_the_phone_before():
    rows = spans([(0.0, "a"), (0.03, "t"), (0.1, "a")], 0.2)

    assert rows[0] == (0.0, 0.02, "a")


def test_alignment_finds_phones_where_their_scores_are():
    truth = [0] * 6 + [int(Viseme.BILABIAL)] * 4 + [int(Viseme.OPEN)] * 8 + [0] * 6
    scores = np.full((len(truth), len(Viseme)), -5.0)
    scores[np.arange(len(truth)), truth] = 0.0

    found = align(scores, [["m", "ɑː"]])

    assert [ipa for _, _, ipa in found] == ["", "m", "ɑː", ""]
    assert [round(end_s * 40) for _, end_s, _ in found] == [6, 10, 18, 24]


def test_alignment_leaves_out_pauses_that_nobody_made():
    truth = [int(Viseme.BILABIAL)] * 4 + [int(Viseme.OPEN)] * 4 + [int(Viseme.LABIODENTAL)] * 4
    scores = np.full((len(truth), len(Viseme)), -5.0)
    scores[np.arange(len(truth)), truth] = 0.0

    found = align(scores, [["m", "ɑː"], ["f"]])

    assert [ipa for _, _, ipa in found] == ["m", "ɑː", "f"]


def test_too_short_a_sound_is_refused():
    with pytest.raises(ValueError, match="too short"):
        align(np.zeros((2, len(Viseme))), [["m", "ɑː", "f", "m"]])
