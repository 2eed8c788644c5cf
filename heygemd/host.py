"""What of the machine is ours: cores and memory, by our cgroups' limits."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

_CGROUP, _ROOT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def usable_cores(*, cgroup: Path = _CGROUP, root: Path = _ROOT, allowed: int | None = None) -> int:
    """How many cores this process may keep busy, by its affinity and its cgroups' quotas.

    Args:
        cgroup: says where in the hierarchy of cgroups (version 2) the process is.
        root: where that hierarchy is mounted.
        allowed: cores the scheduler may use; by default the process's affinity.
    """
    cores = allowed if allowed is not None else len(os.sched_getaffinity(0))
    for level in _levels(cgroup, root):
        quota_us, *period_us = _words(level / "cpu.max")
        if quota_us.isdigit() and period_us:
            cores = min(cores, max(1, math.ceil(int(quota_us) / int(period_us[0]))))
    return cores


def free_memory(
    *, cgroup: Path = _CGROUP, root: Path = _ROOT, meminfo: Path = Path("/proc/meminfo")
) -> int:
    """Bytes that this process could still take, by the machine's memory and its cgroups' limits.

    Args:
        cgroup: as for ``usable_cores``.
        root: likewise.
        meminfo: the kernel's own words.
    """
    found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
    free = int(found[1]) * 1024 if found is not None else 0
    for level in _levels(cgroup, root):
        for limit in ("memory.high", "memory.max"):
            most, *_ = _words(level / limit)
            used, *_ = _words(level / "memory.current")
            if most.isdigit() and used.isdigit():
                free = min(free, max(0, int(most) - int(used)))
    return free


def _levels(cgroup: Path, root: Path) -> Iterator[Path]:
    """Our cgroup's folder and all above it; none where there are no cgroups."""
    try:
        found = re.search(r"^0::/(.*)$", cgroup.read_text(), re.MULTILINE)
    except OSError:
        return
    folder = root / (found[1] if found is not None else "")
    yield from (folder, *folder.parents)


def _words(path: Path) -> list[str]:
    """What a file of the kernel's says; one empty word where there is none: the root has few."""
    try:
        return path.read_text().split() or [""]
    except OSError:
        return [""]
