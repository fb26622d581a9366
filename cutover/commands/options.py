"""What all commands share: `--config`, `--json`, and how a result is printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson
from rich.console import Console
from rich.table import Table

Command = TypeVar("Command", bound=Callable[..., Any])

config = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Settings file; without it CARRYOVER_CONFIG, else carryover.toml in this directory if it is there.",
)
json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of text for people.")


def common(command: Command) -> Command:
    """Give a command `--config` and `--json` (parameter `as_json`)."""
    return config(json(command))


def print_json(value: object) -> None:
    """One line of JSON on standard output."""
    click.echo(orjson.dumps(value).decode())


def print_table(title: str, columns: dict[str, str], rows: list[dict[str, Any]], none: str) -> None:
    """A table on standard output.

    Args:
        title: Above it.
        columns: Heading by key of a row; counts are set right.
        rows: What to print.
        none: Said when there are no rows.
    """
    if not rows:
        click.echo(none)
        return
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for key, heading in columns.items():
        numbers = all(isinstance(row.get(key), (int, float)) for row in rows)
        table.add_column(heading, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_text(row.get(key)) for key in columns))
    console().print(table)


def console() -> Console:
    """Standard output as it is now; wide when it is no terminal, so that nothing is cut in a file."""
    out = Console(highlight=False, markup=False, soft_wrap=False)
    return out if out.is_terminal else Console(highlight=False, markup=False, width=200)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value:,}"
    return "" if value is None else str(value)
