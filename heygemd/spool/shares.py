"""Whether the inbox and the outbox are really there, and not a bare mount point."""

from __future__ import annotations

from pathlib import Path

from heygemd.spool import files
from heygemd.spool.fsops import FsOps
from heygemd.spool.layout import OWN, SpoolFolders

_SENTINEL = "SHARE_ID"


def init_share(fs: FsOps, folder: Path, share_id: str) -> str:
    """Mark a share, so that its absence can be told from emptiness; the id it carries.

    ``share_id`` is used when the share carries none yet.
    """
    found = share_id_of(fs, folder)
    if found:
        return found
    files.make_dir(fs, folder / OWN)
    files.put(fs, folder / OWN / _SENTINEL, share_id.encode())
    return share_id


def share_id_of(fs: FsOps, folder: Path) -> str:
    """The id a share carries, empty for a folder without one."""
    data = files.read_bytes(fs, folder / OWN / _SENTINEL)
    return data.decode("utf-8", "replace").strip() if data else ""


def known_ids(fs: FsOps, folders: SpoolFolders) -> dict[str, str] | None:
    """Side -> the id that its share had when the spool was last open; None for no spool."""
    document = files.read_json(fs, folders.work / "spool.json")
    return None if document is None else dict(document["shares"])


def is_there(fs: FsOps, folder: Path, known_id: str) -> bool:
    """True when the folder is the one that carried ``known_id``, empty when it never had one."""
    try:
        if not files.exists(fs, folder):
            return False
        return not known_id or share_id_of(fs, folder) == known_id
    except OSError:  # a share that does not answer is not there
        return False
