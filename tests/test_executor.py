"""A clip's own errors become its result; everything else ends the work."""

import lavfi
import pytest
from stage_fakes import FixedFace, Painter

from heygemd.errors import GpuLostError, MediaError, TransientError
from heygemd.executor import LocalExecutor
from heygemd.hearing import hear
from heygemd.media import tool
from heygemd.media.limits import Limits
from heygemd.models import Models
from heygemd.records import Clip, EncodeOptions, RenderOptions
from heygemd.render import ClipTask
from heygemd.studio import Studio


@pytest.fixture(scope="module")
def studio():
    return Studio(tool.find_ffmpeg(), Limits(), EncodeOptions(preset="ultrafast"))


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    lavfi.film(folder / "good.mp4", n_frames=10)
    (folder / "bad.mp4").write_bytes(b"no video at all, only words, and a few more of them")
    lavfi.tone(folder / "voice.wav", seconds=0.4)
    return folder


@pytest.fixture
def prepare(media, studio, tmp_path):
    heard = hear(media / "voice.wav", RenderOptions(), Models(FixedFace(), Painter()), studio)
    return lambda clip: ClipTask(clip, heard, tmp_path / f"{clip.id}.mp4", RenderOptions())


def clips(media, *names):
    return [Clip(f"{n:04d}", name, name[:-4], media / name) for n, name in enumerate(names, 1)]


def test_a_bad_clip_is_a_failed_result_and_its_siblings_are_whole(media, studio, prepare):
    executor = LocalExecutor(Models(FixedFace(), Painter()), studio)
    results = list(executor.render(clips(media, "good.mp4", "bad.mp4", "good.mp4"), prepare))
    assert [result.outcome for result in results] == ["ok", "failed", "ok"]
    assert results[1].code == "unsupported_container"
    assert "want mp4" in results[1].message
    assert results[1].timings_s["total"] > 0


def test_an_error_while_a_clip_is_prepared_is_the_clips_own(media, studio):
    def prepare(clip):
        raise MediaError(f"{clip.name} cannot be read", code="permission")

    executor = LocalExecutor(Models(FixedFace(), Painter()), studio)
    (result,) = executor.render(clips(media, "good.mp4"), prepare)
    assert (result.outcome, result.code) == ("failed", "permission")


@pytest.mark.parametrize("error", [GpuLostError("gone"), TransientError("busy"), KeyError("bug")])
def test_what_is_not_the_clips_fault_goes_up(media, studio, prepare, error):
    executor = LocalExecutor(Models(FixedFace(), Painter(error)), studio)
    with pytest.raises(type(error)):
        list(executor.render(clips(media, "good.mp4"), prepare))


def test_clips_are_rendered_as_they_are_asked_for(media, studio, prepare):
    prepared = []

    def counting(clip):
        prepared.append(clip.id)
        return prepare(clip)

    executor = LocalExecutor(Models(FixedFace(), Painter()), studio)
    results = executor.render(clips(media, "good.mp4", "good.mp4"), counting)
    next(results)
    results.close()
    assert prepared == ["0001"]
