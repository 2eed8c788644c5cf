"""Phones sorted into what the lips do, and the sentences of GRID."""

import numpy as np
import pytest

from training.espeak import spans
from training.phones import TRAITS, Viseme, said, silence, visemes


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


def test_what_is_looked_up_outside_is_unknown():
    found = silence(5).at(np.array([0, 4, 2]), np.array([True, True, False]))

    assert found.viseme.tolist() == [0, 0, -1]


def test_silence_has_no_traits():
    assert not said([], MOMENTS_S).traits.any()


def test_a_voiceless_stop_begins_with_its_closure():
    rows = spans([(0.0, "a"), (0.2, "p"), (0.24, "a")], 0.4)

    assert [ipa for _, _, ipa in rows] == ["a", "p", "a"]
    assert rows[1][:2] == (pytest.approx(0.155), 0.24)


def test_a_closure_never_swallows_the_phone_before():
    rows = spans([(0.0, "a"), (0.03, "t"), (0.1, "a")], 0.2)

    assert rows[0] == (0.0, 0.02, "a")
