"""Who trains and who judges."""

from pathlib import Path

import pytest

from training import split


@pytest.mark.parametrize(
    "clip",
    [
        "multi_evaluation__samples__GRID__lbax4n",
        "multi_evaluation__samples__GRID__brbk7n",
        "multi_evaluation__samples__GRID__swiz3n",
        "multi_docs___site__files__800ms__f1_s33_bwwy3s__video",
        "multi_docs__files__1600ms__ex2__video",
        "s1_bbaf2n",
        "hq_dataset__bbaf2a",
    ],
)
def test_judges_and_clips_of_the_evaluation_media_never_train(clip):
    assert not split.may_train(clip)


@pytest.mark.parametrize("clip", ["s1_bbaf3s", "hq_dataset__bbilzs"])
def test_other_clips_of_training_speakers_train(clip):
    assert split.may_train(clip)


def test_a_clip_that_nobody_sorted_is_refused():
    with pytest.raises(ValueError, match="nobody knows"):
        split.speaker("multi_evaluation__samples__GRID__zzzz9z")


def test_no_judge_is_a_training_speaker():
    train = {"s1", "hq", "s2"}
    clips = ["multi_evaluation__samples__GRID__" + c for c in ("lbax4n", "brbk7n", "swiz3n")]

    assert not train & {split.speaker(clip) for clip in clips}


def test_every_judge_speaks_once_and_undamaged():
    clips = [
        Path("multi_docs___site__files__1600ms__m1_s30_bwwy5n__video.mkv"),
        Path("multi_docs___site__files__800ms__m1_s30_pbbm3n__video.mkv"),
        Path("multi_docs__files__1600ms__ex2__video.mkv"),
        Path("multi_evaluation__samples__GRID__swiz3n.mkv"),
        Path("multi_evaluation__samples__GRID__sbia1a.mkv"),
    ]

    chosen = [split.speaker(clip.stem) for clip in split.judges(clips)]

    assert sorted(chosen) == ["test_moustache", "test_s30"]
