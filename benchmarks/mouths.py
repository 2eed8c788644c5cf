"""What can be measured of the mouths in two videos of one person, and pictures of them.

Crops follow the mouth of the source clip, the ring about it the head: upright, as large as the
face. Apertures are in IOD, the distance between the eye centres, of a mouth of scale 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from heygemd.lips.warp import geometry
from heygemd.lips.warp.geometry import Floats
from heygemd.lips.warp.landmarks import EYES, GAPS, INNER, LIPS, OUTER

Picture = NDArray[np.uint8]
"""(h, w, 3) BGR."""

CLOSED = (0.015, 0.03)  # told to close below the first, seen closed below the second
OPEN = (0.08, 0.05)  # told to open above the first, seen open above the second
STILL = 0.005  # IOD; an aperture that varies by less hardly moves
LEAST_FRAMES = 5  # fewer have no correlation
LEAST_JITTER = 0.5  # thousandths of an IOD: a picture that stands still
AS_OPEN = 9  # source frames whose mouths are nearest to as open; most clips have a few hundred
EDGE_FRAMES = 3  # left out at both ends, where smoothing has one side only
MOUTH_IOD = 0.62  # half the edge of a crop that holds the mouth and little else
RING_IOD = 0.90  # half the edge of a crop that holds the blend's border
_CROP_PX, _RING_PX = 96, 160


@dataclass(slots=True)
class Looks:
    """What is kept of each frame while two videos stream by: a few numbers and a small crop.

    Attributes:
        rest: (478, 3) canonical, the source's face with its mouth at rest.
        sharpness: variance of the Laplacian of the mouth, (source, output) a frame.
        fineness: likewise of lips and skin alone, whatever the inside shows.
        openness: gap between the lips, IOD, (source, output) a frame.
        psnr_db: of the mouth, output against source.
        ssim: likewise.
        flicker: mean change from the frame before in the ring, (source, output) a frame.
    """

    rest: Floats
    sharpness: list[tuple[float, float]] = field(default_factory=list)
    fineness: list[tuple[float, float]] = field(default_factory=list)
    openness: list[tuple[float, float]] = field(default_factory=list)
    psnr_db: list[float] = field(default_factory=list)
    ssim: list[float] = field(default_factory=list)
    flicker: list[tuple[float, float]] = field(default_factory=list)
    _before: tuple[Floats, Floats] | None = None

    def see(self, source: Picture, output: Picture, points: Floats, again: Floats) -> None:
        """Take the next frame of both.

        Args:
            source: (H, W, 3).
            output: the same frame with other lips.
            points: (478, 3) px of the source frame.
            again: (478, 3) px of the output frame.
        """
        energies = [_energy(source, points, points), _energy(output, points, again)]
        self.sharpness.append((energies[0][0], energies[1][0]))
        self.fineness.append((energies[0][1], energies[1][1]))
        self.openness.append((gap(points), gap(again)))
        one, other = (crop(p, points, MOUTH_IOD, _CROP_PX) for p in (source, output))
        self.psnr_db.append(psnr_db(one, other))
        self.ssim.append(ssim(one, other))
        head = geometry.to_image(self.rest[None], geometry.fit_pose(points[None], self.rest))[0]
        rings = (_calm(source, head), _calm(output, head))
        if self._before is not None:
            old, new = (np.abs(rings[at] - self._before[at])[_ring()].mean() for at in (0, 1))
            self.flicker.append((float(old), float(new)))
        self._before = rings

    def skip(self) -> None:
        """A frame without a face: the next one has none before it."""
        self._before = None


def iod_px(points: Floats) -> float:
    """Distance between the eye centres of (478, 3) points, px, depth included."""
    right, left = (points[list(eye)].mean(axis=0) for eye in EYES)
    return float(np.linalg.norm(left - right))


def gap(points: Floats) -> float:
    """Between the inner lips of (478, 3) points, IOD."""
    gaps = [points[low, :2] - points[up, :2] for up, low in GAPS]
    return float(np.linalg.norm(gaps, axis=1).mean() / iod_px(points))


def sharpness(looks: Looks) -> float:
    """Fine detail of the output's mouths against source mouths as open; NaN where none was seen.

    Teeth are most of a mouth's detail. Against the same frame of the source, a voice that speaks
    where the source is silent would look sharp, and the other way round soft.
    """
    if not looks.sharpness:
        return float("nan")
    (source, output), (own, seen) = np.array(looks.sharpness).T, np.array(looks.openness).T
    nearest = np.argsort(np.abs(own[None] - seen[:, None]), axis=1)[:, :AS_OPEN]
    return float(np.median(output / np.median(source[nearest], axis=1)))


def crop(frame: Picture, points: Floats, half_iod: float, edge_px: int) -> Picture:
    """A square around the mouth, the eyes level in it.

    Args:
        frame: (H, W, 3).
        points: (478, 3) px.
        half_iod: half its edge.
        edge_px: what it is scaled to.
    """
    turn = _turn(points, half_iod, edge_px)
    method = cv2.INTER_AREA if np.hypot(*turn[0, :2]) < 0.7 else cv2.INTER_CUBIC
    cut = cv2.warpAffine(
        frame, turn, (edge_px, edge_px), flags=method, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cut, np.uint8)


def psnr_db(one: Picture, other: Picture) -> float:
    """Peak signal to noise ratio of two pictures; 48 and more are the same to the eye."""
    error = float(np.square(one.astype(np.float64) - other).mean())
    return float(10.0 * np.log10(255.0**2 / max(error, 1e-3)))


def ssim(one: Picture, other: Picture) -> float:
    """Structural similarity of brightness, Gaussian windows of sigma 1.5 (Wang 2004)."""
    x, y = (cv2.cvtColor(p, cv2.COLOR_BGR2GRAY).astype(np.float64) for p in (one, other))
    mean_x, mean_y = _soft(x), _soft(y)
    var_x, var_y = _soft(x * x) - mean_x**2, _soft(y * y) - mean_y**2
    cov = _soft(x * y) - mean_x * mean_y
    low, high = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    alike = (2 * mean_x * mean_y + low) * (2 * cov + high)
    return float((alike / ((mean_x**2 + mean_y**2 + low) * (var_x + var_y + high))).mean())


def correlation(one: Floats, other: Floats) -> float:
    """Pearson's r; NaN where one of both hardly moves."""
    if len(one) < LEAST_FRAMES or min(one.std(), other.std()) < STILL:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def obedience(asked: Floats, seen: Floats, own: Floats) -> dict[str, float]:
    """How a mouth did what it was told.

    Args:
        asked: (T,) aperture.
        seen: (T,) aperture in the output, NaN where no face was found.
        own: (T,) aperture of the source's own mouth.
    """
    there = np.isfinite(seen) & np.isfinite(own)
    there[:EDGE_FRAMES] = there[len(there) - EDGE_FRAMES :] = False
    asked, seen, own = asked[there], seen[there], own[there]
    told_closed, told_open = asked < CLOSED[0], asked > OPEN[0]
    return {
        "r": correlation(asked, seen),
        "slope": float(np.polyfit(asked, seen, 1)[0]) if asked.std() > STILL else float("nan"),
        "leak": abs(correlation(_unlike(own, asked), seen)),
        "closed": float((seen[told_closed] < CLOSED[1]).mean()) if told_closed.any() else np.nan,
        "open": float((seen[told_open] > OPEN[1]).mean()) if told_open.any() else np.nan,
    }


