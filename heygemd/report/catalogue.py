"""Every message people meet, by its code, in English and Chinese. The words: messages.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Message:
    """What happened and what to do, in both languages.

    Attributes:
        en: one sentence; ``{names}`` in braces are filled from a notice's values.
        en_do: what to do about it.
        zh: as ``en``, in simplified Chinese.
        zh_do: as ``en_do``.
    """

    en: str
    en_do: str
    zh: str
    zh_do: str

    def say(self, language: Language, values: Mapping[str, object] | None = None) -> str:
        """What happened.

        Raises:
            KeyError: the sentence wants a value that is not given.
        """
        return (self.en if language == "en" else self.zh).format_map(values or {})

    def advise(self, language: Language) -> str:
        """What to do about it."""
        return self.en_do if language == "en" else self.zh_do


def error(code: str) -> Message:
    """The entry of an error's ``reason``; a code from a newer version gets a general entry."""
    known = _sections()["error"]
    return Message(**known.get(code, known["error"]))


def warning(code: str) -> Message:
    """The entry of a ``Notice``.

    Raises:
        KeyError: no such entry: heygemd made a warning without words for it.
    """
    return Message(**_sections()["warning"][code])


def word(key: str) -> tuple[str, str]:
    """One of the page's own words, English and Chinese.

    Raises:
        KeyError: no such word.
    """
    entry = _sections()["page"][key]
    return entry["en"], entry["zh"]


def codes(section: Literal["error", "warning", "page"]) -> frozenset[str]:
    """All keys of a section."""
    return frozenset(_sections()[section])


@cache
def _sections() -> dict[str, Any]:
    text = resources.files("heygemd.report").joinpath("messages.toml").read_text("utf-8")
    return tomllib.loads(text)
