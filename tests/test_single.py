"""``heygemd render``: results in a folder of the user's, without inbox or daemon."""

import json

import lavfi
import made_media
import pytest

from heygemd import cli
from heygemd.errors import AudioError, MediaError
from heygemd.settings import load
from heygemd.single import render

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    made_media.write_clip(folder / "anna.mp4", n_frames=10)
    made_media.write_blank(folder / "nobody.mp4", n_frames=10)
    lavfi.tone(folder / "voice.wav", seconds=0.4)
    return folder


@pytest.fixture(scope="module")
def settings():
    return load(overrides=["model.name=passthrough", "model.device=cpu"])


def test_each_video_gives_an_mp4_and_a_log_and_the_bad_one_says_why(
    media, settings, tmp_path, capsys
):
    out = tmp_path / "new" / "folder"
    code = render(media / "voice.wav", [media / "anna.mp4", media / "nobody.mp4"], out, settings)
    assert code == 1
    assert sorted(path.name for path in out.iterdir()) == ["anna.json", "anna.mp4", "nobody.json"]
    log = json.loads((out / "anna.json").read_text())
    assert (log["outcome"], log["n_frames"]) == ("ok", 10)
    assert log["output"]["size_bytes"] == (out / "anna.mp4").stat().st_size
    assert json.loads((out / "nobody.json").read_text())["code"] == "no_face"
    said = capsys.readouterr().out
    assert str(out / "anna.mp4") in said
    assert "nobody.mp4: failed" in said


def test_nothing_that_stands_there_is_overwritten(media, settings, tmp_path):
    (tmp_path / "anna.mp4").write_text("mine")
    assert render(media / "voice.wav", [media / "anna.mp4"], tmp_path, settings) == 0
    assert (tmp_path / "anna.mp4").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "anna.mp4",
        "anna~2.json",
        "anna~2.mp4",
    ]


def test_two_videos_of_one_name_give_two_outputs(media, settings, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "anna.mp4").write_bytes((media / "anna.mp4").read_bytes())
    out = tmp_path / "out"
    assert render(media / "voice.wav", [media / "anna.mp4", other / "anna.mp4"], out, settings) == 0
    assert sorted(path.name for path in out.glob("*.mp4")) == ["anna.mp4", "anna~2.mp4"]


def test_a_sound_that_is_not_there_is_named_before_anything_is_made(media, settings, tmp_path):
    with pytest.raises(AudioError, match=r"nothing\.wav"):
        render(media / "nothing.wav", [media / "anna.mp4"], tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()


def test_a_video_that_is_not_there_is_named_before_anything_is_made(media, settings, tmp_path):
    videos = [media / "anna.mp4", media / "nothing.mp4"]
    with pytest.raises(MediaError, match=r"nothing\.mp4"):
        render(media / "voice.wav", videos, tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()


def test_model_and_device_on_the_command_line_beat_the_settings(
    media, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("HEYGEMD_MODEL__NAME", "wav2lip")
    command = ["render", str(media / "voice.wav"), str(media / "anna.mp4"), "--out", str(tmp_path)]
    assert cli.main(command) == 78, "wav2lip without a checkpoint"
    assert "model.path" in capsys.readouterr().err
    assert cli.main([*command, "--model", "passthrough", "--device", "cpu"]) == 0
    assert json.loads((tmp_path / "anna.json").read_text())["model"]["name"] == "passthrough"
