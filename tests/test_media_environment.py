"""Children see nothing of ours but GPUs, and are told where frames shall lie."""

import pytest

from heygemd.media.environment import child_environment

THRESHOLD = "MALLOC_MMAP_THRESHOLD_"
MOST = 32 << 20  # more is refused by glibc, which then heeds none


def test_only_which_gpus_may_be_used_is_passed_on(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", "1")
    seen = child_environment()

    assert seen["NVIDIA_VISIBLE_DEVICES"] == "1"
    assert "SECRET_TOKEN" not in seen


@pytest.mark.parametrize(
    "frame_bytes", [None, 64 * 64 * 3 // 2, 1920 * 1080 * 3 // 2, MOST, 2 * MOST]
)
def test_glibc_takes_the_threshold(frame_bytes):
    assert 0 < int(child_environment(frame_bytes)[THRESHOLD]) <= MOST


@pytest.mark.parametrize("size", [(640, 360), (1280, 720), (1920, 1080), (3840, 2160)])
def test_a_frame_stays_in_the_heap_and_what_is_larger_gets_pages_of_its_own(size):
    frame_bytes = size[0] * size[1] * 3 // 2
    padding = 64 + 64  # what ffmpeg adds behind a packet, and before it to align

    assert frame_bytes + padding < int(child_environment(frame_bytes)[THRESHOLD]) < 2 * frame_bytes
