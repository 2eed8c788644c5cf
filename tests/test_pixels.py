"""What is compiled gives the same as what is written down here, slowly."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from heygemd import pixels, planes

TO_BGR = planes._to_bgr("bt709")
sides = st.integers(1, 14)


def noise(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def colour_at(plane, row, column):
    """A colour of 4:2:0 as one pixel has it, sited in even columns between two rows."""
    far = row // 2 + (1 if row % 2 else -1)
    tall = (3 * plane[row // 2].astype(int) + plane[np.clip(far, 0, len(plane) - 1)] + 2) // 4
    at, following = column // 2, min(column // 2 + 1, plane.shape[1] - 1)
    return (tall[at] + tall[following] + 1 - row % 2) // 2 if column % 2 else tall[at]


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(0, 99), sides, sides, st.data())
def test_a_window_holds_each_pixel_with_the_colours_between_which_it_lies(
    seed, rows, columns, data
):
    y, u, v = noise(seed, 2 * rows, 2 * columns), *noise(seed + 1, 2, rows, columns)
    top, left = data.draw(st.integers(0, 2 * rows - 1)), data.draw(st.integers(0, 2 * columns - 1))
    height, width = (data.draw(st.integers(1, n)) for n in (2 * rows - top, 2 * columns - left))

    shown = pixels.window(y, u, v, top, left, height, width, TO_BGR)

    for row, column in np.ndindex(height, width):
        at = top + row, left + column
        yuv = np.array([y[at], colour_at(u, *at), colour_at(v, *at), 1.0])
        wanted = np.clip(TO_BGR.astype(float) @ yuv, 0, 255)
        assert np.abs(shown[row, column] - wanted).max() <= 0.51


def test_a_place_on_a_pixel_has_its_brightness_and_one_beyond_the_border_the_border_s():
    y, u, v = noise(3, 8, 10), np.full((4, 5), 128, np.uint8), np.full((4, 5), 128, np.uint8)
    at = np.array([[2, 3], [2.5, 3], [-4, 3], [9, 11]], np.float32)

    found = pixels.places(y, u, v, at, TO_BGR)[:, 1]

    levels = np.array([y[3, 2], (float(y[3, 2]) + y[3, 3]) / 2, y[3, 0], y[7, 9]])
    wanted = np.clip(255 / 219 * (levels - 16), 0, 255)
    assert np.abs(found - wanted).max() < 0.01


def test_colours_of_a_place_come_from_where_they_are_sited():
    y, u, v = np.full((8, 10), 100, np.uint8), noise(1, 4, 5), np.full((4, 5), 128, np.uint8)
    at = np.array([[4, 2.5]], np.float32)  # the colour in column 2, between rows 2 and 3

    blue = pixels.places(y, u, v, at, TO_BGR)[0, 0]

    wanted = TO_BGR[0] @ [100, u[1, 2], 128, 1]
    assert abs(blue - np.clip(wanted, 0, 255)) < 0.01


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(0, 99), st.integers(8, 70), st.integers(8, 70), st.integers(1, 8))
def test_cells_are_as_bright_as_all_their_pixels_where_all_lines_are_looked_at(
    seed, height, width, n_cells
):
    plane = noise(seed, height, width)

    found = pixels.means(plane, n_cells, n_cells, 70)

    for row, column in np.ndindex(found.shape):
        y1, y2 = row * height // n_cells, (row + 1) * height // n_cells
        x1, x2 = column * width // n_cells, (column + 1) * width // n_cells
        assert abs(found[row, column] - plane[y1:y2, x1:x2].mean()) <= 0.501


def test_of_high_cells_enough_lines_are_looked_at_and_no_others():
    plane = np.zeros((100, 20), np.uint8)
    plane[::12] = 200  # 100 // 8 lines apart

    assert pixels.means(plane, 1, 2, 8).tolist() == [[200, 200]]


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(0, 99), sides, sides, st.data())
def test_colours_are_blended_by_the_alpha_of_their_six_pixels(seed, rows, columns, data):
    top, left = data.draw(st.integers(0, 2 * rows - 1)), data.draw(st.integers(0, 2 * columns - 1))
    height, width = (data.draw(st.integers(1, n)) for n in (2 * rows - top, 2 * columns - left))
    u, v = noise(seed, 2, rows, columns)
    colours = noise(seed + 1, 2, height, width)
    alpha = np.random.default_rng(seed).random((height, width), np.float32)
    before = u.astype(float), v.astype(float)

    pixels.blend(u, v, colours, alpha, left, top)

    whole = np.zeros((3, 2 * rows, 2 * columns + 1))
    whole[0, top : top + height, left + 1 : left + 1 + width] = alpha
    whole[1:, top : top + height, left + 1 : left + 1 + width] = alpha * colours
    whole[..., 0] = whole[..., 1] * (left == 0)
    share, *mixed = planes.gathered(whole.astype(np.float32))
    for after, own, more in zip((u, v), before, mixed, strict=True):
        assert np.abs(after - (own * (1 - share) + more)).max() <= 0.51
