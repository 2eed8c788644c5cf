"""A small Debian with a systemd of its own: made with debootstrap, booted with systemd-nspawn."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "systemd,systemd-sysv,dbus,make,python3,python3-venv,libgl1,libglib2.0-0,libxcb1,libegl1,"
    "libgles2,ca-certificates,procps"
)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NEEDED = ("debootstrap", "systemd-nspawn", "nsenter", "git")
_STEP_S = 0.5


def obstacle():
    """Why no container can be booted here; empty where one can."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    return f"missing: {', '.join(missing)}" if missing else ""


def make_tree(tree):
    """Debian with heygemd's sources; HEYGEMD_TREE names a ready base tree to copy."""
    base = os.environ.get("HEYGEMD_TREE")
    if base:
        subprocess.run(["cp", "-a", "--reflink=auto", f"{base}/.", tree], check=True)
    else:
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", tree]
        subprocess.run(command, check=True)
    sources = tree / "src"
    sources.mkdir()
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    pack = ["tar", "--null", "--no-recursion", "-T", "-", "-cf", "-"]
    packed = subprocess.run(pack, cwd=ROOT, input=files, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-xf", "-", "-C", sources], input=packed, check=True)


def install(tree):
    """``make install`` in the tree, with this machine's network and what its pip is told to use."""
    bind = [f"--bind-ro={path}" for path in pip_paths()]
    pip = [f"--setenv={k}={v}" for k, v in os.environ.items() if k.startswith("PIP_")]
    command = ["systemd-nspawn", "--quiet", "-D", tree, "--register=no", "--keep-unit", "--pipe"]
    inside = "make -C /src install"
    subprocess.run([*command, *bind, *pip, "/bin/sh", "-c", inside], check=True, timeout=3000)


def pip_paths():
    """Files with this machine's settings of pip, and the files and folders that they name."""
    command = [sys.executable, "-m", "pip", "config", "debug"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = set(re.findall(r"^ +(/.*), exists: True$", said, re.MULTILINE))
    values = " ".join(re.findall(r"^ +[\w.-]+(?:: |=)(.*)$", said, re.MULTILINE))
    # An index on a disk links to the files beside it.
    found |= {os.path.dirname(url) for url in re.findall(r"file://(/[^ ']+)", values)}  # noqa: PTH120
    found |= set(re.findall(r"(?<![^ '])/[^ ']+", values))
    return sorted(path for path in found if Path(path).exists())


class Container:
    """One booted tree."""

    def __init__(self, tree, console):
        self.tree = tree
        self.console = console
        self.nspawn = None
        self.boot()

    def boot(self):
        """Start it and wait until its services are up."""
        command = ["systemd-nspawn", "--quiet", "-D", self.tree, "-b", "--register=no",
                   "--keep-unit", "--private-network", "--console=pipe"]  # fmt: skip
        self.nspawn = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console
        )
        self.wait_until_up()

    def wait_until_up(self):
        """Until systemd says running, or degraded by something that is not ours."""

        def is_up():
            return self.run("systemctl", "is-system-running").stdout.strip() in {
                "running", "degraded",
            }  # fmt: skip

        self.wait(is_up, 120, "the container to boot")

    def leader(self):
        """Process id of its systemd, 0 while there is none."""
        task = Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children")
        children = task.read_text().split() if task.exists() else []
        return int(children[0]) if children else 0

    def run(self, *command, stdin=None, seconds=120):
        """A command inside; its code and what it said."""
        enter = ["nsenter", "-t", str(self.leader()), "-m", "-u", "-i", "-n", "-p", "--"]
        return subprocess.run(
            [*enter, "env", "-i", f"PATH={PATH}", *command],
            input=stdin, capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip

    def ok(self, *command, stdin=None, seconds=120):
        """What a command inside says; it must succeed."""
        ended = self.run(*command, stdin=stdin, seconds=seconds)
        assert ended.returncode == 0, f"{command}: {ended.stdout[-2000:]} {ended.stderr[-2000:]}"
        return ended.stdout

    def show(self, name):
        """A property of heygemd.service."""
        return self.ok("systemctl", "show", "--value", "-p", name, "heygemd.service").strip()

    def wait(self, is_so, seconds, what):
        """Until ``is_so()``; fails with the journal's end when it never is."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            if is_so():
                return
            time.sleep(_STEP_S)
        said = self.run("journalctl", "--no-pager", "-n", "30", "-o", "cat").stdout
        raise AssertionError(f"waited {seconds} s for {what}; the journal ends with\n{said}")

    def journal(self, since=""):
        """heygemd's own lines of this boot and all earlier ones, parsed, after a cursor."""
        # Without -u: where the cursor's own entry is another's, journalctl would skip one of ours.
        cursor = [f"--after-cursor={since}"] if since else []
        said = self.ok("journalctl", "--no-pager", "-o", "json", *cursor)
        found = []
        for line in said.splitlines():
            entry = json.loads(line)
            message = entry.get("MESSAGE")
            if entry.get("_SYSTEMD_UNIT") == "heygemd.service" and isinstance(message, str):
                found.append(message)
        return found

    def events(self, since=""):
        """The JSON lines among them."""
        return [json.loads(line) for line in self.journal(since) if line.startswith("{")]

    def cursor(self):
        """Where the journal stands now."""
        said = self.ok("journalctl", "--no-pager", "-n", "0", "--show-cursor")
        return said.rpartition("-- cursor: ")[2].strip()

    def wait_for_event(self, name, since, seconds=300, **values):
        """Until heygemd logged an event, with these values."""

        def came():
            return any(
                event["event"] == name and values.items() <= event.items()
                for event in self.events(since)
            )

        self.wait(came, seconds, f"{name} {values}")

    def wait_for_active(self, seconds=300):
        """Until the service is ready."""

        def is_active():
            return self.run("systemctl", "is-active", "heygemd.service").stdout.strip() == "active"

        self.wait(is_active, seconds, "heygemd.service to be active")

    def drop(self, job, *files):
        """Copy files from the host into a job folder in the inbox, as Samba's masks would."""
        folder = self.tree / "srv/heygem/inbox" / job
        folder.mkdir()
        folder.chmod(0o2770)
        for name, path in files:
            shutil.copyfile(path, folder / name)
            (folder / name).chmod(0o660)

    def outbox(self, job):
        """Names in a job's folder, without hidden ones."""
        folder = self.tree / "srv/heygem/outbox" / job
        return sorted(p.name for p in folder.glob("*") if not p.name.startswith("."))

    def kill(self):
        """Pull the plug."""
        leader = self.leader()
        if leader:
            os.kill(leader, signal.SIGKILL)
        self.nspawn.wait(timeout=60)
