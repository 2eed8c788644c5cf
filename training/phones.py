"""What the lips do for a phone: IPA symbols sorted into visemes."""

from __future__ import annotations

from enum import IntEnum


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
_AFFRICATES = ("tʃ", "dʒ", "tɕ", "dʑ", "ts.", "tʂ", "dʐ")  # the lips are the fricative's
_PAUSES = {"", "_", "_:", "_!", "|", "||"}


def visemes(phone: str) -> tuple[Viseme, Viseme]:
    """The class a phone begins and the class it ends with; they differ in diphthongs.

    Args:
        phone: IPA, with or without stress and length marks; empty or ``_:`` is a pause.
    """
    symbols = phone.strip("ˈˌ'ː.,ˑ ")
    if symbols in _PAUSES:
        return Viseme.SILENCE, Viseme.SILENCE
    if symbols.startswith(_AFFRICATES):
        return Viseme.POSTALVEOLAR, Viseme.POSTALVEOLAR
    known = [_VISEME_OF[symbol] for symbol in symbols if symbol in _VISEME_OF]
    if not known:  # clicks, tones and marks: the lips stay where the neighbours put them
        return Viseme.VELAR, Viseme.VELAR
    return known[0], known[-1]
