"""The report page in a real browser, from file://."""

import os
import subprocess
from datetime import UTC, datetime

import browser
import imageio_ffmpeg
import pytest
import report_world as world

from heygemd.report.page import page
from heygemd.report.progress import ClipProgress, progress_document

pytestmark = pytest.mark.skipif(browser.CHROMIUM is None, reason="no chromium on this machine")

HOSTILE = (
    "<script>window.harmed = 1</script>.mp4",
    "\" onerror='window.harmed = 1' x=\".mp4",
    "</title></style><img src=x onerror=window.harmed=1>.mp4",
    "javascript:window.harmed=1",
    "فيديو \u202egpj.mp4",
    "👩🏽‍🎤 new\nline.mp4",
    os.fsdecode(b"caf\xe9 \xff.mp4"),
    "x" * 200 + ".mp4",
)

FAINT_TEXT = """
(() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const faint = [];
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility()) { continue; }
    let behind = element, ground = null;
    while (behind && ground === null) {
      const colour = parse(getComputedStyle(behind).backgroundColor);
      if (colour.length === 3) { ground = colour; } else if (colour[3] > 0) { ground = [0, 0, 0]; }
      behind = behind.parentElement;
    }
    const [a, b] = [parse(getComputedStyle(element).color), ground || [255, 255, 255]]
      .map(light).sort();
    const [lo, hi] = a < b ? [a, b] : [b, a];
    const ratio = (hi + 0.05) / (lo + 0.05);
    if (ratio < 4.5) { faint.push(element.textContent.trim().slice(0, 40) + " " + ratio); }
  }
  return faint;
})()
"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser.browser(tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("outbox", numbered=True) / "report.html"
    path.write_text(page(*world.finished_job()), "utf-8")
    return path


@pytest.fixture
def quiet(tab):
    """The tab, which must have nothing to complain of at the end."""
    tab.complaints.clear()
    yield tab
    assert tab.complaints == []


def running_page():
    document, logs, pictures = world.finished_job()
    job = world.make_job("anna.mp4", "ben.mov", "empty street.mp4")
    clips = [
        ClipProgress("0001", "anna.mp4", "ok"),
        ClipProgress("0002", "ben.mov", "running", "render", 120, 360),
        ClipProgress("0003", "empty street.mp4"),
    ]
    now = datetime.now(UTC)
    progress = progress_document(job, clips, now=now, frames_per_s=17.25, eta_s=200)
    return page(document, logs[:1], pictures, progress=progress)


def seen(tab):
    return tab.ask("document.body.innerText")


def test_the_browser_would_tell_of_trouble(tab, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text("<script>nothing.here()</script><img src=gone.jpg>")
    tab.complaints.clear()
    tab.show(path)
    assert any("ReferenceError" in complaint for complaint in tab.complaints)


@pytest.mark.parametrize(
    ("wishes", "language", "said"),
    [
        ("en-GB,en", "en", "2 of 3 clips are done"),
        ("zh-CN", "zh-Hans", "3 段视频中完成了 2 段"),
        ("fr,zh-TW", "zh-Hans", "3 段视频中完成了 2 段"),
        ("fr", "en", "2 of 3 clips are done"),
    ],
)
def test_the_page_speaks_the_browsers_language(quiet, finished, wishes, language, said):
    quiet.show(finished, language=wishes)
    assert quiet.ask("document.documentElement.lang") == language
    assert said in seen(quiet)


def test_the_language_can_be_switched_and_is_remembered(quiet, finished):
    quiet.show(finished, language="en")
    quiet.ask("document.querySelector('[data-speak=zh]').click()")
    assert "处理前" in seen(quiet)
    assert "before" not in seen(quiet)
    quiet.show(finished, language="en")
    assert quiet.ask("document.documentElement.lang") == "zh-Hans"
    quiet.ask("localStorage.clear()")


@pytest.mark.parametrize(("width", "language"), [(320, "en"), (390, "zh"), (800, "en")])
def test_nothing_sticks_out_of_the_window(quiet, finished, width, language):
    quiet.show(finished, width=width, language=language)
    assert quiet.ask("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True])
def test_all_text_stands_out_from_its_ground(quiet, finished, dark):
    quiet.show(finished, dark=dark)
    assert quiet.ask("matchMedia('(prefers-color-scheme: dark)').matches") == dark
    quiet.ask("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    assert quiet.ask(FAINT_TEXT) == []


def test_names_do_no_harm_and_are_shown_as_they_are(quiet, tmp_path):
    job = world.make_job(*HOSTILE, name="</title><script>window.harmed = 1</script>")
    results = [world.done(clip) for clip in job.clips]
    results[1] = world.failed(
        job.clips[1], message="<img src=x onerror=window.harmed=1>\x00\x1b[1m"
    )
    logs = world.published(job, *results)
    path = tmp_path / "report.html"
    path.write_text(page(world.closed(job, logs), logs, {}), "utf-8")
    quiet.show(path, width=390)
    assert quiet.ask("window.harmed") is None
    assert quiet.ask("document.title").startswith("</title><script>")
    assert quiet.ask("document.querySelectorAll('script, img, iframe').length") == 1
    assert quiet.ask("document.documentElement.scrollWidth") <= 390
    names = quiet.ask("[...document.querySelectorAll('h2')].map((title) => title.textContent)")
    assert names[0] == HOSTILE[0]
    assert names[5] == "👩🏽‍🎤 new\\nline.mp4"
    assert names[6] == "caf\\udce9 \\udcff.mp4"


def test_a_script_that_slipped_through_would_not_run(tab, tmp_path):
    path = tmp_path / "report.html"
    html = page(*world.finished_job())
    path.write_text(html.replace("</body>", "<script>window.harmed = 1</script></body>"), "utf-8")
    tab.show(path)
    assert tab.ask("window.harmed") is None
    assert any("Content Security Policy" in complaint for complaint in tab.complaints)


def test_every_control_and_picture_has_a_name(quiet, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(running_page(), "utf-8")
    quiet.show(path, language="zh-CN")
    wanted = {"button", "link", "progressbar", "Video", "article", "table", "DisclosureTriangle"}
    nodes = quiet.send("Accessibility.getFullAXTree")["nodes"]
    named = [
        (node["role"]["value"], node.get("name", {}).get("value"))
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in wanted
    ]
    assert {role for role, _ in named} == wanted
    assert [role for role, name in named if not name] == []


def test_the_first_tab_key_leads_past_the_head(quiet, finished):
    quiet.show(finished)
    for kind in ("keyDown", "keyUp"):
        quiet.send("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab",
                   windowsVirtualKeyCode=9)  # fmt: skip
    assert quiet.ask("document.activeElement.className") == "skip"


def test_paper_shows_no_players_and_hides_no_details(quiet, finished):
    quiet.show(finished, media="print")
    quiet.ask("window.dispatchEvent(new Event('beforeprint'))")
    assert quiet.ask("document.querySelector('video').checkVisibility()") is False
    assert "sha256 " + "ef" * 32 in seen(quiet)


def test_a_finished_page_loads_nothing_but_itself_until_a_film_is_played(quiet, finished):
    quiet.show(finished)
    assert quiet.ask("performance.getEntriesByType('resource').map((entry) => entry.name)"
                     ".filter((name) => !name.startsWith('data:'))") == []  # fmt: skip


def test_a_film_beside_the_page_plays(quiet, finished):
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    source = ["-f", "lavfi", "-i", "testsrc=s=64x48:d=0.4:r=25", "-pix_fmt", "yuv420p"]
    target = finished.parent / "clip1.mp4"
    subprocess.run([ffmpeg, "-v", "error", "-y", *source, str(target)], check=True)
    quiet.show(finished)
    played = quiet.ask("""(async () => {
      const film = document.querySelector("video");
      const end = new Promise((ended) => film.addEventListener("ended", ended));
      await film.play();
      await end;
      return film.videoWidth;
    })()""")
    assert played == 64


def show_running(tab, path, html=""):
    path.write_text(html or running_page(), "utf-8")
    tab.show(path)


def test_a_running_page_reloads_itself_and_keeps_what_was_unfolded(quiet, tmp_path):
    show_running(quiet, tmp_path / "report.html")
    quiet.ask("document.querySelector('details').open = true")
    n_loads = quiet.loads
    quiet.ask("tick()")
    quiet.wait_for_loads(n_loads + 1)
    assert quiet.ask("document.querySelector('details').open") is True


def test_a_running_page_becomes_the_finished_one_and_stays_that(quiet, tmp_path):
    path = tmp_path / "report.html"
    show_running(quiet, path)
    assert "1 of 3 clips finished so far" in seen(quiet)
    path.write_text(page(*world.finished_job()), "utf-8")
    n_loads = quiet.loads
    quiet.ask("tick()")
    quiet.wait_for_loads(n_loads + 1)
    assert "2 of 3 clips are done" in seen(quiet)
    assert quiet.ask("typeof tick") == "undefined"


def test_reloading_can_be_stopped_and_stays_stopped(quiet, tmp_path):
    show_running(quiet, tmp_path / "report.html")
    quiet.ask("document.getElementById('pause').click()")
    quiet.ask("window.same = true; tick(); new Promise((passed) => setTimeout(passed, 100))")
    assert quiet.ask("window.same") is True
    assert "Go on reloading this page" in seen(quiet)
    assert "Stop reloading this page" not in seen(quiet)
    quiet.show(tmp_path / "report.html")
    assert "Go on reloading this page" in seen(quiet)


def test_a_page_in_which_text_is_selected_waits(quiet, tmp_path):
    show_running(quiet, tmp_path / "report.html")
    quiet.ask("getSelection().selectAllChildren(document.querySelector('h1'))")
    quiet.ask("window.same = true; tick(); new Promise((passed) => setTimeout(passed, 100))")
    assert quiet.ask("window.same") is True


def test_a_page_that_gets_no_news_says_so(quiet, tmp_path):
    now = datetime.now(UTC).strftime("%Y")
    fresh, old = running_page(), running_page().replace(f'datetime="{now}', 'datetime="2001')
    for html, silent in ((fresh, False), (old, True)):
        show_running(quiet, tmp_path / "report.html", html)
        quiet.ask("document.getElementById('pause').click(); tick()")
        assert ("No news for a while" in seen(quiet)) is silent
        quiet.ask("sessionStorage.clear()")
