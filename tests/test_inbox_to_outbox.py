"""The main job with real parts: a folder in the inbox becomes mp4s and JSON logs in the outbox."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import made_media
import pytest

CONFIG = """
[folders]
inbox = "{root}/inbox"
outbox = "{root}/outbox"
work = "{root}/work"
[intake]
settle_s = 0.2
[model]
name = "{model}"
device = "cpu"
clips = {clips}
"""
THREE = ("voice.wav", "anna.mp4", "anna.mp4 as ben.mp4", "anna.mp4 as cleo.mp4")


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """One voice of 1.2 s, one good clip of 1 s, and clips that are bad in their own ways."""
    folder = tmp_path_factory.mktemp("media")
    made_media.write_voice(folder / "voice.wav", 1.2)
    made_media.write_clip(folder / "anna.mp4")
    made_media.write_blank(folder / "nobody.mp4")
    (folder / "empty.mp4").touch()
    (folder / "corrupt.mp4").write_bytes((folder / "anna.mp4").read_bytes()[:2000])
    (folder / "sound only.mp4").write_bytes((folder / "voice.wav").read_bytes())
    return folder


@pytest.fixture
def place(tmp_path):
    return make_place(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(media, tmp_path_factory):
    """The outbox of a job of three clips that nobody kills."""
    place = make_place(tmp_path_factory.mktemp("undisturbed"))
    drop(place, media, "lesson", *THREE)
    assert once(place).returncode == 0
    return outbox(place)


def make_place(folder):
    for name in ("inbox", "outbox", "work"):
        (folder / name).mkdir()
    return folder


def configure(place, model="passthrough", clips=1):
    path = place / "config.toml"
    path.write_text(CONFIG.format(root=place, model=model, clips=clips))
    return path


def drop(place, media, job, *names):
    """A job folder that is whole from the first moment."""
    folder = place / job
    folder.mkdir()
    for name in names:
        source, _, target = name.partition(" as ")
        (folder / (target or source)).write_bytes((media / source).read_bytes())
    folder.rename(place / "inbox" / job)


def once(place, model="passthrough", clips=1):
    path = configure(place, model, clips)
    command = [sys.executable, "-m", "heygemd", "once", "--config", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def run_until(place, signal_name, clip, n_children, clips=1):
    """The daemon, signalled as the Nth child of a clip starts: see signal_at.py."""
    script = [sys.executable, str(Path(__file__).with_name("signal_at.py"))]
    moment = [signal_name, clip, str(n_children)]
    command = [*script, *moment, "run", "--config", str(configure(place, clips=clips))]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, start_new_session=True
    )


def outbox(place):
    return {
        str(path.relative_to(place / "outbox")): path
        for path in sorted((place / "outbox").rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.parts)
    }


def read(path):
    return json.loads(path.read_text())


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assert_same(after, before):
    assert list(after) == list(before)
    for name in after:
        if name.endswith(".mp4"):
            assert sha256(after[name]) == sha256(before[name]), name


@pytest.mark.timeout(240)
def test_bad_clips_fail_alone_and_say_why_and_good_ones_come_out_whole(place, media):
    drop(place, media, "lesson", "voice.wav", "anna.mp4", "nobody.mp4", "empty.mp4",
         "corrupt.mp4", "sound only.mp4", "anna.mp4 as ben.mp4")  # fmt: skip
    ended = once(place)
    assert ended.returncode == 1, ended.stderr
    files = outbox(place)
    mp4s = [name for name in files if name.endswith(".mp4")]
    assert mp4s == ["lesson/anna.mp4", "lesson/ben.mp4"]
    codes = {row["name"]: row["code"] for row in read(files["lesson/job.json"])["clips"]}
    assert codes == {
        "anna.mp4": "ok",
        "ben.mp4": "ok",
        "corrupt.mp4": codes["corrupt.mp4"],
        "empty.mp4": "empty_input",
        "nobody.mp4": "no_face",
        "sound only.mp4": "no_video",
    }
    assert codes["corrupt.mp4"] in {"truncated_input", "corrupt"}
    for name, code in codes.items():
        log = read(files[f"lesson/{name.removesuffix('.mp4')}.json"])
        assert log["code"] == code
        assert log["message"] or log["outcome"] == "ok"


@pytest.mark.timeout(240)
def test_a_finished_clip_has_the_length_of_the_sound_and_a_log_that_tells_it(place, media):
    drop(place, media, "lesson", "voice.wav", "anna.mp4")
    ended = once(place)
    assert ended.returncode == 0, ended.stderr
    files = outbox(place)
    log = read(files["lesson/anna.json"])
    assert (log["n_frames"], log["fps"], log["duration_s"]) == (30, "25/1", 1.2)
    assert log["output"]["sha256"] == sha256(files["lesson/anna.mp4"])
    assert log["clip"]["sha256"] == sha256(media / "anna.mp4")
    assert log["sound"]["sha256"] == sha256(media / "voice.wav")
    assert log["faces"]["coverage"] == 1.0
    assert log["clip"]["probe"]["width_px"] == 384
    assert read(files["lesson/job.json"])["outcome"] == "ok"


@pytest.mark.timeout(240)
def test_a_folder_that_is_no_job_is_rejected_with_its_reason(place, media):
    drop(place, media, "two voices", "voice.wav", "voice.wav as b.wav", "anna.mp4")
    ended = once(place)
    assert ended.returncode == 1, ended.stderr
    document = read(outbox(place)["two voices/job.json"])
    assert document["outcome"] == "rejected"
    assert document["code"] == "job_layout"


@pytest.mark.timeout(240)
def test_every_line_of_the_log_is_json_and_the_model_is_loaded_once(place, media):
    drop(place, media, "one", "voice.wav", "anna.mp4")
    drop(place, media, "two", "voice.wav", "anna.mp4")
    ended = once(place)
    events = [json.loads(line)["event"] for line in ended.stderr.splitlines()]
    assert events.count("model.loaded") == 1
    assert events.count("clip.published") == 2
    assert events[-1] == "daemon.stopped"


@pytest.mark.timeout(240)
def test_killed_in_the_middle_and_started_again_gives_the_same_files(place, media, undisturbed):
    drop(place, media, "lesson", *THREE)
    killed = run_until(place, "KILL", "ben.mp4", n_children=3)  # probe, faces, render
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert "lesson/anna.mp4" in outbox(place)
    assert "lesson/ben.mp4" not in outbox(place)

    assert once(place).returncode == 0
    assert_same(outbox(place), undisturbed)


@pytest.mark.timeout(240)
def test_killed_with_two_clips_in_hand_and_started_again_gives_the_same_files(
    place, media, undisturbed
):
    drop(place, media, "lesson", *THREE)
    killed = run_until(place, "KILL", "ben.mp4", n_children=1, clips=2)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert "lesson/ben.mp4" not in outbox(place)
    assert {path.name for path in (place / "work").rglob("att/*")} == {"0001.1", "0002.1"}

    assert once(place, clips=2).returncode == 0
    assert_same(outbox(place), undisturbed)


@pytest.mark.timeout(240)
def test_a_clip_that_ends_the_process_every_time_takes_none_beside_it_along(place, media):
    names = ("anna.mp4", "anna.mp4 as ben.mp4", "anna.mp4 as cleo.mp4")
    drop(place, media, "lesson", "voice.wav", *names)
    for _ in range(2):
        killed = run_until(place, "KILL", "ben.mp4", n_children=1, clips=2)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert once(place, clips=2).returncode == 1
    files = outbox(place)
    assert [name for name in files if name.endswith(".mp4")] == [
        "lesson/anna.mp4",
        "lesson/cleo.mp4",
    ]
    codes = {row["name"]: row["code"] for row in read(files["lesson/job.json"])["clips"]}
    assert codes == {"anna.mp4": "ok", "ben.mp4": "crash_loop", "cleo.mp4": "ok"}


@pytest.mark.timeout(240)
def test_a_term_finishes_both_clips_in_hand_and_begins_no_third(place, media):
    names = ("anna.mp4", "anna.mp4 as ben.mp4", "anna.mp4 as cleo.mp4")
    drop(place, media, "lesson", "voice.wav", *names)
    ended = run_until(place, "TERM", "ben.mp4", n_children=1, clips=2)
    assert ended.returncode == 0, ended.stderr
    done = [name for name in outbox(place) if name.endswith(".mp4")]
    assert done == ["lesson/anna.mp4", "lesson/ben.mp4"]
    assert once(place, clips=2).returncode == 0
    assert read(outbox(place)["lesson/job.json"])["outcome"] == "ok"
    assert not list((place / "work").rglob("att/*.2"))


@pytest.mark.timeout(240)
def test_a_second_term_gives_both_clips_in_hand_up_and_neither_attempt_counts(place, media):
    drop(place, media, "lesson", "voice.wav", "anna.mp4", "anna.mp4 as ben.mp4")
    ended = run_until(place, "TERM2", "ben.mp4", n_children=1, clips=2)
    assert ended.returncode == 0, ended.stderr
    assert not [name for name in outbox(place) if name.endswith((".mp4", "job.json"))]
    assert not list((place / "work").rglob("att/*"))
    assert once(place, clips=2).returncode == 0
    assert read(outbox(place)["lesson/job.json"])["outcome"] == "ok"


@pytest.mark.timeout(240)
def test_a_term_finishes_the_clip_in_hand_and_leaves_the_rest_for_later(place, media):
    drop(place, media, "lesson", "voice.wav", "anna.mp4", "anna.mp4 as ben.mp4")
    ended = run_until(place, "TERM", "anna.mp4", n_children=0)
    assert ended.returncode == 0, ended.stderr
    assert [name for name in outbox(place) if name.endswith(".mp4")] == ["lesson/anna.mp4"]
    assert once(place).returncode == 0
    assert read(outbox(place)["lesson/job.json"])["outcome"] == "ok"


@pytest.mark.timeout(240)
def test_a_second_term_gives_the_clip_in_hand_up_and_does_it_again_later(place, media):
    drop(place, media, "lesson", "voice.wav", "anna.mp4")
    ended = run_until(place, "TERM2", "anna.mp4", n_children=2)  # probe, faces
    assert ended.returncode == 0, ended.stderr
    assert not [name for name in outbox(place) if name.endswith((".mp4", "job.json"))]
    assert json.loads(ended.stderr.splitlines()[-1])["urgency"] == 2
    assert once(place).returncode == 0
    assert read(outbox(place)["lesson/job.json"])["outcome"] == "ok"
    assert not list((place / "work").rglob("att/*.2"))  # giving up on request is no attempt
