"""`carryover replay`: issue stored changes again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cutover import replay as replaying
from cutover.commands import options
from cutover.replay import Bound, Replayed, Wanted
from cutover.settings import load
from topics.catalogue import Catalogue

SHOWN = 50
ANY = "*"


class _Place(click.ParamType):
    """An offset or a time."""

    name = "offset or time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        if value.isdecimal():
            return int(value)
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value} is neither an offset nor a time such as 2026-01-31T08:00:00+01:00.", param, ctx)
        return at if at.tzinfo else at.replace(tzinfo=UTC)


@click.command()
@click.option("--object", "objects", multiple=True, help="Only this object, e.g. patient; may be given several times.")
@click.option("--keys", help="Only these records: references (patient:1204) or, with one --object, VP ids; by comma.")
@click.option(
    "--from", "since", type=_Place(), help="From this time on (ISO; UTC without an offset), or from this offset."
)
@click.option("--to", "until", type=_Place(), help="Up to this time, or this offset, not included.")
@click.option("--all-versions", is_flag=True, help="Every version in the range, not only the newest of each record.")
@click.option("--rejected", is_flag=False, flag_value=ANY, help="Only records that are rejected now [with this code].")
@click.option("--held", is_flag=False, flag_value=ANY, help="Only records that are held now [with this code].")
@click.option("--dry-run", is_flag=True, help="Count, and name what would change; write nothing.")
@options.common
def replay(
    config: Path | None,
    as_json: bool,
    objects: tuple[str, ...],
    keys: str | None,
    since: Bound,
    until: Bound,
    all_versions: bool,
    rejected: str | None,
    held: str | None,
    dry_run: bool,
) -> None:
    """Issue stored changes again, as if they had just been read from the source.

    What has landed stays as it is. What is held or rejected is tried again: after the map or the org was put right.
    """
    settings = load(config)
    asked = {"rejected": rejected, "held": held}
    states = {state: None if code == ANY else code for state, code in asked.items() if code is not None}
    chosen = _objects(settings.catalogue, objects)
    if (isinstance(since, int) or isinstance(until, int)) and len(objects) != 1:
        raise click.UsageError("An offset means something in the topic of one object only: name it with --object.")
    wanted = Wanted(chosen, _references(keys, chosen, objects), states, since, until, all_versions)
    done = asyncio.run(replaying.replay(settings, wanted, dry_run=dry_run))
    if as_json:
        options.print_json(
            {
                "dry_run": dry_run,
                "read": done.read,
                "replayed": dict.fromkeys(done.chosen, 0) if dry_run else done.chosen,
                "chosen": done.chosen,
                "unreadable": done.unreadable,
                "would_change": done.changing,
                "mismatched": done.mismatched,
                "missing": done.missing,
            }
        )
        return
    _print(done, dry_run, by_ledger=dry_run or bool(states))


def _objects(catalogue: Catalogue, given: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [name for name in given if name not in catalogue.targets]:
        raise click.UsageError(f"There is no object {unknown[0]}: it is one of {', '.join(catalogue.targets)}.")
    return tuple(name for name in catalogue.targets if not given or name in given)


def _references(keys: str | None, chosen: tuple[str, ...], given: tuple[str, ...]) -> frozenset[str] | None:
    if keys is None:
        return None
    found = set()
    for key in filter(None, (each.strip() for each in keys.split(","))):
        object_, colon, _ = key.partition(":")
        if not colon and len(given) != 1:
            raise click.UsageError(f"Whose id is {key}? Write it as patient:{key}, or name one --object.")
        if colon and object_ not in chosen:
            raise click.UsageError(f"{key} is of no object that is replayed: {', '.join(chosen)}.")
        found.add(key if colon else f"{given[0]}:{key}")
    if not found:
        raise click.UsageError("--keys names no record.")
    return frozenset(found)


def _print(done: Replayed, dry_run: bool, *, by_ledger: bool) -> None:
    rows = [{"object": name, "read": done.read[name], "chosen": done.chosen[name]} for name in done.read]
    columns = {"object": "object", "read": "changes in range", "chosen": "would be replayed" if dry_run else "replayed"}
    options.print_table("Replay", columns, rows, "No change is in the range.")
    if by_ledger:
        columns = {"reference": "record", "state": "is", "code": "why"}
        options.print_table(
            "\nTried again", columns, done.changing[:SHOWN], "All of them have landed: nothing will change."
        )
    differ = "differ from what was written; a replay doesn't repair that"
    for what, names in (("have no change in the range", done.missing), (differ, done.mismatched)):
        if names:
            click.echo(f"\n{len(names):,} records {what}: {', '.join(names[:SHOWN])}")
    if done.unreadable:
        click.echo(f"\n{done.unreadable:,} changes can't be read and were left out.")
