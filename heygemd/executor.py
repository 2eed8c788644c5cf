"""Where clips run. A ClipError is caught here, and only here, and becomes its clip's result."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from heygemd.budget import Budget
from heygemd.errors import ClipError, TransientError
from heygemd.models import Models
from heygemd.records import Clip, ClipResult
from heygemd.render import ClipTask, render_clip
from heygemd.studio import Studio

Prepare = Callable[[Clip], ClipTask]


def nobody(clip: Clip) -> bool:
    """No clip has to be alone."""
    del clip
    return False


class Executor(Protocol):
    """Renders clips. They are pulled when there is room for one, so ending them ends the work."""

    @property
    def n_active(self) -> int:
        """Clips under way, whoever asked for them."""
        ...

    def render(
        self, clips: Iterable[Clip], prepare: Prepare, *, alone: Callable[[Clip], bool] = nobody
    ) -> Generator[ClipResult, None, None]:
        """One result per clip, in the order they finish. Closed early, it gives up what is left.

        Args:
            clips: what is left to do.
            prepare: stages a clip and says where its output goes; its ClipErrors count as the
                clip's own. Called in the caller's thread, as is the progress of its tasks.
            alone: of a clip that no other may be under way beside.

        Raises:
            TransientError: of one clip, once the others under way have ended.
        """
        ...


@dataclass(slots=True)
class _Lane:
    """One clip under way, in a thread of its own."""

    is_alone: bool
    given_up: threading.Event
    future: Future[ClipResult]
    has_ended: bool = False


class Lanes:
    """The clips of all jobs that are under way.

    Their threads render and nothing else: whatever is to be told is done in the thread that waits
    for any of them, so that nobody else has to know of threads.

    Args:
        n: how many clips at once.
        memory_bytes: for all of them together; None counts none.
    """

    def __init__(self, n: int = 1, memory_bytes: int | None = None) -> None:
        self.n = n
        self.n_active = 0
        self.budget = Budget(memory_bytes)
        self._errands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(n, thread_name_prefix="clip")

    def begin(self, work: Callable[[threading.Event], ClipResult], *, is_alone: bool) -> _Lane:
        """Start a thread for a clip; it is told when the clip is given up."""
        given_up = threading.Event()
        lane = _Lane(is_alone, given_up, self._pool.submit(work, given_up))
        self.n_active += 1
        lane.future.add_done_callback(lambda _: self._errands.put(partial(self._end, lane)))
        return lane

    def ask(self, errand: Callable[[], None]) -> None:
        """From a clip's thread: have something done in the thread that waits."""
        self._errands.put(errand)

    def wait(self) -> None:
        """Until a thread wants something done; do it."""
        self._errands.get()()

    def _end(self, lane: _Lane) -> None:
        lane.has_ended = True
        self.n_active -= 1


class LocalExecutor:
    """One process, one device, a few clips at once.

    Args:
        models: what stays loaded.
        studio: ffmpeg and its limits.
        lanes: shared by all executors of a process; by default one of its own, for one clip.
    """

    def __init__(self, models: Models, studio: Studio, lanes: Lanes | None = None) -> None:
        self._models = models
        self._studio = studio
        self._lanes = lanes or Lanes()

    @property
    def n_active(self) -> int:
        """See ``Executor``."""
        return self._lanes.n_active

    def render(
        self, clips: Iterable[Clip], prepare: Prepare, *, alone: Callable[[Clip], bool] = nobody
    ) -> Generator[ClipResult, None, None]:
        """See ``Executor.render``."""
        run = _Run(iter(clips), prepare, alone, self._lanes, self._render)
        try:
            while run.goes_on:
                run.begin_more()
                if run.has_to_wait:
                    self._lanes.wait()
                yield from run.ended()
            if run.failed is not None:
                raise run.failed
        finally:
            run.give_up()

    def _render(self, task: ClipTask) -> ClipResult:
        started_s = time.monotonic()
        try:
            return render_clip(task, self._models, self._studio)
        except ClipError as error:
            return _failure(task.clip, error, started_s)


