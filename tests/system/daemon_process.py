"""A daemon as a process of its own, whose log is waited for."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

CONFIG = """
[folders]
inbox = "{inbox}"
outbox = "{outbox}"
work = "{work}"
[intake]
settle_s = 1.0
rescan_s = 1.0
spare_mb = 0
[model]
name = "passthrough"
device = "cpu"
"""
_STEP_S = 0.1


def write_config(path, inbox, outbox, work, extra=""):
    path.write_text(CONFIG.format(inbox=inbox, outbox=outbox, work=work) + extra)
    return path


def heygemd(config, *words, timeout_s=300):
    """One command's result."""
    command = [sys.executable, "-m", "heygemd", *words, "--config", str(config)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout_s)


class DaemonProcess:
    """``heygemd run``; ends when the block ends."""

    def __init__(self, config, log_path):
        self.config = config
        self.log_path = log_path
        self.n_read = 0

    def __enter__(self):
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "heygemd", "run", "--config", str(self.config)],
                stdout=log,
                stderr=log,
            )
        self.wait_for("daemon.ready")
        return self

    def __exit__(self, *error):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def events(self):
        """All that was logged so far, without a line that is still being written."""
        lines = self.log_path.read_text("utf-8", "replace").split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait_for(self, event, timeout_s=240.0, **values):
        """The next event like this after the last one that was waited for."""
        end_s = time.monotonic() + timeout_s
        while True:
            events = self.events()
            for n, found in enumerate(events[self.n_read :], start=self.n_read):
                if found["event"] == event and values.items() <= found.items():
                    self.n_read = n + 1
                    return found
            ended = self.process.poll()
            assert ended is None, f"ended with {ended}: {self.log_path.read_text()[-2000:]}"
            assert time.monotonic() < end_s, f"no {event} {values} in {events[self.n_read :]}"
            time.sleep(_STEP_S)

    def count(self, event):
        return sum(found["event"] == event for found in self.events())
