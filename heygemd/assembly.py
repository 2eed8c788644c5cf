"""Put the parts together for ``run`` and ``once``: settings in, exit code out."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from types import FrameType

from heygemd import __version__, models
from heygemd.bell import Bell
from heygemd.daemon import Daemon, Stop
from heygemd.executor import LocalExecutor
from heygemd.job import Workshop
from heygemd.log import configure, log
from heygemd.media import encode, tool
from heygemd.media.limits import Limits
from heygemd.records import EncodeOptions, Job
from heygemd.render import Heard, Studio, hear
from heygemd.service import Notifier
from heygemd.settings import Settings, render_options
from heygemd.spool.fsops import FsOps
from heygemd.spool.ids import job_id
from heygemd.spool.queue import Spool, SpoolFolders

_LOADING_S = 180.0  # how long a cold disk may take to load a model before systemd worries


def run(settings: Settings) -> int:
    """The daemon: work until told to stop."""
    with _daemon(settings) as daemon:
        daemon.run()
    return 0


def once(settings: Settings) -> int:
    """What is ready, then the end; 1 when a clip or a job failed."""
    with _daemon(settings) as daemon:
        daemon.drain()
    return 1 if daemon.n_failed else 0


def make_studio(settings: Settings) -> Studio:
    """ffmpeg, its limits, and the encoder that works here."""
    ffmpeg = tool.find_ffmpeg(settings.media.ffmpeg)
    chosen = encode.choose_encoder(ffmpeg, settings.encode.codec)
    log.info("encoder.chosen", codec=chosen.codec, reason=chosen.reason)
    return Studio(
        ffmpeg,
        Limits(settings.media.max_pixels, settings.media.max_duration_s),
        EncodeOptions(
            chosen.codec,
            settings.encode.quality,
            settings.encode.preset,
            settings.encode.audio_bit_rate,
            settings.encode.comment,
        ),
        settings.model.batch,
    )


@contextmanager
def _daemon(settings: Settings) -> Iterator[Daemon]:
    configure(settings.log.level, style=settings.log.style)
    notifier = Notifier(os.environ.get("NOTIFY_SOCKET", ""))
    log.info("daemon.started", version=__version__, pid=os.getpid())
    notifier.extend(_LOADING_S)
    stop = Stop()
    studio = make_studio(settings)
    with _signals(stop), closing(models.load(settings.model, settings.faces)) as loaded:
        facts = loaded.facts
        log.info("model.loaded", name=facts.name, sha256=facts.sha256, device=facts.device)
        spool = _spool(settings)
        with closing(spool):
            log.info("spool.recovered", **asdict(spool.open()))
            notifier.ready()
            log.info("daemon.ready", inbox=str(settings.folders.inbox))
            yield Daemon(
                spool,
                _workshop(spool, loaded, studio, stop),
                Bell(settings.folders.inbox, settings.intake.watch),
                stop,
                settings.intake.rescan_s,
                settings.intake.settle_s,
                notifier,
            )


def _spool(settings: Settings) -> Spool:
    folders = settings.folders
    return Spool(
        SpoolFolders(folders.inbox, folders.outbox, folders.work),
        options=render_options(settings),
        fs=FsOps(),
        new_id=lambda: job_id(time.time_ns() // 1_000_000, os.urandom(5)),
        instance=f"{socket.gethostname()}-{os.getpid()}",
        settle_s=settings.intake.settle_s,
        marker=settings.intake.marker,
    )


def _workshop(spool: Spool, loaded: models.Models, studio: Studio, stop: Stop) -> Workshop:
    def hear_job(job: Job) -> Heard:
        return hear(job.audio, job.options, loaded.lips, studio)

    return Workshop(spool, LocalExecutor(loaded, studio), hear_job, loaded.facts, stopped=stop.now)


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    """TERM and INT ask for a stop, twice for a quick one; elsewhere than in main: nothing."""

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.ask()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
