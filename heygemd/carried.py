"""Files that wheels of the registry carry; the code of those wheels is never run."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from heygemd.errors import DependencyError


@dataclass(frozen=True, slots=True)
class Carried:
    """A file and the wheel that brings it.

    Attributes:
        package: as it is imported.
        wheel: as pip is asked for it, with its version.
        file: beside the package's own ``__init__.py``.
        sha256: hex digest of the file.
    """

    package: str
    wheel: str
    file: str
    sha256: str


def read(carried: Carried, otherwise: str = "") -> bytes:
    """The file's bytes.

    Args:
        carried: which.
        otherwise: what a user may do instead of installing the wheel, for the messages.

    Raises:
        DependencyError: the wheel or its file is missing or is another than expected.
    """
    spec = importlib.util.find_spec(carried.package)
    if spec is None or spec.origin is None:
        raise DependencyError(
            f"no package {carried.package}, which brings {Path(carried.file).name}; "
            f"pip install {carried.wheel}{otherwise}"
        )
    path = Path(spec.origin).parent / carried.file
    try:
        found = path.read_bytes()
    except OSError as error:
        raise DependencyError(
            f"{path}: {error.strerror}; reinstall {carried.wheel}{otherwise}"
        ) from error
    if (digest := hashlib.sha256(found).hexdigest()) != carried.sha256:
        raise DependencyError(
            f"{path} has sha256 {digest}, want {carried.sha256}; "
            f"reinstall {carried.wheel}{otherwise}"
        )
    return found
