"""The path of one video, with real ffmpeg and models that say what they were asked."""

import weakref
from dataclasses import replace
from fractions import Fraction

import lavfi
import numpy as np
import pytest
from stage_fakes import FixedFace, Painter

from heygemd.errors import NoFaceError, QualityError, TransientError
from heygemd.faces.kept import TrackCache
from heygemd.hearing import hear
from heygemd.media import tool
from heygemd.media.audio import outline, read_waveform
from heygemd.media.limits import Limits
from heygemd.models import Models
from heygemd.planes import excerpt
from heygemd.records import Clip, EncodeOptions, Patch, RenderOptions
from heygemd.render import ClipTask, render_clip
from heygemd.studio import Studio


@pytest.fixture(scope="module")
def studio():
    lossless = EncodeOptions(codec="libx264", quality=0, preset="ultrafast")
    return Studio(tool.find_ffmpeg(), Limits(), lossless, batch=7)


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """A clip of 25 frames and a voice that is worth 40."""
    folder = tmp_path_factory.mktemp("media")
    lavfi.film(folder / "clip.mp4", n_frames=25)
    lavfi.tone(folder / "voice.wav", seconds=1.6)
    return folder


def task_of(media, studio, lips, out, *, progress=None, stopped=None, **options):
    options = RenderOptions(**options)
    clip = Clip("0001", "clip.mp4", "clip", media / "clip.mp4")
    heard = hear(media / "voice.wav", options, Models(FixedFace(), lips), studio)
    task = ClipTask(clip, heard, out / "out.mp4", options)
    return replace(task, progress=progress or task.progress, stopped=stopped or task.stopped)


def pixels(path, n_frames):
    raw = lavfi.raw_frames(path, pixel_format="gray")
    return np.frombuffer(raw, np.uint8).reshape(n_frames, 120, 160)


def test_every_output_frame_is_spoken_once_in_order(media, studio, tmp_path):
    lips = Painter()
    render_clip(task_of(media, studio, lips, tmp_path), Models(FixedFace(), lips), studio)
    assert [n for span in lips.spans for n in span] == list(range(40))


class Surveyor(Painter):
    """Remembers where in memory frames lay."""

    def __init__(self):
        super().__init__()
        self.places = set()

    def speak(self, frames, plan, span):
        self.places.add(frames.packed.ctypes.data)
        return super().speak(frames, plan, span)


def test_five_batches_in_memory_are_enough_for_a_whole_clip(media, studio, tmp_path):
    lips = Surveyor()  # one is read, one drawn on, one written; one waits before and one behind it
    render_clip(task_of(media, studio, lips, tmp_path), Models(FixedFace(), lips), studio)
    assert len(lips.spans) == 10
    assert len(lips.places) <= 5


class Watcher(Painter):
    """Remembers whether the points that it studied were still held when it spoke."""

    def study(self, clip, track, voice):
        self.points, self.held = weakref.ref(track.points), []
        return voice

    def speak(self, frames, plan, span):
        self.held.append(self.points() is not None)
        return super().speak(frames, plan, span)


def test_points_of_faces_are_let_go_before_frames_are_drawn(media, studio, tmp_path):
    lips = Watcher()
    models = Models(FixedFace(has_points=True), lips)
    render_clip(task_of(media, studio, lips, tmp_path), models, studio)
    assert not any(lips.held)
    assert lips.held


def test_a_patch_is_in_the_output_and_the_rest_is_the_source_forth_and_back(
    media, studio, tmp_path
):
    lips = Painter()
    task = task_of(media, studio, lips, tmp_path)
    render_clip(task, Models(FixedFace(), lips), studio)
    source, out = pixels(media / "clip.mp4", 25), pixels(task.out, 40)
    assert (out[:, 55:85, 65:95] > 230).all()
    # BGR has no room for the test picture's wildest colours: near, not equal.
    away = np.abs(out[:, None, :48].astype(int) - source[None, :, :48]).mean(axis=(2, 3))
    assert away.argmin(axis=1).tolist() == [*range(25), *range(23, 8, -1)]
    assert away.min(axis=1).max() < 1.0


