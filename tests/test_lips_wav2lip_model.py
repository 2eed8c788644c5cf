"""Wav2Lip as a lip model: the published pictures bit for bit, or soft and upright ones."""

import hashlib
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from heygemd.errors import AudioError, ConfigError, GpuLostError, ModelError, OutOfMemoryError
from heygemd.lips.wav2lip import network as networks
from heygemd.lips.wav2lip.model import Wav2LipModel, Wav2LipVoice, network_input
from heygemd.nets.wav2lip import FIRST_SHOWN
from heygemd.records import FaceTrack, Timeline, VideoInfo, Waveform


class Reader:
    """A clip in memory, for a model that asks for nothing but its facts."""

    def __init__(self, frames, source=None, fps=Fraction(25)):
        n_frames, height_px, width_px, _ = frames.shape
        self.info = VideoInfo(width_px, height_px, fps, n_frames, n_frames / fps)
        self.timeline = Timeline(np.arange(n_frames) if source is None else source, fps)


class Copycat(nn.Module):
    """A network that gives back the face it was shown whole."""

    def forward(self, _mel, faces):
        return faces[:, 3:]


def track_of(boxes, points=None, cuts=()):
    boxes = np.array(boxes, dtype=np.float32)
    return FaceTrack(boxes, points, np.isfinite(boxes[:, 0]), cuts)


def lay(frame, patch):
    """Blend a patch into a frame, in place."""
    height, width = patch.alpha.shape
    area = frame[patch.y_px : patch.y_px + height, patch.x_px : patch.x_px + width]
    assert area.shape[:2] == (height, width), "a patch outside its frame"
    mixed = area + (patch.pixels - area.astype(np.float32)) * patch.alpha[..., None]
    area[:] = np.rint(mixed).astype(np.uint8)


@pytest.fixture(scope="module")
def compatible(checkpoint):
    return Wav2LipModel(checkpoint, device="cpu", batch=8, compat="wav2lip")


@pytest.fixture(scope="module")
def plain(checkpoint):
    return Wav2LipModel(checkpoint, device="cpu", batch=8)


@pytest.fixture
def copycat(plain):
    """The plain model around a network that changes nothing."""
    speaking, plain.network = plain.network, Copycat()
    yield plain
    plain.network = speaking


@pytest.fixture
def voice():
    mel = np.random.default_rng(2).uniform(-4, 4, (80, 100)).astype(np.float32)
    return Wav2LipVoice(mel, 0.0)


def literal_smooth(boxes, window_frames=5):
    boxes = boxes.copy()
    for i in range(len(boxes)):
        if i + window_frames > len(boxes):
            window = boxes[len(boxes) - window_frames :]
        else:
            window = boxes[i : i + window_frames]
        boxes[i] = np.mean(window, axis=0)
    return boxes


def literal_boxes(detections, height, width):
    """get_smoothened_boxes(...) over padded integer boxes, as face_detect(...) makes them."""
    results = []
    for detection in np.clip(np.array(detections, dtype=np.float32), 0, None):
        x1, y1, x2, y2 = map(int, detection)
        results.append([max(0, x1 - 0), max(0, y1 - 0), min(width, x2 + 0), min(height, y2 + 10)])
    return literal_smooth(np.array(results))


