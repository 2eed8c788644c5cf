"""``heygemd check``: is everything in place, and if not, what to do about it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from heygemd import models, tables, trials
from heygemd.bell import file_system, is_silent
from heygemd.errors import FatalError, ModelError
from heygemd.lips import modelstore
from heygemd.media import encode, tool
from heygemd.settings import Settings
from heygemd.spool.layout import SpoolFolders, check_folders
from heygemd.trials import Finding

_WORK_BYTES = 10 << 30  # ten clips of an hour at 720p


def run(settings: Settings, *, as_json: bool = False) -> int:
    """Print every finding; 0 when the daemon could start, else the exit code it would have."""
    codes: list[int] = []
    findings = [finding for look in _looks(settings) for finding in _guarded(look, codes)]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        _print_table(findings)
    if codes:
        return codes[0]
    return 74 if any(finding.level == "error" for finding in findings) else 0


def _looks(settings: Settings) -> Iterator[Callable[[], Iterator[Finding]]]:
    yield trials.look_at_driver
    yield trials.look_at_gpus
    yield lambda: _ffmpeg(settings)
    yield lambda: _model(settings)
    yield lambda: _checkpoints(settings)
    yield lambda: _folders(settings)
    yield lambda: trials.look_at_events(settings.folders.inbox)
    for name, path in (("inbox", settings.folders.inbox), ("outbox", settings.folders.outbox)):
        if path.is_dir():
            yield partial(trials.try_share, name, path)


def _guarded(look: Callable[[], Iterator[Finding]], codes: list[int]) -> Iterator[Finding]:
    """A look that ends in a fatal error is a finding of its own; the others go on."""
    try:
        yield from look()
    except FatalError as error:
        codes.append(error.exit_code)
        what, _, advice = str(error).partition("; ")
        yield Finding(error.reason, "error", what, advice or "see the message")


def _ffmpeg(settings: Settings) -> Iterator[Finding]:
    ffmpeg = tool.find_ffmpeg(settings.media.ffmpeg)
    yield Finding("ffmpeg", "ok", f"{ffmpeg.version} at {ffmpeg.path}")
    encoder = encode.choose_encoder(ffmpeg, settings.encode.codec)
    yield Finding("encoder", "ok", f"{encoder.codec}: {encoder.reason}")
    yield from trials.look_at_encoders(ffmpeg)
    yield from trials.try_playlists(ffmpeg)


def _model(settings: Settings) -> Iterator[Finding]:
    with closing(
        models.load(settings.model, settings.faces, settings.restore, settings.quality)
    ) as loaded:
        facts = loaded.facts
    yield Finding("faces", "ok", facts.detector)
    digest = f", sha256 {facts.sha256[:12]}" if facts.sha256 else ""
    yield Finding("model", "ok", f"{facts.name} on {facts.device}{digest}")


def _checkpoints(settings: Settings) -> Iterator[Finding]:
    """Every kept checkpoint against the sha256 that it had when it was added."""
    kept = settings.folders.models
    for stored in modelstore.stored_models(kept):
        try:
            modelstore.verify(stored, kept)
        except ModelError as error:
            what, _, advice = str(error).partition("; ")
            yield Finding(stored.file, "warning", what, advice)
        else:
            yield Finding(stored.file, "ok", f"whole, sha256 {stored.sha256[:12]}")


def _folders(settings: Settings) -> Iterator[Finding]:
    folders = settings.folders
    named = {"inbox": folders.inbox, "outbox": folders.outbox, "work": folders.work}
    for name, path in named.items():
        yield _folder(name, path)
    for name in ("inbox", "outbox"):
        if is_silent(named[name]):
            yield from trials.look_at_mark(name, named[name])
    check_folders(SpoolFolders(folders.inbox, folders.outbox, folders.work))
    yield Finding("folders", "ok", "apart from each other and from the program; no links")


def _folder(name: str, path: Path) -> Finding:
    if not path.is_dir():
        advice = f"mkdir -p {path}, or set folders.{name}; is the share mounted?"
        return Finding(name, "error", f"no folder at {path}", advice)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        advice = f"give the user that runs heygemd (uid {os.getuid()}) all rights on it"
        return Finding(name, "error", f"{path} cannot be read and written", advice)
    usage, kind = shutil.disk_usage(path), file_system(path)
    free = f"{usage.free / 1e9:.1f} GB free" if usage.total else "does not tell its free space"
    found = f"{path} ({kind}, {free})"
    if name == "inbox" and is_silent(path):
        found += ", polled, since this file system sends no events"
    if name == "work" and is_silent(path):
        return Finding(name, "warning", found, "put the work folder on a local disk")
    if name != "inbox" and usage.total and usage.free < _WORK_BYTES:
        return Finding(name, "warning", found, "free some space: jobs wait when a disk is full")
    return Finding(name, "ok", found)


def _print_table(findings: list[Finding]) -> None:
    table = tables.table("", "what", "found", "what to do")
    marks = {"ok": "[green]ok[/]", "warning": "[yellow]warn[/]", "error": "[red]ERROR[/]"}
    for finding in findings:
        table.add_row(marks[finding.level], finding.name, finding.found, finding.advice)
    tables.console().print(table)
