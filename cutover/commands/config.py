"""`carryover config`: are the settings right, before anything runs?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import orjson

from cutover.chosen_map import read_map
from cutover.commands import options
from cutover.settings import Settings, load
from topics.broker import open_broker


@click.group()
def config() -> None:
    """Settings: carryover.toml and CARRYOVER_... in the environment."""


@config.command()
@click.option("--connect", is_flag=True, help="Also connect to Kafka and read one id from Visual Practice.")
@options.common
def check(config: Path | None, as_json: bool, connect: bool) -> None:
    """Say whether the settings and the map are right, and what is in force.

    Exits with 2 when they are not, with 1 when a system doesn't answer. Secrets are never shown.
    """
    settings = load(config)
    settings.need("source", "target")
    _, map_hash = read_map(settings)
    if connect:
        asyncio.run(_connect(settings))
    shown = orjson.loads(settings.model_dump_json(exclude_none=True))
    if as_json:
        options.print_json({"ok": True, "map_hash": map_hash, "settings": shown})
        return
    for section, values in shown.items():
        for key, value in values.items():
            click.echo(f"{section}.{key} = {value}")
    click.echo(f"The settings are complete; the map's hash is {map_hash}.")


async def _connect(settings: Settings) -> None:
    from cutover.source import open_source  # noqa: PLC0415 - only when asked to connect

    async with open_broker(settings.kafka.bootstrap):
        pass
    async with open_source(settings) as client:
        await client.page("practices", per_page=1, fields=("id",))
