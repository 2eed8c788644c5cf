"""The loop: turns, retries, stops; with a clock that only moves when it is told to."""

import itertools

import pytest
from fakes import FakeExecutor, FakeQueue, make_job
from test_job import FACTS, Ears

from heygemd.daemon import Daemon, Stop
from heygemd.errors import TransientError
from heygemd.job import Workshop
from heygemd.records import ClipResult


class FakeBell:
    """Lets the clock run on instead of waiting."""

    def __init__(self, clock):
        self.clock = clock
        self.waits_s = []
        self.closed = False

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
    assert daemon.n_failed == 1


def test_a_failed_clip_is_counted_and_its_siblings_go_on():
    job = make_job(n_clips=2)
    bad = ClipResult(job.clips[0], "failed", "no_face", "no face")
    queue = FakeQueue(job)
    daemon = make_daemon(queue, FakeExecutor({"clip1.mp4": bad}))
    daemon.drain()
    assert daemon.n_failed == 1
    assert queue.closed["lesson"]["outcome"] == "partial"


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

    def render_and_stop(clips, prepare):
        daemon.stop.ask()
        return original(clips, prepare)

    executor.render = render_and_stop
    daemon.shop = Workshop(queue, executor, Ears(), FACTS)
    daemon.run()
    assert executor.rendered == ["clip1.mp4"]
    assert len(queue.pending(make_job(n_clips=3))) == 2
    assert daemon.bell.closed


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


def test_the_service_manager_hears_of_every_turn():
    said = []

    class Recorder:
        def alive(self):
            said.append("alive")

        def status(self, text):
            said.append(text)

        def stopping(self):
            said.append("stopping")

    daemon = make_daemon(FakeQueue(make_job(n_clips=1)))
    daemon.notifier = Recorder()
    daemon.drain()
    assert said[:2] == ["alive", "1 jobs in work, 0 folders not complete yet"]
    assert said[-1] == "stopping"
