"""One clip on the report page: what came out, how it looks, what to do."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from heygemd.records import ClipPictures
from heygemd.report import catalogue
from heygemd.report.markup import both, clock, icon, link, name, say, size, text

ClipLog = Mapping[str, Any]

_STAGES = ("probe", "faces", "study", "render", "verify")  # one after the other; the rest overlap
_CURVES = ("opening", "sync")


def state_of(clip: ClipLog) -> str:
    """``ok``, ``warn`` or ``failed``."""
    if clip["outcome"] != "ok":
        return "failed"
    return "warn" if clip.get("warnings") else "ok"


def card(clip: ClipLog, pictures: ClipPictures) -> str:
    """An article for a clip that has ended."""
    state = state_of(clip)
    clip_id = text(clip["clip"]["id"])
    return (
        f'<article class="card clip {state}" id="clip-{clip_id}" aria-labelledby="name-{clip_id}">'
        f'<header><h2 id="name-{clip_id}">{name(clip["clip"]["name"])}</h2>'
        f'<span class="state">{icon(state)}{say(state)}</span></header>'
        f"{''.join(_notices(clip))}"
        f"{_body(clip, pictures) if clip['outcome'] == 'ok' else ''}"
        f"{_details(clip)}</article>"
    )


def trouble(code: str, detail: str) -> str:
    """The box of an error: what happened, what to do, and what was found in its own words."""
    entry = catalogue.error(code)
    found = (
        f'<p class="found">{say("details")}: <span lang="en" dir="auto">{text(detail)}</span> '
        f"<code>[{text(code)}]</code></p>"
    )
    return _box("failed", entry.say("en"), entry.say("zh"), _advice(entry) + found)


def _advice(entry: catalogue.Message) -> str:
    return f"<p>{both(text(entry.advise('en')), text(entry.advise('zh')))}</p>"


def _box(state: str, en: str, zh: str, more: str) -> str:
    what = f"<span>{both(text(en), text(zh))}</span>"
    return f'<div class="notice {state}"><p class="what">{icon(state)}{what}</p>{more}</div>'


def _notices(clip: ClipLog) -> Iterator[str]:
    if clip["outcome"] != "ok":
        yield trouble(clip["code"], clip["message"])
    for warning in clip.get("warnings", ()):
        if warning["code"] in catalogue.codes("warning"):
            entry, values = catalogue.warning(warning["code"]), warning["values"]
            yield _box("warn", entry.say("en", values), entry.say("zh", values), _advice(entry))
        else:  # a log of another version: it says what it says
            yield _box("warn", warning["message"], warning["message"], "")


def _body(clip: ClipLog, pictures: ClipPictures) -> str:
    return (
        f'<div class="body"><div class="film">{_film(clip, pictures)}</div>'
        f"<div>{_sheet(clip, pictures)}{_wave(clip, pictures)}{_spent(clip)}</div></div>"
    )


def _film(clip: ClipLog, pictures: ClipPictures) -> str:
    output = clip.get("output")
    player = ""
    if output:
        address = text(link(output["name"]))
        image = f' poster="{_inline(pictures.poster)}"' if pictures.poster else ""
        player = (
            f'<video controls preload="none" playsinline src="{address}"{image} '
            f'aria-label="{text(output["name"])}"></video>'
            f'<p><a href="{address}">{name(output["name"])}</a> '
            f'<span class="soft">{size(output["size_bytes"])}</span></p>'
        )
    facts = [
        clock(clip["duration_s"]),
        say("n_frames", n=clip["n_frames"]),
        say("fps", fps=_fps(clip["fps"])),
        say("face_in", share=f"{clip['faces']['coverage']:.0%}"),
    ]
    if clip.get("sync"):  # logs of earlier versions have none
        offset_ms, confidence = clip["sync"]["offset_ms"], clip["sync"]["confidence"]
        facts.append(say("sync_score", offset=f"{offset_ms:+.0f}", sure=f"{confidence:.2f}"))
    return f'{player}<p class="soft">{" · ".join(facts)}</p>'


def _sheet(clip: ClipLog, pictures: ClipPictures) -> str:
    if not pictures.sheet:
        return ""
    return (
        '<figure class="sheet"><div class="scroll" tabindex="0" role="group" '
        f'aria-labelledby="sheet-{text(clip["clip"]["id"])}"><div class="frames">'
        f'<img src="{_inline(pictures.sheet)}" alt="">'
        f'<span class="tag">{say("before")}</span><span class="tag">{say("after")}</span>'
        f'</div></div><span class="unseen" id="sheet-{text(clip["clip"]["id"])}">'
        f"{say('sheet_of', name=name(clip['clip']['name']))}</span>"
        f"<figcaption>{say('sheet')}</figcaption></figure>"
    )


def _wave(clip: ClipLog, pictures: ClipPictures) -> str:
    if not pictures.wave:
        return ""
    curves = [kind for kind in _CURVES if f'class="{kind}"' in pictures.wave]
    marks = [kind for kind in ("gap", "tick") if f'class="{kind}"' in pictures.wave]
    legend = "".join(
        f'<li><span class="key {kind}"></span>{say(kind)}</li>'
        for kind in ["sound", *curves, *marks]
    )
    return (
        f'<figure><h3>{say("wave")}</h3><div class="well">{pictures.wave}</div>'
        f'<div class="axis"><span>0:00</span><span>{clock(clip["duration_s"])}</span></div>'
        f'<ul class="legend">{legend}</ul></figure>'
    )


def _spent(clip: ClipLog) -> str:
    """Where the time went, as a bar of stages."""
    total_s = clip["timings_s"].get("total", 0.0)
    spent = [(stage, clip["timings_s"].get(stage, 0.0)) for stage in _STAGES]
    spent.append(("other", total_s - sum(took_s for _, took_s in spent)))
    shown = [
        (number, stage, took_s)
        for number, (stage, took_s) in enumerate(spent, start=1)
        if took_s >= 0.05
    ]
    if not shown:
        return ""
    bars = "".join(
        f'<span class="s{number}" style="flex-grow:{took_s:.2f}"></span>'
        for number, _, took_s in shown
    )
    legend = "".join(
        f'<li><span class="key s{number}"></span>{say(stage)} {took_s:.1f} s</li>'
        for number, stage, took_s in shown
    )
    took = say("took", time=f"{total_s:.1f} s", speed=f"{clip['frames_per_s']:g}")
    return (
        f"<h3>{took}</h3>"
        f'<div class="spent" aria-hidden="true">{bars}</div><ul class="legend">{legend}</ul>'
    )


def _details(clip: ClipLog) -> str:
    source, output = clip["clip"], clip.get("output")
    rows = [("source", f"{name(source['name'])}<br><code>{text(_sha(source['sha256']))}</code>")]
    if source.get("probe"):
        rows.append(("picture", _picture(source["probe"])))
    if output:
        rows.append(("result", f"{name(output['name'])}<br><code>{_sha(output['sha256'])}</code>"))
        log = output["name"].removesuffix(".mp4") + ".json"
        rows.append(("log", f'<a href="{text(link(log))}">{name(log)}</a>'))
    rows.append(("settings", pairs(clip["options"])))
    if clip.get("notes"):
        rows.append(("measured", pairs(clip["notes"])))
    return fold(f"more-{text(source['id'])}", "details", rows)


def fold(fold_id: str, title: str, rows: list[tuple[str, str]]) -> str:
    """Facts that are there for whoever asks: (key of a word, HTML)."""
    facts = "".join(f"<dt>{say(key)}</dt><dd>{value}</dd>" for key, value in rows)
    return f'<details id="{fold_id}"><summary>{say(title)}</summary><dl>{facts}</dl></details>'


def pairs(values: Mapping[str, object]) -> str:
    """``key = value``, as they stand in JSON and job.toml."""
    return "<br>".join(f"<code>{text(key)} = {text(value)}</code>" for key, value in values.items())


def _sha(digest: str) -> str:
    return f"sha256 {digest}" if digest else "-"


def _picture(probe: Mapping[str, Any]) -> str:
    facts = [
        f"{probe['width_px']} &times; {probe['height_px']} px",
        f"{_fps(probe['fps'])} fps",
        f"{probe['duration_s']:.2f} s",
        text(" / ".join(word for word in (probe["container"], probe["codec"]) if word)),
        text(probe["pixel_format"]),
    ]
    if probe["rotation_deg"]:
        facts.append(f"{probe['rotation_deg']}°")
    return " · ".join(fact for fact in facts if fact)


def _fps(rate: str | None) -> str:
    return f"{float(Fraction(rate)):.5g}" if rate else "-"


def _inline(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
