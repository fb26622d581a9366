"""The fields Visual Practice is known to have, by resource.

Data only. Everything a record carries beyond these travels in its `custom` map. Called by the map document's checks
and by the connector's caller, which passes the fields of one resource to the change reader.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["SOURCE_FIELDS"]

_ADDRESS: Final = ("address_1", "address_2", "city", "state", "postcode", "country")
_STAMPS: Final = ("created_at", "updated_at")

SOURCE_FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "practices": (
            "name",
            "specialty",
            "phone",
            "website",
            "npi",
            "tax_id",
            *_ADDRESS,
            "parent_id",
            *_STAMPS,
        ),
        "patients": (
            "mrn",
            "title",
            "first_name",
            "middle_name",
            "last_name",
            "preferred_name",
            "date_of_birth",
            "gender",
            "email",
            "home_phone",
            "mobile_phone",
            *_ADDRESS,
            "practice_id",
            "provider_id",
            "notes",
            *_STAMPS,
        ),
    }
)
"""Resource name -> its standard fields. Every value is a nullable string; a new resource is one more entry here."""
