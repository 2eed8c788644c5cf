"""The page on reliability names tests that exist."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "reliability.md"


def test_every_test_that_the_page_names_exists():
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    found = set(re.findall(r"def (test_\w+)", "".join(p.read_text() for p in TESTS.rglob("*.py"))))

    assert len(named) > 50
    assert named - found == set()


def test_every_case_up_to_79_is_on_the_page():
    numbers = set()
    for case in re.findall(r"^\| ([\d, to]+) \|", PAGE.read_text(), re.MULTILINE):
        bounds = [int(number) for number in re.findall(r"\d+", case)]
        numbers |= set(range(bounds[0], bounds[-1] + 1)) if "to" in case else set(bounds)

    assert set(range(1, 80)) <= numbers
