from dataclasses import replace

import cv2
import numpy as np
import pytest
from drawn_talker import BASIS, pose, shapes, talker, voice_of

from heygemd.lips.warp import cover, geometry, masks, mesh, overlay, teeth
from heygemd.lips.warp.aim import take_aim
from heygemd.lips.warp.landmarks import LIPS
from heygemd.lips.warp.study import study

MESH = mesh.build_mesh(BASIS)
TALK = [0.0, 0.05, 0.2, 0.12, 0.0, 0.18, 0.25, 0.02]
SPEECH = [0.0, 0.2, 0.25, 0.2, 0.0, 0.0, 0.0, 0.2]


@pytest.fixture(scope="module")
def plan_and_clip():
    clip, track = talker(TALK)
    return study(clip, track, voice_of(SPEECH), BASIS, MESH), clip


def laid_over(plan_and_clip, at, alter=lambda frame: frame):
    """The skin under a mouth and the mouth made for it, of one frame altered first."""
    plan, clip = plan_and_clip
    frame = alter(clip.frames[at])
    (aim,) = take_aim(plan, range(at, at + 1), BASIS, MESH)
    whole = mesh.Grid(0, 0, frame.shape[1], frame.shape[0], 1.0)
    spot = overlay.find_spot(frame, aim.goal, whole, aim.iod_px, aim.aperture)
    anchors = mesh.anchor_points(aim.points, MESH)
    return spot, overlay.borrow(spot, aim, anchors, MESH)


@pytest.mark.parametrize("aperture", [0.0, 0.2, 0.25])
@pytest.mark.parametrize("size", [1.0, 1.3])
def test_what_is_laid_over_a_frame_ends_within_the_mesh_however_large_the_lips(aperture, size):
    goal = geometry.to_image(shapes([aperture]), pose(1, iod_px=100.0))[0, :468, :2]
    goal[list(LIPS)] = masks.swell(goal[list(LIPS)], size, size)
    whole = mesh.Grid(-200, -200, 900, 900, 1.0)

    spot = overlay.find_spot(np.zeros((900, 900, 3), np.uint8), goal, whole, 100.0, aperture)

    ids = mesh.triangle_ids(goal, MESH.mouth, spot.grid)
    outside = cv2.resize((ids == 0).astype(np.uint8), spot.alpha.shape[::-1]) > 0
    assert spot.alpha[outside & (spot.inside == 0.0)].max(initial=0.0) < 0.01


def all_over(share):
    """The same share of the gap on each way across."""
    return np.full(9, share, np.float32)


@pytest.mark.parametrize("light", [0.6, 0.8, 1.0])
def test_a_borrowed_mouth_takes_the_light_of_the_frame(plan_and_clip, light):
    spot, layer = laid_over(plan_and_clip, 2, lambda f: (f * np.float32(light)).astype(np.uint8))

    np.testing.assert_allclose(
        spot.around(layer).mean(axis=0), spot.around(spot.skin).mean(axis=0), rtol=0.06
    )


def test_a_light_from_the_side_falls_on_the_borrowed_mouth_too(plan_and_clip):
    ramp = np.linspace(0.6, 1.1, 300, dtype=np.float32)[None, :, None]
    spot, layer = laid_over(plan_and_clip, 2, lambda f: (f * ramp).clip(0, 255).astype(np.uint8))
    columns = np.nonzero(spot.ring)[1]
    left = columns < spot.ring.shape[1] / 2

    wanted, found = (
        around[left].mean() / around[~left].mean()
        for around in (spot.around(spot.skin), spot.around(layer))
    )
    assert wanted < 0.97
    assert found == pytest.approx(wanted, abs=0.03)


@pytest.mark.parametrize(("red", "kept"), [(0.96, 1.0), (0.7, 0.79)])
def test_skin_that_blushes_does_not_colour_teeth_but_a_light_does(plan_and_clip, red, kept):
    def redness(tint):
        spot, layer = laid_over(
            plan_and_clip, 2, lambda f: (f * np.array([1.0, 1.0, tint])).astype(np.uint8)
        )
        colour = layer[spot.inside > 0.9].mean(axis=0)
        return colour[2] / colour[1]

    assert redness(red) / redness(1.0) == pytest.approx(kept, abs=0.02)


