"""Wav2Lip by ONNX Runtime: the same pictures, or none; chosen where it is faster."""

import builtins

import pytest
import torch
from torch import nn
from wav2lip_weights import write_checkpoint

from heygemd.errors import ConfigError, DependencyError, ModelError
from heygemd.lips import checkpoints
from heygemd.lips.wav2lip import network, onnx
from heygemd.lips.wav2lip.model import Wav2LipModel

pytestmark = pytest.mark.timeout(180)  # writing ONNX traces the whole network, once for all tests
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(checkpoint):
    """A checkpoint, exported beside itself."""
    onnx.export(checkpoints.read(checkpoint)[1], onnx.beside(checkpoint))
    return checkpoint


@pytest.fixture(scope="module")
def full(checkpoint):
    return network.network_on(CPU, checkpoints.read(checkpoint)[1], exact=False)


@pytest.mark.parametrize("n_faces", [1, 5, 16])
def test_it_draws_what_torch_draws_in_batches_of_any_size(checkpoint, full, n_faces):
    exported = onnx.OnnxNetwork(onnx.beside(checkpoint), "onnx", onnx.Place(CPU, 2))
    mel, faces = network.trial(n_faces, CPU)
    ours, theirs = (network.speak(each, mel, faces) for each in (exported, full))
    assert ours.shape == (n_faces, 3, 96, 96)
    assert (ours - theirs).abs().max() < 1e-4
    assert theirs.std() > 0.1  # busy pictures, that could differ


class Slow(nn.Module):
    """Takes its time, by a clock of its own."""

    def __init__(self, clock, took_s):
        super().__init__()
        self.clock, self.took_s = clock, took_s

    def forward(self, mel, faces):
        self.clock.now_s += self.took_s.pop(0)
        return faces[:, :3]


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def test_a_network_is_as_fast_as_its_best_try_once_it_is_warm():
    clock = Clock()
    slow = Slow(clock, [0.1, 3.0, 2.0, 4.0])
    assert onnx.seconds(slow, onnx.Place(CPU, batch=4, clock=clock)) == pytest.approx(2.0)


@pytest.mark.parametrize(("torch_s", "onnx_s", "fast"), [(1.0, 2.0, "torch"), (2.0, 1.0, "onnx")])
def test_auto_takes_the_faster_one(checkpoint, full, torch_s, onnx_s, fast):
    tries_s = [torch_s] * 4 + [onnx_s] * 4
    times_s = iter([moment for n, s in enumerate(tries_s) for moment in (10.0 * n, 10.0 * n + s)])
    place = onnx.Place(CPU, batch=2, clock=lambda: next(times_s))
    assert onnx.choose(full, checkpoint, "auto", place)[0] == fast


def test_auto_is_torch_where_nothing_was_exported(full, tmp_path):
    chosen = onnx.choose(full, tmp_path / "none.pth", "auto", onnx.Place(CPU))
    assert chosen == ("torch", full)


def test_a_backend_that_was_asked_for_is_taken_and_named(checkpoint):
    model = Wav2LipModel(checkpoint, device="cpu", backend="onnx")
    assert model.backend == "onnx"
    assert isinstance(model.network, onnx.OnnxNetwork)


def test_a_backend_that_was_asked_for_wants_the_export_and_says_how(full, tmp_path):
    with pytest.raises(ConfigError, match="heygemd models export"):
        onnx.choose(full, tmp_path / "none.pth", "onnx", onnx.Place(CPU))


def test_the_export_of_another_checkpoint_is_refused(checkpoint, tmp_path):
    other = write_checkpoint(tmp_path / "other.pth", 12)
    onnx.beside(other).write_bytes(onnx.beside(checkpoint).read_bytes())
    for backend in ("auto", "onnx"):
        with pytest.raises(ModelError, match="draws other pictures than its checkpoint"):
            Wav2LipModel(other, device="cpu", backend=backend)


def test_a_file_that_is_no_network_is_refused(full, tmp_path):
    (tmp_path / "page.onnx").write_text("<html>")
    with pytest.raises(ModelError, match="no network for ONNX Runtime"):
        onnx.choose(full, tmp_path / "page.pth", "onnx", onnx.Place(CPU))


def test_the_published_pictures_bit_for_bit_come_from_torch_alone(checkpoint):
    assert Wav2LipModel(checkpoint, device="cpu", compat="wav2lip").backend == "torch"
    with pytest.raises(ConfigError, match="exact with torch alone"):
        Wav2LipModel(checkpoint, device="cpu", compat="wav2lip", backend="onnx")


@pytest.mark.parametrize(
    ("backend", "error", "words"),
    [
        ("tensorrt", ConfigError, "does not run on cpu"),
        ("openvino", DependencyError, "OpenVINOExecutionProvider"),
    ],
)
def test_a_backend_that_cannot_run_here_says_why(checkpoint, full, backend, error, words):
    with pytest.raises(error, match=words):
        onnx.choose(full, checkpoint, backend, onnx.Place(CPU))


def test_without_onnx_runtime_auto_is_torch_and_onnx_says_what_to_install(
    checkpoint, full, monkeypatch
):
    plain = builtins.__import__

    def without(name, *rest):
        if name == "onnxruntime":
            raise ImportError(name)
        return plain(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    place = onnx.Place(CPU)
    assert onnx.choose(full, checkpoint, "auto", place)[0] == "torch"
    with pytest.raises(DependencyError, match=r"heygemd\[onnx\]"):
        onnx.choose(full, checkpoint, "onnx", place)


def test_an_export_that_cannot_be_written_says_where_and_what_to_do(checkpoint, tmp_path):
    _, state = checkpoints.read(checkpoint)
    with pytest.raises(ModelError, match="mend permissions, then export it again"):
        onnx.export(state, tmp_path / "gone" / "wav2lip.onnx")
    assert list(tmp_path.iterdir()) == []
