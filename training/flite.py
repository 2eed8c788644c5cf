"""Utterances with phone times from flite, whose voices were built of recorded people.

flite and its voices (Carnegie Mellon University, a permissive licence) are tools of the build
alone. They speak American and Scottish English; their timbre is nearer to a person's
than espeak-ng's.
"""

from __future__ import annotations

import ctypes
from math import gcd

import numpy as np
from scipy.signal import resample_poly

from training.footage import RATE_HZ
from training.utterance import Utterance

VOICES = ("cmu_us_slt", "cmu_us_rms", "cmu_us_awb", "cmu_us_kal16")

# The CMU pronouncing dictionary's phones in IPA.
_IPA = dict(
    entry.split("=")
    for entry in (
        "aa=ɑ ae=æ ah=ʌ ao=ɔ aw=aʊ ax=ə axr=ɚ ay=aɪ b=b ch=tʃ d=d dh=ð eh=ɛ er=ɝ ey=eɪ f=f g=ɡ "
        "hh=h ih=ɪ iy=iː jh=dʒ k=k l=l m=m n=n ng=ŋ ow=oʊ oy=ɔɪ p=p r=ɹ s=s sh=ʃ t=t th=θ uh=ʊ "
        "uw=uː v=v w=w y=j z=z zh=ʒ pau= ssil= brth="
    ).split()
)


class _Wave(ctypes.Structure):  # cst_wave.h of flite 2.2
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


class _VoiceHead(ctypes.Structure):  # cst_voice.h, its first members
    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


class Flite:
    """flite, ready to speak.

    Raises:
        OSError: libflite.so.1 or a voice is not installed.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
        for name in ("cmulex", "usenglish"):
            ctypes.CDLL(f"libflite_{name}.so.1", mode=ctypes.RTLD_GLOBAL)
        pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float
        for function, result, arguments in (
            ("flite_synth_text", pointer, [text, pointer]),
            ("utt_wave", ctypes.POINTER(_Wave), [pointer]),
            ("utt_relation", pointer, [pointer, text]),
            ("relation_head", pointer, [pointer]),
            ("item_next", pointer, [pointer]),
            ("item_feat_string", text, [pointer, text]),
            ("item_feat_float", number, [pointer, text]),
            ("flite_feat_set_float", None, [pointer, text, number]),
            ("delete_utterance", None, [pointer]),
        ):
            getattr(self._library, function).restype = result
            getattr(self._library, function).argtypes = arguments
        self._library.flite_init()
        self._voices = {name: self._register(name) for name in VOICES}

    @staticmethod
    def _register(name: str) -> int:
        library = ctypes.CDLL(f"libflite_{name}.so.1", mode=ctypes.RTLD_GLOBAL)
        register = getattr(library, f"register_{name}")
        register.restype, register.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
        voice: int | None = register(None)
        if not voice:
            raise OSError(f"flite has no voice {name}")
        return voice

    def say(self, text: str, voice: str, *, stretch: float = 1.0) -> Utterance:
        """Speak an English text.

        Args:
            text: words in Latin letters.
            voice: one of ``VOICES``.
            stretch: how much longer every phone takes.

        Raises:
            KeyError: an unknown voice.
            ValueError: a text that gives no sound.
        """
        library, handle = self._library, self._voices[voice]
        features = ctypes.cast(handle, ctypes.POINTER(_VoiceHead)).contents.features
        library.flite_feat_set_float(features, b"duration_stretch", stretch)
        utterance = library.flite_synth_text(text.encode(), handle)
        try:
            wave = library.utt_wave(utterance).contents
            if wave.num_samples <= 0:
                raise ValueError(f"flite's {voice} says nothing for {text!r}")
            spoken = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).astype(np.float32)
            rate_hz = int(wave.sample_rate)
            phones = self._phones(utterance)
        finally:
            library.delete_utterance(utterance)
        divisor = gcd(rate_hz, RATE_HZ)
        samples = resample_poly(spoken / 32768.0, RATE_HZ // divisor, rate_hz // divisor)
        return Utterance(samples.astype(np.float32), phones, voice)

    def _phones(self, utterance: int) -> tuple[tuple[float, float, str], ...]:
        item = self._library.relation_head(self._library.utt_relation(utterance, b"Segment"))
        spans: list[tuple[float, float, str]] = []
        while item:
            name = self._library.item_feat_string(item, b"name").decode()
            end_s = float(self._library.item_feat_float(item, b"end"))
            start_s = spans[-1][1] if spans else 0.0
            if end_s > start_s:
                spans.append((start_s, end_s, _IPA[name]))
            item = self._library.item_next(item)
        return tuple(spans)
