"""``heygemd config show``: every setting with its value and where it came from."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.markup import escape

from heygemd import tables
from heygemd.settings import ENV_PREFIX, NEED_RESTART, Settings


@dataclass(frozen=True, slots=True)
class Effective:
    """One setting.

    Attributes:
        source: ``--set``, the environment's variable, the file, or ``default``.
        reloadable: a HUP is enough to change it in a running daemon.
    """

    key: str
    value: str | float | bool | None
    source: str
    reloadable: bool


def show(
    settings: Settings, path: Path | None, overrides: Sequence[str], *, as_json: bool = False
) -> int:
    """Print them all; 0."""
    found = list(effective(settings, path, overrides, os.environ))
    if as_json:
        print(json.dumps([asdict(each) for each in found], indent=2))
        return 0
    table = tables.table("setting", "value", "from", "changes with")
    for each in found:
        style = "" if each.source == "default" else "bold"
        change = "reload" if each.reloadable else "restart"
        value = "" if each.value is None else escape(str(each.value))
        table.add_row(each.key, value, escape(each.source), change, style=style)
    tables.console().print(table)
    return 0


def effective(
    settings: Settings, path: Path | None, overrides: Sequence[str], env: Mapping[str, str]
) -> Iterator[Effective]:
    """Every setting in the order of config.example.toml.

    Args:
        settings: as loaded from what follows.
        path: the TOML file, None for none.
        overrides: ``section.key=value`` words.
        env: the environment.
    """
    in_file = tomllib.loads(path.read_text()) if path else {}
    set_here = {word.partition("=")[0].strip() for word in overrides}
    by_name = {name.upper(): name for name in env}
    for section in type(settings).model_fields:
        for key, value in getattr(settings, section):
            dotted, variable = f"{section}.{key}", f"{ENV_PREFIX}{section}__{key}".upper()
            source = "default"
            if dotted in set_here:
                source = "--set"
            elif variable in by_name:
                source = f"${by_name[variable]}"
            elif key in in_file.get(section, {}):
                source = str(path)
            plain = str(value) if isinstance(value, Path) else value
            yield Effective(dotted, plain, source, not dotted.startswith(NEED_RESTART))
