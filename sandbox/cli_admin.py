"""The commands that speak to running servers: `faults`, `freeze`, `dump`, `thaw`.

Owns their options and what is printed. Added to the group by `cli`.
"""

import json
from pathlib import Path
from typing import Any
from urllib import error, request

import click

DEFAULT_DIR = Path(".local/sandbox")
CARD = "sandbox.json"  # in the data directory: the line that `up --json` prints
SERVERS = ("visual-practice", "salesforce")
PIECE = 1 << 20


def address(url: str | None, folder: Path | None, server: str) -> str:
    """Where a server is: the given url, or that of the card in the data directory."""
    if url:
        return url.rstrip("/")
    path = (folder or DEFAULT_DIR) / CARD
    try:
        return str(json.loads(path.read_text())[server.replace("-", "_")]["url"])
    except (OSError, KeyError) as missing:
        raise click.UsageError(f"no --url given, and {path} does not tell one") from missing


def call(url: str, body: Any = None, method: str | None = None) -> Any:
    """One call of an admin door; raises ClickException when it is refused or nobody listens."""
    with _opened(url, body, method) as answer:
        return json.load(answer)


def _opened(url: str, body: Any = None, method: str | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
    try:
        return request.urlopen(asked, timeout=600)  # noqa: S310
    except error.HTTPError as refused:
        raise click.ClickException(refused.read().decode(errors="replace")) from refused
    except error.URLError as unreachable:
        raise click.ClickException(f"{url}: {unreachable.reason}") from unreachable


def _running(folder: Path | None, only: str | None) -> list[tuple[str, str]]:
    """Name and address of each server that the card knows, or of the one that was named."""
    path = (folder or DEFAULT_DIR) / CARD
    known = json.loads(path.read_text()) if path.exists() else {}
    names = [only] if only else [name for name in SERVERS if name.replace("-", "_") in known]
    if not names:
        raise click.UsageError(f"{path} tells of no server")
    return [(name, address(None, folder, name)) for name in names]


_DATA_DIR = click.option("--data-dir", type=click.Path(path_type=Path), help="Where sandbox.json is.")
_ONLY = click.option("--only", type=click.Choice(SERVERS), help="One of the two.")


@click.command()
@click.argument("server", type=click.Choice(SERVERS))
@click.option("--url", help="The server; from sandbox.json in the data directory if not given.")
@_DATA_DIR
@click.option(
    "--add", "added", help='A fault as JSON, or a list: {"route": "GET /v1/patients", "kind": "503", "count": 3}.'
)
@click.option("--clear", is_flag=True, help="Remove all faults first.")
@click.option("--reseed", type=int, help="Start counts and dice anew.")
@click.option("--log", "as_log", is_flag=True, help="Print what struck instead of the rules.")
@click.option("--replay", is_flag=True, help="Print rules that strike at the same places again, to be given to --add.")
def faults(
    server: str,
    url: str | None,
    data_dir: Path | None,
    added: str | None,
    clear: bool,
    reseed: int | None,
    as_log: bool,
    replay: bool,
) -> None:
    """Lists the faults of a server, adds some, or clears them."""
    root = f"{address(url, data_dir, server)}/__admin/faults"
    if clear:
        call(root, method="DELETE")
    if added:
        try:
            given = json.loads(added)
        except ValueError as wrong:
            raise click.UsageError(f"--add is no JSON: {wrong}") from wrong
        call(root, given)
    if reseed is not None:
        call(root, {"reseed": reseed})
    if as_log:
        click.echo(json.dumps(call(f"{root}/log")["log"], indent=2))
        return
    click.echo(json.dumps(call(f"{root}/replay" if replay else root)["faults"], indent=2))


@click.command()
@_DATA_DIR
@_ONLY
@click.option("--hold", is_flag=True, help="Let writes wait for the thaw instead of refusing them.")
def freeze(data_dir: Path | None, only: str | None, hold: bool) -> None:
    """Stops all writes of both servers, so that a dump is of one instant; returns when none is under way."""
    for name, url in _running(data_dir, only):
        told = call(f"{url}/__admin/freeze", {"mode": "hold" if hold else "refuse"})
        click.echo(f"{name:<16} {told['mode']}")


@click.command()
@_DATA_DIR
@_ONLY
def thaw(data_dir: Path | None, only: str | None) -> None:
    """Lets writes go on."""
    for name, url in _running(data_dir, only):
        told = call(f"{url}/__admin/thaw", {})
        click.echo(f"{name:<16} {told['mode'] or 'not frozen'}")


@click.command()
@_DATA_DIR
@_ONLY
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder for the files.")
def dump(data_dir: Path | None, only: str | None, to: Path) -> None:
    """Writes everything that a server holds as canonical JSON, one file a server."""
    to.mkdir(parents=True, exist_ok=True)
    for name, url in _running(data_dir, only):
        path = to / f"{name.replace('-', '_')}.json"
        with _opened(f"{url}/__admin/dump") as answer, path.open("wb") as file:
            while piece := answer.read(PIECE):
                file.write(piece)
        click.echo(f"{path}  {path.stat().st_size} bytes")
