"""``heygemd jobs``: list, show, retry and cancel jobs, through the files of the spool."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rich.markup import escape

from heygemd import tables
from heygemd.errors import JobError
from heygemd.report.documents import printable
from heygemd.settings import Settings
from heygemd.spool.fsops import FsOps
from heygemd.spool.layout import SpoolFolders
from heygemd.spool.requests import Wish, ask
from heygemd.spool.survey import JobState, clip_states, survey
from heygemd.status import find

_ENDED = {"closed", "rejected", "lost"}


def show_all(settings: Settings, *, as_json: bool = False) -> int:
    """Every job that the spool remembers, oldest first."""
    jobs = survey(FsOps(), _folders(settings))
    if as_json:
        print(json.dumps([_document(job) for job in jobs], indent=2))
        return 0
    table = tables.table("id", "job", "state", "done", "failed", "of")
    for job in jobs:
        counts = (str(n) for n in (job.n_done, job.n_failed, job.n_clips))
        table.add_row(job.job_id, escape(printable(job.name)), job.state, *counts)
    tables.console().print(table)
    return 0


def show(settings: Settings, wanted: str, *, as_json: bool = False) -> int:
    """One job and its clips.

    Raises:
        JobError: there is no such job.
    """
    folders = _folders(settings)
    job = _find(settings, wanted)
    clips = clip_states(FsOps(), folders, job.job_id)
    if as_json:
        rows = [{**asdict(clip), "name": printable(clip.name)} for clip in clips]
        print(json.dumps({**_document(job), "clips": rows}, indent=2))
        return 0
    console = tables.console()
    console.print(f"{printable(job.name)} ({job.job_id}): {job.state}", markup=False)
    console.print(f"results: {folders.outbox / printable(job.out_name)}", markup=False)
    table = tables.table("clip", "state", "tries", "output or reason")
    for clip in clips:
        reason = clip.output or (f"{clip.message} [{clip.code}]" if clip.code else "")
        cells = (printable(clip.name), clip.state, str(clip.n_attempts), printable(reason))
        table.add_row(*map(escape, cells))
    console.print(table)
    return 0


def retry(settings: Settings, wanted: str) -> int:
    """Ask for the failed clips of a closed job to be done again.

    Raises:
        JobError: no such job, not closed, nothing failed, or its inputs are gone.
    """
    job = _find(settings, wanted)
    if job.state != "closed":
        raise JobError(f"{job.job_id} is {job.state}; only a closed job can be done again")
    if not job.n_failed:
        raise JobError(f"{job.job_id}: no clip failed; drop the folder again to do all of it anew")
    if not job.inputs_kept:
        raise JobError(f"the inputs of {job.job_id} are no longer kept; drop the folder again")
    return _ask(settings, "retry", job)


def cancel(settings: Settings, wanted: str) -> int:
    """Ask for the remaining clips of a job to be given up; the clip in hand ends first.

    Raises:
        JobError: no such job, or it has ended.
    """
    job = _find(settings, wanted)
    if job.state in _ENDED:
        raise JobError(f"{job.job_id} is {job.state} already")
    return _ask(settings, "cancel", job)


def _ask(settings: Settings, wish: Wish, job: JobState) -> int:
    ask(FsOps(), _folders(settings), wish, job.job_id)
    print(f"asked to {wish} {job.job_id} ({printable(job.name)}); a running daemon does it soon")
    return 0


def _find(settings: Settings, wanted: str) -> JobState:
    job = find(survey(FsOps(), _folders(settings)), wanted)
    if job is None:
        raise JobError(f"no job {wanted}; heygemd jobs list shows what there is")
    return job


def _folders(settings: Settings) -> SpoolFolders:
    return SpoolFolders(settings.folders.inbox, settings.folders.outbox, settings.folders.work)


def _document(job: JobState) -> dict[str, Any]:
    return {**asdict(job), "name": printable(job.name), "out_name": printable(job.out_name)}
