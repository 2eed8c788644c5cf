"""The order in which clips of several jobs are taken, so that a large job starves no small one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, zip_longest

from heygemd.records import Clip, Job


def by_turns(
    jobs: Sequence[Job], pending: Mapping[str, Sequence[Clip]]
) -> Iterator[tuple[Job, Clip]]:
    """Yield (job, clip): all of a higher priority first, then one clip of each job in turn.

    Args:
        jobs: by priority, then age, as ``Spool.jobs`` gives them.
        pending: job id -> its clips that are left.
    """
    for _, equals in groupby(jobs, key=lambda job: job.priority):
        lines = [[(job, clip) for clip in pending.get(job.id, ())] for job in equals]
        for turn in zip_longest(*lines):
            yield from (entry for entry in turn if entry is not None)
