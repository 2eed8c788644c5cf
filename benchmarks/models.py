"""Lip models and detectors alone: milliseconds a frame by batch, precision, compilation and device.

python benchmarks/models.py [--device cpu] [--batches 1 8 16] [--compile] [--clip VIDEO]

Wav2Lip and S3FD run with random weights, which show the same speed; warp and the face mesh look at
a clip. Processor time is that of all threads; on a GPU wall time is the figure.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, cast

import torch
from measuring import VOICE, make_clip, make_voice, write

from heygemd import models, settings
from heygemd.assembly import make_studio
from heygemd.faces import track, watch
from heygemd.hearing import hear
from heygemd.lips.wav2lip import onnx
from heygemd.media import probe
from heygemd.media.decode import VideoReader
from heygemd.media.timeline import lay_timeline
from heygemd.nets.s3fd import S3fd
from heygemd.nets.wav2lip import FACE_SIZE_PX, N_COLUMNS, N_MELS, LowerFace, Wav2Lip, fuse
from heygemd.planes import Planes, joined
from heygemd.records import RenderOptions

CLIP_S = 2.0
TRIES = 3


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu", help="of the networks: cpu, cuda, cuda:1")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 16])
    parser.add_argument("--compile", action="store_true", help="Wav2Lip by torch.compile, too")
    parser.add_argument("--clip", type=Path, help="for warp and the face mesh")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    device = torch.device(arguments.device)
    rows = []
    for row in chain(
        wav2lip(device, arguments.batches, compiled=False),
        wav2lip(device, arguments.batches, compiled=True) if arguments.compile else (),
        exported(arguments.batches),
        s3fd(device),
        on_a_clip(arguments.clip, arguments.batches),
    ):
        rows.append(row)
        print(
            f"{row['model']:10s} {row['what']:16s} {row['device']:6s} batch {row['batch']:3d}: "
            f"{row['wall_ms']:8.2f} ms a frame, {row['cpu_ms']:8.2f} ms of CPU",
            flush=True,
        )
    write(arguments.json, "models", rows)


def timed(step: Callable[[], object], n_frames: int, device: torch.device) -> dict[str, float]:
    """Milliseconds a frame, the best of some tries after a first one that does not count."""
    walls_s, cpus_s = [], []
    step()
    for _ in range(TRIES):
        _wait(device)
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        step()
        _wait(device)
        walls_s.append(time.perf_counter() - wall_s)
        cpus_s.append(time.process_time() - cpu_s)
    return {"wall_ms": 1000 * min(walls_s) / n_frames, "cpu_ms": 1000 * min(cpus_s) / n_frames}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def wav2lip(
    device: torch.device, batches: list[int], *, compiled: bool
) -> Iterator[dict[str, Any]]:
    """The generator as published, fused, its lower face alone, and that in 16 bits."""
    half = torch.float16 if device.type == "cuda" else torch.bfloat16
    whole, single = Wav2Lip().eval(), torch.float32
    for name, network, precision in (
        ("published", whole, single),
        ("fused", fuse(whole), single),
        ("lower face", LowerFace(fuse(whole)), single),
        ("lower face", LowerFace(fuse(whole)), half),
    ):
        placed: torch.nn.Module = network.to(device, precision, memory_format=torch.channels_last)  # type: ignore[call-overload]
        run = torch.compile(placed) if compiled else placed
        for batch in batches:
            mel = torch.rand(batch, 1, N_MELS, N_COLUMNS, dtype=precision, device=device)
            faces = torch.rand(
                batch, 6, FACE_SIZE_PX, FACE_SIZE_PX, dtype=precision, device=device
            ).contiguous(memory_format=torch.channels_last)

            def speak(
                run: Any = run,  # noqa: ANN401 - a network, or one that was compiled
                mel: torch.Tensor = mel,
                faces: torch.Tensor = faces,
            ) -> None:
                with torch.inference_mode():
                    run(mel, faces)

            bits = str(precision).removeprefix("torch.")
            what = " ".join(filter(None, [name, bits, "compiled" if compiled else ""]))
            yield {"model": "wav2lip", "what": what, "device": device.type, "batch": batch,
                   **timed(speak, batch, device)}  # fmt: skip


def exported(batches: list[int]) -> Iterator[dict[str, Any]]:
    """The generator as ``heygemd models export`` writes it, run by ONNX Runtime on the CPU."""
    cpu = torch.device("cpu")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "wav2lip.onnx")
        onnx.export(Wav2Lip().eval().state_dict(), path)
        network = onnx.OnnxNetwork(path, "onnx", onnx.Place(cpu, n_threads=torch.get_num_threads()))
        for batch in batches:
            mel = torch.rand(batch, 1, N_MELS, N_COLUMNS)
            faces = torch.rand(batch, 6, FACE_SIZE_PX, FACE_SIZE_PX)

            def speak(mel: torch.Tensor = mel, faces: torch.Tensor = faces) -> None:
                network(mel, faces)

            yield {"model": "wav2lip", "what": "ONNX Runtime", "device": "cpu", "batch": batch,
                   **timed(speak, batch, cpu)}  # fmt: skip


def s3fd(device: torch.device) -> Iterator[dict[str, Any]]:
    """The peer's detector, at two sizes of frame."""
    network = S3fd().eval().to(device)
    for height in (320, 720):
        picture = torch.rand(1, 3, height, height * 16 // 9, device=device)

        def look(picture: torch.Tensor = picture) -> None:
            with torch.inference_mode():
                network(picture)

        yield {"model": "s3fd", "what": f"{height}p float32", "device": device.type, "batch": 1,
               **timed(look, 1, device)}  # fmt: skip


def on_a_clip(clip: Path | None, batches: list[int]) -> Iterator[dict[str, Any]]:
    """The face mesh and warp, which run on the CPU."""
    chosen = settings.load(None, overrides=["model.name=warp", "model.device=cpu"])
    studio = make_studio(chosen)
    cpu = torch.device("cpu")
    with (
        closing(models.load(chosen.model, chosen.faces, chosen.restore)) as loaded,
        tempfile.TemporaryDirectory() as scratch,
    ):
        folder = Path(scratch)
        path = clip or make_clip(folder, CLIP_S)
        info = probe.probe(path, studio.limits)
        reader = VideoReader(studio.tool, path, info, studio.limits)
        film = cast("Planes", joined(list(reader.read_all(16))))[: int(CLIP_S * 25)]
        detector, lips = loaded.detector, loaded.lips
        few = film[: detector.wants_frames]
        yield {"model": detector.name, "what": f"{info.height_px}p", "device": "cpu",
               "batch": len(few), **timed(lambda: detector.detect(few), len(few), cpu)}  # fmt: skip
        seen = watch.watch([film], detector)
        faces = track.track_face(seen.sightings, seen.cuts, "largest", seen.frame_size)
        heard = hear(make_voice(folder, VOICE, CLIP_S), RenderOptions(), loaded, studio)
        timeline = lay_timeline(len(film), info.fps, heard.duration_s, "trim")
        reader.timeline = timeline
        plan = lips.study(reader, faces, heard.voice)
        for batch in batches:
            span = range(min(batch, timeline.n_frames))
            spoken = film[: len(span)]

            def speak(spoken: Planes = spoken, span: range = span) -> None:
                lips.speak(spoken, plan, span)

            yield {"model": "warp", "what": f"{info.height_px}p", "device": "cpu", "batch": batch,
                   **timed(speak, len(span), cpu)}  # fmt: skip


if __name__ == "__main__":
    main()
