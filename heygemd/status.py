"""``heygemd status``: what the spool and the daemon's status.json say; asks no daemon."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from heygemd.faces import kept
from heygemd.report.documents import printable
from heygemd.settings import Settings
from heygemd.spool.fsops import FsOps
from heygemd.spool.layout import SpoolFolders
from heygemd.spool.survey import JobState, survey

_N_RECENT = 5
_SILENT_S = 90.0  # a daemon that works or waits writes more often
_REFRESH_S = 1.0
_BAR_WIDTH = 24
_RUN = Path("/run")
_PROGRESS_BYTES = 8 << 20  # a job of 30 000 clips


def run(settings: Settings, *, as_json: bool = False, watch: bool = False) -> int:
    """Print the state once, as JSON, or again and again until interrupted; always 0."""
    folders = SpoolFolders(settings.folders.inbox, settings.folders.outbox, settings.folders.work)
    if as_json:
        print(json.dumps(state(folders), indent=2))
    elif not watch:
        Console().print(view(state(folders)))
    else:
        with Live(view(state(folders)), refresh_per_second=4, screen=False) as live:
            while True:
                time.sleep(_REFRESH_S)
                live.update(view(state(folders)))
    return 0


def state(
    folders: SpoolFolders, *, now_s: float | None = None, run_dir: Path = _RUN
) -> dict[str, Any]:
    """Everything that is known, ready for JSON.

    Args:
        folders: the spool's.
        now_s: of the wall clock.
        run_dir: where systemd makes RuntimeDirectory=.
    """
    now_s = time.time() if now_s is None else now_s
    jobs = survey(FsOps(), folders)
    return {
        "schema_version": 1,
        "daemon": _daemon(folders.work, now_s, run_dir),
        "tracks": kept.usage(folders.work / kept.FOLDER),
        "inbox": {"path": str(folders.inbox), "folders": _dropped(folders.inbox)},
        "jobs": [
            {
                **asdict(job),
                "name": printable(job.name),
                "progress": _progress(folders.outbox / job.out_name, now_s)
                if job.state == "open"
                else None,
            }
            for job in jobs
        ],
    }


def _progress(folder: Path, now_s: float) -> dict[str, Any] | None:
    """What a job's progress.json in the outbox says; None where there is none to be read.

    Everybody who may write to the outbox could have written it: it must be short and in order.
    """
    try:
        fd = os.open(folder / "progress.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            told = json.loads(file.read(_PROGRESS_BYTES))
        updated = datetime.fromisoformat(told["updated"])
        at_work = [clip for clip in told["clips"] if clip["state"] == "running"]
        return {
            "share": min(1.0, max(0.0, float(told["share"]))),
            "eta_s": None if told["eta_s"] is None else float(told["eta_s"]),
            "age_s": round(max(0.0, now_s - updated.timestamp()), 1),
            "in_hand": None
            if not at_work
            else {
                "job": printable(str(told["job"]["name"])),
                "clip": printable(str(at_work[0]["name"])),
                "number": told["clips"].index(at_work[0]) + 1,
                "n_clips": len(told["clips"]),
                "stage": printable(str(at_work[0]["stage"])),
                "n_done": int(at_work[0]["n_done"]),
                "n_frames": int(at_work[0]["n_frames"]),
                "frames_per_s": float(told["frames_per_s"] or 0.0),
            },
        }
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _daemon(work: Path, now_s: float, run_dir: Path) -> dict[str, Any] | None:
    """The status.json of the daemon that works in ``work``, with its age; None without one."""
    documents = [
        document for document in _documents(run_dir) if document.get("work") == str(work.resolve())
    ]
    if not documents:
        return None
    latest = max(documents, key=lambda document: document["updated_s"])
    age_s = round(max(0.0, now_s - latest["updated_s"]), 1)
    is_there = latest["state"] != "stopped" and Path(f"/proc/{latest['pid']}").exists()
    return {**latest, "age_s": age_s, "is_running": is_there, "is_silent": age_s > _SILENT_S}


def _documents(run_dir: Path) -> Iterator[dict[str, Any]]:
    named = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    paths = [Path(named, "status.json")] if named else []
    for path in [*paths, *sorted(run_dir.glob("heygemd*/status.json"))]:
        try:
            yield json.loads(path.read_bytes())
        except OSError:  # another instance's, not ours to read
            continue


def _dropped(inbox: Path) -> list[str] | None:
    """Folders that nobody has claimed; None while the inbox is not there."""
    try:
        with os.scandir(inbox) as entries:
            return sorted(
                printable(entry.name)
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            )
    except OSError:
        return None


def view(told: dict[str, Any]) -> RenderableType:
    """The same for a terminal."""
    daemon = told["daemon"]
    parts: list[RenderableType] = [_headline(daemon)]
    parts += [_in_hand(hand) for hand in _hands(told)]
    parts += [*_inbox(told["inbox"], daemon), *_jobs(told["jobs"])]
    if told["tracks"]["n_tracks"]:
        parts.append(
            Text(
                "{n_tracks} face tracks kept, {mb} MB".format(
                    n_tracks=told["tracks"]["n_tracks"], mb=told["tracks"]["n_bytes"] // 10**6
                ),
                style="dim",
            )
        )
    return Group(*parts)


def _hands(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The clips that are worked on now: the daemon's, else what the outbox says of itself."""
    if told["daemon"] is not None:
        hands = [told["daemon"].get("in_hand"), *told["daemon"].get("beside", [])]
        return [hand for hand in hands if hand and told["daemon"]["is_running"]]
    fresh = [job["progress"] for job in told["jobs"] if job["progress"]]
    return [each["in_hand"] for each in fresh if each["in_hand"] and each["age_s"] <= _SILENT_S]


