"""The rules of a map, as data: columns, objects, placeholders, the whole document.

Owns the shape of a map and its hash. That the rules make sense together is `rule_checks`; how they are read from YAML
is `document`; what they do to a record is `plan`.
"""

import hashlib
import json
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, field_validator

__all__ = [
    "ATTACHED_TO",
    "ATTACHMENT",
    "FILE",
    "MOST_ATTACHED",
    "MOST_BYTES",
    "OPTIONS",
    "PATH",
    "PLACE",
    "RELATION",
    "RELATION_ACCOUNT",
    "RELATION_CONTACT",
    "Column",
    "DefaultBy",
    "MapDocument",
    "ObjectRule",
    "Over",
    "PartOf",
    "Placeholder",
    "SameAs",
    "Scalar",
    "Skip",
    "TakenFrom",
]

Scalar = StrictStr | StrictBool | StrictInt | None
"""What a value map may give: text, yes/no, a whole number, or nothing."""

FILE: Final = "ContentVersion"
"""The Salesforce object whose rows are files: each has a content."""
PATH: Final = "PathOnClient"
"""Its column with the name of the file, from which Salesforce takes the type."""
PLACE: Final = "FirstPublishLocationId"
"""Its column with the row that the file is shown at; links carry it once the file is there."""

ATTACHMENT: Final = "Attachment"
"""The other Salesforce object whose rows have a content. It has no custom fields (Object Reference, Attachment)."""
ATTACHED_TO: Final = "ParentId"
"""Its column with the row that it hangs on; only a new row may set it."""
MOST_ATTACHED: Final = 25 * 1024**2
"""Largest content of an Attachment, as Salesforce's own pages take it."""

RELATION: Final = "AccountContactRelation"
"""The Salesforce object that relates a contact to further accounts. The relation to the account in the contact's own row Salesforce makes, moves and removes
by itself: it is the direct one, and no two may be related twice (Object Reference, AccountContactRelation)."""
RELATION_CONTACT: Final = "ContactId"
RELATION_ACCOUNT: Final = "AccountId"
"""Its two links, and the column of the contact that makes the direct one."""

MOST_BYTES: Final = 2 * 1024**3
"""Largest content of a ContentVersion (REST API Developer Guide v66, "Insert or Update Blob Data")."""

Kind = Literal["from", "custom", "join", "constant", "source_tag", "run", "parent", "sum", "latest", "first"]
Form = Literal["text", "html", "email", "date", "day", "datetime", "number", "money", "integer", "boolean", "ongoing"]
ObjectKind = Literal["row", "owner", "same_as", "part_of"]

_TEXT: Final = frozenset({"as", "max", "too_long", "on_invalid", "required", "default", "values", "otherwise"})
OPTIONS: Final[dict[Kind, frozenset[str]]] = {
    "from": _TEXT
    | {"whole", "plus_minutes", "else_from", "seen", "each", "answer", "with", "where_allowed", "default_by", "images"},
    "custom": _TEXT | {"whole"},
    "join": frozenset({"with", "max", "too_long", "required", "default"}),
    "constant": frozenset(),
    "source_tag": frozenset(),
    "run": frozenset(),
    "parent": frozenset({"from", "on_absent", "on_none", "primary_role"}),
    "sum": frozenset({"from", "as", "whole", "on_invalid", "required"}),
    "latest": frozenset({"from", "as", "on_invalid", "required"}),
    "first": _TEXT | {"from", "custom", "filled"},
}
"""Kind of column -> the options that mean something for it."""


_PART_FIELD: Final = r"^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$"


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class DefaultBy(_Rule):
    """The text of a column without a value, by what another field of the record says.

    Attributes:
        from_: The other field.
        values: What it says -> the text; upper and lower case and blanks don't count. Of anything else the column's `default` is meant.
    """

    from_: StrictStr = Field(alias="from", min_length=1)
    values: dict[str, Annotated[StrictStr, Field(min_length=1)]] = Field(min_length=1)


