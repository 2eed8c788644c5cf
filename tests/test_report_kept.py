import report_world as world

from heygemd.records import ClipPictures
from heygemd.report.kept import from_files, to_files


def test_pictures_come_back_as_they_were_kept():
    pictures = world.pictures()
    assert from_files(to_files(pictures)) == pictures


def test_empty_pictures_need_no_files():
    assert to_files(ClipPictures()) == {}
    assert from_files({}) == ClipPictures()


def test_a_file_that_is_lost_leaves_the_others():
    files = to_files(world.pictures())
    del files["poster.jpg"]
    kept = from_files(files)
    assert kept.poster == b""
    assert kept.sheet
    assert kept.wave
