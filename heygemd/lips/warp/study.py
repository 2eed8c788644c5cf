"""What is learned of one clip before any frame is drawn: the person, the mouths, the plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heygemd.errors import ClipError, ConfigError, NoFaceError
from heygemd.lips.base import ClipReader
from heygemd.lips.warp import cover, geometry, keys, retarget, retrieve, voice
from heygemd.lips.warp.cover import Complexion
from heygemd.lips.warp.geometry import Basis, Floats, Pose, Shapes
from heygemd.lips.warp.keys import Key
from heygemd.lips.warp.mesh import Mesh
from heygemd.lips.warp.retarget import Person
from heygemd.lips.warp.voice import Voice
from heygemd.packed import FewPoints, PackedPoints
from heygemd.planes import Excerpt, Picture
from heygemd.records import FaceTrack, Points, Timeline

# Where the search for faces set aside this share of so many mouths, or of all that there are, the
# clip is not decoded for more.
ENOUGH = 0.9
MANY = 150
BEYOND_FRAMES = 250  # so far before and after the frames that are shown, mouths are borrowed


@dataclass(frozen=True, slots=True)
class Plan:
    """What every output frame of one clip will look like.

    Attributes:
        source: (n_out,) the source frame behind each output frame.
        points: (T, 478, 3) px, a row per source frame; of them those that the mesh shows.
        pose: of the T source frames.
        cuts: source frames that start a new shot.
        person: whose mouth it is.
        coefs: (n_out, K) whitened, suited to the person.
        slow: (n_out, K) likewise, as far as the jaw follows.
        share: (n_out,) 0..1, how much of it is done.
        painted: (n_out,) 0..1, how much of the inside is painted.
        keys: mouths to borrow.
        choice: (n_out, 2) into keys, the larger share first.
        mix: (n_out, 2) shares of the two.
        complexion: tells when something hides the mouth; None when that cannot be told.
        usual_detail: of the skin around the mouth, see ``masks.detail``.
    """

    source: NDArray[np.int64]
    points: Points | FewPoints
    pose: Pose
    cuts: tuple[int, ...]
    person: Person
    coefs: Floats
    slow: Floats
    share: Floats
    painted: Floats
    keys: tuple[Key, ...]
    choice: NDArray[np.int64]
    mix: Floats
    complexion: Complexion | None
    usual_detail: float


def study(clip: ClipReader, track: FaceTrack, heard: Voice, basis: Basis, mesh: Mesh) -> Plan:
    """See ``LipModel.study``.

    Raises:
        ConfigError: the track has boxes only.
        NoFaceError: no frame shows a face, or its mouth is never in the picture.
        ClipError: the face is too small, or turned away all the time.
        MediaError: the clip cannot be read.
    """
    if track.points is None:
        raise ConfigError(
            'the lip model "warp" needs the 478 points of a face mesh, this detector gives boxes; '
            'set faces.detector = "mediapipe" or choose another model.name'
        )
    source = clip.timeline.source
    pose = geometry.fit_pose(track.points, basis.template, cuts=track.cuts)
    shapes = geometry.Shapes(track.points, pose)
    share = _share(pose, source)
    person = retarget.meet(shapes, basis)
    followed = retarget.follow(heard)
    coefs = retarget.suit(voice.coefs_at(followed, frame_times(clip.timeline)), person, basis)
    worthy = _worthy(pose, track.cuts, source, share)
    cut = _cut_keys(clip, shapes, person, worthy, basis, mesh)
    complexion = cover.learn(np.stack([key.look for key in cut]))
    lent = keys.uncovered(cut, complexion)
    path = _assign(coefs, lent, pose, source, person, basis)
    numbers = np.array([key.frame for key in lent])
    apertures = np.array([key.aperture for key in lent], np.float32)
    choice, mix = retrieve.cross_fade(path, numbers, apertures)
    shown = person.talks or keys.show_inside(lent)
    keys.even(lent)
    return Plan(
        source=source,
        points=track.points.only(mesh.shown)
        if isinstance(track.points, PackedPoints)
        else track.points,
        pose=pose,
        cuts=track.cuts,
        person=person,
        coefs=coefs,
        slow=retarget.slowed(coefs, float(clip.timeline.fps)),
        share=share,
        painted=np.full(len(source), 0.0 if shown else 1.0, np.float32),
        keys=tuple(lent),
        choice=choice,
        mix=mix,
        complexion=complexion,
        usual_detail=float(np.quantile([key.detail for key in lent], 0.4)),
    )


def frame_times(timeline: Timeline) -> NDArray[np.float64]:
    """(n_out,) seconds, the middle of each output frame."""
    return (np.arange(timeline.n_frames, dtype=np.float64) + 0.5) / float(timeline.fps)


def _share(pose: Pose, source: NDArray[np.int64]) -> Floats:
    """How much is done in each output frame; something must be."""
    seen = np.isfinite(pose.scale)
    if not seen[source].any():
        raise NoFaceError("none of the frames that are used shows a face, want at least one")
    share = retarget.strength(pose, seen, source)
    if not (share > 0).any():
        turned, size_px = np.nanmin(geometry.yaw_deg(pose)), np.nanmax(pose.scale)
        raise ClipError(
            f"the face is turned {turned:.0f} degrees at least, its eyes {size_px:.0f} px apart at "
            f"most; want under {retarget.YAW_FADE_DEG[1]:.0f} degrees and over "
            f"{retarget.SMALL_FACE_PX[0]:.0f} px: use a larger or more frontal clip",
            code="face_unusable",
        )
    return share


def _worthy(
    pose: Pose, cuts: tuple[int, ...], source: NDArray[np.int64], share: Floats
) -> NDArray[np.int64]:
    """Source frames to borrow from: those shown in full, else at all, and some beyond.

    A sound shorter than the clip ends before some mouths are shown; they are as good as the others,
    as long as they belong to the same shots.
    """
    full = np.unique(source[share > 0.5 * share.max()])
    seen = np.isfinite(pose.scale)
    strong = retarget.strength(pose, seen, np.arange(len(seen)))
    shot = np.searchsorted(np.array(cuts), np.arange(len(seen)), side="right")
    near = np.isin(shot, shot[full])
    near[: max(0, int(full[0]) - BEYOND_FRAMES)] = False
    near[int(full[-1]) + 1 + BEYOND_FRAMES :] = False
    return np.union1d(full, np.flatnonzero(near & (strong > 0.5 * share.max())))


def _cut_keys(  # noqa: PLR0913, PLR0917 - everything known of the clip so far
    clip: ClipReader,
    shapes: Shapes,
    person: Person,
    worthy: NDArray[np.int64],
    basis: Basis,
    mesh: Mesh,
) -> list[Key]:
    """Mouths as unlike each other as can be, as many as memory allows."""
    n_wanted = keys.affordable(float(np.median(shapes.pose.scale[worthy])))
    kept = worthy[np.isin(worthy, list(clip.excerpts))]
    is_enough = len(kept) >= ENOUGH * min(MANY, n_wanted, len(worthy))
    offered = kept if is_enough else worthy
    own = retrieve.visible(person.coefs[offered], basis)
    frames = offered[retrieve.farthest(own, n_wanted)].tolist()
    faces = keys.Faces(
        points=shapes.points,
        iod_px=shapes.pose.scale,
        aperture=np.maximum(person.aperture, 0.0),
        leak=geometry.over(shapes, retarget.widest_gap) / np.float32(person.scale),
        facing=np.asarray(shapes.pose.rotation[:, :, 2], np.float32),
    )
    pictures: Iterable[tuple[int, Picture | Excerpt]]
    pictures = [(at, clip.excerpts[at]) for at in frames] if is_enough else clip.frames_at(frames)
    lent = keys.cut_keys(pictures, faces, mesh)
    if not lent:
        raise NoFaceError("the mouth lies outside the picture in every frame, want it inside")
    return lent


def _assign(  # noqa: PLR0913, PLR0917 - everything known of the clip so far
    coefs: Floats,
    lent: list[Key],
    pose: Pose,
    source: NDArray[np.int64],
    person: Person,
    basis: Basis,
) -> NDArray[np.int64]:
    """(n_out,) which key serves which output frame."""
    frames = np.array([key.frame for key in lent])
    offered = retrieve.Mouths(
        coefs=retrieve.visible(person.coefs[frames], basis),
        aperture=np.array([key.aperture for key in lent], np.float32),
        parted=np.array([key.leak for key in lent], np.float32),
        thick=np.array([keys.thickness(key) for key in lent], np.float32),
        facing=np.stack([key.facing for key in lent]),
    )
    aperture = geometry.coef_aperture(coefs, basis)
    wanted = retrieve.Mouths(
        coefs=retrieve.visible(coefs, basis),
        aperture=np.maximum(aperture, 0.0),
        parted=retarget.snapped(aperture + geometry.aperture(person.rest) / person.scale),
        thick=geometry.over(coefs, lambda some: retarget.thickness(some, person, basis)),
        facing=np.nan_to_num(pose.rotation[source][:, :, 2]).astype(np.float32),
    )
    rush = _rush(person.aperture)[frames]
    looks = retrieve.Looks(
        blur=keys.blur(lent),
        inside=np.stack([key.inside for key in lent]),
        flesh=keys.false_gap(lent, rush),
        rush=rush,
        odd=np.array([key.odd for key in lent], np.float32),
        colours=np.nan_to_num([key.look.ravel() for key in lent]),
    )
    return retrieve.choose(wanted, offered, looks, frames)


def _rush(aperture: Floats) -> Floats:
    """(T,) IOD by which the aperture changes from one frame to the next, on average of both sides.

    Args:
        aperture: (T,) IOD, NaN without a face.
    """
    padded = np.pad(aperture, 1, mode="edge")
    step = np.abs(padded[2:] - padded[:-2]) / 2
    return np.asarray(np.nan_to_num(step), np.float32)
