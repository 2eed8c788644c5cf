"""What is untagged is guessed as players guess it; what is tagged stays."""

from fractions import Fraction

import pytest

from heygemd.media.colour import BT601, BT709, colour_tags, is_hdr, output_colour, source_colour
from heygemd.records import Colour, VideoInfo


def info(width_px=1920, height_px=1080, pixel_format="yuv420p", **tags):
    return VideoInfo(
        width_px=width_px,
        height_px=height_px,
        fps=Fraction(25),
        n_frames=1,
        duration_s=Fraction(1),
        pixel_format=pixel_format,
        colour=Colour(**tags),
    )


@pytest.mark.parametrize("size", [(360, 288), (720, 576), (576, 1024), (640, 480)])
def test_small_untagged_frames_are_bt601(size):
    assert source_colour(info(*size)) == BT601


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (1920, 1080), (1080, 1080)])
def test_large_untagged_frames_are_bt709(size):
    assert source_colour(info(*size)) == BT709


def test_tags_are_kept():
    tags = {"primaries": "bt470bg", "transfer": "bt470bg", "matrix": "bt470bg", "range": "tv"}

    assert source_colour(info(**tags)) == Colour(**tags)


def test_full_range_is_read_as_such_and_written_as_video_range():
    full = info(range="pc")

    assert source_colour(full).range == "pc"
    assert output_colour(full).range == "tv"


def test_the_old_full_range_formats_need_no_tag():
    assert source_colour(info(pixel_format="yuvj420p")).range == "pc"


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_comes_out_as_bt709(transfer):
    hdr = info(primaries="bt2020", transfer=transfer, matrix="bt2020nc")

    assert is_hdr(hdr.colour)
    assert output_colour(hdr) == BT709


def test_hdr_without_a_matrix_is_taken_as_bt2020():
    assert source_colour(info(transfer="smpte2084")).matrix == "bt2020nc"


def test_wide_gamut_that_is_not_hdr_keeps_its_matrix():
    wide = info(primaries="bt2020", transfer="bt2020-10", matrix="bt2020nc")

    assert not is_hdr(wide.colour)
    assert output_colour(wide).matrix == "bt2020nc"


def test_a_matrix_that_is_none_for_yuv_is_not_taken_over():
    assert output_colour(info(matrix="gbr")).matrix == "bt709"


def test_code_points_get_their_names_and_unknown_ones_none():
    assert colour_tags(1, 16, 9, 2) == Colour("bt709", "smpte2084", "bt2020nc", "pc")
    assert colour_tags(2, 2, 2, 0) == Colour()
