"""Hearing a mouth in a sound, with the weights that ship."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import heygemd.lips.warp
from heygemd.errors import GpuLostError, ModelError, TransientError
from heygemd.lips.warp import geometry
from heygemd.lips.warp import voice as voices
from heygemd.lips.warp.model import VOICE_FILE
from heygemd.lips.warp.voice import Voice, coefs_at, hear, level, load_net
from heygemd.nets.voice import VoiceNet
from heygemd.records import Waveform

ASSETS = Path(heygemd.lips.warp.__file__).parent / "assets"
MEDIA = Path(__file__).parent / "media"
RATE_HZ = 16_000
OPEN_VOWELS = ("\N{LATIN SMALL LETTER ALPHA}", "æ")


@pytest.fixture(scope="module")
def net():
    """In single precision, on whatever machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voices, "half_of", lambda _: None)
        return load_net(ASSETS / VOICE_FILE)


@pytest.fixture(scope="module")
def basis():
    return geometry.load_basis(ASSETS / "face.safetensors")


@pytest.fixture(scope="module")
def voice(bilabials, net):
    return hear(bilabials, net)


@pytest.fixture(scope="module")
def phones():
    return json.loads((MEDIA / "bilabials.json").read_text(encoding="utf-8"))["phones"]


def gap(sound, net, basis, times_s=None):
    return gap_of(hear(sound, net), basis, times_s)


def gap_of(voice, basis, times_s=None):
    coefs = voice.coefs if times_s is None else coefs_at(voice, times_s)
    return geometry.coef_aperture(coefs, basis)


def sound_of(samples):
    return Waveform(np.asarray(samples, np.float32), RATE_HZ)


def test_lips_meet_for_every_bilabial(voice, basis, phones):
    middles_s = [(a + b) / 2 for a, b, ipa in phones if ipa and ipa.strip("ˈˌ")[0] in "mbp"]
    assert len(middles_s) >= 9

    for middle_s in middles_s:
        around_s = middle_s + np.arange(-0.04, 0.041, 0.01)
        assert gap_of(voice, basis, around_s).min() < 0.03, f"open at {middle_s:.2f} s"


def test_the_mouth_opens_for_every_long_open_vowel(voice, basis, phones):
    middles_s = [(a + b) / 2 for a, b, ipa in phones if ipa[:1] in OPEN_VOWELS]
    assert middles_s

    for middle_s in middles_s:
        assert gap_of(voice, basis, np.array([middle_s])).max() > 0.06


@pytest.mark.parametrize("duration_s", [0.0, 0.01, 0.5, 6.0])
def test_silence_of_any_length_keeps_the_mouth_closed(net, basis, duration_s):
    silence = sound_of(np.zeros(int(duration_s * RATE_HZ)))

    assert np.abs(gap(silence, net, basis)).max() <= 0.01


def noise(rng):
    return 0.1 * rng.standard_normal(5 * RATE_HZ)


def hiss(rng):
    return 0.001 * rng.standard_normal(5 * RATE_HZ)


def chord(_rng):
    seconds = np.arange(5 * RATE_HZ) / RATE_HZ
    return sum(0.08 * np.sin(2 * np.pi * f * seconds) for f in (220.0, 277.18, 329.63, 440.0))


def tone(_rng):
    return 0.2 * np.sin(2 * np.pi * 440.0 * np.arange(5 * RATE_HZ) / RATE_HZ)


@pytest.mark.parametrize("make", [noise, hiss, chord, tone])
def test_what_is_no_speech_keeps_the_mouth_closed(net, basis, make):
    heard = gap(sound_of(make(np.random.default_rng(3))), net, basis)

    assert np.quantile(heard, 0.95) <= 0.01


def test_a_pause_does_not_tremble(net, basis, bilabials):
    rng = np.random.default_rng(0)
    room = 0.002 * rng.standard_normal(3 * RATE_HZ).astype(np.float32)
    talk = np.concatenate([bilabials.samples, room, bilabials.samples])
    pause_s = len(bilabials.samples) / RATE_HZ + np.arange(0.7, 2.3, 0.04)

    still = gap(sound_of(talk), net, basis, pause_s)

    assert np.abs(np.diff(still)).max() < 0.005


def test_loudness_does_not_matter(net, basis, bilabials):
    faint = sound_of(bilabials.samples * 0.05)

    assert np.allclose(gap(faint, net, basis), gap(bilabials, net, basis), atol=2e-3)


