"""heygemd under a real systemd: installed, started, disturbed in every way an operator will see.

Run it as root with ``make system-test``. The tests are steps of one story and run in order.
"""

import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import container
import made_media
from container import Container

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        os.environ.get("HEYGEMD_SYSTEM_TEST") != "1",
        reason="boots a Debian of its own: make system-test",
    ),
    pytest.mark.skipif(bool(container.obstacle()), reason=container.obstacle() or "none"),
]

CONFIG = "etc/heygemd/config.toml"
WATCHDOG_S = 30


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """A voice and clips: one of a second, one that takes long enough to be disturbed."""
    folder = tmp_path_factory.mktemp("media")
    made_media.write_voice(folder / "short.wav", 1.2)
    made_media.write_voice(folder / "long.wav", 8.0)
    made_media.write_clip(folder / "anna.mp4")
    made_media.write_voice(folder / "brief.wav", 0.4)
    made_media.write_clip(folder / "brief.mp4", n_frames=10)
    return folder


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    tree = tmp_path_factory.mktemp("tree")
    container.make_tree(tree)
    container.install(tree)
    config = tree / CONFIG
    text = config.read_text().replace("settle_s = 10.0", "settle_s = 1.0")
    config.write_text(text.replace("rescan_s = 30.0", "rescan_s = 2.0"))
    before = installed(tree)
    container.install(tree)  # an upgrade: the settings above stay, as every step below shows
    assert installed(tree) == before
    drop_in = tree / "etc/systemd/system/heygemd.service.d/test.conf"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text(f"[Service]\nWatchdogSec={WATCHDOG_S}s\nRestartSec=1s\n"
                       "[Unit]\nStartLimitBurst=50\n")  # fmt: skip
    with (tree.parent / "console.log").open("wb") as console:
        booted = Container(tree, console)
        yield booted
        booted.kill()


def installed(tree):
    """What ``make install`` put in place, without the virtual environment."""
    places = ("usr/bin/heygemd", "usr/lib/*/heygemd*", "usr/lib/systemd/system/heygemd*",
              "usr/share/doc/heygemd/**/*", "usr/share/*/*/*heygemd*", "etc/heygemd/*",
              "opt/heygemd/*")  # fmt: skip
    found = {path for place in places for path in tree.glob(place)}
    return {
        str(path.relative_to(tree)): path.read_bytes() if path.is_file() else b""
        for path in sorted(found)
    }


def long_job(box, media, name, n_clips=2):
    clips = [(f"clip{n}.mp4", media / "anna.mp4") for n in range(1, n_clips + 1)]
    box.drop(name, ("voice.wav", media / "long.wav"), *clips)


def in_the_middle(box, since, clip="clip1.mp4"):
    """Wait until a clip is being rendered."""
    box.wait_for_event("clip.attempted", since, clip=clip)
    status = box.tree / "run/heygemd/status.json"

    def is_rendering():
        said = box.run("cat", "/run/heygemd/status.json").stdout
        hand = (json.loads(said) if said else {}).get("in_hand") or {}
        return hand.get("clip") == clip and hand.get("stage") in {"faces", "render"}

    box.wait(is_rendering, 300, f"{clip} to be in the middle ({status})")


def finished(box, job, n_clips=2):
    names = [f"clip{n}.{kind}" for n in range(1, n_clips + 1) for kind in ("json", "mp4")]

    def is_finished():
        return "job.json" in box.outbox(job)

    box.wait(is_finished, 1200, f"{job} to be finished")
    assert set(names) <= set(box.outbox(job))
    document = json.loads((box.tree / "srv/heygem/outbox" / job / "job.json").read_text())
    assert document["outcome"] == "ok"
    folders = [p.name for p in (box.tree / "srv/heygem/outbox").iterdir()]
    assert f"{job}~2" not in folders


def as_daemon(box, *words):
    """A command of ours, as the service's user would type it; what it says."""
    config = ("--config", f"/{CONFIG}")
    return box.ok("runuser", "-u", "heygem", "--", "heygemd", *words, *config)


def sound(box):
    """The spool keeps its promises, and nothing in the journal is a bug."""
    told = json.loads(as_daemon(box, "fsck", "--json"))
    assert told["findings"] == []
    for event in box.events():
        assert event.get("code") != "bug", event


def test_the_service_starts_and_is_ready_once_the_model_is_warm(box):
    as_daemon(box, "init")
    box.ok("systemctl", "enable", "--now", "heygemd.service")
    box.wait_for_active()
    names = [event["event"] for event in box.events()]
    assert names.index("model.loaded") < names.index("daemon.ready")
    assert box.show("StatusText") == "idle, waiting for jobs"


