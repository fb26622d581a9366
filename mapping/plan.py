"""A map, compiled for one object: from a change's fields to a row's columns.

Owns the mapping of one record: its columns, the parents it refers to, what was repaired on the way, and why it can't
be mapped. Called by the map agent for every record; it takes a few microseconds and does no I/O.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from mapping.attachments import sharing_of
from mapping.image_slots import slots
from mapping.ongoing import compile_ongoing
from mapping.rules import Column, MapDocument, SameAs, Skip
from mapping.source_fields import SOURCE_FIELDS
from mapping.text_steps import Note, Step, Value
from mapping.transforms import compile_step

__all__ = [
    "EMAIL",
    "NAME",
    "NAMED",
    "SAME",
    "Mapped",
    "MappingRejected",
    "Plan",
    "Reference",
    "Repair",
    "Value",
    "compile_plan",
    "placeholder_row",
]

EMAIL: Final = "Email"
NAME: Final = "Name"
"""Columns of an owner's row: what it is matched by, and what a person calls it."""

SAME: Final = "Id"
"""The column of a row that stands for an owner: the Salesforce id of whoever it stands for."""

OnAbsent = Literal["placeholder", "hold", "reject", "later", "named"]

NAMED: Final = "named"
"""`on_absent` of an image in a text: the address of its file goes into the column's slot (`image_slots`), and without one the text goes on and says so."""


class Reference(NamedTuple):
    """A column that waits for a parent's Salesforce id.

    Attributes:
        column: Salesforce column, e.g. `AccountId`.
        parent: The parent's reference, e.g. `practice:77`; for a record without a parent possibly the placeholder's.
        on_absent: What to do when the source doesn't have the parent; `later`: the row waits in no case, and is linked when
            the parent has landed; `named`: see `NAMED`. Always `hold` for a placeholder, which is a row
            of our own making and never in the source.
    """

    column: str
    parent: str
    on_absent: OnAbsent


class Repair(NamedTuple):
    """A value that was changed so that Salesforce can store it.

    Attributes:
        column: Salesforce column.
        code: E.g. `INVALID_EMAIL_BLANKED`, `TEXT_TRUNCATED`, `CONTROL_CHARACTERS_DROPPED`.
    """

    column: str
    code: str


class Mapped(NamedTuple):
    """One record as a row.

    Attributes:
        columns: Every column of the map but those in `references`; the external id is among them. None clears.
        references: Columns whose value is the id of a row that may not exist yet.
        repairs: What was changed on the way, for the report.
    """

    columns: dict[str, Value]
    references: list[Reference]
    repairs: list[Repair]


_ADVICE: Final = {
    "REQUIRED_MISSING": "fill it in in Visual Practice, or give the column a `default` in the map",
    "TEXT_TOO_LONG": "shorten it in Visual Practice, or say `too_long: truncate` in the map",
    "INVALID_EMAIL": "correct it in Visual Practice, or say `on_invalid: blank` in the map",
    "INVALID_DATETIME": "correct it in Visual Practice; if its times have no offset say `time_zone` in the map, or `on_invalid: blank`",
    "DURATION_MISSING": "fill it in in Visual Practice, or say `on_invalid: blank` in the map",
    "INVALID_AMOUNT": "correct it in Visual Practice, or say `on_invalid: blank` in the map",
    "AMOUNT_WITHOUT_CENTS": "write it with decimals in Visual Practice, or say `whole: cents` or `whole: units` in the map",
    "VALUE_NOT_MAPPED": "add the value to the column's `values` in the map, or choose another `otherwise`",
    "REFERENCE_MISSING": "link it in Visual Practice, or choose another `on_none` in the map",
}
_ADVICE_INVALID: Final = "correct it in Visual Practice, or say `on_invalid: blank` in the map"


class MappingRejected(Exception):
    """The record can't become a row; nothing about the service is wrong.

    Attributes:
        code: The first problem's code, e.g. `REQUIRED_MISSING`.
        columns: The columns with a problem.
        message: All problems with what to do about each; names and codes only, never a value.
    """

    def __init__(self, refused: Sequence[Note]) -> None:
        self.code = refused[0].code
        self.columns = tuple(dict.fromkeys(note.column for note in refused))
        self.message = "; ".join(f"{n.column}: {n.code} ({_ADVICE.get(n.code, _ADVICE_INVALID)})" for n in refused)
        super().__init__(self.message)


