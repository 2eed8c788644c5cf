"""The mouths of an output are judged as they stream by, within a bounded memory."""

from fractions import Fraction

import numpy as np
import pytest

from heygemd.faces.mouths import HEIGHT_PX, WIDTH_PX
from heygemd.quality import SyncScore
from heygemd.records import FaceTrack, Timeline, Waveform
from heygemd.syncnet import SyncNetScore
from heygemd.witness import JUDGED_FRAMES, SYNCNET_FRAMES, JudgedVoice, Witness, voice_to_judge

FPS = Fraction(30)
VOICE = JudgedVoice(np.zeros((80, 200), np.float32))


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


def watched(n_frames, n_source=10, batch=16, *, by_syncnet=False, **choices):
    timeline = Timeline(np.arange(n_frames, dtype=np.int64) % n_source, FPS)
    witness = Witness(track(n_source, **choices), timeline, by_syncnet=by_syncnet)
    frames = np.random.default_rng(1).integers(0, 255, (batch, 160, 160, 3), dtype=np.uint8)
    for start in range(0, n_frames, batch):
        witness.see(start, frames[: n_frames - start])
    return witness


def test_every_frame_of_a_short_output_is_judged():
    scorer, voice = Listener(), VOICE
    assert watched(50).judge(scorer, voice).confidence == pytest.approx(0.3)
    assert scorer.crops.shape == (50, HEIGHT_PX, WIDTH_PX)
    assert scorer.crops.any(axis=(1, 2)).all()
    assert scorer.mel is voice.mel
    assert scorer.fps == 30


def test_a_long_output_is_judged_by_its_first_minute():
    scorer = Listener()
    watched(JUDGED_FRAMES + 45).judge(scorer, VOICE)
    assert len(scorer.crops) == JUDGED_FRAMES


def test_without_meshes_nobody_can_say():
    assert watched(50, points=False).judge(Listener(), VOICE) is None


def test_an_output_that_nobody_saw_is_not_judged():
    assert watched(0).judge(Listener(), VOICE) is None


@pytest.mark.timeout(600)  # librosa's first import on a busy machine
def test_the_voice_that_is_judged_covers_half_a_minute_and_no_more():
    sound = Waveform(
        np.random.default_rng(2).uniform(-0.1, 0.1, 70 * 16000).astype(np.float32), 16000
    )
    mel = voice_to_judge(sound).mel
    assert mel.shape[0] == 80
    assert 30 * 80 < mel.shape[1] < 33 * 80


class Elder:
    """SyncNet's place, taken by one who remembers what was shown."""

    def __init__(self, told):
        self.told = told

    def score(self, faces, cepstra):
        self.faces, self.cepstra = faces, cepstra
        return self.told


TOLD = SyncNetScore(-80.0, 6.5, 7.25, np.zeros(31, np.float32), 90)
BOTH = JudgedVoice(VOICE.mel, np.zeros((13, 500), np.float32))


def test_syncnet_sees_faces_at_25_a_second_and_has_the_last_word():
    elder = Elder(TOLD)
    score = watched(60, by_syncnet=True).judge(Listener(), BOTH, elder)
    assert elder.faces.shape == (50, 224, 224, 3)
    assert elder.faces.any(axis=(1, 2, 3)).all()
    assert (score.offset_ms, score.confidence) == (-80.0, pytest.approx(0.65))
    assert score.notes == {"lse_c": 6.5, "lse_d": 7.25}
    assert len(score.agreement) == 5  # our own curve, to be drawn


def test_the_faces_of_a_long_output_are_those_of_its_first_ten_seconds():
    elder = Elder(TOLD)
    watched(30 * 12, by_syncnet=True).judge(Listener(), BOTH, elder)
    assert len(elder.faces) == SYNCNET_FRAMES
    assert elder.faces[-1].any()


def test_where_syncnet_cannot_say_our_own_scorer_does():
    witness = watched(60, by_syncnet=True)
    assert witness.judge(Listener(), BOTH, Elder(None)).confidence == pytest.approx(0.3)


def test_syncnet_needs_no_mesh_and_nothing_is_drawn_then():
    score = watched(60, points=False, by_syncnet=True).judge(Listener(), BOTH, Elder(TOLD))
    assert score.notes["lse_c"] == 6.5
    assert len(score.agreement) == 0


def test_syncnet_hears_ten_seconds():
    sound = Waveform(np.full(12 * 16000, 0.1, np.float32), 16000)
    assert voice_to_judge(sound).cepstra is None
    assert voice_to_judge(sound, by_syncnet=True).cepstra.shape == (13, 999)
