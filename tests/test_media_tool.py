"""ffmpeg children never hang, never linger, and say why they failed."""

import os
import sys
from pathlib import Path

import lavfi
import pytest

from heygemd.errors import DependencyError, LimitError, MediaError, TransientError
from heygemd.media.tool import Caps, failure, find_ffmpeg, run, running

FREE = Caps(memory_bytes=None, file_bytes=None, stall_s=10)


def python(code):
    return [sys.executable, "-I", "-c", code]


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def read_pid(child):
    line = bytearray(8)
    child.read_into(memoryview(line))
    return int(line)


def test_the_built_in_ffmpeg_is_found_and_names_its_version():
    found = find_ffmpeg()

    assert found.path.is_file()
    assert found.version not in {"", "unknown"}


def test_the_settings_ffmpeg_is_taken_as_it_is():
    assert find_ffmpeg(Path(lavfi.FFMPEG)).path == Path(lavfi.FFMPEG)


def test_an_ffmpeg_that_is_not_there_is_a_missing_dependency():
    with pytest.raises(DependencyError, match=r"does not run.*media\.ffmpeg"):
        find_ffmpeg(Path("/nowhere/ffmpeg"))


def test_an_ffmpeg_without_our_filters_is_a_missing_dependency(tmp_path):
    poor = tmp_path / "ffmpeg"
    poor.write_text("#!/bin/sh\necho ' .. scale V->V'\n")
    poor.chmod(0o755)

    with pytest.raises(DependencyError, match=r"no filter .*zscale"):
        find_ffmpeg(poor)


def test_an_ffmpeg_that_fails_is_a_missing_dependency(tmp_path):
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\necho no such library >&2; exit 3\n")
    broken.chmod(0o755)

    with pytest.raises(DependencyError, match="exit code 3 and says: no such library"):
        find_ffmpeg(broken)


def test_output_is_read_to_the_end_whatever_the_size_of_the_pipe():
    with running(python("print('x' * 5_000_000, end='')"), FREE, reads=True) as child:
        room = bytearray(6_000_000)

        assert child.read_into(memoryview(room)) == 5_000_000
        child.finish()


def test_a_flood_on_standard_error_blocks_nobody_and_leaves_its_end():
    flood = "import sys; sys.stderr.write('noise\\n' * 500_000 + 'the end'); print('done', end='')"
    with running(python(flood), FREE, reads=True) as child:
        room = bytearray(4)

        assert child.read_into(memoryview(room)) == 4
        child.finish()
        assert child.said.endswith("the end")
        assert len(child.said) <= 4000


def test_a_child_that_is_fed_may_flood_standard_error_too():
    echo = "import sys\nwhile (b := sys.stdin.buffer.read(65536)): sys.stderr.write('noise' * 9999)"
    with running(python(echo), FREE, feeds=True) as child:
        child.write(memoryview(bytes(8_000_000)))
        child.finish()


def test_a_failing_child_raises_with_the_end_of_what_it_said():
    with (
        pytest.raises(MediaError, match="exit code 7; it said: so it goes"),
        running(python("import sys; sys.stderr.write('so it goes'); sys.exit(7)"), FREE) as child,
    ):
        child.finish()


def test_feeding_a_child_that_has_failed_says_why_it_failed():
    with (
        pytest.raises(MediaError, match="exit code 7; it said: enough"),
        running(
            python("import sys; sys.stderr.write('enough'); sys.exit(7)"), FREE, feeds=True
        ) as child,
    ):
        child.write(memoryview(bytes(50_000_000)))


def test_feeding_a_child_that_wants_no_more_is_an_error():
    with (
        pytest.raises(MediaError, match="stopped reading early"),
        running(python("pass"), FREE, feeds=True) as child,
    ):
        child.write(memoryview(bytes(50_000_000)))


def test_leaving_the_block_kills_and_reaps_the_child():
    with running(
        python("import os,time; print(f'{os.getpid():8}', flush=True); time.sleep(600)"),
        FREE,
        reads=True,
    ) as child:
        pid = read_pid(child)
        assert is_alive(pid)

    assert not is_alive(pid)


