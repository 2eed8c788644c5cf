"""The mouths of an output are judged as they stream by, within a bounded memory."""

from fractions import Fraction

import numpy as np
import pytest

from heygemd.faces.mouths import HEIGHT_PX, WIDTH_PX
from heygemd.quality import SyncScore
from heygemd.records import FaceTrack, Timeline, Waveform
from heygemd.witness import JUDGED_FRAMES, Witness, voice_to_judge

FPS = Fraction(30)


def track(n_frames, *, points=True):
    random = np.random.default_rng(0)
    face = random.uniform(40, 120, (478, 3)).astype(np.float32)
    face[[33, 133, 362, 263, 2], :2] = [[60, 60], [70, 60], [90, 60], [100, 60], [80, 80]]
    face[[61, 291], :2] = [[70, 95], [90, 95]]
    boxes = np.tile(np.float32([40, 40, 120, 120]), (n_frames, 1))
    all_points = np.tile(face, (n_frames, 1, 1)) if points else None
    return FaceTrack(boxes, all_points, np.ones(n_frames, bool))


class Listener:
    """A scorer that remembers what it was asked."""

    def score(self, crops, mel, *, fps):
        self.crops, self.mel, self.fps = crops, mel, fps
        return SyncScore(40.0, 0.3, np.zeros(3, np.float32), 7, np.ones(5, np.float32))


def watched(n_frames, n_source=10, batch=16, **choices):
    timeline = Timeline(np.arange(n_frames, dtype=np.int64) % n_source, FPS)
    witness = Witness(track(n_source, **choices), timeline)
    frames = np.random.default_rng(1).integers(0, 255, (batch, 160, 160, 3), dtype=np.uint8)
    for start in range(0, n_frames, batch):
        witness.see(start, frames[: n_frames - start])
    return witness


def test_every_frame_of_a_short_output_is_judged():
    scorer, voice = Listener(), np.zeros((80, 200), np.float32)
    assert watched(50).judge(scorer, voice).confidence == pytest.approx(0.3)
    assert scorer.crops.shape == (50, HEIGHT_PX, WIDTH_PX)
    assert scorer.crops.any(axis=(1, 2)).all()
    assert scorer.mel is voice
    assert scorer.fps == 30


def test_a_long_output_is_judged_by_its_first_minute():
    scorer = Listener()
    watched(JUDGED_FRAMES + 45).judge(scorer, np.zeros((80, 200), np.float32))
    assert len(scorer.crops) == JUDGED_FRAMES


def test_without_meshes_nobody_can_say():
    assert watched(50, points=False).judge(Listener(), np.zeros((80, 200), np.float32)) is None


def test_an_output_that_nobody_saw_is_not_judged():
    assert watched(0).judge(Listener(), np.zeros((80, 200), np.float32)) is None


@pytest.mark.timeout(600)  # librosa's first import on a busy machine
def test_the_voice_that_is_judged_covers_the_minute_and_no_more():
    sound = Waveform(
        np.random.default_rng(2).uniform(-0.1, 0.1, 70 * 16000).astype(np.float32), 16000
    )
    assert voice_to_judge(sound).shape[0] == 80
    assert 60 * 80 < voice_to_judge(sound).shape[1] < 63 * 80
