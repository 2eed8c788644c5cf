"""What is compiled is kept, unless that is impossible; nothing that is wrong with it is run."""

import importlib
import math
import resource
import sys
import threading

import numba
import pytest
import structlog

from heygemd import compiled as compiling

SOURCE = """
from heygemd.compiled import compiled

@compiled("int64(int64)")
def doubled(number):
    return number * 2
"""
FILES = ("*.nbi", "*.nbc", "*.sha256")


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Imports a module with a compiled function anew; its code is kept in ``kept``."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "doubling.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path / "source"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))
    compiling._say_unkept.cache_clear()

    def load():
        sys.modules.pop("doubling", None)
        importlib.invalidate_caches()
        return importlib.import_module("doubling").doubled

    yield load
    sys.modules.pop("doubling", None)


def kept(tmp_path):
    return {path.suffix: path for path in (tmp_path / "kept").rglob("doubling.*")}


def was_kept(function):
    return bool(function.stats.cache_hits)


def test_what_was_compiled_once_is_not_compiled_again(loaded):
    first, second = loaded(), loaded()

    assert (was_kept(first), was_kept(second)) == (False, True)
    assert first(21) == second(21) == 42


@pytest.mark.parametrize("suffix", [".nbi", ".nbc", ".sha256"])
@pytest.mark.parametrize("length", [0, 20, 60])
def test_a_file_cut_short_is_made_anew(loaded, tmp_path, suffix, length):
    loaded()
    path = kept(tmp_path)[suffix]
    path.write_bytes(path.read_bytes()[:length])

    mended, again = loaded(), loaded()

    assert (was_kept(mended), was_kept(again)) == (False, True)
    assert mended(21) == again(21) == 42


def test_machine_code_with_a_wrong_byte_is_never_run(loaded, tmp_path):
    loaded()
    path = kept(tmp_path)[".nbc"]
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096] = bytes(4096)
    path.write_bytes(content)

    mended = loaded()

    assert not was_kept(mended)
    assert mended(21) == 42


def test_a_file_that_is_gone_is_made_anew(loaded, tmp_path):
    for suffix in (".nbi", ".nbc", ".sha256"):
        loaded()
        kept(tmp_path)[suffix].unlink()

        assert not was_kept(loaded())
        assert was_kept(loaded())


def test_a_file_that_cannot_be_read_or_replaced_is_left_and_said_once(loaded, tmp_path):
    loaded()
    path = kept(tmp_path)[".nbi"]
    path.unlink()
    path.mkdir()

    with structlog.testing.capture_logs() as lines:
        functions = [loaded(), loaded()]

    assert [function(21) for function in functions] == [42, 42]
    assert [(line["event"], line["log_level"]) for line in lines] == [("code.unkept", "warning")]


def test_without_a_place_to_write_code_is_compiled_and_that_is_said(loaded, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file" / "kept"))
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "source" / "__pycache__").touch()

    with structlog.testing.capture_logs() as lines:
        function = loaded()

    assert function(21) == 42
    assert ["no locator" in line["reason"] for line in lines] == [True]


def test_a_disk_that_takes_no_more_does_not_matter(loaded):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    with structlog.testing.capture_logs() as lines:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limit[1]))
        try:
            function = loaded()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    assert function(21) == 42
    assert [line["event"] for line in lines] == ["code.unkept"]
    assert not was_kept(loaded())


def test_compiled_code_lets_other_threads_run():
    @compiling.compiled("float64(int64)")
    def long(n_rounds):
        total = 0.0
        for round_ in range(n_rounds):
            total += math.sin(total + round_)
        return total

    working = threading.Thread(target=long, args=(30_000_000,))
    working.start()
    n_turns = 0
    while working.is_alive():
        n_turns += 1
        working.join(0.001)

    assert n_turns > 5
