"""`carryover status`, `holds`, `rejects`: what the ledger says, from its file or from a control process.

Read-only; works beside a running cutover.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click
import httpx

from cutover.commands import options
from cutover.ledger.read import Reader
from cutover.outcome import Failed
from cutover.settings import Settings, load
from cutover.status import gather
from dashboard.lag import Lag, measure
from dashboard.status import Status, calls_told, forecast_told, told
from topics.broker import KafkaUnreachable, open_broker

url = click.option(
    "--url", help="Ask the control process there, e.g. http://127.0.0.1:8790, instead of the ledger's file."
)
limit = click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Most rows to print."
)


@click.command()
@url
@options.common
def status(config: Path | None, as_json: bool, url: str | None) -> None:
    """Show where every record is, and how far behind each stage is."""
    if url:
        found = cast("Status", _get(url, "/api/status", {}))
    else:
        settings = load(config)
        with Reader(settings.ledger) as reader:
            found = gather(reader, settings, lag=_lag(settings))
    if as_json:
        options.print_json(found)
        return
    _print_status(found)


@click.command()
@click.option("--object", "object_", help="Only this object, e.g. patient.")
@click.option("--code", help="Only this reason.")
@click.option("--reference", help="Only this record, e.g. patient:1204.")
@limit
@url
@options.common
def holds(config: Path | None, as_json: bool, url: str | None, limit: int, **filters: str | None) -> None:
    """List the records that wait, why, and for what; oldest first."""
    if url:
        filters["object"] = filters.pop("object_")
        rows = _get(url, "/api/holds", {**filters, "limit": limit})
    else:
        with Reader(load(config).ledger) as reader:
            rows = reader.holds(**filters, limit=limit)
    if as_json:
        options.print_json(rows)
        return
    columns = {"reference": "record", "sobject": "for", "code": "why", "detail": "waits for", "since": "since"}
    options.print_table("Held", columns, [{**row, "since": _time(row["at"])} for row in rows], "Nothing is held.")


@click.command()
@click.option("--code", help="Only this code.")
@click.option("--stage", help="Only this stage.")
@click.option("--reference", help="Only this record, e.g. patient:1204.")
@limit
@url
@options.common
def rejects(config: Path | None, as_json: bool, url: str | None, limit: int, **filters: str | None) -> None:
    """List the inputs that were rejected, and why; newest first.

    "settled" means that a newer version of the record, or a replay of it, has come through since.
    """
    if url:
        rows = _get(url, "/api/rejects", {**filters, "limit": limit})
    else:
        with Reader(load(config).ledger) as reader:
            rows = reader.rejects(**filters, limit=limit)
    if as_json:
        options.print_json(rows)
        return
    shown = [
        {
            **row,
            "at": _time(row["at"]),
            "now": "open" if row["open"] else "settled",
            "input": f"{row['topic']}/{row['partition']}/{row['offset']}",
        }
        for row in rows
    ]
    columns = {"reference": "record", "stage": "stage", "code": "code", "message": "reason", "input": "input"}
    options.print_table("Rejected", {**columns, "at": "at", "now": "now"}, shown, "Nothing was rejected.")


def _get(url: str, path: str, query: dict[str, Any]) -> Any:
    try:
        answer = httpx.get(url.rstrip("/") + path, params={k: v for k, v in query.items() if v is not None}, timeout=30)
    except (httpx.HTTPError, httpx.InvalidURL):
        raise Failed(f"No control process answers at {url}: start `carryover control`, or correct --url.") from None
    try:
        found = answer.json()
    except ValueError:
        raise Failed(f"What answers at {url} is no control process: correct --url.") from None
    if answer.status_code != httpx.codes.OK:
        raise Failed(str(found.get("error", f"The control process answered {answer.status_code}.")))
    return found


def _lag(settings: Settings) -> Lag | None:
    async def ask() -> Lag:
        async with open_broker(settings.kafka.bootstrap) as broker:
            return await measure(broker, settings.catalogue)

    try:
        return asyncio.run(ask())
    except KafkaUnreachable:
        return None


def _print_status(found: Status) -> None:
    phase = found["phase"]
    click.echo(f"Cutover {found['cutover']}: {phase['phase'] + ' of ' + phase['run'] if phase else 'not started'}")
    rows = []
    for object_, counts in found["objects"].items():
        rate = found["progress"].get(object_, {}).get("settled_rate", 0.0)
        checked = found["verification"].get(object_, {})
        rows.append({"object": object_, **counts, **checked, "rate": rate, "adds_up": bool(counts["conserved"])})
    columns = {
        "object": "object",
        "source": "in source",
        "in_flight": "in flight",
        "held": "held",
        "loaded": "loaded",
        "rejected": "rejected",
        "skipped": "skipped",
        "deleted": "deleted",
        "superseded": "superseded",
        "verified": "verified",
        "mismatched": "differ",
        "rate": "per second",
        "adds_up": "adds up",
    }
    options.print_table("\nRecords", columns, rows, "No record has been read yet.")
    if found["groups"] is None:
        click.echo("\nKafka does not answer, so how far behind each stage is isn't known.")
    else:
        groups = [{"group": name, **group} for name, group in found["groups"].items()]
        options.print_table("\nStages", {"group": "group", "members": "processes", "lag": "records behind"}, groups, "")
    for drift in found.get("drifts", []):
        click.echo(f"\nSource schema: {told(drift)} (since {_time(drift['at'])})")
    calls = found.get("calls")
    said = [*forecast_told(found["forecast"], calls), *(calls_told(calls) if calls else ())]
    if said:
        click.echo("\n" + "\n".join(said))
    if found["holds"]:
        options.print_table("\nHeld", {"object": "object", "code": "why", "count": "records"}, found["holds"], "")
    if found["rejects"]:
        columns = {"code": "code", "stage": "stage", "count": "inputs"}
        options.print_table("\nRejected", columns, found["rejects"], "")


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
