"""One job of files that want to harm: each fails alone, and the model's process stays."""

import json
import os
import subprocess
import sys
import zlib

import imageio_ffmpeg
import made_media
import pytest
from fuzz_media import Canary

pytestmark = pytest.mark.timeout(300)

CONFIG = """
[folders]
inbox = "{root}/inbox"
outbox = "{root}/outbox"
work = "{root}/work"
[intake]
settle_s = 0.2
[model]
name = "passthrough"
device = "cpu"
[media]
ffmpeg = "{root}/ffmpeg"
stall_s = 20.0
[service]
metrics_file = "{root}/heygemd.prom"
"""
# The true ffmpeg, but for clips whose last bytes ask for something else.
FFMPEG = """#!/bin/sh
for word in "$@"; do
    case $word in file:*) asked=$(tail -c 8 "${{word#file:}}" 2>/dev/null | tr -d '\\0') ;; esac
    case ${{asked:-}} in
        SEGFAULT) kill -SEGV $$ ;;
        HANGHANG) exec sleep 1000 ;;
        EATALOT!) exec {python} -I -c '{eat}' ;;
    esac
done
exec {ffmpeg} "$@"
"""
EAT = """
import mmap
held = []
while True:
    held.append(mmap.mmap(-1, 1 << 28))
"""
EXPECTED = {
    "bomb.png": "limits",
    "concat.mp4": "unsupported_container",
    "description.mp4": "unsupported_container",
    "eater.mp4": "oom",
    "hanging.mp4": "stalled",
    "playlist.mp4": "unsupported_container",
    "segfault.mp4": "crash",
    "zoe.mp4": "ok",
}
NOT_OPENED = {"link.mp4": "unsafe_input", "pipe.mp4": "unsafe_input"}


def bomb(edge_px=16_000):
    """A PNG of a few kilobytes that opens to 256 million pixels."""

    def chunk(kind, body):
        checksum = zlib.crc32(kind + body)
        return len(body).to_bytes(4) + kind + body + checksum.to_bytes(4)

    header = edge_px.to_bytes(4) * 2 + bytes([1, 0, 0, 0, 0])  # one bit of grey
    rows = zlib.compress(bytes(edge_px * (1 + edge_px // 8)), 9)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def hostile_files(secret, good):
    """Content by name; a last box of eight letters tells the test's ffmpeg what to do."""
    marked = good + b"\0\0\0\x10free"
    playlist = f"#EXTM3U\n#EXTINF:1,\nfile:{secret}\n#EXT-X-ENDLIST\n"
    description = f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns={secret}\nm=video 9 RTP/AVP 96\n"
    return {
        "bomb.png": bomb(),
        "concat.mp4": f"ffconcat version 1.0\nfile '{secret}'\n".encode(),
        "description.mp4": description.encode(),
        "eater.mp4": marked + b"EATALOT!",
        "hanging.mp4": marked + b"HANGHANG",
        "playlist.mp4": playlist.encode(),
        "segfault.mp4": marked + b"SEGFAULT",
        "zoe.mp4": good,
    }


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """A daemon that has done the job; its last words, the job's document and the canary."""
    root = tmp_path_factory.mktemp("hostile")
    for name in ("inbox", "outbox", "work", "job"):
        (root / name).mkdir()
    ffmpeg = root / "ffmpeg"
    true = imageio_ffmpeg.get_ffmpeg_exe()
    ffmpeg.write_text(FFMPEG.format(ffmpeg=true, python=sys.executable, eat=EAT))
    ffmpeg.chmod(0o755)
    (root / "config.toml").write_text(CONFIG.format(root=root))
    canary = Canary(root / "canary")
    made_media.write_clip(root / "good.mp4")
    made_media.write_voice(root / "job" / "voice.wav", 1.0)
    files = hostile_files(root / "canary" / "secret.ts", (root / "good.mp4").read_bytes())
    for name, content in files.items():
        (root / "job" / name).write_bytes(content)
    (root / "job" / "link.mp4").symlink_to(canary.path)
    os.mkfifo(root / "job" / "pipe.mp4")
    (root / "job").rename(root / "inbox" / "hostile")
    command = [sys.executable, "-m", "heygemd", "once", "--config", str(root / "config.toml")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert ended.returncode == 1, ended.stderr
    events = [json.loads(line) for line in ended.stderr.splitlines()]
    return root, events, canary


def test_each_fails_alone_with_its_reason_and_the_good_clip_comes_out(life):
    root, _, _ = life
    document = json.loads((root / "outbox" / "hostile" / "job.json").read_text())
    assert {row["name"]: row["code"] for row in document["clips"]} == EXPECTED | NOT_OPENED
    assert [path.name for path in (root / "outbox" / "hostile").glob("*.mp4")] == ["zoe.mp4"]


def test_one_process_with_one_loaded_model_did_it_all(life):
    root, events, _ = life
    names = [event["event"] for event in events]
    assert (names.count("daemon.started"), names.count("model.loaded")) == (1, 1)
    assert names[-1] == "daemon.stopped"
    assert "heygemd_model_loads_total 1.0" in (root / "heygemd.prom").read_text()
    assert [event["clip"] for event in events if event["event"] == "clip.attempted"] == [*EXPECTED]


def test_the_canary_was_not_opened_by_playlist_link_or_description(life):
    _, _, canary = life
    assert canary.touched() == []


def test_the_bomb_is_small_and_opens_to_256_million_pixels(life):
    root, _, _ = life
    content = bomb()
    assert len(content) < 200_000
    assert int.from_bytes(content[16:20]) * int.from_bytes(content[20:24]) == 256_000_000
    assert (root / "outbox" / "hostile" / "bomb.json").is_file()
