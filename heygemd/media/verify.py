"""The gate behind the encoder: the mp4 is whole and is what was planned."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from heygemd.errors import MediaError, QualityError
from heygemd.media.limits import Limits
from heygemd.media.probe import Facts, look_inside
from heygemd.media.sniff import walk_boxes

SOUND_SLACK_S = Fraction(1, 10)  # a packet of the slowest AAC in use, at the end
START_SLACK_S = Fraction(1, 1000)


def verify_video(
    path: Path, *, n_frames: int, fps: Fraction, sound_s: Fraction, limits: Limits
) -> None:
    """See that an output is whole, has its frames, and its sound from the first one on.

    Args:
        path: the mp4.
        n_frames: as planned, exactly.
        fps: as planned.
        sound_s: length of the sound.
        limits: for the look inside.

    Raises:
        QualityError: with what was planned and what was found.
    """
    try:
        facts = look_inside(path, limits)
    except MediaError as error:
        raise QualityError(f"the output cannot be read: {error}") from error
    problems = [
        *_container_problems(path),
        *_picture_problems(facts, n_frames, fps, sound_s),
        *_sound_problems(facts, sound_s),
    ]
    if problems:
        raise QualityError(f"the output is not what was planned: {'; '.join(problems)}")


def _container_problems(path: Path) -> list[str]:
    order = [box.kind for box in walk_boxes(path) if box.kind in {"moov", "mdat"}]
    return [] if order == ["moov", "mdat"] else [f"boxes {order}, want moov before mdat"]


def _picture_problems(facts: Facts, n_frames: int, fps: Fraction, sound_s: Fraction) -> list[str]:
    video = facts["video"]
    if video is None or not video["frames"]:
        return ["no picture"]
    problems = []
    tick_s = Fraction(*video["time_base"])
    length_s = (video["end"] - video["first"]) * tick_s
    if video["n_packets"] != n_frames:
        problems.append(f"{video['n_packets']} frames, planned {n_frames}")
    if abs(length_s - n_frames / fps) > tick_s:
        problems.append(
            f"picture lasts {float(length_s):.4f} s, planned {float(n_frames / fps):.4f} s"
        )
    if n_frames > 1 and abs(length_s - sound_s) > Fraction(1, 2) / fps + tick_s:
        problems.append(
            f"picture lasts {float(length_s):.4f} s, sound {float(sound_s):.4f} s, "
            "want half a frame between them at most"
        )
    if video["frames"][0]["pts"] != 0:
        problems.append(f"picture starts at {float(video['frames'][0]['pts'] * tick_s):.4f} s")
    return problems


def _sound_problems(facts: Facts, sound_s: Fraction) -> list[str]:
    audio = facts["audio"]
    if audio is None or audio["heard_at"] is None:
        return ["no sound that decodes"]
    problems = []
    tick_s = Fraction(*audio["time_base"])
    start_s = audio["heard_at"] * tick_s
    end_s = audio["end"] * tick_s
    if abs(start_s) > START_SLACK_S:
        problems.append(f"sound starts at {float(start_s):.4f} s, planned 0")
    if abs(end_s - sound_s) > SOUND_SLACK_S:
        problems.append(f"sound lasts {float(end_s):.4f} s, planned {float(sound_s):.4f} s")
    return problems
