"""Where clips run. A ClipError is caught here, and only here, and becomes its clip's result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from heygemd.errors import ClipError
from heygemd.models import Models
from heygemd.records import Clip, ClipResult
from heygemd.render import ClipTask, render_clip
from heygemd.studio import Studio


class Executor(Protocol):
    """Renders clips. They are pulled one at a time, so ending them ends the work."""

    def render(
        self, clips: Iterable[Clip], prepare: Callable[[Clip], ClipTask]
    ) -> Iterator[ClipResult]:
        """One result per clip, in the order they finish.

        Args:
            clips: what is left to do.
            prepare: stages a clip and says where its output goes; its ClipErrors count as the
                clip's own.
        """
        ...


class LocalExecutor:
    """One process, one device, one clip at a time."""

    def __init__(self, models: Models, studio: Studio) -> None:
        self._models = models
        self._studio = studio

    def render(
        self, clips: Iterable[Clip], prepare: Callable[[Clip], ClipTask]
    ) -> Iterator[ClipResult]:
        """See ``Executor.render``."""
        for clip in clips:
            yield self._render(clip, prepare)

    def _render(self, clip: Clip, prepare: Callable[[Clip], ClipTask]) -> ClipResult:
        started_s = time.monotonic()
        try:
            task = prepare(clip)
            clip = task.clip
            return render_clip(task, self._models, self._studio)
        except ClipError as error:
            took_s = time.monotonic() - started_s
            return ClipResult(clip, "failed", error.reason, str(error), timings_s={"total": took_s})
