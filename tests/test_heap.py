import subprocess
import sys

PROGRAM = """
from pathlib import Path
import os
from heygemd.heap import trim

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

small = [bytes(64_000) for _ in range(1000)]  # below the size that is mapped on its own
pins = small[::2]  # the freed half lies between them, so the heap's end cannot just fall
del small
full = resident()
trim()
print(full - resident(), len(pins))
"""


def test_what_lies_free_between_things_in_use_is_given_back():
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)

    given_back = int(ran.stdout.split()[0])

    assert given_back > 20_000_000