def literal_inference(frames, detections, mel, network, *, fps, batch):
    """Every composed frame of the published inference, in the order it writes them."""
    chunks, i, multiplier = [], 0, 80.0 / fps
    while True:
        start = int(i * multiplier)
        if start + 16 > len(mel[0]):
            chunks.append(mel[:, len(mel[0]) - 16 :])
            break
        chunks.append(mel[:, start : start + 16])
        i += 1
    frames = frames[: len(chunks)]
    boxes = literal_boxes(detections[: len(chunks)], *frames[0].shape[:2])
    composed = []
    for first in range(0, len(chunks), batch):
        faces, mels, places = [], [], []
        for k in range(first, min(first + batch, len(chunks))):
            idx = k % len(frames)
            x1, y1, x2, y2 = boxes[idx]
            faces.append(cv2.resize(frames[idx][y1:y2, x1:x2], (96, 96)))
            mels.append(chunks[k])
            places.append((idx, x1, y1, x2, y2))
        whole, mel_batch = np.asarray(faces), np.asarray(mels)
        masked = whole.copy()
        masked[:, 96 // 2 :] = 0
        image_batch = np.concatenate((masked, whole), axis=3) / 255.0
        mel_batch = np.reshape(mel_batch, [len(mel_batch), *mel_batch.shape[1:], 1])
        with torch.no_grad():
            predicted = network(
                torch.FloatTensor(np.transpose(mel_batch, (0, 3, 1, 2))),
                torch.FloatTensor(np.transpose(image_batch, (0, 3, 1, 2))),
            )
        predicted = predicted.cpu().numpy().transpose(0, 2, 3, 1) * 255.0
        for face, (idx, x1, y1, x2, y2) in zip(predicted, places, strict=True):
            frame = frames[idx].copy()
            frame[y1:y2, x1:x2] = cv2.resize(face.astype(np.uint8), (x2 - x1, y2 - y1))
            composed.append(frame)
    return composed


@pytest.fixture(scope="module")
def clip():
    """Nine frames of moving texture, and detections that wander over an edge of the picture."""
    rng = np.random.default_rng(5)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8), (0, 0), 2)
    frames = np.stack([texture[i : i + 180, 2 * i : 2 * i + 240] for i in range(0, 18, 2)])
    drift = np.linspace(0, 70, 9)[:, None] * [1, 0.5, 1, 0.5]
    boxes = np.array([-6.3, 30.7, 120.4, 160.2]) + drift + rng.normal(0, 2, (9, 4))
    return frames, boxes.astype(np.float32)


# Fewer windows than frames, and more: the clip starts over.
@pytest.mark.timeout(120)  # the network twice, layer by layer in single precision
@pytest.mark.parametrize("n_columns", [30, 49])
def test_composed_frames_are_those_of_the_published_inference_bit_for_bit(
    compatible, clip, n_columns
):
    frames, boxes = clip
    mel = np.random.default_rng(2).uniform(-4, 4, (80, n_columns)).astype(np.float32)
    expected = literal_inference(list(frames), boxes, mel, compatible.network, fps=25.0, batch=4)

    source = np.arange(len(expected)) % len(frames)
    plan = compatible.study(Reader(frames, source), track_of(boxes), Wav2LipVoice(mel, 0.0))
    made = []
    for first in range(0, len(expected), 4):
        span = range(first, min(first + 4, len(expected)))
        batch = frames[source[span]].copy()
        for frame, patch in zip(batch, compatible.speak(batch, plan, span), strict=True):
            assert (patch.alpha == 1).all()
            lay(frame, patch)
        made.extend(batch)

    assert len(made) == len(expected)
    for ours, theirs in zip(made, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_random_network_draws_busy_pictures(compatible, clip, voice):
    frames, boxes = clip
    plan = compatible.study(Reader(frames), track_of(boxes), voice)
    patches = compatible.speak(frames[:2], plan, range(2))

    assert patches[0].pixels.std() > 20
    assert patches[1].pixels.std() > 20


def test_the_plain_network_draws_what_is_shown_of_what_the_published_one_draws(plain, compatible):
    crops = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
    faces = torch.from_numpy(network_input(crops))
    mel = torch.zeros(2, 1, 80, 16)

    drawn, published = (
        networks.speak(network, mel, faces)[:, :, FIRST_SHOWN:]
        for network in (plain.network, compatible.network)
    )
    torch.testing.assert_close(drawn, published, atol=1e-4, rtol=0)


def test_the_network_sees_no_mouth_in_its_first_face_and_all_of_the_second():
    crops = np.random.default_rng(0).integers(1, 256, (2, 96, 96, 3), dtype=np.uint8)
    faces = network_input(crops)

    assert faces.dtype == np.float32
    assert (faces[:, :3, 48:] == 0).all()
    np.testing.assert_array_equal(faces[:, :3, :48], faces[:, 3:, :48])
    np.testing.assert_allclose(faces[:, 3:], crops.transpose(0, 3, 1, 2) / 255, atol=1e-7)


def test_a_model_knows_its_file_and_its_place(checkpoint, plain):
    assert plain.sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert plain.device == "cpu"
    assert plain.name == "wav2lip"
    assert not plain.wants_points


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "page.pth").write_bytes(b"<html>")

    with pytest.raises(ModelError, match="web page"):
        Wav2LipModel(tmp_path / "page.pth", device="cpu")


