"""docs/performance.md says what was measured, and ratios are those of runs side by side."""

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def benchmark_of(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


def test_the_page_is_made_of_the_figures_that_are_kept(benchmark_of):
    page = benchmark_of("page").text(ROOT / "benchmarks" / "results")

    assert (ROOT / "docs" / "performance.md").read_text() == page


def test_the_page_tells_every_figure_with_its_machine_and_day(benchmark_of, tmp_path):
    machine = {"date": "2026-01-02", "cpu": "Abacus", "cores": 2, "load": [3.0, 0, 0],
               "python": "3.11.2", "torch": "2.0", "ffmpeg": "n9"}  # fmt: skip
    rows = [{"n_frames": 100, "cpu_s": {"detect": 1.25, "encode": 2.0}}]
    figures = {"benchmark": "stages", "machine": machine, "rows": rows}
    (tmp_path / "stages.json").write_text(json.dumps(figures))
    page = benchmark_of("page").text(tmp_path)

    assert "| detect | 12.5 |" in page
    assert "2026-01-02, 2 cores of Abacus, load 3, Python 3.11.2, torch 2.0, ffmpeg n9." in page
    assert "Models alone" not in page


def test_a_host_without_a_gpu_has_no_figures_of_one(benchmark_of):
    row = {"model": "warp", "at_once": 2, "hwaccel": "none", "times_real_time": 4.2, "cpu_s": 5.0,
           "n_frames": 100, "peak_bytes": 8e8, "gpu_busy": None, "gpu_peak_bytes": 0}  # fmt: skip
    seen = {**row, "gpu_busy": 0.1, "gpu_peak_bytes": 1.5e9}
    text = "".join(benchmark_of("page").host([row, seen]))

    assert "| warp | 2 | none | 4.2 | 50.0 | 0.80 |  |  |" in text
    assert "| warp | 2 | none | 4.2 | 50.0 | 0.80 | 1.50 | 90% |" in text


def test_ratios_are_medians_over_rounds_of_runs_of_the_same_round(benchmark_of):
    side_by_side = benchmark_of("side_by_side")
    run = benchmark_of("measuring").Run

    def jobs(*cpus_s, start_cpu_s=0.0):
        return [side_by_side.Job(run(1.0, cpu_s, 1, 1), 10, start_cpu_s) for cpu_s in cpus_s]

    rounds = {
        ("cold", "heygemd"): jobs(10, 20, 90, start_cpu_s=5.0),
        ("cold", "ffmpeg"): jobs(5, 5, 30),
        ("cold", "wav2lip"): jobs(1000, 1000, 900),
    }
    ours, theirs = (
        side_by_side.row("cold", side, rounds["cold", side], rounds)
        for side in ("heygemd", "wav2lip")
    )

    assert ours["to_ffmpeg"] == 3
    assert theirs["to_heygemd"] == 50
    assert theirs["to_running"] == pytest.approx(1000 / 15)
