"""The figures that the shipped voice network is held to, measured and set out in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from heygemd.lips.warp import geometry
from heygemd.lips.warp.model import VOICE_FILE
from heygemd.lips.warp.voice import hear, load_net
from training import evaluate, footage, landmarks, speech, split

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from heygemd.lips.warp.geometry import Basis
    from training.landmarks import Recording

# Clips of the evaluation media in which one person talks with their own voice; of the others the
# sound is foreign, silent or missing, two people talk, one syllable is said, or nobody is real.
REAL_CLIPS = (
    *("latentsync_demo1_vertical.mp4", "latentsync_demo2_vertical_beard.mp4", "dark_d20.mp4"),
    *("retalking_face1_22fps_smallface.mp4", "sync_example_cnn.avi", "hdtf_markey.mp4"),
    *("talkvid_mic_occlusion.mp4", "talkvid_zh.mp4", "talkvid_hi.mp4", "vox_profile.mp4"),
)
SPEECH = (
    *("SadTalker__chinese_news.wav", "SadTalker__deyu.wav", "MuseTalk__sun.wav"),
    *("DH_live__audio1.wav", "whisper__jfk.flac", "V-Express__AOC.mp3"),
    *("espeak_en-us.wav", "espeak_cmn.wav", "mix_jfk_noise.wav"),
)
NOT_SPEECH = ("synth_silence_3s.wav", "synth_whitenoise_3s.wav", "synth_music_chord_5s.wav")
_EXAM_SEED = 77

# Floor and wish of each figure; "at most" where the sign is negative.
BARS = {
    "grid.r": (0.65, 0.75),
    "real.best_r": (0.43, 0.55),
    "closures.share_below_0.03": (0.75, 0.92),
    "closures.median": (-0.015, -0.006),
    "quiet.silence": (-0.02, -0.01),
    "quiet.tone": (-0.02, -0.01),
    "quiet.held_chord": (-0.02, -0.01),
    "quiet.music": (-0.02, -0.01),
    "quiet.white_noise": (-0.05, -0.01),
    "phones.bilabial": (0.95, 0.98),
    "phones.labiodental": (0.9, 0.98),
    "phones.open": (0.95, 0.98),
    "phones.round": (0.9, 0.95),
}


def measure(assets: Path, data: Path, media: Path | None, cache: Path) -> dict[str, Any]:
    """Every figure, by name; those that need the media are left out where there are none."""
    basis = geometry.load_basis(assets / "face.safetensors")
    net = load_net(assets / VOICE_FILE)
    clips = split.judges(sorted((data / "grid").glob("multi_*.mkv")))
    grid = _follow(landmarks.record_all(clips, cache / "landmarks"), net, basis)
    exam = speech.exam(3, np.random.default_rng(_EXAM_SEED))
    figures: dict[str, Any] = {
        "grid": evaluate.summary(grid),
        "quiet": evaluate.quiet_quantiles(net, basis),
        "phones": evaluate.phone_shares(net, exam, basis),
    }
    followed = list(grid)
    if media is not None:
        paths = [media / "video" / name for name in REAL_CLIPS]
        real = _follow(landmarks.record_all(paths, cache / "media"), net, basis)
        figures["real"] = evaluate.summary(real)
        figures["sounds"] = _sounds(media, net, basis)
        followed += real
    figures["closures"] = evaluate.closure_summary(followed)
    figures["clips"] = {
        f.name: {"r": round(f.r, 3), "best_r": round(f.best_r, 3), "best_lag": f.best_lag}
        for f in followed
    }
    return figures


def table(figures: dict[str, Any]) -> str:
    """The figures that have a bar, one a line: measured, floor, wish, verdict."""
    lines = [f"{'figure':28} {'measured':>9} {'floor':>7} {'wish':>7}"]
    for name, (floor, wish) in BARS.items():
        section, _, key = name.partition(".")
        value = figures.get(section, {}).get(key)
        if value is None:
            lines.append(f"{name:28} {'-':>9} {abs(floor):7} {abs(wish):7}  not measured")
            continue
        verdict = (
            "wish" if _reached(value, wish) else "floor" if _reached(value, floor) else "MISSED"
        )
        lines.append(f"{name:28} {value:9} {abs(floor):7} {abs(wish):7}  {verdict}")
    return "\n".join(lines)


def _reached(value: float, bar: float) -> bool:
    return value >= bar if bar > 0 else value <= -bar


def _follow(recordings: list[Recording], net: nn.Module, basis: Basis) -> list[evaluate.Followed]:
    return [evaluate.follow(recording, net, basis) for recording in recordings]


def _sounds(media: Path, net: nn.Module, basis: Basis) -> dict[str, dict[str, float]]:
    """Openings a second and the 95 % quantile of the aperture, IOD, of the sounds in the media."""
    found = {}
    for name in SPEECH + NOT_SPEECH:
        sound = footage.read_sound(media / "audio" / name)
        heard = hear(sound, net)
        gap = geometry.coef_aperture(heard.coefs, basis)
        found[name] = {"q95": round(float(np.quantile(gap, 0.95)), 4)}
        if name in SPEECH:
            found[name]["openings_per_s"] = round(evaluate.openings_per_s(gap, heard.rate_hz), 2)
    return found
