"""The commands `up`, `mutate`, `dirt`, and the group they are in.

Owns options and what is printed. Mounted by the product as `carryover sandbox`; alone it is `python -m sandbox`.
"""

import asyncio
import gc
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sandbox.cli_admin import CARD, address, call, dump, faults, freeze, thaw

if TYPE_CHECKING:
    from sandbox.server import Options
    from sandbox.visual_practice.generator import Sizes

EVERYTHING = dict(
    zip(
        ("edits", "creates", "deletes", "undeletes", "bookings", "cancellations", "visits", "payments", "documents"),
        (6.0, 1.0, 0.4, 0.2, 6.0, 1.0, 4.0, 4.0, 1.0),
        strict=True,
    )
) | {"merges": 0.2, "archives": 0.2, "rebills": 0.4, "memberships": 0.4}
TICK = 0.1  # seconds between two calls of `mutate`; each asks for what is due then, even when the last was slow
ROUNDING = 1e-9
COLLECT_AFTER = 50_000  # new containers


@click.group()
def sandbox() -> None:
    """Runs a Visual Practice and a Salesforce to try things on."""


@sandbox.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line with addresses and credentials, then serve.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port-salesforce", default=0, help="http port of Salesforce; 0 is any free one.")
@click.option("--port-salesforce-https", default=0, help="https port of Salesforce; 0 is any free one.")
@click.option("--port-visual-practice", default=0, help="Port of Visual Practice; 0 is any free one.")
@click.option(
    "--until-eof", is_flag=True, help="Stop when standard input ends too: with the program that started this."
)
@click.option("--only", type=click.Choice(["salesforce", "visual-practice"]), help="Start only one of the two.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where data lives; a new temporary folder if not given."
)
@click.option(
    "--practice",
    type=click.Choice(["synthea", "generated", "both"]),
    default="generated",
    show_default=True,
    help="Whose data.",
)
@click.option("--synthea", type=click.Path(path_type=Path, exists=True), help="A folder with other Synthea CSV files.")
@click.option("--patients", default=500, show_default=True, help="Patients to generate.")
@click.option("--practices", default=20, show_default=True, help="Practices to generate.")
@click.option("--seed", default=7, show_default=True, help="Same seed and sizes, same practice.")
@click.option("--records", type=int, help="About how many records of all kinds, instead of patients and practices.")
@click.option(
    "--dirty",
    is_flag=False,
    flag_value="usual",
    default="usual",
    show_default=True,
    help="Kinds of dirt by name, or usual, all, none, clean; `sandbox dirt` lists them.",
)
@click.option("--clean", is_flag=True, help="The same as --dirty clean.")
@click.option("--resources", default="all", show_default=True, help="What to make: all, core, or names with commas.")
@click.option("--documents", type=click.IntRange(0), help="So many documents; as many as come about if not given.")
@click.option(
    "--document-bytes", default=4_000_000, show_default=True, help="With --documents: how large the largest is."
)
@click.option(
    "--pictured-notes", type=click.IntRange(0), default=0, show_default=True, help="So many notes with images."
)
@click.option("--wide", is_flag=True, help="More fields in patients, practices and invoices.")
@click.option("--profile", help="How Visual Practice speaks: page, cursor, mixed, and switches like ids=long.")
@click.option("--org-rows", default=0, show_default=True, help="Records that the org already has.")
@click.option("--without-fields", is_flag=True, help="An org without the custom fields.")
@click.option("--requests-per-minute", type=int, help="Rate limit of Visual Practice; none if not given.")
@click.option(
    "--rate-variant",
    type=click.Choice(["retry_after", "reset", "silent", "hourly"]),
    default="retry_after",
    show_default=True,
    help="How the limit is told; hourly counts by the hour.",
)
def up(as_json: bool, without_fields: bool, until_eof: bool, **given: Any) -> None:
    """Starts the servers and serves until SIGTERM or SIGINT.

    The data directory is filled when it is new and used as it is when it is not: sizes and seed then mean nothing.
    """
    from sandbox.server import Options  # noqa: PLC0415  (the product mounts these commands: its start stays quick)

    given["data_dir"] = given["data_dir"] or Path(tempfile.mkdtemp(prefix="carryover-sandbox-"))
    options = Options(fields=not without_fields, sizes=_sizes(given), **given)
    asyncio.run(_serve(options, as_json=as_json, until_eof=until_eof))


def _sizes(given: dict[str, Any]) -> "Sizes":
    """Takes what says how big the practice is out of the options."""
    from sandbox.visual_practice import dirt  # noqa: PLC0415
    from sandbox.visual_practice.generator import Sizes, resources  # noqa: PLC0415
    from sandbox.visual_practice.profile import Profile  # noqa: PLC0415

    patients, practices, records = (given.pop(name) for name in ("patients", "practices", "records"))
    clean, dirty = given.pop("clean"), given.pop("dirty")
    try:
        Profile.parse(given["profile"] or "")
        more = {
            "seed": given.pop("seed"),
            "dirty": dirt.CLEAN if clean else dirt.chosen(dirty),
            "wide": given.pop("wide"),
            "resources": resources(given.pop("resources")),
        }
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return Sizes.of_records(records, **more) if records else Sizes(patients, practices, **more)