def test_a_long_sound_is_heard_as_its_parts_are(net, basis, bilabials):
    length = len(bilabials.samples) // 320 * 320
    many = np.tile(bilabials.samples[:length], 12)
    steps = length // 320

    heard = gap(sound_of(many), net, basis)

    assert len(many) / RATE_HZ > 27  # three chunks
    first = heard[steps : 2 * steps]
    for start in range(2 * steps, 11 * steps, steps):  # one of them lies across the border
        again = heard[start : start + steps]
        assert np.corrcoef(first, again)[0, 1] > 0.98
        assert np.abs(first - again).mean() < 0.015


def test_a_second_of_sound_is_fifty_rows(voice, bilabials):
    assert voice.rate_hz == 50.0
    assert abs(len(voice.coefs) - float(bilabials.duration_s) * 50) <= 1


def test_another_rate_is_refused(net):
    with pytest.raises(ValueError, match="44100 Hz"):
        hear(Waveform(np.zeros(44100, np.float32), 44100), net)


def test_levelling_brings_faint_speech_up_but_never_more_than_twenty_times():
    faint = sound_of(np.sin(np.arange(32000) * 0.1) * 1e-6)

    assert np.abs(level(faint).samples).max() == pytest.approx(20e-6, rel=0.01)


def test_levelling_does_not_care_how_much_of_the_sound_is_pause(bilabials):
    pauses = np.concatenate([bilabials.samples, np.zeros(20 * RATE_HZ, np.float32)])

    alone = np.abs(level(bilabials).samples).max()
    among = np.abs(level(sound_of(pauses)).samples).max()

    assert among == pytest.approx(alone, rel=0.02)


def test_shapes_between_rows_are_on_the_line_between_them():
    voice = Voice(np.array([[0.0], [1.0], [0.0]], np.float32))
    moments_s = np.array([-1.0, 0.0, 0.5, 1.25, 9.0]) / 50.0

    assert np.allclose(coefs_at(voice, moments_s)[:, 0], [0.0, 0.0, 0.5, 0.75, 0.0], atol=1e-6)


def test_a_voice_without_rows_rests():
    assert not coefs_at(Voice(np.zeros((0, 3), np.float32)), np.array([0.0, 1.0])).any()


def test_a_voice_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="want float32"):
        Voice(np.zeros(10, np.float32))


def test_missing_weights_are_a_model_error(tmp_path):
    with pytest.raises(ModelError, match=r"none\.safetensors.*reinstall"):
        load_net(tmp_path / "none.safetensors")


def test_a_file_that_is_no_safetensors_is_a_model_error(tmp_path):
    path = tmp_path / "voice.safetensors"
    path.write_text("not weights")

    with pytest.raises(ModelError, match=r"voice\.safetensors"):
        load_net(path)


def test_weights_of_another_network_are_a_model_error(tmp_path):
    tensors = VoiceNet().state_dict()
    del tensors["look.bias"]
    save_file(tensors, tmp_path / "voice.safetensors")

    with pytest.raises(ModelError, match="look"):
        load_net(tmp_path / "voice.safetensors")


def test_sixteen_bits_move_lips_by_less_than_a_hundredth(monkeypatch, net, basis, bilabials):
    monkeypatch.setattr(voices, "half_of", lambda _: torch.bfloat16)

    coarse = gap(bilabials, load_net(ASSETS / VOICE_FILE), basis)

    assert np.abs(coarse - gap(bilabials, net, basis)).max() < 0.01


class Faulty(torch.nn.Linear):
    """A network on a GPU that fails."""

    def __init__(self, error):
        super().__init__(1, 1)
        self.error = error

    def forward(self, _mel):
        raise self.error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), TransientError),
        (torch.AcceleratorError("CUDA error: an illegal memory access"), GpuLostError),
    ],
)
def test_what_ails_a_gpu_that_hears_is_told(error, told, bilabials):
    with pytest.raises(told, match="GPU"):
        hear(bilabials, Faulty(error))


def test_weights_and_basis_agree_and_are_small(net, basis):
    ears, mouth = net
    assert mouth.shape.out_channels == basis.n_coefs == 10
    assert mouth.enter.in_channels == ears.enter.out_channels
    assert sum(path.stat().st_size for path in ASSETS.glob("*.safetensors")) < 1_000_000
