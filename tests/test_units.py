"""The systemd units: clean, hard, and the same for one GPU as for many."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[1] / "systemd"
DAEMONS = ("heygemd.service", "heygemd@.service")
DROP_INS = {  # score of `systemd-analyze security` 252 with the drop-in, in tenths
    "host-network.conf": 16,
    "metrics-textfile.conf": 7,
    "nas-group.conf": 7,
    "private-users.conf": 5,
}


def version():
    program = shutil.which("systemd-analyze")
    if program is None:
        return 0
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    number = re.match(r"systemd (\d+)", said.stdout)
    return int(number[1]) if number else 0


needs_analyze = pytest.mark.skipif(
    version() < 250, reason="systemd-analyze is missing or older than 250"
)


def analyze(*arguments):
    return subprocess.run(
        [shutil.which("systemd-analyze"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def units(tmp_path):
    """Copies whose ExecStart exists here; an instance stands for the template."""
    for path in UNITS.glob("heygemd*"):
        text = path.read_text().replace("/usr/bin/heygemd", "/bin/true")
        text = re.sub(r"/usr/bin/nvidia-\S+", "/bin/true", text)
        (tmp_path / path.name).write_text(text)
    shutil.copy(tmp_path / "heygemd@.service", tmp_path / "heygemd@0.service")
    return tmp_path


@needs_analyze
@pytest.mark.parametrize(
    "name",
    ["heygemd.service", "heygemd@0.service", "heygemd-gpu-prep.service", "heygemd-metrics.socket"],
)
def test_systemd_finds_nothing_wrong_with_a_unit(units, name):
    found = analyze("verify", "--man=no", units / name)
    complaints = [line for line in found.stderr.splitlines() if "heygemd" in line]
    assert (found.returncode, complaints) == (0, [])


@needs_analyze
@pytest.mark.parametrize("name", DAEMONS)
def test_the_daemon_is_exposed_by_at_most_one_in_ten(units, name):
    found = analyze("security", "--offline=true", "--threshold=7", units / name)
    assert found.returncode == 0, found.stdout[-500:]


@needs_analyze
@pytest.mark.parametrize("name", DROP_INS)
def test_a_drop_in_costs_no_more_hardening_than_it_says(units, name):
    folder = units / "heygemd.service.d"
    folder.mkdir()
    shutil.copy(UNITS / "examples" / name, folder)
    unit = units / "heygemd.service"
    scored = analyze("security", "--offline=true", f"--threshold={DROP_INS[name]}", unit)
    assert scored.returncode == 0, scored.stdout[-500:]
    assert name not in analyze("verify", "--man=no", unit).stderr


def test_every_drop_in_says_where_it_goes():
    for path in (UNITS / "examples").glob("*.conf"):
        assert f"/etc/systemd/system/heygemd.service.d/{path.name}" in path.read_text()


def directives(name):
    lines = (UNITS / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_the_unit_per_gpu_is_the_single_one_but_for_names():
    per_gpu = [line.replace("heygemd-%i", "heygemd") for line in directives("heygemd@.service")]
    per_gpu = [line.replace("%i.toml", "config.toml") for line in per_gpu]
    per_gpu = [line.replace(" on GPU %i", "") for line in per_gpu]
    more = [line for line in per_gpu if "CUDA_VISIBLE_DEVICES=%i" in line]
    per_gpu.remove(more[0])
    assert per_gpu == directives("heygemd.service")


def test_hardening_that_is_missing_says_why():
    text = (UNITS / "heygemd.service").read_text()
    for directive in ("MemoryDenyWriteExecute", "PrivateDevices", "PrivateUsers", "ProcSubset"):
        assert not re.search(rf"^{directive}=", text, re.MULTILINE)
        assert re.search(rf"^# {directive}=\S*\s+\w+", text, re.MULTILINE), directive


def test_the_metrics_socket_listens_on_this_machine_alone():
    assert directives("heygemd-metrics.socket")[3] == "ListenStream=127.0.0.1:9877"
