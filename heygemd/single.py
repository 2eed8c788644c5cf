"""``heygemd render``: one voice, some videos, no inbox; results in a folder of the user's."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from heygemd import models
from heygemd.assembly import make_lanes, make_studio
from heygemd.errors import AudioError, JobOptionsError, MediaError
from heygemd.executor import LocalExecutor
from heygemd.hearing import hear_job
from heygemd.log import configure
from heygemd.records import Clip, Job
from heygemd.render import ClipTask, Progress
from heygemd.report.documents import clip_log
from heygemd.settings import Settings, render_options
from heygemd.spool import commit, names
from heygemd.spool.fsops import FsOps


def render(audio: Path, videos: Sequence[Path], out: Path, settings: Settings) -> int:
    """Lip-sync ``videos`` to ``audio``; an mp4 and a JSON log each under ``out``.

    Nothing that stands in ``out`` is overwritten: a name that is taken gets ``~2``.

    Returns:
        0, or 1 when a video failed.

    Raises:
        AudioError: the sound cannot be used; nothing was rendered.
    """
    configure("warning", style="console")
    for path in (audio, *videos):
        if not path.is_file():
            raise (AudioError if path == audio else MediaError)(f"no file at {path}")
    if settings.faces.choice == "reference":
        raise JobOptionsError(
            'faces.choice = "reference" wants a job folder with a reference picture; '
            "choose largest, left, right or centre here"
        )
    out.mkdir(parents=True, exist_ok=True)
    studio = make_studio(settings)
    n_failed = 0
    with (
        closing(
            models.load(settings.model, settings.faces, settings.restore, settings.quality)
        ) as loaded,
        tempfile.TemporaryDirectory(prefix=".heygemd-", dir=out) as scratch,
        _bars() as bars,
    ):
        executor = LocalExecutor(loaded, studio, make_lanes(settings))
        fs = FsOps()
        way = commit.probe(fs, Path(scratch), "way")
        job = _job(audio, videos, out, Path(scratch), settings)
        heard = hear_job(job, loaded, studio)

        def part_of(clip: Clip) -> Path:
            return Path(scratch, f"{clip.id}.mp4")

        def prepare(clip: Clip) -> ClipTask:
            return ClipTask(clip, heard, part_of(clip), job.options, bars.follow(clip.name))

        for result in executor.render(job.clips, prepare):
            clip, part = result.clip, part_of(result.clip)
            document = clip_log(result, job, heard.info, loaded.facts)
            if result.outcome == "ok":
                document["output"] = _described(part, out / f"{clip.stem}.mp4")
                commit.place(fs, way, part, out / f"{clip.stem}.mp4")
            n_failed += result.outcome == "failed"
            text = json.dumps(document, indent=2, ensure_ascii=False)
            (out / f"{clip.stem}.json").write_text(text + "\n")
            bars.say(_sentence(document, out))
    return 1 if n_failed else 0


def _job(audio: Path, videos: Sequence[Path], out: Path, scratch: Path, settings: Settings) -> Job:
    """The job as the spool would make it: inputs under neutral names, stems that are free."""
    taken = [path.name for path in out.glob("*.mp4")]
    stems = names.stems([*taken, *(path.name for path in videos)])[len(taken) :]
    clips = tuple(
        Clip(f"{n:04d}", path.name, stem, _neutral(path, scratch, f"{n:04d}"), _sha256(path))
        for n, (path, stem) in enumerate(zip(videos, stems, strict=True), start=1)
    )
    return Job(
        id=scratch.name,
        name=out.name,
        out_name=out.name,
        audio_name=audio.name,
        audio=_neutral(audio, scratch, "sound"),
        clips=clips,
        options=render_options(settings),
        audio_sha256=_sha256(audio),
    )


def _neutral(path: Path, scratch: Path, name: str) -> Path:
    """A user's file name may look like an option or a URL to ffmpeg: it never sees one."""
    link = scratch / f"{name}.bin"
    link.symlink_to(path.resolve())
    return link


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _described(part: Path, final: Path) -> dict[str, object]:
    return {"name": final.name, "size_bytes": part.stat().st_size, "sha256": _sha256(part)}


def _sentence(document: Mapping[str, Any], out: Path) -> str:
    name = document["clip"]["name"]
    if document["outcome"] == "failed":
        return f"{name}: failed, {document['message']} [{document['code']}]"
    warnings = "".join(f"\n  {warning['message']}" for warning in document["warnings"])
    path = out / document["output"]["name"]
    return f"{name}: {path}, {document['frames_per_s']} frames a second{warnings}"


class _Bars:
    """Progress on a terminal; plain lines elsewhere."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    def follow(self, name: str) -> Progress:
        """A bar for one clip, which moves from stage to stage."""
        row = self._bars.add_task(name, total=None)

        def progress(stage: str, n_done: int, n_frames: int) -> None:
            self._bars.update(
                row,
                description=f"{name}: {stage}",
                completed=n_done,
                total=n_frames or None,
            )

        return progress

    def say(self, text: str) -> None:
        """A line above the bars."""
        self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _bars() -> Iterator[_Bars]:
    console = Console()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        yield _Bars(bars)
