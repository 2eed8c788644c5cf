"""Runs heygemd and has it signal itself at a moment that no slow machine can miss.

``python signal_at.py KILL ben.mp4 3 run --config config.toml``: with the third child process that
is started once the log says that ben.mp4 is attempted; 0 is the line itself. KILL ends the
children too. TERM2 is TERM and, once that is heeded, TERM again.
"""

import io
import json
import os
import signal
import sys

WORD, CLIP, N_CHILDREN = sys.argv[1], sys.argv[2], int(sys.argv[3])
NUMBER = signal.Signals[f"SIG{WORD.rstrip('2')}"]


class Moment:
    """Counts down."""

    left = 0

    def begin(self):
        self.left = N_CHILDREN + 1
        self.come_nearer()

    def come_nearer(self):
        self.left -= 1
        if self.left == 0:
            # A group of our own: see start_new_session in the tests.
            (os.killpg if NUMBER == signal.SIGKILL else os.kill)(os.getpid(), NUMBER)


class Log(io.TextIOWrapper):
    """Standard error that is listened to."""

    def write(self, text):
        n_written = super().write(text)
        self.flush()
        if "clip.attempted" in text and json.loads(text)["clip"] == CLIP:
            moment.begin()
        if "stop.requested" in text and WORD.endswith("2"):
            os.kill(os.getpid(), NUMBER)
        return n_written


def watch(event, _):
    if event == "subprocess.Popen" and moment.left > 0:
        moment.come_nearer()


moment = Moment()
sys.stderr = Log(sys.stderr.buffer, encoding="utf-8", line_buffering=True)
sys.addaudithook(watch)
from heygemd.cli import main  # noqa: E402 - after what it is watched by

sys.exit(main(sys.argv[4:]))