def test_a_fold_that_only_the_frame_has_does_not_darken_the_borrowed_mouth(plan_and_clip):
    plain_spot, plain = laid_over(plan_and_clip, 2)
    rows, columns = np.nonzero(plain_spot.ring)
    left = plain_spot.grid.x_px + int(columns.min() * plain_spot.stride)
    top = plain_spot.grid.y_px + int(rows.min() * plain_spot.stride)

    def folded(frame):
        dark = frame.copy()
        dark[top:, left : left + 6] = dark[top:, left : left + 6] // 3
        return dark

    _, layer = laid_over(plan_and_clip, 2, folded)

    inside = plain_spot.inside > 0.9
    assert layer[inside].mean() == pytest.approx(plain[inside].mean(), rel=0.02)


@pytest.mark.parametrize(("upper", "flesh"), [(teeth.NONE, 0.0), (0.7, 0.0), (0.5, 0.6)])
def test_teeth_and_lips_that_would_be_stretched_are_painted_over_and_the_dark_is_not(
    plan_and_clip, upper, flesh
):
    plan, clip = plan_and_clip
    (aim,) = take_aim(plan, range(2, 3), BASIS, MESH)
    narrow = next(key for key in plan.keys if key.frame == 3)
    key = replace(narrow, teeth=all_over(upper), lower_teeth=all_over(0.2), flesh=flesh)
    whole = mesh.Grid(0, 0, clip.frames.shape[2], clip.frames.shape[1], 1.0)
    spot = overlay.find_spot(clip.frames[2], aim.goal, whole, aim.iod_px, aim.aperture)
    layer = np.full((*spot.alpha.shape, 3), 90.0, np.float32)

    aim = replace(aim, keys=((key, 1.0),))
    filled = overlay._fill(layer, spot, aim, overlay._gape(aim))

    is_dark = upper == teeth.NONE and flesh == 0.0
    assert (np.abs(filled - layer).max() < 1.0) == is_dark


@pytest.mark.parametrize(
    ("light", "own", "is_painted"),
    [(0.4, 0.1, True), (0.7, 0.1, False), (0.7, 0.01, True), (0.9, 0.01, False)],
)
def test_dark_is_painted_over_the_dark_and_over_lips_but_over_no_teeth(
    plan_and_clip, light, own, is_painted
):
    plan, clip = plan_and_clip
    (aim,) = take_aim(plan, range(2, 3), BASIS, MESH)
    narrow = next(key for key in plan.keys if key.frame == 3)
    rows = {"teeth": all_over(0.7), "lower_teeth": all_over(0.2)}
    key = replace(narrow, aperture=own, flesh=0.0, **rows)
    whole = mesh.Grid(0, 0, clip.frames.shape[2], clip.frames.shape[1], 1.0)
    spot = overlay.find_spot(clip.frames[2], aim.goal, whole, aim.iod_px, aim.aperture)
    grey = light * spot.around(spot.skin).mean()
    layer = np.full((*spot.alpha.shape, 3), grey, np.float32)

    aim = replace(aim, keys=((key, 1.0),))
    filled = overlay._fill(layer, spot, aim, overlay._gape(aim))

    assert (np.abs(filled - layer).max() > 1.0) == is_painted


def test_less_light_is_left_between_lips_that_come_nearer_than_in_the_key(plan_and_clip):
    plan, _ = plan_and_clip
    (aim,) = take_aim(plan, range(2, 3), BASIS, MESH)
    aim = replace(aim, aperture=0.02)
    spot, _ = laid_over(plan_and_clip, 2)
    flat = np.full((*spot.alpha.shape, 3), 200.0, np.float32)
    wide, narrow = (replace(plan.keys[0], aperture=aperture) for aperture in (0.2, 0.01))

    dimmed = overlay._dim(flat.copy(), spot, aim, wide)

    blue, _, red = dimmed[spot.inside > 0.9].mean(axis=0)
    assert 90.0 < blue < red < 180.0
    assert (dimmed[0] == 200.0).all()
    np.testing.assert_array_equal(overlay._dim(flat.copy(), spot, aim, narrow), flat)


