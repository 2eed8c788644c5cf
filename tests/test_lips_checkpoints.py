"""The checkpoint doctor on every kind of file that people hand it."""

import hashlib
import os
import warnings
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from heygemd.errors import ModelError
from heygemd.lips import checkpoints, containers
from heygemd.nets.wav2lip import Wav2Lip

LEGACY = {"_use_new_zipfile_serialization": False}


@pytest.fixture(scope="module")
def shapes():
    with torch.device("meta"):
        return {
            name: (tuple(t.shape), t.is_floating_point())
            for name, t in Wav2Lip().state_dict().items()
        }


@pytest.fixture
def state(shapes):
    """A state dict of the right shapes that takes no room: one number stands for a whole tensor."""
    return {
        name: torch.full((1,) * len(shape), 0.5 if floating else 7).expand(shape)
        for name, (shape, floating) in shapes.items()
    }


@pytest.fixture
def path(tmp_path):
    return tmp_path / "given.pth"


def in_training(state):
    """As the published training script saves."""
    return {
        "state_dict": {f"module.{name}": tensor for name, tensor in state.items()},
        "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 1e-4}]},
        "global_step": 255_000,
        "global_epoch": 3,
    }


WRAPPERS = {
    "published": in_training,
    "flat": lambda state: state,
    "model": lambda state: {"model": state},
    "state_dict": lambda state: {"state_dict": state},
    "flat with prefix": lambda state: {f"module.{name}": t for name, t in state.items()},
}


def refusal(path, code):
    with pytest.raises(ModelError) as caught:
        checkpoints.load_state(path)
    assert caught.value.reason == code
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("container", ["zip", "legacy"])
def test_pickles_load_in_every_wrapper_and_container(path, state, wrapper, container):
    torch.save(WRAPPERS[wrapper](state), path, **(LEGACY if container == "legacy" else {}))

    found, loaded = checkpoints.read(path)

    assert list(loaded) == list(state)
    assert loaded["output_block.1.bias"].tolist() == [0.5] * 3
    assert found.container == container


def test_weights_come_back_bit_for_bit_from_safetensors(tmp_path):
    torch.manual_seed(1)
    original = Wav2Lip().state_dict()
    path = tmp_path / "given.safetensors"
    save_file(original, path)

    found, loaded = checkpoints.read(path)

    assert all(torch.equal(loaded[name], tensor) for name, tensor in original.items())
    assert found.container == "safetensors"
    path.unlink()


def test_weights_come_back_bit_for_bit_from_torchscript(path):
    torch.manual_seed(2)
    model = Wav2Lip().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing and its future are not this test's business
        inputs = (torch.zeros(1, 1, 80, 16), torch.zeros(1, 6, 96, 96))
        torch.jit.save(torch.jit.trace(model, inputs, check_trace=False), path)

    found, loaded = checkpoints.read(path)

    assert all(torch.equal(loaded[name], tensor) for name, tensor in model.state_dict().items())
    assert found.container == "torchscript"
    path.unlink()


def test_loaded_weights_fit_the_network_strictly_as_float32(path, state):
    torch.save({name: t.half() if t.is_floating_point() else t for name, t in state.items()}, path)

    loaded = checkpoints.load_state(path)

    with torch.device("meta"):
        model = Wav2Lip()
    model.load_state_dict(loaded, strict=True, assign=True)
    assert {t.dtype for t in loaded.values()} == {torch.float32, torch.int64}


def test_the_counters_of_training_steps_may_be_missing(path, state):
    torch.save({name: t for name, t in state.items() if "num_batches" not in name}, path)

    assert len(checkpoints.load_state(path)) == 352


def test_the_name_of_the_file_does_not_matter(tmp_path, state):
    path = tmp_path / "Wav2Lip.safetensors"
    torch.save(in_training(state), path)

    assert checkpoints.inspect(path).container == "zip"


def test_a_file_tells_its_digest_and_length(path, state):
    torch.save(state, path)
    found = checkpoints.inspect(path)

    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.n_bytes == path.stat().st_size
    assert found.known_as == ""


def test_a_file_that_the_world_knows_is_called_by_its_name(path, state, monkeypatch):
    torch.save(state, path)
    known = checkpoints.KnownFile("wav2lip_gan", "wav2lip")
    monkeypatch.setitem(checkpoints.KNOWN_FILES, checkpoints.sha256_of(path), known)

    assert checkpoints.inspect(path).known_as == "wav2lip_gan"


def test_digests_of_known_files_are_whole():
    assert all(len(bytes.fromhex(d)) == 32 for d in [*checkpoints.KNOWN_FILES, *checkpoints.TRAPS])


def test_a_known_other_network_is_named_without_being_loaded(path, monkeypatch):
    path.write_bytes(containers._LEGACY_MAGIC + b"the rest would not load")
    known = checkpoints.KnownFile("s3fd", "s3fd")
    monkeypatch.setitem(checkpoints.KNOWN_FILES, checkpoints.sha256_of(path), known)

    assert "S3FD" in refusal(path, "checkpoint_is_other_network")


