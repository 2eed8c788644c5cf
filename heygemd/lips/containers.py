"""State dicts out of files of every kind that weights travel in, without running their code."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NoReturn

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from heygemd.errors import ModelError

Container = Literal["safetensors", "zip", "legacy", "torchscript"]
StateDict = dict[str, torch.Tensor]

_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch.save before 1.6
_MAX_SAFETENSORS_HEADER = 100_000_000  # the format's own limit

# What is not a checkpoint, by its first bytes: code, what it is, what to do.
_STRANGERS: tuple[tuple[bytes, str, str, str], ...] = (
    (
        b"version https://git-lfs",
        "checkpoint_is_lfs_pointer",
        "a Git LFS pointer, not the weights it points to",
        "run `git lfs pull` where it came from, or download the file itself",
    ),
    (
        b"<",
        "checkpoint_is_web_page",
        "a web page, not weights",
        "the download link led to a page about the file: download the file itself",
    ),
    (b"\x1f\x8b", "checkpoint_packed", "a gzip archive", "unpack it and give the file inside"),
    (b"7z\xbc\xaf", "checkpoint_packed", "a 7z archive", "unpack it and give the file inside"),
    (b"Rar!", "checkpoint_packed", "a RAR archive", "unpack it and give the file inside"),
    (b"\x89HDF", "checkpoint_unknown", "an HDF5 file", "heygemd loads PyTorch and safetensors"),
)

# Errors that torch.load raises on damaged files, found by cutting one at every length.
_DAMAGE = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


def container_of(path: Path) -> Container:
    """What kind of file the weights lie in, by its bytes and not by its name.

    Raises:
        ModelError: missing, empty, cut off, or no checkpoint; says what it is and what to do.
    """
    head = _head(path)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for mark, code, what, advice in _STRANGERS:
        if text.startswith(mark):
            raise ModelError(f"{path} is {what}; {advice}", code=code)
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path)
    if head.startswith(_LEGACY_MAGIC):
        return "legacy"
    if _is_safetensors(head):
        return "safetensors"
    if _is_onnx(head):
        raise ModelError(
            f"{path} is an ONNX export; heygemd runs the PyTorch checkpoint: "
            "give wav2lip.pth or wav2lip_gan.pth",
            code="checkpoint_is_onnx",
        )
    if head.startswith(b"\x80"):
        raise ModelError(
            f"{path} is a Python pickle that torch did not write; want a file of torch.save "
            "or safetensors",
            code="checkpoint_unknown",
        )
    raise ModelError(
        f"{path} starts with {head[:8]!r}, which is no checkpoint that heygemd knows; "
        "want a PyTorch file (.pth, .pt) or .safetensors",
        code="checkpoint_unknown",
    )


def read_tensors(path: Path) -> StateDict:
    """The file's weights by name, on the CPU; optimizer state and counters are left out.

    Wrappers that training scripts add are taken off: ``{'state_dict': ...}``, ``{'model': ...}``,
    ``{'params_ema': ...}`` and the prefix ``module.`` of data-parallel training.

    Raises:
        ModelError: no checkpoint, damaged, without weights, or wants to run code.
    """
    kind = container_of(path)
    if kind == "safetensors":
        return _bare(_read_safetensors(path), path)
    if kind == "torchscript":
        return _bare(_read_torchscript(path), path)
    return _bare(_read_pickle(path), path)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise ModelError(
            f"cannot read {path}: {error.strerror}; give the path of a checkpoint file",
            code="checkpoint_missing",
        ) from error
    if not head:
        raise ModelError(f"{path} is empty; download it again", code="checkpoint_damaged")
    return head


def _zip_kind(path: Path) -> Container:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        _damaged(path, error)
    inner = [name.partition("/")[2] for name in names]
    if any(name.startswith("code/") for name in inner):
        return "torchscript"
    if "data.pkl" in inner:
        return "zip"
    raise ModelError(
        f"{path} is a zip archive of {', '.join(names[:3]) or 'nothing'}, not a checkpoint; "
        "unpack it and give the file inside",
        code="checkpoint_packed",
    )


def _is_safetensors(head: bytes) -> bool:
    if len(head) < 9 or head[8:9] != b"{":
        return False
    (n_header,) = struct.unpack("<Q", head[:8])
    return 2 <= int(n_header) <= _MAX_SAFETENSORS_HEADER


def _is_onnx(head: bytes) -> bool:
    """A protobuf that opens with a small ir_version, then a producer, domain or graph."""
    return len(head) > 2 and head[0] == 0x08 and 0 < head[1] < 0x40 and head[2] in b"\x12\x1a\x3a"


def _damaged(path: Path, error: BaseException) -> NoReturn:
    raise ModelError(
        f"{path} is damaged or was not fully downloaded ({path.stat().st_size:,} bytes); "
        f"download it again: {str(error).partition(chr(10))[0] or type(error).__name__}",
        code="checkpoint_damaged",
    ) from error


def _read_safetensors(path: Path) -> object:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        _damaged(path, error)


def _read_pickle(path: Path) -> object:
    try:
        with path.open("rb") as file:  # given a path, torch would judge by its suffix
            return torch.load(file, map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        # torch's own advice is to load it unsafely: do not repeat it
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        if wanted is None:
            _damaged(path, error)
        _refuse_code(path, wanted[1])


def _refuse_code(path: Path, wanted: str) -> NoReturn:
    raise ModelError(
        f"{path} asks to run {wanted} while it loads, and was not loaded; want a file that holds "
        "tensors alone: take it from another source, or have its owner save it as safetensors",
        code="checkpoint_unsafe",
    )


def _read_torchscript(path: Path) -> object:
    # A scripted __setstate__ runs as the archive loads, and can write files by aten::save.
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".py") and b"__setstate__" in archive.read(name):
                _refuse_code(path, f"__setstate__ of {name}")
    try:
        with warnings.catch_warnings():  # deprecated, and the only reader of such files
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.load(path, map_location="cpu").state_dict()  # type: ignore[no-untyped-call]
    except _DAMAGE as error:
        _damaged(path, error)


def _bare(root: object, path: Path) -> StateDict:
    """The state dict inside its wrappers."""
    for key in ("state_dict", "model", "params_ema", "params"):
        if isinstance(root, Mapping) and isinstance(root.get(key), Mapping):
            root = root[key]
    if not isinstance(root, Mapping):
        raise ModelError(
            f"{path} holds a {type(root).__name__}, want a dict of tensors",
            code="checkpoint_unknown",
        )
    tensors = {
        str(name).removeprefix("module."): value
        for name, value in root.items()
        if isinstance(value, torch.Tensor)
    }
    if not tensors:
        keys = ", ".join(str(key) for key in list(root)[:5])
        raise ModelError(
            f"{path} holds no tensors, but {keys or 'nothing'}; want a dict of tensors",
            code="checkpoint_unknown",
        )
    return tensors
