"""The journal gets lines with fields, where the process's standard error goes to it."""

import json
import os
import socket
import subprocess
import sys

import pytest

from heygemd import journal


@pytest.fixture
def book(tmp_path):
    """A socket that journald could own, and what came in."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "socket"))
        receiver.settimeout(100)
        yield receiver


def parsed(datagram):
    """By name, as journald reads it."""
    found = {}
    while datagram:
        name, ends, rest = datagram.partition(b"\n")
        if b"=" in name:
            key, _, value = name.partition(b"=")
            datagram = rest
        else:
            length = int.from_bytes(rest[:8], "little")
            key, value, datagram = name, rest[8 : 8 + length], rest[8 + length + len(ends) :]
        found[key.decode()] = value.decode()
    return found


def test_values_of_one_line_and_of_several_come_back_as_they_were():
    values = {"MESSAGE": "a = b", "HEYGEMD_JOB": "two\nlines=\n", "PRIORITY": "3", "EMPTY": ""}
    assert parsed(journal.entry(values)) == values


def test_a_stray_byte_of_a_name_is_escaped():
    assert parsed(journal.entry({"HEYGEMD_CLIP": "\udcff.mp4"})) == {"HEYGEMD_CLIP": "\\udcff.mp4"}


@pytest.mark.parametrize(("level", "priority"), [("error", "3"), ("warning", "4"), ("info", "6")])
def test_the_level_becomes_the_priority(level, priority):
    assert journal.fields({"level": level})["PRIORITY"] == priority


def test_job_clip_and_code_can_be_asked_for():
    event = {"event": "clip.failed", "job": "lesson", "clip": "a.mp4", "code": "no_face", "x": 1}
    named = {k: v for k, v in journal.fields(event).items() if k.startswith("HEYGEMD")}
    assert named == {
        "HEYGEMD_EVENT": "clip.failed",
        "HEYGEMD_JOB": "lesson",
        "HEYGEMD_CLIP": "a.mp4",
        "HEYGEMD_CODE": "no_face",
    }


def test_a_standard_error_that_goes_elsewhere_means_no_journal(tmp_path, book):
    with (tmp_path / "stderr").open("wb") as file:
        for env in ({}, {"JOURNAL_STREAM": "1:2"}):
            assert journal.connect(env, file.fileno(), book.getsockname()) is None


def test_a_journal_that_is_not_there_is_none(tmp_path):
    with (tmp_path / "stderr").open("wb") as file:
        facts = os.fstat(file.fileno())
        env = {"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"}
        assert journal.connect(env, file.fileno(), str(tmp_path / "nothing")) is None


SCRIPT = """
import os, sys
from heygemd import journal, log
facts = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{facts.st_dev}:{facts.st_ino}"
journal.SOCKET = sys.argv[1]
log.configure()
log.log.warning("clip.failed", code="no_face", job="two\\nlines")
os.unlink(sys.argv[1])
sys.stdin.read()
log.log.info("daemon.stopped")
"""


@pytest.mark.timeout(240)
def test_a_process_logs_there_and_to_standard_error_when_the_journal_goes_away(book):
    command = [sys.executable, "-c", SCRIPT, book.getsockname()]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        entry = parsed(book.recv(1 << 16))
        book.close()
        _, said = process.communicate(timeout=100)
    assert entry["HEYGEMD_JOB"] == "two\nlines"
    assert entry["PRIORITY"] == "4"
    assert json.loads(entry["MESSAGE"])["code"] == "no_face"
    assert json.loads(said)["event"] == "daemon.stopped"
