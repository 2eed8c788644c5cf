"""What of ffmpeg works on this machine: tried with a real second of film."""

from __future__ import annotations

import re
from typing import Any

import ffmpeg

from heygemd.errors import MediaError
from heygemd.media.tool import Caps, Ffmpeg, command, run

TRIAL_S = 60.0  # a first CUDA context can take tens of seconds


def film() -> Any:  # noqa: ANN401 - ffmpeg-python has no types
    """A second of film, as a stream of ffmpeg-python's."""
    return ffmpeg.input("testsrc2=size=640x360:rate=25:duration=1", f="lavfi")


def problem_of(tool: Ffmpeg, output: Any, caps: Caps) -> str:  # noqa: ANN401 - likewise
    """Why an output cannot be made, in ffmpeg's first words; empty where it can."""
    try:
        ended = run(command(tool, ffmpeg.get_args(output)), caps, limit_s=TRIAL_S)
    except MediaError as error:
        return str(error)
    said = re.sub(r"\[([^@\]]+) @ \w+\]", r"\1:", ended.said)  # without addresses in memory
    return next(iter(said.splitlines()), "nothing") if ended.code else ""
