"""Processor time of each stage of one clip, one stage after another, children included.

python benchmarks/stages.py --clip VIDEO --voice AUDIO [--model warp] [--json FILE]

Nothing overlaps here, so the figures add up to what a job costs on any number of cores. The last
row is ffmpeg's bare transcode of the same clip with the same encoder settings.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np
from measuring import measure as run
from measuring import transcode
from measuring import write as write_figures

from heygemd import models, render, settings
from heygemd.assembly import make_studio
from heygemd.faces import paste, track
from heygemd.hearing import Heard, hear
from heygemd.media import encode, probe
from heygemd.media.decode import VideoReader
from heygemd.media.timeline import lay_timeline
from heygemd.planes import Planes, joined
from heygemd.records import RenderOptions
from heygemd.studio import Studio


class Meter:
    """Processor seconds by stage."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the block; children count once they have been reaped."""
        before_s = cpu_s()
        yield
        self.cpu_s[name] = self.cpu_s.get(name, 0.0) + cpu_s() - before_s


def cpu_s() -> float:
    """Processor seconds of this process and of its children so far."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def measure(
    clip: Path, voice: Path, chosen: settings.Settings
) -> tuple[dict[str, float], int, Fraction]:
    """Processor seconds by stage, frames that came out, and their rate."""
    meter = Meter()
    with meter.stage("start"):
        studio = make_studio(chosen)
        loaded = models.load(chosen.model, chosen.faces, chosen.restore)
    with closing(loaded), tempfile.TemporaryDirectory() as scratch:
        options = RenderOptions()
        with meter.stage("hear"):
            heard = hear(voice, options, loaded, studio)
        with meter.stage("probe"):
            info = probe.probe(clip, studio.limits)
        reader = VideoReader(studio.tool, clip, info, studio.limits)
        batch = render.batch_length(info, loaded, studio)
        with meter.stage("decode, first pass"):
            for _ in reader.read_all(batch):
                pass
        with meter.stage("decode, first pass, and detect"):
            seen = render.search(reader, loaded)
        with meter.stage("track"):
            faces = track.track_face(seen.sightings, seen.cuts, options.face, seen.frame_size)
        timeline = lay_timeline(len(faces.detected), info.fps, heard.duration_s, options.length)
        reader.timeline = timeline
        with meter.stage("study"):
            plan = loaded.lips.study(reader, faces, heard.voice)
        start = 0
        laid: list[Planes] = []
        with meter.stage("decode, second pass"):
            for _ in reader.read_timeline(timeline, batch):
                pass
        for frames in reader.read_timeline(timeline, batch):
            with meter.stage("lips"):
                patches = loaded.lips.speak(frames, plan, range(start, start + len(frames)))
            with meter.stage("paste"):
                paste.lay(frames, patches)
            start += len(frames)
            laid = [*laid[-3:], frames]  # some frames with moved lips, to be encoded
        with meter.stage("encode"):
            write(studio, looped(laid, timeline.n_frames), reader, heard, Path(scratch, "out.mp4"))
    return meter.cpu_s, timeline.n_frames, timeline.fps


def looped(batches: list[Planes], n_frames: int) -> Iterator[Planes]:
    """Frames forth and back until there are enough."""
    frames = cast("Planes", joined(batches))
    order = np.concatenate([np.arange(len(frames)), np.arange(len(frames) - 2, 0, -1)])
    for start in range(0, n_frames, 4):
        rows = order[np.arange(start, min(start + 4, n_frames)) % len(order)]
        yield replace(frames, packed=frames.packed[rows])


def write(
    studio: Studio, frames: Iterable[Planes], reader: VideoReader, heard: Heard, out: Path
) -> None:
    """Encode as a job does."""
    timeline = reader.timeline
    encode.write_video(
        studio.tool,
        frames,
        out,
        info=reader.info,
        fps=timeline.fps,
        n_frames=timeline.n_frames,
        sound=encode.Sound(heard.path, heard.info, heard.duration_s),
        options=studio.encode,
        limits=studio.limits,
    )


def bare(clip: Path, voice: Path, seconds: float) -> float:
    """Processor seconds of a plain transcode with the encoder settings that are the default."""
    with tempfile.TemporaryDirectory() as scratch:
        return run(transcode(clip, voice, seconds, Path(scratch, "bare.mp4"))).cpu_s


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--voice", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    chosen = settings.load(None, overrides=arguments.set)
    started_s = time.monotonic()
    spent_s, n_frames, fps = measure(arguments.clip, arguments.voice, chosen)
    wall_s = time.monotonic() - started_s
    detect_s = spent_s.pop("decode, first pass, and detect") - spent_s["decode, first pass"]
    spent_s["detect"] = detect_s
    spent_s["bare transcode"] = bare(arguments.clip, arguments.voice, n_frames / float(fps))
    for name, stage_s in spent_s.items():
        print(f"{name:22s} {stage_s:7.2f} s  {1000 * stage_s / n_frames:7.2f} ms a frame")
    rows = [{"wall_s": wall_s, "n_frames": n_frames, "cpu_s": spent_s}]
    write_figures(arguments.json, "stages", rows)


if __name__ == "__main__":
    main()
