"""``python -m training --data DATA --out ASSETS``: recorded talkers in, shipped weights out."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import save_file

from heygemd.lips.warp import geometry
from heygemd.lips.warp.ears import load_ears
from heygemd.lips.warp.model import VOICE_FILE
from training import recordings, report, speech, voice
from training import talks as recorded

if TYPE_CHECKING:
    from heygemd.nets.voice import VoiceNet

N_LESSONS = 800


@dataclass(frozen=True, slots=True)
class Paths:
    """Where things are and go.

    Attributes:
        data: holds ``grid/*.mkv``.
        media: holds ``video/`` and ``audio/`` to judge by, or None.
        cache: landmarks are kept here.
        out: ``face.safetensors``, ``voice.safetensors`` and ``voice.json`` go here.
    """

    data: Path
    media: Path | None
    cache: Path
    out: Path


def main() -> None:
    """Run the whole training, or with ``--judge-only`` measure what is in ``--out``."""
    parser = argparse.ArgumentParser(prog="training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds grid/*.mkv")
    parser.add_argument("--out", type=Path, required=True, help="weights there are replaced")
    parser.add_argument("--media", type=Path, help="evaluation media; never trained on")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--judge-only", action="store_true", help="train nothing, measure --out")
    words = parser.parse_args()
    torch.set_num_threads(words.threads)
    paths = Paths(words.data, words.media, words.cache, words.out)
    paths.out.mkdir(parents=True, exist_ok=True)
    if not words.judge_only:
        train(paths, words.seed)
    judge(paths)


def train(paths: Paths, seed: int) -> None:
    """Write the basis and the network."""
    clips = recordings.trained_on(recordings.grid_clips(paths.data, seed))
    people = recordings.record_all(clips, paths.cache)
    basis, explained = recorded.learn_basis(people)
    geometry.save_basis(basis, paths.out / "face.safetensors")
    print("basis: variance explained", np.round(explained, 3).tolist(), flush=True)
    talks = recorded.talks(people, basis)
    lessons = speech.corpus(N_LESSONS, np.random.default_rng(seed))
    recipe = voice.Recipe(seed=seed)
    net = voice.train(voice.Material(talks, lessons, basis, load_ears()), recipe)
    save(net, paths.out / VOICE_FILE, recipe)


def save(net: VoiceNet, path: Path, recipe: voice.Recipe) -> None:
    """Write the weights, with the recipe beside them in the file's header."""
    tensors = {name: value.contiguous() for name, value in net.state_dict().items()}
    header = json.dumps(asdict(recipe), sort_keys=True)
    save_file(tensors, path, metadata={"recipe": header})


def judge(paths: Paths) -> None:
    """Measure the weights in ``out``, print a table and write ``voice.json`` beside them."""
    figures = report.measure(paths.out, paths.data, paths.media, paths.cache)
    print(report.table(figures))
    text = json.dumps(figures, indent=2, sort_keys=True)
    (paths.out / "voice.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
