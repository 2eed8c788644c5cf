"""Loops over pixels as machine code: numba compiles them when their module is imported.

What is compiled is kept on disk, where ``NUMBA_CACHE_DIR`` says or beside the module. Every such
file is checked before it is run, and where none can be kept, code is compiled anew at each start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba

from heygemd.log import log

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def compiled(
    signature: str,
) -> Callable[[Callable[_Arguments, _Result]], Callable[_Arguments, _Result]]:
    """A decorator that turns a function into machine code, which does not hold the GIL.

    Args:
        signature: numba's words for the only types that the function takes and gives; it must call
            no function but those of numba, math and numpy: a change elsewhere would go unseen.
    """

    # Where no place is fit, numba raises RuntimeError; where code is another module's, ImportError.
    def compile_now(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
        try:
            made = _kept(function, signature)
        except (OSError, RuntimeError, ImportError) as error:
            _say_unkept(str(error))
            made = numba.njit(signature, nogil=True, error_model="numpy")(function)
        return cast("Callable[_Arguments, _Result]", made)

    return compile_now


def _kept(function: Callable[..., object], signature: str) -> object:
    """The function compiled, read from disk where it is whole, else compiled and written there."""
    dispatcher = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    folder = Path(str(dispatcher.stats.cache_path))
    name = f"{Path(function.__code__.co_filename).stem}.{function.__qualname__}"
    seal = folder / f"{name}.sha256"
    if not seal.is_file() or seal.read_text() != _digest(folder, name):
        for path in _parts(folder, name):  # a power cut leaves files that are short, or not theirs
            path.unlink(missing_ok=True)
    dispatcher.compile(signature)
    dispatcher.disable_compile()
    if dispatcher.stats.cache_misses:
        with suppress(OSError):
            seal.write_text(_digest(folder, name))
    return dispatcher


def _parts(folder: Path, name: str) -> list[Path]:
    return sorted(folder.glob(f"{name}-*.nb[ci]"))


def _digest(folder: Path, name: str) -> str:
    """Of all files of one function."""
    digest = hashlib.sha256()
    for path in _parts(folder, name):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@cache  # once for each reason
def _say_unkept(reason: str) -> None:
    log.warning("code.unkept", reason=reason)
