"""The picture of the person to follow: picked, staged, and never rendered as a clip."""

import pytest
from spool_world import drop, make_roots, opened

from heygemd.errors import JobLayoutError, PortraitError
from heygemd.records import RenderOptions

FACE = 'face = "reference"'


@pytest.fixture
def folders(memory_path):
    return make_roots(memory_path)


def dropped(folders, *clips, options=FACE):
    drop(folders, "talk", clips)
    if options:
        (folders.inbox / "talk" / "job.toml").write_text(options)


def claimed(folders, **choices):
    spool = opened(folders, **choices)
    spool.ready(0.0)
    spool.ready(1.0)
    return spool, spool.claim("talk")


@pytest.mark.parametrize("name", ["reference.jpg", "Reference.PNG", "reference.webp"])
def test_the_picture_is_staged_beside_the_sound_and_is_no_clip(folders, name):
    dropped(folders, "a.mp4", name)
    spool, job = claimed(folders)
    job = spool.stage_sound(job)
    assert [clip.name for clip in job.clips] == ["a.mp4"]
    assert job.reference_name == name
    assert job.reference.read_bytes() == f"video {name}".encode() * 9
    assert name not in job.reference.name  # under a neutral name
    spool.close()


def test_without_that_choice_a_picture_of_that_name_is_a_clip_like_any(folders):
    dropped(folders, "a.mp4", "reference.jpg", options="")
    spool, job = claimed(folders)
    assert [clip.name for clip in job.clips] == ["a.mp4", "reference.jpg"]
    assert job.reference is None
    spool.close()


def test_the_settings_may_make_the_choice(folders):
    dropped(folders, "a.mp4", "reference.jpg", options="")
    spool, job = claimed(folders, options=RenderOptions(face="reference"))
    assert job.reference_name == "reference.jpg"
    spool.close()


@pytest.mark.parametrize(
    ("clips", "said"),
    [
        (("a.mp4",), "0 reference pictures"),
        (("a.mp4", "reference.jpg", "reference.png"), "2 reference pictures"),
        (("reference.jpg",), "no video beside reference.jpg"),
        (("a.mp4", "reference.mp4"), "0 reference pictures"),
    ],
)
def test_without_one_picture_and_a_clip_the_folder_is_no_job(folders, clips, said):
    dropped(folders, *clips)
    spool = opened(folders)
    spool.ready(0.0)
    spool.ready(1.0)
    with pytest.raises(JobLayoutError, match=said):
        spool.claim("talk")
    spool.close()


def test_an_empty_picture_stops_the_job_by_name(folders):
    dropped(folders, "a.mp4", "reference.jpg")
    (folders.inbox / "talk" / "reference.jpg").write_bytes(b"")
    spool, job = claimed(folders)
    with pytest.raises(PortraitError, match="the file is empty"):
        spool.stage_sound(job)
    spool.close()


def test_after_a_restart_the_job_still_knows_its_picture(folders):
    dropped(folders, "a.mp4", "reference.jpg")
    spool, job = claimed(folders)
    spool.stage_sound(job)
    spool.close()
    again = opened(folders)
    (same,) = again.jobs()
    assert same.reference_name == "reference.jpg"
    assert same.reference.is_file()
    again.close()
