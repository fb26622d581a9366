"""The status page as HTML: one self-contained document that reloads itself, without script or outside files.

Owns wording and looks. Everything that comes from data is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from dashboard.status import Status, calls_told, forecast_told, told

REFRESH_SECONDS = 2
SEGMENTS = ("loaded", "deleted", "skipped", "superseded", "held", "rejected", "in_flight")
"""Parts of an object's bar, settled ones first."""

STYLE = """
:root { color-scheme: light dark; --line: #8884; --faint: #8881; --ok: #2e7d4f; --warn: #b26a00; --bad: #b3261e; }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1.2rem; }
header { display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; align-items: baseline; border-bottom: 2px solid var(--line); }
h1 { font-size: 1.35rem; margin: .3rem 0; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
table { border-collapse: collapse; width: 100%; } th, td { padding: .3rem .6rem; text-align: left; vertical-align: top; }
th { font-weight: 600; border-bottom: 1px solid var(--line); } tr:nth-child(even) td { background: var(--faint); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.bar { display: flex; height: .7rem; border-radius: .35rem; overflow: hidden; background: var(--faint); min-width: 8rem; }
.bar span { display: block; height: 100%; }
.loaded { background: #2e7d4f; } .deleted { background: #5b6b7a; } .skipped { background: #8a8f98; }
.superseded { background: #a9b0b8; } .held { background: #d98e04; } .rejected { background: #c4372d; }
.in_flight { background: #4a90d9; }
.pill { border-radius: 1rem; padding: .05rem .6rem; color: #fff; font-size: .9rem; }
.ok { background: var(--ok); } .warn { background: var(--warn); } .bad { background: var(--bad); }
.quiet { opacity: .7; } code { font-size: .9em; } .key { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; }
.scroll { overflow-x: auto; }
"""


def render(status: Status | None, problem: str | None = None) -> str:
    """The page; without a status it says why there is none yet.

    Args:
        status: What to show.
        problem: One sentence on what keeps the status from being current.
    """
    body = [f'<p><span class="pill bad">attention</span> {escape(problem)}</p>'] if problem else []
    body += _body(status) if status else ["<p>The ledger is being read; this page will fill itself.</p>"]
    title = f"Carryover {status['cutover']}" if status else "Carryover"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{''.join(body)}</body></html>"
    )


def _body(status: Status) -> list[str]:
    return [
        _header(status),
        _objects(status),
        _groups(status),
        *_calls(status),
        _table(
            "Held",
            ("object", "why", "#count", "since"),
            [(item["object"], item["code"], item["count"], _time(item["oldest"])) for item in status["holds"]],
            "Nothing is held.",
        ),
        _table(
            "Rejected",
            ("code", "stage", "#count", "newest"),
            [(item["code"], item["stage"], item["count"], _time(item["newest"])) for item in status["rejects"]],
            "Nothing was rejected.",
        ),
        *_drifts(status),
        _table(
            "Differences found by verification",
            ("record", "columns", "found"),
            [(item["reference"], ", ".join(item["columns"]), _time(item["at"])) for item in status["mismatches"]],
            "None.",
        ),
        _table(
            "Batches under way",
            ("batch", "object", "state", "path", "#rows", "since"),
            [
                (item["id"], item["sobject"], item["state"], item["path"], item["rows"], _time(item["at"]))
                for item in status["batches"]
            ],
            "None.",
        ),
        _footer(status),
    ]


def _calls(status: Status) -> list[str]:
    calls, ahead = status["calls"], status["forecast"]
    said = [escape(text) for text in (*forecast_told(ahead, calls), *(calls_told(calls) if calls else ()))]
    return ["<h2>API calls and storage</h2>", *(f"<p>{text}</p>" for text in said)] if said else []


def _drifts(status: Status) -> list[str]:
    if not status["drifts"]:
        return []
    rows = [(told(item), _time(item["at"])) for item in status["drifts"]]
    return [_table("The source's schema has changed", ("what", "since"), rows, "")]


def _header(status: Status) -> str:
    phase = status["phase"]["phase"] if status["phase"] else "not started"
    kind, verdict = _verdict(status)
    return (
        f"<header><h1>Cutover {escape(status['cutover'])}</h1><span>{escape(phase)}</span>"
        f'<span class="pill {kind}">{escape(verdict)}</span>'
        f'<span class="quiet">{_time(status["at"])}</span></header>'
    )


