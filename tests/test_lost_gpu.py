"""A CUDA error that sticks ends the process with 75; the clip that does it twice is put aside."""

import json
import subprocess
import sys
from pathlib import Path

import lost_gpu
import made_media
import pytest
from test_inbox_to_outbox import configure, outbox, read

pytestmark = pytest.mark.timeout(300)


def lead(place, command="run"):
    """One life of the daemon; exit code and events."""
    script = Path(lost_gpu.__file__)
    words = [sys.executable, str(script), command, "--config", str(configure(place))]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    return ended.returncode, [json.loads(line) for line in ended.stderr.splitlines()]


@pytest.fixture(scope="module")
def lives(tmp_path_factory):
    """Two lives that the clip ends, as systemd would start them, and one that does the rest."""
    place = tmp_path_factory.mktemp("gpu")
    for name in ("inbox", "outbox", "work", "lesson"):
        (place / name).mkdir()
    made_media.write_voice(place / "lesson" / "voice.wav", 0.5)
    made_media.write_clip(place / "lesson" / "anna.mp4", n_frames=lost_gpu.N_FRAMES)
    made_media.write_clip(place / "lesson" / "ben.mp4", n_frames=20)
    (place / "lesson").rename(place / "inbox" / "lesson")
    return place, [lead(place), lead(place), lead(place, "once")]


def test_the_process_ends_with_75_and_says_why(lives):
    _, ((code, events), again, _) = lives
    assert code == again[0] == 75
    assert (events[-1]["event"], events[-1]["code"]) == ("daemon.failed", "gpu_lost")
    assert "illegal memory access" in events[-1]["message"]


def test_nothing_else_is_tried_on_that_gpu(lives):
    _, ((_, events), _, _) = lives
    assert [each["clip"] for each in events if each["event"] == "clip.attempted"] == ["anna.mp4"]
    assert "clip.failed" not in [each["event"] for each in events]


def test_every_life_loads_the_model_anew(lives):
    _, each_life = lives
    for _, events in each_life:
        assert [event["event"] for event in events].count("model.loaded") == 1


def test_after_two_ends_the_clip_is_put_aside_and_its_sibling_is_done(lives):
    place, (_, _, (code, _)) = lives
    assert code == 1
    files = outbox(place)
    codes = {row["name"]: row["code"] for row in read(files["lesson/job.json"])["clips"]}
    assert codes == {"anna.mp4": "crash_loop", "ben.mp4": "ok"}
    assert "lesson/ben.mp4" in files
    assert "lesson/anna.mp4" not in files
