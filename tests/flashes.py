"""Flashes against beeps: how far picture and sound drift apart in an output.

``python tests/flashes.py 60`` measures an hour at every rate, and prints a table.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import lavfi
import numpy as np

from heygemd.media.decode import VideoReader
from heygemd.media.encode import Sound, write_video
from heygemd.media.limits import Limits
from heygemd.media.probe import probe, probe_audio
from heygemd.media.timeline import lay_timeline
from heygemd.media.tool import find_ffmpeg
from heygemd.media.verify import verify_video
from heygemd.records import EncodeOptions

RATES = ("24000/1001", "25", "30000/1001", "50", "60", "vfr")
WIDTH, HEIGHT = 64, 48
RATE_HZ = 8000
LIMITS = Limits()


def make_clip(path, rate, seconds, every_s):
    """A dark clip, bright for a quarter of a second every so often; ``vfr`` lacks frames."""
    lit = f"lt(mod(T\\,{every_s})\\,0.25)"
    grey = f"geq=lum='if({lit}\\,235\\,16)':cb=128:cr=128"
    film = f"color=black:s={WIDTH}x{HEIGHT}:r={{}}:d={seconds},{grey}"
    if rate == "vfr":  # every third frame is missing for half of every four seconds
        kept = "not(eq(mod(n\\,3)\\,2)*lt(mod(t\\,4)\\,2))"
        film = film.format(30) + f",select='{kept}'"
        return lavfi.make(path, "-f", "lavfi", "-i", film, "-fps_mode", "vfr", *lavfi.X264)
    return lavfi.make(path, "-f", "lavfi", "-i", film.format(rate), *lavfi.X264)


def make_sound(path, seconds, every_s):
    """A beep of a quarter of a second at the same moments."""
    beep = f"0.5*sin(2*PI*1000*t)*lt(mod(t\\,{every_s})\\,0.25)"
    return lavfi.make(path, "-f", "lavfi", "-i", f"aevalsrc={beep}:s={RATE_HZ}:d={seconds}")


def transcode(clip, voice, out):
    """The clip under the sound as heygemd does it, without faces; (fps, frames)."""
    tool = find_ffmpeg()
    info, sound = probe(clip, LIMITS), probe_audio(voice, LIMITS)
    reader = VideoReader(tool, clip, info)
    n_source = sum(len(batch) for batch in reader.read_all(256))
    timeline = lay_timeline(n_source, info.fps, sound.duration_s, "freeze")
    plan = {"n_frames": timeline.n_frames, "fps": timeline.fps}
    write_video(
        tool, reader.read_timeline(timeline, 256), out, info=info, limits=LIMITS,
        sound=Sound(voice, sound, sound.duration_s),
        options=EncodeOptions(preset="ultrafast"), **plan,
    )  # fmt: skip
    verify_video(out, sound_s=sound.duration_s, limits=LIMITS, **plan)
    return timeline.fps, timeline.n_frames


def onsets_s(loudness, level, step_s):
    """Seconds at which a series rises over a level."""
    high = np.asarray(loudness) > level
    return (np.flatnonzero(high & ~np.concatenate(([False], high[:-1]))) * step_s).tolist()


def offsets_ms(out, fps):
    """How much later than its beep each flash is shown, decoded from the output itself."""
    picture = lavfi.raw_frames(out, "-fps_mode", "passthrough", pixel_format="gray")
    frames = np.frombuffer(picture, np.uint8).reshape(-1, HEIGHT * WIDTH)
    flashes = onsets_s(frames[:, :: WIDTH * 7].mean(axis=1), 120, float(1 / fps))
    command = [lavfi.FFMPEG, "-v", "error", "-i", str(out), "-vn", "-ac", "1", "-ar",
               str(RATE_HZ), "-f", "f32le", "-"]  # fmt: skip
    heard = subprocess.run(command, check=True, capture_output=True).stdout
    loud = np.abs(np.frombuffer(heard, np.float32))
    n = len(loud) // 40
    beeps = onsets_s(loud[: n * 40].reshape(n, 40).max(axis=1), 0.1, 40 / RATE_HZ)
    assert len(flashes) == len(beeps), f"{len(flashes)} flashes, {len(beeps)} beeps"
    return 1000 * (np.array(flashes) - np.array(beeps))


def measure(folder, rate, seconds, every_s):
    """(fps, frames, offsets in ms) of one clip made, transcoded and decoded again."""
    clip = make_clip(folder / "clip.mp4", rate, seconds, every_s)
    voice = make_sound(folder / "voice.wav", seconds, every_s)
    fps, n_frames = transcode(clip, voice, folder / "out.mp4")
    return fps, n_frames, offsets_ms(folder / "out.mp4", fps)


def main(minutes, rates):
    say = sys.stdout.write
    say("| rate | frames | output against sound | first flash | last flash | drift |\n")
    say("|---|---|---|---|---|---|\n")
    for rate in rates:
        with tempfile.TemporaryDirectory() as folder:
            fps, n_frames, late_ms = measure(Path(folder), rate, minutes * 60, 10)
        over_ms = float(1000 * (n_frames / fps - Fraction(minutes * 60)))
        say(
            f"| {rate} ({fps}) | {n_frames} | {over_ms:+.2f} ms | {late_ms[0]:+.1f} ms | "
            f"{late_ms[-1]:+.1f} ms | {late_ms[-1] - late_ms[0]:+.1f} ms |\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:] or RATES)