def test_it_runs_as_its_own_user_in_its_sandbox(box):
    status = box.ok("cat", f"/proc/{box.show('MainPID')}/status")
    uid = box.ok("id", "-u", "heygem").strip()
    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "CapEff:\t0000000000000000" in status


def test_check_finds_nothing_that_keeps_it_from_starting(box):
    command = ("heygemd", "check", "--json", "--config", "/etc/heygemd/config.toml")
    found = json.loads(box.run(*command).stdout)
    assert [each for each in found if each["level"] == "error"] == []


def test_a_dropped_job_is_finished(box, media):
    box.drop("first", ("voice.wav", media / "short.wav"), ("clip1.mp4", media / "anna.mp4"))
    finished(box, "first", n_clips=1)
    sound(box)


def test_the_journal_can_be_asked_for_a_job_and_for_what_went_wrong(box):
    asked = ("journalctl", "--no-pager", "-o", "cat")
    published = box.ok(*asked, "HEYGEMD_JOB=first", "HEYGEMD_EVENT=clip.published").splitlines()
    assert [json.loads(line)["output"] for line in published] == ["clip1.mp4"]
    wrong = box.ok(*asked, "-u", "heygemd", "-p", "err")
    assert [line for line in wrong.splitlines() if line.startswith("{")] == []


def test_people_of_its_group_can_read_the_results(box):
    said = box.ok("stat", "-c", "%U:%G %a", "/srv/heygem/outbox/first/clip1.mp4")
    owner, mode = said.split()
    assert owner == "heygem:heygem"
    assert int(mode, 8) & 0o040


def test_a_broken_file_is_refused_and_the_service_stays_up(box):
    pid, since = box.show("MainPID"), box.cursor()
    config = box.tree / CONFIG
    good = config.read_text()
    config.write_text(good + "\n[model\n")
    box.ok("systemctl", "reload", "heygemd.service")
    box.wait_for_event("settings.refused", since)
    config.write_text(good)
    box.ok("systemctl", "reload", "heygemd.service")
    box.wait_for_event("settings.reloaded", since)
    assert (box.show("MainPID"), box.show("ActiveState")) == (pid, "active")


def test_fifty_clips_of_three_jobs_and_a_reload_take_one_loaded_model(box, media):
    pid = box.show("MainPID")
    for job, n_clips in (("first-of-fifty", 20), ("second-of-fifty", 20), ("third-of-fifty", 10)):
        clips = [(f"clip{n}.mp4", media / "brief.mp4") for n in range(1, n_clips + 1)]
        box.drop(job, ("voice.wav", media / "brief.wav"), *clips)
    box.ok("systemctl", "reload", "heygemd.service")
    for job, n_clips in (("first-of-fifty", 20), ("second-of-fifty", 20), ("third-of-fifty", 10)):
        finished(box, job, n_clips)

    def counted():
        return measured(box, 'heygemd_clips_total{outcome="ok"}') >= 50

    box.wait(counted, 60, "the metrics to be written")
    assert measured(box, "heygemd_model_loads_total") == 1
    assert box.show("MainPID") == pid
    sound(box)


def measured(box, name):
    """A figure of the Prometheus textfile."""
    lines = box.ok("cat", "/run/heygemd/metrics.prom").splitlines()
    (value,) = [line.rpartition(" ")[2] for line in lines if line.startswith(name)]
    return float(value)


def test_a_share_that_blinks_is_waited_for_and_seen_again(box, media):
    pid, since = box.show("MainPID"), box.cursor()
    box.ok("mount", "-t", "tmpfs", "tmpfs", "/srv/heygem/outbox")
    box.wait_for_event("share.lost", since, side="outbox")
    box.drop("blink", ("voice.wav", media / "short.wav"), ("clip1.mp4", media / "anna.mp4"))
    assert box.ok("ls", "-A", "/srv/heygem/outbox") == ""
    box.ok("umount", "/srv/heygem/outbox")
    finished(box, "blink", n_clips=1)
    assert box.show("MainPID") == pid
    sound(box)


def test_a_stop_in_the_middle_of_a_clip_finishes_it_and_a_start_does_the_rest(box, media):
    since = box.cursor()
    long_job(box, media, "stopped")
    in_the_middle(box, since)
    box.ok("systemctl", "stop", "--no-block", "heygemd.service")
    box.wait(lambda: box.show("ActiveState") == "inactive", 600, "the service to stop")
    assert box.show("Result") == "success"
    assert "clip1.mp4" in box.outbox("stopped")
    assert "clip2.mp4" not in box.outbox("stopped")
    box.ok("systemctl", "start", "heygemd.service")
    finished(box, "stopped")
    sound(box)


