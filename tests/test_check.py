"""check: every trial, on a good machine and on a bad one."""

import errno
import json
import time

import pytest

from heygemd import cli, trials
from heygemd.spool.fsops import FsOps


class Share(FsOps):
    """A share on which some calls fail."""

    def __init__(self, *failing):
        super().__init__()
        self.failing = failing

    def __getattribute__(self, name):
        if name in object.__getattribute__(self, "__dict__").get("failing", ()):

            def fail(*arguments):
                raise OSError(errno.EPERM, "Operation not permitted")

            return fail
        return super().__getattribute__(name)


@pytest.mark.parametrize(
    ("failing", "way"),
    [((), "hard link"), (("link",), "rename without"), (("link", "rename_new"), "reservation")],
)
def test_a_share_is_published_to_in_the_best_way_it_has(tmp_path, failing, way):
    publishing, clock = trials.try_share("outbox", tmp_path, fs=Share(*failing))
    assert publishing.level == clock.level == "ok"
    assert way in publishing.found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", ["mkdir", "create", "write", "fsync"])
def test_a_share_that_cannot_be_written_is_an_error_with_advice(tmp_path, failing):
    (found,) = trials.try_share("outbox", tmp_path, fs=Share(failing))
    assert found.level == "error"
    assert "uid" in found.advice
    assert list(tmp_path.iterdir()) == []


def test_a_clock_that_is_off_is_a_warning(tmp_path):
    *_, clock = trials.try_share("inbox", tmp_path, wall=lambda: time.time() + 300)
    assert clock.level == "warning"
    assert "-300 s" in clock.found


def test_a_playlist_named_like_a_video_is_refused():
    (found,) = trials.try_playlist()
    assert (found.level, found.found) == ("ok", "refused: unsupported_container")


@pytest.mark.parametrize(("text", "level"), [("65536\n", "ok"), ("128\n", "warning")])
def test_few_inotify_watches_are_a_warning(tmp_path, text, level):
    limit = tmp_path / "max_user_watches"
    limit.write_text(text)
    (found,) = trials.look_at_events(tmp_path, limit)
    assert found.level == level


def test_a_machine_without_inotify_polls(tmp_path):
    (found,) = trials.look_at_events(tmp_path, tmp_path / "nothing")
    assert found.level == "warning"


def test_the_drivers_version_is_told_where_there_is_one(tmp_path):
    version = tmp_path / "version"
    assert list(trials.look_at_driver(version)) == []
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.1\nGCC 12\n")
    (found,) = trials.look_at_driver(version)
    assert found.found.endswith("580.1")


@pytest.mark.timeout(120)
def test_the_command_tells_all_as_json_and_ends_with_zero(tmp_path, capsys):
    for name in ("inbox", "outbox", "work"):
        (tmp_path / name).mkdir()
    words = [f"folders.{name}={tmp_path / name}" for name in ("inbox", "outbox", "work")]
    sets = [part for word in [*words, "model.name=passthrough"] for part in ("--set", word)]
    assert cli.main(["check", "--json", *sets]) == 0
    told = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert {"ffmpeg", "encoder", "playlists", "model", "faces", "inbox", "outbox", "work",
            "events", "outbox publishing", "inbox clock", "GPU"} <= set(told)  # fmt: skip


@pytest.mark.timeout(120)
def test_a_folder_that_is_not_there_ends_with_74_and_says_what_to_do(tmp_path, capsys):
    sets = ["--set", f"folders.inbox={tmp_path / 'gone'}", "--set", "model.name=passthrough"]
    assert cli.main(["check", *sets]) == 74
    assert "mkdir -p" in capsys.readouterr().out