def test_an_error_in_the_block_kills_and_reaps_the_child():
    pids = []

    def stumble():
        command = python("import os,time; print(f'{os.getpid():8}', flush=True); time.sleep(600)")
        with running(command, FREE, reads=True) as child:
            pids.append(read_pid(child))
            raise KeyError

    with pytest.raises(KeyError):
        stumble()
    assert not is_alive(pids[0])


def test_a_child_that_gives_nothing_counts_as_stalled():
    caps = Caps(memory_bytes=None, stall_s=0.2)
    with (
        pytest.raises(MediaError, match="no progress for 0 s") as caught,
        running(python("import time; time.sleep(600)"), caps, reads=True) as child,
    ):
        child.read_into(memoryview(bytearray(1)))

    assert caught.value.reason == "stalled"


def test_a_child_that_takes_nothing_counts_as_stalled():
    caps = Caps(memory_bytes=None, stall_s=0.2)
    with (
        pytest.raises(MediaError) as caught,
        running(python("import time; time.sleep(600)"), caps, feeds=True) as child,
    ):
        child.write(memoryview(bytes(50_000_000)))

    assert caught.value.reason == "stalled"


def test_a_child_that_does_not_end_counts_as_stalled():
    caps = Caps(memory_bytes=None, stall_s=0.2)
    with pytest.raises(MediaError) as caught, running(
        python("import os,time; os.close(2); time.sleep(600)"), caps
    ) as child:  # fmt: skip
        child.finish()

    assert caught.value.reason == "stalled"


def test_a_child_that_dies_of_a_signal_is_a_crash():
    with (
        pytest.raises(MediaError, match="SIGSEGV") as caught,
        running(python("import os,signal; os.kill(os.getpid(), signal.SIGSEGV)"), FREE) as child,
    ):
        child.finish()

    assert caught.value.reason == "crash"


def test_processor_time_is_capped():
    caps = Caps(memory_bytes=None, cpu_s=1, stall_s=15)
    with (
        pytest.raises(LimitError, match="processor time"),
        running(python("while True: pass"), caps) as child,
    ):
        child.finish()


def test_memory_is_capped():
    caps = Caps(memory_bytes=600 << 20, stall_s=15)
    command = [lavfi.FFMPEG, "-v", "error", "-f", "lavfi", "-i", "color=size=16000x16000",
               "-frames:v", "3", "-f", "null", "-"]  # fmt: skip
    with pytest.raises(MediaError) as caught, running(command, caps) as child:
        child.finish()

    assert caught.value.reason == "oom"


def test_running_out_of_memory_counts_even_where_ffmpeg_does_not_mind():
    words = "import sys; sys.stderr.write('Error during demuxing: Cannot allocate memory')"
    with pytest.raises(MediaError) as caught, running(python(words), FREE) as child:
        child.finish()

    assert caught.value.reason == "oom"


def test_no_file_can_be_written_unless_it_is_allowed(tmp_path):
    command = [lavfi.FFMPEG, "-v", "error", "-f", "lavfi", "-i", "color", "-frames:v", "1",
               str(tmp_path / "stolen.bmp")]  # fmt: skip
    with pytest.raises((LimitError, MediaError)), running(command, Caps()) as child:
        child.finish()

    assert not (tmp_path / "stolen.bmp").exists() or not (tmp_path / "stolen.bmp").stat().st_size


def test_a_child_sees_nothing_of_our_environment_but_the_gpus(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    monkeypatch.setenv("FFREPORT", "file=/tmp/report")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    seen = run(python("import os; print(sorted(os.environ))"), FREE, limit_s=10).out.decode()

    assert "CUDA_VISIBLE_DEVICES" in seen
    assert "SECRET" not in seen
    assert "FFREPORT" not in seen


def test_a_child_that_is_not_fed_finds_its_standard_input_empty():
    ended = run(python("import sys; print(len(sys.stdin.read()))"), FREE, limit_s=10)

    assert ended.out == b"0\n"


def test_running_to_the_end_gives_code_and_words():
    ended = run(
        python("import sys; print(1); sys.stderr.write('two'); sys.exit(3)"), FREE, limit_s=10
    )

    assert (ended.code, ended.out, ended.said) == (3, b"1\n", "two")


def test_a_full_disk_is_worth_a_retry():
    assert isinstance(failure(1, "av_interleaved: No space left on device"), TransientError)