class _Run:
    """One caller's clips: those under way, and those to come.

    Attributes:
        failed: what keeps it from beginning more.
    """

    def __init__(
        self,
        clips: Iterator[Clip],
        prepare: Prepare,
        alone: Callable[[Clip], bool],
        lanes: Lanes,
        render: Callable[[ClipTask], ClipResult],
    ) -> None:
        self.failed: TransientError | None = None
        self._clips: Iterator[Clip] | None = clips
        self._held: Clip | None = None  # until it can be alone
        self._prepare, self._alone = prepare, alone
        self._lanes, self._render = lanes, render
        self._mine: list[_Lane] = []
        self._results: list[ClipResult] = []

    @property
    def goes_on(self) -> bool:
        """Whether anything is to come."""
        return bool(self._mine or self._results or self._has_more)

    @property
    def has_to_wait(self) -> bool:
        """Whether what is to come takes time."""
        return self.goes_on and not self._results

    @property
    def _has_more(self) -> bool:
        return self._clips is not None or self._held is not None

    @property
    def _has_room(self) -> bool:
        if self._held is not None:
            return self._lanes.n_active == 0
        is_free = self._lanes.n_active < self._lanes.n
        return is_free and not any(lane.is_alone for lane in self._mine)

    def begin_more(self) -> None:
        """Begin clips while there is room."""
        try:
            while self._has_more and self._has_room and not self._results:
                self._begin_next()
        except TransientError as error:
            self._fail(error)

    def _begin_next(self) -> None:
        if self._held is not None:
            clip, self._held = self._held, None
            self._begin(clip, is_alone=True)
            return
        following = None if self._clips is None else next(self._clips, None)
        if following is None:
            self._clips = None
        elif (is_alone := self._alone(following)) and self._lanes.n_active:
            self._held = following
        else:
            self._begin(following, is_alone=is_alone)

    def _begin(self, clip: Clip, *, is_alone: bool) -> None:
        started_s = time.monotonic()
        try:
            task = self._prepare(clip)
        except ClipError as error:
            self._results.append(_failure(clip, error, started_s))
            return

        def work(given_up: threading.Event) -> ClipResult:
            return task.names.run(self._render, self._told(task, given_up))

        self._mine.append(self._lanes.begin(work, is_alone=is_alone))

    def _told(self, task: ClipTask, given_up: threading.Event) -> ClipTask:
        """The task as its thread wants it: it tells progress to the thread that waits."""

        def tell(stage: str, n_done: int, n_frames: int) -> None:
            if not given_up.is_set():
                task.progress(stage, n_done, n_frames)

        def progress(stage: str, n_done: int, n_frames: int) -> None:
            self._lanes.ask(partial(tell, stage, n_done, n_frames))

        def stopped() -> bool:
            return given_up.is_set() or task.stopped()

        return replace(task, progress=progress, stopped=stopped, budget=self._lanes.budget)

    def ended(self) -> Iterator[ClipResult]:
        """What has come to an end since."""
        for lane in [lane for lane in self._mine if lane.has_ended]:
            self._mine.remove(lane)
            try:
                self._results.append(lane.future.result())
            except TransientError as error:
                self._fail(error)
        while self._results:
            yield self._results.pop(0)

    def _fail(self, error: TransientError) -> None:
        self.failed = self.failed or error
        self._clips = self._held = None

    def give_up(self) -> None:
        """End what is under way."""
        for lane in self._mine:
            lane.given_up.set()
        while any(not lane.has_ended for lane in self._mine):
            self._lanes.wait()


def _failure(clip: Clip, error: ClipError, started_s: float) -> ClipResult:
    timings_s = {"total": time.monotonic() - started_s}
    return ClipResult(clip, "failed", error.reason, str(error), timings_s=timings_s)
