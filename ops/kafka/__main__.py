"""`python -m ops.kafka up`: one local broker in the foreground, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import click

from ops.kafka.broker import BrokerError
from ops.kafka.local import LocalKafka


@click.group()
def kafka() -> None:
    """A local Kafka broker for trying things out."""


@kafka.command()
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Keep the data here; without it they go with the broker."
)
@click.option("--port", type=int, help="Port for clients; a free one without it.")
def up(data_dir: Path | None, port: int | None) -> None:
    """Start a broker, print its bootstrap address, and serve until Ctrl-C or SIGTERM."""
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    try:
        with LocalKafka(data_dir, port=port) as broker:
            click.echo(broker.bootstrap)
            click.echo(f"Kafka runs ({broker.kind}); Ctrl-C ends it.", err=True)
            ended.wait()
    except BrokerError as error:
        click.echo(str(error), err=True)
        sys.exit(1)


if __name__ == "__main__":
    kafka()
