"""The inside of a mouth, painted where the clip shows none, and the line where lips meet.

Painted teeth stand still against the head (upper) and the lower lip (lower), as real ones do. All
lengths are in IOD. Found by eye on an avatar and a painting; nobody's teeth are copied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heygemd.lips.warp.geometry import Floats
from heygemd.lips.warp.landmarks import LOWER_INNER, UPPER_INNER
from heygemd.lips.warp.mesh import smoothstep
from heygemd.opencv import cv2

# Where one upper tooth ends and the next begins, from the middle: half of each crown's width.
TOOTH_EDGES = (0.0, 0.135, 0.235, 0.345, 0.45, 0.56)
UPPER_EDGE = 0.042  # the incisors end this far under the resting lip line
EDGE_SOFT = 0.03  # so thick is the edge they end in
TOOTH_LIGHT = 0.95  # of the skin's brightness; 0.8 to 1.9 on 15 people, half of them below 1.04
NARROW_LIGHT = 0.6  # of it reaches teeth behind lips hardly open
# IOD of aperture, from where on more light reaches teeth, and from where on all of it. What was
# brightest inside the mouths of twelve clips, against apertures above 0.14: 0.61 of it below 0.03,
# 0.69 at 0.05, 0.80 at 0.07, 0.88 at 0.09, 0.95 at 0.12 (medians).
LIT = (0.02, 0.14)
LIP_SHADOW = 0.045  # the upper lip's shade reaches so far down
ROLL = 0.04  # of the lower lip's inner side is seen
SOFT = 0.012  # sigma of all of it
LINE_IOD = 0.012  # how thick the line is where closed lips touch
CAVITY = np.array([0.13, 0.16, 0.31])  # of the skin's BGR; found in the darkest corners of mouths
DARK = 0.5  # of the lips' brightness: more is no dark inside
_EDGE_X = (0.0, 0.06, 0.135, 0.18, 0.235, 0.29, 0.345, 0.6)
_EDGE_Y = (0.0, 0.006, -0.004, -0.010, -0.012, 0.0, -0.012, -0.05)  # the scallop of crowns


@dataclass(frozen=True, slots=True)
class Opening:
    """The gap between the lips, and the frame it is seen in.

    Attributes:
        points: (468, 2) px inside the picture that is painted, the face as it should be.
        rest: (2,) px likewise, middle of the upper lip's edge at rest, fixed to the head.
        axes: (2, 2) px per IOD: columns are the head's right and down in the picture.
        aperture: IOD of a mouth of scale 1.
    """

    points: Floats
    rest: Floats
    axes: Floats
    aperture: float


@dataclass(frozen=True, slots=True)
class Palette:
    """One person's colours in one light, each (3,) BGR.

    Attributes:
        lips: of the lips.
        skin: of the skin around them.
        inside: of the dark behind the teeth; black where that was never seen.
    """

    lips: Floats
    skin: Floats
    inside: Floats


@dataclass(frozen=True, slots=True)
class _Places:
    """Where each pixel lies: (h, w) maps, lengths in IOD and fixed to the head.

    Attributes:
        x: right of the middle.
        y: down from the resting lip line.
        upper: y of the upper lip's edge above or below it.
        lower: y of the lower lip's edge.
        side: 0 in the middle, 1 at the corners.
        depth: 0 at the upper lip's edge, 1 at the lower one's.
    """

    x: Floats
    y: Floats
    upper: Floats
    lower: Floats
    side: Floats
    depth: Floats


def paint_inside(
    opening: Opening,
    shape: tuple[int, ...],
    palette: Palette,
    *,
    teeth: bool = True,
) -> Floats:
    """(h, w, 3) float32 BGR, a believable inside of the mouth; only the gap is meant to be used.

    Args:
        opening: where.
        shape: rows and columns.
        palette: this person's colours in this light.
        teeth: False paints what lies behind them alone.
    """
    places = _places(opening, shape)
    picture = _cavity(places, palette)
    picture = _tongue(picture, places, palette.lips, opening.aperture)
    if teeth:
        picture = _teeth(picture, places, opening.aperture, palette.skin)
        picture = _lower_lip(picture, places, palette.lips)
    shadow = 0.55 + 0.45 * smoothstep((places.y - places.upper) / LIP_SHADOW)
    iod_px = float(np.sqrt(abs(np.linalg.det(opening.axes))))
    blurred = cv2.GaussianBlur(picture * shadow[..., None], (0, 0), max(0.5, SOFT * iod_px))
    return np.asarray(blurred, np.float32)


def contact_line(points: Floats, shape: tuple[int, int], iod_px: float) -> Floats:
    """(h, w) in [0, 1], soft line where closed lips touch.

    Args:
        points: (468, 2) px inside the picture.
        shape: rows and columns.
        iod_px: scale of the face.
    """
    line = np.zeros(shape, np.float32)
    middle = (points[list(UPPER_INNER)] + points[list(LOWER_INNER)]) / 2
    thickness = max(1, round(LINE_IOD * iod_px))
    fixed = np.round(middle * 16).astype(np.int32)
    cv2.polylines(line, [fixed], isClosed=False, color=1.0, thickness=thickness, shift=4)
    soft = cv2.GaussianBlur(line, (0, 0), max(0.6, 0.008 * iod_px))
    return np.asarray(np.minimum(1.0, 1.2 * soft), np.float32)


def _places(opening: Opening, shape: tuple[int, ...]) -> _Places:
    """Where each pixel of a picture lies in the mouth."""
    inverse = np.linalg.inv(opening.axes).astype(np.float32)
    across = np.arange(shape[1], dtype=np.float32)[None] - opening.rest[0]
    down = np.arange(shape[0], dtype=np.float32)[:, None] - opening.rest[1]
    x = inverse[0, 0] * across + inverse[0, 1] * down
    y = inverse[1, 0] * across + inverse[1, 1] * down
    upper_x, upper_y = _edge(opening, UPPER_INNER)
    upper = np.interp(x, upper_x, upper_y).astype(np.float32)
    lower = np.interp(x, *_edge(opening, LOWER_INNER)).astype(np.float32)
    half_width = max(0.05, float(upper_x[-1] - upper_x[0]) / 2)
    return _Places(
        x=x,
        y=y,
        upper=upper,
        lower=lower,
        side=np.abs(x) / np.float32(half_width),
        depth=(y - upper) / np.maximum(lower - upper, np.float32(1e-3)),
    )


def _edge(opening: Opening, landmarks: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Rising x, and y, of a lip's inner edge, IOD, fixed to the head."""
    inverse = np.linalg.inv(opening.axes)
    placed = (opening.points[list(landmarks)] - opening.rest) @ inverse.T
    order = np.argsort(placed[:, 0], kind="stable")
    return placed[order, 0].astype(np.float32), placed[order, 1].astype(np.float32)


