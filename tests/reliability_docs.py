"""Writes the last results into docs/reliability.md: ``python tests/reliability_docs.py FILE.xml``.

The files are what pytest writes with ``--junitxml``; of a test in several of them the last counts.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
ROW = re.compile(
    r"^\| (?P<case>[\d, to]+) \| (?P<what>.*?) \| (?P<tests>.*) \|(?P<result>[^|]*)\|$"
)
WORDS = {"failure": "FAILED", "error": "FAILED", "skipped": "skipped"}


def rows(text):
    """Yield (first to last case, the tests it names, its last result) of every row."""
    for line in text.splitlines():
        if found := ROW.match(line):
            numbers = [int(number) for number in re.findall(r"\d+", found["case"])]
            cases = range(numbers[0], numbers[-1] + 1) if "to" in found["case"] else numbers
            yield cases, re.findall(r"`(test_\w+)`", found["tests"]), found["result"].strip()


def read(paths):
    """Test function -> how often it passed, failed or was skipped, and the last run's day."""
    results, days = {}, []
    for path in paths:
        latest = {}
        for case in ET.parse(path).iter("testcase"):  # noqa: S314 - our own files
            name = case.get("name").partition("[")[0]
            words = [WORDS[child.tag] for child in case if child.tag in WORDS]
            latest.setdefault(name, Counter())[words[0] if words else "passed"] += 1
        results |= latest
        days += [suite.get("timestamp")[:10] for suite in ET.parse(path).iter("testsuite")]  # noqa: S314
    return results, max(days)


def filled(text, results, day):
    """The page with every row's last result."""

    def fill(line):
        found = ROW.match(line)
        names = re.findall(r"`(test_\w+)`", found["tests"]) if found else []
        if not names:
            return line
        counts = Counter()
        for name in names:
            counts += results.get(name, Counter({"not run": 1}))
        said = ", ".join(f"{word} ({n})" for word, n in sorted(counts.items(), reverse=True))
        return f"| {found['case']} | {found['what']} | {found['tests']} | {said} |"

    text = re.sub(r"Last results: .*", f"Last results: {day}.", text)
    return "\n".join(map(fill, text.splitlines())) + "\n"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8"), *read(sys.argv[1:])), "utf-8")
