"""The loop: turns, retries, stops; with a clock that only moves when it is told to."""

import io
import itertools
import json
import sys
import threading
from dataclasses import replace

import pytest
import structlog
from fakes import FakeExecutor, FakeQueue, make_job
from test_job import FACTS, Ears

from heygemd.daemon import Daemon, Stop
from heygemd.errors import AudioError, GpuLostError, TransientError
from heygemd.job import Workshop
from heygemd.log import configure
from heygemd.pulse import Pulse
from heygemd.records import ClipResult
from heygemd.report.documents import clip_log


class FakeBell:
    """Lets the clock run on instead of waiting."""

    def __init__(self, clock):
        self.clock = clock
        self.waits_s = []
        self.closed = False
        self.troubles = {"overflow": 0, "rebuilt": 0, "degraded": 0}

    def wait(self, timeout_s):
        self.waits_s.append(timeout_s)
        self.clock.now_s += timeout_s

    def close(self):
        self.closed = True


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


def make_daemon(queue, executor=None):
    clock, stop = Clock(), Stop()
    shop = Workshop(queue, executor or FakeExecutor(), Ears(), FACTS, stopped=stop.now)
    return Daemon(queue, shop, FakeBell(clock), stop, rescan_s=30, settle_s=8, clock=clock)


def test_a_dropped_job_is_claimed_rendered_and_closed():
    queue = FakeQueue(make_job())
    make_daemon(queue).drain()
    assert queue.closed["lesson"]["outcome"] == "ok"


def test_draining_waits_for_folders_that_may_still_settle():
    queue = FakeQueue()
    left = [True, True, False]
    queue.settling = lambda: left.pop(0)
    make_daemon(queue).drain()
    assert left == []


def test_clips_of_waiting_jobs_take_turns():
    executor = FakeExecutor()
    big, small = make_job("big", 4), make_job("small", 1)
    make_daemon(FakeQueue(big, small), executor).drain()
    assert executor.rendered == ["clip1.mp4", "clip1.mp4", "clip2.mp4", "clip3.mp4", "clip4.mp4"]


def test_a_job_of_higher_priority_goes_first():
    queue = FakeQueue(make_job("a", 2), make_job("b", 2, priority=5))
    make_daemon(queue).drain()
    assert [name for name, _ in queue.attempts] == ["b", "b", "a", "a"]


def test_a_rejected_job_does_not_stop_the_others():
    queue = FakeQueue(make_job("bad"), make_job("good"))
    queue.rejects = {"bad"}
    daemon = make_daemon(queue)
    daemon.drain()
    assert list(queue.closed) == ["good"]
    assert daemon.failed


def test_a_failed_clip_is_counted_and_its_siblings_go_on():
    job = make_job(n_clips=2)
    bad = ClipResult(job.clips[0], "failed", "no_face", "no face")
    queue = FakeQueue(job)
    daemon = make_daemon(queue, FakeExecutor({"clip1.mp4": bad}))
    daemon.drain()
    assert daemon.failed
    assert queue.closed["lesson"]["outcome"] == "partial"


def test_a_clip_that_failed_in_an_earlier_life_is_a_failure_of_this_one_too():
    job = make_job(n_clips=2)
    queue = FakeQueue(job)
    queue.claim(job.name)
    queue.logs[job.id]["0001"] = clip_log(
        ClipResult(job.clips[0], "failed", "no_face", "no face"), job, None, FACTS
    )
    daemon = make_daemon(queue)
    daemon.drain()
    assert daemon.failed
    assert queue.closed["lesson"]["outcome"] == "partial"


def test_a_job_whose_sound_cannot_be_used_is_a_failure():
    daemon = make_daemon(FakeQueue(make_job()))
    daemon.shop = replace(daemon.shop, hear=Ears(AudioError("no sound", code="no_sound")))
    daemon.drain()
    assert daemon.failed


def test_where_all_is_done_nothing_failed():
    daemon = make_daemon(FakeQueue(make_job()))
    daemon.drain()
    assert not daemon.failed