def test_the_result_says_what_was_done(media, studio, tmp_path):
    lips = Painter()
    result = render_clip(task_of(media, studio, lips, tmp_path), Models(FixedFace(), lips), studio)
    assert (result.outcome, result.n_frames, result.duration_s) == ("ok", 40, Fraction(8, 5))
    assert (result.coverage, result.gaps, result.notes["n_source_frames"]) == (1.0, (), 25)
    assert {"probe", "faces", "study", "decode", "lips", "render", "verify", "total"} == set(
        result.timings_s
    )
    assert result.pictures.sheet.startswith(b"\xff\xd8")


def test_source_frames_are_looked_at_once_however_long_the_voice_is(media, studio, tmp_path):
    lips, detector = Painter(), FixedFace()
    render_clip(task_of(media, studio, lips, tmp_path), Models(detector, lips), studio)
    assert detector.n_seen == 25


def test_a_clip_without_a_face_says_where_none_was_seen(media, studio, tmp_path):
    lips = Painter()
    with pytest.raises(NoFaceError, match="0 of 25 frames"):
        render_clip(
            task_of(media, studio, lips, tmp_path), Models(FixedFace(sees=False), lips), studio
        )
    assert lips.studied == []


class Darkener(Painter):
    """Paints all of frames 10 to 29 black."""

    def speak(self, frames, plan, span):
        black, whole = np.zeros((120, 160, 3), np.uint8), np.ones((120, 160), np.float32)
        return [Patch(0, 0, black, whole) if 10 <= n < 30 else None for n in span]


class Freezer(Painter):
    """Paints the frame that it saw first over all others."""

    first = None

    def speak(self, frames, plan, span):
        self.first = frames[0][:, :] if self.first is None else self.first
        return [Patch(0, 0, self.first, np.ones((120, 160), np.float32)) for _ in span]


@pytest.mark.parametrize(
    ("lips", "where"),
    [(Darkener(), "black from frame 10 to 28"), (Freezer(), "frozen from frame 0 to 38")],
)
def test_an_output_that_is_black_or_frozen_where_the_clip_is_not_is_held_back(
    media, studio, tmp_path, lips, where
):
    with pytest.raises(QualityError, match=where) as caught:
        render_clip(task_of(media, studio, lips, tmp_path), Models(FixedFace(), lips), studio)
    assert caught.value.reason == f"{where.split()[0]}_output"


def test_trim_stops_at_the_end_of_the_clip(media, studio, tmp_path):
    lips = Painter()
    task = task_of(media, studio, lips, tmp_path, length="trim")
    assert render_clip(task, Models(FixedFace(), lips), studio).n_frames == 25


def test_progress_is_told_stage_by_stage_up_to_the_last_frame(media, studio, tmp_path):
    lips, told = Painter(), []
    task = task_of(media, studio, lips, tmp_path, progress=lambda *step: told.append(step))
    render_clip(task, Models(FixedFace(), lips), studio)
    assert [stage for stage, *_ in told] == sorted(stage for stage, *_ in told)
    assert ("faces", 25, 25) in told
    assert ("render", 40, 40) in told
    assert told[-1] == ("verify", 40, 40)


@pytest.mark.parametrize(("stage", "n_frames"), [("faces", FixedFace.wants_frames), ("render", 4)])
def test_a_stop_is_heeded_within_a_batch(media, studio, tmp_path, stage, n_frames):
    lips, told = Painter(), []
    task = task_of(
        media,
        studio,
        lips,
        tmp_path,
        progress=lambda *step: told.append(step),
        stopped=lambda: any(name == stage for name, *_ in told),
    )
    with pytest.raises(TransientError) as caught:
        render_clip(task, Models(FixedFace(), lips), studio)
    assert caught.value.reason == "stopped"
    assert told[-1][:2] == (stage, n_frames)


