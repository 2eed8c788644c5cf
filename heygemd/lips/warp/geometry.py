"""Where a face stands in the picture, and what shape its mouth has apart from that.

Shapes are face points in the canonical frame: upright, frontal, x to the picture's right, y down,
the distance between the eye centres is 1 ("IOD"). A pose carries them into the picture. Rows of NaN
are frames without a face; they stay NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from heygemd.errors import ModelError
from heygemd.lips.warp.landmarks import (
    CORNERS,
    GAPS,
    LOWER_INNER,
    RIGID,
    UPPER_INNER,
)
from heygemd.packed import BLOCK_ROWS, PackedPoints
from heygemd.records import N_POINTS

Floats = NDArray[np.float32]
Stretch = tuple[int, int]
"""First frame, and one past the last, of frames in one shot that all show the face."""

Scalar = TypeVar("Scalar", bound=np.generic)

_BLOCK_FRAMES = BLOCK_ROWS  # no more: what is worked out of them stays in the cache
MOUTH_WIDTH = 0.74  # IOD; the resting mouth that the basis is scaled to
UPPER_SHARE = 0.35  # of a gap that is closed by the upper lip; the jaw does the rest
SHAKEN = (0.008, 0.02)  # IOD; a head that smoothing would move by more is shaken, and none trembles
_SAVGOL = np.array([-3.0, 12.0, 17.0, 12.0, -3.0]) / 35.0  # Savitzky-Golay, window 5, order 2


@dataclass(frozen=True, slots=True)
class Pose:
    """A similarity per frame: picture = scale * rotation @ canonical + shift.

    Attributes:
        scale: (T,) float64, pixels per IOD.
        rotation: (T, 3, 3) float64, orthonormal.
        shift: (T, 3) float64, pixels.
    """

    scale: NDArray[np.float64]
    rotation: NDArray[np.float64]
    shift: NDArray[np.float64]

    def __post_init__(self) -> None:
        n_frames = len(self.scale)
        if self.rotation.shape != (n_frames, 3, 3) or self.shift.shape != (n_frames, 3):
            raise ValueError(
                f"rotation {self.rotation.shape} and shift {self.shift.shape}, "
                f"want ({n_frames}, 3, 3) and ({n_frames}, 3)"
            )

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Pose:
        """The pose of some frames."""
        return Pose(self.scale[rows], self.rotation[rows], self.shift[rows])


@dataclass(frozen=True, slots=True)
class Shapes:
    """(T, P, 3) shapes of a clip, worked out by the row: of a long clip they fill no memory.

    Attributes:
        points: (T, P, 3) px.
        pose: of the same frames.
    """

    points: Floats | PackedPoints
    pose: Pose

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Floats:
        return to_canonical(self.points[rows], self.pose[rows])


@dataclass(frozen=True, slots=True)
class Basis:
    """How mouths move: a few numbers a frame stand for the whole lower face.

    ``displacement = mean + ((coefs * sd) @ components) / weights``; components are orthonormal rows
    when flattened, in the space where every landmark is multiplied by its weight.

    Attributes:
        template: (478, 3) float32, the average face in the canonical frame.
        index: (L,) int64, the landmarks that move: those below the base of the nose.
        mean: (L, 3) float32 IOD, average displacement from rest.
        components: (K, L, 3) float32.
        sd: (K,) float32, spread of each coefficient; whitened coefs have spread 1.
        weights: (L,) float32, more on the lips.
        triangles: (M, 3) int32, the face mesh.
    """

    template: Floats
    index: NDArray[np.int64]
    mean: Floats
    components: Floats
    sd: Floats
    weights: Floats
    triangles: NDArray[np.int32]

    def __post_init__(self) -> None:
        n_moving, n_coefs = len(self.index), len(self.sd)
        wanted = {
            "template": (N_POINTS, 3),
            "mean": (n_moving, 3),
            "components": (n_coefs, n_moving, 3),
            "weights": (n_moving,),
            "triangles": (len(self.triangles), 3),
        }
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} {getattr(self, name).shape}, want {shape}")

    @property
    def n_coefs(self) -> int:
        """How many numbers describe a mouth."""
        return len(self.sd)


def load_basis(path: Path) -> Basis:
    """Read a basis that ``save_basis`` wrote.

    Raises:
        ModelError: no such file, or not a basis.
    """
    try:
        tensors = load_file(path)
        return Basis(**{name: tensors[name] for name in Basis.__slots__})
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ModelError(
            f"no face basis at {path} ({error}); reinstall heygemd, its wheel carries the file"
        ) from error


def save_basis(basis: Basis, path: Path) -> None:
    """Write a basis as safetensors; the same basis gives the same bytes."""
    save_file({name: np.ascontiguousarray(getattr(basis, name)) for name in Basis.__slots__}, path)


def stretches(present: NDArray[np.bool_], cuts: Iterable[int] = ()) -> list[Stretch]:
    """Runs of frames with a face that no scene cut divides.

    Args:
        present: (T,) where a face is.
        cuts: frames that start a new shot.
    """
    starts = np.zeros(len(present) + 1, np.bool_)
    starts[[cut for cut in cuts if 0 <= cut < len(present)]] = True
    found: list[Stretch] = []
    first: int | None = None
    for frame in range(len(present) + 1):
        inside = frame < len(present) and bool(present[frame])
        if first is not None and (not inside or starts[frame]):
            found.append((first, frame))
            first = None
        if inside and first is None:
            first = frame
    return found


def smooth(values: NDArray[np.float64], sigma: float, within: list[Stretch]) -> NDArray[np.float64]:
    """Gaussian in time, never across the ends of a stretch; rows outside all stretches stay.

    Args:
        values: (T, ...).
        sigma: in frames; 0 changes nothing.
        within: from ``stretches``.
    """
    reach = int(4.0 * sigma + 0.5)
    if reach == 0:
        return values.copy()
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return _convolve(values, kernel / kernel.sum(), within)


def steady(points: Floats, cuts: Iterable[int] = ()) -> NDArray[np.float64]:
    """(T, 478, 3) the same points with the detector's tremble taken out, motion kept.

    Args:
        points: (T, 478, 3) px, NaN rows without a face.
        cuts: frames that start a new shot.
    """
    within = stretches(_seen(points), cuts)
    longer = [run for run in within if run[1] - run[0] >= len(_SAVGOL)]
    return _convolve(points.astype(np.float64), _SAVGOL, longer)


def fit_pose(
    points: NDArray[np.float32] | NDArray[np.float64] | PackedPoints,
    template: Floats,
    *,
    cuts: Iterable[int] = (),
    sigma: float = 0.8,
) -> Pose:
    """The similarity that lays the template's rigid points over each frame's (Procrustes).

    Args:
        points: (T, 478, 3) px, NaN rows without a face.
        template: (478, 3), canonical frame.
        cuts: smoothing stops at them.
        sigma: of the smoothing in time, frames; heads in haste are left where they are.
    """
    seen = _seen(points)
    n_frames = len(points)
    scale, shift = np.full(n_frames, np.nan), np.full((n_frames, 3), np.nan)
    rotation = np.full((n_frames, 3, 3), np.nan)
    if seen.any():
        rigid = list(RIGID)
        scale[seen], rotation[seen], shift[seen] = _procrustes(
            template[rigid].astype(np.float64),
            over(points, lambda some: some[:, rigid].astype(np.float64))[seen],
        )
    within = stretches(seen, cuts)
    grow, turn, move = (smooth(part, sigma, within) - part for part in (scale, rotation, shift))
    far = np.hypot(move[:, 0], move[:, 1]) / scale
    calmed = ((SHAKEN[1] - far) / (SHAKEN[1] - SHAKEN[0])).clip(0.0, 1.0)
    rotation += calmed[:, None, None] * turn
    if seen.any():
        left, _, right = np.linalg.svd(rotation[seen])
        rotation[seen] = left @ right
    return Pose(scale + calmed * grow, rotation, shift + calmed[:, None] * move)


def to_canonical(points: NDArray[np.float32] | NDArray[np.float64], pose: Pose) -> Floats:
    """(T, P, 3) shapes of (T, P, 3) picture points."""
    shapes = np.empty(points.shape, np.float32)
    for some in _blocks(len(points)):
        centred = points[some].astype(np.float64) - pose.shift[some, None]
        shapes[some] = (centred @ pose.rotation[some]) / pose.scale[some, None, None]
    return shapes


def to_image(shapes: NDArray[np.float32] | NDArray[np.float64], pose: Pose) -> Floats:
    """(T, P, 3) picture points, px, of (T, P, 3) shapes."""
    points = np.empty(shapes.shape, np.float32)
    for some in _blocks(len(shapes)):
        turned = shapes[some].astype(np.float64) @ pose.rotation[some].swapaxes(1, 2)
        points[some] = turned * pose.scale[some, None, None] + pose.shift[some, None]
    return points


def _blocks(n_frames: int) -> Iterator[slice]:
    """Frames in double precision by the block: a long clip must not cost its whole length twice."""
    for start in range(0, n_frames, _BLOCK_FRAMES):
        yield slice(start, start + _BLOCK_FRAMES)


def over(
    rows: NDArray[Any] | PackedPoints | Shapes, function: Callable[[Any], NDArray[Scalar]]
) -> NDArray[Scalar]:
    """A function of (T, P, 3) rows that looks at each alone, taken by the block; T at least 1."""
    return np.concatenate([function(rows[some]) for some in _blocks(len(rows))])


def aperture(shapes: Floats) -> Floats:
    """(...) gap between the inner lips, IOD, of (..., 478, 3) shapes; below 0 where lips cross."""
    gaps = [shapes[..., low, 1] - shapes[..., up, 1] for up, low in GAPS]
    return np.asarray(np.mean(gaps, axis=0), np.float32)


def width(shapes: Floats) -> Floats:
    """(...) distance between the corners of the mouth, IOD, of (..., 478, 3) shapes."""
    right, left = CORNERS
    return np.asarray(np.linalg.norm(shapes[..., left, :] - shapes[..., right, :], axis=-1))


def neutral(shapes: Floats | Shapes, quantile: float = 0.1) -> Floats:
    """(478, 3) the face at rest: median of the frames with the most closed mouth.

    Args:
        shapes: (T, 478, 3); NaN rows are left out.
        quantile: share of the frames that counts as closed.

    Raises:
        ValueError: no frame shows a face.
    """
    gaps = over(shapes, aperture) if len(shapes) else np.empty(0, np.float32)
    if not np.isfinite(gaps).any():
        raise ValueError("no frame shows a face, so there is no face at rest")
    closed = np.flatnonzero(gaps <= np.nanquantile(gaps, quantile) + 1e-6)
    return np.asarray(np.median(shapes[closed], axis=0))


def close_lips(shape: Floats, openness: float = 0.0) -> Floats:
    """The same face with every gap between inner lips scaled, lips meeting where they would meet.

    Args:
        shape: (478, 3).
        openness: what is left of each gap, 0..1; gaps below 0 become 0.
    """
    closed = shape.copy()
    up, low = list(UPPER_INNER[1:-1]), list(LOWER_INNER[1:-1])
    gap = shape[low, 1] - shape[up, 1]
    change = np.maximum(gap, 0.0) * openness - gap
    closed[up, 1] -= UPPER_SHARE * change
    closed[low, 1] += (1.0 - UPPER_SHARE) * change
    return closed


def mouth_scale(rest: Floats) -> float:
    """How much larger this person's mouth is than the basis's, of a (478, 3) face at rest."""
    return float(width(rest)) / MOUTH_WIDTH


def coefs(shapes: Floats | Shapes, rest: Floats, basis: Basis) -> Floats:
    """(T, K) whitened coefficients of (T, 478, 3) shapes, given the person's (478, 3) at rest."""
    return over(shapes, lambda some: _coefs(some, rest, basis))


