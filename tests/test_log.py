"""The log: one JSON object a line, whatever is put into it."""

import ast
import io
import json
import logging
import unicodedata
import warnings
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars

from heygemd.log import Event, configure, log

PACKAGE = Path(__file__).parents[1] / "heygemd"


def lines_of(write, level="debug"):
    stream = io.StringIO()
    configure(level, stream=stream)
    write()
    return stream.getvalue().splitlines()


@given(st.text())
def test_any_text_stays_one_line_of_json(text):
    (line,) = lines_of(lambda: log.info("job.claimed", name=text))
    assert json.loads(line)["name"] == text.encode("utf-8", "backslashreplace").decode()


def test_a_name_that_is_not_utf8_is_escaped():
    name = b"\xff.mp4".decode("utf-8", "surrogateescape")
    (line,) = lines_of(lambda: log.info("job.claimed", name=name))
    assert json.loads(line)["name"] == r"\udcff.mp4"


def test_a_line_says_when_how_bad_and_what():
    (line,) = lines_of(lambda: log.warning("clip.failed", code="no_face"))
    entry = json.loads(line)
    assert entry["event"] == "clip.failed"
    assert entry["level"] == "warning"
    assert entry["timestamp"].endswith("Z")


def test_the_job_at_hand_is_in_every_line():
    def write():
        with bound_contextvars(job="lesson", clip="anna.mp4"):
            log.info("clip.attempted")

    assert json.loads(lines_of(write)[0]).items() >= {"job": "lesson", "clip": "anna.mp4"}.items()


def test_what_is_below_the_level_is_left_out():
    assert lines_of(lambda: log.info("job.claimed"), level="warning") == []


def test_the_standard_librarys_log_is_bridged():
    (line,) = lines_of(lambda: logging.getLogger("numba").warning("hot %s", "loop"))
    assert json.loads(line).items() >= {"library": "numba", "said": "hot loop"}.items()


def test_warnings_are_bridged():
    logging.captureWarnings(capture=False)  # so that it is put in place inside the block

    def write():
        warnings.warn("old call", DeprecationWarning, stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        (line,) = lines_of(write)
        logging.captureWarnings(capture=False)
    assert "old call" in json.loads(line)["said"]


def test_a_traceback_stays_in_its_line():
    def write():
        try:
            raise KeyError("lost")
        except KeyError:
            log.error("clip.failed", exc_info=True)

    (line,) = lines_of(write)
    assert "KeyError" in json.loads(line)["exception"]


# The names of faults.md's case 34, and what a file system or an archive may bring besides.
NAMES = [
    "-rf.mp4", "two\nlines.mp4", "%03d.mp4", "data:x.mp4", "pipe:0.mp4", "n" * 251 + ".mp4",
    "\u05e9\u05dc\u05d5\u05dd\u202e4pm.mp4", "\U0001f600.mp4",
    "e\u0301.mp4", "\u00e9.mp4", "\x1b[2J.mp4", "\u2028.mp4", "\x85.mp4",
    b"\xff\xfe.mp4".decode("utf-8", "surrogateescape"), "\udcff" * 255,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_is_one_short_line_of_printable_json(name):
    def write():
        with bound_contextvars(job=name, clip=name):
            log.warning("clip.failed", message=f"{name}: no face", output=name)

    (line,) = lines_of(write)
    assert len(line.encode()) < 16 << 10
    assert json.loads(line)["clip"]
    assert not any(unicodedata.category(letter) in {"Cc", "Zl", "Zp"} for letter in line)


def test_a_dump_of_ten_thousand_folders_is_shortened_and_keeps_what_matters():
    state = {
        "status": "idle",
        "folders_waiting": {f"{n:05} " + "x" * 240: "still changing" for n in range(10_000)},
        "lost": [],
    }
    (line,) = lines_of(lambda: log.info("daemon.dumped", state=state, stack=["deep " * 99] * 500))
    assert len(line.encode()) < 16 << 10
    dumped = json.loads(line)
    assert (dumped["event"], dumped["state"]["status"]) == ("daemon.dumped", "idle")
    assert dumped["stack"][-1].endswith("more")


def test_a_long_traceback_keeps_its_beginning_and_its_end():
    def write():
        try:
            raise ValueError("begin " + "x" * 100_000 + " end")
        except ValueError:
            log.error("daemon.failed", code="bug", exc_info=True)

    (line,) = lines_of(write)
    told = json.loads(line)["exception"]
    assert told.startswith("Traceback")
    assert told.endswith(" end")
    assert len(line) < 16 << 10


def test_a_line_that_fits_is_left_as_it_is():
    text = "x" * 15_000
    (line,) = lines_of(lambda: log.info("daemon.dumped", state=text))
    assert json.loads(line)["state"] == text


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_every_event_in_the_code_is_in_the_closed_list(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "log"
            and node.func.attr in {"debug", "info", "warning", "error"}
        ):
            assert ast.literal_eval(node.args[0]) in get_args(Event), f"{path}:{node.lineno}"
