"""What the demo shows at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cutover.proof import CLASSES, Proof
from cutover.settings import Settings


def tell(
    console: Console, proof: Proof, outcome: Mapping[str, Any], settings: Settings, directory: Path, *, keep: bool
) -> None:
    """Prints the counts of each object, why records are held or rejected, what was measured, and whether it is proved."""
    table = Table(title="Every record of the source is in exactly one class" if proof.conserved else "NOT conserved")
    for heading in ("object", "source", *CLASSES):
        table.add_column(heading, justify="left" if heading == "object" else "right", no_wrap=True)
    for name, counts in proof.objects.items():
        table.add_row(name, *(f"{counts[column]:,}" for column in ("source", *CLASSES)))
    console.print(table)
    if outcome["reasons"]:
        console.print(_reasons(outcome["reasons"]))
    delays = outcome["edit_to_target_seconds"]
    for label, value in (
        ("fields read back and equal", f"{proof.verified_fields:,}"),
        ("fields that differ", proof.mismatches),
        ("orphans", proof.orphans),
        ("duplicates", proof.duplicates),
        ("lag", proof.lag),
        ("workers killed with SIGKILL", outcome["kills"]),
        ("changes in the source while it ran", outcome["changes_while_it_ran"]),
        ("requests and rows disturbed", outcome["disturbances"]),
        ("records that waited for an owner", f"{outcome['waited_for_owners']:,}"),
        ("source edit to Salesforce", f"p50 {delays['p50']} s, p95 {delays['p95']} s"),
        ("records per second", outcome["records_per_second"]),
        ("Salesforce API calls", f"{outcome['api_calls']:,}"),
    ):
        console.print(f"  {label:<36} {value}")
    if proof.faults:
        console.print("[bold red]Not proved:[/]")
        for fault in proof.faults:
            console.print(f"  {fault}")
        console.print(f"Logs: {settings.cutover.data_dir / 'logs'}")
    else:
        console.print("[bold green]Proved.[/] Nothing lost, duplicated, orphaned or changed.")
    if keep:
        console.print(
            f"Still running; Ctrl-C ends it. Status page http://{settings.control.host}:{settings.control.port}/"
        )
        console.print(f"Data, logs and addresses: {directory}")


def _reasons(reasons: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Why records are held or rejected")
    for heading in ("object", "state", "code", "records", "accounted for"):
        table.add_column(heading, justify="right" if heading in {"records", "accounted for"} else "left", no_wrap=True)
    for one in reasons:
        table.add_row(one["object"], one["state"], one["code"], f"{one['records']:,}", f"{one['explained']:,}")
    return table
