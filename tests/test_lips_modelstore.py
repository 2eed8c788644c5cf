"""The folder of added models."""

import hashlib
import json

import pytest
import torch

from heygemd.errors import ModelError
from heygemd.lips import checkpoints, modelstore
from heygemd.nets.wav2lip import Wav2Lip


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A checkpoint as training saves it, small since one number stands for a whole tensor."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in Wav2Lip().state_dict().items()}
    state = {
        f"module.{name}": torch.full((1,) * len(shape), i).float().expand(shape)
        for i, (name, shape) in enumerate(shapes.items())
    }
    path = tmp_path_factory.mktemp("source") / "my weights (v2).pth"
    torch.save({"state_dict": state, "optimizer": {"lr": 1e-4}, "global_step": 9}, path)
    return path


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory, source):
    folder = tmp_path_factory.mktemp("data") / "models"
    modelstore.add(source, folder, date="2026-01-31")
    yield folder
    for path in folder.iterdir():
        path.unlink()


def test_an_added_model_is_a_safetensors_file_named_by_its_digest(models_dir):
    (stored,) = modelstore.stored_models(models_dir)
    content = (models_dir / stored.file).read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()

    assert stored.file == f"my_weights_v2-{sha256[:8]}.safetensors"
    assert stored.sha256 == sha256
    assert stored.n_bytes == len(content)
    assert checkpoints.inspect(models_dir / stored.file).container == "safetensors"


def test_the_record_says_where_the_model_came_from(models_dir, source):
    (stored,) = modelstore.stored_models(models_dir)
    record = json.loads((models_dir / stored.file).with_suffix(".json").read_text())

    assert record["source_file"] == "my weights (v2).pth"
    assert record["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert record["kind"] == "wav2lip"
    assert record["date"] == "2026-01-31"


def test_the_weights_survive_and_the_optimizer_is_left_behind(models_dir, source):
    (stored,) = modelstore.stored_models(models_dir)
    loaded = checkpoints.load_state(models_dir / stored.file)
    wanted = checkpoints.load_state(source)

    assert all(torch.equal(loaded[name], tensor) for name, tensor in wanted.items())
    assert len(loaded) == 352


def test_adding_again_changes_nothing_but_the_date(models_dir, source):
    (before,) = modelstore.stored_models(models_dir)
    again = modelstore.add(source, models_dir, date="2026-01-31")

    assert again == before
    assert sorted(path.suffix for path in models_dir.iterdir()) == [".json", ".safetensors"]


def test_a_whole_model_verifies(models_dir):
    (stored,) = modelstore.stored_models(models_dir)

    modelstore.verify(stored, models_dir)


def test_a_changed_model_is_found(models_dir, tmp_path):
    (stored,) = modelstore.stored_models(models_dir)
    content = bytearray((models_dir / stored.file).read_bytes())
    content[-1] ^= 1
    (tmp_path / stored.file).write_bytes(content)

    with pytest.raises(ModelError, match="changed since it was added") as caught:
        modelstore.verify(stored, tmp_path)
    assert caught.value.reason == "model_changed"
    (tmp_path / stored.file).unlink()


def test_a_missing_model_is_found(models_dir, tmp_path):
    (stored,) = modelstore.stored_models(models_dir)

    with pytest.raises(ModelError, match="cannot read") as caught:
        modelstore.verify(stored, tmp_path)
    assert caught.value.reason == "checkpoint_missing"


def test_a_refused_checkpoint_leaves_no_trace(tmp_path):
    (tmp_path / "page.pth").write_bytes(b"<html>")

    with pytest.raises(ModelError, match="web page"):
        modelstore.add(tmp_path / "page.pth", tmp_path / "models", date="2026-01-31")
    assert not (tmp_path / "models").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path, source):
    (tmp_path / "models").write_bytes(b"a file where the folder should be")

    with pytest.raises(ModelError, match="cannot write") as caught:
        modelstore.add(source, tmp_path / "models", date="2026-01-31")
    assert caught.value.reason == "models_dir"


def test_no_folder_means_no_models(tmp_path):
    assert modelstore.stored_models(tmp_path / "models") == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": 1', "\xff"])
def test_a_broken_record_is_named(tmp_path, text):
    (tmp_path / "x.json").write_bytes(text.encode("latin-1"))

    with pytest.raises(ModelError, match="no record of a model") as caught:
        modelstore.stored_models(tmp_path)
    assert caught.value.reason == "model_record"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/x", "etc_x"),
        (".hidden", "hidden"),
        ("口", "model"),
        ("wav2lip_gan", "wav2lip_gan"),
    ],
)
def test_names_are_safe_as_file_names(name, safe):
    assert modelstore._file_safe(name) == safe
