"""The figures that ship beside the voice network's weights."""

import json
from pathlib import Path

import pytest

import heygemd.lips.warp
from training import report

ASSETS = Path(heygemd.lips.warp.__file__).parent / "assets"


@pytest.fixture(scope="module")
def shipped():
    return json.loads((ASSETS / "voice.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", report.BARS)
def test_every_shipped_figure_is_what_was_wanted(shipped, name):
    (line,) = [line for line in report.table(shipped).splitlines() if line.startswith(f"{name} ")]

    assert line.endswith("wish")


def test_a_figure_below_its_floor_is_missed():
    assert report.table({"grid": {"r": 0.3}}).splitlines()[1].endswith("MISSED")


def test_a_figure_that_was_not_measured_says_so():
    assert report.table({}).splitlines()[1].endswith("not measured")
