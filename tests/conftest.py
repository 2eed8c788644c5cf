"""Fixtures that several test files share."""

import os
import tempfile
import wave
from collections import Counter
from pathlib import Path

import pytest
import structlog

TALLY = pytest.StashKey()


@pytest.fixture(scope="session")
def tally(request):
    """Counts of what was tried; the run prints them at its end."""
    return request.config.stash.setdefault(TALLY, Counter())


def pytest_terminal_summary(terminalreporter, config):
    passed = terminalreporter.stats.get("passed", ())
    n_caught = sum("the_harness_catches" in report.nodeid for report in passed)
    if n_caught:
        config.stash.setdefault(TALLY, Counter())["broken orders caught"] = n_caught
    for what, n in sorted(config.stash.get(TALLY, {}).items()):
        terminalreporter.write_line(f"{what}: {n}")


@pytest.fixture
def memory_path(tmp_path):
    """A folder in memory where there is such a thing: these tests make thousands of small files."""
    memory = Path("/dev/shm")  # noqa: S108 - a fresh folder below it
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="heygemd-") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def _fresh_log():
    """A test's log may write to a stream that is closed when the next one logs."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def one_thread():
    """Networks on one thread: two that wait for each other are slow on a busy machine."""
    import torch  # noqa: PLC0415 - most tests need none

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def bilabials():
    """Spoken words full of m, b and p; ``media/bilabials.json`` says when."""
    import numpy as np  # noqa: PLC0415 - most tests need neither

    from heygemd.records import Waveform  # noqa: PLC0415

    with wave.open(str(Path(__file__).parent / "media" / "bilabials.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return Waveform((samples / 32768.0).astype(np.float32), file.getframerate())


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of Wav2Lip as published, whose random weights draw busy pictures."""
    from wav2lip_weights import write_checkpoint  # noqa: PLC0415 - torch; most tests need none

    path = write_checkpoint(tmp_path_factory.mktemp("weights") / "wav2lip.pth", 11)
    yield path
    path.unlink()
