"""Whether a media file is cut off, by its outermost sizes alone.

Enough to see that a copy is still under way; what is inside is the media world's to judge.
"""

from __future__ import annotations

from collections.abc import Callable

from heygemd.spool.fsops import FsOps

_BOX_FILES = frozenset({"mp4", "mov", "m4v", "m4a", "3gp"})
_RIFF_FILES = frozenset({"wav", "avi", "webp"})
_EBML_FILES = frozenset({"mkv", "webm", "mka"})
_OPEN_ENDED = {0, 0xFFFFFFFF}  # RIFF writers that never went back to fill in the size
_TOP_BOXES = frozenset(
    {
        b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid", b"styp", b"sidx",
        b"moof", b"meta", b"pdin", b"\0\0\0\0",
    }
)  # fmt: skip
_MAX_BOXES = 20_000  # fragmented mp4 has two boxes a second; this covers hours

Reader = Callable[[int, int], bytes]
"""(n_bytes, offset) -> bytes, fewer at the end of the file."""


def cut_off(fs: FsOps, fd: int, name: str, size: int) -> bool:
    """True when the container says that bytes are missing at the end, or there are none.

    The extension of ``name`` says which container to expect; ``size`` is the file's, in bytes.
    """
    extension = name.rpartition(".")[2].lower()
    if not size:  # network clients make the name first and send the bytes later
        return True

    def read(n_bytes: int, offset: int) -> bytes:
        return fs.read_at(fd, n_bytes, offset)

    if extension in _BOX_FILES:
        return _boxes_cut_off(read, size)
    if extension in _RIFF_FILES:
        return _riff_cut_off(read, size)
    if extension in _EBML_FILES:
        return _ebml_cut_off(read, size)
    return False


def _boxes_cut_off(read: Reader, size: int) -> bool:
    """Walk top-level boxes (ISO/IEC 14496-12, 4.2); the last one must end inside the file."""
    offset = 0
    for _ in range(_MAX_BOXES):
        head = read(16, offset)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if offset == 0 and kind not in _TOP_BOXES:
            return False  # no box file at all, whatever its name: not ours to say
        if offset + 8 > size:
            return offset != size
        if length == 0:
            return kind == b"\0\0\0\0"  # zeros where a writer has reserved room
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:
            break
        offset += length
    return False


def _riff_cut_off(read: Reader, size: int) -> bool:
    head = read(12, 0)
    if head[:4] != b"RIFF" or len(head) < 12:
        return False
    length = int.from_bytes(head[4:8], "little")
    return length not in _OPEN_ENDED and length + 8 > size + 1  # a missing pad byte is common


def _ebml_cut_off(read: Reader, size: int) -> bool:
    """The EBML header, then one Segment whose size must fit (RFC 8794, RFC 9559)."""
    if read(4, 0) != b"\x1a\x45\xdf\xa3":
        return False
    header = _ebml_length(read, 4)
    if header is None:
        return False
    segment = header[1] + header[0]
    if read(4, segment) != b"\x18\x53\x80\x67":
        return segment > size
    body = _ebml_length(read, segment + 4)
    return body is not None and body[1] + body[0] > size


def _ebml_length(read: Reader, offset: int) -> tuple[int, int] | None:
    """(length, where the data starts), None for "unknown"."""
    first = read(1, offset)
    if not first or not first[0]:
        return None
    n_bytes = 9 - first[0].bit_length()
    raw = int.from_bytes(read(n_bytes, offset), "big")
    value = raw & ((1 << (7 * n_bytes)) - 1)
    unknown = value == (1 << (7 * n_bytes)) - 1
    return None if unknown else (value, offset + n_bytes)
