"""A clip's pictures as files, so that a job that goes on after a restart still has them."""

from __future__ import annotations

from collections.abc import Mapping

from heygemd.records import ClipPictures

SHEET, POSTER, WAVE = "sheet.jpg", "poster.jpg", "wave.svg"


def to_files(pictures: ClipPictures) -> dict[str, bytes]:
    """File names and bytes; pictures that are empty have no file."""
    files = {SHEET: pictures.sheet, POSTER: pictures.poster, WAVE: pictures.wave.encode("utf-8")}
    return {name: content for name, content in files.items() if content}


def from_files(files: Mapping[str, bytes]) -> ClipPictures:
    """What ``to_files`` was given; files that are lost leave their picture empty."""
    return ClipPictures(
        files.get(SHEET, b""), files.get(POSTER, b""), files.get(WAVE, b"").decode("utf-8")
    )
