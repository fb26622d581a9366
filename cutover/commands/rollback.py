"""`carryover rollback`: take the cutover back out of Salesforce."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

import click

from cutover.commands import options
from cutover.outcome import DIFFERENT
from cutover.rollback import run as rolling
from cutover.rollback.verdict import ACTIONS, REASONS, Report
from cutover.settings import load

run_option = click.option(
    "--run", "run_id", required=True, help="The run to roll back, as `carryover status` names it."
)
SHOWN = 50


@click.group()
def rollback() -> None:
    """Take back what a run has written to Salesforce.

    Rows that it made are deleted, rows that somebody else made get back what they were. Rows that a person has touched
    since, or on which somebody's rows hang, are kept and listed.
    """


@rollback.command()
@run_option
@options.common
def plan(config: Path | None, as_json: bool, run_id: str) -> None:
    """Say what a rollback would do now; writes nothing."""
    settings = load(config)
    settings.need("target")
    report = asyncio.run(rolling.plan(settings, run_id))
    _print(report, run_id, as_json, "would be")


@rollback.command()
@run_option
@options.common
def apply(config: Path | None, as_json: bool, run_id: str) -> None:
    """Roll back. Loading stops for good; interrupted, run it again.

    Exits with 4 when rows were kept.
    """
    settings = load(config)
    settings.need("target")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    report = asyncio.run(rolling.apply(settings, run_id))
    if report is None:
        if as_json:
            options.print_json({"run": run_id, "rolled_back": True, "changed": 0})
        else:
            click.echo(f"{run_id} was rolled back already; nothing was done.")
        return
    _print(report, run_id, as_json, "were")
    if report.kept:
        sys.exit(DIFFERENT)


def _print(report: Report, run_id: str, as_json: bool, verb: str) -> None:
    found = report.as_json()
    if as_json:
        options.print_json({"run": run_id, "changed": report.changed, **found})
        return
    rows: list[dict[str, Any]] = [{"object": name, **counts} for name, counts in found["objects"].items()]
    headings = {
        "delete": f"{verb} deleted",
        "restore": f"{verb} restored",
        "keep": "kept",
        "gone": "gone",
        "done": "done before",
    }
    columns: dict[str, str] = {"object": "object"} | {str(action): headings[action] for action in ACTIONS}
    options.print_table(f"Rollback of {run_id}", columns, rows, "Nothing of this run is in Salesforce.")
    kept = [{**one, "why": f"{one['reason']}: {REASONS[one['reason']]}"} for one in found["kept"]]
    if kept:
        columns = {"reference": "record", "sobject": "object", "row_id": "row", "why": "why", "detail": "detail"}
        options.print_table(f"\nKept ({len(kept):,})", columns, kept[:SHOWN], "")
        if len(kept) > SHOWN:
            click.echo(f"and {len(kept) - SHOWN:,} more: --json lists all")
