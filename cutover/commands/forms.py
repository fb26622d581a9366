"""`carryover forms export`: the practice's forms as a reference for rebuilding them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import orjson

from cutover import forms as reference
from cutover.chosen_map import read_map
from cutover.commands import options
from cutover.outcome import Failed
from cutover.settings import Settings, load
from cutover.source import open_source


@click.group()
def forms() -> None:
    """The forms that patients of the practice fill in."""


@forms.command()
@click.option(
    "--to",
    "directory",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory to write forms.md and forms.json to; made if it is not there.",
)
@options.common
def export(config: Path | None, as_json: bool, directory: Path) -> None:
    """Write down each form's questions, their types, options and limits, and which column of Salesforce takes the answers.

    Reads the practice's own description and the map, and no patient's answer. Files of an earlier export are replaced.
    """
    settings = load(config)
    settings.need("source")
    found = asyncio.run(_read(settings))
    questions = sum(len(form.questions) for form in found)
    moved = sum(bool(question.columns) for form in found for question in form.questions)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / reference.MARKDOWN_FILE).write_text(reference.as_markdown(found), encoding="utf-8")
        written = orjson.dumps(reference.as_json(found), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        (directory / reference.JSON_FILE).write_bytes(written)
    except OSError as error:
        raise Failed(f"The forms can't be written to {directory}: {error.strerror}.") from None
    if as_json:
        options.print_json({"forms": len(found), "questions": questions, "moved": moved, "directory": str(directory)})
        return
    click.echo(
        f"{len(found)} forms with {questions} questions are in {directory}; {moved} of them are moved by the map."
    )


async def _read(settings: Settings) -> list[reference.Form]:
    document, _ = read_map(settings)
    async with open_source(settings) as source:
        return reference.forms_of(await source.schema(), document)