def test_the_device_is_chosen_before_the_file_is_read(tmp_path):
    with pytest.raises(ConfigError, match="want auto, cpu, cuda"):
        Wav2LipModel(tmp_path / "missing.pth", device="tpu")


def test_the_mel_is_computed_once_per_job_with_the_offset_of_the_job(plain):
    sound = Waveform(np.zeros(16_000, dtype=np.float32), 16_000)
    heard = plain.hear(sound, sync_offset_ms=-40.0)

    assert heard.mel.shape == (80, 81)
    assert heard.offset_ms == -40.0


def test_a_sound_with_samples_that_are_not_numbers_fails_the_job(plain):
    samples = np.zeros(16_000, dtype=np.float32)
    samples[7] = np.nan

    with pytest.raises(AudioError, match="not numbers"):
        plain.hear(Waveform(samples, 16_000))


@pytest.mark.parametrize("compat", ["none", "wav2lip"])
def test_every_output_frame_has_a_window_even_where_the_sound_has_ended(
    plain, compatible, clip, voice, compat
):
    frames, boxes = clip
    model = compatible if compat == "wav2lip" else plain
    source = np.arange(300) % len(frames)
    plan = model.study(Reader(frames, source), track_of(boxes), voice)

    assert len(plan.starts) == 300
    assert all(model.speak(frames[source[290:292]], plan, range(290, 292)))


def test_an_offset_moves_the_windows(plain, clip, voice):
    frames, boxes = clip
    later = Wav2LipVoice(voice.mel, 100.0)
    still_plan = plain.study(Reader(frames), track_of(boxes), voice)
    later_plan = plain.study(Reader(frames), track_of(boxes), later)

    np.testing.assert_array_equal(later_plan.starts, still_plan.starts - 8)


def test_frames_without_a_face_pass_through_and_the_others_do_not_notice(copycat, clip, voice):
    frames, boxes = clip
    gapped = boxes.copy()
    gapped[[0, 3]] = np.nan
    plan = copycat.study(Reader(frames), track_of(gapped), voice)
    patches = copycat.speak(frames[:6], plan, range(6))

    assert [patch is None for patch in patches] == [True, False, False, True, False, False]


def test_a_clip_without_any_face_needs_no_network(plain, clip, voice):
    frames, boxes = clip
    plan = plain.study(Reader(frames), track_of(np.full_like(boxes, np.nan)), voice)

    assert plain.speak(frames[:3], plan, range(3)) == [None] * 3


def test_frames_and_span_must_agree(plain, clip, voice):
    frames, boxes = clip
    plan = plain.study(Reader(frames), track_of(boxes), voice)

    with pytest.raises(ValueError, match="3 frames, want 2"):
        plain.speak(frames[:3], plan, range(2))


def test_output_frames_take_the_place_of_the_source_frame_behind_them(copycat, clip, voice):
    frames, boxes = clip
    source = np.array([4, 3, 2, 3])
    plan = copycat.study(Reader(frames, source), track_of(boxes), voice)
    patches = copycat.speak(frames[source], plan, range(4))

    assert patches[1].x_px == patches[3].x_px
    np.testing.assert_array_equal(patches[1].pixels, patches[3].pixels)
    assert patches[0].x_px > patches[2].x_px


def test_patches_do_not_depend_on_how_frames_are_batched(copycat, clip, voice):
    frames, boxes = clip
    plan = copycat.study(Reader(frames), track_of(boxes), voice)
    together = copycat.speak(frames[:4], plan, range(4))
    alone = [copycat.speak(frames[i : i + 1], plan, range(i, i + 1))[0] for i in range(4)]

    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        np.testing.assert_array_equal(one.alpha, other.alpha)


