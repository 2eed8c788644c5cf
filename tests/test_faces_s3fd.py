import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd.errors import ConfigError
from heygemd.faces import s3fd
from heygemd.nets.s3fd import STRIDES_PX, S3fd


def heads(seed, cells=(6, 5, 4, 3, 2, 1)):
    random = np.random.default_rng(seed)
    return [
        (
            random.normal(0, 3, (2, n, n + 1)).astype(np.float32),
            random.normal(0, 1, (4, n, n + 1)).astype(np.float32),
        )
        for n in cells
    ]


def decode_slowly(outputs):
    """Anchor by anchor, as the reference does."""
    rows = []
    for level, (logits, offsets) in enumerate(outputs):
        stride = 2 ** (level + 2)
        for y, x in np.ndindex(logits.shape[1:]):
            no, yes = (math.exp(value) for value in logits[:, y, x])
            score = yes / (no + yes)
            if score <= 0.05:
                continue
            dx, dy, dw, dh = (float(value) for value in offsets[:, y, x])
            middle_x = stride / 2 + x * stride + dx * 0.1 * stride * 4
            middle_y = stride / 2 + y * stride + dy * 0.1 * stride * 4
            width, height = stride * 4 * math.exp(dw * 0.2), stride * 4 * math.exp(dh * 0.2)
            left, top = middle_x - width / 2, middle_y - height / 2
            rows.append((left, top, left + width, top + height, score))
    return np.array(rows).reshape(-1, 5)


def suppress_slowly(boxes, scores):
    kept = []
    for row in sorted(range(len(scores)), key=lambda row: -scores[row]):
        x1, y1, x2, y2 = boxes[row].astype(float)
        for other in kept:
            a1, b1, a2, b2 = boxes[other].astype(float)
            shared = max(0, min(x2, a2) - max(x1, a1) + 1) * max(0, min(y2, b2) - max(y1, b1) + 1)
            union = (x2 - x1 + 1) * (y2 - y1 + 1) + (a2 - a1 + 1) * (b2 - b1 + 1) - shared
            if shared / union > 0.3:
                break
        else:
            kept.append(row)
    return kept


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_decoding_equals_the_anchor_by_anchor_loop(seed):
    boxes, scores = s3fd.decode(heads(seed))
    slow = decode_slowly(heads(seed))
    assert np.allclose(boxes, slow[:, :4], rtol=1e-4, atol=1e-2)
    assert np.allclose(scores, slow[:, 4], rtol=1e-4)


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_suppression_equals_the_pair_by_pair_loop(seed):
    boxes, scores = s3fd.decode(heads(seed))
    assert s3fd.suppress(boxes, scores).tolist() == suppress_slowly(boxes, scores)


def test_one_anchor_decodes_to_the_numbers_of_the_paper():
    outputs = [
        (np.stack([np.full((4, 4), 9, "f4"), np.full((4, 4), -9, "f4")]), np.zeros((4, 4, 4), "f4"))
        for _ in STRIDES_PX
    ]
    logits, offsets = outputs[3]  # stride 32, anchor 128
    logits[:, 1, 2] = 0, 4
    offsets[:, 1, 2] = 1, -1, 0, 5 * math.log(2)
    boxes, scores = s3fd.decode(outputs)
    # Centre (80, 48) + 0.1 * 128 * (1, -1), size 128 x 256.
    assert boxes[0] == pytest.approx([28.8, -92.8, 156.8, 163.2])
    assert scores[0] == pytest.approx(1 / (1 + math.exp(-4)))


def test_nothing_found_is_no_boxes():
    outputs = [
        (np.stack([np.full((2, 2), 9, "f4"), np.zeros((2, 2), "f4")]), np.zeros((4, 2, 2), "f4"))
    ]
    boxes, scores = s3fd.decode(outputs * 6)
    assert boxes.shape == (0, 4)
    assert s3fd.suppress(boxes, scores).tolist() == []


def test_suppression_counts_both_border_pixels():
    # 10 x 10 px boxes that share 10 x 5: 50 / 150 > 0.3 with border pixels, 36 / 126 < 0.3 without.
    boxes = np.array([[0, 0, 9, 9], [0, 5, 9, 14]], dtype=np.float32)
    assert s3fd.suppress(boxes, np.array([0.9, 0.8], np.float32)).tolist() == [0]


def test_the_network_gets_rgb_less_the_means():
    frame = np.zeros((2, 3, 3), dtype=np.uint8)
    frame[..., 0], frame[..., 2] = 10, 200  # blue, red
    ready = s3fd.prepare(frame)
    assert ready.shape == (1, 3, 2, 3)
    assert ready[0, :, 0, 0].tolist() == [200 - 104, 0 - 117, 10 - 123]


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    torch.manual_seed(4)
    net = S3fd()
    for name, parameter in net.named_parameters():
        if name.endswith("mbox_conf.bias"):
            torch.nn.init.constant_(parameter, 0.0)
    path = tmp_path_factory.mktemp("weights") / "s3fd.pth"
    torch.save(net.state_dict(), path)
    return s3fd.S3fdDetector(path)


def test_sightings_are_what_the_network_says_decoded_suppressed_and_above_a_half(detector):
    frame = np.random.default_rng(2).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    with torch.inference_mode():
        outputs = detector._net(torch.from_numpy(s3fd.prepare(frame)))
    slow = decode_slowly([(one[0].numpy(), two[0].numpy()) for one, two in outputs])
    kept = [row for row in suppress_slowly(slow[:, :4], slow[:, 4]) if slow[row, 4] > 0.5]
    sighting = detector.detect(frame[None])[0]
    assert np.allclose(sighting.boxes, slow[kept, :4], atol=0.05)
    assert np.allclose(sighting.scores, slow[kept, 4], atol=1e-4)
    assert sighting.points is None


def test_frames_are_looked_at_one_by_one(detector):
    frames = np.random.default_rng(3).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    both, alone = detector.detect(frames), detector.detect(frames[1:])
    assert (both[1].boxes == alone[0].boxes).all()


def test_the_version_names_the_weights(detector):
    assert len(detector.version) == len("1-") + 12


def test_without_a_path_it_says_which_setting_is_missing():
    with pytest.raises(ConfigError, match=r"faces\.model_path"):
        s3fd.S3fdDetector(None)