def _headline(daemon: dict[str, Any] | None) -> Text:
    if daemon is None:
        return Text("no daemon has reported; what follows is read from the folders", style="yellow")
    if not daemon["is_running"]:
        return Text(f"stopped (version {daemon['version']})", style="yellow")
    if daemon["is_silent"]:
        return Text(
            f"pid {daemon['pid']} has said nothing for {daemon['age_s']:.0f} s", style="red"
        )
    model = daemon.get("model")
    where = f", {model['name']} on {model['device']}" if model else ""
    return Text(
        f"{daemon['state']}: {daemon['status']} (pid {daemon['pid']}{where})", style="green"
    )


def _in_hand(hand: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 1))
    total = hand["n_frames"] or None
    table.add_row(
        Text(f"{hand['job']}: {hand['clip']} ({hand['number']} of {hand['n_clips']})"),
        hand["stage"],
        ProgressBar(total=total, completed=hand["n_done"], width=_BAR_WIDTH),
        f"{hand['frames_per_s']:.0f} fps" if hand["n_done"] else "",
    )
    return table


def _inbox(inbox: dict[str, Any], daemon: dict[str, Any] | None) -> Iterator[RenderableType]:
    if inbox["folders"] is None:
        yield Text(f"the inbox {inbox['path']} is not there", style="red")
        return
    why = (daemon or {}).get("folders_waiting", {})
    for name in inbox["folders"]:
        yield Text(f"in the inbox: {name}" + (f", {why[name]}" if name in why else ""))


def _jobs(jobs: list[dict[str, Any]]) -> Iterator[RenderableType]:
    still = [job for job in jobs if job["state"] in {"claimed", "open"}]
    ended = [job for job in jobs if job["state"] in {"closed", "rejected"}][-_N_RECENT:]
    if not still and not ended:
        yield Text("no jobs yet")
        return
    headings = ("job", "state", "clips", "", "left", "failed", "id")
    table = Table(*headings, box=None, pad_edge=False)
    for job in [*still, *reversed(ended)]:
        table.add_row(*_row(job))
    yield table


def _row(job: dict[str, Any]) -> tuple[RenderableType, ...]:
    n_ended = job["n_done"] + job["n_failed"]
    bar: RenderableType = ""
    left = ""
    if job["state"] == "open":
        # Whole clips are the spool's own word; what is said of the clip in hand adds to them.
        least = n_ended / max(1, job["n_clips"])
        told = job["progress"] or {"share": 0.0, "eta_s": None, "age_s": 0.0}
        bar = ProgressBar(total=1.0, completed=max(least, told["share"]), width=_BAR_WIDTH)
        if told["eta_s"] is not None and told["age_s"] <= _SILENT_S:
            left = str(timedelta(seconds=round(told["eta_s"])))
    failed = Text(str(job["n_failed"]), style="red") if job["n_failed"] else Text("")
    clips = f"{n_ended}/{job['n_clips']}" if job["n_clips"] else ""
    return escape(job["name"]), job["state"], clips, bar, left, failed, job["job_id"]


def find(jobs: list[JobState], wanted: str) -> JobState | None:
    """The job of that id, the only one whose id begins so, or the latest of that name."""
    exact = [job for job in jobs if job.job_id == wanted]
    begins = [job for job in jobs if job.job_id.startswith(wanted)]
    named = [job for job in jobs if wanted in {job.name, printable(job.name), job.out_name}]
    if exact:
        return exact[0]
    if len(begins) == 1:
        return begins[0]
    return named[-1] if named else None
