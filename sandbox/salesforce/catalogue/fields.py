"""How the standard objects write their fields down: one short function for each kind.

Owns the usual attributes of a kind and the fields that every object begins and ends with. Called by the other modules
of this package.
"""

from typing import Any

from sandbox.salesforce.picklists import ACCURACIES
from sandbox.salesforce.schema import Field

READ_ONLY: dict[str, Any] = {"createable": False, "updateable": False}
CREATE_ONLY: dict[str, Any] = {"updateable": False}
PERSON_NAME = (
    "trim(coalesce(FirstName || ' ', '') || coalesce({middle} || ' ', '') || LastName)"  # as the API composes it
)


def spaced(name: str) -> str:
    """`LastName` as the label `Last Name`."""
    return "".join(f" {letter}" if letter.isupper() and place else letter for place, letter in enumerate(name))


def text(name: str, length: int, label: str | None = None, **more: Any) -> Field:
    """A text of at most so many characters."""
    return Field(name=name, label=label or spaced(name), length=length, **more)


def area(name: str, length: int = 32000, label: str | None = None, **more: Any) -> Field:
    """A text of several lines."""
    return text(name, length, label, type="textarea", **more)


def phones(*names: str) -> list[Field]:
    """Telephone numbers."""
    return [text(name, 40, type="phone") for name in names]


def flag(name: str, label: str | None = None, **more: Any) -> Field:
    """A boolean; false unless `default` says otherwise."""
    return Field(name=name, label=label or spaced(name.removeprefix("Is")), type="boolean", **more)


def whole(name: str, label: str | None = None, digits: int = 8, **more: Any) -> Field:
    """An integer of so many digits."""
    return Field(name=name, label=label or spaced(name), type="int", precision=digits, **more)


def number(name: str, kind: str, scale: int = 2, label: str | None = None, precision: int = 18, **more: Any) -> Field:
    """A number: `kind` is currency, double or percent; `precision` counts all digits, `scale` those after the point."""
    return Field(name=name, label=label or spaced(name), type=kind, precision=precision, scale=scale, **more)


def instant(name: str, label: str | None = None, **more: Any) -> Field:
    """A date with a time."""
    return Field(name=name, label=label or spaced(name), type="datetime", **more)


def day(name: str, label: str | None = None, **more: Any) -> Field:
    """A date."""
    return Field(name=name, label=label or spaced(name), type="date", **more)


def lookup(name: str, *references: str, label: str | None = None, **more: Any) -> Field:
    """A lookup to one of some objects; searched by when a parent goes, unless nobody sets it."""
    more.setdefault("relationship", name.removesuffix("Id"))
    label = label or f"{spaced(name.removesuffix('Id'))} ID"
    followed = more.get("createable", True) and name != "OwnerId"
    more.setdefault("indexed", followed)
    return Field(name=name, label=label, type="reference", length=18, references=references, **more)


def picklist(name: str, values: tuple[str, ...], length: int = 255, label: str | None = None, **more: Any) -> Field:
    """A choice; any text is taken unless it is `restricted`."""
    return text(name, length, label, type="picklist", picklist=values, **more)


def address(prefix: str, **more: Any) -> list[Field]:
    """A compound address with its components."""
    parts = (("Street", 255, "textarea"), ("City", 40, "string"), ("State", 80, "string"), ("PostalCode", 20, "string"))
    whole_name = f"{prefix}Address"
    fields = [
        text(f"{prefix}{part}", length, _address_label(prefix, part), type=kind, compound=whole_name, **more)
        for part, length, kind in (*parts, ("Country", 80, "string"))
    ]
    fields += [
        number(f"{prefix}{axis}", "double", 15, f"{prefix} {axis}", compound=whole_name, **more)
        for axis in ("Latitude", "Longitude")
    ]
    accuracy = f"{prefix} Geocode Accuracy"
    fields.append(
        picklist(f"{prefix}GeocodeAccuracy", ACCURACIES, 40, accuracy, restricted=True, compound=whole_name, **more)
    )
    names = tuple(each.name for each in fields)
    label = f"{prefix} Address" if prefix else "Address"
    return [*fields, Field(name=whole_name, label=label, type="address", parts=names, **READ_ONLY)]


def _address_label(prefix: str, part: str) -> str:
    words = {"State": "State/Province", "PostalCode": "Zip/Postal Code"}
    return f"{prefix} {words.get(part, part)}".strip()


def first(label: str, *, deleted: bool = True) -> list[Field]:
    """The id, and whether the record is in the recycle bin."""
    fields = [Field(name="Id", label=f"{label} ID", type="id", length=18, id_lookup=True, defaulted=True, **READ_ONLY)]
    return [*fields, flag("IsDeleted", "Deleted", defaulted=True, **READ_ONLY)] if deleted else fields


def created() -> list[Field]:
    """By whom and when the record was made."""
    return [
        instant("CreatedDate", "Created Date", defaulted=True, **READ_ONLY),
        lookup("CreatedById", "User", label="Created By ID", defaulted=True, **READ_ONLY),
    ]


def last(*, owner: tuple[str, ...] = ("User",), child: str | None = None, viewed: bool = False) -> list[Field]:
    """The owner, if there is one, and the stamps; `viewed` adds when somebody last looked at it."""
    fields = [
        *created(),
        instant("LastModifiedDate", "Last Modified Date", defaulted=True, **READ_ONLY),
        lookup("LastModifiedById", "User", label="Last Modified By ID", defaulted=True, **READ_ONLY),
        instant("SystemModstamp", "System Modstamp", defaulted=True, **READ_ONLY),
    ]
    if owner:
        fields.insert(0, lookup("OwnerId", *owner, label="Owner ID", defaulted=True, child=child))
    return fields + _viewed() if viewed else fields


def _viewed() -> list[Field]:
    return [
        instant("LastViewedDate", "Last Viewed Date", **READ_ONLY),
        instant("LastReferencedDate", "Last Referenced Date", **READ_ONLY),
    ]


def record_type() -> Field:
    """The record type; seen where the object has some."""
    return lookup("RecordTypeId", "RecordType", label="Record Type ID", indexed=False)


def active(label: str = "Last Activity") -> Field:
    """When the last event or task was."""
    return day("LastActivityDate", label, **READ_ONLY)
