"""Keys: mouths of the clip itself, cut out once and lent to other frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heygemd.lips.warp import cover, lipline, masks, teeth
from heygemd.lips.warp import mesh as meshes
from heygemd.lips.warp.cover import Complexion
from heygemd.lips.warp.geometry import Floats
from heygemd.lips.warp.landmarks import (
    LOWER_INNER,
    LOWER_SECOND,
    MIDDLE,
    OUTER,
    THIRD,
    UPPER_INNER,
    UPPER_SECOND,
)
from heygemd.lips.warp.mesh import N_FACE, Mesh
from heygemd.lips.warp.retrieve import FALSE_GAP
from heygemd.opencv import cv2
from heygemd.packed import PackedPoints
from heygemd.planes import Excerpt, Picture, cut_around

Pixels = NDArray[np.uint8]
"""(h, w, 3) BGR, 0..255."""

MARGIN = 0.08  # IOD around the triangles of the mouth, for cubic interpolation and smoothed maps
MAX_BYTES = 100 * 2**20
MAX_KEYS = 300  # with 240 a bearded man's lips closed in 63 to 97 % of the frames instead of all
DARK = 0.55  # of the lips' own brightness; deeper than the shade of a closed lip line
# A 3x3 sharpening by 0.1 raised Laplacian energy by 1.3 on four clips. Shifts by parts of a pixel
# leave the lower faces of ten clips 0.89 of theirs, 0.93 after a sharpening by 0.02, and 1.07 after
# one by 0.05 (means).
ENERGY_PER_AMOUNT = 2.9
RESAMPLING_LOSS = 0.035
MAX_SHARPENING = 0.2
FLESH_TINT = 7.0  # a and b, 0..255: what differs less from lips is flesh
INSIDE_SHOWN = (0.07, 0.25)  # IOD and more of aperture, and less flesh than this in it
MIN_SHOWN = 4  # mouths that show their inside are enough to borrow from
CALM = 0.015  # IOD a frame; points of mouths that change by less are where lips are
FLESH_DARKER, FLESH_BRIGHTER = 22.0, 45.0  # likewise L: lips shine, but are never black
_FLESH = (UPPER_SECOND, LOWER_SECOND)
_TEXTURE_QUANTILE = 0.8  # of local texture; half of all skin is smooth


@dataclass(frozen=True, slots=True)
class Key:
    """One mouth, cut out of one source frame.

    Attributes:
        frame: source frame number.
        pixels: (h, w, 3) uint8 BGR.
        points: (468, 2) float32 px inside ``pixels``.
        shut: (80, 2) likewise, from ``lipline.shut``.
        iod_px: scale of the face.
        aperture: IOD of a mouth of scale 1.
        leak: IOD, widest gap between the lips, by landmarks or by the dark seen there.
        facing: (3,) unit vector out of the face.
        detail: of the skin around the lips, see ``masks.detail``.
        texture: logarithm of how much fine detail it has.
        teeth: (9,) share of the gap that the upper teeth fill on each way across, 0 without them.
        lower_teeth: (9,) likewise the lower ones.
        inside: (n,) grey 0..255 at fixed places between the lips, row by row from the upper one.
        flesh: share of the gap that looks like lips; much of it is no gap, whatever points say.
        look: (60, 3) colours of the lips and the skin around them, from ``cover.look``.
        odd: share of them that are otherwise than in most keys, see ``cover.odd``: fingers are, and
            a mouth that is open as never else.
    """

    frame: int
    pixels: Pixels
    points: Floats
    shut: Floats
    iod_px: float
    aperture: float
    leak: float
    facing: Floats
    detail: float
    texture: float
    teeth: Floats
    lower_teeth: Floats
    inside: Floats
    flesh: float
    look: Floats
    odd: float = 0.0


@dataclass(frozen=True, slots=True)
class Faces:
    """The one face of a clip, a row per source frame.

    Attributes:
        points: (T, 468 or more, 2 or more) px.
        iod_px: (T,) scale.
        aperture: (T,) IOD of a mouth of scale 1, at least 0.
        leak: (T,) likewise, widest gap between the lips by landmarks.
        facing: (T, 3) unit vector out of the face.
    """

    points: Floats | PackedPoints
    iod_px: NDArray[np.float64]
    aperture: Floats
    leak: Floats
    facing: Floats


def affordable(iod_px: float) -> int:
    """How many keys of a face of this size fit into ``MAX_BYTES``, at most ``MAX_KEYS``."""
    edge = 1.7 * iod_px
    return int(np.clip(MAX_BYTES / (3 * edge * edge + 4000), 8, MAX_KEYS))


def cut_keys(
    pictures: Iterable[tuple[int, Picture | Excerpt]], faces: Faces, mesh: Mesh
) -> list[Key]:
    """The mouths of some source frames, at the clip's own resolution, as far as they are in them.

    Args:
        pictures: source frames, or parts of them, with their numbers.
        faces: of all source frames.
        mesh: whose mouth triangles are cut out.
    """
    corners = np.unique(mesh.mouth)
    found = []
    for number, picture in pictures:
        iod_px = float(faces.iod_px[number])
        own = faces.points[number, :N_FACE, :2]
        box = meshes.around(own[corners], picture.shape, 1.0, pad_px=3 + int(MARGIN * iod_px))
        if box is None:
            continue
        rows = slice(box.y_px, box.y_px + box.height_px)
        columns = slice(box.x_px, box.x_px + box.width_px)
        if isinstance(picture, Excerpt) and not picture.holds((rows, columns)):
            continue
        # A copy, or a small mouth would keep a large frame.
        pixels = picture[rows, columns].copy()
        corner = np.array([box.x_px, box.y_px], np.float32)
        points = lipline.on_the_line(pixels, own - corner, iod_px)
        seen = teeth.inside(pixels, points)
        upper, lower = teeth.ends(seen, teeth.lip_level(pixels, points))
        leak = max(float(faces.leak[number]), dark_gap(pixels, points, iod_px))
        found.append(
            Key(
                frame=number,
                pixels=pixels,
                points=points,
                shut=lipline.shut(pixels, points, iod_px, leak),
                iod_px=iod_px,
                aperture=float(faces.aperture[number]),
                leak=leak,
                facing=faces.facing[number],
                detail=masks.detail(pixels, masks.ring(points[list(OUTER)], pixels.shape)),
                texture=texture(pixels, points),
                teeth=upper,
                lower_teeth=lower,
                inside=teeth.rows(seen).ravel(),
                flesh=flesh(pixels, points),
                look=cover.look(picture, own, iod_px, skirt=True),
            )
        )
    return found


def uncovered(keys: list[Key], complexion: Complexion | None) -> list[Key]:
    """The keys that nothing hides, all of them if that would leave none; each knows how odd it is.

    Args:
        keys: of the clip.
        complexion: from ``cover.learn`` of them; without one all stay as they are.
    """
    if complexion is None:
        return keys
    lips = [cover.odd(key.look, complexion) for key in keys]
    judged = [
        replace(key, odd=max(odd, cover.odd_skirt(key.look, complexion)))
        for key, odd in zip(keys, lips, strict=True)
    ]
    free = [key for key, odd in zip(judged, lips, strict=True) if cover.hidden(odd) < cover.HIDDEN]
    return free or judged


def dark_gap(pixels: Pixels, points: Floats, iod_px: float) -> float:
    """How high the dark between the lips stands, IOD; landmarks alone often call it closed.

    Args:
        pixels: (h, w, 3) BGR.
        points: (468, 2) px in pixels.
        iod_px: scale of the face.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).astype(np.float32)
    calm = cv2.GaussianBlur(grey, (0, 0), max(0.4, 0.004 * iod_px))
    up, low = points[list(UPPER_SECOND)], points[list(LOWER_SECOND)]
    way = np.linspace(0.0, 1.0, 24, dtype=np.float32)[:, None, None]
    spots = up * (1.0 - way) + low * way
    seen = cv2.remap(calm, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR)
    flesh = masks.median(seen[:3]) * (1.0 - way[..., 0]) + masks.median(seen[-3:]) * way[..., 0]
    dark = seen < DARK * np.minimum(flesh, masks.median(flesh.ravel()))
    height = dark.mean(axis=0) * np.linalg.norm(low - up, axis=1) / iod_px
    return float(np.sort(height)[-3])  # a gap is wide; one dark column is a corner or a mole


