"""When each phone of a known sentence is spoken: forced alignment by the network's own visemes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from heygemd.lips import mel
from heygemd.lips.warp.voice import FIRST_STEP_S, STEPS_PER_S
from training.phones import Phone, Viseme, visemes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from heygemd.nets.voice import VoiceNet

# GRID's file names spell their sentences, a letter or digit a word (Cooke et al. 2006, table I);
# pronunciations are those of southern British English, phones joined by "+".
_SLOTS = tuple(
    dict(entry.split("=") for entry in slot.split())
    for slot in (
        "b=b+ɪ+n l=l+eɪ p=p+l+eɪ+s s=s+ɛ+t",
        "b=b+l+uː g=ɡ+ɹ+iː+n r=ɹ+ɛ+d w=w+aɪ+t",
        "a=æ+t b=b+aɪ i=ɪ+n w=w+ɪ+ð",
        (
            "a=eɪ b=b+iː c=s+iː d=d+iː e=iː f=ɛ+f g=dʒ+iː h=eɪ+tʃ i=aɪ j=dʒ+eɪ k=k+eɪ l=ɛ+l m=ɛ+m "
            "n=ɛ+n o=əʊ p=p+iː q=k+j+uː r=ɑː s=ɛ+s t=t+iː u=j+uː v=v+iː x=ɛ+k+s y=w+aɪ z=z+ɛ+d"
        ),
        "z=z+iə+ɹ+əʊ 1=w+ʌ+n 2=t+uː 3=θ+ɹ+iː 4=f+ɔː 5=f+aɪ+v 6=s+ɪ+k+s 7=s+ɛ+v+ə+n 8=eɪ+t 9=n+aɪ+n",
        "a=ə+ɡ+ɛ+n n=n+aʊ p=p+l+iː+z s=s+uː+n",
    )
)

_PRIOR_SHARE = 0.6  # how much of the classes' prior is taken out of the scores
_SMOOTH_PRIOR = 0.01


def grid_phones(clip: str) -> list[list[str]]:
    """The IPA phones of a GRID clip's six words, from the code that ends its file's stem.

    Raises:
        ValueError: the stem does not end with a code of GRID.
    """
    code = clip.removesuffix("__video").rpartition("_")[2]
    if len(code) != len(_SLOTS) or any(k not in s for k, s in zip(code, _SLOTS, strict=True)):
        raise ValueError(f"{clip!r} does not end with a code of a GRID sentence")
    return [slot[key].split("+") for key, slot in zip(code, _SLOTS, strict=True)]


def viseme_scores(columns: NDArray[np.float32], net: VoiceNet) -> NDArray[np.float64]:
    """(T, classes) log-probability of every step's viseme, the classes' prior partly taken out."""
    margin = np.full((mel.N_MELS, 40), mel.SILENCE, np.float32)
    padded = torch.from_numpy(np.concatenate([margin, columns, margin], axis=1))
    with torch.inference_mode():
        logits = net(padded[None])[1][0, : len(Viseme)].T[20 : 20 + columns.shape[1] // 2]
    scores = torch.log_softmax(logits.double(), dim=1).numpy()
    prior = np.log(np.exp(scores).mean(axis=0) + _SMOOTH_PRIOR)
    return np.asarray(scores - _PRIOR_SHARE * prior)


def align(scores: NDArray[np.float64], words: Sequence[Sequence[str]]) -> list[Phone]:
    """The likeliest times of a known sequence of phones (Viterbi, left to right).

    Args:
        scores: (T, classes) log-scores of the visemes at 40 steps a second.
        words: phones of each word; a pause may stand before, between and after words.

    Returns:
        Phones and pauses in time order, without gaps.

    Raises:
        ValueError: the sound is too short for so many phones.
    """
    states = _states(words)
    classes = np.array([int(kind) for _, _, kind in states])
    optional = np.array([phone < 0 for phone, _, _ in states])
    n_steps, n_states = len(scores), len(states)
    best = np.full((n_steps, n_states), -np.inf)
    came = np.zeros((n_steps, n_states), np.int64)
    best[0, :2] = scores[0, classes[:2]]
    for step in range(1, n_steps):
        stay = best[step - 1]
        move = np.concatenate([[-np.inf], stay[:-1]])
        skip = np.concatenate([[-np.inf, -np.inf], stay[:-2]])
        skip[~np.concatenate([[False], optional[:-1]])] = -np.inf
        options = np.stack([stay, move, skip])
        choice = options.argmax(axis=0)
        came[step] = np.arange(n_states) - choice
        best[step] = options.max(axis=0) + scores[step, classes]
    last = n_states - 1 if best[-1, -1] >= best[-1, -2] else n_states - 2
    if not np.isfinite(best[-1, last]):
        raise ValueError(f"{n_steps} steps of sound are too short for {n_states} states")
    path = np.zeros(n_steps, np.int64)
    path[-1] = last
    for step in range(n_steps - 1, 0, -1):
        path[step - 1] = came[step, path[step]]
    return _runs(path, states)


def _states(words: Sequence[Sequence[str]]) -> list[tuple[int, str, Viseme]]:
    """(phone number or -1, IPA, viseme): pauses around words, diphthongs in two halves."""
    states: list[tuple[int, str, Viseme]] = [(-1, "", Viseme.SILENCE)]
    number = 0
    for word in words:
        for ipa in word:
            first, last = visemes(ipa)
            states.append((number, ipa, first))
            if last != first:
                states.append((number, ipa, last))
            number += 1
        states.append((-1, "", Viseme.SILENCE))
    return states


def _runs(path: NDArray[np.int64], states: list[tuple[int, str, Viseme]]) -> list[Phone]:
    """Spans of the path, the halves of one phone joined."""
    spans: list[tuple[int, int, int, str]] = []  # phone number, first step, one past last, IPA
    for step, state in enumerate(path):
        number, ipa, _ = states[state]
        if spans and spans[-1][0] == number and spans[-1][3] == ipa:
            spans[-1] = (number, spans[-1][1], step + 1, ipa)
        else:
            spans.append((number, step, step + 1, ipa))
    half_s = 0.5 / STEPS_PER_S

    def moment_s(step: int) -> float:
        return max(0.0, FIRST_STEP_S + step / STEPS_PER_S - half_s)

    return [(moment_s(first), moment_s(stop), ipa) for _, first, stop, ipa in spans]
