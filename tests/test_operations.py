"""What the operators' pages say is so: metrics, alerts, dashboard, exit codes, events, signals."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families
from test_metrics import metrics  # noqa: F401 - a fixture

from heygemd import errors
from heygemd.log import Event

DOCS = Path(__file__).parents[1] / "docs"
UNIT = Path(__file__).parents[1] / "systemd" / "heygemd.service"


def names_in(text):
    return set(re.findall(r"\bheygemd_[a-z_]+[a-z]\b", text)) - {"heygemd_process_"}


@pytest.fixture
def known(metrics):  # noqa: F811 - the fixture
    families = text_string_to_metric_families(metrics.text().decode())
    samples = {sample.name for family in families for sample in family.samples}
    declared = set(re.findall(r"# TYPE (\S+)", metrics.text().decode()))
    return samples | declared


@pytest.mark.parametrize("page", ["alerts.yaml", "grafana.json", "operations.md", "install.md"])
def test_every_metric_that_is_named_exists(known, page):
    text = (DOCS / page).read_text().replace("heygemd_process_*", "")
    assert names_in(text) <= known


def test_every_metric_of_ours_is_explained(known):
    text = (DOCS / "operations.md").read_text()
    own = {name for name in known if not name.startswith("heygemd_process_")}
    bases = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in own}
    totals = {name + "_total" for name in bases}
    missing = {n for n in bases - totals if n not in text and n + "_total" not in text}
    assert missing == set()


def test_the_dashboard_has_panels_that_do_not_overlap():
    panels = json.loads((DOCS / "grafana.json").read_text())["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))


def fatal_errors():
    found = vars(errors).values()
    return [e for e in found if isinstance(e, type) and issubclass(e, errors.FatalError)]


@pytest.mark.parametrize("kind", fatal_errors())
def test_the_table_of_exit_codes_has_every_way_to_end(kind):
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", (DOCS / "operations.md").read_text(), re.MULTILINE)
    assert f"`{kind.code}`" in dict(rows)[str(kind.exit_code)]


def test_systemd_stays_down_where_the_table_says_so():
    text = (DOCS / "operations.md").read_text()
    down = set(re.findall(r"^\| (\d+) \|.*stays down", text, re.MULTILINE))
    prevented = re.search(r"^RestartPreventExitStatus=(.*)", UNIT.read_text(), re.MULTILINE)
    assert down <= set(prevented[1].split())


def test_every_event_that_is_explained_exists():
    text = (DOCS / "operations.md").read_text()
    named = set(re.findall(r"`([a-z]+\.[a-z_]+)`", text.split("## Events")[1].split("##")[0]))
    assert named <= set(get_args(Event))
    assert len(named) > 10


def test_the_watchdog_is_as_long_as_the_page_says_and_longer_than_a_hung_decoder():
    assert "WatchdogSec=3min" in UNIT.read_text()
    assert "WatchdogSec=3min" in (DOCS / "operations.md").read_text()
