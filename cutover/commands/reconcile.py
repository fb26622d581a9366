"""`carryover reconcile`: compare Salesforce with the ledger, row by row."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from cutover import reconcile as reconciling
from cutover.commands import options
from cutover.outcome import DIFFERENT
from cutover.settings import load

SHOWN = 50


@click.command()
@click.option("--dry-run", is_flag=True, help="Only compare; don't have missing rows looked for.")
@options.common
def reconcile(config: Path | None, as_json: bool, dry_run: bool) -> None:
    """Compare the rows in Salesforce with what the ledger says is there.

    Missing rows are looked for by the loaders, then rejected as TARGET_ROW_DELETED. Exits with 4 when rows are missing,
    or under our external id without the ledger's knowledge; rows that somebody else has edited are only listed.
    """
    settings = load(config)
    settings.need("target")
    found = asyncio.run(reconciling.reconcile(settings, dry_run=dry_run))
    if as_json:
        options.print_json({"dry_run": dry_run, "objects": {one.sobject: asdict(one) for one in found}})
    else:
        _print(found, dry_run)
    if any(one.missing or one.unknown for one in found):
        sys.exit(DIFFERENT)


def _print(found: list[reconciling.Found], dry_run: bool) -> None:
    rows = [
        {
            "sobject": one.sobject,
            "expected": one.expected,
            "held": one.held,
            "missing": len(one.missing),
            "unknown": len(one.unknown),
            "edited": len(one.edited),
        }
        for one in found
    ]
    columns = {
        "sobject": "object",
        "expected": "in the ledger",
        "held": "in Salesforce",
        "missing": "missing",
        "unknown": "not ours to be there",
        "edited": "edited by others",
    }
    options.print_table("Salesforce against the ledger", columns, rows, "The map writes nothing.")
    for one in found:
        if one.direct is not None:
            click.echo(
                f"{one.sobject}: {one.held:,} of ours, and {one.direct:,} that Salesforce makes by itself for {one.contacts:,} contacts with an account."
            )
    looked = "" if dry_run else "; the loaders look for them, `carryover rejects` tells"
    missing = [{"reference": name, "sobject": one.sobject} for one in found for name in one.missing]
    _list(f"Missing{looked}", {"reference": "record", "sobject": "object"}, missing)
    unknown = [{**row, "sobject": one.sobject} for one in found for row in one.unknown]
    columns = {"reference": "record", "sobject": "object", "row_id": "row", "state": "the record is"}
    _list("There, though the ledger says otherwise; look at them in Salesforce", columns, unknown)
    edited = [{**row, "sobject": one.sobject} for one in found for row in one.edited]
    columns = {"reference": "record", "sobject": "object", "row_id": "row", "by": "by", "at": "at"}
    _list("Edited by others; the record's next change overwrites what the map writes", columns, edited)


def _list(title: str, columns: dict[str, str], rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    options.print_table(f"\n{title} ({len(rows):,})", columns, rows[:SHOWN], "")
    if len(rows) > SHOWN:
        click.echo(f"and {len(rows) - SHOWN:,} more: --json lists all")
