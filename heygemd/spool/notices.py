"""Notes to people in the inbox: why a folder has been waiting for so long."""

from __future__ import annotations

from collections.abc import Callable

from heygemd.spool import files
from heygemd.spool.fsops import FsOps
from heygemd.spool.inbox import Scan
from heygemd.spool.layout import OWN, SpoolFolders

SUFFIX = ".WAITING.txt"


class Notices:
    """Puts ``<folder>.WAITING.txt`` beside a folder that waits too long, and takes it away again.

    Args:
        incomplete_s: how long is too long.
    """

    def __init__(self, fs: FsOps, folders: SpoolFolders, *, incomplete_s: float) -> None:
        self._fs = fs
        self._folders = folders
        self._incomplete_s = incomplete_s

    def tell(self, scan: Scan, now_s: float, first_seen_s: Callable[[str], float | None]) -> None:
        """Bring the notices in line with what a scan saw.

        Args:
            scan: who waits, and why.
            now_s: monotonic.
            first_seen_s: when a folder was seen first.
        """
        wanted = {}
        for name, why in scan.waiting.items():
            since_s = first_seen_s(name)
            if since_s is None or now_s - since_s < self._incomplete_s or name.startswith(OWN):
                continue
            folder = scan.looks.get(name)
            if folder is not None and not folder.sounds and not folder.is_finished:
                wanted[name + SUFFIX] = f"heygemd waits for this folder: {why}\n"
        self._take_away(scan, wanted)
        for name, text in wanted.items():
            self._put(name, text.encode("utf-8", "backslashreplace"))

    def _take_away(self, scan: Scan, wanted: dict[str, str]) -> None:
        for name in scan.notices:
            if name not in wanted:
                files.remove(self._fs, self._folders.inbox / name)

    def _put(self, name: str, text: bytes) -> None:
        path = self._folders.inbox / name
        if len(name.encode("utf-8", "surrogateescape")) > 255:
            return  # the name is too long for a companion; ``status`` says it all the same
        if files.read_bytes(self._fs, path) != text:
            files.put(self._fs, path, text, via=self._folders.inbox / OWN / "notice.tmp")
