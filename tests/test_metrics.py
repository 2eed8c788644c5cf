"""Metrics: names as Prometheus wants them, a file never half written, a socket of systemd's."""

import re
import socket
import threading
import urllib.request
from http.client import HTTPConnection

import pytest
from fakes import make_job
from prometheus_client.parser import text_string_to_metric_families

from heygemd.metrics import Metrics
from heygemd.records import ClipResult, ModelFacts

UNITS = ("_total", "_seconds", "_bytes", "_info", "_created", "_bucket", "_count", "_sum")
PLAIN = {"heygemd_jobs_open", "heygemd_folders_waiting", "heygemd_share_available", "heygemd_ready",
         "heygemd_batch_frames", "heygemd_process_open_fds", "heygemd_process_max_fds"}  # fmt: skip
LABELS = {"outcome", "code", "stage", "side", "folder", "network", "le", "version", "name",
          "device", "sha256"}  # fmt: skip


@pytest.fixture
def metrics():
    job = make_job("secret lesson", 1)
    found = Metrics()
    found.started("1.0")
    found.model_loaded(ModelFacts("warp", "ab" * 32, "cuda:0", "mediapipe"), 3.5)
    found.frames("render", 25, 1000.0)
    found.clip_ended(ClipResult(job.clips[0], "failed", "no_face", timings_s={"total": 7.0}))
    found.shares({"inbox": True, "outbox": False})
    found.free({"work": 10**9})
    found.scanned(0.1, 1000.0)
    found.batches({"lips": 16})
    return found


def samples(metrics):
    families = text_string_to_metric_families(metrics.text().decode())
    return [sample for family in families for sample in family.samples]


def test_names_carry_the_prefix_and_a_base_unit(metrics):
    for sample in samples(metrics):
        assert re.fullmatch(r"heygemd_[a-z0-9_]+", sample.name)
        assert sample.name.endswith(UNITS) or sample.name in PLAIN, sample.name


def test_labels_are_few_and_hold_no_path_and_no_name_of_a_job(metrics):
    for sample in samples(metrics):
        assert set(sample.labels) <= LABELS
        assert not any("/" in text or "secret" in text for text in sample.labels.values())


def test_what_can_be_counted_is_there_before_it_happens():
    found = {(sample.name, sample.labels.get("outcome")) for sample in samples(Metrics())}
    assert ("heygemd_clips_total", "failed") in found
    assert ("heygemd_jobs_total", "rejected") in found
    assert ("heygemd_model_loads_total", None) in found


def test_a_load_of_the_model_is_counted(metrics):
    assert metrics.registry.get_sample_value("heygemd_model_loads_total") == 1


def test_a_reader_never_sees_half_a_file(metrics, tmp_path):
    path = tmp_path / "heygemd.prom"
    metrics.write(path)
    done, broken = threading.Event(), []

    def read():
        while not done.is_set():
            text = path.read_text()
            if not text.startswith("# HELP") or not text.endswith("\n"):
                broken.append(text)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        metrics.write(path)
    done.set()
    reader.join()
    assert broken == []
    assert [each.name for each in tmp_path.iterdir()] == ["heygemd.prom"]


def test_everybody_may_read_the_file(metrics, tmp_path):
    path = tmp_path / "heygemd.prom"
    metrics.write(path)
    assert path.stat().st_mode & 0o444 == 0o444


@pytest.fixture
def port(metrics):
    listener = socket.create_server(("127.0.0.1", 0))
    metrics.serve(listener)
    yield listener.getsockname()[1]
    listener.close()


def test_a_scrape_over_the_socket_gets_the_same_text(metrics, port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert b"heygemd_model_loads_total 1.0" in answer.read()


def test_other_methods_are_refused(port):
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("DELETE", "/metrics")
    assert connection.getresponse().status == 405
    connection.close()


def test_a_datagram_socket_is_no_place_to_listen(metrics):
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wrong,
        pytest.raises(ValueError, match="want a listening stream"),
    ):
        metrics.serve(wrong)
