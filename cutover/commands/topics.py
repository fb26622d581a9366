"""`carryover topics`: create the topics, and check those that are there."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from cutover.commands import options
from cutover.outcome import DIFFERENT
from cutover.settings import load
from topics import provision


@click.group()
def topics() -> None:
    """The cutover's topics in Kafka."""


@topics.command()
@options.common
def apply(config: Path | None, as_json: bool) -> None:
    """Create the topics that are missing and correct settings that differ; safe to repeat.

    Never deletes a topic and never changes a partition count: `topics check` names those.
    """
    settings = load(config)
    made = asyncio.run(provision.apply(settings.kafka.bootstrap, settings.catalogue))
    if as_json:
        options.print_json({"applied": made, "topics": [topic.name for topic in settings.catalogue.topics]})
        return
    for name in made:
        click.echo(f"made or corrected {name}")
    click.echo(f"All {len(settings.catalogue.topics)} topics are there.")


@topics.command()
@options.common
def check(config: Path | None, as_json: bool) -> None:
    """Compare the topics with what the cutover needs; exits with 4 when something differs.

    Finds missing topics, wrong partition counts, wrong clean-up or retention, and positions of consumer groups that lie
    outside the log.
    """
    settings = load(config)
    errors = asyncio.run(provision.check(settings.kafka.bootstrap, settings.catalogue))
    if as_json:
        options.print_json({"ok": not errors, "errors": errors})
    else:
        for error in errors:
            click.echo(error)
        if not errors:
            click.echo(f"All {len(settings.catalogue.topics)} topics are as they should be.")
    if errors:
        sys.exit(DIFFERENT)
