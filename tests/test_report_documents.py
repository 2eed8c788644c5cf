"""The JSON documents of the outbox keep to their published schemas."""

import copy
import json
import os

import jsonschema
import log_docs
import pytest
import report_world as world

from heygemd.errors import AudioError, JobError, JobLayoutError
from heygemd.records import ClipResult, Notice, RenderOptions
from heygemd.report.documents import clip_log, job_log


def closed_off(part):
    """The schema with no room for fields that it does not describe."""
    if isinstance(part, list):
        return [closed_off(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    strict = {key: closed_off(inner) for key, inner in part.items()}
    if "properties" in part and part.get("type") != "string" and "description" in part:
        strict.setdefault("additionalProperties", False)
    return strict


def check(document, name):
    """Valid, and without a field that the schema does not describe."""
    schema = closed_off(log_docs.schema(name))
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(document)))


@pytest.mark.parametrize("name", ["clip", "job", "progress"])
def test_a_schema_is_itself_valid(name):
    jsonschema.Draft202012Validator.check_schema(log_docs.schema(name))


def test_the_log_of_a_clip_that_is_done_keeps_to_its_schema():
    job = world.make_job("a.mp4")
    notice = Notice("frames_without_face", {"n_gone": 40, "n_frames": 360})
    (log,) = world.published(job, world.done(job.clips[0], notice, gaps=((100, 139),)))
    check(log, "clip")


def test_the_log_of_a_clip_that_failed_keeps_to_its_schema():
    job = world.make_job("a.mp4")
    (log,) = world.published(job, world.failed(job.clips[0]))
    check(log, "clip")


def test_the_log_of_a_clip_that_was_never_read_keeps_to_its_schema():
    job = world.make_job("a.mp4")
    result = ClipResult(job.clips[0], "failed", "no_sound", "no sound in this file")
    check(clip_log(result, job, None, world.FACTS), "clip")


def test_a_field_that_the_schema_does_not_describe_is_noticed():
    job = world.make_job("a.mp4")
    (log,) = world.published(job, world.done(job.clips[0]))
    log["clip"]["probe"]["shutter_deg"] = 180
    with pytest.raises(jsonschema.ValidationError, match="shutter_deg"):
        check(log, "clip")


@pytest.mark.parametrize("field", ["code", "sound", "timings_s", "versions", "output"])
def test_a_field_that_is_missing_is_noticed(field):
    job = world.make_job("a.mp4")
    (log,) = world.published(job, world.done(job.clips[0]))
    del log[field]
    with pytest.raises(jsonschema.ValidationError, match=field):
        check(log, "clip")


def test_a_clip_that_is_done_cannot_carry_the_code_of_an_error():
    job = world.make_job("a.mp4")
    (log,) = world.published(job, world.done(job.clips[0]))
    with pytest.raises(jsonschema.ValidationError):
        check({**log, "code": "no_face"}, "clip")


def test_the_log_of_a_job_keeps_to_its_schema():
    document, _, _ = world.finished_job()
    check(document, "job")


def test_the_log_of_a_job_without_a_sound_keeps_to_its_schema():
    job = world.make_job("a.mp4")
    logs = world.published(job, world.failed(job.clips[0], "no_sound", "no sound"))
    check(world.closed(job, logs, AudioError("no sound", code="no_sound")), "job")


def test_what_the_spool_says_of_a_rejected_folder_keeps_to_the_schema():
    check(world.rejected(), "job")


def test_names_that_are_not_utf8_can_be_written():
    job = world.make_job(os.fsdecode(b"caf\xe9.mp4"), name=os.fsdecode(b"\xff"))
    logs = world.published(job, world.done(job.clips[0]))
    for document in (*logs, world.closed(job, logs)):
        json.dumps(document, ensure_ascii=False).encode("utf-8")


def test_a_warning_says_its_code_its_sentence_and_its_numbers():
    job = world.make_job("a.mp4")
    (log,) = world.published(job, world.done(job.clips[0], Notice("cuts", {"n_cuts": 2})))
    (warning,) = log["warnings"]
    assert warning["code"] == "cuts"
    assert warning["values"] == {"n_cuts": 2}
    assert "2" in warning["message"]


def test_the_schema_knows_every_option():
    options = log_docs.schema("clip")["properties"]["options"]["properties"]
    assert set(options) == set(RenderOptions.__dataclass_fields__)


def test_a_job_with_its_own_trouble_has_the_code_of_that():
    job = world.make_job("a.mp4")
    error: JobError = JobLayoutError("two sounds")
    assert job_log(job, None, world.FACTS, [], error)["code"] == "job_layout"


def test_the_page_of_fields_says_what_the_schemas_say():
    page = (log_docs.DOCS / "logs.md").read_text("utf-8")
    assert page == log_docs.filled(page), "run python tests/log_docs.py"


def test_the_page_of_fields_notices_a_schema_that_has_moved_on(monkeypatch):
    page = (log_docs.DOCS / "logs.md").read_text("utf-8")
    moved = copy.deepcopy(log_docs.schema("progress"))
    moved["properties"]["mood"] = {"type": "string", "description": "of the daemon"}
    schema = log_docs.schema
    monkeypatch.setattr(log_docs, "schema", lambda n: moved if n == "progress" else schema(n))
    assert "| `mood` | string | of the daemon |" in log_docs.filled(page)
