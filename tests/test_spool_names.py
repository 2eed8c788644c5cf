"""Names on the way in and on the way out."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heygemd.spool import names

WILD = st.text(st.characters(codec=None), max_size=300)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.mp4", "video"),
        ("A.MOV", "video"),
        ("still.JPG", "video"),
        ("voice.wav", "audio"),
        ("Job.TOML", "options"),
        (".ready", "ready"),
        ("CANCEL", "cancel"),
        ("notes.txt", "other"),
        ("mp4", "other"),
        (".hidden.mp4", "hidden"),
    ],
)
def test_a_name_says_what_its_file_is(name, kind):
    assert names.kind_of(name) == kind


@pytest.mark.parametrize(
    "name",
    [
        "a.mp4.part", "a.mp4.PARTIAL", "a.crdownload", "a.download", "a.tmp", "a.temp",
        "a.filepart", "a.mp4.!qB", "~$a.mp4", ".syncthing.a.mp4", "~syncthing~a.mp4",
        ".a.mp4.Xk29aB", ".~tmp~",
    ],
)  # fmt: skip
def test_names_of_files_that_are_being_written_are_known(name):
    assert names.kind_of(name) == "temp"


@pytest.mark.parametrize(
    "name",
    [
        ".DS_Store", "._a.mp4", "Thumbs.db", "ehthumbs.db", "desktop.ini", ".AppleDouble",
        ".Spotlight-V100", ".Trashes", "@eaDir", "#recycle", "#snapshot", "@Recycle",
        "$RECYCLE.BIN", "System Volume Information", "lost+found", "__MACOSX", ".nfs0001",
        ".smbdelete1", ".fuse_hidden1",
    ],
)  # fmt: skip
def test_what_file_managers_leave_is_junk(name):
    assert names.kind_of(name) == "junk"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("CON.mp4", "_CON"),
        ("nul.x.mp4", "_nul.x"),
        ("COM¹.mp4", "_COM¹"),
        ("a .mp4", "a"),
        ("x..mp4", "x"),
        ("-rf.mp4", "_rf"),
        ("a\nb.mp4", "a_b"),
        ("%03d.mp4", "%03d"),
        ("data:x.mp4", "data_x"),
        ("pipe:0.mp4", "pipe_0"),
        ('<>:"/\\|?*.mp4', "\\|?*"),
        ("e\u0301.mp4", "\u00e9"),
        ("\u202egpj.mp4", "gpj"),
        ("\udcff.mp4", "_"),
        ("שלום.mp4", "שלום"),
        ("👩‍🚀.mp4", "👩‍🚀"),
        (" .mp4", "_"),
    ],
)
def test_output_names_are_safe_everywhere(name, stem):
    if "/" in name:
        stem = "_" * len(stem)
    assert names.safe_stem(name) == stem


@given(WILD)
def test_any_name_becomes_one_that_every_system_takes(name):
    safe = names.safe_name(name)

    assert safe
    assert safe == unicodedata.normalize("NFC", safe)
    assert len(safe.encode("utf-8")) <= 190
    assert safe[0] not in ".- ~"
    assert safe[-1] not in ". "
    assert not set(safe) & set('<>:"/\\|?*\n\r\0')
    assert names.safe_name(safe) == safe


@given(st.lists(WILD, max_size=12))
def test_stems_in_a_job_are_distinct_on_file_systems_that_fold_case(clips):
    stems = names.stems(clips)

    assert len({names.same_key(stem) for stem in stems}) == len(clips)
    assert "job" not in {names.same_key(stem) for stem in stems}


def test_a_second_clip_of_the_same_name_is_numbered():
    assert names.stems(["Video.MP4", "video.mp4", "video.mov"]) == ["Video", "video~2", "video~3"]


def test_no_output_hides_the_job_json():
    assert names.stems(["job.mp4"]) == ["job~2"]