class Plan:
    """How the records of one object become rows. Make it with `compile_plan`; it keeps no state between records.

    Attributes:
        object: Object name, e.g. `patient`.
        sobject: Salesforce object, e.g. `Contact`.
        external_id: Column that holds the reference.
        on_delete: What a delete in the source does to the row.
        kind: What the object's records become.
        counted_in: For a part, the object in whose rows its records count.
        counts: Whether others' records count in its rows.
        records_of: The object whose records it takes; its own name when it reads them itself.
    """

    def __init__(self, document: MapDocument, object_name: str) -> None:
        rule = document.objects[object_name]
        self.object = object_name
        self.sobject = rule.target
        self.external_id = rule.external_id
        self.on_delete = rule.on_delete
        self.deleted_column = rule.deleted_column
        self.kind = rule.kind
        self.counted_in = None if rule.part_of is None else rule.part_of.object
        self.counts = object_name in document.parts
        self.records_of = rule.records_of or object_name
        self._counted_by = "" if rule.part_of is None else rule.part_of.from_
        self._skips = [_compile_skip(skip) for skip in rule.skip]
        self._sharing = sharing_of(document, object_name)
        self._prefix = f"{object_name}:"
        zone = document.zone
        self._steps = []
        self._custom_steps = []
        self._constants: dict[str, Value] = {}
        self._run_columns: list[str] = []
        self._pictured = [name for name, column in rule.columns.items() if column.images is not None]
        self._own = (rule.external_id,) if rule.external_id else ()
        self._parents: list[tuple[str, str, str, OnAbsent, Reference | None, bool]] = []
        for name, column in rule.columns.items():
            match column.kind:
                case "from" | "join" | "sum" | "latest":  # the last two: what the column is while nothing counts
                    self._steps.append((name, _compile_step(name, column, document)))
                case "first":
                    self._first(name, column, zone)
                case "custom":
                    self._custom_steps.append((name, compile_step(name, column, zone)))
                case "constant":
                    self._constants[name] = column.constant
                case "source_tag":
                    self._constants[name] = document.source_tag
                case "run":
                    self._run_columns.append(name)
                case "parent":
                    self._parent(document, name, column)
        if rule.same_as is not None:
            self._parent(document, SAME, rule.same_as)
        if rule.decide is not None:
            self._steps.append((EMAIL, compile_step(EMAIL, Column.model_validate({"from": rule.decide}))))
            names = tuple(name for name in ("first_name", "last_name") if name in SOURCE_FIELDS[rule.resource])
            if len(names) > 1:
                self._steps.append((NAME, compile_step(NAME, Column.model_validate({"join": names, "with": "space"}))))
        if rule.deleted_column is not None:
            self._constants[rule.deleted_column] = None

    def _first(self, name: str, column: Column, zone: ZoneInfo | None) -> None:
        """What a column that others decide is while none does: a field of the record's own, or nothing."""
        if column.from_ is not None:
            self._steps.append((name, compile_step(name, column, zone)))
        elif column.custom is not None:
            self._custom_steps.append((name, compile_step(name, column, zone)))
        else:
            self._constants[name] = None

    def _parent(self, document: MapDocument, name: str, column: Column | SameAs) -> None:
        parent = column.parent or ""
        stand_in = None
        if column.on_none == "placeholder" and (placeholder := document.placeholder(parent)) is not None:
            stand_in = Reference(name, placeholder.reference, "hold")
        entry = (name, column.from_ or "", f"{parent}:", column.on_absent, stand_in)
        self._parents.append((*entry, column.on_none == "reject"))

    def skips(self, fields: Mapping[str, str | None]) -> str | None:
        """Why the map leaves a record out, in the map's own words; None when it doesn't."""
        for applies, because in self._skips:
            if applies(fields):
                return because
        return None if self._sharing is None else self._sharing.skips(fields)

    def target(self, fields: Mapping[str, str | None]) -> str:
        """The reference of the record that a part counts in.

        Raises:
            MappingRejected: It names none.
        """
        key = (fields.get(self._counted_by) or "").strip()
        if not key or key == "0":
            raise MappingRejected([Note(self._counted_by, "REFERENCE_MISSING", refused=True)])
        return f"{self.counted_in}:{key}"

    def map(self, vp_id: str, fields: Mapping[str, str | None], custom: Mapping[str, str], run: str) -> Mapped:
        """Map one record.

        Args:
            vp_id: The record's id in Visual Practice.
            fields: Its standard fields, as text; one that isn't there counts as empty.
            custom: Its custom fields.
            run: The run that writes the row.

        Returns:
            The row. The same arguments always give the same row.

        Raises:
            MappingRejected: The record's data can't become a row under this map.
        """
        notes: list[Note] = []
        columns: dict[str, Value] = {name: step(fields, notes) for name, step in self._steps}
        for name, step in self._custom_steps:
            columns[name] = step(custom, notes)
        columns.update(self._constants)
        for name in self._run_columns:
            columns[name] = run
        own = self._prefix + vp_id
        columns.update(dict.fromkeys(self._own, own))
        references: list[Reference] = []
        for name, source, prefix, on_absent, stand_in, refuse in self._parents:
            key = fields.get(source)
            if key is not None:
                key = key.strip()
            if not key or key == "0":
                reference = stand_in
                if refuse:
                    notes.append(Note(name, "REFERENCE_MISSING", refused=True))
            elif prefix + key == own:
                notes.append(Note(name, "SELF_REFERENCE_BLANKED", refused=False))
                reference = None
            else:
                reference = Reference(name, prefix + key, on_absent)
            if reference is None:
                columns[name] = None
            else:
                references.append(reference)
        pictured = ((name, image) for name in self._pictured for image in slots(str(columns[name] or "")))
        references += [Reference(name, image, NAMED) for name, image in pictured]
        if not notes:
            return Mapped(columns, references, [])
        refused = [note for note in notes if note.refused]
        if refused:
            raise MappingRejected(refused)
        return Mapped(columns, references, list(dict.fromkeys(Repair(note.column, note.code) for note in notes)))

    def flag(self, vp_id: str, deleted_at: str, run: str) -> dict[str, Value]:
        """Columns that mark a row as deleted in the source.

        Args:
            vp_id: The record's id in Visual Practice.
            deleted_at: When, as `YYYY-MM-DDTHH:MM:SS.000Z`.
            run: The run that writes the row.

        Returns:
            External id, the deleted column and the run's columns.

        Raises:
            ValueError: The object has no deleted column.
        """
        if self.deleted_column is None:
            message = f"{self.object} isn't flagged on delete"
            raise ValueError(message)
        columns: dict[str, Value] = {self.external_id: self._prefix + vp_id, self.deleted_column: deleted_at}
        columns.update(dict.fromkeys(self._run_columns, run))
        return columns


