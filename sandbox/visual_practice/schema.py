"""The resources of Visual Practice and the fields of their records.

Owns names and their order in an answer. Source of fact: none is public; the contract is the project's own
(`docs/sandbox.md`).
"""

from typing import Any, NamedTuple

Record = dict[str, Any]


class Resource(NamedTuple):
    """One kind of record: `name` is its table, `plural` its path and its key in the envelope of a page."""

    name: str
    plural: str
    fields: tuple[str, ...]


ADDRESS = ("address_1", "address_2", "city", "state", "postcode", "country")
STAMPS = ("created_at", "updated_at")

PRACTICE = Resource(
    "practice",
    "practices",
    ("id", "name", "specialty", "phone", "website", "npi", "tax_id", *ADDRESS, "parent_id", *STAMPS),
)
PATIENT = Resource(
    "patient",
    "patients",
    (
        *("id", "mrn", "title", "first_name", "middle_name", "last_name", "preferred_name", "date_of_birth", "gender"),
        *("email", "home_phone", "mobile_phone", *ADDRESS, "practice_id", "provider_id", "notes"),
        *STAMPS,
        "custom_fields",
    ),
)
USER = Resource("user", "users", ("id", "first_name", "last_name", "email", "role", "active", *STAMPS))

RESOURCES = (PRACTICE, PATIENT, USER)
BY_PLURAL = {resource.plural: resource for resource in RESOURCES}
BY_NAME = {resource.name: resource for resource in RESOURCES}


def complete(resource: Resource, values: Record) -> Record:
    """A record with every field of its resource, in the order of an answer; fields not given are null."""
    record = {name: values.get(name) for name in resource.fields}
    if resource is PATIENT and record["custom_fields"] is None:
        record["custom_fields"] = {}
    return record