def _verdict(status: Status) -> tuple[str, str]:
    objects = status["objects"].values()
    if not all(counts["conserved"] for counts in objects):
        return "bad", "source and ledger differ"
    if any(checked["mismatched"] for checked in status["verification"].values()):
        return "bad", "verification found differences"
    if status["calls"] and status["calls"]["full_since"]:
        return "bad", "the org's data storage is full"
    if status["calls"] and "deliver" in status["calls"]["waiting"]:
        return "warn", "loading waits for API calls"
    waiting = sum(counts["held"] + counts["rejected"] for counts in objects)
    moving = sum(counts["in_flight"] for counts in objects)
    if waiting:
        return "warn", f"{waiting:,} held or rejected, {moving:,} in flight"
    if moving:
        return "ok", f"{moving:,} in flight"
    return "ok", "everything known is settled" if objects else "nothing read yet"


def _objects(status: Status) -> str:
    rows = []
    for object_, counts in status["objects"].items():
        rate = status["progress"].get(object_, {})
        checked = status["verification"].get(object_, {})
        rows.append(
            "<tr>"
            f"<td>{escape(object_)}</td>{_number(counts['source'])}"
            f"<td>{_bar(counts)}</td>"
            f"{''.join(_number(counts[name]) for name in ('in_flight', 'held', 'loaded', 'rejected'))}"
            f"{_number(counts['skipped'] + counts['superseded'])}{_number(counts['deleted'])}"
            f"{_number(checked.get('verified', 0))}{_number(rate.get('settled_rate', 0.0))}"
            f"<td>{'yes' if counts['conserved'] else 'no'}</td></tr>"
        )
    head = ("object", "#in source", "", "#in flight", "#held", "#loaded", "#rejected", "#skipped", "#deleted")
    key = " ".join(f'<span class="key {name}"></span> {name.replace("_", " ")}' for name in SEGMENTS)
    return (
        f'<h2>Records</h2><div class="scroll"><table>{_head((*head, "#verified", "#per second", "adds up"))}'
        f'{"".join(rows)}</table></div><p class="quiet">{key}</p>'
    )


def _bar(counts: dict[str, Any]) -> str:
    source = counts["source"] or 1
    spans = "".join(
        f'<span class="{name}" style="width:{100 * counts[name] / source:.3f}%" title="{name}: {counts[name]:,}"></span>'
        for name in SEGMENTS
        if counts[name]
    )
    return f'<div class="bar">{spans}</div>'


def _groups(status: Status) -> str:
    if status["groups"] is None:
        return "<h2>Stages</h2><p>Kafka does not answer, so how far behind each stage is isn't known.</p>"
    rows = [
        (name, group["members"], group["lag"], ", ".join(f"{t}: {n:,}" for t, n in group["topics"].items() if n))
        for name, group in status["groups"].items()
    ]
    return _table("Stages", ("consumer group", "#members", "#records behind", "of which"), rows, "No groups yet.")


def _footer(status: Status) -> str:
    ledger = status["ledger"]
    behind = "at an unknown distance from" if ledger["behind"] is None else f"{ledger['behind']:,} records behind"
    said = f"The ledger is {behind} the topics"
    if ledger["unreadable"]:
        said += f" and passed over {ledger['unreadable']:,} records it could not read"
    return f'<p class="quiet">{said}. <a href="api/status">JSON</a> · <a href="metrics">metrics</a></p>'


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], none: str) -> str:
    lines = [f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows]
    if not lines:
        return f'<h2>{title}</h2><p class="quiet">{none}</p>'
    return f'<h2>{title}</h2><div class="scroll"><table>{_head(columns)}{"".join(lines)}</table></div>'


def _head(columns: Sequence[str]) -> str:
    cells = (
        f'<th class="number">{escape(name[1:])}</th>' if name.startswith("#") else f"<th>{escape(name)}</th>"
        for name in columns
    )
    return f"<tr>{''.join(cells)}</tr>"


def _cell(value: object) -> str:
    return _number(value) if isinstance(value, (int, float)) else f"<td>{escape(str(value or ''))}</td>"


def _number(value: float) -> str:
    return f'<td class="number">{value:,}</td>'


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