def _coefs(shapes: Floats, rest: Floats, basis: Basis) -> Floats:
    moved = (shapes - rest)[:, basis.index] / mouth_scale(rest)
    weighted = (moved - basis.mean) * basis.weights[:, None]
    flat = weighted.reshape(len(shapes), -1).astype(np.float64)
    axes = basis.components.reshape(basis.n_coefs, -1).astype(np.float64)
    return np.asarray(flat @ axes.T / basis.sd, np.float32)


def displacement(whitened: Floats, basis: Basis) -> Floats:
    """(..., L, 3) how far the moving landmarks leave rest, in IOD of a mouth of scale 1.

    Args:
        whitened: (..., K).
        basis: whose ``index`` names the L landmarks.
    """
    axes = basis.components.reshape(basis.n_coefs, -1).astype(np.float64)
    flat = (whitened * basis.sd).astype(np.float64) @ axes
    weighted = flat.reshape(*whitened.shape[:-1], len(basis.index), 3)
    return np.asarray(weighted / basis.weights[:, None] + basis.mean, np.float32)


def coef_aperture(whitened: Floats, basis: Basis) -> Floats:
    """(...) aperture of (..., K) coefs on a mouth of scale 1 that closes at rest, IOD."""
    place = {int(point): row for row, point in enumerate(basis.index)}
    up, low = ([place[pair[side]] for pair in GAPS] for side in (0, 1))
    # It is linear: no landmark needs to be placed for it, of which there are 173 in every frame.
    down = basis.components[..., 1].astype(np.float64) / basis.weights
    slope = basis.sd * (down[:, low] - down[:, up]).mean(axis=1)
    at_mean = (basis.mean[low, 1] - basis.mean[up, 1]).mean()
    return np.asarray(whitened @ slope + at_mean, np.float32)


