"""The page on reliability names tests that exist, and what they said when they were last run."""

from pathlib import Path

from reliability_docs import PAGE, rows

TESTS = Path(__file__).parent
NOT_RUN = {4}  # the page says why


def test_every_test_that_the_page_names_exists():
    named = {name for _, names, _ in rows(PAGE.read_text()) for name in names}
    sources = "".join(path.read_text() for path in TESTS.rglob("*.py"))

    assert len(named) > 50
    assert {name for name in named if f"def {name}(" not in sources} == set()


def test_every_case_up_to_79_is_on_the_page():
    cases = {case for cases, _, _ in rows(PAGE.read_text()) for case in cases}

    assert set(range(1, 80)) <= cases


def test_every_case_of_the_spool_passed_when_it_was_last_run():
    results = {case: result for cases, _, result in rows(PAGE.read_text()) for case in cases}

    assert [case for case, result in results.items() if "FAILED" in result] == []
    spool = range(1, 58)
    assert {case for case in spool if "passed" not in results[case]} == NOT_RUN
