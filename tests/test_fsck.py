"""heygemd fsck as people call it: what it prints, what it returns, what it leaves alone."""

import json

import pytest
from spool_world import drain, drop, make_roots, opened, tree

from heygemd import cli
from heygemd.spool import shares
from heygemd.spool.fsops import FsOps


@pytest.fixture
def folders(tmp_path):
    return make_roots(tmp_path)


@pytest.fixture
def finished(folders):
    drop(folders)
    spool = opened(folders)
    drain(spool)
    spool.close()
    return folders


@pytest.fixture
def fsck(folders, capsys):
    """Calls it; the exit code and what it said, parsed where it is JSON."""

    def call(*words):
        roots = ("inbox", "outbox", "work")
        sets = [w for r in roots for w in ("--set", f"folders.{r}={getattr(folders, r)}")]
        code = cli.main(["fsck", *words, *sets])
        said = capsys.readouterr()
        return code, json.loads(said.out) if "--json" in words else said.out + said.err

    return call


def test_a_sound_spool_is_said_to_be_sound_and_not_changed(finished, fsck):
    before = tree(finished.inbox.parent)

    assert fsck() == (0, "0 errors, 0 notes\n")
    assert fsck("--json") == (
        0, {"schema_version": 1, "at_rest": True, "mended": [], "findings": []},
    )  # fmt: skip
    assert tree(finished.inbox.parent) == before


def test_an_error_is_shown_and_returned(finished, fsck):
    (finished.outbox / "talk" / "a.mp4").write_bytes(b"damaged")

    code, said = fsck()
    assert code == 1
    assert "I3" in said
    code, told = fsck("--json")
    assert code == 1
    assert {finding["rule"] for finding in told["findings"]} == {"I3", "I7"}
    assert all(finding["path"].endswith("talk/a.mp4") for finding in told["findings"])


def test_a_note_is_no_failure(finished, fsck):
    (finished.outbox / "talk" / "a.mp4").unlink()

    code, told = fsck("--json")

    assert code == 0
    assert [finding["severity"] for finding in told["findings"]] == ["note"]


def test_repair_mends_and_says_what_it_did(finished, fsck):
    (finished.outbox / "talk" / "a.mp4").write_bytes(b"damaged")

    code, told = fsck("--repair", "--json")

    assert code == 0
    assert "set aside as a.mp4.aside" in told["mended"][0]
    assert (finished.outbox / "talk" / "a.mp4.aside").read_bytes() == b"damaged"


def test_beside_a_daemon_it_looks_and_does_not_repair(finished, fsck):
    daemon = opened(finished)

    assert fsck() == (0, "0 errors, 0 notes, beside a daemon at work\n")
    code, said = fsck("--repair")
    assert code == 75
    assert "another heygemd" in said
    daemon.close()


def test_a_share_that_is_away_is_no_loss(finished, fsck):
    shares.init_share(FsOps(), finished.inbox, "the inbox")
    opened(finished).close()
    finished.inbox.rename(finished.inbox.with_name("away"))
    finished.inbox.mkdir()

    for words in ((), ("--repair",)):
        code, said = fsck(*words)
        assert code == 1
        assert "mount it" in said
    assert list(finished.inbox.iterdir()) == []


def test_where_no_spool_was_the_settings_are_wrong(folders, fsck):
    code, said = fsck()

    assert code == 78
    assert "never worked there" in said
    assert tree(folders.work) == {}
