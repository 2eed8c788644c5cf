"""What policies do to the frames of one clip: silence, length, restoration, what is left alone."""

from dataclasses import replace

import lavfi
import numpy as np
import pytest
from stage_fakes import FixedFace, Painter

from heygemd.errors import PortraitError, QualityError
from heygemd.hearing import hear, meet
from heygemd.lips.passthrough import Passthrough
from heygemd.media.audio import outline
from heygemd.media.limits import Limits
from heygemd.media.tool import find_ffmpeg
from heygemd.models import Models
from heygemd.quality import SyncScore
from heygemd.records import Clip, EncodeOptions, Patch, RenderOptions
from heygemd.render import ClipTask, render_clip
from heygemd.studio import Studio
from heygemd.witness import JudgedVoice

pytestmark = pytest.mark.timeout(120)  # each film is encoded, on a busy machine


class Dimmer:
    """A restorer that darkens what the lip model has painted, and remembers that and its shares."""

    def __init__(self):
        self.shares = []
        self.painted = []

    def restore(self, frames, points, shares):
        assert np.isfinite(points).all()
        self.painted += frames.bgr()[:, 60, 70].min(axis=1).tolist()
        self.shares += shares.tolist()
        dark = np.zeros((20, 20, 3), np.uint8)
        return [Patch(60, 50, dark, np.full((20, 20), share, np.float32)) for share in shares]


@pytest.fixture(scope="module")
def studio():
    return Studio(find_ffmpeg(), Limits(), EncodeOptions(preset="ultrafast"))


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """One second of voice, one of noise too faint to be speech, one of voice; and a dark clip."""
    folder = tmp_path_factory.mktemp("render")
    parts = "[0][1][2]concat=n=3:v=0:a=1"
    voice = "anoisesrc=d=1:c=pink:a=0.4:r=16000:s=1"
    faint = "anoisesrc=d=1:c=pink:a=0.002:r=16000:s=2"
    lavfi.make(folder / "voice.wav", *(word for source in (voice, faint, voice)
               for word in ("-f", "lavfi", "-i", source)), "-filter_complex", parts)  # fmt: skip
    lavfi.make(folder / "clip.mp4", "-f", "lavfi", "-i", "color=0x203040:s=160x120:r=25:d=1.2",
               *lavfi.X264)  # fmt: skip
    return folder


class Judge:
    """A scorer that finds every clip as good as it is told."""

    def __init__(self, confidence):
        self.confidence = confidence

    def score(self, crops, mel, *, fps):
        agreement = np.full(int(len(crops) / fps * 25), 0.5, np.float32)
        return SyncScore(40.0, self.confidence, np.zeros(61, np.float32), 75, agreement)


def rendered(studio, media, out, restorer=None, *, lips=None, scorer=None, **options):
    """(result, brightness of the painted face in every frame)."""
    chosen = RenderOptions(min_coverage=0.0, **options)
    models = Models(FixedFace(has_points=True), lips or Painter(), restorer=restorer, scorer=scorer)
    heard = hear(media / "voice.wav", chosen, replace(models, scorer=None), studio)
    if scorer is not None:
        heard = replace(heard, judged=JudgedVoice(np.zeros((80, 240), np.float32)))
    clip = Clip("0001", "clip.mp4", "clip", media / "clip.mp4")
    result = render_clip(ClipTask(clip, heard, out / "out.mp4", chosen), models, studio)
    frames = np.frombuffer(lavfi.raw_frames(out / "out.mp4"), np.uint8).reshape(-1, 120, 160, 3)
    return result, frames[:, 55:85, 65:95].mean(axis=(1, 2, 3)), heard


def test_by_default_the_model_hears_nothing_at_all_in_a_silence(studio, media, tmp_path):
    result, face, heard = rendered(studio, media, tmp_path)
    assert not heard.voice.samples[int(1.2 * 16000) : int(1.8 * 16000)].any()
    assert heard.outline.samples[int(1.2 * 800) : int(1.8 * 800)].any()
    assert result.silences == ((25, 49),)
    assert (face > 200).all()


def test_the_source_mouth_returns_in_a_silence_with_a_cross_fade(studio, media, tmp_path):
    result, face, _ = rendered(studio, media, tmp_path, silence="source")
    assert result.silences == ((25, 49),)
    assert (face[:25] > 200).all()
    assert (face[50:] > 200).all()
    assert (face[33:42] < 80).all()
    assert np.abs(np.diff(face)).max() < 90  # of 200: no jump
    assert ((face > 90) & (face < 190)).sum() >= 4


def test_where_the_model_decides_it_hears_the_noise_too(studio, media, tmp_path):
    result, face, heard = rendered(studio, media, tmp_path, silence="model")
    assert np.array_equal(outline(heard.voice).samples, heard.outline.samples)
    assert result.silences == ()
    assert (face > 200).all()


def test_pauses_shorter_than_asked_for_belong_to_speech(studio, media, tmp_path):
    result, face, _ = rendered(studio, media, tmp_path, silence="source", silence_s=1.5)
    assert result.silences == ()
    assert (face > 200).all()


def test_lips_that_come_later_are_silent_later(studio, media, tmp_path):
    result, _, _ = rendered(studio, media, tmp_path, silence="source", sync_offset_ms=200)
    assert result.silences == ((30, 54),)


