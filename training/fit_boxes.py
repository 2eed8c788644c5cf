"""How ``faces/boxes.py`` got its coefficients: boxes from mesh points, fitted to S3FD's.

    python training/fit_boxes.py --s3fd s3fd.pth --clips folder/of/clips

prints the coefficients, and the overlap with S3FD's boxes on clips that were held out.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from heygemd.faces import boxes
from heygemd.faces.detect import overlaps
from heygemd.faces.mesh import FaceMesh
from heygemd.faces.s3fd import S3fdDetector
from heygemd.records import Boxes, Frames, Points

N_FRAMES = 8  # a clip, spread over its first six seconds or so
SPAN = 150
LONG_SIDE_PX = 640  # S3FD's boxes do not depend on it; its time does
SAME_FACE = 0.4
RIDGE = 0.05  # a pull towards the bounds of the points, in examples


@dataclass(frozen=True, slots=True)
class Examples:
    """Faces that both detectors saw.

    Attributes:
        clip: (K,) names.
        points: (K, 478, 3) px.
        boxes: (K, 4) px, S3FD's.
    """

    clip: NDArray[np.str_]
    points: Points
    boxes: Boxes


def collect(folder: Path, weights: Path, device: str) -> Examples:
    """Look at every film of a folder with both detectors."""
    names, points, found = [], [], []
    slow = S3fdDetector(weights, device)
    with FaceMesh() as mesh:
        for path in sorted(folder.iterdir()):
            for frame in sample(path):
                seen, wanted = mesh.detect(frame[None])[0], slow.detect(frame[None])[0]
                if seen.points is None or not len(seen.scores) or not len(wanted.scores):
                    continue
                shared = overlaps(seen.boxes, wanted.boxes)
                for row, column in enumerate(shared.argmax(axis=1)):
                    if shared[row, column] > SAME_FACE:
                        names.append(path.name)
                        points.append(seen.points[row])
                        found.append(wanted.boxes[column])
            print(f"{path.name}: {names.count(path.name)} faces", flush=True)
    return Examples(np.array(names), np.stack(points), np.stack(found))


def sample(path: Path) -> Frames:
    """Some frames of a film, scaled down: (N, H, W, 3); none where it cannot be read."""
    film = cv2.VideoCapture(str(path))
    frames: list[NDArray[np.uint8]] = []
    while len(frames) < SPAN:
        there, frame = film.read()
        if not there:
            break
        shrink = min(1.0, LONG_SIDE_PX / max(frame.shape[:2]))
        small = cv2.resize(frame, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        frames.append(np.asarray(small, dtype=np.uint8))
    film.release()
    if not frames:
        return np.empty((0, 1, 1, 3), dtype=np.uint8)
    chosen = np.unique(np.linspace(0, len(frames) - 1, N_FRAMES + 2).astype(int)[1:-1])
    return np.stack([frames[at] for at in chosen])


def mirrored(points: Points, wanted: Boxes) -> tuple[Points, Boxes]:
    """The same faces in a mirror, so that left and right are fitted alike."""
    order = np.arange(points.shape[1])
    for right, left in ((boxes.RIGHT_EYE, boxes.LEFT_EYE), (boxes.RIGHT_EAR, boxes.LEFT_EAR)):
        order[[right, left]] = left, right
    flipped = points[:, order] * np.array([-1, 1, 1], dtype=np.float32)
    return flipped, wanted[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], dtype=np.float32)


def fit(points: Points, wanted: Boxes, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, F) coefficients, by weighted ridge regression on faces and their mirror images."""
    flipped = mirrored(points, wanted)
    both_points = np.concatenate([points, flipped[0]])
    both_wanted = np.concatenate([wanted, flipped[1]])
    features = boxes.features(both_points).astype(float)
    bounds = boxes.bounds(both_points)
    size = boxes.sizes(bounds)
    target = (both_wanted - bounds) / size[:, None]
    root = np.sqrt(np.concatenate([weight, weight]))[:, None]
    pull = np.eye(features.shape[1]) * np.sqrt(RIDGE)
    left = np.concatenate([features * root, pull])
    right = np.concatenate([target * root, np.zeros((len(pull), 4))])
    solved = np.linalg.lstsq(left, right, rcond=None)[0]
    return np.asarray(solved.T, dtype=np.float64)


def evenly(clip: NDArray[np.str_]) -> NDArray[np.float64]:
    """(K,) weights by which every clip counts the same."""
    names, row, count = np.unique(clip, return_inverse=True, return_counts=True)
    del names
    return np.asarray(1.0 / count[row], dtype=np.float64)


def held_out(examples: Examples) -> NDArray[np.float32]:
    """(K,) overlap of each face's box with S3FD's, by coefficients fitted without its clip."""
    shared = np.zeros(len(examples.clip), dtype=np.float32)
    for name in np.unique(examples.clip):
        out = examples.clip == name
        factors = fit(examples.points[~out], examples.boxes[~out], evenly(examples.clip[~out]))
        guess = boxes.fit(examples.points[out], factors.astype(np.float32))
        shared[out] = np.diag(overlaps(guess, examples.boxes[out]))
    return shared


def report(examples: Examples) -> None:
    """Print what was reached and the coefficients."""
    shared = held_out(examples)
    plain = np.diag(overlaps(boxes.bounds(examples.points), examples.boxes))
    for name in np.unique(examples.clip):
        mine = examples.clip == name
        print(f"{name:40} {np.median(plain[mine]):.3f} -> {np.median(shared[mine]):.3f}")
    print(f"median overlap on held-out clips {np.median(shared):.3f}, of {len(shared)} faces;")
    print(f"lowest tenth {np.quantile(shared, 0.1):.3f}; bounds alone {np.median(plain):.3f}")
    factors = fit(examples.points, examples.boxes, evenly(examples.clip))
    print(np.array2string(factors, precision=4, separator=", ", suppress_small=True))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--s3fd", type=Path, required=True, help="weights of S3FD")
    parser.add_argument("--clips", type=Path, required=True, help="a folder of films with faces")
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    report(collect(chosen.clips, chosen.s3fd, chosen.device))


if __name__ == "__main__":
    main()
