"""Stops of a real process by the real clock: ``make system-test``."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import made_media
from daemon_process import DaemonProcess, write_config

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        os.environ.get("HEYGEMD_SYSTEM_TEST") != "1",
        reason="takes minutes and measures time: make system-test",
    ),
]
DRAIN_S = 3.0
SOUND_S = 600.0  # its clip takes much longer than the drain, on any machine


@pytest.fixture
def config(tmp_path):
    for name in ("inbox", "outbox", "work"):
        (tmp_path / name).mkdir()
    job = tmp_path / "lesson"
    job.mkdir()
    made_media.write_voice(job / "voice.wav", SOUND_S)
    made_media.write_clip(job / "anna.mp4")
    job.rename(tmp_path / "inbox" / "lesson")
    return write_config(
        tmp_path / "config.toml", tmp_path / "inbox", tmp_path / "outbox", tmp_path / "work",
        f"[service]\ndrain_s = {DRAIN_S}\n",
    )  # fmt: skip


def stop(daemon):
    """Seconds from TERM to the end."""
    started_s = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(timeout=120) == 0
    return time.monotonic() - started_s


def test_a_clip_that_outlasts_the_drain_is_given_up_by_the_clock_and_begun_again(config, tmp_path):
    with DaemonProcess(config, tmp_path / "first.log") as daemon:
        daemon.wait_for("clip.attempted")
        took_s = stop(daemon)
        assert DRAIN_S <= took_s < SOUND_S / 10
        assert daemon.count("clip.failed") == daemon.count("clip.published") == 0
    with DaemonProcess(config, tmp_path / "second.log") as daemon:
        daemon.wait_for("clip.attempted")
        stop(daemon)
