"""Writes the tables of docs/logs.md from the schemas: ``python tests/log_docs.py``."""

from __future__ import annotations

import json
import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
TABLE = re.compile(r"<!-- fields of (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def schema(name):
    return json.loads((DOCS / "schema" / f"{name}.schema.json").read_text("utf-8"))


def fields(part, path=""):
    """(path, schema) of every field, in the order of the document."""
    for key, inner in part.get("properties", {}).items():
        here = f"{path}.{key}" if path else key
        yield here, inner
        yield from fields(inner, here)
        items = inner.get("items")
        if isinstance(items, dict):
            yield from fields(items, f"{here}[]")


def kind(inner):
    if "const" in inner:
        return f"`{json.dumps(inner['const'])}`"
    if "enum" in inner:
        return ", ".join(f"`{json.dumps(value)}`" for value in inner["enum"])
    kinds = inner["type"]
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


def table(name):
    document, _, part = name.partition("/")
    found = schema(document)
    found = found["$defs"][part] if part else found
    rows = [
        f"| `{path}` | {kind(inner)} | {inner['description']} |" for path, inner in fields(found)
    ]
    return "\n".join(["| Field | Kind | Meaning |", "|---|---|---|", *rows])


def filled(text):
    """The page with its tables as the schemas have them now."""
    return TABLE.sub(
        lambda found: f"<!-- fields of {found[1]} -->\n{table(found[1])}\n<!-- end -->", text
    )


if __name__ == "__main__":
    page = DOCS / "logs.md"
    page.write_text(filled(page.read_text("utf-8")), "utf-8")
