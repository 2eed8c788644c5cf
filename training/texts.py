"""Sentences to be spoken: pseudo-words of many languages, rich in sounds that the lips make."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# Everyday English, chosen so that every viseme is common and lips meet often.
_ENGLISH = """
people about maybe problem number member remember simple family important company public memory
morning summer paper apple happy open above move move home from them time come some made make
very five have love give leave over ever life after before friend found feel first
the and that this with what when where which would could should there their other
water work world word week well want wait away always window would you your yes year use
one two three four five six seven eight nine ten zero hundred thousand
red green blue white black bin lay place set again now please soon at by in
go going good get great give big bag back book look talk take think thing
no name night near new know need never near long line last little light
he she his her house how here hand high help hello who whole hope
say see same side small still such sure shop show should shoes short
child change church choose much watch each reach judge bridge large job
out our own old only onto ocean oil over off often on other
it is if in into its ill island easy each eat even evening
""".split()

_LATIN_ONSETS = "b p m f v t d k g s z l r n b m p pl br st w h j".split()
_LATIN_VOWELS = {
    "default": "a e i o u".split(),
    "en": "a e i o u ee oo ai ou ar or oi aw".split(),
    "de": "a e i o u ä ö ü ei au ie".split(),
    "fr": "a e i o u é ou eu au oi an on in".split(),
    "nl": "a e i o u aa ee oo oe ui ij".split(),
    "pl": "a e i o u y ą ę".split(),
    "pt": "a e i o u ã é ão".split(),
    "tr": "a e ı i o ö u ü".split(),
    "sv": "a e i o u y å ä ö".split(),
    "fi": "a e i o u y ä ö aa uu ii".split(),
    "hu": "a á e é i o ó ö u ü".split(),
    "vi": "a ă e ê i o ô ơ u ư".split(),
}
_LATIN_CODAS = ["", "", "", "n", "s", "m", "r", "t", "p"]
_CYRILLIC_ONSETS, _CYRILLIC_VOWELS = "бвгджзклмнпрстфхцчшбмпв", "аеиоуыэюя"
_KANA = (
    "かきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわん"
    "ばびぶべぼぱぴぷぺぽまみむめもがぎぐげござじずぜぞだでどしゃちょきょ"
)
_DEVANAGARI_ONSETS, _DEVANAGARI_VOWELS = "कखगचजटडतदनपबमयरलवसहभफमब", "ािीुूेैोौ"
_ARABIC = "ابتثجحخدذرزسشصضطظعغفقكلمنهويبمفوباامم"
_PINYIN_ONSETS = "b p m f d t n l g k h j q x zh ch sh r z c s y w b m p".split()
_PINYIN_FINALS = {
    "jqx": "i ia ie iao iu ian in iang ing u ue uan un".split(),
    "bpm": "a o ai ei ao an en ang eng i ie iao ian in ing u".split(),
    "f": "a o ei ou an en ang eng u".split(),
    "y": "a e ao ou an ang i in ing u ue uan un".split(),
    "w": "a o ai ei an en ang eng u".split(),
    "": "a e ai ei ao ou an en ang eng u uo uan un i".split(),
}
_HANGUL_BASE, _HANGUL_ONSETS = 0xAC00, (0, 2, 3, 5, 6, 7, 9, 11, 12, 14, 16, 17, 18)
_HANGUL_VOWELS, _HANGUL_CODAS = (0, 1, 4, 5, 8, 13, 18, 20), (0, 0, 0, 4, 8, 16, 17, 21)


def sentence(language: str, n_words: int, rng: np.random.Generator) -> str:
    """Nonsense in the language's own script, of ``n_words`` words and an odd pause."""
    words = [_word(language, rng) for _ in range(n_words)]
    if n_words > 3 and rng.random() < 0.4:
        words[n_words // 2] += ","
    return " ".join(words)


def _pick(choices: list[str] | str, rng: np.random.Generator) -> str:
    return str(choices[int(rng.integers(len(choices)))])


def _word(language: str, rng: np.random.Generator) -> str:
    """One word; English is half of the time a real one."""
    family = language.partition("-")[0]
    n_syllables = int(rng.integers(1, 4))
    if family == "en" and rng.random() < 0.65:
        return _pick(_ENGLISH, rng)
    syllable = _SCRIPTS.get(family, _latin)
    return "".join(syllable(family, rng) for _ in range(n_syllables))


def _latin(family: str, rng: np.random.Generator) -> str:
    vowels = _LATIN_VOWELS.get(family, _LATIN_VOWELS["default"])
    return _pick(_LATIN_ONSETS, rng) + _pick(vowels, rng) + _pick(_LATIN_CODAS, rng)


def _cyrillic(_family: str, rng: np.random.Generator) -> str:
    return _pick(_CYRILLIC_ONSETS, rng) + _pick(_CYRILLIC_VOWELS, rng)


def _kana(_family: str, rng: np.random.Generator) -> str:
    return _pick(_KANA, rng)


def _devanagari(_family: str, rng: np.random.Generator) -> str:
    return _pick(_DEVANAGARI_ONSETS, rng) + _pick(_DEVANAGARI_VOWELS, rng)


def _arabic(_family: str, rng: np.random.Generator) -> str:
    return _pick(_ARABIC, rng) + _pick("اويا", rng)


def _pinyin(_family: str, rng: np.random.Generator) -> str:
    onset = _pick(_PINYIN_ONSETS, rng)
    finals = next(f for group, f in _PINYIN_FINALS.items() if onset in group or not group)
    return f"{onset}{_pick(finals, rng)}{int(rng.integers(1, 5))}"


def _hangul(_family: str, rng: np.random.Generator) -> str:
    onset, vowel, coda = (
        int(rng.choice(part)) for part in (_HANGUL_ONSETS, _HANGUL_VOWELS, _HANGUL_CODAS)
    )
    return chr(_HANGUL_BASE + (onset * 21 + vowel) * 28 + coda)


_SCRIPTS = {
    "ru": _cyrillic,
    "uk": _cyrillic,
    "bg": _cyrillic,
    "ja": _kana,
    "hi": _devanagari,
    "ar": _arabic,
    "fa": _arabic,
    "cmn": _pinyin,
    "ko": _hangul,
}
