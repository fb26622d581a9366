"""The crash matrix as a table in the documentation, between two marks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.crash.cases import CASES, COLUMNS, STEPS, Case

PAGE: Final = Path(__file__).parents[2] / "docs" / "loading.md"
BEGIN, END = "<!-- crash matrix -->", "<!-- end -->"
_HEAD: Final = "it dies right after"
NONE: Final = "–"


def rendered(found: Mapping[Case, str]) -> str:
    """The table; every case must have been found out."""
    lines = [_line([_HEAD, *(name for name, _, _ in COLUMNS)]), _line(["---"] * (len(COLUMNS) + 1))]
    by_place = {(case.step.name, case.way, case.heir): found[case] for case in CASES}
    for step in STEPS:
        cells = [by_place.get((step.name, way, heir), NONE) for _, way, heir in COLUMNS]
        lines.append(_line([step.name, *cells]))
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write(found: Mapping[Case, str], page: Path = PAGE) -> None:
    """Puts the table into the page, over the one that is there."""
    text = page.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n{rendered(found)}\n{END}{tail}", encoding="utf-8")


def read(page: Path = PAGE) -> list[list[str]]:
    """The cells of the table in the page, line by line, with the head and without the rule below it."""
    text = page.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    lines = [line.strip(" |") for line in text.strip().splitlines()]
    return [[cell.strip() for cell in line.split(" | ")] for line in (lines[0], *lines[2:])]
