"""Pictures of one public-domain face (Eileen Collins, NASA), of any size and place."""

from functools import cache

import cv2
import numpy as np
from skimage import data

FACE = (170, 60, 280, 200)  # x1 y1 x2 y2 in the portrait, by eye


@cache
def _portrait():
    return np.ascontiguousarray(data.astronaut()[..., ::-1])


def picture(width_px=320, height_px=240, *, face_px=80, centre=(160, 120), turn_deg=0.0):
    """(H, W, 3) uint8 BGR: the face ``face_px`` wide about ``centre``, on plain grey."""
    scale = face_px / (FACE[2] - FACE[0])
    middle = ((FACE[0] + FACE[2]) / 2, (FACE[1] + FACE[3]) / 2)
    place = cv2.getRotationMatrix2D(middle, turn_deg, scale)
    place[:, 2] += np.array(centre) - middle
    size = (width_px, height_px)
    return cv2.warpAffine(_portrait(), place, size, flags=cv2.INTER_AREA, borderValue=(90, 90, 90))


def clip(n_frames, step=(3, 1), **picture_options):
    """(N, H, W, 3): the face moving by ``step`` px a frame."""
    x, y = picture_options.pop("centre", (120, 110))
    return np.stack(
        [
            picture(centre=(x + at * step[0], y + at * step[1]), **picture_options)
            for at in range(n_frames)
        ]
    )
