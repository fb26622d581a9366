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
        "users": ("first_name", "last_name", "email", "role", "active", *_STAMPS),
        "providers": (
            "user_id",
            "title",
            "first_name",
            "last_name",
            "specialty",
            "npi",
            "practice_id",
            "time_zone",
            "active",
            *_STAMPS,
        ),
        "referring-physicians": (
            "title",
            "first_name",
            "last_name",
            "organization",
            "specialty",
            "npi",
            "phone",
            "fax",
            "email",
            *_ADDRESS,
            *_STAMPS,
        ),
        "insurance-carriers": ("name", "payer_code", "phone", *_ADDRESS, *_STAMPS),
        "insurance-policies": (
            "patient_id",
            "carrier_id",
            "plan_name",
            "policy_number",
            "group_number",
            "subscriber_id",
            "relationship",
            "priority",
            "starts_on",
            "ends_on",
            "copay",
            *_STAMPS,
        ),
        "intake-forms": (
            "patient_id",
            "appointment_id",
            "template_id",
            "name",
            "completed_at",
            "content",
            *_STAMPS,
        ),
        "appointments": (
            "patient_id",
            "provider_id",
            "practice_id",
            "appointment_type",
            "starts_at",
            "ends_at",
            "duration_minutes",
            "status",
            "cancelled_at",
            "cancellation_reason",
            "cancellation_note",
            "did_not_arrive",
            "patient_arrived",
            "notes",
            *_STAMPS,
        ),
        "invoices": (
            "number",
            "patient_id",
            "practice_id",
            "provider_id",
            "appointment_id",
            "insurance_policy_id",
            "issue_date",
            "status",
            "total_amount",
            "tax_amount",
            "net_amount",
            "balance",
            "closed_at",
            "items",
            *_STAMPS,
        ),
        "payments": ("invoice_id", "patient_id", "amount", "method", "paid_at", "reference", *_STAMPS),
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
"""Resource name -> its standard fields. Every value is a nullable string, lists and objects as their JSON; a new resource is one more entry here."""
