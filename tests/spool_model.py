"""What must exist after a crash, and after the next run: judged by the whole tree."""

import json
import re
from collections import Counter
from pathlib import Path

from heygemd.errors import SpoolError
from heygemd.spool import fsck
from heygemd.spool.fsops import FsOps

COMPLETE = re.compile(rb"(MP4 of ([0-9a-f]{64}) [0-9a-f]{16} END)\1{2}", re.DOTALL)


def inputs(folders):
    """name -> how often each file that people dropped exists, the spool's copies left out."""
    return Counter(
        path.name
        for path in folders.inbox.rglob("*")
        if path.is_file() and path.suffix in {".mp4", ".wav"}
    )


def visible(folders):
    """The mp4s that people see: relative path -> bytes."""
    return {
        str(path.relative_to(folders.outbox)): path.read_bytes()
        for path in sorted(folders.outbox.rglob("*.mp4"))
        if ".heygemd-tmp" not in path.parts
    }


def fsck_wrongs(folders, max_attempts, *, at_rest):
    """What fsck says; at rest, its notes count too."""
    try:
        found = fsck.check(FsOps(), folders, max_attempts=max_attempts, at_rest=at_rest)
    except SpoolError as error:
        return [f"fsck: {error}"]
    return [f"{f.rule} {f.path} {f.message}" for f in found if at_rest or f.severity == "error"]


def wrongs_at_any_time(folders, dropped, max_attempts=2):
    """What may never be true, not even right after a crash."""
    wrongs = [
        f"half an mp4: {name}"
        for name, data in visible(folders).items()
        if not COMPLETE.fullmatch(data)
    ]
    if inputs(folders) != Counter(dropped):
        wrongs.append(f"inputs {dict(inputs(folders))}, want {dropped}")
    for folder in folders.outbox.iterdir():
        job = folder / "job.json"
        if job.exists():
            missing = [
                clip["output"]["name"]
                for clip in json.loads(job.read_text())["clips"]
                if "output" in clip and not (folder / clip["output"]["name"]).exists()
            ]
            wrongs += [f"{job} lists {name}, which is not there" for name in missing]
    return wrongs + fsck_wrongs(folders, max_attempts, at_rest=False)


def wrongs_when_finished(folders, dropped, names, max_attempts=2):
    """What must be true once a fresh process has run to the end.

    ``names`` are the mp4s that must be visible, and the only ones.
    """
    wrongs = wrongs_at_any_time(folders, dropped, max_attempts)
    if sorted(visible(folders)) != sorted(names):
        wrongs.append(f"visible {sorted(visible(folders))}, want {sorted(names)}")
    outdirs = sorted({str(Path(name).parent) for name in names})
    seen = sorted(p.name for p in folders.outbox.iterdir() if not p.name.startswith("."))
    if seen != outdirs:
        wrongs.append(f"outbox holds {seen}, want {outdirs}")
    for name in set(outdirs) & set(seen):
        stems = {Path(clip).stem for clip in names if Path(clip).parent == Path(name)}
        want = {".owner", "job.json"} | {f"{s}.{e}" for s in stems for e in ("mp4", "json")}
        found = {path.name for path in (folders.outbox / name).iterdir()}
        if found != want:
            wrongs.append(f"{name} holds {sorted(found)}, want {sorted(want)}")
    for place in (folders.claims, folders.outbox / ".heygemd-tmp"):
        wrongs += [f"litter: {path}" for path in place.glob("*")]
    for job in folders.jobs.glob("*"):
        if not (job / "CLOSED").exists():
            wrongs.append(f"job {job.name} is not closed")
        wrongs += [f"left {path}" for path in job.rglob("*.bin")]
        wrongs += [f"failed: {path.read_text()}" for path in job.glob("fail/*")]
        n_done = len(list(job.glob("done/*")))
        if n_done != len(list(job.glob("intent/*"))):
            wrongs.append(f"{n_done} done records, and not as many intents")
    return wrongs + fsck_wrongs(folders, max_attempts, at_rest=True)
