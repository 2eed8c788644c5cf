"""Settings in, spool out."""

import pytest

from heygemd import opening
from heygemd.errors import ConfigError, JobLayoutError
from heygemd.settings import load
from heygemd.spool.retention import KEEP, fate_of


@pytest.fixture
def settings(tmp_path):
    for name in ("inbox", "outbox", "work", "failed"):
        (tmp_path / name).mkdir()

    def make(*overrides):
        roots = [f"folders.{name}={tmp_path / name}" for name in ("inbox", "outbox", "work")]
        return load(overrides=[*roots, *overrides], env=False)

    return make


def test_by_default_everything_is_kept(settings):
    policy = opening.retention(settings())

    assert {policy.done, policy.partial, policy.failed, policy.rejected} == {KEEP}


def test_a_folder_for_failed_jobs_takes_what_would_be_kept(settings, tmp_path):
    policy = opening.retention(
        settings(f"folders.failed={tmp_path / 'failed'}", "keep.rejected=30 days")
    )

    assert policy.failed == fate_of(str(tmp_path / "failed"))
    assert policy.rejected == fate_of("30 days")
    assert policy.done == KEEP


@pytest.mark.parametrize("value", ["sometimes", "30", "days", "-1 days", "nowhere/"])
def test_a_word_that_names_no_fate_is_refused(settings, value):
    with pytest.raises(ConfigError, match="done"):
        settings(f"keep.done={value}")


@pytest.mark.parametrize("value", ["0", "60", "600"])
def test_a_lease_is_long_or_none(settings, value):
    assert settings(f"intake.lease_s={value}").intake.lease_s == float(value)


def test_a_lease_shorter_than_shares_answer_is_refused(settings):
    with pytest.raises(ConfigError, match="lease_s"):
        settings("intake.lease_s=10")


@pytest.mark.parametrize("name", ["talk", "\udcfftalk", "ta\nlk"])
def test_a_rejected_folder_gets_a_page_that_says_why(settings, tmp_path, name):
    spool = opening.spool(settings("intake.settle_s=0", "intake.spare_mb=0"))
    spool.open()
    folder = tmp_path / "inbox" / name
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"a sound")

    with pytest.raises(JobLayoutError):
        spool.claim(*spool.ready(0.0))

    (page,) = (tmp_path / "outbox").glob("*/report.html")
    assert "no video beside a.wav" in page.read_text("utf-8")
    spool.close()


def test_a_spool_is_opened_with_what_the_settings_say(settings):
    spool = opening.spool(settings("intake.spare_mb=3", "intake.lease_s=90"))

    spool.open()

    assert spool._spare_bytes == 3_000_000
    assert spool._lease.lease_s == 90
    spool.close()
