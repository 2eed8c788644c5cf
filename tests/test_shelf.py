"""``heygemd models``: what people read when they add, list and verify checkpoints."""

import pytest
import torch

from heygemd import shelf
from heygemd.errors import ModelError
from heygemd.nets.wav2lip import Wav2Lip
from heygemd.settings import load


@pytest.fixture
def settings(tmp_path):
    return load(overrides=[f"folders.models={tmp_path / 'models'}"])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A network with random weights, saved the way training leaves it."""
    path = tmp_path_factory.mktemp("download") / "my model.pth"
    torch.manual_seed(1)
    weights = {f"module.{name}": value for name, value in Wav2Lip().state_dict().items()}
    torch.save({"state_dict": weights, "optimizer": {"state": torch.zeros(9)}}, path)
    return path


def test_the_built_in_model_is_always_listed(settings, capsys):
    assert shelf.show(settings) == 0
    assert "warp" in capsys.readouterr().out


def test_adding_says_what_it_is_and_which_lines_to_write(settings, checkpoint, capsys):
    assert shelf.add(checkpoint, settings) == 0
    said = capsys.readouterr().out
    assert "my model.pth is wav2lip" in said
    kept = next(settings.folders.models.glob("*.safetensors"))
    assert f'path = "{kept.resolve()}"' in said
    assert shelf.show(settings) == 0
    assert str(kept) in capsys.readouterr().out


def test_a_checkpoint_that_was_added_is_found_whole(settings, checkpoint, capsys):
    shelf.add(checkpoint, settings)
    capsys.readouterr()
    assert shelf.verify(settings) == 0
    assert "whole" in capsys.readouterr().out


def test_a_checkpoint_that_changed_gives_the_exit_code_of_a_wrong_model(
    settings, checkpoint, capsys
):
    shelf.add(checkpoint, settings)
    kept = next(settings.folders.models.glob("*.safetensors"))
    kept.chmod(0o600)
    with kept.open("r+b") as file:
        file.seek(-8, 2)
        file.write(b"\1" * 8)
    assert shelf.verify(settings) == 78
    assert "whole" not in capsys.readouterr().out


def test_a_web_page_is_refused_and_nothing_is_kept(settings, tmp_path):
    page = tmp_path / "wav2lip_gan.pth"
    page.write_text("<html>Sign in</html>")
    with pytest.raises(ModelError, match="web page"):
        shelf.add(page, settings)
    assert not list(settings.folders.models.glob("*.safetensors"))


@pytest.mark.timeout(180)  # writing ONNX traces the whole network
def test_an_exported_checkpoint_lies_beside_it_and_is_as_good(checkpoint, capsys):
    assert shelf.export(checkpoint) == 0
    assert checkpoint.with_suffix(".onnx").stat().st_size > 100_000_000
    assert "differs from torch's by 0.0000" in capsys.readouterr().out