class Column(_Rule):
    """Where one Salesforce column gets its value, and what happens when the value doesn't fit.

    Exactly one of `from`, `custom`, `join`, `constant`, `source_tag`, `run`, `parent` (with `from`), `sum`, `latest` (each with
    a `from` for when nothing counts) and `first` (with a `from` or `custom` for when nothing counts, or without) says where from.

    `primary_role` names the object whose primary row carries a parent that can be set only with a new row.
    `seen` names the field with a time that has been, see `as: ongoing`.
    `where_allowed`: only in an org that lets us set the column; elsewhere it is as if the map did not name it.
    `whole`: of money, what an amount without decimals means.
    `images`: of HTML, the objects that its images are: their addresses in Salesforce stand in the text.
    """

    from_: StrictStr | None = Field(default=None, alias="from", min_length=1)
    custom: StrictStr | None = Field(default=None, min_length=1)
    join: tuple[StrictStr, ...] | None = Field(default=None, min_length=2)
    constant: Annotated[StrictStr, Field(min_length=1)] | StrictBool | None = None
    source_tag: Literal[True] | None = None
    run: Literal[True] | None = None
    parent: StrictStr | None = None
    sum: StrictStr | None = Field(default=None, pattern=_PART_FIELD)
    latest: StrictStr | None = Field(default=None, pattern=_PART_FIELD)
    first: StrictStr | None = Field(default=None, pattern=_PART_FIELD)

    as_: Form = Field(default="text", alias="as")
    with_: Literal["newline", "space", "comma"] = Field(default="newline", alias="with")
    max: StrictInt | None = Field(default=None, ge=1, le=131_072)
    too_long: Literal["reject", "truncate"] = "reject"
    on_invalid: Literal["reject", "blank"] = "reject"
    whole: Literal["units", "cents", "reject"] = "units"
    plus_minutes: StrictStr | None = Field(default=None, min_length=1)
    else_from: StrictStr | None = Field(default=None, min_length=1)
    seen: StrictStr | None = Field(default=None, min_length=1)
    each: StrictStr | tuple[StrictStr, ...] | None = Field(default=None, min_length=1)
    answer: StrictStr | tuple[StrictStr, ...] | None = Field(default=None, min_length=1)
    required: StrictBool = False
    default: StrictStr | None = Field(default=None, min_length=1)
    default_by: DefaultBy | None = None
    values: dict[str, Scalar] | None = Field(default=None, min_length=1)
    otherwise: StrictStr | StrictBool = "reject"
    on_absent: Literal["placeholder", "hold", "reject", "later"] = "hold"
    on_none: Literal["blank", "placeholder", "reject"] = "blank"
    primary_role: StrictStr | None = None
    where_allowed: StrictBool = False
    filled: StrictBool = False
    images: tuple[StrictStr, ...] | None = Field(default=None, min_length=1)

    @property
    def counted(self) -> tuple[str, str] | None:
        """Object and field of the records that the column is made of."""
        object_, _, field = (self.sum or self.latest or self.first or "").partition(".")
        return (object_, field) if field else None

    @property
    def kind(self) -> Kind:
        """Which of the ways to get a value this column uses."""
        kinds: tuple[Kind, ...] = (
            "parent",
            "first",
            "custom",
            "join",
            "constant",
            "source_tag",
            "run",
            "sum",
            "latest",
        )
        for kind in kinds:
            if getattr(self, kind) is not None:
                return kind
        return "from"

    @property
    def source_fields(self) -> tuple[str, ...]:
        """The standard Visual Practice fields that are read, possibly none."""
        if self.join is not None:
            return self.join
        return () if self.from_ is None else (self.from_,)


class SameAs(_Rule):
    """An object whose records stand for those of another one, e.g. a provider for its user.

    Attributes:
        parent: The other object.
        from_: The field with its id.
        on_absent, on_none: As for a column with a parent.
    """

    parent: StrictStr
    from_: StrictStr = Field(alias="from", min_length=1)
    on_absent: Literal["placeholder", "hold", "reject"] = "hold"
    on_none: Literal["placeholder", "reject"] = "reject"


class Over(_Rule):
    """When a record that counts in a row is over, and speaks in it no more: when it has ended by the newest day that is known of.

    Attributes:
        ends: The part's column with the day on which a record ends; without one it is not over.
        seen: The part's column with a day that has been, e.g. on which the record was last written. The newest of all records that count in the row is
            meant, or the map's `as_of` where that is later.
    """

    ends: StrictStr
    seen: StrictStr


class PartOf(_Rule):
    """An object whose records have no row of their own but count in another's, e.g. a payment in its invoice's.

    Attributes:
        object: The other object.
        from_: The field with its id.
        order: Columns of the part by which a record comes first, each lowest first or, with a `-`, highest first; one without a value comes last. Of records
            that are alike in all of them the smallest reference comes first.
        over: Which records do not count for columns that are the first of them.
    """

    object: StrictStr
    from_: StrictStr = Field(alias="from", min_length=1)
    order: tuple[StrictStr, ...] = ()
    over: Over | None = None


class TakenFrom(_Rule):
    """An object whose records stand in those of another one: the images in the text of a note.

    Attributes:
        object: The other object.
        from_: The field that they stand in, HTML.
    """

    object: StrictStr
    from_: StrictStr = Field(alias="from", min_length=1)


