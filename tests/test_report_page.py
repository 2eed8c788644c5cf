"""report.html as text: what it holds, in every state of a job."""

import os
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
import report_world as world

from heygemd.errors import AudioError
from heygemd.records import ClipPictures, Notice
from heygemd.report import catalogue
from heygemd.report.page import page
from heygemd.report.progress import ClipProgress, progress_document

VOID = {"meta", "img", "br", "link", "input"}


class Reader(HTMLParser):
    """Text, ids and addresses of a page; fails on tags that do not close."""

    def __init__(self, html):
        super().__init__()
        self.open, self.words, self.ids, self.addresses, self.tags = [], [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.addresses += [
            attributes[key] for key in ("src", "href", "poster") if key in attributes
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"script", "style"}:
            self.words.append(data)

    @property
    def text(self):
        return "".join(self.words)


def read(*parts, **more):
    return Reader(page(*parts, **more))


def running(n_ok=1):
    job = world.make_job("a.mp4", "b.mp4")
    clips = [ClipProgress("0001", "a.mp4", "ok"), ClipProgress("0002", "b.mp4", "running")]
    logs = world.published(job, *(world.done(clip) for clip in job.clips[:n_ok]))
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    progress = progress_document(job, clips, now=now, frames_per_s=17.0, eta_s=200.0)
    return read(world.closed(job, logs), logs, {}, progress=progress)


def test_every_tag_closes_and_no_id_comes_twice():
    report = read(*world.finished_job())
    assert len(report.ids) == len(set(report.ids))


def test_the_outcome_of_every_clip_is_there_in_both_languages():
    text = read(*world.finished_job()).text
    for name in ("anna.mp4", "ben.mov", "empty street.mp4"):
        assert name in text
    for said in ("2 of 3 clips are done", "done, please look", "failed"):
        assert said in text
    for said in ("3 段视频中完成了 2 段", *catalogue.word("warn"), "未完成"):
        assert said in text


def test_a_failed_clip_says_what_happened_what_to_do_and_what_was_found():
    text = read(*world.finished_job()).text
    entry = catalogue.error("no_face")
    for said in (entry.en, entry.en_do, entry.zh, entry.zh_do, "a face in 3 of 240 frames",
                 "[no_face]"):  # fmt: skip
        assert said in text


def test_a_warning_says_its_numbers_and_what_to_do():
    text = read(*world.finished_job()).text
    assert "44 of 360 frames show no face" in text
    assert "360 帧里有 44 帧没有人脸" in text
    assert catalogue.warning("cuts").en_do in text


def test_a_warning_of_another_version_is_shown_as_it_says():
    job = world.make_job("a.mp4")
    logs = world.published(job, world.done(job.clips[0]))
    logs[0]["warnings"] = [{"code": "too_new", "message": "the {moon} was full"}]
    assert "the {moon} was full" in read(world.closed(job, logs), logs, {}).text


def test_inputs_and_model_are_named_with_their_digests():
    text = read(*world.finished_job()).text
    for digest in ("ab" * 32, "01" * 32, "ef" * 32, "7c" * 32):
        assert digest in text


def test_files_that_were_left_out_are_named_with_the_reason():
    text = read(*world.finished_job()).text
    assert "Thumbs.db" in text
    assert "neither sound nor picture" in text


def test_the_page_needs_no_file_but_the_clips_and_their_logs():
    report = read(*world.finished_job())
    beside = {a for a in report.addresses if not a.startswith(("data:image/jpeg;base64,", "#"))}
    assert beside == {"./clip1.mp4", "./clip2.mp4", "./clip1.json", "./clip2.json"}


def test_a_clip_without_pictures_has_its_place_all_the_same():
    document, logs, _ = world.finished_job()
    report = read(document, logs, {"0001": ClipPictures()})
    assert "anna.mp4" in report.text
    assert not [tag for tag, _ in report.tags if tag == "img"]


def test_films_are_not_loaded_before_somebody_plays_them():
    report = read(*world.finished_job())
    assert {a["preload"] for tag, a in report.tags if tag == "video"} == {"none"}


def test_a_finished_page_stays_still():
    html = page(*world.finished_job())
    assert 'http-equiv="refresh"' not in html
    assert "data-refresh-s" not in html.partition("<style>")[0]


def test_a_running_page_reloads_itself_with_script_and_without():
    report = running()
    assert ("html", {"lang": "en", "data-refresh-s": "5"}) in report.tags
    assert ("meta", {"http-equiv": "refresh", "content": "5"}) in report.tags


def test_a_heavy_page_reloads_less_often():
    job = world.make_job("a.mp4")
    logs = world.published(job, world.done(job.clips[0]))
    now = datetime(2026, 1, 2, tzinfo=UTC)
    progress = progress_document(job, [ClipProgress("0001", "a.mp4", "ok")], now=now)
    heavy = {"0001": ClipPictures(sheet=bytes(6 << 20))}
    html = page(world.closed(job, logs), logs, heavy, progress=progress)
    assert 'data-refresh-s="13"' in html  # 8 MiB of base64 and 5 s


def test_a_running_page_says_how_far_the_job_is_and_how_long_it_will_take():
    text = running().text
    for said in ("1 of 2 clips finished so far", "about 3 minutes", "约 3 分钟"):
        assert said in text
    for said in ("17 frames a second", "2026-01-02T03:04:05Z", "b.mp4", "in work"):
        assert said in text


def test_a_job_that_has_only_begun_does_not_look_failed():
    text = running(n_ok=0).text
    assert "No clip could be done" not in text
    assert catalogue.error("clips_failed").en_do not in text


def test_a_clip_that_was_scored_says_how_its_lips_follow_the_sound():
    document, logs, pictures = world.finished_job()
    logs[0]["sync"] = {"offset_ms": 20.4, "confidence": 0.312}
    text = read(document, logs, pictures).text
    assert "lips +20 ms, confidence 0.31" in text
    assert text.count("confidence") == 1


def test_a_rejected_folder_says_why_and_what_to_do():
    text = read(world.rejected(), [], {}).text
    for said in ("lesson", "This folder could not be taken as a job", "2 sounds: a.wav, b.wav",
                 catalogue.error("job_layout").zh_do):  # fmt: skip
        assert said in text


def test_a_job_without_a_sound_gives_its_reason_once():
    job = world.make_job("a.mp4", "b.mp4", "c.mp4")
    logs = world.published(job, *(world.failed(c, "no_sound", "silence") for c in job.clips))
    error = AudioError("no sound in this file", code="no_sound")
    report = read(world.closed(job, logs, error), logs, {})
    assert report.text.count(catalogue.error("no_sound").en_do) == 1
    assert report.text.count("c.mp4") == 1


def test_one_clip_alone_needs_no_table():
    job = world.make_job("a.mp4")
    logs = world.published(job, world.done(job.clips[0]))
    report = read(world.closed(job, logs), logs, {})
    assert "The clip is done" in report.text
    assert "table" not in {tag for tag, _ in report.tags}


@pytest.mark.parametrize("name", ["<b>&amp;.mp4", "a\"'b.mp4", "💃\u202e4pm.mp4", "\x00\x1b\n.mp4"])
def test_no_name_becomes_markup(name):
    job = world.make_job(name, "b.mp4", name=name, audio_name=name)
    logs = world.published(job, *(world.done(clip, Notice("silent_sound")) for clip in job.clips))
    plain = world.make_job("a.mp4", "b.mp4", name="a", audio_name="a")
    others = world.published(plain, *(world.done(c, Notice("silent_sound")) for c in plain.clips))
    tags = [tag for tag, _ in read(world.closed(job, logs), logs, {}).tags]
    assert tags == [tag for tag, _ in read(world.closed(plain, others), others, {}).tags]


def test_a_page_can_be_written_whatever_the_bytes_of_its_names():
    name = os.fsdecode(b"\xff\xfe caf\xe9.mp4")
    job = world.make_job(name, name=name, audio_name=name)
    logs = world.published(job, world.done(job.clips[0]))
    page(world.closed(job, logs), logs, {}).encode("utf-8")


def test_an_output_whose_name_looks_like_a_scheme_is_a_file_all_the_same():
    job = world.make_job("a.mp4")
    logs = world.published(job, world.done(job.clips[0]))
    logs[0]["output"]["name"] = 'javascript:a"b?#%.mp4'
    report = read(world.closed(job, logs), logs, {})
    assert "./javascript%3Aa%22b%3F%23%25.mp4" in report.addresses


def test_a_page_of_forty_clips_with_pictures_stays_under_eight_megabytes():
    job = world.make_job(*(f"{n}.mp4" for n in range(40)))
    logs = world.published(job, *(world.done(clip) for clip in job.clips))
    pictures = world.pictures()
    html = page(world.closed(job, logs), logs, {clip.id: pictures for clip in job.clips})
    assert len(html) < 8_000_000
