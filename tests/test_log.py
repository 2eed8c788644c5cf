"""The log: one JSON object a line, whatever is put into it."""

import ast
import io
import json
import logging
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
