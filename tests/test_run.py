"""One life of the real daemon as systemd would lead it: start, work, reloads, a dump, a stop."""

import json
import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
from dataclasses import dataclass, field
from datetime import datetime

import made_media
import pytest

pytestmark = pytest.mark.timeout(180)

CONFIG = """
[folders]
inbox = "{root}/inbox"
outbox = "{root}/outbox"
work = "{root}/work"
[intake]
settle_s = {settle_s}
rescan_s = 0.5
[model]
name = "passthrough"
device = "cpu"
[service]
metrics_file = "{root}/heygemd.prom"
"""
PATIENCE_S = 60.0
SO_TIMESTAMPNS = 35  # asm-generic/socket.h: the kernel says when a datagram was sent
LAST = b"nothing comes after this"


@dataclass
class Life:
    """The process, what it logged and what systemd heard.

    Log and socket are read by two threads, so each entry carries the time at which the daemon said
    it, and ``said`` is in that order.
    """

    process: subprocess.Popen
    events: list = field(default_factory=list)
    told: list = field(default_factory=list)
    garbage: list = field(default_factory=list)
    scraped: str = ""
    status: dict = field(default_factory=dict)
    came: queue.Queue = field(default_factory=queue.Queue)

    def read_log(self):
        for line in self.process.stderr:
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                self.garbage.append(line)
                continue
            self.events.append(event)
            said_s = datetime.fromisoformat(event["timestamp"]).timestamp()
            self.told.append((said_s, "event=" + event["event"]))
            self.came.put(event["event"])

    def read_socket(self, receiver):
        while True:
            text, [(_, _, stamp)], _, _ = receiver.recvmsg(4096, 64)
            if text == LAST:
                return
            seconds, ns = struct.unpack("qq", stamp)
            self.told.append((seconds + ns / 1e9, text.decode()))
            self.came.put(text.decode().splitlines()[0])

    @property
    def said(self):
        return [text for _, text in sorted(self.told, key=lambda entry: entry[0])]

    def wait_for(self, word):
        try:
            while self.came.get(timeout=PATIENCE_S) != word:
                pass
        except queue.Empty:
            pytest.fail(f"no {word} within {PATIENCE_S} s: {self.events[-5:]} {self.garbage[-5:]}")

    def find(self, name):
        return [event for event in self.events if event["event"] == name]

    def lead(self, root):
        """Everything that happens in this life."""
        self.wait_for("READY=1")
        made_media.write_voice(root / "voice.wav", 1.2)
        made_media.write_clip(root / "anna.mp4")
        job = root / "lesson\n1"
        job.mkdir()
        for name in ("voice.wav", "anna.mp4"):
            (root / name).rename(job / name)
        job.rename(root / "inbox" / job.name)  # whole at once, however slow this machine is
        self.wait_for("job.closed")
        config = root / "config.toml"
        for text in ("[intake\nsettle_s = 3", CONFIG.format(root=root, settle_s=0.3)):
            config.write_text(text)
            self.process.send_signal(signal.SIGHUP)
            self.wait_for("READY=1")
        self.process.send_signal(signal.SIGUSR1)
        self.wait_for("daemon.dumped")
        self.scraped = self.scrape()
        self.status = json.loads((root / "run" / "status.json").read_text())
        for _ in range(3):
            self.wait_for("WATCHDOG=1")
        self.process.terminate()
        self.process.wait(timeout=PATIENCE_S)

    def scrape(self):
        with urllib.request.urlopen(self.url, timeout=10) as answer:  # noqa: S310 - our own http
            return answer.read().decode()

    url: str = ""


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    root = tmp_path_factory.mktemp("life")
    for name in ("inbox", "outbox", "work", "run"):
        (root / name).mkdir()
    (root / "config.toml").write_text(CONFIG.format(root=root, settle_s=0.2))
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver,
        socket.create_server(("127.0.0.1", 0)) as metrics,
    ):
        receiver.bind(str(root / "notify"))
        receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        metrics.set_inheritable(True)
        env = {
            **os.environ,
            "NOTIFY_SOCKET": str(root / "notify"),
            "RUNTIME_DIRECTORY": str(root / "run"),
            "WATCHDOG_USEC": "60000000",
            "LISTEN_FDS": "1",
            "LISTEN_FDNAMES": "metrics",
        }
        run = [sys.executable, "-m", "heygemd", "run", "--config", str(root / "config.toml")]
        # systemd hands sockets over as descriptor 3 and says whom they are for.
        script = (
            "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid()); "
            f"os.dup2({metrics.fileno()}, 3); os.execv(sys.argv[1], sys.argv[1:])"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script, *run],
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            pass_fds=[metrics.fileno()],
        ) as process:
            found = Life(process)
            found.url = f"http://127.0.0.1:{metrics.getsockname()[1]}/metrics"
            threads = [
                threading.Thread(target=found.read_log),
                threading.Thread(target=found.read_socket, args=(receiver,)),
            ]
            for thread in threads:
                thread.start()
            try:
                found.lead(root)
            finally:
                process.kill()
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                    sender.sendto(LAST, str(root / "notify"))
                for thread in threads:
                    thread.join()
    found.root = root
    return found


