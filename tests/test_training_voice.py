"""The training of the voice network, on a small scale."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import heygemd.lips.warp
from heygemd.lips.warp import geometry
from heygemd.nets.ears import Ears
from heygemd.records import Waveform
from training import losses, speech, voice
from training.phones import silence
from training.talks import Talk

ASSETS = Path(heygemd.lips.warp.__file__).parent / "assets"
RECIPE = voice.Recipe(n_steps=2, n_channels=16, n_talks=1, n_lessons=1, n_noises=1, n_quiet=2)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def material():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    sound = Waveform(rng.normal(0.0, 0.1, 48_000).astype(np.float32), 16_000)
    talk = Talk(
        name="talk",
        speaker="somebody",
        sound=sound,
        coefs=rng.normal(0.0, 1.0, (75, 10)).astype(np.float32),
        aperture=np.zeros(75, np.float32),
        times_s=(np.arange(75) + 0.5) / 25,
    )
    lesson = speech.Lesson(sound, silence(151), "nobody")
    basis = geometry.load_basis(ASSETS / "face.safetensors")
    ears = Ears(n_layers=1, width=16, n_heads=2).eval()
    return voice.Material([talk], [lesson], basis, ears)


@pytest.mark.timeout(120)  # torch imports its compiler at an optimiser's first step
def test_a_seed_gives_the_same_weights_twice_and_another_seed_others(material):
    one, again = (voice.train(material, RECIPE).state_dict() for _ in range(2))
    other = voice.train(material, replace(RECIPE, seed=1)).state_dict()

    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["shape.weight"], other["shape.weight"])


def test_one_person_with_many_clips_does_not_drown_the_others():
    shares = voice.speaker_shares(["many"] * 100 + ["one"])

    assert shares.sum() == pytest.approx(1.0)
    assert shares[-1] == pytest.approx(10 * shares[0])
    assert shares[-1] == pytest.approx(1 / 11)


def test_averaged_weights_know_what_the_layers_have_seen_of_their_inputs(material):
    seen = voice.train(material, RECIPE).norm.running_mean

    assert seen.abs().max() > 0.0  # where a fresh layer starts


def test_a_trained_network_knows_how_its_coefs_open_the_mouth(material):
    net = voice.train(material, RECIPE)

    assert torch.equal(net.aperture, losses.measure(material.basis).aperture)
