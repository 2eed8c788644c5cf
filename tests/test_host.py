"""Cores and memory that are ours, told by cgroups and the kernel."""

import pytest

from heygemd.host import free_memory, usable_cores


@pytest.fixture
def cgroups(tmp_path):
    own = tmp_path / "cgroup"
    own.write_text("0::/system.slice/heygemd.service\n")
    root = tmp_path / "root"
    (root / "system.slice" / "heygemd.service").mkdir(parents=True)
    return own, root


@pytest.mark.parametrize(
    ("service", "slice_", "cores"),
    [
        ("max 100000", "max 100000", 64),
        ("200000 100000", "max 100000", 2),
        ("150000 100000", "max 100000", 2),
        ("800000 100000", "300000 100000", 3),
        ("20000 100000", "max 100000", 1),
        ("nonsense", "max 100000", 64),
    ],
)
def test_quotas_of_every_level_count(cgroups, service, slice_, cores):
    own, root = cgroups
    (root / "system.slice" / "heygemd.service" / "cpu.max").write_text(service + "\n")
    (root / "system.slice" / "cpu.max").write_text(slice_ + "\n")

    assert usable_cores(cgroup=own, root=root, allowed=64) == cores


def test_a_quota_never_adds_cores(cgroups):
    own, root = cgroups
    (root / "cpu.max").write_text("800000 100000\n")

    assert usable_cores(cgroup=own, root=root, allowed=2) == 2


def test_without_cgroups_the_affinity_counts(tmp_path):
    assert usable_cores(cgroup=tmp_path / "none", root=tmp_path, allowed=3) == 3


def test_this_machine_has_a_core():
    assert usable_cores() >= 1


@pytest.fixture
def meminfo(tmp_path):
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:  16000000 kB\nMemFree:  100 kB\nMemAvailable:   8000000 kB\n")
    return path


def test_without_limits_all_that_the_kernel_calls_available_is_free(tmp_path, meminfo):
    assert free_memory(cgroup=tmp_path / "none", root=tmp_path, meminfo=meminfo) == 8_192_000_000


@pytest.mark.parametrize(
    ("limit", "most", "used", "free"),
    [
        ("memory.max", "3000000000", "1000000000", 2_000_000_000),
        ("memory.high", "3000000000", "1000000000", 2_000_000_000),
        ("memory.max", "1000000000", "2000000000", 0),
        ("memory.max", "max", "1000000000", 8_192_000_000),
        ("memory.max", "nonsense", "1000000000", 8_192_000_000),
        ("memory.max", "99000000000", "1000000000", 8_192_000_000),
    ],
)
@pytest.mark.parametrize("where", ["system.slice", "system.slice/heygemd.service"])
def test_limits_of_every_level_bound_what_is_free(  # noqa: PLR0917
    cgroups, meminfo, where, limit, most, used, free
):
    own, root = cgroups
    (root / where / limit).write_text(most + "\n")
    (root / where / "memory.current").write_text(used + "\n")

    assert free_memory(cgroup=own, root=root, meminfo=meminfo) == free


def test_this_machine_has_memory_left():
    assert free_memory() > 0
