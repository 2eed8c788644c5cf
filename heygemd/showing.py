"""A job's report while it runs and when it is over: page and progress, kept up to date."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from heygemd.aside import Aside, AtOnce
from heygemd.errors import TransientError
from heygemd.log import log
from heygemd.records import Clip, ClipPictures, ClipResult, Job
from heygemd.report import kept
from heygemd.report.page import page
from heygemd.report.progress import Tally

PAGE, PROGRESS = "report.html", "progress.json"
_PROGRESS_S = 1.0  # between two writes of progress.json
_PAGE_S = 5.0  # between two writes of the page; it holds the pictures


class Window(Protocol):
    """What a job shows beside its outputs; see ``spool.showcase``."""

    def show(self, job: Job, name: str, content: bytes) -> None:
        """Replace a file that people see in the job's outbox folder."""
        ...

    def keep(self, job: Job, clip: Clip, pictures: Mapping[str, bytes]) -> None:
        """Keep a clip's pictures for after a restart."""
        ...

    def kept(self, job: Job, clip: Clip) -> dict[str, bytes]:
        """The pictures that were kept."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Show:
    """One job's report; a share that is away for a moment costs a picture, never a clip.

    Attributes:
        document: makes job.json's document from the logs of the clips that have ended.
        results: the logs of the clips that have ended.
        aside: where files are written while a clip runs; what is due while a write still hangs is
            left out. Whoever writes anything else for the job waits for it first.
    """

    job: Job
    window: Window
    document: Callable[[], Mapping[str, Any]]
    results: Callable[[], Sequence[Mapping[str, Any]]]
    aside: Aside = field(default_factory=AtOnce)
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _now
    _tally: Tally = field(init=False)
    _pictures: dict[str, ClipPictures] = field(default_factory=dict)
    _progress_s: float = float("-inf")
    _page_s: float = float("-inf")

    def __post_init__(self) -> None:
        self._tally = Tally(self.job, self.results(), self.clock, self.now)
        for clip in self.job.clips:
            self._pictures[clip.id] = kept.from_files(self.window.kept(self.job, clip))
        self._live(AtOnce())

    def follow(self, clip: Clip) -> Callable[[str, int, int], None]:
        """Told of a clip's frames; writes no more often than people can look."""
        count = self._tally.follow(clip)

        def progress(stage: str, n_done: int, n_frames: int) -> None:
            count(stage, n_done, n_frames)
            self._live(self.aside)

        return progress

    def ended(self, result: ClipResult) -> None:
        """A clip's outcome stands."""
        self._tally.end(result.clip, result.outcome)
        if result.pictures is not None:
            self._pictures[result.clip.id] = result.pictures
            pictures = kept.to_files(result.pictures)
            self._try(lambda: self.window.keep(self.job, result.clip, pictures))
        self._progress_s = self._page_s = float("-inf")
        self._live(AtOnce())

    def final(self, document: Mapping[str, Any]) -> None:
        """The job is over: the page as it stays. Comes before job.json."""
        text = page(document, self.results(), self._pictures)
        self._show_all({PAGE: text, PROGRESS: json.dumps(self._tally.document(), indent=2)})

    def _live(self, aside: Aside) -> None:
        now_s = self.clock()
        if aside.busy or now_s - self._progress_s < _PROGRESS_S:
            return
        self._progress_s = now_s
        progress = self._tally.document()
        texts = {PROGRESS: json.dumps(progress, indent=2)}
        if now_s - self._page_s >= _PAGE_S:
            self._page_s = now_s
            texts[PAGE] = page(self.document(), self.results(), self._pictures, progress=progress)
        aside.run(lambda: self._show_all(texts))

    def _show_all(self, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            self._try(partial(self._show, name, text))

    def _show(self, name: str, text: str) -> None:
        self.window.show(self.job, name, text.encode("utf-8", "backslashreplace"))

    def _try(self, write: Callable[[], None]) -> None:
        """What comes next is written soon enough; the outputs have their own retries."""
        try:
            write()
        except TransientError as error:
            log.warning("report.delayed", code=error.reason, message=str(error))
