"""``heygemd models``: the checkpoints that were checked and kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from heygemd import tables
from heygemd.errors import ModelError
from heygemd.lips import checkpoints, modelstore
from heygemd.lips.wav2lip import onnx
from heygemd.settings import Settings


def show(settings: Settings) -> int:
    """Print what is in the folder of models, and what is built in."""
    table = tables.table("name", "kind", "file", "MB", "sha256", "added")
    table.add_row("warp", "warp", "built in", "", "", "")
    for stored in modelstore.stored_models(settings.folders.models):
        table.add_row(
            stored.known_as or stored.name,
            stored.kind,
            str(settings.folders.models / stored.file),
            f"{stored.n_bytes / 1e6:.1f}",
            stored.sha256[:12],
            stored.date,
        )
    tables.console().print(table)
    return 0


def add(path: Path, settings: Settings) -> int:
    """Check a checkpoint, keep a safetensors copy, say how to use it.

    Raises:
        ModelError: not weights that heygemd can use; says what it is instead.
    """
    stored = modelstore.add(path, settings.folders.models, date=f"{datetime.now(UTC):%Y-%m-%d}")
    kept = settings.folders.models / stored.file
    known = f" (known as {stored.known_as})" if stored.known_as else ""
    print(f"{path.name} is {stored.kind}{known}, sha256 {stored.source_sha256}")
    print(f"kept as {kept.resolve()}, sha256 {stored.sha256}")
    print("to use it, put this into your settings:\n")
    print(f'[model]\nname = "{stored.kind}"\npath = "{kept.resolve()}"')
    return 0


def export(path: Path) -> int:
    """Write a checkpoint in ONNX beside it, and say how close its pictures are.

    Raises:
        ModelError: no checkpoint of Wav2Lip, or its folder cannot be written.
        DependencyError: the packages that write ONNX are not installed.
    """
    modelstore.require_unchanged(path)
    _, state = checkpoints.read(path)
    made = onnx.beside(path)
    distance = onnx.export(state, made)
    print(f"{made}: a pixel differs from torch's by {distance:.6f} at most, of 1")
    print("model.backend = auto takes it where it is faster; onnx, openvino, tensorrt insist")
    return 0


def verify(settings: Settings) -> int:
    """Compare every kept checkpoint with its record; 78 when one has changed."""
    worst = 0
    for stored in modelstore.stored_models(settings.folders.models):
        try:
            modelstore.verify(stored, settings.folders.models)
        except ModelError as error:
            worst = error.exit_code
            print(f"{stored.file}: {error}")
        else:
            print(f"{stored.file}: whole, sha256 {stored.sha256}")
    return worst
