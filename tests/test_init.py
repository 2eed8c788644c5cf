"""heygemd init: folders and the marks of shares."""

import pytest

from heygemd import cli
from heygemd.spool import shares
from heygemd.spool.fsops import FsOps


@pytest.fixture
def init(tmp_path):
    def call(**roots):
        named = {name: tmp_path / "share" / name for name in ("inbox", "outbox", "work")} | roots
        sets = [
            word for name, path in named.items() for word in ("--set", f"folders.{name}={path}")
        ]
        return cli.main(["init", *sets])

    return call


def test_what_is_missing_is_made_and_both_shares_are_marked(init, tmp_path, capsys):
    assert init() == 0

    share = tmp_path / "share"
    ids = [shares.share_id_of(FsOps(), share / side) for side in ("inbox", "outbox")]
    assert all(ids)
    assert (share / "work").is_dir()
    assert all(share_id in capsys.readouterr().out for share_id in ids[:1])


def test_a_second_time_changes_nothing(init, tmp_path):
    init()
    before = shares.share_id_of(FsOps(), tmp_path / "share" / "inbox")

    assert init() == 0
    assert shares.share_id_of(FsOps(), tmp_path / "share" / "inbox") == before


def test_folders_in_one_another_are_refused(init, tmp_path):
    assert init(outbox=tmp_path / "share" / "inbox" / "out") == 78


def test_a_folder_that_cannot_be_made_is_said_so(init, tmp_path, capsys):
    (tmp_path / "file").touch()

    assert init(inbox=tmp_path / "file" / "inbox") == 78
    assert "Not a directory" in capsys.readouterr().err
