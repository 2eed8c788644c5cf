"""Prometheus metrics of one daemon: base units, few labels, never a path or the name of a job."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from socket import AF_INET, AF_INET6, AF_UNIX, SOCK_STREAM, socket
from socketserver import BaseServer
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
    make_wsgi_app,
)

from heygemd.records import ClipResult, ModelFacts
from heygemd.service import put_whole

_CLIP_BUCKETS_S = (5, 15, 30, 60, 120, 300, 600, 1800, 3600)
_SCAN_BUCKETS_S = (0.01, 0.05, 0.25, 1, 5, 30, 120)


class Metrics:
    """Counts what happens; docs/operations.md lists the names and the alerts worth having."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(namespace="heygemd", registry=self.registry)
        self._build = self._info("build", "What runs.")
        self._model = self._info("model", "The lip model that is loaded.")
        self._loads = self._counter("model_loads", "Loads of the lip model; 1 for a whole life.")
        self._load = self._gauge("model_load_seconds", "How long the model took to load.")
        self._jobs = self._counter("jobs", "Jobs that ended.", "outcome")
        self._clips = self._counter("clips", "Clips that ended.", "outcome")
        self._failures = self._counter("clip_failures", "Clips that failed, by reason.", "code")
        self._clip = Histogram(
            "heygemd_clip_seconds",
            "Wall time of one clip, from probe to verified output.",
            buckets=_CLIP_BUCKETS_S,
            registry=self.registry,
        )
        self._stages = self._counter("stage_seconds", "Wall time by stage of a clip.", "stage")
        self._frames = self._counter("frames", "Frames that passed a stage.", "stage")
        self._retries = self._counter("retries", "Tries put off, by reason.", "code")
        self._reloads = self._counter("reloads", "Settings read again.", "outcome")
        self._scan = Histogram(
            "heygemd_scan_seconds",
            "Time to look at the inbox once.",
            buckets=_SCAN_BUCKETS_S,
            registry=self.registry,
        )
        self._scanned = self._gauge("last_scan_timestamp_seconds", "When the inbox was looked at.")
        self._moved = self._gauge("last_progress_timestamp_seconds", "When a frame passed.")
        self._open = self._gauge("jobs_open", "Jobs accepted and not closed.")
        self._waiting = self._gauge("folders_waiting", "Folders in the inbox, not complete yet.")
        self._shares = self._gauge("share_available", "1 while a side is there.", "side")
        self._watch = self._gauge(
            "watch_troubles", "File events lost, listening begun anew or given up.", "kind"
        )
        self._batch = self._gauge(
            "batch_frames", "Frames a network takes at once; falls when memory is short.", "network"
        )
        self._free = self._gauge("free_bytes", "Free space of a folder's disk.", "folder")
        self._ready = self._gauge("ready", "1 once the model is warm, 0 while stopping.")
        for outcome in ("ok", "failed"):
            self._clips.labels(outcome)
        for outcome in ("ok", "partial", "failed", "rejected"):
            self._jobs.labels(outcome)
        for outcome in ("ok", "refused"):
            self._reloads.labels(outcome)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"heygemd_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"heygemd_{name}", text, labels, registry=self.registry)

    def _info(self, name: str, text: str) -> Info:
        return Info(f"heygemd_{name}", text, registry=self.registry)

    def started(self, version: str) -> None:
        """The process began."""
        self._build.info({"version": version})

    def model_loaded(self, facts: ModelFacts, took_s: float) -> None:
        """The model was loaded and warmed up."""
        self._model.info({"name": facts.name, "device": facts.device, "sha256": facts.sha256})
        self._loads.inc()
        self._load.set(took_s)

    def ready(self, *, is_ready: bool) -> None:
        """Work is taken in, or no more."""
        self._ready.set(is_ready)

    def frames(self, stage: str, n_frames: int, now_s: float) -> None:
        """More frames passed a stage; ``now_s`` is of the wall clock."""
        self._frames.labels(stage).inc(n_frames)
        self._moved.set(now_s)

    def clip_ended(self, result: ClipResult) -> None:
        """One clip is done or failed."""
        self._clips.labels(result.outcome).inc()
        if result.outcome == "failed":
            self._failures.labels(result.code).inc()
        timings_s = dict(result.timings_s)
        self._clip.observe(timings_s.pop("total", 0.0))
        for stage, took_s in timings_s.items():
            self._stages.labels(stage).inc(took_s)

    def job_ended(self, outcome: str) -> None:
        """One job was closed (ok, partial, failed) or rejected."""
        self._jobs.labels(outcome).inc()

    def retried(self, code: str) -> None:
        """A try was put off."""
        self._retries.labels(code).inc()

    def reloaded(self, *, is_ok: bool) -> None:
        """The settings were read again; not ok keeps the old ones."""
        self._reloads.labels("ok" if is_ok else "refused").inc()

    def scanned(self, took_s: float, now_s: float) -> None:
        """The inbox was looked at; ``now_s`` is of the wall clock."""
        self._scan.observe(took_s)
        self._scanned.set(now_s)

    def watched(self, troubles: Mapping[str, int]) -> None:
        """How often file events failed us since the start, by kind."""
        for kind, n in troubles.items():
            self._watch.labels(kind).set(n)

    def queue(self, n_open: int, n_waiting: int) -> None:
        """How much is left to do."""
        self._open.set(n_open)
        self._waiting.set(n_waiting)

    def shares(self, available: Mapping[str, bool]) -> None:
        """Which sides are there."""
        for side, is_there in available.items():
            self._shares.labels(side).set(is_there)

    def free(self, n_bytes: Mapping[str, int]) -> None:
        """Free space by folder."""
        for folder, n_free in n_bytes.items():
            self._free.labels(folder).set(n_free)

    def batches(self, n_frames: Mapping[str, int]) -> None:
        """How much each network takes at once."""
        for network, n in n_frames.items():
            self._batch.labels(network).set(n)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)

    def write(self, path: Path) -> None:
        """Replace a textfile for node_exporter; a reader never sees half of it.

        Raises:
            OSError: the folder is not there or not ours.
        """
        put_whole(path, self.text(), mode=0o644)

    def serve(self, listener: socket) -> None:
        """Answer GET /metrics on a listening socket that systemd opened, in a thread of its own."""
        server = _Server(listener)
        server.set_app(make_wsgi_app(self.registry))
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class _Server(WSGIServer):
    """A WSGI server on a socket that is bound and listening already."""

    def __init__(self, listener: socket) -> None:
        if listener.family not in {AF_INET, AF_INET6, AF_UNIX} or listener.type != SOCK_STREAM:
            raise ValueError(f"a {listener.family.name} socket, want a listening stream")
        # TCPServer.__init__ would open a socket of its own, which the unit's sandbox forbids.
        BaseServer.__init__(self, ("", 0), _Quiet)
        self.socket = listener
        self.server_name, self.server_port = "heygemd", 0
        self.setup_environ()


class _Quiet(WSGIRequestHandler):
    """Answers without a line per scrape; a client that says nothing is dropped."""

    timeout = 10

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name for it
        """Say nothing."""
        del format, args

    def address_string(self) -> str:
        """A client's address; empty for Unix sockets."""
        return str(self.client_address[0]) if self.client_address else ""