def flesh(pixels: Pixels, points: Floats) -> float:
    """Share of the gap between the inner lips that has the lips' own colour.

    Smoothed points of a mouth that opens from one frame to the next tell of a gap too soon.

    Args:
        pixels: (h, w, 3) BGR.
        points: (468, 2) px in pixels.
    """
    # Lab of the lips alone: of all that was cut out it took a quarter of a key.
    near, corner = cut_around(
        pixels, points[[*UPPER_SECOND, *LOWER_SECOND, *UPPER_INNER, *LOWER_INNER]], 2
    )
    lab = cv2.cvtColor(near, cv2.COLOR_BGR2LAB).astype(np.float32)
    points = points - corner.astype(np.float32)
    up, low = points[list(UPPER_INNER[2:-2])], points[list(LOWER_INNER[2:-2])]
    way = np.linspace(0.15, 0.85, 6, dtype=np.float32)[:, None, None]
    gap = _seen(lab, up * (1.0 - way) + low * way)
    unlike = [_unlike(gap, _seen(lab, points[None, list(lip[1:-1])])) for lip in _FLESH]
    return float((np.minimum(*unlike) < 1.0).mean())


def thickness(key: Key) -> float:
    """IOD, height of both lips of a key, the gap between them apart."""
    high, up, low, deep = key.points[list(MIDDLE)]
    flesh_px = float(np.linalg.norm(deep - high) - np.linalg.norm(low - up))
    return max(flesh_px, 1.0) / key.iod_px


