"""Synthetic utterances with phone times, from espeak-ng through its C interface.

espeak-ng (GPL-3.0) is a tool of the build alone: nothing of it is shipped.
"""

from __future__ import annotations

import ctypes
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.signal import resample_poly

from training.footage import RATE_HZ
from training.utterance import Utterance

if TYPE_CHECKING:
    from numpy.typing import NDArray

# speak_lib.h of espeak-ng 1.51.
_OUTPUT_SYNCHRONOUS = 2
_INITIALISE_PHONEME_EVENTS = 0x0001
_INITIALISE_PHONEME_IPA = 0x0002
_EVENT_LIST_TERMINATED = 0
_EVENT_PHONEME = 7
_POS_CHARACTER = 1
_CHARS_UTF8 = 1
_PARAMETER_RATE, _PARAMETER_PITCH, _PARAMETER_RANGE = 1, 3, 4


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # milliseconds
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


# Measured on 250 voiceless stops after vowels: silence from 45 ms before the mark to the mark.
_VOICELESS_STOPS = ("p", "t", "k", "c", "q", "ʈ")
_CLOSURE_S = 0.045
_LEAST_PHONE_S = 0.02

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Speaker:
    """espeak-ng, ready to speak; one a process, for the library keeps global state.

    Raises:
        OSError: libespeak-ng.so.1 is not installed.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libespeak-ng.so.1")
        self._pieces: list[NDArray[np.int16]] = []
        self._events: list[tuple[float, str]] = []
        self._callback = _Callback(self._collect)  # kept: the library holds only a pointer
        flags = _INITIALISE_PHONEME_EVENTS | _INITIALISE_PHONEME_IPA
        self.rate_hz = int(self._library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 0, None, flags))
        if self.rate_hz <= 0:
            raise OSError(f"espeak_Initialize returned {self.rate_hz}, want a sample rate")
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_GetCurrentVoice.restype = ctypes.POINTER(_Voice)
        data = ctypes.c_char_p()
        self._library.espeak_Info(ctypes.byref(data))
        self._data = Path((data.value or b"").decode())

    def _collect(self, samples: Any, n_samples: int, events: Any) -> int:  # noqa: ANN401 - C pointers
        if samples and n_samples > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, (n_samples,)).copy())
        index = 0
        while events[index].type != _EVENT_LIST_TERMINATED:
            event = events[index]
            if event.type == _EVENT_PHONEME:
                ipa = bytes(event.id.string).split(b"\0")[0].decode("utf-8", "ignore")
                if not ipa.startswith("("):  # (en) marks a switch of language, not a sound
                    self._events.append((event.audio_position / 1000.0, ipa))
            index += 1
        return 0

    def use(self, voice: str) -> None:
        """Take a voice such as ``de+f2``.

        Raises:
            ValueError: espeak-ng does not have it, or quietly took another.
        """
        status = self._library.espeak_SetVoiceByName(voice.encode())
        language, _, variant = voice.partition("+")
        if variant and not (self._data / "voices" / "!v" / variant).is_file():
            raise ValueError(f"voice {voice}: espeak-ng has no variant {variant}")
        current = self._library.espeak_GetCurrentVoice().contents
        loaded = current.languages[1:].decode() if status == 0 else "nothing"
        if status != 0 or not loaded.lower().startswith(language.lower()[:2]):
            raise ValueError(f"voice {voice}: espeak-ng gives {loaded} (status {status})")

    def say(
        self, text: str, voice: str, *, rate_wpm: int = 170, pitch: int = 50, spread: int = 50
    ) -> Utterance:
        """Speak a text.

        Args:
            text: in the voice's own script.
            voice: language and variant, e.g. ``en-us+m3``.
            rate_wpm: words a minute, 80 to 450.
            pitch: 0 to 100.
            spread: range of the pitch, 0 to 100.

        Raises:
            ValueError: an unknown voice, or a text that gives no sound.
        """
        self.use(voice)
        for parameter, value in (
            (_PARAMETER_RATE, rate_wpm),
            (_PARAMETER_PITCH, pitch),
            (_PARAMETER_RANGE, spread),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._pieces.clear()
        self._events.clear()
        raw = text.encode()
        self._library.espeak_Synth(raw, len(raw) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None)
        self._library.espeak_Synchronize()
        if not self._pieces or not self._events:
            raise ValueError(f"voice {voice} says nothing for {text!r}")
        spoken = np.concatenate(self._pieces).astype(np.float32) / 32768.0
        divisor = gcd(self.rate_hz, RATE_HZ)
        samples = resample_poly(spoken, RATE_HZ // divisor, self.rate_hz // divisor)
        return Utterance(
            samples=samples.astype(np.float32),
            phones=spans(self._events, len(spoken) / self.rate_hz),
            voice=voice,
        )


def spans(
    events: list[tuple[float, str]], duration_s: float
) -> tuple[tuple[float, float, str], ...]:
    """Phone starts as (start_s, end_s, IPA) without gaps; the sound before the first is a pause.

    espeak-ng marks a voiceless stop at its burst, and the closure before it lies in the phone
    before; here the stop begins with its closure.
    """
    ordered = sorted(events, key=lambda event: event[0])
    moved: list[tuple[float, str]] = []
    for start_s, ipa in ordered:
        earliest_s = moved[-1][0] + _LEAST_PHONE_S if moved else 0.0
        if ipa.startswith(_VOICELESS_STOPS):
            start_s = min(start_s, max(earliest_s, start_s - _CLOSURE_S))  # noqa: PLW2901
        moved.append((start_s, ipa))
    starts = [(0.0, ""), *moved] if moved and moved[0][0] > 0 else moved
    ends = [start_s for start_s, _ in starts[1:]] + [duration_s]
    return tuple(
        (start_s, end_s, ipa)
        for (start_s, ipa), end_s in zip(starts, ends, strict=True)
        if end_s > start_s
    )
