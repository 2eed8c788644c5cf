"""The small utterance that the tests listen to, with its phone times beside it."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np

from training.espeak import Speaker
from training.footage import RATE_HZ

TEXT = "Mama papa, a baby may be happy above."
VOICE = "en-us+m3"  # held out of the training


def write(folder: Path) -> None:
    """Write ``bilabials.wav`` (16 kHz mono) and ``bilabials.json`` ([start_s, end_s, IPA])."""
    utterance = Speaker().say(TEXT, VOICE, rate_wpm=160)
    folder.mkdir(parents=True, exist_ok=True)
    with wave.open(str(folder / "bilabials.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((utterance.samples * 32767).astype("<i2").tobytes())
    rows = [[round(start, 3), round(end, 3), ipa] for start, end, ipa in utterance.phones]
    text = json.dumps({"text": TEXT, "voice": VOICE, "phones": rows}, ensure_ascii=False)
    (folder / "bilabials.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    np.seterr(all="raise")
    write(Path(__file__).parents[1] / "tests" / "media")
