"""What is wrong with a map document, all of it at once.

Owns the error types that loading a map raises. They quote the map (which the operator wrote), never a record.
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["MapError", "MapErrors", "Mistake"]

Mistake = tuple[tuple[str, ...], str, str]
"""Where (`yaml_lines.Path`), what is wrong, what to do; `document` makes a `MapError` of it."""


@dataclass(frozen=True, slots=True)
class MapError:
    """One mistake in a map document.

    Attributes:
        line: 1-based line in the text that was loaded.
        path: Dotted way to the place, e.g. `objects.patient.columns.Email.as`; empty for the whole document.
        message: What is wrong.
        hint: What to do about it.
    """

    line: int
    path: str
    message: str
    hint: str


class MapErrors(Exception):
    """A map document can't be used; `errors` has every mistake found, in the order of their lines.

    Attributes:
        name: The file name (or other name) the text was loaded under.
        errors: At least one `MapError`.
    """

    def __init__(self, name: str, errors: Sequence[MapError]) -> None:
        self.name = name
        self.errors = sorted(errors, key=lambda error: (error.line, error.path))
        super().__init__(name, len(self.errors))

    def __str__(self) -> str:
        return "\n".join(f"{self.name}:{e.line}: {e.message} ({e.hint})" for e in self.errors)
