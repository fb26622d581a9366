"""The table in the documentation is that of the cases."""

from __future__ import annotations

from pathlib import Path

from tests.crash import table
from tests.crash.cases import CASES, CHOSEN, COLUMNS, STEPS


def test_the_table_has_exactly_the_cases() -> None:
    head, *lines = table.read()
    assert head[1:] == [name for name, _, _ in COLUMNS]
    assert [line[0] for line in lines] == [step.name for step in STEPS]
    told = {
        (step.name, way, heir)
        for step, line in zip(STEPS, lines, strict=True)
        for (_, way, heir), cell in zip(COLUMNS, line[1:], strict=True)
        if cell != table.NONE
    }
    assert told == {(case.step.name, case.way, case.heir) for case in CASES}


def test_every_cell_says_that_the_org_was_equal() -> None:
    cells = [cell for line in table.read()[1:] for cell in line[1:] if cell != table.NONE]
    assert len(cells) == len(CASES)
    assert all(cell == "equal" or cell.endswith(" · equal") for cell in cells)


def test_a_table_that_is_written_is_read_again_and_leaves_the_rest_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.write({case: f"did {case.number}" for case in CASES}, page)
    text = page.read_text()
    assert text.startswith(f"before\n{table.BEGIN}\n| it dies")
    assert text.endswith(f"|\n{table.END}\nafter\n")
    assert {cell for line in table.read(page)[1:] for cell in line[1:]} == {
        table.NONE,
        *(f"did {case.number}" for case in CASES),
    }


def test_the_chosen_cases_cover_every_column() -> None:
    assert {(case.way, case.heir) for case in CHOSEN} == {(way, heir) for _, way, heir in COLUMNS}
