"""What the lips do for a phone: IPA symbols sorted into visemes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Phone = tuple[float, float, str]
"""start_s, end_s, IPA; a pause is an empty IPA."""


class Viseme(IntEnum):
    """Mouth classes that an eye can tell apart; the order is that of the network's head."""

    SILENCE = 0
    BILABIAL = 1
    LABIODENTAL = 2
    ALVEOLAR = 3
    POSTALVEOLAR = 4
    VELAR = 5
    OPEN = 6
    MID = 7
    SPREAD = 8
    ROUND_MID = 9
    ROUND_CLOSE = 10


# The IPA chart's places of articulation and vowel heights, as espeak-ng writes them.
_SYMBOLS = {
    Viseme.BILABIAL: "pbmɓʙ",
    Viseme.LABIODENTAL: "fvʋɱɸβⱱ",
    Viseme.ALVEOLAR: "tdnlszθðɾrɗɖʈɳɭɬɮɲʎɫɽ",
    Viseme.POSTALVEOLAR: "ʃʒɹɻʂʐɕʑɧ",
    Viseme.VELAR: "kɡgŋhxɣqʔħɦχʁcɟʕɰʀɴç",
    Viseme.OPEN: "aɑæɐʌäɒɶ",
    Viseme.MID: "eɛəɜœɘɤɚɝøɞ",
    Viseme.SPREAD: "iɪjɨ",
    Viseme.ROUND_MID: "oɔɵ",
    Viseme.ROUND_CLOSE: "uʊwʉyɥʏɯʍ",
}
_VISEME_OF = {symbol: viseme for viseme, symbols in _SYMBOLS.items() for symbol in symbols}

# Marks of sounds that share a viseme but not a mouth.
TRAITS = {
    "nasal": "mɱnɳɲŋɴ",
    "fricative": "fvɸβszθðʃʒʂʐɕʑçxɣχʁħʕhɦ",
    "stop": "pbtdʈɖcɟkɡgqɢʔɓɗʙ",
    "voiced": "bmvdnlzðɾrʒɹɡgŋʋɱβ",
    "front": "iɪyʏeɛøœæaj",
    "back": "uʊoɔɑɒʌɯɤw",
    "high": "iɪyʏɨʉuʊɯjw",
    "low": "aɑæɐɒɶäʌ",
    "round": "uʊoɔɒyʏøœɵʉwɥ",
    "glide": "jwɥɹɻlɭʋɾr",
}
_AFFRICATES = ("tʃ", "dʒ", "tɕ", "dʑ", "ts.", "tʂ", "dʐ")  # the lips are the fricative's
_PAUSES = {"", "_", "_:", "_!", "|", "||"}


def parts(phone: str) -> list[tuple[Viseme, tuple[bool, ...]]]:
    """Viseme and traits of a phone, in two equal parts where it begins and ends differently.

    Args:
        phone: IPA, with or without stress and length marks; empty or ``_:`` is a pause.
    """
    symbols = phone.strip("ˈˌ'ː.,ˑ ")
    if symbols in _PAUSES:
        return [(Viseme.SILENCE, traits(""))]
    if symbols.startswith(_AFFRICATES):
        return [(Viseme.POSTALVEOLAR, traits(symbols))]
    known = [symbol for symbol in symbols if symbol in _VISEME_OF]
    if not known:  # clicks, tones and marks: the lips stay where the neighbours put them
        return [(Viseme.VELAR, traits(symbols))]
    first, last = known[0], known[-1]
    if _VISEME_OF[first] == _VISEME_OF[last]:
        return [(_VISEME_OF[first], traits(symbols))]
    return [(_VISEME_OF[symbol], traits(symbol)) for symbol in (first, last)]


def visemes(phone: str) -> tuple[Viseme, Viseme]:
    """The class a phone begins and the class it ends with; they differ in diphthongs."""
    kinds = parts(phone)
    return kinds[0][0], kinds[-1][0]


def traits(phone: str) -> tuple[bool, ...]:
    """Which of ``TRAITS`` a phone has in one of its symbols."""
    return tuple(any(symbol in marked for symbol in phone) for marked in TRAITS.values())


@dataclass(frozen=True, slots=True)
class Said:
    """What is said at each of T moments.

    Attributes:
        viseme: (T,) int64; -1 where nobody knows.
        traits: (T, len(TRAITS)) float32, 0 or 1.
        core: (T,) bool, True in the middle of a phone, where its shape is reached.
    """

    viseme: NDArray[np.int64]
    traits: NDArray[np.float32]
    core: NDArray[np.bool_]

    def at(self, steps: NDArray[np.int64], inside: NDArray[np.bool_]) -> Said:
        """What is said at some of the moments; nobody knows where not ``inside``."""
        return Said(
            np.where(inside, self.viseme[steps], -1), self.traits[steps], self.core[steps] & inside
        )


def silence(n_moments: int) -> Said:
    """Nothing at all."""
    return Said(
        np.full(n_moments, int(Viseme.SILENCE), np.int64),
        np.zeros((n_moments, len(TRAITS)), np.float32),
        np.ones(n_moments, np.bool_),
    )


_CORE_SHARE = 0.5  # of a phone
_CORE_LEAST_S = 0.0125


def said(phones: Sequence[Phone], moments_s: NDArray[np.float64]) -> Said:
    """What is said at (T,) moments; those that no phone covers are silence."""
    result = silence(len(moments_s))
    viseme, marks, core = result.viseme, result.traits, result.core
    core[:] = False
    for start_s, end_s, ipa in phones:
        kinds = parts(ipa)
        edges_s = np.linspace(start_s, end_s, len(kinds) + 1)
        for begin_s, stop_s, (kind, having) in zip(edges_s, edges_s[1:], kinds, strict=False):
            here = (moments_s >= begin_s) & (moments_s < stop_s)
            viseme[here] = int(kind)
            marks[here] = np.array(having, np.float32)
            reach_s = max(_CORE_LEAST_S, _CORE_SHARE * (stop_s - begin_s) / 2)
            core |= np.abs(moments_s - (begin_s + stop_s) / 2) <= reach_s
    return result
