"""A Samba server of our own on the loopback, a client for it, and its share through FUSE."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

HOST, SHARE, PORT = "127.0.0.1", "heygem", 445  # smbnetfs knows no other port
_STEP_S = 0.1

_SERVER = """
[global]
  server role = standalone server
  interfaces = {host}
  bind interfaces only = yes
  smb ports = {port}
  disable netbios = yes
  disable spoolss = yes
  load printers = no
  printing = bsd
  map to guest = Bad User
  guest account = root
  private dir = {root}/private
  lock directory = {root}/lock
  state directory = {root}/state
  cache directory = {root}/cache
  pid directory = {root}/pid
  ncalrpc dir = {root}/ncalrpc
  log file = {root}/smbd.log
[{share}]
  path = {root}/share
  read only = no
  guest ok = yes
  force user = root
"""
_CLIENT = """
[global]
  client min protocol = SMB2
  name resolve order = host
  disable netbios = yes
"""


def obstacle():
    """Why no share can be served here; empty where one can."""
    if os.geteuid() != 0:
        return "needs root, for port 445 and for mounts"
    missing = [name for name in ("smbd", "smbclient") if shutil.which(name) is None]
    if missing:
        return f"missing: {', '.join(missing)}"
    with socket.socket() as probe:
        taken = probe.connect_ex((HOST, PORT)) == 0
    return f"port {PORT} is taken" if taken else ""


def fuse_obstacle():
    """Why the share cannot be mounted through FUSE; empty where it can."""
    if shutil.which("smbnetfs") is None:
        return "missing: smbnetfs"
    return "" if os.access("/dev/fuse", os.R_OK | os.W_OK) else "no /dev/fuse"


def until(true, what, timeout_s=60.0):
    """Wait for something that another process does."""
    end_s = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > end_s:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(_STEP_S)


class Server:
    """smbd with a configuration of its own, below ``root``; the share is ``root/share``."""

    def __init__(self, root):
        self.root = root
        self.share = root / "share"
        for name in ("private", "lock", "state", "cache", "pid", "ncalrpc", "share"):
            (root / name).mkdir()
        self.config = root / "server.conf"
        self.config.write_text(_SERVER.format(root=root, host=HOST, port=PORT, share=SHARE))
        (root / "client.conf").write_text(_CLIENT)
        with (root / "smbd.out").open("wb") as out:
            self.smbd = subprocess.Popen(
                ["smbd", "-F", "--no-process-group", "-s", self.config],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(self._answers, f"smbd, see {root}/smbd.out")

    def _answers(self):
        assert self.smbd.poll() is None, (self.root / "smbd.out").read_text()
        return self.client("ls", check=False).returncode == 0

    def client(self, *commands, check=True):
        """What smbclient says to some of its commands."""
        config = self.root / "client.conf"
        command = ["smbclient", "-s", config, "-N", f"//{HOST}/{SHARE}", "-c", "; ".join(commands)]
        return subprocess.run(command, check=check, capture_output=True, text=True, timeout=120)

    def drop(self, folder, *paths):
        """A person's file manager: make a folder in the inbox, then copy file after file."""
        puts = [f'put "{path}" "inbox/{folder}/{path.name}"' for path in paths]
        self.client(f'mkdir "inbox/{folder}"', *puts)

    def close(self):
        os.killpg(self.smbd.pid, signal.SIGTERM)
        self.smbd.wait(timeout=30)


class Mount:
    """The server's share through smbnetfs, as a kernel without CIFS would have it."""

    def __init__(self, root):
        self.point = root / "mount"
        self.point.mkdir()
        self.share = self.point / HOST / SHARE
        self.home = root / "home"
        folder = self.home / ".smb"
        folder.mkdir(parents=True)
        (folder / "smb.conf").write_text(_CLIENT)
        (folder / "smbnetfs.conf").write_text(
            'include "smbnetfs.auth"\ninclude "smbnetfs.host"\nsmb_query_browsers false\n'
        )
        (folder / "smbnetfs.auth").write_text('auth "guest" ""\n')
        (folder / "smbnetfs.host").write_text(
            f"host {HOST} visible=true\nlink {SHARE} {HOST}/{SHARE}\n"
        )
        for path in folder.iterdir():
            path.chmod(0o600)
        self.process = None

    def attach(self):
        config = self.home / ".smb" / "smbnetfs.conf"
        self.process = subprocess.Popen(
            ["smbnetfs", "-f", self.point, "-o", f"config={config}"],
            env={**os.environ, "HOME": str(self.home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(self.is_there, f"smbnetfs on {self.point}")

    def is_there(self):
        assert self.process.poll() is None, f"smbnetfs ended with {self.process.returncode}"
        return (self.point / SHARE / "inbox").is_dir()

    def freeze(self):
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def detach(self):
        """Take the share away from whoever uses it; the bare mount point is left."""
        if self.process is None:
            return
        subprocess.run(["umount", "-l", self.point], check=False)
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)
        self.process = None


def memory_disk(folder, size):
    """Mount a tmpfs of a few MB; the folder."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=True)
    return Path(folder)


def unmount(folder):
    subprocess.run(["umount", "-l", folder], check=True)
