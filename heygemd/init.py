"""``heygemd init``: make the folders, and mark both shares so that their absence is noticed."""

from __future__ import annotations

import secrets

from heygemd import opening
from heygemd.bell import file_system
from heygemd.errors import ConfigError
from heygemd.settings import Settings
from heygemd.spool import shares
from heygemd.spool.fsops import FsOps
from heygemd.spool.layout import check_folders


def run(settings: Settings) -> int:
    """Make what is missing and say what is there; doing it twice changes nothing.

    Raises:
        ConfigError: the folders lie in one another, or cannot be made.
    """
    folders, fs = opening.folders(settings), FsOps()
    check_folders(folders)
    named = {"inbox": folders.inbox, "outbox": folders.outbox, "work": folders.work}
    try:
        for name, folder in named.items():
            folder.mkdir(parents=True, exist_ok=True)
            print(f"{name:6}  {folder} ({file_system(folder)})")
        for name in ("inbox", "outbox"):
            share_id = shares.init_share(fs, named[name], secrets.token_hex(8))
            print(f"{name:6}  carries {named[name] / '.heygemd' / 'SHARE_ID'}: {share_id}")
    except OSError as error:
        raise ConfigError(
            f"{error.filename}: {error.strerror}; run heygemd init as a user who may write there"
        ) from error
    return 0
