"""`carryover`: the one command line of the product.

Owns the list of commands and what an operator sees of errors: one line that says what to do, never a traceback. The
commands are in `cutover.commands`; `sandbox` and `demo` are loaded only when they are called.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback

import click

from cutover import logs
from cutover.commands import config, forms, look, options, owners, processes, reconcile, replay, rollback, topics
from cutover.outcome import FINE, WRONG_USAGE, explain

INTERRUPTED = 130
"""Ctrl-C before a command could end by itself; 128 + SIGINT, as shells have it."""

LAZY = {
    "sandbox": ("sandbox.cli", "sandbox", "Made-up Visual Practice and Salesforce servers to try things on."),
    "demo": ("cutover.demo", "demo", "Move a made-up practice from sandbox to sandbox, and watch it."),
}
"""Commands loaded when called: module, name in it, help."""


class _Commands(click.Group):
    """The top group; knows the lazy commands' names and help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *LAZY])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in LAZY:
            return super().get_command(ctx, cmd_name)
        module, name, _ = LAZY[cmd_name]
        try:
            found: click.Command = getattr(importlib.import_module(module), name)
        except ImportError as error:
            raise click.ClickException(
                f"`carryover {cmd_name}` is not part of this installation (no {error.name}): "
                "use the repository's own environment, `make setup`."
            ) from None
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            found = None if name in LAZY else super().get_command(ctx, name)
            rows.append((name, found.get_short_help_str(100) if found else LAZY[name][2]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="carryover", message="%(prog)s %(version)s")
def cli() -> None:
    """Moves a medical practice from Visual Practice to Salesforce Sales Cloud while it keeps working.

    Exit codes: 0 fine, 1 failed, 2 wrong usage or settings, 3 refused by a gate, 4 found differences.
    """


for _command in (
    *(config.config, topics.topics, processes.run, processes.worker, processes.control),
    *(look.status, look.holds, look.rejects, owners.owners, rollback.rollback, replay.replay),
    *(reconcile.reconcile, forms.forms),
):
    cli.add_command(_command)


def main(arguments: list[str] | None = None) -> None:
    """Run a command line and exit with its code.

    Args:
        arguments: Instead of `sys.argv[1:]`.
    """
    given = sys.argv[1:] if arguments is None else arguments
    logs.tell_sentences_only()
    try:
        cli.main(given, prog_name="carryover", standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.Abort:
        sys.exit(INTERRUPTED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except click.UsageError as error:
        hint = f" Try `{error.ctx.command_path} --help`." if error.ctx else ""
        _tell(error.format_message() + hint, given, WRONG_USAGE)
        sys.exit(WRONG_USAGE)
    except click.ClickException as error:
        _tell(error.format_message(), given, error.exit_code)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the last place where an error can become a sentence
        if os.environ.get(logs.DEBUG) == "1":
            traceback.print_exc()
        sentence, code = explain(error)
        _tell(sentence, given, code)
        sys.exit(code)
    sys.exit(FINE)


def _tell(sentence: str, given: list[str], code: int) -> None:
    if "--json" in given:
        options.print_json({"error": sentence, "exit": code})
    else:
        click.echo(sentence, err=True)


if __name__ == "__main__":
    main()
