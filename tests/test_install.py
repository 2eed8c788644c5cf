"""``make install`` beneath a root of its own, with the slow environment replaced by a small one."""

import os
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from heygemd import settings

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is missing")

# SETUP is documented in the Makefile: what makes the environment. This one is quick, says which
# words it was called with, and its python answers one question: what torch was built for.
SETUP = """#!/bin/sh
mkdir -p "$1/bin"
echo "$@" > "$1/words"
printf '#!/bin/sh\\n%s\\n' "${ANSWER:-echo cuda}" > "$1/bin/python"
chmod +x "$1/bin/python"
echo "VIRTUAL_ENV=$1" > "$1/bin/activate"
echo "command = python -m venv $1" > "$1/pyvenv.cfg"
"""


def make(target, root, prefix="/opt/heygemd", answer="echo cuda"):
    setup = root.parent / "setup"
    setup.write_text(SETUP)
    setup.chmod(0o755)
    # A make that runs these tests must not hand its own flags down.
    env = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    env["ANSWER"] = answer
    command = ["make", target, f"DESTDIR={root}", f"PREFIX={prefix}", f"SETUP={setup}"]
    subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, timeout=60)
    return root


def tree(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


@pytest.fixture
def root(tmp_path):
    return make("install", tmp_path / "root")


def test_the_units_the_user_the_folders_and_the_manual_are_in_place(root):
    assert {
        "usr/bin/heygemd",
        "usr/lib/systemd/system/heygemd.service",
        "usr/lib/systemd/system/heygemd@.service",
        "usr/lib/systemd/system/heygemd-gpu-prep.service",
        "usr/lib/systemd/system/heygemd-metrics.socket",
        "usr/lib/sysusers.d/heygemd.conf",
        "usr/lib/tmpfiles.d/heygemd.conf",
        "usr/share/man/man1/heygemd.1",
        "usr/share/bash-completion/completions/heygemd",
        "etc/heygemd/config.toml",
    } <= set(tree(root))


def test_the_environment_is_asked_for_without_the_tests_tools(root):
    venv = root / "opt/heygemd/venv"
    assert (venv / "words").read_text() == f"{venv} service\n"


def test_the_command_runs_the_module_of_the_prefix(root):
    command = root / "usr/bin/heygemd"
    assert stat.S_IMODE(command.stat().st_mode) == 0o755
    assert 'exec /opt/heygemd/venv/bin/python -P -m heygemd "$@"' in command.read_text()


def test_nothing_in_the_environment_remembers_the_other_root(root):
    found = [
        name
        for name, content in tree(root).items()
        if str(root).encode() in content and not name.endswith("words")
    ]
    assert found == []


def test_the_settings_are_valid_and_name_folders_of_a_server(root):
    loaded = settings.load(root / "etc/heygemd/config.toml", env=False)
    assert loaded.folders.inbox == Path("/srv/heygem/inbox")
    assert loaded.folders.outbox == Path("/srv/heygem/outbox")
    assert loaded.folders.work == Path("/var/lib/heygemd/work")
    assert loaded.folders.models == Path("/opt/heygemd/models")


@pytest.mark.parametrize(
    ("answer", "device"), [("echo cuda", "cuda"), ("echo cpu", "cpu"), ("exit 1", "auto")]
)
def test_the_device_that_torch_was_built_for_is_written_down(tmp_path, answer, device):
    root = make("install", tmp_path / "root", answer=answer)
    loaded = tomllib.loads((root / "etc/heygemd/config.toml").read_text())
    assert loaded["model"]["device"] == device


def test_installing_twice_changes_nothing(root):
    before = tree(root)
    assert tree(make("install", root)) == before


def test_an_upgrade_keeps_the_settings(root):
    config = root / "etc/heygemd/config.toml"
    config.write_text("[model]\ndevice = 'cpu'\n")
    make("install", root)
    assert config.read_text() == "[model]\ndevice = 'cpu'\n"


def test_another_prefix_moves_the_environment_and_the_command(tmp_path):
    root = make("install", tmp_path / "root", prefix="/srv/apps/heygemd")
    assert (root / "srv/apps/heygemd/venv/pyvenv.cfg").is_file()
    assert "exec /srv/apps/heygemd/venv/bin/python" in (root / "usr/bin/heygemd").read_text()


def test_uninstalling_leaves_the_settings_alone(root):
    make("uninstall", root)
    assert set(tree(root)) == {"etc/heygemd/config.toml"}


def test_uninstalling_leaves_other_files_of_the_prefix_alone(root):
    theirs = root / "opt/heygemd/models/wav2lip.safetensors"
    theirs.parent.mkdir()
    theirs.write_bytes(b"weights")
    make("uninstall", root)
    assert theirs.read_bytes() == b"weights"
