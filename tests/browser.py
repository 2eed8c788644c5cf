"""Chromium without a window, driven over a pipe; for tests that look at pages."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
from contextlib import contextmanager

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--no-first-run",
    "--no-default-browser-check", "--mute-audio", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip


class Browser:
    """One tab. Protocol: https://chromedevtools.github.io/devtools-protocol."""

    def __init__(self, commands, events):
        self._commands, self._events = commands, events
        self._n_sent, self._session, self._buffer = 0, None, b""
        self.complaints = []
        self.loads = 0
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Accessibility"):
            self.send(f"{domain}.enable")
        # Time passes when a test says so: tick() is what the page wanted done again and again.
        later = "window.setInterval = (again) => { window.tick = again; };"
        self.send("Page.addScriptToEvaluateOnNewDocument", source=later)

    def send(self, method, **params):
        self._n_sent += 1
        message = {"id": self._n_sent, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while True:
            answer = self._read()
            if answer.get("id") == self._n_sent:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def _read(self):
        while b"\0" not in self._buffer:
            chunk = os.read(self._events.fileno(), 1 << 16)
            assert chunk, "chromium is gone"
            self._buffer += chunk
        raw, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(raw)
        method, params = message.get("method"), message.get("params")
        if method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(str(params["args"]))
        elif method == "Page.loadEventFired":
            self.loads += 1
        return message

    def show(self, path, *, language="en", width=1280, height=800, dark=False, media=""):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 500)  # fmt: skip
        self.send("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.send("Emulation.setUserAgentOverride", userAgent="test", acceptLanguage=language)
        self.goto(path.as_uri())

    def goto(self, address):
        n_loads = self.loads
        self.send("Page.navigate", url=address)
        self.wait_for_loads(n_loads + 1)

    def wait_for_loads(self, n_loads):
        while self.loads < n_loads:
            self._read()

    def ask(self, expression):
        """What a JavaScript expression gives, or its promise."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True, userGesture=True)  # fmt: skip
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def picture(self, path):
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                         clip={**self._whole(), "scale": 1})  # fmt: skip
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        self._session = None
        self.send("Browser.close")

    def _whole(self):
        return self.send("Page.getLayoutMetrics")["cssContentSize"]


def _high(fd):
    """The same pipe under a number above 9, so that 3 and 4 are free in the child."""
    higher = fcntl.fcntl(fd, fcntl.F_DUPFD, 10)
    os.close(fd)
    return higher


@contextmanager
def browser(folder):
    """A browser with an empty profile under ``folder``."""
    commands_in, commands_out = map(_high, os.pipe())
    events_in, events_out = map(_high, os.pipe())
    # Chromium looks for its pipes at 3 and 4.
    plumbed = f'exec "$@" 3</dev/fd/{commands_in} 4>/dev/fd/{events_out}'
    with (folder / "stderr").open("wb") as said:
        process = subprocess.Popen(
            [
                "/bin/sh",
                "-c",
                plumbed,
                "sh",
                CHROMIUM,
                *_FLAGS,
                f"--user-data-dir={folder}/profile",
            ],
            pass_fds=(commands_in, events_out),
            stdout=said,
            stderr=said,
        )
    os.close(commands_in)
    os.close(events_out)
    try:
        with os.fdopen(commands_out, "wb") as commands, os.fdopen(events_in, "rb") as events:
            tab = Browser(commands, events)
            yield tab
            tab.close()
    finally:
        process.terminate()
        process.wait(timeout=10)