def yaw_deg(pose: Pose) -> NDArray[np.float64]:
    """(T,) how far the head is turned to either side, degrees, 0..90; NaN without a face."""
    return np.asarray(np.degrees(np.arcsin(np.clip(np.abs(pose.rotation[:, 0, 2]), 0.0, 1.0))))


def _seen(points: NDArray[np.float32] | NDArray[np.float64] | PackedPoints) -> NDArray[np.bool_]:
    return over(points, lambda some: np.isfinite(some).all(axis=(1, 2)))


def _convolve(
    values: NDArray[np.float64], kernel: NDArray[np.float64], within: list[Stretch]
) -> NDArray[np.float64]:
    """Each stretch filtered on its own, its end rows repeated outwards."""
    reach = len(kernel) // 2
    filtered = values.copy()
    for first, stop in within:
        rows = np.arange(first - reach, stop + reach).clip(first, stop - 1)
        padded = values[rows]
        length = stop - first
        filtered[first:stop] = sum(
            weight * padded[shift : shift + length] for shift, weight in enumerate(kernel)
        )
    return filtered


def _procrustes(
    template: NDArray[np.float64], points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Least-squares similarity without reflection, (P, 3) onto each of (T, P, 3) (Umeyama 1991)."""
    centre, centres = template.mean(axis=0), points.mean(axis=1)
    base, moved = template - centre, points - centres[:, None]
    left, spread, right = np.linalg.svd(np.einsum("tpi,pj->tij", moved, base))
    signs = np.ones_like(spread)
    signs[:, 2] = np.sign(np.linalg.det(left @ right))
    rotation = (left * signs[:, None, :]) @ right
    scale = (spread * signs).sum(axis=1) / (base**2).sum()
    shift = centres - scale[:, None] * (rotation @ centre)
    return scale, rotation, shift