def test_two_keys_share_their_light_and_the_first_one_keeps_its_fine_detail():
    grain = 10.0 * (np.indices((60, 60)).sum(axis=0) % 2)[..., None]
    layer = (100.0 + grain * np.ones(3)).astype(np.float32)

    mixed = overlay._fade(layer, layer[:, ::-1] + 40.0, np.full((60, 60), np.float32(0.3)))

    assert mixed.mean() == pytest.approx(layer.mean() + 0.3 * 40.0, abs=0.1)
    assert mixed.std() == pytest.approx(layer.std(), rel=0.02)


def test_a_blurred_frame_gets_a_blurred_mouth(plan_and_clip):
    def detail(picture):
        return np.abs(cv2.Laplacian(np.float32(picture), cv2.CV_32F)).mean()

    _, sharp = laid_over(plan_and_clip, 2)
    _, soft = laid_over(plan_and_clip, 2, lambda f: cv2.GaussianBlur(f, (0, 0), 3.0))

    assert detail(soft) < 0.5 * detail(sharp)


def test_the_mask_ends_before_its_rectangle_does(plan_and_clip):
    spot, _ = laid_over(plan_and_clip, 3)

    rim = [spot.alpha[0], spot.alpha[-1], spot.alpha[:, 0], spot.alpha[:, -1]]
    assert max(line.max() for line in rim) == 0.0
    assert spot.alpha.max() == 1.0


def test_the_mask_covers_the_lips_whole(plan_and_clip):
    spot, _ = laid_over(plan_and_clip, 3)
    lips = spot.goal[list(overlay.OUTER)].round().astype(int)

    assert spot.alpha[lips[:, 1], lips[:, 0]].min() > 0.5


def test_closed_lips_have_no_inside(plan_and_clip):
    spot, _ = laid_over(plan_and_clip, 5)

    assert spot.inside.max() == 0.0


def test_the_line_of_closed_lips_is_fainter_where_a_pixel_is_much_of_the_face(plan_and_clip):
    plan, _ = plan_and_clip
    spot, _ = laid_over(plan_and_clip, 5)
    (aim,) = take_aim(plan, range(5, 6), BASIS, MESH)
    flat = np.full((*spot.alpha.shape, 3), 100.0, np.float32)

    large, small = (
        100.0 - overlay._seal(flat, spot, replace(aim, iod_px=iod_px)).min()
        for iod_px in (90.0, 25.0)
    )

    assert large > 5.0
    assert small < 0.6 * large


def test_a_mouth_outside_the_picture_has_no_spot():
    away = np.full((468, 2), 5000.0, np.float32)

    assert (
        overlay.find_spot(
            np.zeros((50, 50, 3), np.uint8), away, mesh.Grid(0, 0, 50, 50, 1.0), 70.0, 0.1
        )
        is None
    )


def test_edges_of_open_lips_are_drawn_into_the_flesh_when_they_are_to_close(plan_and_clip):
    plan, _ = plan_and_clip
    wide = max(plan.keys, key=lambda key: key.aperture)

    drawn = overlay._lips_without_inside(wide, 0.0)

    assert drawn[13, 1] < wide.points[13, 1] - 1.0
    assert drawn[14, 1] > wide.points[14, 1] + 1.0
    np.testing.assert_array_equal(overlay._lips_without_inside(wide, 0.2), wide.points)


