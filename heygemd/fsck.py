"""``heygemd fsck``: does the spool keep its promises, beside a daemon or after its death."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from typing import Any

from rich.markup import escape

from heygemd import opening, tables
from heygemd.errors import ConfigError, TransientError
from heygemd.report.documents import printable
from heygemd.settings import Settings
from heygemd.spool import fsck, shares
from heygemd.spool.files import weighed
from heygemd.spool.fsck import Finding
from heygemd.spool.fsops import FsOps
from heygemd.spool.layout import MAX_ATTEMPTS, SpoolFolders

_TRIES = 5


def run(settings: Settings, *, repair: bool = False, as_json: bool = False) -> int:
    """Print what is broken, mended first if asked for; 1 when an error is left.

    Raises:
        BusyError: ``repair``, and a daemon is at work.
        ConfigError: there is no spool.
        TransientError: a share is away, so nobody can say.
    """
    folders = opening.folders(settings)
    mended = _mend(settings) if repair else []
    with weighed("check the spool"), _resting(folders) as at_rest:
        findings = _findings(folders, at_rest=at_rest)
    told = {
        "schema_version": 1,
        "at_rest": at_rest,
        "mended": [printable(said) for said in mended],
        "findings": [_document(finding) for finding in findings],
    }
    if as_json:
        print(json.dumps(told, indent=2))
    else:
        _print(told)
    return 1 if any(finding.severity == "error" for finding in findings) else 0


def _mend(settings: Settings) -> list[str]:
    with closing(opening.spool(settings)) as spool:
        _refuse_absence(opening.folders(settings))
        spool.open()
        return spool.mend()


@contextmanager
def _resting(folders: SpoolFolders) -> Iterator[bool]:
    """True while no daemon is at work, and keeps it so; False beside one."""
    _refuse_absence(folders)
    fs = FsOps()
    try:
        lock_fd = fs.lock(folders.work / "instance.lock")
    except (BlockingIOError, PermissionError):
        yield False
        return
    try:
        yield True
    finally:
        fs.release(lock_fd)


def _refuse_absence(folders: SpoolFolders) -> None:
    """A share that is away would look like one that lost everything."""
    fs = FsOps()
    known = shares.known_ids(fs, folders)
    if known is None:
        raise ConfigError(f"no spool at {folders.work}; heygemd has never worked there")
    for side, folder in (("inbox", folders.inbox), ("outbox", folders.outbox)):
        if not shares.is_there(fs, folder, known.get(side, "")):
            raise TransientError(f"the {side} {folder} is not there; mount it", code="share_gone")


def _findings(folders: SpoolFolders, *, at_rest: bool) -> list[Finding]:
    """What is broken; beside a daemon only what two looks agree on, for between them it moves."""
    if at_rest:
        return _look(folders, at_rest=True)
    first, second = _look_beside(folders), _look_beside(folders)
    return [finding for finding in first if finding in second]


def _look(folders: SpoolFolders, *, at_rest: bool) -> list[Finding]:
    return fsck.check(FsOps(), folders, max_attempts=MAX_ATTEMPTS, at_rest=at_rest)


def _look_beside(folders: SpoolFolders) -> list[Finding]:
    """A look that a moving daemon disturbs is repeated."""
    for _ in range(_TRIES):
        with suppress(FileNotFoundError):
            return _look(folders, at_rest=False)
    return _look(folders, at_rest=False)


def _document(finding: Finding) -> dict[str, Any]:
    return {
        **asdict(finding),
        "path": printable(str(finding.path)),
        "message": printable(finding.message),
    }


def _print(told: dict[str, Any]) -> None:
    console = tables.console()
    for said in told["mended"]:
        console.print(f"mended: {said}", markup=False)
    table = tables.table("rule", "", "where", "what")
    marks = {"error": "[red]ERROR[/]", "note": "note"}
    for finding in told["findings"]:
        cells = escape(finding["path"]), escape(finding["message"])
        table.add_row(finding["rule"], marks[finding["severity"]], *cells)
    if told["findings"]:
        console.print(table)
    n_errors = sum(finding["severity"] == "error" for finding in told["findings"])
    beside = "" if told["at_rest"] else ", beside a daemon at work"
    console.print(f"{n_errors} errors, {len(told['findings']) - n_errors} notes{beside}")