def test_a_second_term_gives_the_clip_up_and_it_is_done_again(box, media):
    since = box.cursor()
    long_job(box, media, "impatient", n_clips=1)
    in_the_middle(box, since)
    box.ok("systemctl", "stop", "--no-block", "heygemd.service")
    # Two signals that nobody has looked at yet would count as one.
    box.wait_for_event("stop.requested", since)
    box.ok("systemctl", "kill", "--kill-whom=main", "-s", "TERM", "heygemd.service")
    box.wait(lambda: box.show("ActiveState") == "inactive", 20, "the service to stop at once")
    assert not {"clip1.mp4", "clip1.json", "job.json"} & set(box.outbox("impatient"))
    box.ok("systemctl", "start", "heygemd.service")
    finished(box, "impatient", n_clips=1)
    sound(box)


def test_a_kill_in_the_middle_of_a_clip_loses_nothing(box, media):
    since, n_before = box.cursor(), int(box.show("NRestarts"))
    long_job(box, media, "killed")
    in_the_middle(box, since)
    box.ok("systemctl", "kill", "--kill-whom=main", "-s", "KILL", "heygemd.service")
    finished(box, "killed")
    assert int(box.show("NRestarts")) == n_before + 1
    attempts = [e["clip"] for e in box.events(since) if e["event"] == "clip.attempted"]
    assert attempts == ["clip1.mp4", "clip1.mp4", "clip2.mp4"]
    sound(box)


def test_a_frozen_worker_is_killed_by_the_watchdog_and_the_job_is_done(box, media):
    since, pid = box.cursor(), box.show("MainPID")
    long_job(box, media, "frozen", n_clips=1)
    in_the_middle(box, since)
    box.ok("kill", "-STOP", pid)
    said = ("journalctl", "--no-pager", "-o", "cat", f"--after-cursor={since}")

    def is_bitten():
        return "Watchdog timeout" in box.ok(*said)

    box.wait(is_bitten, 4 * WATCHDOG_S, "the watchdog to bite")
    finished(box, "frozen", n_clips=1)
    assert box.show("MainPID") != pid
    assert "Fatal Python error: Aborted" in box.ok(*said)
    sound(box)


def test_a_reboot_in_the_middle_of_a_job_loses_nothing(box, media):
    since = box.cursor()
    long_job(box, media, "rebooted")
    in_the_middle(box, since)
    box.kill()
    box.boot()
    finished(box, "rebooted")
    sound(box)


def test_prometheus_is_answered_through_the_socket_once_it_is_enabled(box):
    refused = box.run("/opt/heygemd/venv/bin/python", "-c", SCRAPE)
    assert refused.returncode != 0
    box.ok("systemctl", "stop", "heygemd.service")
    box.ok("systemctl", "enable", "--now", "heygemd-metrics.socket")
    box.ok("systemctl", "start", "heygemd.service")
    box.wait_for_active()
    assert "heygemd_model_loads_total 1.0" in box.ok("/opt/heygemd/venv/bin/python", "-c", SCRAPE)


SCRAPE = """
import urllib.request
print(urllib.request.urlopen('http://127.0.0.1:9877/metrics', timeout=10).read().decode())
"""


def test_status_tells_an_operator_the_same_as_systemctl(box):
    said = box.ok("heygemd", "status", "--json", "--config", "/etc/heygemd/config.toml")
    told = json.loads(said)
    assert told["daemon"]["is_running"]
    assert told["daemon"]["status"] == box.show("StatusText")
    assert {job["state"] for job in told["jobs"]} == {"closed"}


def test_uninstalling_leaves_settings_and_results(box):
    script = (container.ROOT / "systemd" / "uninstall").read_text()
    box.ok("systemctl", "enable", "heygemd@1.service")
    box.ok("sh", "-s", "--", "/opt/heygemd", stdin=script, seconds=900)  # some ten thousand files
    for unit in ("heygemd.service", "heygemd@1.service"):
        assert box.run("systemctl", "status", unit).returncode == 4
    wants = box.tree / "etc/systemd/system"
    assert [path.name for path in wants.glob("*.wants/heygemd*")] == []
    assert (box.tree / CONFIG).is_file()
    assert "job.json" in box.outbox("first")
