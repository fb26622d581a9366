"""Objects and fields as data: what exists, what it holds, what may be written.

Owns the types and case-insensitive look-up. The standard objects are listed in `catalogue`; custom fields are added at
run time and remembered by `storage`. Knows no SQL beyond a column's collation and formula.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

TEXTUAL = frozenset(
    {"string", "textarea", "phone", "url", "email", "picklist", "multipicklist", "combobox", "encryptedstring"}
)
NUMERIC = frozenset({"double", "currency", "percent", "int"})


class UnknownTypeError(ValueError):
    """A custom field of a type that the sandbox does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. `references` are the objects a lookup may point to, in describe's order; `relationship` its name.

    `formula` is the SQL of a computed column; `parts` are the components of a compound field, which has no column.
    """

    name: str
    label: str
    type: str = "string"
    length: int = 0
    precision: int = 0
    scale: int = 0
    required: bool = False
    createable: bool = True
    updateable: bool = True
    custom: bool = False
    unique: bool = False
    external_id: bool = False
    case_sensitive: bool = False
    id_lookup: bool = False
    indexed: bool = False
    references: tuple[str, ...] = ()
    relationship: str | None = None
    cascade: bool = False
    picklist: tuple[str, ...] = ()
    restricted: bool = False
    formula: str | None = None
    parts: tuple[str, ...] = ()
    compound: str | None = None
    name_field: bool = False

    @property
    def stored(self) -> bool:
        """Whether the field has a column of its own that a write can fill."""
        return not self.parts and self.formula is None

    @property
    def polymorphic(self) -> bool:
        """Whether a relationship header for it needs the object's type."""
        return len(self.references) > 1

    @property
    def key(self) -> bool:
        """Whether a record can be found by it in a relationship header or an upsert."""
        return self.external_id or self.id_lookup


@dataclass(slots=True)
class SObject:
    """One object: its names, its key prefix and its fields in describe's order."""

    name: str
    label: str
    plural: str
    prefix: str
    fields: dict[str, Field] = field(default_factory=dict)  # by API name
    writable: bool = True
    _lower: dict[str, str] = field(default_factory=dict)

    def add(self, fields: Iterable[Field]) -> None:
        """Adds or replaces fields."""
        self._set(self.fields | {each.name: each for each in fields})

    def drop(self, name: str) -> None:
        """Takes a field away."""
        self._set({each: one for each, one in self.fields.items() if each != name})

    def _set(self, fields: dict[str, Field]) -> None:
        self._lower = {name.lower(): name for name in fields}
        self.fields = fields

    def get(self, name: str) -> Field | None:
        """A field by its name in any case, or None."""
        exact = self._lower.get(name.lower())
        return self.fields[exact] if exact else None

    def relationship(self, name: str) -> Field | None:
        """The lookup field with this relationship name in any case, or None."""
        wanted = name.lower()
        return next((each for each in self.fields.values() if (each.relationship or "").lower() == wanted), None)


class Schema:
    """All objects of the org."""

    def __init__(self, objects: Iterable[SObject]) -> None:
        self._objects = {each.name.lower(): each for each in objects}

    def get(self, name: str) -> SObject | None:
        """An object by its name in any case, or None."""
        return self._objects.get(name.lower())

    def by_prefix(self, prefix: str) -> SObject | None:
        """The object whose ids begin with this prefix, or None."""
        return next((each for each in self if each.prefix == prefix), None)

    def __iter__(self) -> Iterator[SObject]:
        return iter(self._objects.values())

    def lookups_to(self, name: str) -> Iterator[tuple[SObject, Field]]:
        """Every lookup field that may point to an object, with the object it is on."""
        for each in self:
            for one in each.fields.values():
                if name in one.references:
                    yield each, one


_KINDS: dict[str, dict[str, Any]] = {
    "Text": {"type": "string", "length": 255},
    "TextArea": {"type": "textarea", "length": 255},
    "LongTextArea": {"type": "textarea", "length": 32768},
    "Html": {"type": "textarea", "length": 32768},
    "Email": {"type": "email", "length": 80},
    "Phone": {"type": "phone", "length": 40},
    "Url": {"type": "url", "length": 255},
    "Date": {"type": "date"},
    "DateTime": {"type": "datetime"},
    "Checkbox": {"type": "boolean"},
    "Number": {"type": "double", "precision": 18},
    "Currency": {"type": "currency", "precision": 18, "scale": 2},
    "Percent": {"type": "percent", "precision": 18, "scale": 2},
    "Picklist": {"type": "picklist", "length": 255, "restricted": False},
    "MultiselectPicklist": {"type": "multipicklist", "length": 4099},
    "Lookup": {"type": "reference", "length": 18},
}


def custom(name: str, kind: str, **given: Any) -> Field:
    """A custom field of a type as Setup names it (`Text`, `DateTime`, …); raises UnknownTypeError.

    `given` may hold label, length, precision, scale, unique, external_id, case_sensitive, required, picklist,
    restricted, references.
    """
    if kind not in _KINDS:
        raise UnknownTypeError(kind)
    label = given.pop("label", None) or name.removesuffix("__c").replace("_", " ")
    values = {**_KINDS[kind], **{key: value for key, value in given.items() if value is not None}}
    for many in ("picklist", "references"):
        values[many] = tuple(values.get(many, ()))
    made = Field(name=name, label=label, custom=True, **values)
    if made.references:
        made = replace(made, relationship=name.removesuffix("__c") + "__r")
    if made.unique or made.external_id:
        made = replace(made, indexed=True, id_lookup=made.external_id)
    return made