def _unlike(own: Floats, asked: Floats) -> Floats:
    """(T,) what of a mouth's own way is not what was asked anyway: two voices are alike by chance.

    Args:
        own: (T,) aperture.
        asked: (T,) likewise.
    """
    if len(own) < LEAST_FRAMES or asked.std() < STILL:
        return own
    return np.asarray(own - np.polyval(np.polyfit(asked, own, 1), asked), np.float32)


def jitter(shapes: Floats) -> float:
    """Root mean square of the lips' second difference in time, thousandths of an IOD."""
    bend = np.diff(shapes[:, OUTER + INNER, :2], 2, axis=0)
    bend = bend[np.isfinite(bend).all(axis=(1, 2))]
    return 1e3 * float(np.sqrt(np.square(bend).mean())) if len(bend) else float("nan")


def trembling(shapes: Floats, own: Floats) -> float:
    """How many times more jitter the output's shapes have than the source's own; NaN of a still."""
    natural = jitter(own)
    return jitter(shapes) / natural if natural > LEAST_JITTER else float("nan")


def lip_error(true: Floats, seen: Floats) -> float:
    """Mean distance of the lips' points from where they truly are, hundredths of an IOD.

    Args:
        true: (T, 478, 3) canonical.
        seen: (T, 478, 3) canonical.
    """
    away = np.linalg.norm(true[:, LIPS, :2] - seen[:, LIPS, :2], axis=2)
    return 100.0 * float(np.nanmean(away))


