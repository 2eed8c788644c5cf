"""What systemd hears, over a real datagram socket."""

import socket

import pytest

from heygemd.service import Notifier


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(5)
        yield receiver


def heard(receiver):
    return receiver.recv(4096).decode()


@pytest.mark.parametrize(
    ("say", "line"),
    [
        (lambda n: n.ready(), "READY=1"),
        (lambda n: n.alive(), "WATCHDOG=1"),
        (lambda n: n.stopping(), "STOPPING=1"),
        (lambda n: n.extend(1.5), "EXTEND_TIMEOUT_USEC=1500000"),
        (lambda n: n.status("2 jobs\nwait"), "STATUS=2 jobs wait"),
    ],
)
def test_each_word_is_one_datagram(manager, say, line):
    say(Notifier(manager.getsockname()))
    assert heard(manager) == line


def test_a_reload_carries_the_monotonic_time(manager):
    Notifier(manager.getsockname()).reloading()
    first, second = heard(manager).split("\n")
    assert first == "RELOADING=1"
    assert int(second.removeprefix("MONOTONIC_USEC=")) > 0


def test_abstract_sockets_are_reached():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0heygemd-test-notify")
        receiver.settimeout(5)
        Notifier("@heygemd-test-notify").ready()
        assert heard(receiver) == "READY=1"


def test_nobody_listening_is_no_trouble(tmp_path):
    Notifier("").ready()
    Notifier(str(tmp_path / "gone")).ready()
