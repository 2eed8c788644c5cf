"""Ears read from a published file."""

import struct

import numpy as np
import pytest
import torch

from heygemd import carried
from heygemd.lips.warp import ears
from heygemd.nets.ears import Ears


def variable(name, values):
    kind = {np.dtype(np.float32): 0, np.dtype(np.float16): 4, np.dtype(np.int16): 2}[values.dtype]
    text = struct.pack("<H", len(name) + 1) + name.encode() + b"\0"
    shape = struct.pack(f"<B{values.ndim}I", values.ndim, *values.shape)
    return text + shape + struct.pack("<BI", kind, values.nbytes) + values.tobytes()


def test_variables_are_read_with_their_names_and_shapes():
    rows = np.arange(6, dtype=np.float16).reshape(2, 3)
    raw = b"what comes before" + variable("a/weight", rows) + variable("n", np.array(8, np.int16))

    found = dict(ears.variables(raw, len(b"what comes before")))

    assert list(found) == ["a/weight", "n"]
    assert np.array_equal(found["a/weight"], rows)
    assert found["n"] == 8


def test_layers_above_those_that_are_wanted_are_left_out():
    one = np.ones(4, np.float16)
    theirs = [
        ("encoder/conv1/bias", one),
        ("encoder/layer_0/ffn/layer_norm/gamma", one),
        ("encoder/layer_1/ffn/layer_norm/gamma", one),
    ]

    assert list(ears.ours(theirs, 2)) == ["enter.bias", "layers.0.norm_think.weight"]


@pytest.fixture(scope="module")
def whole():
    return ears.load_ears()


def test_the_wheel_carries_every_weight_and_none_is_to_be_trained(whole):
    assert not whole.training
    assert not any(weight.requires_grad for weight in whole.parameters())
    for name, weight in whole.state_dict().items():
        spread = float(weight.std())
        assert 0.0 < spread < 3.0, name


def test_the_encoder_begins_where_it_is_read():
    first, _ = next(ears.variables(carried.read(ears.CARRIED), ears._ENCODER_AT))

    assert first == "encoder/conv1/bias"


def test_ears_tell_tones_apart_and_a_tone_from_itself_later_little(whole):
    mel = torch.zeros(3, 80, 200)
    mel[0, 20:24], mel[1, 50:54] = 1.2, 1.2
    mel[2, 20:24] = 1.2

    low, high, again = whole(mel)[..., 20:80]

    assert torch.allclose(low, again)
    assert (low - high).norm() > 0.3 * low.norm()


def test_in_sixteen_bits_they_take_and_give_single_precision():
    coarse = Ears(1, 16, 2).to(torch.bfloat16)

    assert coarse(torch.zeros(1, 80, 20)).dtype == torch.float32