def test_a_transient_error_is_tried_again_after_a_pause():
    executor = FakeExecutor({"clip1.mp4": [TransientError("disk full"), None]})
    queue = FakeQueue(make_job(n_clips=1))
    daemon = make_daemon(queue, executor)
    daemon.drain()
    assert executor.rendered == ["clip1.mp4", "clip1.mp4"]
    assert queue.closed["lesson"]["outcome"] == "ok"
    assert sum(daemon.bell.waits_s) >= 4.9


def test_pauses_between_retries_double_up_to_five_minutes():
    executor = FakeExecutor({"clip1.mp4": [*itertools.repeat(TransientError("x"), 12), None]})
    daemon = make_daemon(FakeQueue(make_job(n_clips=1)), executor)
    started_s = daemon.clock()
    daemon.drain()
    spent_s = daemon.clock() - started_s
    assert spent_s == pytest.approx(sum(min(5 * 2**n, 300) for n in range(12)), abs=20)


def test_others_go_on_while_a_job_rests():
    executor = FakeExecutor({"clip1.mp4": [TransientError("x"), None, None]})
    queue = FakeQueue(make_job("a", 1), make_job("b", 2))
    make_daemon(queue, executor).drain()
    assert list(queue.closed) == ["b", "a"]


def test_a_stop_ends_the_loop_after_the_clip_in_hand():
    queue = FakeQueue(make_job(n_clips=3))
    daemon = make_daemon(queue)
    executor = FakeExecutor()
    original = executor.render

    def render_and_stop(clips, prepare, **more):
        daemon.stop.ask()
        return original(clips, prepare, **more)

    executor.render = render_and_stop
    daemon.shop = Workshop(queue, executor, Ears(), FACTS)
    daemon.run()
    assert executor.rendered == ["clip1.mp4"]
    assert len(queue.pending(make_job(n_clips=3))) == 2
    assert daemon.bell.closed


class Pair(FakeExecutor):
    """Has a second clip under way whenever it gives a result, as with two lanes."""

    n_active = 0

    def render(self, clips, prepare, *, alone=None):
        under_way = []
        try:
            for clip in clips:
                under_way.append(prepare(clip).clip)
                self.n_active += 1
                if len(under_way) == 2:
                    yield self.ended(under_way)
            while under_way:
                yield self.ended(under_way)
        finally:
            self.n_active -= len(under_way)

    def ended(self, under_way):
        self.n_active -= 1
        self.rendered.append(under_way[0].name)
        return ClipResult(under_way.pop(0), "ok", n_frames=25, timings_s={"total": 1.0})


def paired(n_clips=4):
    queue, executor = FakeQueue(make_job(n_clips=n_clips)), Pair()
    daemon = make_daemon(queue, executor)
    daemon.shop = replace(daemon.shop, ending=daemon.stop.soon)
    return daemon, queue, executor


def test_a_stop_lets_both_clips_under_way_end_and_begins_no_third():
    daemon, queue, executor = paired()
    daemon.turn()
    daemon.stop.ask()
    daemon.run()
    assert executor.rendered == ["clip1.mp4", "clip2.mp4"]
    assert (executor.n_active, queue.forgiven, queue.closed) == (0, [], {})


def test_a_stop_at_once_gives_up_what_is_under_way_and_counts_no_attempt():
    daemon, queue, executor = paired()
    daemon.turn()
    daemon.stop.ask()
    daemon.stop.ask()
    daemon.run()
    assert executor.rendered == ["clip1.mp4"]
    assert queue.forgiven == [("lesson", "clip2.mp4")]


def test_a_stop_waits_for_no_clip_of_a_job_that_another_daemon_took_over():
    daemon, queue, executor = paired()
    daemon.turn()
    queue.accepted.clear()
    daemon.stop.ask()
    daemon.run()
    assert executor.rendered == ["clip1.mp4"]


def test_asking_twice_gives_up_the_clip_in_hand():
    stop = Stop()
    stop.ask()
    assert (stop.soon(), stop.now()) == (True, False)
    stop.ask()
    assert (stop.soon(), stop.now()) == (True, True)


