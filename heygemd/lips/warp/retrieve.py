"""Which frame of the same clip lends its mouth to each output frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heygemd.lips.warp.geometry import Basis, Floats
from heygemd.lips.warp.mesh import smoothstep

# Costs were found on a dozen clips by eye.
APERTURE_UNIT = 0.05  # IOD; an aperture wrong by this much costs APERTURE_COST
APERTURE_COST = 1.5
SHOWN = 0.05  # IOD of gap; of a narrower one less is seen
LEAST_OPEN = 0.005  # IOD of aperture, said of all that are less open
STRETCH_FREE = 1.2  # a gap opened by more than this stretches teeth and tongue in it
STRETCH_SLOPE = 50.0
STRETCH_COST = 15.0  # at most
THICK_FREE = 1.15  # lips drawn higher than this show it: pressed ones are smooth, or double
THICK_COST = 80.0
CLOSED = (0.025, 0.0375)  # IOD; mouths narrower than the first want lips that touch all along
LEAK_UNIT = 0.015  # IOD by which the widest gap left is wider than it shall be; costs LEAK_COST
LEAK_COST = 3.0
POSE_UNIT = 0.1  # distance between the directions that two faces look in
POSE_COST = 0.4
BLUR_COST = 3.0  # else motion-blurred frames win, being near everything
FALSE_GAP = (0.2, 0.45)  # share of the gap that looks like lips: none below, all above is false
FALSE_COST = 15.0
RUSH = (0.025, 0.06)  # IOD a frame: faster mouths are blurred by their motion
RUSH_COST = 3.0
RUSH_LEAK = 0.03  # IOD of gap from which on all of it is counted
ODD_UNIT = 0.1  # share of the places about the lips that look odd; costs ODD_COST: fingers are lent
ODD_COST = 2.0  # last, yet a mouth that opens only once, and looks odd in that, when it is needed
SWITCH_COST = 4.0
SWITCH_FLOOR = 0.3  # share of it that even a jump between like shapes costs
TEETH_UNIT = 40.0  # grey levels; an inside that jumps by this much costs TEETH_COST
TEETH_COST = 4.0
COLOUR_UNIT = 0.1  # logarithm; lips that jump by this much cost COLOUR_COST: wet ones flash
COLOUR_COST = 2.0
FADE = 0.15  # what the neighbouring frame's key gives to this frame
UNLIKE = 0.07  # IOD between the apertures of two keys that are not mixed
_CHUNK = 256  # frames whose costs are held at once


@dataclass(frozen=True, slots=True)
class Mouths:
    """Mouths, wanted or on offer, one row each.

    Attributes:
        coefs: (N, K) scaled so that a difference of 1 in any is equally visible.
        aperture: (N,) IOD of a mouth of scale 1 beyond rest, at least 0.
        parted: (N,) IOD, widest gap that is seen between the lips, or shall be.
        thick: (N,) IOD, height of both lips together, the gap apart.
        facing: (N, 3) unit vector out of the face.
    """

    coefs: Floats
    aperture: Floats
    parted: Floats
    thick: Floats
    facing: Floats


@dataclass(frozen=True, slots=True)
class Looks:
    """How each of P mouths on offer looks, which shape alone does not say.

    Attributes:
        blur: (P,) 0 for sharp keys, the logarithm of the detail that others lack.
        inside: (P, n) grey 0..255 at fixed places between the lips.
        flesh: (P,) share of the gap that looks like lips, against what is usual.
        rush: (P,) IOD a frame by which the aperture changes.
        odd: (P,) share of the places about the lips that look otherwise than in most mouths.
        colours: (P, n) of lips and skin at fixed places, logarithms against skin higher up.
    """

    blur: Floats
    inside: Floats
    flesh: Floats
    rush: Floats
    odd: Floats
    colours: Floats


def visible(coefs: Floats, basis: Basis) -> Floats:
    """(..., K) coefs scaled so that a difference of 1 in any is about equally visible."""
    return np.asarray(coefs * (basis.sd / basis.sd[0]) ** 0.5, np.float32)


def farthest(rows: Floats, n_wanted: int) -> NDArray[np.int64]:
    """Rising indices of rows as unlike each other as can be (farthest-point sampling).

    Args:
        rows: (N, D).
        n_wanted: at most so many, at least 1.
    """
    if len(rows) <= n_wanted:
        return np.arange(len(rows))
    exact = rows.astype(np.float64)
    exact -= exact.mean(axis=0)
    squares = (exact**2).sum(axis=1)
    taken = [int(np.argmin(squares))]
    distance = np.full(len(exact), np.inf)
    while len(taken) < n_wanted:
        last = taken[-1]
        np.minimum(distance, squares + squares[last] - exact @ (2.0 * exact[last]), out=distance)
        distance[last] = -1.0  # rounding must not make it the farthest
        taken.append(int(np.argmax(distance)))
    return np.sort(np.array(taken))


def fit_costs(wanted: Mouths, offered: Mouths, looks: Looks) -> Floats:
    """(T, P) how badly each of P mouths on offer serves each of T wanted ones.

    Args:
        wanted: T rows.
        offered: P rows.
        looks: of the offered.
    """
    costs = _square_distance(wanted.coefs, offered.coefs)
    gap, own = wanted.aperture[:, None], offered.aperture[None]
    costs += APERTURE_COST * ((own - gap) / APERTURE_UNIT) ** 2
    shown = np.minimum(wanted.parted[:, None] / SHOWN, 1.0)
    stretch = np.maximum(0.0, gap / np.maximum(own, LEAST_OPEN) - STRETCH_FREE)
    costs += np.minimum(STRETCH_COST, STRETCH_SLOPE * stretch**2) * shown
    drawn = np.maximum(0.0, wanted.thick[:, None] / offered.thick[None] - THICK_FREE)
    costs += THICK_COST * drawn**2
    low, high = CLOSED
    closing = np.clip((high - gap) / (high - low), 0.0, 1.0)
    left = np.clip((offered.parted[None] - wanted.parted[:, None]) / LEAK_UNIT, 0.0, 4.0)
    costs += closing * LEAK_COST * left**2
    low, high = FALSE_GAP
    judged = np.maximum(np.minimum(own / SHOWN, 1.0), shown)
    costs += FALSE_COST * smoothstep((looks.flesh - low) / (high - low)) * judged
    low, high = RUSH
    parted = np.minimum(offered.parted / RUSH_LEAK, 1.0)  # lips that are seen to touch do so
    costs += RUSH_COST * smoothstep((looks.rush - low) / (high - low)) * parted
    costs += POSE_COST * _square_distance(wanted.facing, offered.facing) / POSE_UNIT**2
    costs += ODD_COST * (looks.odd / ODD_UNIT) ** 2
    return np.asarray(costs + BLUR_COST * looks.blur**2, np.float32)


def switch_costs(offered: Mouths, looks: Looks, frames: NDArray[np.int64]) -> Floats:
    """(P, P) what going from one key to another costs; nothing to stay or to play on.

    Args:
        offered: P rows.
        looks: of the offered.
        frames: (P,) rising source frame numbers.
    """
    unlike = SWITCH_FLOOR * (1.0 + _square_distance(offered.coefs, offered.coefs))
    costs = SWITCH_COST * np.minimum(unlike, 1.0)
    grey = _square_distance(looks.inside, looks.inside) / looks.inside.shape[1]
    gap = np.sqrt(offered.aperture[:, None] * offered.aperture[None])
    costs += TEETH_COST * np.minimum(1.0, gap / 0.1) * grey / TEETH_UNIT**2
    colour = _square_distance(looks.colours, looks.colours) / looks.colours.shape[1]
    costs += COLOUR_COST * colour / COLOUR_UNIT**2
    step = frames[None] - frames[:, None]
    costs[(step >= 0) & (step <= 2)] = 0.0
    return np.asarray(costs, np.float32)


def cheapest_path(fit: Iterable[Floats], switch: Floats) -> NDArray[np.int64]:
    """(T,) the choice of one of P per step that costs least in total (Viterbi 1967).

    Args:
        fit: T times (P,) cost of each choice, at least once; taken one after another.
        switch: (P, P) cost of going from row to column; P at most 65536.
    """
    # A row per choice that is reached: numpy finds the least along rows five times as fast.
    rows = np.arange(len(switch))
    switch_to = np.ascontiguousarray(switch.T, np.float64)
    ways = np.empty_like(switch_to)
    came_from: list[NDArray[np.uint16]] = []
    steps = iter(fit)
    total = next(steps).astype(np.float64)
    for costs in steps:
        np.add(switch_to, total, out=ways)
        best = ways.argmin(axis=1)
        came_from.append(best.astype(np.uint16))
        total = ways[rows, best] + costs
    path = [int(total.argmin())]
    for back in reversed(came_from):
        path.append(int(back[path[-1]]))
    return np.array(path[::-1])


def choose(
    wanted: Mouths, offered: Mouths, looks: Looks, frames: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(T,) which of P offered mouths serves each wanted one, with few and soft jumps.

    Args:
        wanted: T rows, at least one.
        offered: P rows, at least one.
        looks: of the offered.
        frames: (P,) rising source frame numbers of the offered.
    """
    return cheapest_path(_fit_rows(wanted, offered, looks), switch_costs(offered, looks, frames))


