import subprocess
import sys

import pytest

from heygemd.opencv import cv2, explain_import


def test_opencv_starts_no_threads_of_its_own():
    assert cv2.getNumThreads() == 1


@pytest.mark.parametrize("library", ["libGL.so.1", "libEGL.so.1", "libGLESv2.so.2", "libgthread-2"])
def test_a_missing_library_of_the_system_names_the_packages(library):
    text = explain_import("mediapipe", OSError(f"{library}: cannot open shared object file"))
    assert text.startswith(f"mediapipe needs a library of the system: {library}")
    assert "apt install libgl1 libglib2.0-0 libxcb1 libegl1 libgles2" in text


def test_a_missing_package_names_it():
    text = explain_import("mediapipe", ImportError("No module named 'mediapipe'"))
    assert "pip install mediapipe" in text


@pytest.mark.parametrize(
    ("package", "use"),
    [
        ("cv2", "import heygemd.faces.mesh"),
        ("ai_edge_litert", "from heygemd.faces import landmarker; landmarker._Net(b'')"),
    ],
)
def test_a_package_that_lacks_a_library_ends_in_a_dependency_error(tmp_path, package, use):
    file = tmp_path / package / "__init__.py"
    file.parent.mkdir()
    file.write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from heygemd.errors import DependencyError
try:
    {use}
except DependencyError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert b"libGL.so.1" in ran.stdout
    assert b"apt install libgl1" in ran.stdout
