"""What only a GPU can prove: the same pictures as on the processor, within 8 GB cards.

Skipped where there is no GPU; HEYGEMD_NEED_CUDA=1 has them fail there instead.
"""

import os

import numpy as np
import pytest
import torch
from drawn_talker import talker, voice_of

from heygemd.lips.device import choose_device
from heygemd.lips.warp.model import Warp
from heygemd.lips.wav2lip.model import Wav2LipModel, Wav2LipVoice

# Another device's name lets the tests themselves be tried without a GPU.
DEVICE = os.environ.get("HEYGEMD_CUDA_TESTS_ON", "cuda:0")
NEEDED = bool(os.environ.get("HEYGEMD_NEED_CUDA")) or DEVICE == "cpu"
pytestmark = [
    pytest.mark.skipif(not NEEDED and not torch.cuda.is_available(), reason="no GPU here"),
    pytest.mark.timeout(120),  # a first CUDA context can take tens of seconds
]
on_a_gpu = pytest.mark.skipif(DEVICE == "cpu", reason="asks the GPU's own allocator")

APERTURES = [0.0, 0.1, 0.2, 0.1] * 8
CARD_BYTES = 2_000_000_000  # at the default batch, so that cards of 8 GB are at ease


@pytest.fixture(scope="module")
def clip():
    return talker(APERTURES)


def spoken(model, clip, voice):
    """Every frame's patch in one call, and the pixels they cover."""
    reader, track = clip
    plan = model.study(reader, track, voice)
    frames = reader.frames[reader.timeline.source]
    return [patch for patch in model.speak(frames, plan, range(len(frames))) if patch is not None]


def furthest(ours, theirs):
    """How far any pixel that is laid is from the other device's, of 255."""
    assert len(ours) == len(theirs) > 0
    far = 0.0
    for one, other in zip(ours, theirs, strict=True):
        assert (one.x_px, one.y_px) == (other.x_px, other.y_px)
        assert np.abs(one.alpha - other.alpha).max() < 1e-3
        away = np.abs(one.pixels.astype(np.float32) - other.pixels.astype(np.float32))
        far = max(far, float((away * one.alpha[..., None]).max()))
    return far


@pytest.fixture(scope="module")
def mel():
    values = np.random.default_rng(2).uniform(-4, 4, (80, 200)).astype(np.float32)
    return Wav2LipVoice(values, 0.0)


def test_the_gpu_is_there_and_works():
    assert str(choose_device(DEVICE)) in {DEVICE, "cuda:0"}


def test_wav2lip_draws_the_pictures_of_the_processor(checkpoint, clip, mel):
    on_cpu = spoken(Wav2LipModel(checkpoint, device="cpu", backend="torch"), clip, mel)
    on_gpu = spoken(Wav2LipModel(checkpoint, device=DEVICE, backend="torch"), clip, mel)
    assert furthest(on_cpu, on_gpu) <= 4.0


def test_wav2lip_as_published_is_exact_without_tf32(checkpoint, clip, mel):
    on_cpu = spoken(Wav2LipModel(checkpoint, device="cpu", compat="wav2lip"), clip, mel)
    on_gpu = spoken(Wav2LipModel(checkpoint, device=DEVICE, compat="wav2lip"), clip, mel)
    assert furthest(on_cpu, on_gpu) <= 1.0


@on_a_gpu
def test_the_default_batch_leaves_a_card_of_8_gb_at_ease(checkpoint, clip, mel):
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    spoken(Wav2LipModel(checkpoint, device=DEVICE, backend="torch"), clip, mel)
    assert torch.cuda.max_memory_reserved() < CARD_BYTES


@on_a_gpu
def test_a_batch_that_does_not_fit_is_halved_and_the_pictures_stay(checkpoint, clip, mel):
    model = Wav2LipModel(checkpoint, device=DEVICE, batch=32, backend="torch")
    before = spoken(model, clip, mel)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 40e6) / total)
    try:
        after = spoken(model, clip, mel)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert model.batch < 32
    assert furthest(before, after) <= 2.0


def test_the_voice_is_heard_alike(bilabials):
    # Whitened: one is a standard deviation. Processors round to 8 bits, GPUs to 11.
    ours, theirs = (Warp(device=device).hear(bilabials).coefs for device in ("cpu", DEVICE))
    assert np.ptp(ours) > 2.0
    assert np.abs(ours - theirs).max() < 0.15


def test_warp_draws_the_same_frames(clip):
    voice = voice_of(APERTURES[::-1])
    ours, theirs = (spoken(Warp(device=device), clip, voice) for device in ("cpu", DEVICE))
    assert furthest(ours, theirs) == 0.0
