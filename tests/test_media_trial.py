"""What of ffmpeg works here, in its own first words."""

import pytest

from heygemd.media.tool import Caps, Ffmpeg, find_ffmpeg
from heygemd.media.trial import film, problem_of

CAPS = Caps(file_bytes=0)


@pytest.fixture(scope="module")
def tool():
    return find_ffmpeg()


def encoded(codec):
    return film().output("-", f="null", pix_fmt="yuv420p", **{"c:v": codec})


def test_what_works_has_no_problem(tool):
    assert problem_of(tool, encoded("libx264"), CAPS) == ""


def test_a_problem_is_one_line_without_addresses(tool):
    problem = problem_of(tool, encoded("no_such_codec"), CAPS)
    assert "no_such_codec" in problem
    assert "\n" not in problem
    assert "0x" not in problem


def test_a_program_that_fails_without_a_word_has_a_problem_too(tmp_path):
    silent = tmp_path / "ffmpeg"
    silent.write_text("#!/bin/sh\nexit 1\n")
    silent.chmod(0o755)
    assert problem_of(Ffmpeg(silent, "1"), encoded("libx264"), CAPS) == "nothing"
