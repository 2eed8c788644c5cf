import os
from pathlib import Path

import numpy as np
import pytest
import torch
from real_clips import frames_of
from safetensors.torch import save_file

from heygemd.errors import ModelError
from heygemd.faces import s3fd_weights
from heygemd.faces.s3fd import S3fdDetector
from heygemd.nets.s3fd import S3fd


@pytest.fixture(scope="module")
def state():
    with torch.device("meta"):
        shapes = S3fd().state_dict()
    random = torch.Generator().manual_seed(2)
    return {name: torch.rand(like.shape, generator=random) for name, like in shapes.items()}


def same(net, state):
    return all((net.state_dict()[name] == tensor).all() for name, tensor in state.items())


def test_a_published_file_loads_whole(tmp_path, state):
    torch.save(state, tmp_path / "s3fd.pth")
    assert same(s3fd_weights.load(tmp_path / "s3fd.pth"), state)


def test_a_legacy_file_loads_too(tmp_path, state):
    torch.save(state, tmp_path / "s3fd.pth", _use_new_zipfile_serialization=False)
    assert same(s3fd_weights.load(tmp_path / "s3fd.pth"), state)


def test_safetensors_load_too(tmp_path, state):
    save_file(state, tmp_path / "s3fd.safetensors")
    assert same(s3fd_weights.load(tmp_path / "s3fd.safetensors"), state)


def test_the_names_of_ports_that_follow_ssd_load_into_the_dilated_form(tmp_path, state):
    theirs = {name: place for place, name in s3fd_weights._PUBLISHED.items()}
    renamed = {
        f"{theirs[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}": tensor
        for name, tensor in state.items()
    }
    torch.save({"state_dict": renamed}, tmp_path / "sfd_face.pth")
    net = s3fd_weights.load(tmp_path / "sfd_face.pth")
    assert same(net, state)
    assert net.fc6.dilation == (6, 6)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pth", b"version https://git-lfs.github.com/spec/v1\n", "git-lfs pointer"),
        ("a.pth", b"<!doctype html><html>", "web page"),
        ("a.pth", b"", "no file of weights"),
        ("a.pth", b"\x80\x02garbage", "no file of weights"),
        ("a.safetensors", b"short", "no safetensors file"),
    ],
)
def test_a_file_that_is_something_else_is_named_for_what_it_is(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=words):
        s3fd_weights.load(tmp_path / name)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Sly:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"a": Sly()}, tmp_path / "s3fd.pth")
    with pytest.raises(ModelError, match="no file of weights"):
        s3fd_weights.load(tmp_path / "s3fd.pth")
    assert not (tmp_path / "ran").exists()


def test_another_network_is_refused(tmp_path, state):
    torch.save({"conv1_1.weight": state["conv1_1.weight"]}, tmp_path / "s3fd.pth")
    with pytest.raises(ModelError, match="another network"):
        s3fd_weights.load(tmp_path / "s3fd.pth")


def test_something_that_is_no_table_of_tensors_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / "s3fd.pth")
    with pytest.raises(ModelError, match="holds list"):
        s3fd_weights.load(tmp_path / "s3fd.pth")


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        s3fd_weights.load(tmp_path / "none.pth")


def test_real_weights_find_a_real_face():
    weights = Path(os.environ.get("HEYGEMD_TEST_S3FD", ""))
    if not weights.is_file():
        pytest.skip("HEYGEMD_TEST_S3FD names no weights")
    frame = frames_of("grid_s1_male.mpg", 1)
    sighting = S3fdDetector(weights).detect(frame)[0]
    # As the port that came with the weights draws it.
    assert np.allclose(sighting.boxes, [[103.637, 101.864, 205.884, 250.424]], atol=0.05)
    assert sighting.scores[0] > 0.99