def _cavity(places: _Places, palette: Palette) -> Floats:
    """Dark flesh, darkest in the middle where it is deep; the person's own where it was seen."""
    colour = CAVITY * palette.skin
    own = float(palette.inside.mean())
    if 0.0 < own < DARK * float(palette.lips.mean()):  # else it is the lips' own flesh, stretched
        colour = palette.inside * min(1.0, 1.3 * colour.mean() / own)
    deep = np.exp(-(((places.depth - 0.5) / 0.42) ** 2)) * np.exp(-((places.side / 0.9) ** 2))
    return np.asarray(colour * (1.15 - 0.55 * deep)[..., None], np.float32)


def _tongue(picture: Floats, places: _Places, lip_colour: Floats, aperture: float) -> Floats:
    """The picture with a tongue low in it, once the mouth is open enough to see one."""
    open_enough = float(smoothstep((aperture - 0.05) / 0.1))
    share = smoothstep((places.depth - 0.55) / 0.35) * smoothstep((0.75 - places.side) / 0.4)
    shade = 0.66 * (0.75 + 0.25 * smoothstep((places.depth - 0.5) / 0.5))
    return _lay(picture, lip_colour * shade[..., None], 0.75 * open_enough * share)


def _teeth(picture: Floats, places: _Places, aperture: float, skin: Floats) -> Floats:
    """The picture with upper teeth that stand still, lost in the dark towards the corners."""
    side = np.abs(places.x)
    crown = np.interp(side, _EDGE_X, _EDGE_Y).astype(np.float32)
    above = smoothstep((UPPER_EDGE + crown - places.y) / EDGE_SOFT + 0.5)
    lit = light(aperture) * np.exp(-((places.side / 0.7) ** 2) - (places.side / 0.75) ** 4)
    # Where less light comes in, more of the flesh's colour is in it: dark teeth are not grey.
    share = above * lit * _between_teeth(side)
    return _lay(picture, np.broadcast_to(tooth_colour(skin), picture.shape), share)


def light(aperture: float) -> float:
    """How much of the light reaches the inside of a mouth of an aperture in IOD, up to 1."""
    least, all_of_it = LIT
    wide = float(smoothstep((aperture - least) / (all_of_it - least)))
    return NARROW_LIGHT + (1.0 - NARROW_LIGHT) * wide


def tooth_colour(skin: Floats) -> Floats:
    """(3,) BGR of a tooth in the light that falls on the skin.

    Teeth are yellow where the light is, and less so than skin. Fitted by eye to the brightest
    places inside the mouths of a dozen people.

    Args:
        skin: (3,) BGR.
    """
    hue = np.array([0.22, 0.48, 0.0]) + np.array([0.72, 0.45, 1.0]) * skin / max(1.0, skin[2])
    return np.asarray(hue * (TOOTH_LIGHT * skin.mean() / hue.mean()), np.float32)


def _lower_lip(picture: Floats, places: _Places, lip_colour: Floats) -> Floats:
    """The picture with the lower lip rolling inwards, so that no line parts it from the dark."""
    reach = np.clip(0.3 * (places.lower - places.upper), 1e-3, ROLL)
    near = 1.0 - smoothstep((places.lower - places.y) / reach)
    return _lay(picture, np.broadcast_to(0.62 * lip_colour, picture.shape), 0.8 * near)


def _between_teeth(side: Floats) -> Floats:
    """1 on a tooth, less in the gaps between."""
    nearest = np.full(side.shape, np.inf, np.float32)
    for edge in TOOTH_EDGES:
        nearest = np.minimum(nearest, np.abs(side - np.float32(edge)))
    return np.asarray(1.0 - 0.15 * np.exp(-((nearest / 0.012) ** 2)), np.float32)


def _lay(picture: Floats, layer: NDArray[np.floating], share: NDArray[np.floating]) -> Floats:
    return np.asarray(picture + (layer - picture) * share[..., None], np.float32)
