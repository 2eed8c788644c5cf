"""The average face and the ways its lower half moves, learned from recorded talkers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from mediapipe.tasks.python import vision
from scipy.optimize import linear_sum_assignment

from heygemd.lips.warp import geometry
from heygemd.lips.warp.landmarks import CHIN, EYES, LIPS, NOSE_BASE, RIGID
from heygemd.records import N_POINTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from heygemd.lips.warp.geometry import Basis, Floats

N_COEFS = 10  # 99.5 % of the variance
_LIP_WEIGHT, _OTHER_WEIGHT = 2.0, 0.7
_FOREHEAD = 10  # MediaPipe's topmost point
_ABOVE_NOSE_BASE = 0.02  # IOD; points from here down move
_N_FACE_POINTS = 468  # without the irises


def face_triangles() -> NDArray[np.int32]:
    """(M, 3) MediaPipe's face tessellation, which comes as three edges for every triangle."""
    edges = [
        (edge.start, edge.end)
        for edge in vision.FaceLandmarksConnections.FACE_LANDMARKS_TESSELATION
    ]
    rows = [sorted({p for edge in edges[i : i + 3] for p in edge}) for i in range(0, len(edges), 3)]
    if any(len(row) != 3 for row in rows):
        raise ValueError("the tessellation is no list of closed triangles any more")
    return np.array(rows, np.int32)


def template(faces: Sequence[Floats], rounds: int = 4) -> Floats:
    """(478, 3) average face: upright, frontal, symmetric, eye centres at distance 1.

    Generalised Procrustes: align all on the mean, average, repeat.

    Args:
        faces: (478, 3) px each, one typical frame of every person.
        rounds: repetitions; the mean is still after three.
    """
    stacked = np.stack(faces).astype(np.float32)
    mean = upright(stacked[0])
    mirror = mirror_pairs(mean)
    for _ in range(rounds):
        pose = geometry.fit_pose(stacked, mean, sigma=0.0)
        mean = upright(geometry.to_canonical(stacked, pose).mean(axis=0))
        mirrored = mean[mirror] * np.array([-1, 1, 1], np.float32)
        mean = upright(np.asarray((mean + mirrored) / 2, np.float32))
    return mean


def upright(face: Floats) -> Floats:
    """The face turned so that its eyes lie level and its chin under its forehead, in IOD.

    The origin is the middle of the rigid points, put on the line between the eyes in x.
    """
    left, right = (face[list(eye)].mean(axis=0).astype(np.float64) for eye in EYES)
    across = right - left
    iod = np.linalg.norm(across)
    across /= iod
    down = face[CHIN].astype(np.float64) - face[_FOREHEAD]
    down -= across * (down @ across)
    down /= np.linalg.norm(down)
    axes = np.stack([across, down, np.cross(across, down)])
    turned = (face - (left + right) / 2) @ axes.T / iod
    turned[:, 1:] -= turned[list(RIGID)].mean(axis=0)[1:]
    return np.asarray(turned, np.float32)


def mirror_pairs(face: Floats) -> NDArray[np.int64]:
    """(478,) each point's partner on the other half of an upright face, itself on the middle."""
    partner = np.arange(N_POINTS)
    for points in (np.arange(_N_FACE_POINTS), np.arange(_N_FACE_POINTS, N_POINTS)):
        here = face[points].astype(np.float64)
        there = here * np.array([-1.0, 1.0, 1.0])
        cost = ((here[:, None] - there[None]) ** 2).sum(axis=2)
        cost = np.minimum(cost, cost.T)
        partner[points] = points[linear_sum_assignment(cost)[1]]
    return partner


def moving_points(face: Floats) -> NDArray[np.int64]:
    """(L,) the landmarks from the base of the nose down, irises left out."""
    low = face[:_N_FACE_POINTS, 1] > face[NOSE_BASE, 1] - _ABOVE_NOSE_BASE
    return np.flatnonzero(low).astype(np.int64)


def fit(face: Floats, moves: Iterable[Floats], n_coefs: int = N_COEFS) -> tuple[Basis, Floats]:
    """Principal axes of how lower faces leave rest, lips counted most.

    The axes go through rest, not through the mean, so that zero coefficients are a closed mouth.

    Args:
        face: (478, 3) template.
        moves: (T, L, 3) each, displacement from rest in IOD of a mouth of scale 1; already
            balanced between people.
        n_coefs: how many axes are kept.

    Returns:
        The basis, and (n_coefs,) the share of variance that the first axes explain together.
    """
    index = moving_points(face)
    weights = np.where(np.isin(index, LIPS), _LIP_WEIGHT, _OTHER_WEIGHT).astype(np.float32)
    weighted = np.concatenate([m.astype(np.float64) * weights[:, None] for m in moves])
    flat = weighted.reshape(len(weighted), -1)
    variances, axes = np.linalg.eigh(flat.T @ flat / len(flat))
    order = np.argsort(variances)[::-1]
    variances, axes = variances[order], axes[:, order].T[:n_coefs]
    axes *= np.sign(axes[np.arange(n_coefs), np.abs(axes).argmax(axis=1)])[:, None]
    basis = geometry.Basis(
        template=face,
        index=index,
        mean=np.zeros((len(index), 3), np.float32),
        components=axes.reshape(n_coefs, len(index), 3).astype(np.float32),
        sd=np.sqrt(variances[:n_coefs]).astype(np.float32),
        weights=weights,
        triangles=face_triangles(),
    )
    explained = variances.cumsum()[:n_coefs] / variances.sum()
    return basis, explained.astype(np.float32)
