"""Who trains and who only judges: clips of GRID by speaker.

Speakers were told apart by looking at every clip, for the corpus files do not all name them. No
clip of a judging speaker is ever trained on, nor is any clip that stands in the evaluation media.
"""

from __future__ import annotations

from pathlib import Path

# Single clips by the last part of their file names.
_SPEAKER_OF_CLIP = {
    "lbbc2a": "woman_pink",
    "lrwp9a": "woman_green",
    "pwij3p": "s2",
    "id2_vcd_swwp2s": "s2",
    "sbia1a": "man_black",
    "sbwe5n": "man_white",
    "lwbsza": "hq",  # the woman of the 720x576 clips
    "lbax4n": "test_glasses",
    "brbk7n": "test_woman_black",
    "swiz3n": "test_moustache",
    "s30_bwwy5n": "test_s30",
    "s30_pbbm3n": "test_s30",
    "s33_bwwy3s": "test_s33",
    "s34_lbwh5n": "test_s34",
}
_TEST_PREFIX = "test_"

# The same recordings stand in the evaluation media, though their speakers are trained on.
_IN_MEDIA = ("s1_bbaf2n", "hq_dataset__bbaf2a", "multi_evaluation__samples__GRID__lwbsza")


def speaker(clip: str) -> str:
    """Who talks in a clip of the training data, by the file's stem; judges start with ``test_``.

    Raises:
        ValueError: a clip that nobody has sorted yet.
    """
    if clip.startswith("s1_"):
        return "s1"
    if clip.startswith("hq_"):
        return "hq"
    for part in ("__ex1__", "__ex2__"):  # cuts of s33 and s30 with a damaged sound
        if part in clip:
            return "test_s33" if part == "__ex1__" else "test_s30"
    name = clip.removesuffix("__video")
    for ending, who in _SPEAKER_OF_CLIP.items():
        if name.endswith(ending):
            return who
    raise ValueError(f"nobody knows who speaks in {clip}; add it to training/split.py")


def may_train(clip: str) -> bool:
    """Whether a clip and its speaker are kept out of every judgement."""
    return clip not in _IN_MEDIA and not speaker(clip).startswith(_TEST_PREFIX)


def judges(clips: list[Path]) -> list[Path]:
    """One undamaged clip of every judging speaker."""
    chosen: dict[str, Path] = {}
    for clip in sorted(clips):
        who = speaker(clip.stem)
        if who.startswith(_TEST_PREFIX) and "__ex" not in clip.stem:
            chosen.setdefault(who, clip)
    return list(chosen.values())