async def _serve(options: "Options", *, as_json: bool, until_eof: bool) -> None:
    from sandbox.server import Servers  # noqa: PLC0415

    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if until_eof:
        loop.add_reader(sys.stdin.fileno(), _look_for_end, loop, stopped)
    servers = Servers(options, CARD)
    try:
        card = await servers.start()
        gc.collect()
        gc.freeze()  # what is there now stays; rows on their way are many small lists, none of them in a cycle
        gc.set_threshold(COLLECT_AFTER)
        click.echo(json.dumps(card) if as_json else _told(card, options.data_dir))
        sys.stdout.flush()
        await stopped.wait()
    finally:
        await servers.stop()


def _look_for_end(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        loop.remove_reader(sys.stdin.fileno())
        stopped.set()


def _told(card: dict[str, dict[str, Any]], folder: Path) -> str:
    lines = []
    if practice := card.get("visual_practice"):
        lines += [
            "Visual Practice",
            f"  url      {practice['url']}/v1/patients",
            f"  api key  {practice['api_key']}  (HTTP Basic, as user name)",
        ]
    if salesforce := card.get("salesforce"):
        lines += ["Salesforce", f"  url            {salesforce['url']}"]
        if salesforce["https_url"]:
            lines += [f"  https url      {salesforce['https_url']}", f"  trust          {salesforce['ca_file']}"]
        else:
            lines.append("  https          not served: install the `sandbox` extra")
        lines += [
            f"  {name:<13}  {salesforce[name]}" for name in ("client_id", "client_secret", "username", "access_token")
        ]
    return "\n".join([*lines, f"Data in {folder}. Ctrl-C stops."])


@sandbox.command()
@click.option("--url", help="Visual Practice; from sandbox.json in the data directory if not given.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where sandbox.json is.")
@click.option("--rate", default=5.0, show_default=True, help="Changes per second.")
@click.option("--seconds", default=10.0, show_default=True, help="How long.")
@click.option("--edits-weight", default=8.0, show_default=True)
@click.option("--creates-weight", default=1.0, show_default=True)
@click.option("--deletes-weight", default=0.7, show_default=True)
@click.option("--undeletes-weight", default=0.3, show_default=True)
@click.option("--bookings-weight", default=0.0, show_default=True)
@click.option("--cancellations-weight", default=0.0, show_default=True)
@click.option("--visits-weight", default=0.0, show_default=True, help="Somebody comes, and is billed.")
@click.option("--payments-weight", default=0.0, show_default=True)
@click.option("--merges-weight", default=0.0, show_default=True)
@click.option("--archives-weight", default=0.0, show_default=True)
@click.option("--documents-weight", default=0.0, show_default=True)
@click.option("--rebills-weight", default=0.0, show_default=True, help="A bill goes over to another patient.")
@click.option("--memberships-weight", default=0.0, show_default=True, help="A patient's further practice changes.")
@click.option("--everything", is_flag=True, help="A day at the desk: the usual weights of all kinds.")
@click.option("--seed", type=int, help="The same seed does the same to the same practice.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def mutate(
    url: str | None,
    data_dir: Path | None,
    rate: float,
    seconds: float,
    seed: int | None,
    as_json: bool,
    everything: bool,
    **weights: float,
) -> None:
    """Works in the practice like a reception desk for a while, and tells what was done."""
    root = address(url, data_dir, "visual_practice")
    kinds = EVERYTHING if everything else {name.removesuffix("_weight"): weight for name, weight in weights.items()}
    total_weight = sum(kinds.values())
    if total_weight <= 0:
        raise click.UsageError("at least one weight must be above 0")
    done: dict[str, int] = {}
    owed = dict.fromkeys(kinds, 0.0)
    began = time.monotonic()
    for tick in range(1, round(seconds / TICK) + 1):
        time.sleep(max(0.0, began + tick * TICK - time.monotonic()))
        for kind, weight in kinds.items():
            owed[kind] += TICK * rate * weight / total_weight
        asked = {kind: int(amount + ROUNDING) for kind, amount in owed.items()}
        if any(asked.values()):
            for kind, amount in asked.items():
                owed[kind] -= amount
            body = asked | ({} if seed is None else {"seed": seed + tick})
            for change in call(f"{root}/__admin/mutate", body)["changes"]:
                key = f"{change['object']} {change['op']}"
                done[key] = done.get(key, 0) + 1
    if as_json:
        click.echo(
            json.dumps({"changes": sum(done.values()), "by_kind": done, "seconds": round(time.monotonic() - began, 3)})
        )
        return
    for key, amount in sorted(done.items()):
        click.echo(f"{key:<18} {amount}")
    click.echo(f"{sum(done.values())} changes in {time.monotonic() - began:.1f} s")


@sandbox.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def dirt(as_json: bool) -> None:
    """Lists the kinds of dirt that `up --dirty` takes."""
    from sandbox.visual_practice.dirt import CLEAN, KINDS, USUAL  # noqa: PLC0415

    if as_json:
        click.echo(json.dumps(KINDS))
        return
    for name, about in sorted(KINDS.items()):
        click.echo(f"{'clean' if name in CLEAN else 'usual' if name in USUAL else '':<6} {name:<24} {about}")


for command in (faults, freeze, dump, thaw):
    sandbox.add_command(command)
