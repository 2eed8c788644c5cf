"""Fixtures that several test files share."""

import os
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def memory_path(tmp_path):
    """A folder in memory where there is such a thing: these tests make thousands of small files."""
    memory = Path("/dev/shm")  # noqa: S108 - a fresh folder below it
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="heygemd-") as folder:
        yield Path(folder)