def _fit_rows(wanted: Mouths, offered: Mouths, looks: Looks) -> Iterator[Floats]:
    """The rows of ``fit_costs``; of a long clip only some are held at a time."""
    for first in range(0, len(wanted.coefs), _CHUNK):
        some = slice(first, first + _CHUNK)
        rows = (wanted.coefs, wanted.aperture, wanted.parted, wanted.thick, wanted.facing)
        part = Mouths(*(row[some] for row in rows))
        yield from fit_costs(part, offered, looks)


def cross_fade(
    path: NDArray[np.int64], frames: NDArray[np.int64], aperture: Floats
) -> tuple[NDArray[np.int64], Floats]:
    """Up to two keys per frame, the one with the larger share first.

    A key that plays on from its neighbour needs no fade; a jump is spread over two frames, if both
    mouths are about as open: the teeth of an open one would shine through closed lips.

    Args:
        path: (T,) from ``choose``.
        frames: (P,) source frame numbers of the keys.
        aperture: (P,) of the keys, IOD.

    Returns:
        (T, 2) keys and (T, 2) float32 shares that sum to 1; a share of 0 means one key.
    """
    keys = np.stack([path, path], axis=1)
    shares = np.tile(np.array([1.0, 0.0], np.float32), (len(path), 1))
    step, change = np.abs(np.diff(frames[path])), np.abs(np.diff(aperture[path]))
    for jump in np.flatnonzero((step > 2) & (change < UNLIKE)):
        keys[jump, 1], shares[jump] = path[jump + 1], (1.0 - 2 * FADE, 2 * FADE)
        keys[jump + 1, 1], shares[jump + 1] = path[jump], (1.0 - 2 * FADE, 2 * FADE)
    return keys, shares


def _square_distance(rows: Floats, others: Floats) -> NDArray[np.float64]:
    """(N, M) squared Euclidean distance between rows."""
    left, right = rows.astype(np.float64), others.astype(np.float64)
    cross = left @ right.T
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None]
    return np.asarray(np.maximum(squares - 2.0 * cross, 0.0))
