"""Decoding on a GPU is tried before it is used, and its faults are never the clip's."""

from dataclasses import replace
from pathlib import Path

import lavfi
import numpy as np
import pytest

from heygemd.errors import DependencyError, MediaError, TransientError
from heygemd.media.decode import VideoReader
from heygemd.media.filters import decode_args
from heygemd.media.hwaccel import blamed_on_gpu, try_hwaccel
from heygemd.media.limits import Limits
from heygemd.media.probe import probe
from heygemd.media.tool import Ffmpeg, find_ffmpeg

HAS_NVDEC = Path("/proc/driver/nvidia/version").exists()


@pytest.fixture(scope="module")
def tool():
    return find_ffmpeg()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    lavfi.film(path, n_frames=10)
    return path


def speaking(tmp_path, says):
    """A program in ffmpeg's place that says something and fails."""
    path = tmp_path / "ffmpeg"
    path.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit 1\n")
    path.chmod(0o755)
    return path


def test_what_decodes_is_part_of_what_tracks_are_kept_by(tool):
    assert tool.decoder == tool.version
    assert replace(tool, hwaccel="cuda").decoder == f"{tool.version} cuda"


def test_the_gpu_is_asked_for_only_where_the_settings_say_so(clip):
    info = probe(clip, Limits())
    assert "-hwaccel" not in decode_args(clip, info, Limits())
    args = decode_args(clip, info, Limits(), hwaccel="cuda")
    assert args[args.index("-hwaccel") + 1] == "cuda"
    assert args.index("-hwaccel") < args.index("-i")


@pytest.mark.skipif(HAS_NVDEC, reason="there is an NVIDIA driver here")
def test_without_a_gpu_the_start_says_what_is_missing(tool):
    with pytest.raises(DependencyError, match=r"hwaccel = cuda does not work here: CUDA: .*none"):
        try_hwaccel(replace(tool, hwaccel="cuda"))


@pytest.mark.skipif(HAS_NVDEC, reason="there is an NVIDIA driver here")
def test_a_gpu_that_goes_away_is_no_fault_of_the_clip(tool, clip):
    reader = VideoReader(replace(tool, hwaccel="cuda"), clip, probe(clip, Limits()))
    with pytest.raises(TransientError) as lost:
        list(reader.read_all(4))
    assert lost.value.reason == "gpu_decoder"
    assert "media.hwaccel" in str(lost.value)


def test_a_broken_clip_is_the_clips_fault_whatever_decodes(tmp_path, clip):
    broken = Ffmpeg(speaking(tmp_path, "Invalid data found when processing input"), "1", "cuda")
    with pytest.raises(MediaError, match="Invalid data"):
        list(VideoReader(broken, clip, probe(clip, Limits())).read_all(4))


def test_what_the_processor_decodes_is_never_blamed_on_a_gpu():
    with pytest.raises(MediaError, match="cuda"), blamed_on_gpu(""):
        raise MediaError("a clip about cuda")


@pytest.mark.skipif(not HAS_NVDEC, reason="no NVIDIA driver here")
def test_the_gpu_decodes_the_same_frames(tool, clip):
    info = probe(clip, Limits())
    on_gpu = replace(tool, hwaccel="cuda")
    try_hwaccel(on_gpu)
    ours, theirs = (
        np.concatenate([batch.packed for batch in VideoReader(which, clip, info).read_all(4)])
        for which in (tool, on_gpu)
    )
    assert np.array_equal(ours, theirs)
