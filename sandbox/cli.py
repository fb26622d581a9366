"""The commands: `up`, `mutate`, `faults`.

Owns options and what is printed. Mounted by the product as `carryover sandbox`; alone it is `python -m sandbox`.
"""

import asyncio
import gc
import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib import error, request

import click

if TYPE_CHECKING:
    from sandbox.server import Options

DEFAULT_DIR = Path(".local/sandbox")
CARD = "sandbox.json"  # in the data directory: the line that `up --json` prints
COLLECT_AFTER = 50_000  # new containers
TICK = 0.1  # seconds between two calls of `mutate`


@click.group()
def sandbox() -> None:
    """Runs a Visual Practice and a Salesforce to try things on."""


@sandbox.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line with addresses and credentials, then serve.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port-salesforce", default=0, help="http port of Salesforce; 0 is any free one.")
@click.option("--port-salesforce-https", default=0, help="https port of Salesforce; 0 is any free one.")
@click.option("--port-visual-practice", default=0, help="Port of Visual Practice; 0 is any free one.")
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
@click.option("--dirty/--clean", default=True, show_default=True, help="Whether the generated data has dirty values.")
@click.option("--org-rows", default=0, show_default=True, help="Records that the org already has.")
@click.option("--without-fields", is_flag=True, help="An org without the custom fields.")
@click.option("--requests-per-minute", type=int, help="Rate limit of Visual Practice; none if not given.")
def up(
    as_json: bool, patients: int, practices: int, seed: int, dirty: bool, without_fields: bool, **given: Any
) -> None:
    """Starts the servers and serves until SIGTERM or SIGINT.

    The data directory is filled when it is new and used as it is when it is not: sizes and seed then mean nothing.
    """
    from sandbox.server import Options  # noqa: PLC0415  (the product mounts these commands: its start stays quick)
    from sandbox.visual_practice.generator import Sizes  # noqa: PLC0415

    given["data_dir"] = given["data_dir"] or Path(tempfile.mkdtemp(prefix="carryover-sandbox-"))
    options = Options(fields=not without_fields, sizes=Sizes(patients, practices, seed, dirty), **given)
    asyncio.run(_serve(options, as_json=as_json))


async def _serve(options: "Options", *, as_json: bool) -> None:
    from sandbox.server import Servers  # noqa: PLC0415

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
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


def _address(url: str | None, folder: Path | None, server: str) -> str:
    if url:
        return url.rstrip("/")
    path = (folder or DEFAULT_DIR) / CARD
    try:
        return str(json.loads(path.read_text())[server]["url"])
    except (OSError, KeyError) as missing:
        raise click.UsageError(f"no --url given, and {path} does not tell one") from missing


def _call(url: str, body: Any = None, method: str | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
    try:
        with request.urlopen(asked, timeout=60) as answer:  # noqa: S310
            return json.load(answer)
    except error.HTTPError as refused:
        raise click.ClickException(refused.read().decode(errors="replace")) from refused
    except error.URLError as unreachable:
        raise click.ClickException(f"{url}: {unreachable.reason}") from unreachable


@sandbox.command()
@click.option("--url", help="Visual Practice; from sandbox.json in the data directory if not given.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where sandbox.json is.")
@click.option("--rate", default=5.0, show_default=True, help="Changes per second.")
@click.option("--seconds", default=10.0, show_default=True, help="How long.")
@click.option("--edits-weight", default=8.0, show_default=True)
@click.option("--creates-weight", default=1.0, show_default=True)
@click.option("--deletes-weight", default=0.7, show_default=True)
@click.option("--undeletes-weight", default=0.3, show_default=True)
@click.option("--seed", type=int, help="Makes the kinds of changes repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def mutate(
    url: str | None,
    data_dir: Path | None,
    rate: float,
    seconds: float,
    seed: int | None,
    as_json: bool,
    **weights: float,
) -> None:
    """Works in the practice like a reception desk for a while, and tells what was done."""
    root = _address(url, data_dir, "visual_practice")
    kinds = {name.removesuffix("_weight"): weight for name, weight in weights.items()}
    total_weight = sum(kinds.values())
    if total_weight <= 0:
        raise click.UsageError("at least one weight must be above 0")
    done: dict[str, int] = {}
    owed = dict.fromkeys(kinds, 0.0)
    began = time.monotonic()
    asked_at = 0.0
    calls = 0
    while asked_at < seconds:
        elapsed = min(time.monotonic() - began, seconds)
        for kind, weight in kinds.items():
            owed[kind] += (elapsed - asked_at) * rate * weight / total_weight
        asked_at = elapsed
        asked = {kind: int(amount) for kind, amount in owed.items()}
        if any(asked.values()):
            for kind, amount in asked.items():
                owed[kind] -= amount
            calls += 1
            body = asked | ({} if seed is None else {"seed": seed + calls})
            for change in _call(f"{root}/__admin/mutate", body)["changes"]:
                key = f"{change['object']} {change['op']}"
                done[key] = done.get(key, 0) + 1
        time.sleep(TICK)
    if as_json:
        click.echo(
            json.dumps({"changes": sum(done.values()), "by_kind": done, "seconds": round(time.monotonic() - began, 3)})
        )
        return
    for key, amount in sorted(done.items()):
        click.echo(f"{key:<18} {amount}")
    click.echo(f"{sum(done.values())} changes in {time.monotonic() - began:.1f} s")


@sandbox.command()
@click.argument("server", type=click.Choice(["salesforce", "visual-practice"]))
@click.option("--url", help="The server; from sandbox.json in the data directory if not given.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where sandbox.json is.")
@click.option("--add", "added", help='A fault as JSON: {"route": "GET /v1/patients", "kind": "503", "count": 3}.')
@click.option("--clear", is_flag=True, help="Remove all faults.")
def faults(server: str, url: str | None, data_dir: Path | None, added: str | None, clear: bool) -> None:
    """Lists the faults of a server, adds one, or clears them."""
    root = f"{_address(url, data_dir, server.replace('-', '_'))}/__admin/faults"
    if clear:
        _call(root, method="DELETE")
    if added:
        try:
            given = json.loads(added)
        except ValueError as wrong:
            raise click.UsageError(f"--add is no JSON: {wrong}") from wrong
        _call(root, given)
    click.echo(json.dumps(_call(root)["faults"], indent=2))