def test_an_idle_daemon_sleeps_as_long_as_it_may():
    daemon = make_daemon(FakeQueue())
    assert daemon._pause_s() == 30


def test_a_folder_that_still_changes_is_looked_at_more_often():
    queue = FakeQueue()
    queue.waiting = lambda: {"lesson": "still changing"}
    assert make_daemon(queue)._pause_s() == 2


class Manager:
    """What systemd hears, instead of ``Notifier``."""

    def __init__(self):
        self.said = []

    def __getattr__(self, word):
        return lambda *values: self.said.append((word, *values))

    def count(self, word):
        return sum(said[0] == word for said in self.said)


def make_watched(queue, executor=None, **pulse):
    daemon = make_daemon(queue, executor)
    manager = Manager()
    told = Pulse(manager, clock=daemon.clock, wall=daemon.clock, **pulse)
    daemon.shop = replace(daemon.shop, pulse=told)
    told.between = daemon.heed
    told.ready()
    return daemon, manager


class Rendering(FakeExecutor):
    """Takes its time: ``step_s`` per batch of 25 frames, three batches a clip."""

    def __init__(self, clock=None, step_s=1.0, at=None):
        super().__init__()
        self.clock, self.step_s, self.at = clock, step_s, at or {}

    def render(self, clips, prepare, *, alone=None):
        for clip in clips:
            task = prepare(clip)
            for batch in (1, 2, 3):
                self.clock.now_s += self.step_s
                self.at.get((clip.name, batch), lambda: None)()
                if task.stopped():
                    raise TransientError("stopped", code="stopped")
                task.progress("render", 25 * batch, 75)
            yield ClipResult(task.clip, "ok", n_frames=75, timings_s={"total": 3 * self.step_s})


def rendering(queue, **options):
    executor = Rendering(**options)
    daemon, manager = make_watched(queue, executor)
    executor.clock = daemon.clock
    return daemon, manager, executor


def test_the_status_says_what_is_done_in_words():
    daemon, manager, _ = rendering(FakeQueue(make_job("a", 1), make_job("lesson", 2)))
    daemon.drain()
    told = [said[1] for said in manager.said if said[0] == "status"]
    assert "1 job waiting, lesson: clip 1 of 2, render 66 %, 25 fps" in told


def test_every_second_of_rendering_feeds_the_watchdog():
    daemon, manager, _ = rendering(FakeQueue(make_job(n_clips=4)), step_s=20.0)
    daemon.drain()
    assert manager.count("alive") >= 4 * 3


def test_a_frozen_worker_stops_the_pings():
    daemon, manager, executor = rendering(FakeQueue(make_job(n_clips=1)))
    before = []

    def freeze():
        before.append(manager.count("alive"))
        daemon.clock.now_s += 3600.0  # nothing moves for an hour
        before.append(manager.count("alive"))

    executor.at["clip1.mp4", 2] = freeze
    daemon.drain()
    assert before[0] == before[1]


def test_an_idle_daemon_feeds_the_watchdog_more_often_than_it_scans():
    daemon, manager = make_watched(FakeQueue())
    naps = []

    def nap(timeout_s):  # as Bell does: half a second at most
        naps.append(timeout_s)
        daemon.clock.now_s += 0.5
        if len(naps) == 40:
            daemon.stop.ask()

    daemon.bell.wait = nap
    daemon.run()
    assert manager.count("alive") >= 18
    assert daemon.pulse.metrics.registry.get_sample_value("heygemd_scan_seconds_count") == 1


def test_the_batches_of_the_networks_are_told_with_every_look():
    daemon, _ = make_watched(FakeQueue())
    sizes = {"lips": 16}
    daemon.batches = lambda: sizes
    daemon.turn()
    sizes["lips"] = 8  # the GPU's memory was short
    daemon.turn()
    assert b'heygemd_batch_frames{network="lips"} 8.0' in daemon.pulse.metrics.text()