def _compile_step(name: str, column: Column, document: MapDocument) -> Step:
    if column.as_ == "ongoing":
        return compile_ongoing(name, column, document.zone, document.as_of)
    return compile_step(name, column, document.zone)


def _compile_skip(skip: Skip) -> tuple[Callable[[Mapping[str, str | None]], bool], str]:
    if skip.without is not None:
        empty = skip.without
        return lambda fields: (fields.get(empty) or "").strip() in {"", "0"}, skip.because
    field, values = skip.where or "", frozenset(value.casefold() for value in skip.is_ or ())
    return lambda fields: (fields.get(field) or "").strip().casefold() in values, skip.because


def compile_plan(document: MapDocument, object_name: str) -> Plan:
    """Compile the rules of one object.

    Args:
        document: A loaded map.
        object_name: One of its objects, e.g. `patient`.

    Raises:
        KeyError: The map has no such object.
    """
    return Plan(document, object_name)


def placeholder_row(document: MapDocument, object_name: str, run: str) -> dict[str, Value]:
    """Columns of the row that stands in for an absent parent, external id included.

    Args:
        document: A loaded map.
        object_name: The parent's object, e.g. `practice`.
        run: The run that writes the row.

    Raises:
        KeyError: The map has no placeholder for this object.
    """
    rule = document.objects[object_name]
    placeholder = document.placeholders[object_name]
    columns: dict[str, Value] = dict(placeholder.columns)
    for name, column in rule.columns.items():
        if column.kind == "source_tag":
            columns[name] = document.source_tag
        elif column.kind == "run":
            columns[name] = run
    if rule.external_id:
        columns[rule.external_id] = placeholder.reference
    return columns
