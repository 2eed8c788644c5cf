"""Synthetic speech with known visemes in many languages and voices, in rooms, lines and noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heygemd.lips.warp.voice import STEPS_PER_S
from heygemd.records import Waveform
from training import sounds, texts
from training.espeak import Speaker
from training.flite import Flite
from training.footage import RATE_HZ
from training.phones import Said, said
from training.utterance import Utterance

if TYPE_CHECKING:
    from numpy.typing import NDArray

LANGUAGES = (
    *("en-us", "en-us", "en-gb-x-rp", "en-gb-scotland", "en-029", "de", "fr", "es", "es-419"),
    *("it", "pt-br", "pl", "nl", "sv", "tr", "ru", "cmn-latn-pinyin", "cmn-latn-pinyin", "ja"),
    *("hi", "ro", "fi", "hu", "id", "el", "sw"),
)
VARIANTS = (
    *("", "+m1", "+m2", "+m4", "+m5", "+m6", "+m7", "+m8", "+f1", "+f3", "+f4", "+f5"),
    *("+klatt", "+klatt2", "+klatt3", "+klatt4", "+klatt5", "+klatt6", "+Annie", "+linda"),
    *("+steph", "+adam", "+paul", "+max", "+Alex", "+Andrea", "+anika", "+belinda", "+Denis"),
    *("+grandma", "+grandpa", "+Gene", "+Henrique", "+john", "+Lee", "+norbert", "+quincy"),
)

# Never trained on: how the model fares with voices and languages that it does not know.
HELD_OUT_LANGUAGES = ("en-us", "de", "fr", "es", "cmn-latn-pinyin", "ko", "ar", "vi", "cs", "uk")
HELD_OUT_VARIANTS = ("+m3", "+f2", "+aunty", "+edward")

FLITE_VOICES = ("cmu_us_slt", "cmu_us_rms", "cmu_us_kal16")
HELD_OUT_FLITE_VOICE = "cmu_us_awb"
_FLITE_SHARE = 0.25  # of the corpus


@dataclass(frozen=True, slots=True)
class Lesson:
    """One utterance, ready to train on.

    Attributes:
        sound: 16 kHz mono.
        said: what is said at each of the network's T steps.
        voice: which voice spoke.
    """

    sound: Waveform
    said: Said
    voice: str


def step_moments_s(n_steps: int) -> NDArray[np.float64]:
    """(n_steps,) the moments that the network's steps stand for."""
    return np.arange(n_steps) / STEPS_PER_S


def lesson(utterance: Utterance, rng: np.random.Generator, *, clean: bool = False) -> Lesson:
    """An utterance with silence around it, through a room, a line or noise half of the time."""
    lead = int(rng.uniform(0.05, 0.5) * RATE_HZ)
    samples = np.pad(utterance.samples, (lead, int(0.25 * RATE_HZ)))
    lead_s = lead / RATE_HZ
    phones = tuple((start + lead_s, end + lead_s, ipa) for start, end, ipa in utterance.phones)
    if not clean:
        samples = disturbed(samples, rng)
    n_steps = len(samples) * STEPS_PER_S // RATE_HZ + 1
    return Lesson(
        sound=Waveform(samples.astype(np.float32), RATE_HZ),
        said=said(phones, step_moments_s(n_steps)),
        voice=utterance.voice,
    )


def disturbed(samples: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A room, a line and a background, each at times."""
    if rng.random() < 0.35:
        samples = sounds.room(samples, rng)
    if rng.random() < 0.3:
        samples = sounds.line(samples, rng)
    if rng.random() < 0.35:
        samples = sounds.mixed(
            samples, sounds.not_speech(len(samples), rng), ratio_db=rng.uniform(8.0, 30.0)
        )
    return samples


def corpus(n_lessons: int, rng: np.random.Generator) -> list[Lesson]:
    """Utterances of random training voices.

    Raises:
        ValueError: a voice that espeak-ng does not have.
    """
    speaker, flite = Speaker(), Flite()
    for language in LANGUAGES:
        speaker.use(language)
    for variant in VARIANTS + HELD_OUT_VARIANTS:
        speaker.use("en-us" + variant)
    made = []
    for _ in range(n_lessons):
        if rng.random() < _FLITE_SHARE:
            voice = FLITE_VOICES[rng.integers(len(FLITE_VOICES))]
            made.append(lesson(recite(flite, voice, rng), rng))
        else:
            language = LANGUAGES[rng.integers(len(LANGUAGES))]
            variant = VARIANTS[rng.integers(len(VARIANTS))]
            made.append(lesson(utter(speaker, language + variant, rng), rng))
    return made


def exam(n_each: int, rng: np.random.Generator) -> list[Lesson]:
    """Clean utterances of voices and languages that were held out."""
    speaker, flite = Speaker(), Flite()
    spoken = [
        utter(speaker, language + variant, rng)
        for language in HELD_OUT_LANGUAGES
        for variant in HELD_OUT_VARIANTS
        for _ in range(n_each)
    ]
    spoken += [recite(flite, HELD_OUT_FLITE_VOICE, rng) for _ in range(8 * n_each)]
    return [lesson(utterance, rng, clean=True) for utterance in spoken]


def utter(speaker: Speaker, voice: str, rng: np.random.Generator) -> Utterance:
    """A random sentence in a voice, at a random pace and pitch."""
    text = texts.sentence(voice.partition("+")[0], int(rng.integers(4, 9)), rng)
    return speaker.say(
        text,
        voice,
        rate_wpm=int(rng.integers(115, 240)),
        pitch=int(rng.integers(20, 80)),
        spread=int(rng.integers(20, 90)),
    )


def recite(flite: Flite, voice: str, rng: np.random.Generator) -> Utterance:
    """A random English sentence in one of flite's voices, at a random pace."""
    text = texts.sentence("en-us", int(rng.integers(4, 9)), rng)
    return flite.say(text, voice, stretch=float(rng.uniform(0.75, 1.25)))
