"""How good moved lips are: each model on each clip, driven by its own voice and by others.

python benchmarks/lips.py --media FOLDER --voices AUDIO... [--model warp wav2lip --path CHECKPOINT]

Every clip goes the way of a job; the mp4 that comes out is looked at again with the same detector.
Driven by its own voice, a clip lends no mouth of the seconds that are judged. Prints a table and
writes JSON and contact sheets. What was asked is what ``warp`` hears, whatever the model.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import cv2
import imageio_ffmpeg
import mouths
import numpy as np
import torch
import watching
from numpy.typing import NDArray

from heygemd import models
from heygemd.assembly import make_studio
from heygemd.errors import HeygemdError
from heygemd.faces import mouths as cuts
from heygemd.faces import track, watch
from heygemd.hearing import hear as hear_file
from heygemd.lips import mel
from heygemd.lips.base import LipModel
from heygemd.lips.warp import geometry, retarget
from heygemd.lips.warp.geometry import Floats
from heygemd.lips.warp.model import ASSETS, FACE_FILE, VOICE_FILE
from heygemd.lips.warp.study import frame_times
from heygemd.lips.warp.voice import coefs_at, hear, level, load_net
from heygemd.log import configure
from heygemd.media import probe
from heygemd.media.audio import read_waveform
from heygemd.media.decode import VideoReader
from heygemd.planes import Planes
from heygemd.quality import SyncScorer
from heygemd.records import Clip, FaceTrack, Points, RenderOptions, Timeline, Waveform
from heygemd.render import ClipTask, render_clip
from heygemd.settings import Model, Settings
from heygemd.studio import Studio

FILMS = {
    ".png",
    ".jpg",
    ".mp4",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".mpg",
    ".m4v",
    ".ts",
    ".wmv",
    ".flv",
}
SOUNDS = {".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".opus", ".wma", ".aiff"}
SHOWN = (
    *("r", "slope", "leak", "closed", "open", "jitter", "sharp", "fine", "flicker_p50"),
    *("flicker_p98", "offset_ms", "confidence", "psnr_db", "ssim", "lip_error", "ms"),
)
LEAST = 0.01  # of what is compared; a still picture has no flicker
BATCH = 8


@dataclass(frozen=True, slots=True)
class Run:
    """One model, one clip, one voice.

    Attributes:
        own: the voice is the clip's own.
    """

    model: str
    clip: Path
    voice: Path
    own: bool

    @property
    def name(self) -> str:
        """For files and tables."""
        return f"{self.clip.stem}--{'own' if self.own else self.voice.stem}--{self.model}"


@dataclass(slots=True)
class Bench:
    """What all runs share."""

    studio: Studio
    detector: watching.Remembering
    out: Path
    seconds: float
    keep: bool
    cell_px: int
    scorer: SyncScorer
    _net: torch.nn.Module = field(default_factory=lambda: load_net(ASSETS / VOICE_FILE))
    _basis: geometry.Basis = field(default_factory=lambda: geometry.load_basis(ASSETS / FACE_FILE))

    def measure(self, run: Run, lips: LipModel) -> dict[str, Any]:
        """Render one clip and look at the result.

        Raises:
            HeygemdError: the clip cannot be done.
        """
        watched = watching.Watched(lips, blindfold=run.own)
        loaded = models.Models(self.detector, watched, 2)
        whole = read_waveform(self.studio.tool, run.voice, self.studio.limits)
        sound = Waveform(whole.samples[: int(self.seconds * whole.rate_hz)], whole.rate_hz)
        heard = hear_file(run.voice, RenderOptions(), loaded, self.studio)
        heard = replace(heard, duration_s=sound.duration_s, voice=lips.hear(sound))
        made = self.out / f"{run.name}.mp4"
        options = RenderOptions("trim" if run.own else "pingpong", min_coverage=0.1)
        clip = Clip("0001", run.clip.name, run.clip.stem, run.clip)
        task = ClipTask(clip, heard, made, options)
        result = render_clip(task, loaded, self.studio)
        figures: dict[str, Any] = {"model": run.model, "clip": run.clip.name, "own": run.own}
        figures["voice"] = run.voice.name
        figures["coverage"] = result.coverage
        figures |= self._look(run, made, watched, sound)
        if not self.keep:
            made.unlink()
        return figures

    def _look(
        self, run: Run, made: Path, watched: watching.Watched, sound: Waveform
    ) -> dict[str, Any]:
        """Figures of a finished mp4."""
        seen, source = self._track_again(made), watched.timeline.source
        own_track = watched.track
        if own_track is None or own_track.points is None or seen.points is None:
            raise SystemExit("no face mesh: set faces.detector = mediapipe")
        n_frames = min(len(source), len(seen.points))
        source = source[:n_frames]
        own_points, points = own_track.points[:], seen.points[:n_frames]
        own = mouths.shapes_of(own_points, self._basis.template, own_track.cuts)
        out = mouths.shapes_of(points, self._basis.template, seen.cuts)
        person = retarget.meet(own, self._basis)
        shut = np.nanmedian(geometry.aperture(own) / person.scale - person.aperture)
        apertures = (geometry.aperture(out) / person.scale - shut).astype(np.float32)
        judged = np.ones(n_frames, np.bool_)
        if run.own:
            judged = watching.judged_frames(source, watched.timeline.fps)
        looks = self._compare(run, made, watched, (own_points, points), judged)
        sizes_px = [mouths.iod_px(face) for face in own_points[source]]
        figures = {
            "n_frames": n_frames,
            "iod_px": float(np.nanmedian(sizes_px)),
            "ms": 1e3 * watched.speak_s / n_frames,
            "sharp": mouths.sharpness(looks),
            "fine": _ratio(looks.fineness, 0.5),
            "flicker_p50": _ratio(looks.flicker, 0.5),
            "flicker_p98": _ratio(looks.flicker, 0.98),
        }
        if run.own:
            figures |= {
                "psnr_db": float(np.mean(looks.psnr_db)),
                "ssim": float(np.mean(looks.ssim)),
                "lip_error": mouths.lip_error(own[source][judged], out[judged]),
            }
        else:
            asked = self._asked(sound, watched.timeline, person)[:n_frames]
            figures |= mouths.obedience(asked, apertures, person.aperture[source])
            figures["jitter"] = mouths.trembling(out, own[source])
        return figures | self._sync(made, seen, sound)

    def _asked(self, sound: Waveform, timeline: Timeline, person: retarget.Person) -> Floats:
        """(n_out,) aperture that the voice asks of this person."""
        followed = retarget.follow(hear(sound, self._net))
        coefs = coefs_at(followed, frame_times(timeline))
        suited = retarget.suit(coefs, person, self._basis)
        return np.maximum(geometry.coef_aperture(suited, self._basis), 0.0)

    def _sync(self, made: Path, seen: FaceTrack, sound: Waveform) -> dict[str, float]:
        """Offset and confidence by the scorer; nothing of a clip that shows too little."""
        reader, views = self._reader(made), cuts.mouth_views(cast("Points", seen.points))
        crops, first = [], 0
        for batch in reader.read_all(BATCH):
            crops.append(cuts.cut_mouths(batch, views[first : first + len(batch)]))
            first += len(batch)
        heard = mel.log_mel(level(sound))
        score = self.scorer.score(np.concatenate(crops), heard, fps=float(reader.info.fps))
        if score is None:
            return {}
        return {"offset_ms": score.offset_ms, "confidence": score.confidence}

    def _track_again(self, made: Path) -> FaceTrack:
        """Who is seen in the mp4."""
        looked = watch.watch(self._reader(made).read_all(BATCH), self.detector, n_threads=2)
        return track.track_face(looked.sightings, looked.cuts, "largest", looked.frame_size)

    def _compare(
        self,
        run: Run,
        made: Path,
        watched: watching.Watched,
        points: tuple[Floats, Floats],
        judged: NDArray[np.bool_],
    ) -> mouths.Looks:
        """Both videos side by side, and a sheet of them."""
        timeline = watched.timeline
        looks = mouths.Looks(geometry.neutral(mouths.shapes_of(points[0], self._basis.template)))
        cells: dict[str, list[mouths.Picture]] = {"source": [], "output": [], "row": [], "next": []}
        shown = set(np.linspace(4, max(4, len(judged) - 5), 8).astype(int).tolist())
        first = int(0.4 * len(judged))
        before = self._reader(run.clip).read_timeline(timeline, BATCH)
        after = self._reader(made).read_all(BATCH)
        for number, (old, new) in enumerate(_pairs(before, after)):
            if number >= len(judged) or not judged[number]:
                looks.skip()
                continue
            face, again = points[0][timeline.source[number]], points[1][number]
            if not np.isfinite([face[0, 0], again[0, 0]]).all():
                looks.skip()
                continue
            looks.see(old, new, face, again)
            cut = [mouths.crop(picture, face, 0.8, self.cell_px) for picture in (old, new)]
            if number in shown:
                cells["source"].append(cut[0])
                cells["output"].append(cut[1])
            if first <= number < first + 16:
                cells["row" if number < first + 8 else "next"].append(cut[1])
        mouths.write_sheet(self.out / f"{run.name}.png", [row for row in cells.values() if row])
        return looks

    def _reader(self, path: Path) -> VideoReader:
        info = probe.probe(path, self.studio.limits)
        return VideoReader(self.studio.tool, path, info, self.studio.limits)


def _pairs(
    one: Iterator[Planes], other: Iterator[Planes]
) -> Iterator[tuple[mouths.Picture, mouths.Picture]]:
    """Frame by frame, as long as both last."""
    for before, after in zip(one, other, strict=False):
        yield from zip(before.bgr(), after.bgr(), strict=False)


def _ratio(pairs: Sequence[tuple[float, float]], quantile: float) -> float:
    """A quantile of the output's figure against the same of the source's; NaN where that is 0."""
    if not pairs:
        return float("nan")
    source, output = np.quantile(np.array(pairs), quantile, axis=0)
    return float(output / source) if source > LEAST else float("nan")


def sound_of(clip: Path, folder: Path) -> Path | None:
    """A clip's own voice as a file; None where it has none worth hearing."""
    out = folder / f"{clip.stem}.wav"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", "-i", str(clip),
               "-vn", "-ac", "1", "-ar", "16000", str(out)]  # fmt: skip
    if subprocess.run(command, check=False, capture_output=True).returncode:
        return None
    loud = np.frombuffer(out.read_bytes()[44:], np.int16).astype(np.float32)
    return out if len(loud) and np.abs(loud).max() > 300 else None


