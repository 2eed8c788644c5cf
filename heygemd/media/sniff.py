"""What a file is and whether it is whole, by its own bytes: no parser library runs here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

Sniffed = Literal[
    "empty", "playlist", "text", "mp4", "mp4_sound", "riff_video", "riff_sound", "matroska",
    "film", "picture", "sound", "unknown",
]  # fmt: skip

HEAD_BYTES = 4096
TAIL_BYTES = 1 << 16
MAX_BOXES = 200_000  # four hours of one-second fragments are 30 000
PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"<smil", b"v=0", b"[playlist]", b"<asx")
SOUNDS = (b"ID3", b"fLaC", b"OggS", b"FORM", b"\xff\xfb", b"\xff\xf3", b"\xff\xf1", b"\xff\xf9")
EBML, PNG, JPEG = b"\x1aE\xdf\xa3", b"\x89PNG", b"\xff\xd8\xff"
RIFF_KINDS: dict[bytes, Sniffed] = {
    b"WAVE": "riff_sound", b"WEBP": "picture", b"AVI ": "riff_video",
}  # fmt: skip
FILMS = (b"\0\0\1\xba", b"\0\0\1\xb3", b"FLV\1", b"0&\xb2u\x8ef\xcf\x11")
MP4_SOUND_BRANDS = (b"M4A ", b"M4B ", b"F4A ")
FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp")
UNKNOWN_RIFF_SIZE = 0x7FFF0000  # writers that cannot seek leave this or more


@dataclass(frozen=True, slots=True)
class Box:
    """One top-level box of an mp4.

    Attributes:
        kind: four letters, e.g. ``moov``.
        start: offset of its first byte.
        size: as it declares, header included.
    """

    kind: str
    start: int
    size: int


def sniff(path: Path) -> Sniffed:
    """What the first bytes look like.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    words = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    signs: tuple[tuple[bool, Sniffed], ...] = (
        (not head, "empty"),
        (head[4:8] in FIRST_BOXES and head[8:12] in MP4_SOUND_BRANDS, "mp4_sound"),
        (head[4:8] in FIRST_BOXES, "mp4"),
        (head[:4] in {b"RIFF", b"RF64"}, RIFF_KINDS.get(head[8:12], "unknown")),
        (head.startswith(EBML), "matroska"),
        (head.startswith((PNG, JPEG)), "picture"),
        (head.startswith(FILMS) or head[:189:188] == b"GG", "film"),
        (head.startswith(SOUNDS), "sound"),
        (words.startswith(PLAYLISTS), "playlist"),
        (_is_text(head), "text"),
    )
    return next((kind for found, kind in signs if found), "unknown")


def find_truncation(path: Path) -> str:
    """In words how a file ends before it should; empty where it is whole or cannot be told.

    Raises:
        OSError: the file cannot be read.
    """
    n_bytes = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if head[4:8] in FIRST_BOXES:
            return _mp4_truncation(walk_boxes(path), n_bytes)
        if head[:4] == b"RIFF":
            return _riff_truncation(head, n_bytes)
        if head.startswith(EBML):
            return _matroska_truncation(head, n_bytes)
        if head.startswith(JPEG):
            return "" if b"\xff\xd9" in _tail(file) else "a JPEG without its end marker"
        if head.startswith(PNG):
            return "" if b"IEND" in _tail(file) else "a PNG without its end chunk"
    return ""


def walk_boxes(path: Path) -> list[Box]:
    """The top-level boxes of an mp4, to the end of the file or to bytes that are none."""
    n_bytes = path.stat().st_size
    boxes: list[Box] = []
    start = 0
    with path.open("rb") as file:
        while start + 8 <= n_bytes and len(boxes) < MAX_BOXES:
            file.seek(start)
            header = file.read(16)
            size, kind = int.from_bytes(header[:4]), header[4:8]
            if size == 1:
                size = int.from_bytes(header[8:16])
            elif size == 0:
                size = n_bytes - start
            if size < 8 or not kind.isascii() or not kind.decode().isprintable():
                break
            boxes.append(Box(kind=kind.decode(), start=start, size=size))
            start += size
    return boxes


def _mp4_truncation(boxes: list[Box], n_bytes: int) -> str:
    if not boxes:
        return "not one whole box"
    last = boxes[-1]
    end = last.start + last.size
    if end > n_bytes:
        return f"the {last.kind} box wants {end} bytes of file, there are {n_bytes}"
    kinds = {box.kind for box in boxes}
    if "moov" not in kinds:
        return "no moov box: the file's index is missing"
    if not kinds & {"mdat", "moof"}:
        return "no mdat box: the file's content is missing"
    return ""


def _riff_truncation(head: bytes, n_bytes: int) -> str:
    size = int.from_bytes(head[4:8], "little")
    end = size + 8
    if 0 < size < UNKNOWN_RIFF_SIZE and end > n_bytes + 1:  # writers forget the last pad byte
        return f"the RIFF header wants {end} bytes of file, there are {n_bytes}"
    return ""


def _matroska_truncation(head: bytes, n_bytes: int) -> str:
    """Read the EBML header's and the segment's sizes (RFC 8794, RFC 9559)."""
    header_bytes, at = _ebml_size(head, 4)
    at += header_bytes
    if head[at : at + 4] != b"\x18\x53\x80\x67":
        return ""
    size, body = _ebml_size(head, at + 4)
    if size >= 0 and body + size > n_bytes:
        return f"the segment wants {body + size} bytes of file, there are {n_bytes}"
    return ""


def _ebml_size(head: bytes, at: int) -> tuple[int, int]:
    """The number stored at ``at`` and the offset behind it; -1 stands for an unknown size."""
    first = head[at] if at < len(head) else 0
    length = 9 - first.bit_length()
    if length > 8:
        return -1, at + 1
    mask = (1 << (7 * length)) - 1
    value = int.from_bytes(head[at : at + length]) & mask
    return (-1 if value == mask else value), at + length


def _tail(file: BinaryIO) -> bytes:
    n_bytes = file.seek(0, os.SEEK_END)
    file.seek(max(0, n_bytes - TAIL_BYTES))
    return file.read()


def _is_text(head: bytes) -> bool:
    try:
        # A character may be cut at the end of what was read.
        words = head.decode("utf-8", "strict" if len(head) < HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        return False
    lost = len(head) - len(words.encode())
    return lost < 4 and all(letter.isprintable() or letter in "\t\r\n\f" for letter in words)
