"""Custom fields by the names that Setup and the Metadata API give their types (`Text`, `MasterDetail`, …).

Owns what each type is in a describe. Source of fact: the Metadata API's CustomField and its documented defaults. Called
by `definitions`, which remembers them, and by `catalogue`.
"""

from dataclasses import replace
from typing import Any

from sandbox.salesforce.schema import Field


class UnknownTypeError(ValueError):
    """A custom field of a type that the sandbox does not have."""


KINDS: dict[str, dict[str, Any]] = {
    "Text": {"type": "string", "length": 255},
    "EncryptedText": {"type": "encryptedstring", "length": 175},
    "TextArea": {"type": "textarea", "length": 255},
    "LongTextArea": {"type": "textarea", "length": 32768},
    "Html": {"type": "textarea", "length": 32768, "html": True},
    "Email": {"type": "email", "length": 80},
    "Phone": {"type": "phone", "length": 40},
    "Url": {"type": "url", "length": 255},
    "Date": {"type": "date"},
    "DateTime": {"type": "datetime"},
    "Time": {"type": "time"},
    "Checkbox": {"type": "boolean"},
    "Number": {"type": "double", "precision": 18},
    "Currency": {"type": "currency", "precision": 18, "scale": 2},
    "Percent": {"type": "percent", "precision": 18, "scale": 2},
    "Picklist": {"type": "picklist", "length": 255, "restricted": False},
    "MultiselectPicklist": {"type": "multipicklist", "length": 4099},
    "Lookup": {"type": "reference", "length": 18},
    "MasterDetail": {"type": "reference", "length": 18, "cascade": True, "required": True, "updateable": False},
    "AutoNumber": {"type": "string", "length": 30, "format": "{0}", "createable": False, "updateable": False},
    "Location": {"type": "location", "createable": False, "updateable": False},
}
TUPLES = ("picklist", "references")


def custom(name: str, kind: str, **given: Any) -> Field:
    """A custom field of a type as Setup names it (`Text`, `DateTime`, …); raises UnknownTypeError.

    `given` may hold any attribute of a Field: label, length, precision, scale, unique, external_id, case_sensitive,
    required, default, picklist, restricted, references, relationship (without `__r`), child, cascade, restricts, format,
    help, guarded. What is None is as if it were not given. Raises TypeError for an attribute that no field has.
    """
    if kind not in KINDS:
        raise UnknownTypeError(kind)
    label = given.pop("label", None) or name.removesuffix("__c").replace("_", " ")
    values = {**KINDS[kind], **{key: value for key, value in given.items() if value is not None}}
    for many in TUPLES:
        values[many] = tuple(values.get(many, ()))
    relationship = values.pop("relationship", None) or name.removesuffix("__c")
    made = Field(name=name, label=label, custom=True, **values)
    if made.references:
        child = f"{made.child.removesuffix('__r')}__r" if made.child else None
        made = replace(made, relationship=f"{relationship.removesuffix('__r')}__r", indexed=True, child=child)
    if made.type == "location":
        made = replace(made, parts=tuple(part.name for part in components(name, label, **given)))
    if made.unique or made.external_id:
        made = replace(made, indexed=True, id_lookup=made.external_id)
    return made


def components(name: str, label: str | None = None, **given: Any) -> list[Field]:
    """The two coordinates of a Location field."""
    stem = name.removesuffix("__c")
    title = label or stem.replace("_", " ")
    scale = int(given.get("scale") or 6)
    return [
        Field(
            name=f"{stem}__{axis}__s",
            label=f"{title} ({axis})",
            type="double",
            precision=scale + 3,
            scale=scale,
            custom=True,
            compound=name,
            guarded=bool(given.get("guarded")),
        )
        for axis in ("Latitude", "Longitude")
    ]