def shapes_of(points: Floats, template: Floats, cuts: tuple[int, ...] = ()) -> Floats:
    """(T, 478, 3) canonical shapes of a track's points."""
    return geometry.to_canonical(points, geometry.fit_pose(points, template, cuts=cuts))


def write_sheet(path: Path, rows: Sequence[Sequence[Picture]]) -> None:
    """One PNG, a line of cells for each row."""
    edge = max(len(row) for row in rows)
    lines = []
    for row in rows:
        blank = [np.zeros_like(row[0])] * (edge - len(row))
        lines.append(np.concatenate([*row, *blank], axis=1))
    if not cv2.imwrite(str(path), np.concatenate(lines)):
        raise SystemExit(f"cannot write {path}")


def _turn(points: Floats, half_iod: float, edge_px: int) -> NDArray[np.float64]:
    """(2, 3) from the frame into a crop."""
    right, left = (points[list(eye), :2].mean(axis=0) for eye in EYES)
    mouth = points[list(OUTER), :2].mean(axis=0)
    angle = float(np.degrees(np.arctan2(*(left - right)[::-1])))
    scale = edge_px / (2.0 * half_iod * iod_px(points))
    turn = cv2.getRotationMatrix2D((float(mouth[0]), float(mouth[1])), angle, scale)
    turn[:, 2] += edge_px / 2.0 - mouth
    return np.asarray(turn, np.float64)


def _energy(frame: Picture, points: Floats, lips: Floats) -> tuple[float, float]:
    """Variance of the Laplacian of the mouth at its own size, and the same without its inside.

    Args:
        frame: (H, W, 3).
        points: (478, 3) px, which place the crop.
        lips: (478, 3) px, which say where the inside is.
    """
    edge = max(16, int(2 * MOUTH_IOD * iod_px(points)))
    grey = cv2.cvtColor(crop(frame, points, MOUTH_IOD, edge), cv2.COLOR_BGR2GRAY)
    fine = cv2.Laplacian(grey, cv2.CV_32F)
    turn = _turn(points, MOUTH_IOD, edge)
    inner = lips[list(INNER), :2] @ turn[:, :2].T + turn[:, 2]
    skin = np.ones(grey.shape, np.uint8)
    cv2.fillPoly(skin, [np.round(inner).astype(np.int32)], 0)
    calm = cv2.erode(skin, np.ones((3, 3), np.uint8), iterations=1 + edge // 40)
    return float(fine.var()), float(fine[calm > 0].var())


def _soft(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), 1.5), np.float64)


def _calm(frame: Picture, head: Floats) -> Floats:
    """(160, 160, 3) what lies about the mouth, cut where the head's bones have it at rest.

    A crop that followed the lips would sway with the source's; then all that does not sway along
    flickers, the most where lips are held still.
    """
    return np.asarray(
        cv2.GaussianBlur(crop(frame, head, RING_IOD, _RING_PX), (0, 0), 1.0), np.float32
    )


def _ring() -> NDArray[np.bool_]:
    """Where the border of a laid mouth lies in a crop of ``RING_IOD``."""
    down, across = np.mgrid[0:_RING_PX, 0:_RING_PX]
    away = np.hypot((across - 80) / 62.0, (down - 84) / 44.0)
    return np.asarray((away > 0.85) & (away < 1.15), np.bool_)
