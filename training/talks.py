"""Recordings as the network trains on them: what was heard, and what the mouth did."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heygemd.lips.warp import geometry
from training import basis as bases
from training import split

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from heygemd.lips.warp.geometry import Basis, Floats
    from heygemd.records import Waveform
    from training.landmarks import Recording

_REST_QUANTILE = 0.2
_MIN_FRAMES = 40
_MAX_CLIPS_OF_ONE = 60  # one person's share in the basis


@dataclass(frozen=True, slots=True)
class Talk:
    """One recorded clip, ready to train on.

    Attributes:
        name: the file's stem.
        speaker: who talks.
        sound: 16 kHz mono.
        coefs: (T, K) float32 whitened.
        aperture: (T,) float32 measured, IOD of a mouth of scale 1, 0 at rest.
        times_s: (T,) middles of the frames.
    """

    name: str
    speaker: str
    sound: Waveform
    coefs: NDArray[np.float32]
    aperture: NDArray[np.float32]
    times_s: NDArray[np.float64]


def usable(recording: Recording) -> bool:
    """Whether every frame shows a face and there are enough of them."""
    return len(recording.points) >= _MIN_FRAMES and bool(np.isfinite(recording.points).all())


def shapes_of(recording: Recording, face: Floats) -> Floats:
    """(T, 478, 3) the recording's face in the canonical frame, steadied."""
    points = geometry.steady(recording.points)
    return geometry.to_canonical(points, geometry.fit_pose(points, face, sigma=0.8))


def rests(shapes: dict[str, list[Floats]]) -> dict[str, list[Floats]]:
    """Each clip's (478, 3) face at rest: half the person's, half the clip's own, by speaker."""
    found: dict[str, list[Floats]] = {}
    for who, clips in shapes.items():
        own = [geometry.neutral(clip, _REST_QUANTILE) for clip in clips]
        person = geometry.neutral(np.concatenate(clips), _REST_QUANTILE)
        share = np.float32(0.5 if len(clips) > 1 else 0.0)
        found[who] = [person * share + rest * (1 - share) for rest in own]
    return found


def learn_basis(recordings: Iterable[Recording]) -> tuple[Basis, Floats]:
    """The face basis of the people who train, and the variance that its axes explain."""
    by_speaker: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings:
        if usable(recording):
            by_speaker[split.speaker(recording.name)].append(recording)
    typical = [
        np.asarray(np.median(recording.points, axis=0), np.float32)
        for group in by_speaker.values()
        for recording in group[:3]
    ]
    face = bases.template(typical)
    index = bases.moving_points(face)
    shapes = {
        who: [shapes_of(recording, face) for recording in group[:_MAX_CLIPS_OF_ONE]]
        for who, group in by_speaker.items()
    }
    moves = [
        np.asarray((clip - rest)[:, index] / geometry.mouth_scale(rest), np.float32)
        for who, resting in rests(shapes).items()
        for clip, rest in zip(shapes[who], resting, strict=True)
        for _ in range(max(1, 10 // len(shapes[who])))  # single clips count ten times
    ]
    return bases.fit(face, moves)


def talks(recordings: Iterable[Recording], basis: Basis) -> list[Talk]:
    """Recordings with their mouths measured in the basis."""
    by_speaker: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings:
        if usable(recording):
            by_speaker[split.speaker(recording.name)].append(recording)
    made = []
    for who, group in by_speaker.items():
        shapes = [shapes_of(recording, basis.template) for recording in group]
        resting = rests({who: shapes})[who]
        for recording, clip, rest in zip(group, shapes, resting, strict=True):
            made.append(_talk(recording, clip, rest, who, basis))
    return made


def _talk(recording: Recording, shapes: Floats, rest: Floats, who: str, basis: Basis) -> Talk:
    gap = geometry.aperture(shapes) - geometry.aperture(rest)
    return Talk(
        name=recording.name,
        speaker=who,
        sound=recording.sound,
        coefs=geometry.coefs(shapes, rest, basis),
        aperture=gap / geometry.mouth_scale(rest),
        times_s=recording.times_s,
    )


def of_speakers(everyone: Sequence[Talk], speakers: Iterable[str]) -> list[Talk]:
    """The talks of some people."""
    wanted = set(speakers)
    return [talk for talk in everyone if talk.speaker in wanted]