def test_ready_is_said_once_before_any_reload_and_after_the_model_is_warm(life):
    reloading = next(n for n, text in enumerate(life.said) if text.startswith("RELOADING=1"))
    before = life.said[:reloading]
    assert before.count("READY=1") == 1
    assert before.index("event=model.loaded") < before.index("READY=1")


def test_more_time_is_asked_for_before_the_model_is_loaded(life):
    loaded = life.said.index("event=model.loaded")
    assert any(text.startswith("EXTEND_TIMEOUT_USEC=") for text in life.said[:loaded])


def test_the_job_comes_out_while_it_runs(life):
    outcomes = [event["outcome"] for event in life.find("job.closed")]
    assert outcomes == ["ok"]
    assert list((life.root / "outbox").glob("*/anna.mp4"))


def test_the_watchdog_is_fed_by_an_idle_daemon_too(life):
    assert life.said.count("WATCHDOG=1") >= 3


def test_a_broken_file_is_refused_and_the_old_settings_stay(life):
    (refused,) = life.find("settings.refused")
    assert refused["level"] == "error"
    assert "TOML" in refused["message"]


def test_a_good_file_is_taken_and_what_changed_is_told(life):
    (reloaded,) = life.find("settings.reloaded")
    assert reloaded["changed"] == ["intake.settle_s"]
    assert reloaded["need_restart"] == []


def test_a_reload_says_reloading_with_the_time_and_then_ready(life):
    told = [text for text in life.said if text.startswith(("RELOADING", "READY"))]
    assert [text.split("\n")[0] for text in told] == [
        "READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1",
    ]  # fmt: skip
    assert "MONOTONIC_USEC=" in told[1]


def test_a_dump_has_the_state_and_the_stack_of_the_main_thread(life):
    state, *threads = life.find("daemon.dumped")
    assert state["state"]["model"]["name"] == "passthrough"
    assert any("daemon.py" in "".join(each["stack"]) for each in threads)


def test_the_socket_of_systemd_and_the_files_give_the_same_metrics(life):
    for text in (
        life.scraped,
        (life.root / "heygemd.prom").read_text(),
        (life.root / "run" / "metrics.prom").read_text(),
    ):
        assert "heygemd_model_loads_total 1.0" in text
        assert 'heygemd_clips_total{outcome="ok"} 1.0' in text
    assert 'heygemd_reloads_total{outcome="refused"} 1.0' in life.scraped
    assert 'heygemd_frames_total{stage="render"} 30.0' in life.scraped


def test_no_metric_names_a_path_or_a_job(life):
    assert str(life.root) not in life.scraped
    assert "lesson" not in life.scraped


def test_status_json_says_who_runs_and_how_it_is(life):
    assert life.status["pid"] == life.process.pid
    assert life.status["state"] == "ready"
    assert life.status["model"]["device"] == "cpu"
    assert life.status["work"] == str(life.root / "work")


def test_a_stop_ends_with_zero_and_says_so(life):
    assert life.process.returncode == 0
    assert "STOPPING=1" in life.said
    assert life.events[-1]["event"] == "daemon.stopped"
    assert json.loads((life.root / "run" / "status.json").read_text())["state"] == "stopped"


def test_every_line_is_json_and_shorter_than_16_kib(life):
    assert life.garbage == []
    assert max(len(json.dumps(event)) for event in life.events) < 16 << 10


def test_a_second_daemon_on_the_same_spool_ends_with_75(tmp_path):
    code, said = failing(tmp_path, holder=True)
    assert (code, said["code"]) == (75, "busy")


def test_a_gpu_that_is_not_there_ends_with_75_and_not_on_the_cpu(tmp_path):
    pytest.importorskip("heygemd.lips.warp.model")
    code, said = failing(tmp_path, device="cuda", model="warp")
    assert (code, said["code"]) == (75, "gpu_lost")


def test_settings_that_are_wrong_end_with_78(tmp_path):
    code, said = failing(tmp_path, device="tpu")
    assert (code, said["code"]) == (78, "config")


def test_settings_that_everybody_may_write_end_with_78(tmp_path):
    code, said = failing(tmp_path, mode=0o666)
    assert (code, said["code"]) == (78, "config")
    assert "chmod" in said["message"]


def failing(root, *, device="cpu", model="passthrough", mode=0o644, holder=False):
    """Exit code and last words of a daemon that cannot start; nothing but JSON was said."""
    for name in ("inbox", "outbox", "work"):
        (root / name).mkdir()
    text = CONFIG.format(root=root, settle_s=1).replace('"passthrough"', f'"{model}"')
    config = root / "config.toml"
    config.write_text(text.replace('"cpu"', f'"{device}"'))
    config.chmod(mode)
    lock = [sys.executable, "-c", LOCK, str(root / "work" / "instance.lock")] if holder else None
    held = subprocess.Popen(lock, stdout=subprocess.PIPE) if lock else None
    if held is not None:
        held.stdout.readline()
    command = [sys.executable, "-m", "heygemd", "run", "--config", str(config)]
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=env
    )
    if held is not None:
        held.kill()
        held.wait()
        held.stdout.close()
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert lines[-1]["event"] == "daemon.failed"
    assert lines[-1]["exit_code"] == ended.returncode
    return ended.returncode, lines[-1]


LOCK = """
import fcntl, os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(100)
"""