def test_the_trap_file_is_named(path, monkeypatch):
    path.write_bytes(b"\x80\x02 stands for the 167 kB file")
    monkeypatch.setattr(checkpoints, "TRAPS", frozenset({checkpoints.sha256_of(path)}))

    assert "435,801,865" in refusal(path, "checkpoint_is_trap")


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"<!DOCTYPE html><html>quota", "checkpoint_is_web_page", "web page"),
        (b"\xef\xbb\xbf\r\n  <html>", "checkpoint_is_web_page", "web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:ca9a",
            "checkpoint_is_lfs_pointer",
            "git lfs pull",
        ),
        (b"\x08\x08\x12\x07pytorch\x1a\x061.12.1:", "checkpoint_is_onnx", "ONNX"),
        (b"\x1f\x8b\x08\x00rest", "checkpoint_packed", "gzip"),
        (b"7z\xbc\xaf\x27\x1crest", "checkpoint_packed", "7z"),
        (b"Rar!\x1a\x07rest", "checkpoint_packed", "RAR"),
        (b"\x89HDF\r\n\x1a\nrest", "checkpoint_unknown", "HDF5"),
        (b"\x80\x04K\x01.", "checkpoint_unknown", "pickle"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09", "checkpoint_unknown", "starts with"),
        (b"", "checkpoint_damaged", "empty"),
    ],
)
def test_what_is_no_checkpoint_is_named(path, content, code, said):
    path.write_bytes(content)

    assert said in refusal(path, code)


def test_an_archive_around_a_checkpoint_is_named(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("wav2lip_gan.pth", b"weights")

    assert "wav2lip_gan.pth" in refusal(path, "checkpoint_packed")


def test_a_missing_file_is_named(path):
    refusal(path, "checkpoint_missing")


def test_a_folder_is_named(tmp_path):
    refusal(tmp_path, "checkpoint_missing")


@pytest.mark.parametrize("container", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_cut_off_file_is_named(path, container, share):
    tensors = {f"layer{i}.weight": torch.arange(500.0) for i in range(20)}
    if container == "safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, **(LEGACY if container == "legacy" else {}))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])

    assert "download it again" in refusal(path, "checkpoint_damaged")


def test_a_legacy_file_cut_anywhere_is_refused(path):
    torch.save({"a": torch.arange(30.0)}, path, **LEGACY)
    whole = path.read_bytes()

    for n_bytes in range(len(containers._LEGACY_MAGIC), len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(ModelError, match=r"download it again|asks to run"):
            checkpoints.load_state(path)  # cut inside the name of a class, it asks for another one


class Payload:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("container", ["zip", "legacy"])
def test_a_pickle_that_would_run_code_is_refused_before_it_runs(tmp_path, path, state, container):
    canary = tmp_path / "canary"
    poisoned = {"state_dict": state, "extra": Payload(canary)}
    torch.save(poisoned, path, **(LEGACY if container == "legacy" else {}))

    said = refusal(path, "checkpoint_unsafe")

    assert "posix.mkdir" in said
    assert "weights_only" not in said, "torch's advice to load it unsafely must not be repeated"
    assert not canary.exists()


def test_the_payload_would_have_run_in_a_plain_load(tmp_path, path):
    canary = tmp_path / "canary"
    torch.save({"extra": Payload(canary)}, path)
    torch.load(path, weights_only=False)

    assert canary.exists()


class Scripted(nn.Module):
    """TorchScript that writes a file as it is loaded."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.training = False

    def forward(self, x):
        return x

    @torch.jit.export
    def __getstate__(self) -> tuple[torch.Tensor, bool]:
        return self.weight, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]) -> None:
        self.weight = state[0]
        self.training = state[1]
        torch.save(self.weight, "canary-of-torchscript")


def test_torchscript_that_would_run_code_is_refused_before_it_runs(tmp_path, path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(Scripted()), path)

    refusal(path, "checkpoint_unsafe")

    assert not (tmp_path / "canary-of-torchscript").exists()


def tensors_named(*names):
    return {name: torch.zeros(2) for name in names}


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (tensors_named("face_encoder.0.conv_block.0.weight", "audio_encoder.0.x"), "SyncNet"),
        (
            tensors_named("face_encoder_blocks.0.0.conv_block.0.weight", "binary_pred.0.weight"),
            "discriminator",
        ),
        (tensors_named("conv1_1.weight", "conv3_3_norm.weight"), "faces.model_path"),
        (tensors_named("stylegan_decoder.style_mlp.1.weight"), "GFPGAN"),
    ],
)
def test_other_networks_given_by_mistake_are_named(path, tensors, said):
    torch.save({"state_dict": {f"module.{name}": t for name, t in tensors.items()}}, path)

    assert said in refusal(path, "checkpoint_is_other_network")


@pytest.mark.parametrize(("n_blocks", "size"), [(8, "256"), (9, "288 or 384")])
def test_networks_for_larger_faces_are_named(path, n_blocks, size):
    names = [
        f"face_{part}_blocks.{i}.0.x" for i in range(n_blocks) for part in ("encoder", "decoder")
    ]
    torch.save(tensors_named(*names), path)

    assert size in refusal(path, "checkpoint_is_other_network")


def test_an_unknown_network_is_called_by_its_layers(path):
    torch.save(tensors_named("fc.weight", "fc.bias"), path)

    assert "fc.bias, fc.weight" in refusal(path, "checkpoint_unknown")


@pytest.mark.parametrize("root", [torch.zeros(3), [1, 2], {"epoch": 3}, {}])
def test_a_file_without_a_dict_of_tensors_is_named(path, root):
    torch.save(root, path)

    assert "want a dict of tensors" in refusal(path, "checkpoint_unknown")


def test_missing_surplus_and_misshapen_entries_are_counted(path, state):
    del state["output_block.1.bias"]
    state["extra.weight"] = torch.zeros(1)
    state["face_encoder_blocks.0.0.conv_block.0.weight"] = torch.zeros(16, 15, 7, 7)
    torch.save(state, path)

    said = refusal(path, "checkpoint_does_not_fit")

    assert "1 entries missing (output_block.1.bias)" in said
    assert "1 not wanted (extra.weight)" in said
    assert "is (16, 15, 7, 7), want (16, 6, 7, 7)" in said


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused(path, state, value):
    state["output_block.1.bias"] = torch.tensor([0.0, value, 0.0])
    torch.save(state, path)

    assert "output_block.1.bias" in refusal(path, "checkpoint_damaged")