def test_the_record_says_how_the_clip_was_laid_under_the_sound(studio, media, tmp_path):
    result, _, _ = rendered(studio, media, tmp_path)
    assert result.runs == ((0, 29, 0, 29), (30, 58, 28, 0), (59, 74, 1, 16))


def test_faces_are_restored_after_the_lips_have_moved_by_the_share_asked_for(
    studio, media, tmp_path
):
    restorer = Dimmer()
    _, face, _ = rendered(studio, media, tmp_path, restorer, restore=0.5)
    assert restorer.shares == [0.5] * 75
    assert min(restorer.painted) > 200  # before it is restored
    assert (face < 230).all()


def test_a_restored_face_goes_where_the_lips_go_in_a_silence(studio, media, tmp_path):
    restorer = Dimmer()
    rendered(studio, media, tmp_path, restorer, restore=1.0, silence="source")
    assert (restorer.shares[10], restorer.shares[37]) == (1, 0)
    assert restorer.painted[10] > 200
    assert restorer.painted[37] < 80


def test_a_job_may_ask_for_no_restoration(studio, media, tmp_path):
    restorer = Dimmer()
    rendered(studio, media, tmp_path, restorer, restore=0.0)
    assert restorer.shares == []


class Shy(Painter):
    """Leaves the mouth alone from output frame 10 to 19."""

    def speak(self, frames, plan, span):
        patches = super().speak(frames, plan, span)
        return [None if 10 <= at < 20 else patch for at, patch in zip(span, patches, strict=True)]


def test_frames_whose_mouth_was_left_alone_are_told(studio, media, tmp_path):
    result, _, _ = rendered(studio, media, tmp_path, lips=Shy())
    assert result.untouched == ((10, 19),)
    (notice,) = (each for each in result.warnings if each.code == "frames_untouched")
    assert notice.values == {"n_untouched": 10, "n_frames": 75}


class Hesitant(Painter):
    """Does half of what the voice asks from output frame 10 to 19, elsewhere nearly all of it."""

    def speak(self, frames, plan, span):
        patches = super().speak(frames, plan, span)
        return [
            replace(patch, share=0.5 if 10 <= at < 20 else 0.97)
            for at, patch in zip(span, patches, strict=True)
        ]


def test_frames_whose_mouth_moves_in_part_are_told(studio, media, tmp_path):
    result, _, _ = rendered(studio, media, tmp_path, lips=Hesitant())
    assert (result.partly, result.untouched) == (((10, 19),), ())
    (notice,) = (each for each in result.warnings if each.code == "frames_partly")
    assert notice.values == {"n_partly": 10, "n_frames": 75}


def test_a_model_that_changes_nothing_on_purpose_leaves_nothing_alone(studio, media, tmp_path):
    result, _, _ = rendered(studio, media, tmp_path, lips=Passthrough())
    assert result.untouched == result.partly == ()
    assert [each.code for each in result.warnings] == []


def test_the_person_in_the_reference_picture_is_met_once(studio, tmp_path):
    lavfi.film(tmp_path / "picture.png", n_frames=1, codec=("-f", "image2"))
    models = Models(FixedFace(has_points=True), Painter())
    look = meet(tmp_path / "picture.png", models, studio)
    assert np.isfinite(look).all()


def test_a_reference_picture_without_a_face_is_refused(studio, tmp_path):
    lavfi.film(tmp_path / "picture.png", n_frames=1, codec=("-f", "image2"))
    models = Models(FixedFace(sees=False, has_points=True), Painter())
    with pytest.raises(PortraitError, match="shows no face"):
        meet(tmp_path / "picture.png", models, studio)


def test_a_reference_picture_that_is_none_is_refused(studio, tmp_path):
    (tmp_path / "picture.png").write_bytes(b"not a picture at all")
    with pytest.raises(PortraitError, match="cannot be read"):
        meet(tmp_path / "picture.png", Models(FixedFace(), Painter()), studio)


def test_a_detector_without_meshes_cannot_know_a_person(studio, tmp_path):
    lavfi.film(tmp_path / "picture.png", n_frames=1, codec=("-f", "image2"))
    with pytest.raises(PortraitError, match="mediapipe"):
        meet(tmp_path / "picture.png", Models(FixedFace(), Painter()), studio)


def test_the_sync_score_of_every_clip_is_recorded_and_drawn(studio, media, tmp_path):
    result, _, _ = rendered(studio, media, tmp_path, scorer=Judge(0.25))
    assert (result.sync.offset_ms, result.sync.confidence) == (40.0, 0.25)
    assert result.warnings == ()
    assert 'class="sync"' in result.pictures.wave


def test_without_a_scorer_nothing_is_said_of_sync(studio, media, tmp_path):
    result, _, _ = rendered(studio, media, tmp_path)
    assert result.sync is None
    assert 'class="sync"' not in result.pictures.wave


def test_a_clip_that_scores_too_little_is_published_with_a_warning(studio, media, tmp_path):
    result, _, _ = rendered(studio, media, tmp_path, scorer=Judge(0.05), min_sync=0.1)
    (notice,) = result.warnings
    assert notice.code == "low_sync"
    assert notice.values == {"confidence": 0.05, "min_sync": 0.1}


def test_or_it_is_held_back_where_the_job_says_so(studio, media, tmp_path):
    with pytest.raises(QualityError, match=r"0\.05, want 0\.10") as caught:
        rendered(studio, media, tmp_path, scorer=Judge(0.05), min_sync=0.1, below_min_sync="hold")
    assert caught.value.reason == "low_sync"
