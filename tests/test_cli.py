"""The commands as a person types them: words, exit codes, files."""

import json
import subprocess
import sys

import made_media
import pytest

from heygemd.cli import main


def heygemd(*words):
    command = [sys.executable, "-m", "heygemd", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.parametrize(
    "words", [[], ["fly"], ["render", "voice.wav"], ["run", "--no-such-flag"], ["models"]]
)
def test_wrong_usage_exits_64(words, capsys):
    assert main(words) == 64
    assert "usage: heygemd" in capsys.readouterr().err


def test_help_exits_0_and_shows_the_commands(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in ("run", "once", "render", "demo", "check", "models"):
        assert f"    {command} " in shown


def test_help_loads_no_network():
    code = (
        "import sys; from heygemd.cli import main; main(['--help']); print('torch' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "False"


def test_a_missing_settings_file_exits_78_and_is_named(capsys):
    assert main(["run", "--config", "/nowhere/config.toml"]) == 78
    assert "/nowhere/config.toml" in capsys.readouterr().err


def test_an_unknown_key_exits_78_and_names_the_nearest(capsys):
    assert main(["once", "--set", "model.devise=cpu"]) == 78
    assert "did you mean model.device?" in capsys.readouterr().err


@pytest.mark.timeout(60)
def test_a_gpu_that_is_not_there_exits_75_and_nothing_falls_back(tmp_path):
    words = [f"folders.{name}={tmp_path / name}" for name in ("inbox", "outbox", "work")]
    for name in ("inbox", "outbox", "work"):
        (tmp_path / name).mkdir()
    flags = [flag for word in words for flag in ("--set", word)]
    ended = heygemd("once", *flags, "--set", "model.device=cuda:63")
    assert ended.returncode == 75
    assert "cuda:63" in ended.stderr


def test_wav2lip_without_a_checkpoint_exits_78_and_says_how_to_get_one(tmp_path, capsys):
    assert main(["check", "--set", "model.name=wav2lip"]) == 78
    assert "heygemd models add" in capsys.readouterr().out


def test_a_web_page_instead_of_a_checkpoint_is_called_one(tmp_path, capsys):
    page = tmp_path / "wav2lip.pth"
    page.write_text("<!DOCTYPE html><html>Sign in to download</html>")
    assert main(["models", "add", str(page), "--set", f"folders.models={tmp_path}/models"]) == 78
    assert "web page" in capsys.readouterr().err


def test_models_list_shows_what_is_built_in(tmp_path, capsys):
    assert main(["models", "list", "--set", f"folders.models={tmp_path}"]) == 0
    assert "warp" in capsys.readouterr().out


def test_check_finds_missing_folders_and_says_what_to_do(tmp_path, capsys):
    words = ["--set", f"folders.inbox={tmp_path}/none", "--set", "model.name=passthrough"]
    assert main(["check", "--json", *words]) == 74
    found = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert found["ffmpeg"]["level"] == "ok"
    assert found["inbox"]["level"] == "error"
    assert "mkdir -p" in found["inbox"]["advice"]


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shots")
    made_media.write_voice(folder / "-voice %03d.wav", 0.6)
    made_media.write_clip(folder / "data:anna.mp4", n_frames=12)
    made_media.write_blank(folder / "nobody.mp4", n_frames=5)
    return folder


@pytest.mark.timeout(100)
def test_render_takes_awkward_names_keeps_what_is_there_and_tells_what_failed(shots, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "data_anna.mp4").write_text("mine")
    clips = [shots / "data:anna.mp4", shots / "nobody.mp4"]
    ended = heygemd("render", "--model", "passthrough", "--out", out, "--",
                    shots / "-voice %03d.wav", *clips)  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    assert (out / "data_anna.mp4").read_text() == "mine"
    (finished,) = out.glob("*~2.mp4")
    log = json.loads(finished.with_suffix(".json").read_text())
    assert (log["outcome"], log["n_frames"]) == ("ok", 15)
    assert json.loads((out / "nobody.json").read_text())["code"] == "no_face"
    assert "no_face" in ended.stdout
    assert {path.suffix for path in out.iterdir()} == {".mp4", ".json"}


def test_render_names_a_file_that_is_not_there(tmp_path):
    ended = heygemd("render", tmp_path / "voice.wav", tmp_path / "anna.mp4", "-o", tmp_path / "o")
    assert ended.returncode == 1
    assert "voice.wav" in ended.stderr
    assert not (tmp_path / "o").exists()