def test_a_share_that_hangs_gets_more_patience_than_a_frozen_worker():
    daemon, manager = make_watched(FakeQueue(), watchdog_s=60.0)
    daemon.turn()
    assert ("watchdog", 600.0) in manager.said
    assert manager.said[-1] == ("alive",)
    assert manager.said[-2] == ("watchdog", 60.0)


def test_a_reload_in_the_middle_of_a_clip_does_not_wait_for_its_end():
    daemon, _, executor = rendering(FakeQueue(make_job(n_clips=1)))
    seen = []
    daemon.reload = lambda _: seen.append(daemon.pulse.in_hand.n_done)

    def wish():
        daemon.wishes.reload = True

    executor.at["clip1.mp4", 2] = wish
    daemon.drain()
    assert seen == [50]


@pytest.fixture
def events():
    """What is logged, parsed."""
    stream, hook, thread_hook = io.StringIO(), sys.excepthook, threading.excepthook
    configure(stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    sys.excepthook, threading.excepthook = hook, thread_hook
    structlog.reset_defaults()


def test_a_dump_logs_the_state_and_every_thread(events):
    daemon, _ = make_watched(FakeQueue())
    daemon.wishes.dump = True
    daemon.turn()
    dumped = [line for line in events() if line["event"] == "daemon.dumped"]
    assert dumped[0]["state"]["status"]
    assert any("test_daemon" in "".join(line["stack"]) for line in dumped[1:])


def test_a_stop_is_told_in_the_middle_of_the_clip():
    daemon, manager, executor = rendering(FakeQueue(make_job(n_clips=2)))
    executor.at["clip1.mp4", 1] = daemon.stop.ask
    daemon.run()
    assert manager.count("stopping") == 1
    assert [name for _, name in daemon.intake.attempts] == ["clip1.mp4"]
    assert daemon.intake.forgiven == []


def test_a_clip_that_takes_longer_than_the_drain_is_given_up_and_queued_again():
    queue = FakeQueue(make_job(n_clips=1))
    daemon, _, executor = rendering(queue, step_s=400.0)
    daemon.stop.drain_s, daemon.stop.clock = 540.0, daemon.clock
    executor.at["clip1.mp4", 1] = daemon.stop.ask
    daemon.run()
    assert queue.forgiven == [("lesson", "clip1.mp4")]
    assert len(queue.pending(make_job(n_clips=1))) == 1


def test_asking_twice_requeues_the_clip_at_once():
    queue = FakeQueue(make_job(n_clips=1))
    daemon, _, executor = rendering(queue)
    executor.at["clip1.mp4", 1] = lambda: (daemon.stop.ask(), daemon.stop.ask())
    daemon.run()
    assert queue.forgiven == [("lesson", "clip1.mp4")]


def test_a_lost_gpu_leaves_the_loop_and_the_clip_counts_as_tried():
    queue = FakeQueue(make_job(n_clips=2))
    lost = GpuLostError("CUDA error: an illegal memory access was encountered")
    daemon, _ = make_watched(queue, FakeExecutor({"clip1.mp4": lost}))
    with pytest.raises(GpuLostError):
        daemon.run()
    assert queue.attempts == [("lesson", "clip1.mp4")]
    assert queue.forgiven == []


def test_a_share_that_goes_and_comes_is_told_once_each_way(events):
    queue = FakeQueue()
    daemon, manager = make_watched(queue)
    for lost in ((), ("inbox",), ("inbox",), ()):
        queue.lost = lambda lost=lost: lost
        daemon.turn()
    assert [line["event"] for line in events()] == ["share.lost", "share.returned"]
    assert ("status", "inbox is not there, waiting for it") in manager.said


def value(daemon, name, **labels):
    return daemon.pulse.metrics.registry.get_sample_value(f"heygemd_{name}", labels)


def test_what_happened_is_counted():
    job = make_job("bad", 3)
    failed = ClipResult(job.clips[0], "failed", "no_face", "no face", timings_s={"total": 2.0})
    full = [TransientError("full", code="disk_full"), None]
    queue = FakeQueue(job, make_job("broken"))
    queue.rejects = {"broken"}
    executor = FakeExecutor({"clip1.mp4": failed, "clip2.mp4": full})
    daemon, _ = make_watched(queue, executor)
    daemon.drain()
    assert value(daemon, "clips_total", outcome="ok") == 2
    assert value(daemon, "clip_failures_total", code="no_face") == 1
    assert value(daemon, "jobs_total", outcome="partial") == 1
    assert value(daemon, "jobs_total", outcome="rejected") == 1
    assert value(daemon, "retries_total", code="disk_full") == 1
    assert value(daemon, "jobs_open") == 0


def test_troubles_with_file_events_are_counted():
    daemon, _ = make_watched(FakeQueue())
    daemon.bell.troubles["overflow"] = 2
    daemon.turn()
    assert value(daemon, "watch_troubles", kind="overflow") == 2
    assert value(daemon, "watch_troubles", kind="rebuilt") == 0


def test_the_model_is_loaded_once_for_fifty_clips_of_three_jobs_and_a_reload():
    queue = FakeQueue(make_job("a", 20), make_job("b", 20), make_job("c", 10))
    daemon, _ = make_watched(queue)
    daemon.pulse.metrics.model_loaded(FACTS, 1.0)
    daemon.wishes.reload = True
    daemon.drain()
    assert value(daemon, "clips_total", outcome="ok") == 50
    assert value(daemon, "model_loads_total") == 1


def test_the_spool_is_swept_at_the_start_hourly_and_when_a_job_has_ended():
    queue = FakeQueue()
    daemon, swept = make_daemon(queue), []
    daemon.sweep = lambda: swept.append(daemon.clock())
    daemon.turn()
    assert len(swept) == 1
    daemon.turn()
    assert len(swept) == 1
    queue.inbox["lesson"] = make_job(n_clips=1)
    daemon.drain()
    assert len(swept) == 2
    daemon.clock.now_s += 3601.0
    daemon.turn()
    assert len(swept) == 3


def test_a_sweep_that_cannot_be_done_holds_nobody_up():
    def gone():
        raise TransientError("no such folder", code="gone")

    queue = FakeQueue(make_job(n_clips=1))
    daemon = make_daemon(queue)
    daemon.sweep = gone
    daemon.drain()
    assert queue.closed["lesson"]["outcome"] == "ok"


def test_nothing_is_swept_while_a_share_is_away():
    queue = FakeQueue()
    queue.lost = lambda: ("inbox",)
    daemon, swept = make_daemon(queue), []
    daemon.sweep = lambda: swept.append(1)
    daemon.turn()
    assert swept == []


def test_signs_of_life_go_on_while_a_clip_renders():
    queue = FakeQueue(make_job(n_clips=1))
    daemon, _, _ = rendering(queue, step_s=20.0)
    daemon.drain()
    assert {120.0, 140.0, 160.0} <= set(queue.beats_s)


def test_a_sign_of_life_that_fails_does_not_end_the_clip():
    queue = FakeQueue(make_job(n_clips=1))
    daemon, _, _ = rendering(queue)

    def beat(now_s):
        raise TransientError("the share is away", code="share_gone")

    queue.beat = beat
    daemon.drain()
    assert queue.closed["lesson"]["outcome"] == "ok"


def test_a_full_disk_pauses_the_intake_at_the_first_folder_and_fails_nobody(events):
    queue = FakeQueue(make_job("a", 1), make_job("b", 1))
    daemon, _ = make_watched(queue)
    claim, asked = queue.claim, []

    def full(name):
        asked.append(name)
        raise TransientError("3 MB free, want 9 MB", code="disk_full")

    queue.claim = full
    daemon.turn()
    assert asked == ["a"]
    assert [line["event"] for line in events()] == ["intake.paused"]

    queue.claim = claim
    daemon.drain()
    assert sorted(queue.closed) == ["a", "b"]
    assert not daemon.failed
