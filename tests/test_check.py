"""check: every trial, on a good machine and on a bad one."""

import errno
import json
import os
import time
from dataclasses import replace
from typing import get_args

import pytest

from heygemd import cli, trials
from heygemd.media import tool
from heygemd.settings import Encode
from heygemd.spool.fsops import FsOps

pytestmark = pytest.mark.timeout(120)  # real encoders and a real model on a busy machine


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
    access, publishing, clock = trials.try_share("outbox", tmp_path, fs=Share(*failing))
    assert access.level == publishing.level == clock.level == "ok"
    assert way in publishing.found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", ["mkdir", "create", "write", "fsync", "open_file"])
def test_a_share_that_cannot_be_written_is_an_error_with_advice(tmp_path, failing):
    (found,) = trials.try_share("outbox", tmp_path, fs=Share(failing))
    assert found.level == "error"
    assert "uid" in found.advice
    assert list(tmp_path.iterdir()) == []


def test_a_clock_that_is_off_is_a_warning(tmp_path):
    *_, clock = trials.try_share("inbox", tmp_path, wall=lambda: time.time() + 300)
    assert clock.level == "warning"
    assert "-300 s" in clock.found


class Forgetful(FsOps):
    """A share that gives back something else than it got."""

    def read(self, fd, n_bytes):
        return bytes(len(super().read(fd, n_bytes)))


def test_a_share_that_loses_what_was_written_is_an_error(tmp_path):
    access, *_ = trials.try_share("outbox", tmp_path, fs=Forgetful())
    assert access.level == "error"
    assert "read back wrong" in access.found


class Closed(FsOps):
    """A share whose files only their owner may read."""

    def fstat(self, fd):
        os.fchmod(fd, 0o600)
        return super().fstat(fd)


def test_files_that_the_group_cannot_read_are_a_warning(tmp_path):
    access, *_ = trials.try_share("outbox", tmp_path, fs=Closed())
    assert access.level == "warning"
    assert "-rw-------" in access.found
    assert "UMask" in access.advice


@pytest.fixture(scope="module")
def ffmpeg():
    return tool.find_ffmpeg()


def test_playlists_named_like_videos_are_refused_by_both_doors(ffmpeg):
    hls, concat = trials.try_playlists(ffmpeg)
    assert (hls.level, concat.level) == ("ok", "ok")


def test_an_ffmpeg_that_ignores_the_whitelists_is_an_error(tmp_path, ffmpeg):
    careless = tmp_path / "ffmpeg"
    careless.write_text(
        f'#!/bin/sh\nwhile [ "$1" != -i ]; do shift; done\nexec {ffmpeg.path} -safe 0 "$@"\n'
    )
    careless.chmod(0o755)
    _, concat = trials.try_playlists(replace(ffmpeg, path=careless))
    assert concat.level == "error"
    assert "ffmpeg" in concat.found


def test_every_encoder_that_can_be_named_is_tried(ffmpeg):
    (found,) = trials.look_at_encoders(ffmpeg)
    assert found.level == "ok"
    assert all(
        name in found.found for name in get_args(Encode.model_fields["codec"].annotation)[1:]
    )


def test_an_ffmpeg_without_encoders_is_an_error(tmp_path, ffmpeg):
    poor = tmp_path / "ffmpeg"
    poor.write_text("#!/bin/sh\necho Unknown encoder >&2\nexit 1\n")
    poor.chmod(0o755)
    (found,) = trials.look_at_encoders(replace(ffmpeg, path=poor))
    assert found.level == "error"


@pytest.mark.parametrize(("text", "level"), [("65536\n", "ok"), ("128\n", "warning")])
def test_few_inotify_watches_are_a_warning(tmp_path, text, level):
    (tmp_path / "max_user_watches").write_text(text)
    (tmp_path / "max_user_instances").write_text("128\n")
    (found,) = trials.look_at_events(tmp_path, tmp_path)
    assert found.level == level


def test_few_inotify_listeners_are_a_warning_with_the_words_to_type(tmp_path):
    (tmp_path / "max_user_watches").write_text("65536\n")
    (tmp_path / "max_user_instances").write_text("2\n")
    (found,) = trials.look_at_events(tmp_path, tmp_path)
    assert found.advice == "sysctl fs.inotify.max_user_instances=16"


def test_a_machine_without_inotify_polls(tmp_path):
    (found,) = trials.look_at_events(tmp_path, tmp_path / "nothing")
    assert found.level == "warning"


def test_the_drivers_version_is_told_where_there_is_one(tmp_path):
    version = tmp_path / "version"
    assert list(trials.look_at_driver(version)) == []
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.1\nGCC 12\n")
    (found,) = trials.look_at_driver(version)
    assert found.found.endswith("580.1")


def test_the_command_tells_all_as_json_and_ends_with_zero(tmp_path, capsys):
    for name in ("inbox", "outbox", "work"):
        (tmp_path / name).mkdir()
    words = [f"folders.{name}={tmp_path / name}" for name in ("inbox", "outbox", "work")]
    sets = [part for word in [*words, "model.name=passthrough"] for part in ("--set", word)]
    assert cli.main(["check", "--json", *sets]) == 0
    told = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert {"ffmpeg", "encoder", "encoders", "HLS playlists", "ffconcat playlists", "model",
            "faces", "inbox", "outbox", "work", "folders", "events", "outbox publishing",
            "outbox permissions", "inbox clock", "GPU"} <= set(told)  # fmt: skip


def test_a_folder_that_is_not_there_ends_with_74_and_says_what_to_do(tmp_path, capsys):
    sets = ["--set", f"folders.inbox={tmp_path / 'gone'}", "--set", "model.name=passthrough"]
    assert cli.main(["check", *sets]) == 74
    assert "mkdir -p" in capsys.readouterr().out


def test_folders_that_lie_in_each_other_end_with_78(tmp_path, capsys):
    for name in ("inbox", "inbox/outbox", "work"):
        (tmp_path / name).mkdir()
    words = [f"folders.inbox={tmp_path / 'inbox'}", f"folders.outbox={tmp_path / 'inbox/outbox'}",
             f"folders.work={tmp_path / 'work'}", "model.name=passthrough"]  # fmt: skip
    assert cli.main(["check", *(part for word in words for part in ("--set", word))]) == 78
    assert "side by side" in " ".join(capsys.readouterr().out.split())