def files(folders: Iterable[Path], kinds: set[str]) -> list[Path]:
    """Files as named, and those of a kind in folders."""
    found: list[Path] = []
    for path in folders:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        found += [file for file in inside if file.suffix.lower() in kinds]
    return found


def plan_runs(arguments: argparse.Namespace, folder: Path) -> list[Run]:
    """What is to be run, clip by clip, so that faces are looked for once."""
    clips, voices = files(arguments.media, FILMS), files(arguments.voices, SOUNDS)
    if arguments.only:
        clips = [clip for clip in clips if any(word in clip.name for word in arguments.only)]
    runs = []
    for place, clip in enumerate(clips[: arguments.clips or None]):
        driven = [voices[place % len(voices)]] if arguments.one_voice and voices else voices
        own = None if arguments.no_own else sound_of(clip, folder)
        for model in arguments.model:
            runs += [Run(model, clip, voice, own=False) for voice in driven]
            runs += [Run(model, clip, own, own=True)] if own else []
    return runs


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """One line a run, means at the end; figures are explained in docs/lips.md."""
    print(f"{'':44s} {' '.join(f'{name[:7]:>7s}' for name in SHOWN)}")
    for row in rows:
        own = "own" if row["own"] else Path(row["voice"]).stem
        clip = Path(row["clip"]).stem
        print(f"{clip[:22]:22s} {own[:12]:12s} {row['model'][:8]:8s} {line(row)}")
    for model in sorted({row["model"] for row in rows}):
        print(
            f"{'mean':35s} {model[:8]:8s} {line(means([r for r in rows if r['model'] == model]))}"
        )