def test_what_a_model_raises_in_its_thread_comes_out_as_it_is(media, studio, tmp_path):
    lips = Painter(error=TransientError("the device is busy", code="busy"))
    with pytest.raises(TransientError, match="the device is busy"):
        render_clip(task_of(media, studio, lips, tmp_path), Models(FixedFace(), lips), studio)


@pytest.mark.parametrize(("offset_ms", "shift"), [(40.0, 640), (-40.0, -640), (0.0, 0)])
def test_an_offset_moves_what_the_model_hears_and_not_what_people_hear(
    media, studio, offset_ms, shift
):
    lips = Painter()
    options, models = RenderOptions(sync_offset_ms=offset_ms), Models(FixedFace(), lips)
    heard = hear(media / "voice.wav", options, models, studio)
    plain = read_waveform(studio.tool, media / "voice.wav", studio.limits)
    assert np.array_equal(heard.outline.samples, outline(plain).samples)
    (moved,) = lips.heard
    assert len(moved.samples) == len(plain.samples)
    assert moved.rate_hz == plain.rate_hz == 16000
    there = slice(max(0, shift), len(plain.samples) + min(0, shift))
    before = slice(max(0, -shift), len(plain.samples) - max(0, shift))
    assert np.array_equal(moved.samples[there], plain.samples[before])


@pytest.mark.timeout(60)  # two whole clips, each with half a dozen children
def test_a_second_voice_on_the_same_clip_detects_nothing_and_gives_the_same(
    media, studio, tmp_path
):
    cached = replace(studio, tracks=TrackCache(tmp_path / "tracks", 10**7))
    detector, lips = FixedFace(), Painter()
    outs = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        task = task_of(media, studio, lips, tmp_path / name)
        task = replace(task, clip=replace(task.clip, sha256="ab" * 32))
        render_clip(task, Models(detector, lips), cached)
        outs.append(task.out.read_bytes())

    assert detector.n_seen == 25
    assert outs[0] == outs[1]


class Keeper(Painter):
    """Keeps the corner of every tenth frame, and remembers what it had at hand when it studied."""

    def __init__(self):
        super().__init__()
        self.kept, self.at_hand = {}, []

    def collector(self):
        return self

    def see(self, at, frame, points):
        if at % 10 == 0:
            self.kept[at] = excerpt(frame, points[:1, :2] * 0, 9)

    def excerpts(self):
        return dict(self.kept)

    def study(self, clip, track, voice):
        self.at_hand.append({at: held[:6, :6] for at, held in clip.excerpts.items()})
        return super().study(clip, track, voice)


@pytest.mark.timeout(60)  # two whole clips, each with half a dozen children
def test_what_a_model_set_aside_is_at_hand_when_it_studies_and_for_the_next_voice(
    media, studio, tmp_path
):
    cached = replace(studio, tracks=TrackCache(tmp_path / "tracks", 10**7))
    lips = Keeper()
    for _ in range(2):
        task = task_of(media, studio, lips, tmp_path)
        task = replace(task, clip=replace(task.clip, sha256="ab" * 32))
        render_clip(task, Models(FixedFace(has_points=True), lips), cached)
        lips.kept.clear()

    first, second = lips.at_hand
    assert list(first) == list(second) == [0, 10, 20]
    assert all(np.array_equal(first[at], second[at]) for at in first)


@pytest.mark.timeout(60)  # two whole clips, each with half a dozen children
def test_the_same_clip_with_another_choice_of_face_is_looked_at_anew(media, studio, tmp_path):
    cached = replace(studio, tracks=TrackCache(tmp_path / "tracks", 10**7))
    detector, lips = FixedFace(), Painter()
    for choice in ("largest", "left"):
        task = task_of(media, studio, lips, tmp_path, face=choice)
        task = replace(task, clip=replace(task.clip, sha256="ab" * 32))
        render_clip(task, Models(detector, lips), cached)

    assert detector.n_seen == 50
