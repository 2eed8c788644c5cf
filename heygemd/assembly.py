"""Put the parts together for ``run`` and ``once``: settings in, exit code out."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import FrameType

from heygemd import __version__, models, opening
from heygemd.aside import Aside, Helper
from heygemd.bell import Bell
from heygemd.daemon import Daemon, Stop, Wishes
from heygemd.errors import ConfigError, DependencyError
from heygemd.executor import Lanes, LocalExecutor
from heygemd.faces.kept import FOLDER, TrackCache
from heygemd.hearing import hear_job
from heygemd.host import free_memory, usable_cores
from heygemd.job import Workshop
from heygemd.log import configure, log
from heygemd.media import credentials, encode, tool
from heygemd.media.hwaccel import try_hwaccel
from heygemd.media.limits import Limits
from heygemd.pulse import Pulse
from heygemd.records import EncodeOptions
from heygemd.service import Notifier, listening, watchdog_s
from heygemd.settings import NEED_RESTART, Settings, changes, render_options
from heygemd.spool.fsops import FsOps
from heygemd.spool.queue import Spool
from heygemd.spool.requests import open_requests, take_requests
from heygemd.studio import Studio

# On two cores four clips by two took 36 s and by one 35 s, with 8 % more processor time by two.
_CORES_FOR_TWO = 4
_MEMORY_SHARE = 0.8  # of what is free; the rest is for the page cache and the sound
_LOADING_S = 300.0  # what each step of the start may take on a cold disk before systemd worries


def run(settings: Settings, read: Callable[[], Settings]) -> int:
    """The daemon: work until told to stop; ``read`` gives the settings anew for a reload."""
    with _daemon(settings, read) as daemon:
        daemon.run()
    return 0


def once(settings: Settings) -> int:
    """What is ready, then the end; 1 when a clip or a job failed."""
    with _daemon(settings, lambda: settings) as daemon:
        daemon.drain()
    return 1 if daemon.failed else 0


def make_studio(settings: Settings) -> Studio:
    """ffmpeg, its limits, and the encoder that works here."""
    media = settings.media
    ffmpeg = tool.find_ffmpeg(media.ffmpeg)
    if media.hwaccel != "none":
        ffmpeg = replace(ffmpeg, hwaccel=media.hwaccel)
        try_hwaccel(ffmpeg)
    chosen = encode.choose_encoder(ffmpeg, settings.encode.codec)
    log.info("encoder.chosen", codec=chosen.codec, reason=chosen.reason)
    return Studio(
        ffmpeg,
        Limits(media.max_pixels, media.max_duration_s, stall_s=media.stall_s),
        EncodeOptions(
            chosen.codec,
            settings.encode.quality,
            settings.encode.preset,
            settings.encode.audio_bit_rate,
            settings.encode.comment,
        ),
        settings.model.batch,
        _signer(settings),
    )


def make_lanes(settings: Settings) -> Lanes:
    """As many clips at once as settings say, or as there are cores for, within what memory is free.

    Called when the models are loaded: what they took is gone then.
    """
    n_lanes = settings.model.clips or (2 if usable_cores() >= _CORES_FOR_TWO else 1)
    return Lanes(n_lanes, int(_MEMORY_SHARE * free_memory()))


def _signer(settings: Settings) -> credentials.Signer | None:
    certificate, key = settings.encode.c2pa_cert, settings.encode.c2pa_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise ConfigError("encode.c2pa_cert and encode.c2pa_key want each other; set both or none")
    return credentials.load_signer(certificate, key)


def daemon_studio(settings: Settings) -> Studio:
    """The same with the memory of faces that a daemon has."""
    tracks = TrackCache(settings.folders.work / FOLDER, settings.faces.cache_mb * 10**6)
    return replace(make_studio(settings), tracks=tracks)


@contextmanager
def _daemon(settings: Settings, read: Callable[[], Settings]) -> Iterator[Daemon]:
    configure(settings.log.level, style=settings.log.style)
    log.info("daemon.started", version=__version__, pid=os.getpid())
    pulse = _pulse(settings)
    stop, wishes = Stop(drain_s=settings.service.drain_s), Wishes()
    opening.retention(settings)  # a mistake there should end the start before the model loads
    with _signals(stop, wishes):
        studio = daemon_studio(settings)
        with (
            closing(_load_models(settings, pulse)) as loaded,
            closing(opening.spool(settings)) as spool,
        ):
            pulse.notifier.extend(_LOADING_S)
            log.info("spool.recovered", **asdict(spool.open()))
            fs, folders = FsOps(), opening.folders(settings)
            open_requests(fs, folders)
            reloader = Reloader(settings, read, spool, loaded, stop, make_lanes(settings))
            daemon = Daemon(
                spool,
                reloader.workshop(studio, pulse),
                Bell(settings.folders.inbox, settings.intake.watch),
                stop,
                settings.intake.rescan_s,
                settings.intake.settle_s,
                wishes,
                reloader,
                lambda: take_requests(fs, folders),
                reloader.sweep,
                lambda: _free_bytes(settings),
                lambda: loaded.batches,
            )
            pulse.between = daemon.heed
            pulse.ready(model=asdict(loaded.facts))
            log.info("daemon.ready", inbox=str(settings.folders.inbox), device=loaded.facts.device)
            yield daemon


def _pulse(settings: Settings) -> Pulse:
    """Who is told: systemd, status.json, textfiles, and the socket that systemd opened."""
    env, pid = os.environ, os.getpid()
    runtime = env.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    extra = settings.service.metrics_file
    pulse = Pulse(
        Notifier(env.get("NOTIFY_SOCKET", "")),
        status_file=Path(runtime, "status.json") if runtime else None,
        metrics_files=(
            *([Path(runtime, "metrics.prom")] if runtime else []),
            *([extra] if extra else []),
        ),
        watchdog_s=watchdog_s(env, pid),
    )
    pulse.about.update(
        pid=pid, version=__version__, started_s=round(time.time(), 3),
        work=str(settings.folders.work.resolve()),
    )  # fmt: skip
    pulse.metrics.started(__version__)
    for fd in listening(env, pid).values():
        pulse.metrics.serve(socket.socket(fileno=fd))
    pulse.notifier.extend(_LOADING_S)
    pulse.tell()
    return pulse


def _free_bytes(settings: Settings) -> dict[str, int]:
    """By folder; without those that are not there."""
    free = {}
    for name in ("inbox", "outbox", "work"):
        with suppress(OSError):
            free[name] = shutil.disk_usage(getattr(settings.folders, name)).free
    return free


def _load_models(settings: Settings, pulse: Pulse) -> models.Models:
    pulse.notifier.extend(_LOADING_S)
    started_s = time.monotonic()
    loaded = models.load(settings.model, settings.faces, settings.restore, settings.quality)
    took_s = time.monotonic() - started_s
    facts = loaded.facts
    pulse.metrics.model_loaded(facts, took_s)
    log.info(
        "model.loaded",
        name=facts.name,
        sha256=facts.sha256,
        device=facts.device,
        load_s=round(took_s, 2),
    )
    return loaded


@dataclass(slots=True)
class Reloader:
    """Reads the settings again and lets a daemon work with them; a bad file changes nothing."""

    settings: Settings
    read: Callable[[], Settings]
    spool: Spool
    loaded: models.Models
    stop: Stop
    lanes: Lanes
    aside: Aside = field(default_factory=lambda: Helper("report"))

    def workshop(self, studio: Studio, pulse: Pulse) -> Workshop:
        """Where jobs are done from now on."""
        return Workshop(
            self.spool,
            LocalExecutor(self.loaded, studio, self.lanes),
            lambda job: hear_job(job, self.loaded, studio),
            self.loaded.facts,
            pulse,
            stopped=self.stop.now,
            ending=self.stop.soon,
            aside=self.aside,
        )

    def sweep(self) -> None:
        """Let go of what was kept long enough."""
        swept = self.spool.sweep(opening.retention(self.settings), time.time())
        if any(asdict(swept).values()):
            log.info("spool.swept", **asdict(swept))

    def __call__(self, daemon: Daemon) -> None:
        """Reload; jobs that have begun keep the settings they began with."""
        pulse = daemon.pulse
        pulse.notifier.reloading()
        try:
            self._adopt(daemon)
        except (ConfigError, DependencyError) as error:
            pulse.metrics.reloaded(is_ok=False)
            log.error("settings.refused", code=error.reason, message=str(error))
        else:
            pulse.metrics.reloaded(is_ok=True)
        pulse.notifier.ready()
        pulse.tell()

    def _adopt(self, daemon: Daemon) -> None:
        new = self.read()
        opening.retention(new)
        changed = changes(self.settings, new)
        studio = daemon_studio(new)
        configure(new.log.level, style=new.log.style)
        intake = new.intake
        self.spool.adopt(render_options(new), settle_s=intake.settle_s, marker=intake.marker)
        daemon.shop = self.workshop(studio, daemon.pulse)
        daemon.rescan_s, daemon.settle_s = intake.rescan_s, intake.settle_s
        self.stop.drain_s = new.service.drain_s
        self.settings = new
        waiting = [key for key in changed if key.startswith(NEED_RESTART)]
        log.info("settings.reloaded", changed=changed, need_restart=waiting)


@contextmanager
def _signals(stop: Stop, wishes: Wishes) -> Iterator[None]:
    """TERM, INT: stop, twice at once. HUP: reload. USR1: dump. Elsewhere than in main: nothing."""

    def ask_stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.ask()

    def ask_reload(number: int, frame: FrameType | None) -> None:
        del number, frame
        wishes.reload = True

    def ask_dump(number: int, frame: FrameType | None) -> None:
        del number, frame
        wishes.dump = True

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {
        signal.SIGTERM: ask_stop,
        signal.SIGINT: ask_stop,
        signal.SIGHUP: ask_reload,
        signal.SIGUSR1: ask_dump,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
