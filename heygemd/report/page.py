"""report.html: one file that says what became of a job, and what becomes of it now."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from heygemd.records import ClipPictures
from heygemd.report import catalogue
from heygemd.report.card import ClipLog, card, fold, pairs, state_of, trouble
from heygemd.report.documents import CLIPS_FAILED
from heygemd.report.markup import TAGS, about, both, clock, icon, name, say, text
from heygemd.report.progress import STAGES

_REFRESH_S = 5
_BYTES_PER_S = 1 << 20  # a page that is heavier reloads less often: the share may be slow
_NONE = ClipPictures()


def page(
    job: Mapping[str, Any],
    clips: Sequence[ClipLog],
    pictures: Mapping[str, ClipPictures],
    *,
    progress: Mapping[str, Any] | None = None,
) -> str:
    """The whole page; it needs no file but the mp4s beside it.

    Args:
        job: what stands in job.json, or will; a rejected folder's as well.
        clips: the logs of the clips that have ended, in the job's order.
        pictures: by clip id; clips without an entry are shown without.
        progress: ``progress_document`` of this moment while the job runs: the page then reloads
            itself. None says that the job has ended.

    Returns:
        HTML, all of it encodable as UTF-8.
    """
    title = job["job"]["name"] if "job" in job else job.get("name", "")
    carded = clips if progress is not None or not _failed_whole(job) else _own_reasons(job, clips)
    cards = "".join(card(clip, pictures.get(clip["clip"]["id"], _NONE)) for clip in carded)
    body = (
        f'<a class="skip" href="#clips">{say("skip")}</a>{_bar()}<main>'
        f"{_summary(title, job, clips, progress)}"
        f'<div id="clips">{_overview(clips, progress, carded)}{cards}</div></main>'
        f"<footer>{_synthetic(clips)}{_about(job)}</footer>"
    )
    return _document(title, body, progress)


def _failed_whole(job: Mapping[str, Any]) -> bool:
    return job["outcome"] in {"failed", "rejected"} and job["code"] != CLIPS_FAILED


def _own_reasons(job: Mapping[str, Any], clips: Sequence[ClipLog]) -> list[ClipLog]:
    """Clips that have more to say than that the whole job failed."""
    return [clip for clip in clips if clip["code"] != job["code"]]


def _document(title: str, body: str, progress: Mapping[str, Any] | None) -> str:
    script = _asset("page.js")
    live = noscript = ""
    if progress is not None:
        refresh_s = _REFRESH_S + len(body) // _BYTES_PER_S
        live = f' data-refresh-s="{refresh_s}"'
        noscript = f'<noscript><meta http-equiv="refresh" content="{refresh_s}"></noscript>'
        title = f"{progress['share']:.0%} {title}"
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    # Names are escaped; should one slip through, the browser still runs no script but ours.
    policy = (
        f"script-src 'sha256-{allowed}'; object-src 'none'; base-uri 'none'; form-action 'none'"
    )
    return (
        f'<!doctype html>\n<html lang="{TAGS["en"]}"{live}>\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)} · heygemd</title>\n{noscript}\n"
        f"<style>\n{_asset('page.css')}</style>\n<script>{script}</script>\n</head>\n"
        f"<body>\n{_asset('icons.svg')}\n{body}\n</body>\n</html>\n"
    )


@cache
def _asset(file_name: str) -> str:
    return resources.files("heygemd.report").joinpath(file_name).read_text("utf-8")


def _bar() -> str:
    return (
        '<div class="bar"><p class="brand">heygemd</p>'
        f'<div class="choice" role="group" aria-labelledby="language"><span class="unseen" '
        f'id="language">{say("language")}</span>'
        f'<button type="button" id="speak-en" data-speak="en" lang="{TAGS["en"]}">English</button>'
        f'<button type="button" id="speak-zh" data-speak="zh" lang="{TAGS["zh"]}">中文</button>'
        "</div></div>"
    )


def _summary(
    title: str,
    job: Mapping[str, Any],
    clips: Sequence[ClipLog],
    progress: Mapping[str, Any] | None,
) -> str:
    if progress is not None:
        verdict, more = _running_verdict(progress), _live(progress)
    else:
        verdict = _verdict(job, clips)
        more = trouble(job["code"], job["message"]) if _failed_whole(job) else _advice(job)
    return (
        f'<section class="summary"><h1>{name(title)}</h1><p class="verdict">{verdict}</p>'
        f"{more}{_facts(job)}</section>"
    )


def _advice(job: Mapping[str, Any]) -> str:
    if job["code"] != CLIPS_FAILED:
        return ""
    message = catalogue.error(CLIPS_FAILED)
    return f'<p class="soft">{both(text(message.en_do), text(message.zh_do))}</p>'


def _verdict(job: Mapping[str, Any], clips: Sequence[ClipLog]) -> str:
    if job["outcome"] == "rejected":
        return icon("failed") + say("rejected")
    n_ok = sum(clip["outcome"] == "ok" for clip in clips)
    if not n_ok:
        return icon("failed") + say("none_done")
    if job["outcome"] == "ok":
        look = any(state_of(clip) == "warn" for clip in clips)
        return icon("warn" if look else "ok") + say("all_done", n=n_ok)
    return icon("warn") + say("some_done", n_ok=n_ok, n_clips=len(clips))


def _running_verdict(progress: Mapping[str, Any]) -> str:
    counts = {"n_ended": progress["n_ended"], "n_clips": progress["n_clips"]}
    return icon("running") + f'<span id="verdict">{say("in_work", **counts)}</span>'


def _live(progress: Mapping[str, Any]) -> str:
    said = []
    if progress["eta_s"] is not None:
        said.append(say("left", time=about(progress["eta_s"])))
    if progress["frames_per_s"] is not None:
        said.append(say("speed", speed=f"{progress['frames_per_s']:g}"))
    updated = text(progress["updated"])
    moment = f'<time id="updated" datetime="{updated}">{updated}</time>'
    said.append(f'<span class="soft">{say("as_of", time=moment)}</span>')
    return (
        f'<div class="live"><progress max="1" value="{progress["share"]}" '
        f'aria-labelledby="verdict">{progress["share"]:.0%}</progress>'
        f"<p>{''.join(f'<span>{fact}</span>' for fact in said)}"
        f'<button type="button" id="pause" aria-pressed="false"><span class="on">{say("pause")}'
        f'</span><span class="off">{say("resume")}</span></button></p>'
        f'<p class="stale-note">{say("stale")}</p></div>'
    )


def _facts(job: Mapping[str, Any]) -> str:
    facts = []
    if "sound" in job:
        facts.append(("sound", name(job["sound"]["name"])))
        if job["sound"]["probe"]:
            facts.append(("length", clock(job["sound"]["probe"]["duration_s"])))
    if "model" in job:
        where = f' <span class="soft">{text(job["model"]["device"])}</span>'
        facts.append(("model", text(job["model"]["name"]) + where))
    rows = "".join(f"<div><dt>{say(key)}</dt><dd>{value}</dd></div>" for key, value in facts)
    return f'<dl class="facts">{rows}</dl>' if facts else ""


def _overview(
    clips: Sequence[ClipLog], progress: Mapping[str, Any] | None, carded: Sequence[ClipLog]
) -> str:
    linked = {clip["clip"]["id"] for clip in carded}
    ended = {clip["clip"]["id"]: clip for clip in clips}
    if progress is None:
        rows = [_ended_row(clip, linked) for clip in clips] if len(clips) > 1 else []
    else:
        rows = [
            _ended_row(ended[clip["id"]], linked) if clip["id"] in ended else _unended_row(clip)
            for clip in progress["clips"]
        ]
    if not rows:
        return ""
    return (
        f'<section class="card"><table><caption class="unseen">{say("overview")}</caption>'
        f'<thead><tr><th scope="col">{say("clip")}</th><th scope="col">{say("state")}</th>'
        f'<th scope="col" class="number wide">{say("frames")}</th>'
        f'<th scope="col" class="number wide">{say("frames_per_s")}</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></section>"
    )


def _row(clip_name: str, state: str, n_frames: str, speed: str) -> str:
    return (
        f'<tr><th scope="row">{clip_name}</th><td>{state}</td>'
        f'<td class="number wide">{n_frames}</td><td class="number wide">{speed}</td></tr>'
    )


def _ended_row(clip: ClipLog, linked: set[str]) -> str:
    state, clip_id = state_of(clip), clip["clip"]["id"]
    clip_name = name(clip["clip"]["name"])
    if clip_id in linked:
        clip_name = f'<a href="#clip-{text(clip_id)}">{clip_name}</a>'
    shown = f'<span class="state">{icon(state)}{say(state)}</span>'
    if clip["outcome"] != "ok":
        why = catalogue.error(clip["code"])
        shown += f' <span class="soft">{both(text(why.en), text(why.zh))}</span>'
        return f'<tr><th scope="row">{clip_name}</th><td colspan="3">{shown}</td></tr>'
    return _row(clip_name, shown, str(clip["n_frames"]), f"{clip['frames_per_s']:g}")


def _unended_row(clip: Mapping[str, Any]) -> str:
    state, frames = clip["state"], ""
    stage = clip["stage"] if clip["stage"] in STAGES else state
    shown = f'<span class="state">{icon(state)}{say(stage)}</span>'
    if clip["n_done"]:
        frames = str(clip["n_done"])
    if clip["n_frames"]:
        frames += f" / {clip['n_frames']}"
        share = min(1.0, clip["n_done"] / clip["n_frames"])
        shown += (
            f' <progress max="1" value="{share:.3f}" aria-label="{text(clip["name"])}">'
            f"{share:.0%}</progress>"
        )
    return _row(name(clip["name"]), shown, frames, "")


def _about(job: Mapping[str, Any]) -> str:
    rows = []
    job_id = job["job"]["id"] if "job" in job else job.get("job_id", "")
    if job_id:
        rows.append(("job_id", f"<code>{text(job_id)}</code>"))
    if "sound" in job:
        sound = job["sound"]
        digest = f"<br><code>sha256 {text(sound['sha256'])}</code>" if sound["sha256"] else ""
        probe = f"<br>{_sound(sound['probe'])}" if sound["probe"] else ""
        rows.append(("sound", name(sound["name"]) + digest + probe))
    if "options" in job:
        rows.append(("settings", pairs(job["options"])))
    if "model" in job and job["model"]["sha256"]:
        rows.append(("weights", f"<code>sha256 {text(job['model']['sha256'])}</code>"))
    if job.get("ignored"):
        left = "<br>".join(
            f"{name(entry['name'])} <span class='soft' lang='en'>{text(entry['reason'])}</span>"
            for entry in job["ignored"]
        )
        rows.append(("left_out", left))
    if "versions" in job:
        rows.append(("versions", pairs(job["versions"])))
    return fold("about", "about_job", rows) if rows else ""


def _synthetic(clips: Sequence[ClipLog]) -> str:
    if not any(clip["outcome"] == "ok" for clip in clips):
        return ""
    return f'<p class="soft">{say("made_by")}</p>'


def _sound(probe: Mapping[str, Any]) -> str:
    return text(
        f"{probe['container']} / {probe['codec']}, {probe['rate_hz']} Hz, "
        f"{probe['n_channels']} ch, {probe['duration_s']:.2f} s"
    )