def line(row: dict[str, Any]) -> str:
    """The figures of one run."""
    there = [row.get(name) for name in SHOWN]
    return " ".join(
        f"{'':7s}" if value is None or np.isnan(value) else f"{value:7.{_digits(value)}f}"
        for value in there
    )


def _digits(value: float) -> int:
    return 2 if abs(value) < 10 else 1


def means(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Of every figure, over the runs that have it."""
    found = {}
    for name in SHOWN:
        values = [row[name] for row in rows if name in row and np.isfinite(row[name])]
        if values:
            found[name] = float(np.mean(values))
    return found


def write_figures(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """All rows as JSON; null where a figure has no meaning."""
    told = [
        {key: None if isinstance(v, float) and np.isnan(v) else v for key, v in row.items()}
        for row in rows
    ]
    path.write_text(json.dumps({"machine": platform.processor(), "rows": told}, indent=2) + "\n")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--media", type=Path, nargs="+", required=True, help="clips or folders")
    parser.add_argument("--voices", type=Path, nargs="*", default=[], help="sounds or folders")
    parser.add_argument("--model", nargs="+", default=["warp"])
    parser.add_argument("--path", type=Path, help="checkpoint for wav2lip")
    parser.add_argument("--clips", type=int, default=0, help="at most so many")
    parser.add_argument("--only", nargs="*", help="clips whose names hold one of these words")
    parser.add_argument("--one-voice", action="store_true", help="one voice a clip, in turn")
    parser.add_argument("--no-own", action="store_true", help="leave out the clips' own voices")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--out", type=Path, default=Path("lips-out"), help="sheets and JSON")
    parser.add_argument("--faces", type=Path, help="keep here where faces are, for the next run")
    parser.add_argument("--cell", type=int, default=224, help="px of a cell in the sheets")
    parser.add_argument("--keep", action="store_true", help="keep the mp4s")
    return parser.parse_args()


def main() -> None:
    """Run all, print as it goes."""
    arguments = parse()
    for folder in filter(None, (arguments.out, arguments.faces)):
        folder.mkdir(parents=True, exist_ok=True)
    configure("error", style="console")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)  # figures are of one core
    settings = Settings()
    lips = {
        name: models.load(
            Model(name=name, path=arguments.path, device="cpu"), settings.faces, settings.restore
        )
        for name in arguments.model
    }
    detector = watching.Remembering(next(iter(lips.values())).detector, arguments.faces)
    studio = make_studio(settings)
    bench = Bench(
        studio,
        detector,
        arguments.out,
        arguments.seconds,
        arguments.keep,
        arguments.cell,
        SyncScorer(),
    )
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        for loaded in lips.values():
            stack.callback(loaded.close)
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        last: Path | None = None
        for run in plan_runs(arguments, Path(scratch)):
            if run.clip != last:
                detector.forget()
            last = run.clip
            try:
                rows.append(bench.measure(run, lips[run.model].lips))
            except HeygemdError as error:
                print(f"{run.name}: {error}")
                continue
            print(f"{run.name}: {line(rows[-1])}", flush=True)
            write_figures(arguments.out / "lips.json", rows)
    print_table(rows)


if __name__ == "__main__":
    main()
