"""A handful of the files that ``make fuzz`` makes by the thousand, and what the tool sees."""

import random

import fuzz_media
import pytest


@pytest.mark.timeout(120)
def test_damaged_files_of_every_kind_end_in_frames_or_in_an_error_of_ours(tmp_path):
    outcome = fuzz_media.fuzz(n_files=15, seconds=100, seed=7, keep=tmp_path / "kept")
    assert outcome.wrong == []
    assert {kind for kind, _ in outcome.codes} == set(fuzz_media.KINDS)
    assert len({code for _, code in outcome.codes}) > 1  # some open and some do not


def test_the_same_seed_damages_a_file_in_the_same_way():
    content = bytes(3000)
    first, again, other = (
        fuzz_media.damaged(content, random.Random(seed))  # noqa: S311 - nothing is kept secret
        for seed in "aab"
    )
    assert first == again
    assert content != first != other


def test_the_canary_sings_when_it_is_read_and_not_when_it_is_listed(tmp_path):
    canary = fuzz_media.Canary(tmp_path / "canary")
    assert list((tmp_path / "canary").iterdir())
    assert canary.touched() == []
    canary.path.read_text()
    assert "secret.txt" in canary.touched()