def show_inside(lent: list[Key]) -> bool:
    """Some mouths, however few, are open enough to borrow insides from: a syllable shows them."""
    least, most = INSIDE_SHOWN
    return sum(key.aperture > least and key.flesh < most for key in lent) >= MIN_SHOWN


def false_gap(lent: list[Key], rush: Floats) -> Floats:
    """(P,) share of each key's gap that looks like lips, against what is usual where it is none.

    Teeth in the shade have the colour of lips; what calm open mouths of a clip show is no sign.

    Args:
        lent: P mouths.
        rush: (P,) IOD a frame by which the aperture of each changes.
    """
    share = np.array([key.flesh for key in lent], np.float32)
    is_open = np.array([key.aperture for key in lent]) > INSIDE_SHOWN[0]
    true = share[is_open & (rush < CALM)]
    if len(true) < MIN_SHOWN:
        return share
    return np.asarray(share * min(1.0, FALSE_GAP[0] / max(float(np.quantile(true, 0.25)), 1e-3)))


def _unlike(gap: Floats, lip: Floats) -> Floats:
    """(r, c) how far the (r, c, 3) Lab colours of a gap are from a lip's; 1 and more are another's.

    Args:
        gap: colours.
        lip: (1, n, 3) colours of the lip.
    """
    away = gap - masks.median(lip[0])
    depth = away[..., 0] / np.where(away[..., 0] < 0.0, FLESH_DARKER, FLESH_BRIGHTER)
    return np.asarray(np.hypot(depth, np.linalg.norm(away[..., 1:], axis=2) / FLESH_TINT))


def _seen(picture: Floats, spots: Floats) -> Floats:
    """(r, c, 3) colours at (r, c, 2) places."""
    x, y = cv2.split(spots)
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR), np.float32)


def texture(pixels: Pixels, points: Floats) -> float:
    """Logarithm of the energy of fine detail of skin and lips, whatever the inside shows."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    detail = cv2.Laplacian(grey, cv2.CV_32F)
    energy = cv2.boxFilter(detail * detail, -1, (9, 9))
    outside = np.ones(grey.shape, np.uint8)
    cv2.fillPoly(outside, [np.round(points[list(THIRD)]).astype(np.int32)], 0)
    return float(np.log1p(np.quantile(energy[outside > 0], _TEXTURE_QUANTILE)))


def even(keys: list[Key]) -> None:
    """Sharpen what has less detail than most mouths towards it, within reason.

    Each in its own place: a second set would leave holes as large as itself in the heap.
    """
    usual = float(np.quantile([key.texture for key in keys], 0.6))
    for key in keys:
        key.pixels[:] = _sharpen(key.pixels, usual - key.texture)


def _sharpen(pixels: Pixels, lacking: float) -> Pixels:
    """Raise the energy of fine detail by a logarithm, and by what resampling will take."""
    amount = float(np.clip((np.exp(lacking / 2.0) - 1.0) / ENERGY_PER_AMOUNT, 0.0, MAX_SHARPENING))
    amount += RESAMPLING_LOSS
    kernel = np.array([[0, -amount, 0], [-amount, 1 + 4 * amount, -amount], [0, -amount, 0]])
    return np.asarray(cv2.filter2D(pixels, -1, kernel.astype(np.float32)), np.uint8)


def blur(keys: list[Key]) -> Floats:
    """(P,) how much less detail each key has than the sharper quarter of them, as a logarithm."""
    textures = np.array([key.texture for key in keys])
    return np.asarray(np.maximum(0.0, np.quantile(textures, 0.75) - textures), np.float32)
