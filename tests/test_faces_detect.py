import numpy as np
import pytest

from heygemd.faces.detect import Sighting, areas, overlaps


def boxes(*rows):
    return np.array(rows, dtype=np.float32).reshape(-1, 4)


def test_equal_boxes_overlap_fully_and_distant_ones_not_at_all():
    one = boxes([0, 0, 10, 10], [20, 20, 30, 30])
    assert np.allclose(overlaps(one, one), np.eye(2))


def test_a_box_shifted_by_half_shares_a_third_of_the_union():
    assert overlaps(boxes([0, 0, 10, 10]), boxes([5, 0, 15, 10]))[0, 0] == pytest.approx(1 / 3)


def test_no_boxes_have_no_overlaps():
    assert overlaps(boxes(), boxes([0, 0, 1, 1])).shape == (0, 1)


def test_an_inverted_box_has_no_area():
    assert areas(boxes([10, 10, 0, 0], [0, 0, 2, 3])).tolist() == [0, 6]


def test_a_sighting_refuses_boxes_that_do_not_fit_its_scores():
    with pytest.raises(ValueError, match=r"boxes \(1, 4\), want \(2, 4\)"):
        Sighting(boxes([0, 0, 1, 1]), np.ones(2, dtype=np.float32))


def test_a_sighting_refuses_points_of_another_mesh():
    points = np.zeros((1, 468, 3), dtype=np.float32)
    with pytest.raises(ValueError, match=r"want \(1, 478, 3\)"):
        Sighting(boxes([0, 0, 1, 1]), np.ones(1, dtype=np.float32), points)
