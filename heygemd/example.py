"""The text of config.example.toml, made from the settings themselves."""

from __future__ import annotations

from pydantic import BaseModel

from heygemd.settings import Settings


def example() -> str:
    """The text of config.example.toml: every key with its default and what it does."""
    lines = [
        "# heygemd: every setting with its default. Copy what you change; leave the rest out.",
        "# The environment beats this file: HEYGEMD_MODEL__DEVICE=cpu is model.device.",
    ]
    for name, section in Settings.model_fields.items():
        kind = section.annotation
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            raise TypeError(f"{name} is no section")
        lines += ["", f"[{name}]  # {(kind.__doc__ or '').rstrip('.')}"]
        for key, field in kind.model_fields.items():
            lines += [f"# {field.description}", _assignment(key, field.default)]
    return "\n".join(lines) + "\n"


def _assignment(key: str, value: object) -> str:
    if value is None:
        return f'# {key} = ""'
    if isinstance(value, bool):
        return f"{key} = {str(value).lower()}"
    return f"{key} = {value}" if isinstance(value, int | float) else f'{key} = "{value}"'