def test_a_network_that_changes_nothing_leaves_a_smooth_picture_as_it_was(copycat, voice):
    rows, columns = np.mgrid[0:240, 0:320]
    frame = np.stack([rows / 2 + 40, columns / 3 + 30, 200 - rows / 3], axis=2).astype(np.uint8)
    frames = np.repeat(frame[None], 3, axis=0)
    plan = copycat.study(Reader(frames), track_of([[80.3, 40.7, 230.2, 219.9]] * 3), voice)
    (patch,) = copycat.speak(frames[1:2], plan, range(1, 2))
    after = frame.copy()
    lay(after, patch)

    assert patch.alpha.max() > 0.99
    assert np.abs(after.astype(int) - frame).max() <= 2


def test_nothing_above_the_mouth_changes_and_the_border_of_a_patch_is_clear(plain, clip, voice):
    frames, _ = clip
    x1, y1, x2, y2 = box = (60, 30, 180, 160)
    plan = plain.study(Reader(frames), track_of([box] * len(frames)), voice)
    (patch,) = plain.speak(frames[:1], plan, range(1))
    frame = frames[0].copy()
    lay(frame, patch)

    rows, columns = np.nonzero((frame != frames[0]).any(axis=2))
    assert len(rows) > 1000
    assert rows.min() >= y1 + 0.45 * (y2 - y1)
    assert rows.max() <= y2 + 0.08 * (y2 - y1)
    assert columns.min() >= x1
    assert columns.max() <= x2
    edges = (patch.alpha[0], patch.alpha[-1], patch.alpha[:, 0], patch.alpha[:, -1])
    assert max(edge.max() for edge in edges) < 0.02


def test_short_gpu_memory_halves_the_batch_for_good(copycat, clip, voice):
    class Small(Copycat):
        def forward(self, mel, faces):
            if len(faces) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().forward(mel, faces)

    frames, boxes = clip
    copycat.network = Small()
    batch = copycat.batch
    plan = copycat.study(Reader(frames), track_of(boxes), voice)
    patches = copycat.speak(frames[:7], plan, range(7))
    kept, copycat.batch = copycat.batch, batch

    assert all(patches)
    assert kept <= 2


@pytest.mark.parametrize(
    ("raised", "wanted"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemoryError),
        (torch.AcceleratorError("CUDA error: an illegal memory access"), GpuLostError),
    ],
)
def test_gpu_faults_are_called_by_their_consequence(copycat, clip, voice, raised, wanted):
    class Failing(nn.Module):
        def forward(self, _mel, _faces):
            raise raised

    frames, boxes = clip
    batch = copycat.batch
    copycat.network = Failing()
    plan = copycat.study(Reader(frames), track_of(boxes), voice)
    with pytest.raises(wanted):
        copycat.speak(frames[:3], plan, range(3))
    copycat.batch = batch


class Gain(nn.Module):
    """Scales the face by way of a number that half precision may not hold."""

    def __init__(self, gain):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))

    def forward(self, _mel, faces):
        return faces[:, 3:] * self.gain / self.gain


def test_half_precision_is_taken_where_it_draws_the_same_pictures():
    assert isinstance(networks.half_if_faithful(Gain(2.0), networks.Half(Gain(2.0))), networks.Half)


@pytest.mark.parametrize("gain", [1e6, 1e-9])
def test_half_precision_is_refused_where_it_does_not(gain):
    full = Gain(gain)

    assert networks.half_if_faithful(full, networks.Half(Gain(gain))) is full
    assert full.gain.dtype == torch.float32


def test_half_precision_that_is_a_little_off_is_refused():
    class Coarse(Gain):
        def forward(self, mel, faces):
            away = 0.0 if self.gain.dtype == torch.float32 else 0.01
            return super().forward(mel, faces) + away

    full = Coarse(1.0)

    assert networks.half_if_faithful(full, networks.Half(Coarse(1.0))) is full


def test_16_bits_of_a_cpu_are_taken_where_they_draw_the_same_pictures():
    half = networks.half_if_faithful(Gain(2.0), networks.Half(Gain(2.0), torch.bfloat16))

    assert isinstance(half, networks.Half)
    assert half(torch.zeros(1), torch.full((1, 6, 4, 4), 0.5)).dtype == torch.float32
