"""Objects and fields as data: what exists, what it holds, what may be written.

Owns the types and case-insensitive look-up. The standard objects are listed in `catalogue`; custom ones are made at
run time by `definitions`, from the types in `custom`. Knows no SQL beyond a column's formula.
"""

import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

TEXTUAL = frozenset(
    {"string", "textarea", "phone", "url", "email", "picklist", "multipicklist", "combobox", "encryptedstring"}
)
NUMERIC = frozenset({"double", "currency", "percent", "int"})
SHORT_AREA = 255  # characters of a text area that can be filtered by


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. `references` are the objects a lookup may point to, in describe's order; `relationship` its name.

    `child` is the name of the relationship seen from the parent. `formula` is the SQL of a computed column; `parts` are
    the components of a compound field, which has no column. `default` is the stored value of a record made without one.
    A `guarded` field is seen only by whom a permission set lets see it; `grows` is a lookup that points to custom
    objects too; `format` is the pattern of an auto number (`A-{0000}`).
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
    child: str | None = None
    restricts: bool = False
    nillable: bool | None = None
    defaulted: bool = False
    default: Any = None
    format: str | None = None
    html: bool = False
    help: str | None = None
    guarded: bool = False
    grows: bool = False

    @property
    def stored(self) -> bool:
        """Whether the field has a column of its own that a write can fill."""
        return not self.parts and self.formula is None

    @property
    def long(self) -> bool:
        """Whether it is too long to be filtered or sorted by."""
        return (self.type == "textarea" and self.length > SHORT_AREA) or self.type in {"base64", "encryptedstring"}

    @property
    def master(self) -> bool:
        """Whether it is the master of a master-detail relationship."""
        return self.custom and self.cascade and self.required

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
    """One object: its names, its key prefix and its fields in describe's order.

    `flags` are those of its describe that are not what `writable` makes one expect.
    """

    name: str
    label: str
    plural: str
    prefix: str
    fields: dict[str, Field] = field(
        default_factory=dict
    )  # by API name; replaced, never changed, so that readers go on
    writable: bool = True
    flags: dict[str, bool] = field(default_factory=dict)
    activities: bool = False
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

    @property
    def custom(self) -> bool:
        """Whether somebody made it."""
        return self.name.endswith("__c")

    def get(self, name: str) -> Field | None:
        """A field by its name in any case, or None."""
        exact = self._lower.get(name.lower())
        return self.fields[exact] if exact else None

    def relationship(self, name: str) -> Field | None:
        """The lookup field with this relationship name in any case, or None."""
        wanted = name.lower()
        return next((each for each in self.fields.values() if (each.relationship or "").lower() == wanted), None)

    def without(self, hidden: Collection[str], fixed: Collection[str]) -> "SObject":
        """The object as one sees it who does not see the hidden fields and may not write the fixed ones."""
        seen = replace(self, _lower={})
        seen._set(  # noqa: SLF001
            {
                name: replace(each, createable=False, updateable=False) if name in fixed else each
                for name, each in self.fields.items()
                if name not in hidden
            }
        )
        return seen


class Schema:
    """All objects of the org, or those that one user sees."""

    def __init__(self, objects: Iterable[SObject]) -> None:
        self._objects = {each.name.lower(): each for each in objects}
        self.made = time.time()  # describes have not changed since

    def get(self, name: str) -> SObject | None:
        """An object by its name in any case, or None."""
        return self._objects.get(name.lower())

    def of(self, name: str) -> SObject:
        """An object that is known to be there; raises KeyError when it is not."""
        return self._objects[name.lower()]

    def add(self, sobject: SObject) -> None:
        """Adds an object."""
        self._objects = {**self._objects, sobject.name.lower(): sobject}

    def drop(self, name: str) -> None:
        """Takes an object away."""
        self._objects = {key: each for key, each in self._objects.items() if key != name.lower()}

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


def folded(key: Field, value: Any) -> Any:
    """A value of a field as it compares."""
    return value if key.case_sensitive or not isinstance(value, str) else value.lower()
