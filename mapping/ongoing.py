"""Whether something that ends on a day goes on. Pure; compiled by `plan`, and `comparators` has its own idea of the same.

No clock is asked: a row would change without a change of the source, and a replay would write another one. What has been is told by the record (the day on
which it was last written) and by the map (`as_of`), as for policies (`choosing`).
"""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from mapping.rules import Column
from mapping.text_steps import Note, Step, Value
from mapping.transforms import compile_step

__all__ = ["compile_ongoing"]


def compile_ongoing(name: str, column: Column, zone: ZoneInfo | None, as_of: str | None) -> Step:
    """The closure of one column.

    Args:
        name: Salesforce column.
        column: Its rule, with `as: ongoing`.
        zone: Whose clock days are of.
        as_of: The map's day that has been, `YYYY-MM-DD`.

    Returns:
        A function like those of `transforms.compile_step`: True without an end, or with one after every day that has been. An end that is no date is
        noted, and counts as none.
    """
    ends = compile_step(name, column.model_copy(update={"as_": "date", "seen": None}))
    of_seen = {"as_": "day", "from_": column.seen, "seen": None, "on_invalid": "blank"}
    seen = compile_step(name, column.model_copy(update=of_seen), zone)

    def step(fields: Mapping[str, str | None], notes: list[Note]) -> Value:
        end = ends(fields, notes)
        # Days sort as texts.
        return end is None or str(end) > max(str(seen(fields, notes) or ""), as_of or "")

    return step
