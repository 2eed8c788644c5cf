"""SyncNet as a judge: its cepstra, its arithmetic, its file; the real weights are never here."""

import numpy as np
import pytest
import torch

from heygemd.errors import ModelError
from heygemd.nets.syncnet import PublishedSyncNet
from heygemd.syncnet import MIN_WINDOWS, SyncNetScorer, judged, mel_cepstra


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file as published, with random weights."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "syncnet_v2.model"
    torch.save(PublishedSyncNet().state_dict(), path)
    return path


COLUMN_3 = [18.4308, 31.2251, 20.9269, 10.8071, 0.1029, -10.4280, -17.9264,
    -23.0142, -23.7197, -20.9863, -14.7285, -7.8747, -1.4285]  # fmt: skip
COLUMN_57 = [21.3462, 6.8596, -29.3365, -25.9207, 10.3052, 29.0065, 6.3853,
    -24.8442, -21.3465, 7.1279, 19.9128, 2.3064, -16.4522]  # fmt: skip


def test_cepstra_are_those_of_the_published_package():
    # python_speech_features 0.6: mfcc(round(32768 * x), 16000) of this chirp, columns 3 and 57.
    at_s = np.arange(16000) / 16000
    sound = np.round(9000 * np.sin(2 * np.pi * (200 + 900 * at_s) * at_s)) / 32768
    cepstra = mel_cepstra(sound.astype(np.float32))
    assert cepstra.shape == (13, 99)
    wanted = {3: COLUMN_3, 57: COLUMN_57}
    for column, values in wanted.items():
        assert np.allclose(cepstra[:, column], values, atol=2e-3)


def test_silence_and_a_sound_shorter_than_a_window_have_cepstra_too():
    assert np.isfinite(mel_cepstra(np.zeros(8000, np.float32))).all()
    assert mel_cepstra(np.ones(100, np.float32)).shape == (13, 1)


@pytest.mark.parametrize("late", [-7, 0, 4])
def test_the_offset_is_positive_when_the_picture_comes_after_the_sound(late):
    rows = torch.randn(120, 8, generator=torch.Generator().manual_seed(1))
    seen, heard = rows[20:100], rows[20 + late : 100 + late]
    score = judged(seen, heard, torch.ones(80, dtype=torch.bool))
    assert score.offset_ms == 40.0 * late
    assert score.distance < 0.5 * score.confidence
    assert score.n_windows == 80


def test_windows_without_a_face_do_not_count():
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(100, 8, generator=generator)
    seen = rows.clone()
    seen[50:] = 9.0 * torch.randn(50, 8, generator=generator)
    known = torch.arange(100) < 50
    assert judged(seen, rows, known).distance < 0.1 < judged(seen, rows, known | True).distance


def test_a_clip_is_judged_by_its_windows_that_show_a_face(weights):
    scorer = SyncNetScorer(weights)
    source = np.random.default_rng(1)
    faces = source.integers(1, 256, (36, 224, 224, 3), np.uint8)
    cepstra = mel_cepstra(source.standard_normal(16000 * 2).astype(np.float32) * 0.1)
    score = scorer.score(faces, cepstra)
    assert score.n_windows == 31
    assert len(score.distances) == 31
    faces[4] = 0
    assert scorer.score(faces, cepstra).n_windows == 26


def test_less_than_a_second_says_nothing(weights):
    scorer = SyncNetScorer(weights)
    faces = np.ones((MIN_WINDOWS + 4, 224, 224, 3), np.uint8)
    assert scorer.score(faces, np.zeros((13, 400), np.float32)) is None
    assert (
        scorer.score(np.ones((60, 224, 224, 3), np.uint8), np.zeros((13, 40), np.float32)) is None
    )


def test_a_file_that_is_no_syncnet_is_named_as_what_it_is(tmp_path):
    page = tmp_path / "syncnet_v2.model"
    page.write_text("<html>")
    with pytest.raises(ModelError, match="a web page"):
        SyncNetScorer(page)


@pytest.mark.parametrize("shape", [(1,), (64, 1, 3, 3)])
def test_another_networks_weights_are_refused(tmp_path, shape):
    torch.save({"netcnnaud.0.weight": torch.zeros(shape)}, tmp_path / "other.model")
    with pytest.raises(ModelError, match=r"another network.* want syncnet_v2\.model"):
        SyncNetScorer(tmp_path / "other.model")
