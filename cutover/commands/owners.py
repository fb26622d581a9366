"""`carryover owners`: who owns the records of each member of staff, and deciding it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from agents.ownership import FALLBACK
from cutover import owners as ownership
from cutover.chosen_map import read_map
from cutover.commands import options
from cutover.ledger.read import Reader
from cutover.settings import Settings, load
from cutover.target import open_target
from topics.codec import Codec


@click.group(invoke_without_command=True)
@options.common
@click.pass_context
def owners(context: click.Context, config: Path | None, as_json: bool) -> None:
    """List who owns the records of each member of staff, and how many records wait for a decision.

    Members of staff are matched with active Salesforce users by e-mail, again and again, so that creating the missing user is enough. For the others decide
    with `owners set`, or for all of them with `owners fallback`; what waits then goes on at once.
    """
    if context.invoked_subcommand is not None:
        return
    settings = load(config)
    with Reader(settings.ledger) as reader:
        rows = asyncio.run(ownership.known(settings, Codec(), reader))
    if as_json:
        options.print_json(rows)
        return
    shown = [{**row, "answer": row["how"] or row["code"], "by": row["by"] or ""} for row in rows]
    columns = {
        "owner": "owner",
        "name": "name",
        "email": "e-mail",
        "sf_id": "Salesforce user",
        "answer": "how, or why not",
    }
    options.print_table(
        "Owners", {**columns, "by": "by", "held": "records waiting"}, shown, "No user has been read yet."
    )


@owners.command("set")
@click.argument("owner")
@click.argument("user")
@options.common
def set_owner(config: Path | None, as_json: bool, owner: str, user: str) -> None:
    """Give the records of OWNER (e.g. user:7) to USER of the org: its id, user name or e-mail.

    Holds for what is not loaded yet; of records that are in Salesforce the owner stays.
    """
    _decide(load(config), owner, user, as_json=as_json)


@owners.command()
@click.argument("user")
@options.common
def fallback(config: Path | None, as_json: bool, user: str) -> None:
    """Give the records of everybody who is not matched, now or later, to USER of the org: its id, user name or e-mail."""
    _decide(load(config), FALLBACK, user, as_json=as_json)


def _decide(settings: Settings, owner: str, user: str, *, as_json: bool) -> None:
    settings.need("target")
    document, _ = read_map(settings)

    async def work() -> dict[str, Any]:
        async with open_target(settings) as target:
            found = await ownership.find_user(target, user)
        await ownership.decide(settings, document, Codec(), owner, found["Id"])
        return found

    found = asyncio.run(work())
    if as_json:
        options.print_json({"owner": owner, "sf_id": found["Id"], "username": found["Username"]})
    else:
        whose = "everybody who is not matched" if owner == FALLBACK else owner
        click.echo(f"Records of {whose} go to {found['Name']} ({found['Username']}, {found['Id']}).")
