"""One crop of a picture: where it lies, how it shrinks, what is beyond the border."""

import numpy as np
import pytest

from heygemd.faces.crops import cut

RAMP = np.tile(np.arange(200, dtype=np.uint8)[None, :, None], (200, 1, 3))


def view(scale, x, y):
    return np.float32([[scale, 0, x], [0, scale, y]])


def test_a_crop_of_the_same_scale_is_the_picture_itself():
    crop = cut(RAMP, view(1.0, 30, 40), (50, 20), grey=False)
    assert np.array_equal(crop, RAMP[40:60, 30:80])


def test_a_smaller_crop_is_an_average_and_not_a_sample():
    stripes = np.zeros((200, 200, 3), np.uint8)
    stripes[:, ::4] = 240
    crop = cut(stripes, view(4.0, 41.5, 41.5), (20, 20), grey=True)
    assert crop == pytest.approx(60, abs=1)


def test_grey_has_one_number_a_pixel():
    assert cut(RAMP, view(1.0, 30, 40), (50, 20), grey=True).shape == (20, 50)


def test_beyond_the_border_it_is_repeated():
    crop = cut(RAMP, view(1.0, 190, 0), (20, 4), grey=True)
    assert (crop[:, 10:] == 199).all()
