"""Small pieces of HTML that are safe for any name, in both languages."""

from __future__ import annotations

import html
from urllib.parse import quote

from heygemd.report import catalogue
from heygemd.report.catalogue import LANGUAGES, Language
from heygemd.report.documents import printable

TAGS: dict[Language, str] = {"en": "en", "zh": "zh-Hans"}

# Control characters and those that turn the direction of text are shown, not obeyed.
_UNSEEN = (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SHOWN = {
    code: chr(code).encode("unicode_escape").decode("ascii")
    for code in (*_UNSEEN, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF)
}


def text(value: object) -> str:
    """A value as HTML text or attribute: every character stands for itself, bytes included."""
    return html.escape(printable(str(value)).translate(_SHOWN), quote=True)


def name(value: object) -> str:
    """A file's name: isolated, so that letters that run right to left move nothing around it."""
    return f'<bdi class="name">{text(value)}</bdi>'


def link(file_name: str) -> str:
    """The address of a file beside the page; never taken for a scheme or an option."""
    return "./" + quote(file_name.encode("utf-8", "surrogateescape"))


def both(en: str, zh: str) -> str:
    """The same thing said twice; the page shows the language that is chosen. Takes HTML."""
    said = {"en": en, "zh": zh}
    return "".join(
        f'<span class="t" lang="{TAGS[language]}">{said[language]}</span>' for language in LANGUAGES
    )


def say(key: str, **values: object) -> str:
    """A word or sentence of the page's own, with values that are HTML already."""
    if values.get("n") == 1 and f"{key}_one" in catalogue.codes("page"):
        key = f"{key}_one"
    en, zh = catalogue.word(key)
    return both(text(en).format_map(values), text(zh).format_map(values))


def clock(seconds: float) -> str:
    """A length, e.g. ``0:07`` or ``1:02:03``."""
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest_s:02}" if hours else f"{minutes}:{rest_s:02}"


def about(seconds: float) -> str:
    """A length in words, no finer than it is known."""
    if seconds < 60:
        return say("under_a_minute")
    minutes = round(seconds / 60)
    if minutes < 90:
        return say("minutes", n=minutes)
    return say("hours", n=round(minutes / 60))


def size(n_bytes: float) -> str:
    """A file's size, e.g. ``3.4 MB``."""
    for unit in ("B", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} GB"


def icon(state: str) -> str:
    """The picture of a state; words stand beside it always."""
    use = f'<use href="#{state}"/>'
    return f'<svg class="icon {state}" aria-hidden="true" focusable="false">{use}</svg>'
