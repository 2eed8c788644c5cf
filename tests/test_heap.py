"""The heap does not keep what nobody uses."""

import gc
import subprocess
import sys
import weakref

import pytest

from heygemd import heap

RESIDENT = """
from pathlib import Path
import os

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
"""
BETWEEN = (
    RESIDENT
    + """
from heygemd.heap import trim

small = [bytes(64_000) for _ in range(1000)]  # below the size that is mapped on its own
pins = small[::2]  # the freed half lies between them, so the heap's end cannot just fall
del small
full = resident()
trim()
print(full - resident(), len(pins))
"""
)
LARGE = (
    RESIDENT
    + """
from heygemd.heap import part_large

part_large()
bytearray(30_000_000)  # freed at once, which moves the bound of glibc up
blocks, pins = [], []
for _ in range(20):
    blocks.append(b"x" * 4_000_000)
    pins.append(b"x" * 100_000)  # lies behind it, where both come from the heap
full = resident()
del blocks
print(full - resident(), len(pins))
"""
)


def given_back(program):
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return int(ran.stdout.split()[0])


def test_what_lies_free_between_things_in_use_is_given_back():
    assert given_back(BETWEEN) > 20_000_000


def test_large_blocks_are_given_back_as_soon_as_they_are_free():
    assert given_back(LARGE) > 30_000_000


def test_what_is_made_for_good_is_left_alone_by_the_collector_and_later_garbage_is_not():
    class Ring:
        def __init__(self):
            self.self = self

    frozen = gc.get_freeze_count()
    try:
        with heap.settled():
            assert not gc.isenabled()
            kept = weakref.ref(Ring())
        later = weakref.ref(Ring())
        gc.collect()

        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen
        assert (kept() is None, later() is None) == (False, True)
    finally:
        gc.unfreeze()


def test_the_collector_works_again_after_a_load_that_failed():
    def fail():
        raise ValueError("no such weights")

    try:
        with pytest.raises(ValueError, match="weights"), heap.settled():
            fail()
        assert gc.isenabled()
    finally:
        gc.unfreeze()
