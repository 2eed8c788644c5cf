"""What was planned is what was written, or it is not published."""

from fractions import Fraction

import lavfi
import pytest

from heygemd.errors import QualityError
from heygemd.media.limits import Limits
from heygemd.media.verify import verify_video

LIMITS = Limits()
SOUND = ("-f", "lavfi", "-i", "sine=d=2", "-c:a", "aac", "-t", "2")
FAST = ("-movflags", "+faststart")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture(scope="module")
def good(folder):
    return lavfi.film(folder / "good.mp4", *SOUND, *FAST, n_frames=50)


def check(path, n_frames=50, fps=25, sound_s=2):
    verify_video(
        path, n_frames=n_frames, fps=Fraction(fps), sound_s=Fraction(sound_s), limits=LIMITS
    )


def test_a_good_output_passes(good):
    check(good)


def test_sound_and_picture_may_differ_by_half_a_frame(good):
    check(good, sound_s=Fraction(202, 100))


@pytest.mark.parametrize(
    ("planned", "words"),
    [({"n_frames": 51}, "50 frames, planned 51"),
     ({"n_frames": 49}, "50 frames, planned 49"),
     ({"fps": 24}, "picture lasts"),
     ({"sound_s": Fraction(21, 10)}, "want half a frame")],
)  # fmt: skip
def test_anything_but_the_plan_is_refused(good, planned, words):
    with pytest.raises(QualityError, match=words):
        check(good, **planned)


@pytest.mark.parametrize("share", [0.4, 0.99])
def test_an_output_that_was_cut_off_is_refused(folder, good, share):
    whole = good.read_bytes()
    path = folder / "cut.mp4"
    path.write_bytes(whole[: int(share * len(whole))])

    with pytest.raises(QualityError, match="cannot be read"):
        check(path)


@pytest.mark.parametrize(
    ("args", "words"),
    [(FAST, "no sound"),
     (SOUND, "moov before mdat"),
     (("-itsoffset", "0.2", *SOUND, "-t", "2.2", *FAST), "sound starts at 0.1"),
     (("-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", *FAST), "sound lasts 1.")],
)  # fmt: skip
def test_a_wrong_container_or_sound_is_refused(folder, args, words):
    path = lavfi.film(folder / "wrong.mp4", *args, n_frames=50)

    with pytest.raises(QualityError, match=words):
        check(path)


def test_an_output_without_a_picture_is_refused(folder):
    path = lavfi.make(folder / "deaf.mp4", *SOUND, *FAST)

    with pytest.raises(QualityError, match="no picture"):
        check(path)


def test_an_empty_output_is_refused(folder):
    path = folder / "empty.mp4"
    path.write_bytes(b"")

    with pytest.raises(QualityError, match="empty"):
        check(path)