def test_no_teeth_are_seen_between_lips_of_an_open_mouth_that_are_closed(plan_and_clip):
    plan, _ = plan_and_clip
    wide = max(plan.keys, key=lambda key: key.aperture)
    white = wide.pixels.copy()
    inner = np.round(wide.points[list(overlay.INNER)]).astype(np.int32)
    cv2.fillPoly(white, [inner], (255, 255, 255))
    (aim,) = take_aim(plan, range(5, 6), BASIS, MESH)
    aim = replace(aim, keys=((replace(wide, pixels=white), 1.0),))
    spot, _ = laid_over(plan_and_clip, 5)
    anchors = mesh.anchor_points(aim.points, MESH)

    (fitted,) = overlay._fit(spot, aim, overlay._gape(aim), anchors, MESH)

    outline = overlay.masks.swell(spot.goal[list(overlay.OUTER)], 0.9, 0.7)
    lips = overlay.masks.polygon(outline, fitted.shape)
    assert aim.aperture < overlay.CLOSED
    assert fitted[lips > 0.9].min(axis=1).max() < 120


def test_lips_of_an_open_mouth_that_are_closed_meet_in_a_line_and_not_in_a_stair(plan_and_clip):
    plan, _ = plan_and_clip
    wide = max(plan.keys, key=lambda key: key.aperture)
    edge = wide.points[list(overlay.UPPER_INNER)] + wide.points[list(overlay.LOWER_INNER)]
    height, width = wide.pixels.shape[:2]
    line = np.interp(np.arange(width), edge[:, 0] / 2, edge[:, 1] / 2)
    above = np.arange(height)[:, None] < line
    split = np.repeat(np.where(above, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    (aim,) = take_aim(plan, range(5, 6), BASIS, MESH)
    aim = replace(aim, keys=((replace(wide, pixels=split, leak=0.1), 1.0),))
    spot, _ = laid_over(plan_and_clip, 5)

    (fitted,) = overlay._fit(
        spot, aim, overlay._gape(aim), mesh.anchor_points(aim.points, MESH), MESH
    )

    left, right = np.round(spot.goal[[78, 308], 0]).astype(int)
    steps = -np.diff(fitted[:, left + 2 : right - 2, 0].astype(int), axis=0)
    assert (fitted[..., 0] == 255).any()
    assert (fitted[..., 0] == 0).any()
    assert steps.max() < 220


def test_beyond_the_corners_of_closed_lips_skin_goes_on_without_a_break(plan_and_clip):
    plan, _ = plan_and_clip
    (aim,) = take_aim(plan, range(5, 6), BASIS, MESH)
    key = aim.keys[0][0]

    def hanging(points):
        """The same face, its cheeks lower the further they are beyond the corners."""
        left, right = points[[61, 291], 0]
        bent = points.copy()
        bent[:, 1] += np.maximum(0.0, np.maximum(left - points[:, 0], points[:, 0] - right))
        return bent

    aim = replace(aim, goal=hanging(aim.goal))
    height, width = key.pixels.shape[:2]
    down, across = np.mgrid[0:height, 0:width]
    ramps = np.stack([across, down, across + down], axis=2).astype(np.uint8)
    key = replace(key, pixels=ramps, points=hanging(key.points), leak=0.1)
    aim = replace(aim, keys=((key, 1.0),))
    spot, _ = laid_over(plan_and_clip, 5)

    (fitted,) = overlay._fit(
        spot, aim, overlay._gape(aim), mesh.anchor_points(aim.points, MESH), MESH
    )

    beyond = spot.alpha > 0.0
    columns = np.arange(fitted.shape[1])
    beyond &= (columns < spot.goal[61, 0] - 1) | (columns > spot.goal[291, 0] + 1)
    steps = np.abs(np.diff(fitted[..., :2].astype(int), axis=0)).max(axis=2)
    assert beyond.any()
    assert steps[beyond[1:]].max() <= 4


def test_too_few_mouths_do_not_say_what_is_usual(plan_and_clip):
    plan, _ = plan_and_clip

    assert cover.learn(np.stack([key.look for key in plan.keys[:3]])) is None


def test_a_drawing_without_grain_is_never_blurred():
    clip, track = talker(TALK)
    flat = np.stack([cv2.medianBlur(frame, 9) for frame in clip.frames])
    plan = study(replace(clip, frames=flat), track, voice_of(SPEECH), BASIS, MESH)
    spot, _ = laid_over((plan, replace(clip, frames=flat)), 2)

    assert overlay._match_blur(spot.skin, spot, plan.usual_detail) is spot.skin
