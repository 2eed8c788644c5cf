"""What file names mean on the way in, and how outputs are called on the way out."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Literal

Kind = Literal[
    "audio", "video", "options", "ready", "cancel", "finished", "temp", "junk", "hidden", "other"
]  # fmt: skip

PAUSE_NAME = "PAUSE"
FINISHED_NAME = ".heygemd-done"

AUDIO = frozenset({"wav", "mp3", "m4a", "aac", "flac", "ogg", "opus", "wma", "aiff", "oga", "mka"})
VIDEO = frozenset(
    {
        "mp4", "mov", "mkv", "webm", "avi", "flv", "m4v", "mpg", "mpeg", "ts", "mts", "m2ts",
        "wmv", "3gp", "jpg", "jpeg", "png", "webp",
    }
)  # fmt: skip

PICTURES = frozenset({"jpg", "jpeg", "png", "webp"})
_CONTENT: dict[str, Kind] = {**dict.fromkeys(AUDIO, "audio"), **dict.fromkeys(VIDEO, "video")}
_SPECIAL: dict[str, Kind] = {
    "job.toml": "options",
    ".ready": "ready",
    "cancel": "cancel",
    FINISHED_NAME: "finished",
}

# Names that programs give files they are still writing: browsers, Office, Syncthing, rsync.
_TEMP = (
    "*.part", "*.partial", "*.crdownload", "*.download", "*.tmp", "*.temp", "*.filepart", "*.!qb",
    "~$*", ".syncthing.*", "~syncthing~*", ".~tmp~", "*.opdownload", "*.aria2",
)  # fmt: skip
_RSYNC_TEMP = r"\..+\.[A-Za-z0-9]{6}"  # .<name>.XXXXXX

# What file managers and storage boxes leave lying about.
_JUNK = (
    ".ds_store", "._*", "thumbs.db", "ehthumbs.db", "desktop.ini", ".appledouble",
    ".spotlight-v100", ".trashes", "@eadir", "#recycle", "#snapshot", "@recycle", "$recycle.bin",
    "system volume information", "lost+found", "__macosx", ".nfs*", ".smbdelete*",
    ".fuse_hidden*", ".fseventsd", ".temporaryitems", ".apdisk",
)  # fmt: skip

_IS_TEMP = re.compile("|".join([*map(fnmatch.translate, _TEMP), _RSYNC_TEMP])).fullmatch
_IS_JUNK = re.compile("|".join(map(fnmatch.translate, _JUNK))).fullmatch

# Windows refuses these whatever the extension (Microsoft, "Naming Files, Paths, and Namespaces").
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*]')
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_BIDI = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]")
_MAX_BYTES = 180  # file systems stop at 255; room for "~12", ".json" and our own suffixes


def kind_of(name: str) -> Kind:
    """What an entry of a job folder is, by its name alone."""
    low = name.lower()
    if low in _SPECIAL:
        return _SPECIAL[low]
    if _IS_JUNK(low):
        return "junk"
    if _IS_TEMP(low):
        return "temp"
    if name.startswith("."):
        return "hidden"
    return _CONTENT.get(low.rpartition(".")[2], "other") if "." in low else "other"


def is_reference(name: str) -> bool:
    """A picture of the person to follow, where a job asks for that: ``reference.jpg``."""
    stem, _, extension = name.lower().rpartition(".")
    return stem == "reference" and extension in PICTURES


def safe_name(name: str) -> str:
    """A name that Windows, macOS, Linux and a shell take without surprise.

    NFC; no control or direction-changing characters, nothing Windows forbids or reserves, no dot,
    dash or blank in front, no dot or blank behind, at most 180 bytes of UTF-8.
    """
    text = _SURROGATES.sub("_", name)
    text = unicodedata.normalize("NFC", text)
    text = _FORBIDDEN.sub("_", _BIDI.sub("", text))
    text = _cut(text.strip(), _MAX_BYTES).rstrip(" .")
    if not text or text[0] in ".-~":
        text = f"_{text.lstrip('.-~')}"
    return f"_{text}" if _RESERVED.fullmatch(text) else text


def safe_stem(name: str) -> str:
    """``safe_name`` of a file name without its extension."""
    return safe_name(PurePosixPath(name).stem)


def _cut(text: str, n_bytes: int) -> str:
    return text.encode()[:n_bytes].decode("utf-8", "ignore")


def same_key(name: str) -> str:
    """Equal for names that some file system takes for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def numbered(name: str, n: int) -> str:
    """``name``, ``name~2``, ``name~3`` for n = 1, 2, 3."""
    return name if n == 1 else f"{name}~{n}"


def distinct(name: str, taken: Collection[str]) -> str:
    """The first of ``name``, ``name~2``, ... whose key is not in ``taken``."""
    n = 1
    while same_key(numbered(name, n)) in taken:
        n += 1
    return numbered(name, n)


def stems(names: Collection[str]) -> list[str]:
    """Output stems for these file names: safe, distinct, and none that would hide job.json."""
    taken = {"job"}
    chosen = []
    for name in names:
        stem = distinct(safe_stem(name), taken)
        taken.add(same_key(stem))
        chosen.append(stem)
    return chosen