class Skip(_Rule):
    """Records that are left out.

    Attributes:
        without: Those in which this field is empty.
        where, is_: Those in which the field `where` has one of these values; upper and lower case don't count.
        because: Why, for the report.
    """

    without: StrictStr | None = Field(default=None, min_length=1)
    where: StrictStr | None = Field(default=None, min_length=1)
    is_: tuple[StrictStr, ...] | None = Field(default=None, alias="is", min_length=1)
    because: StrictStr = Field(min_length=1, max_length=80)


class ObjectRule(_Rule):
    """How the records of one Visual Practice resource become rows of one Salesforce object.

    Attributes:
        resource: Visual Practice resource, e.g. `patients`.
        target: Salesforce object, e.g. `Contact`.
        decide: The field with the e-mail of a member of staff: nothing is written, who owns their records is matched or decided.
        same_as: Its records stand for those of another object.
        part_of: Its records count in the rows of another object.
        records_of: Another object, whose records it takes; they are read once. None: it reads its resource itself.
        taken_from: Another object, in whose records its own stand; the extract takes them out.
        skip: Which records are left out.
        external_id: Column that holds the reference, e.g. `VP_Id__c`; it must be a unique external id in the org.
        on_delete: What a delete in the source does to the row. `flag` sets `deleted_column` to the time of the delete; `delete` deletes the row unless a person
            has edited it or something hangs on it that would go along: then it is flagged, or without a `deleted_column` kept.
        deleted_column: A datetime column; empty again when the record comes back.
        columns: Salesforce column -> its rule. Neither `external_id` nor `deleted_column` is in it.
        max_bytes: Largest content, in bytes; only for `ContentVersion`, and for `Attachment`, where it says which documents are kept so
            (`mapping.attachments`).
        match: Columns which, all equal and none empty, say that a row without our external id is the same thing; None: such
            rows are left alone.
        among: Columns and the value that a row must have in each to be matched at all, e.g. `{Insurance_Carrier__c: true}`: what tells carriers from practices
            where both are Accounts. They needn't be columns of this object; nothing (`~`) is an empty one.
        on_ambiguous: What to do when several rows match.
    """

    resource: StrictStr
    target: StrictStr = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    external_id: StrictStr = Field(default="", pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    on_delete: Literal["delete", "flag", "keep"] = "keep"
    deleted_column: StrictStr | None = None
    columns: dict[str, Column] = Field(default_factory=dict)
    decide: StrictStr | None = Field(default=None, min_length=1)
    same_as: SameAs | None = None
    part_of: PartOf | None = None
    records_of: StrictStr | None = None
    taken_from: TakenFrom | None = None
    skip: tuple[Skip, ...] = ()
    max_bytes: StrictInt | None = Field(default=None, ge=1, le=MOST_BYTES)
    match: tuple[StrictStr, ...] | None = Field(default=None, min_length=1)
    among: dict[str, Scalar] | None = Field(default=None, min_length=1)
    on_ambiguous: Literal["hold"] = "hold"

    @property
    def kind(self) -> ObjectKind:
        """What its records become: rows, owners, others' stand-ins, or parts of others' rows."""
        if self.decide is not None:
            return "owner"
        return "same_as" if self.same_as is not None else "part_of" if self.part_of is not None else "row"

    @property
    def has_content(self) -> bool:
        """Whether a content goes along with each row."""
        return self.target in {FILE, ATTACHMENT}

    @property
    def is_file(self) -> bool:
        """Whether its rows are files."""
        return self.target == FILE

    @property
    def attaches(self) -> bool:
        """Whether its rows are Attachments."""
        return self.target == ATTACHMENT

    @property
    def relates(self) -> bool:
        """Whether its rows are relations of a contact with further accounts."""
        return self.target == RELATION

    @property
    def contact_column(self) -> str | None:
        """The column that Salesforce derives from the row's primary contact role once the row is there, if the map names one."""
        return next((name for name, column in self.columns.items() if column.primary_role is not None), None)


class Placeholder(_Rule):
    """The row that stands in for a parent that isn't there.

    Attributes:
        reference: Its reference, e.g. `practice:~unassigned`; the `~` keeps it apart from every real id.
        columns: Salesforce column -> fixed text; none for an owner, who is decided and not written.
    """

    reference: StrictStr
    columns: dict[str, StrictStr] = Field(default_factory=dict)


class MapDocument(_Rule):
    """A whole map. Build it with `document.load_map`, which also checks that its parts fit together.

    Attributes:
        map: Version of this format.
        source_tag: Text that marks every row we write.
        time_zone: IANA name of the zone that times without an offset are in; None: such a time is invalid.
        as_of: A day (`YYYY-MM-DD`) that has been when the move is made, see `Over`; None: only what records say counts.
        objects: Object name (the first part of a reference) -> its rule.
        placeholders: Object name -> its stand-in.
    """

    map: Literal[1]
    source_tag: StrictStr = Field(min_length=1, max_length=255)
    time_zone: StrictStr | None = None
    as_of: StrictStr | None = None
    objects: dict[str, ObjectRule] = Field(min_length=1)
    placeholders: dict[str, Placeholder] = Field(default_factory=dict)

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, OSError):  # OSError: the name of a folder of zones
                raise ValueError("no zone") from None
        return name

    @field_validator("as_of", mode="before")
    @classmethod
    def _is_a_day(cls, given: Any) -> str | None:
        # YAML reads an unquoted day as a date.
        text = given.isoformat() if type(given) is date else given
        try:
            fits = text is None or date.fromisoformat(text).isoformat() == text
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise ValueError("no day")
        return text

    @property
    def rows(self) -> dict[str, ObjectRule]:
        """The objects whose records have rows of their own."""
        return {name: rule for name, rule in self.objects.items() if rule.kind == "row"}

    @property
    def roles(self) -> frozenset[str]:
        """The Salesforce objects that carry a column of a row once it is there: contact roles."""
        columns = (column for rule in self.rows.values() for column in rule.columns.values())
        return frozenset(column.primary_role for column in columns if column.primary_role is not None)

    @property
    def related(self) -> frozenset[str]:
        """The objects whose rows are related to further accounts: those hear with which account a row of theirs stands in the org."""
        links = (rule.columns.get(RELATION_CONTACT) for rule in self.rows.values() if rule.relates)
        return frozenset(link.parent for link in links if link is not None and link.parent is not None)

    @property
    def parts(self) -> dict[str, list[str]]:
        """Object -> the objects whose records count in its rows."""
        found: dict[str, list[str]] = {}
        for name, rule in self.objects.items():
            if rule.part_of is not None:
                found.setdefault(rule.part_of.object, []).append(name)
        return found

    @property
    def extracted(self) -> dict[str, tuple[str, ...]]:
        """Objects that are read from the source -> the others that take their records."""
        found: dict[str, tuple[str, ...]] = {
            name: () for name, rule in self.objects.items() if rule.records_of is None and rule.taken_from is None
        }
        for name, rule in self.objects.items():
            if rule.records_of is not None:
                found[rule.records_of] = (*found[rule.records_of], name)
        return found

    def taken(self, name: str) -> tuple[str, ObjectRule] | None:
        """The object, and its rule, whose records are taken out of those of an object; None when the map has none, or nobody refers to them."""
        for other, rule in self.objects.items():
            if rule.taken_from is not None and rule.taken_from.object == name and other in self.pictures:
                return other, rule
        return None

    @property
    def attached(self) -> dict[str, str]:
        """Objects of files -> the object that takes the same records and keeps some of them as Attachments."""
        return {rule.records_of: name for name, rule in self.objects.items() if rule.attaches and rule.records_of}

    @property
    def pictures(self) -> frozenset[str]:
        """The objects that images in texts are: whoever waits for one of their rows wants the address of its file."""
        columns = (column for rule in self.objects.values() for column in rule.columns.values())
        return frozenset(name for column in columns for name in column.images or ())

    @property
    def awaited(self) -> dict[str, str]:
        """The objects whose records others may wait for, and as what: as a `parent`, to be `counted` in, or as both."""
        columns = (column.parent for rule in self.objects.values() for column in rule.columns.values())
        links = (link.parent for rule in self.objects.values() if (link := rule.same_as) is not None)
        parents = {name for name in (*columns, *links, *self.pictures) if name is not None}
        counted = self.parts.keys()
        return {
            name: " and ".join(how for how, names in (("parent", parents), ("counted", counted)) if name in names)
            for name in self.objects
            if name in parents or name in counted
        }

    @property
    def owners(self) -> frozenset[str]:
        """The objects that own records: users, and those who stand for them."""
        return frozenset(name for name, rule in self.objects.items() if rule.kind in {"owner", "same_as"})

    def placeholder(self, name: str) -> Placeholder | None:
        """What stands in for an absent record of an object; for one that stands for another, what stands in for that."""
        found = self.placeholders.get(name)
        rule = self.objects.get(name)
        if found is None and rule is not None and rule.same_as is not None and rule.same_as.parent != name:
            return self.placeholder(rule.same_as.parent)
        return found

    @property
    def zone(self) -> ZoneInfo | None:
        """The zone of `time_zone`."""
        return None if self.time_zone is None else ZoneInfo(self.time_zone)

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of what the map says.

        Comments, layout, the order of keys and options spelled out with their default value don't change it.
        """
        content: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()
