"""The folder of models a person has added: checked, converted to safetensors, described in JSON."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from safetensors.torch import save

from heygemd.errors import ModelError
from heygemd.lips import checkpoints


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One model in the folder; becomes ``<name>-<sha8>.json`` beside the weights.

    Attributes:
        name: what people call it.
        kind: which lip model loads it, as in ``model.name``.
        file: the weights' file name in the folder.
        sha256: hex digest of that file.
        n_bytes: its length.
        source_file: the name of the file it was made from.
        source_sha256: hex digest of that one.
        known_as: the name that the world gives the source; empty where nobody knows it.
        date: when it was added, as the caller wrote it.
    """

    name: str
    kind: str
    file: str
    sha256: str
    n_bytes: int
    source_file: str
    source_sha256: str
    known_as: str
    date: str


def add(path: Path, models_dir: Path, *, date: str, name: str = "") -> StoredModel:
    """Check a Wav2Lip checkpoint and put a safetensors copy of its weights into the folder.

    Adding the same weights again writes the same file again, which also mends a damaged one.

    Args:
        path: any file that ``checkpoints.load_state`` takes.
        models_dir: made where it is missing.
        date: written into the record, e.g. ``2026-01-31``.
        name: what to call it; by default its known name, else its file name.

    Raises:
        ModelError: not Wav2Lip's weights, or the folder cannot be written.
    """
    checkpoint, state = checkpoints.read(path)
    name = _file_safe(name or checkpoint.known_as or path.stem)
    weights = save({key: tensor.contiguous() for key, tensor in state.items()})
    sha256 = hashlib.sha256(weights).hexdigest()
    stored = StoredModel(
        name=name,
        kind="wav2lip",
        file=f"{name}-{sha256[:8]}.safetensors",
        sha256=sha256,
        n_bytes=len(weights),
        source_file=path.name,
        source_sha256=checkpoint.sha256,
        known_as=checkpoint.known_as,
        date=date,
    )
    record = json.dumps(asdict(stored), indent=2, ensure_ascii=False) + "\n"
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        _write(models_dir / stored.file, weights)
        _write((models_dir / stored.file).with_suffix(".json"), record.encode("utf-8"))
    except OSError as error:
        raise ModelError(
            f"cannot write {stored.file} ({len(weights):,} bytes) into {models_dir}: "
            f"{error.strerror}; free space or mend permissions, then add it again",
            code="models_dir",
        ) from error
    return stored


def stored_models(models_dir: Path) -> list[StoredModel]:
    """The models in the folder, by file name; empty where the folder is missing.

    Raises:
        ModelError: a record that cannot be read.
    """
    return [_read_record(path) for path in sorted(models_dir.glob("*.json"))]


def verify(stored: StoredModel, models_dir: Path) -> None:
    """Check that a stored model is still, byte for byte, what was added, and loads.

    Raises:
        ModelError: missing, changed, or not loadable.
    """
    path = models_dir / stored.file
    _compare(stored, path)
    checkpoints.inspect(path)


def require_unchanged(path: Path) -> None:
    """Refuse a file that was added and has changed since; one without a record is as it is.

    Raises:
        ModelError: missing, changed, or its record cannot be read.
    """
    record = path.with_suffix(".json")
    if path.suffix == ".safetensors" and record.is_file():
        _compare(_read_record(record), path)


def _compare(stored: StoredModel, path: Path) -> None:
    sha256 = checkpoints.sha256_of(path)
    if sha256 != stored.sha256:
        raise ModelError(
            f"{path} has changed since it was added: sha256 {sha256}, want {stored.sha256}; "
            f"add {stored.source_file} again",
            code="model_changed",
        )


def _read_record(path: Path) -> StoredModel:
    names = {field.name for field in fields(StoredModel)}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return StoredModel(**{name: record[name] for name in names})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} is no record of a model ({error!r}); add the model again or remove it",
            code="model_record",
        ) from error


def _file_safe(name: str) -> str:
    """Letters, digits, dot, dash and underscore; never hidden, never empty."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-")[:80] or "model"


def _write(path: Path, content: bytes) -> None:
    """Replace a file in one step that survives a power cut."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
