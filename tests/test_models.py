"""The detector and the one lip model, loaded once, checked and warm."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from pydantic import ValidationError
from threadpoolctl import threadpool_info

from heygemd import models
from heygemd.errors import ConfigError, GpuLostError, ModelError
from heygemd.lips.modelstore import StoredModel
from heygemd.nets.syncnet import PublishedSyncNet
from heygemd.settings import Faces, Model, Quality, Restore


def load(faces=None, restore=None, **model):
    return models.load(
        Model(**{"device": "cpu", **model}), faces or Faces(workers=1), restore or Restore()
    )


def test_the_built_in_model_is_the_default_and_says_what_it_is():
    loaded = load()
    facts = loaded.facts
    loaded.close()
    assert (facts.name, facts.device, facts.detector) == ("warp", "cpu", "mediapipe")
    assert len(facts.sha256) == 64


def test_small_networks_are_kept_to_one_thread():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        load().close()
        assert torch.get_num_threads() == 1
        torch.set_num_threads(2)
        load(name="passthrough").close()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_products_of_matrices_wait_for_no_threads():
    load(name="passthrough").close()
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert pools
    assert {pool["num_threads"] for pool in pools} == {1}


def test_passthrough_has_no_weights():
    loaded = load(name="passthrough")
    loaded.close()
    assert (loaded.facts.name, loaded.facts.sha256) == ("passthrough", "")


class SmallGpu:
    """A network whose batch was halved twice."""

    batch = 4


def test_what_networks_take_at_once_is_told_as_it_is_now():
    loaded = models.Models(None, SmallGpu())
    assert loaded.batches == {"lips": 4}
    assert replace(loaded, restorer=SmallGpu()).batches == {"lips": 4, "restorer": 4}


def test_a_network_that_takes_what_comes_has_no_batch_to_tell():
    loaded = load()
    loaded.close()
    assert loaded.batches == {}


def test_as_many_threads_may_ask_the_detector_as_were_set():
    loaded = load(Faces(workers=3), name="passthrough")
    loaded.close()
    assert loaded.n_workers == 3


def test_wav2lip_without_a_checkpoint_says_how_to_get_one_ready():
    with pytest.raises(ConfigError, match="heygemd models add"):
        load(name="wav2lip")


def test_a_checkpoint_that_is_none_is_named_as_what_it_is(tmp_path):
    page = tmp_path / "wav2lip.pth"
    page.write_text("<!DOCTYPE html><html>Sign in to download</html>")
    with pytest.raises(ModelError, match="web page"):
        load(name="wav2lip", path=page)


def test_a_kept_checkpoint_that_has_changed_is_not_loaded(tmp_path):
    path = tmp_path / "mine-00000000.safetensors"
    path.write_bytes(b"not what was added")
    record = StoredModel("mine", "wav2lip", path.name, "0" * 64, 18, "mine.pth", "0" * 64, "", "")
    path.with_suffix(".json").write_text(json.dumps(asdict(record)))
    with pytest.raises(ModelError, match="changed since it was added") as caught:
        load(name="wav2lip", path=path)
    assert caught.value.exit_code == 78


def test_a_model_that_wants_a_mesh_refuses_a_detector_of_boxes():
    with pytest.raises(ConfigError, match=r"faces\.detector = mediapipe"):
        load(Faces(detector="s3fd", workers=1))


def test_a_gpu_that_was_asked_for_and_is_not_there_is_no_reason_to_take_the_cpu():
    with pytest.raises(GpuLostError, match="cuda:63"):
        load(device="cuda:63")


def test_a_model_that_does_not_exist_is_refused_by_the_settings():
    with pytest.raises(ValidationError):
        Model(name="wav2lips")


def test_syncnet_judges_where_its_weights_are_named(tmp_path):
    path = tmp_path / "syncnet_v2.model"
    torch.save(PublishedSyncNet().state_dict(), path)
    loaded = models.load(
        Model(name="passthrough"), Faces(workers=1), Restore(), Quality(syncnet_path=path)
    )
    loaded.close()
    assert loaded.syncnet is not None
    assert load(name="passthrough").syncnet is None


def test_a_restorer_wants_meshes(tmp_path):
    with pytest.raises(ConfigError, match=r"restore\.path wants face meshes"):
        load(Faces(detector="s3fd"), Restore(path=tmp_path / "gfpgan.pth"), name="passthrough")


def test_a_restorer_that_is_none_is_named_as_what_it_is(tmp_path):
    path = tmp_path / "page.pth"
    path.write_text("<html>")
    with pytest.raises(ModelError, match="a web page"):
        load(None, Restore(path=path), name="passthrough")
