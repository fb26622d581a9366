"""What Salesforce answers when something is wrong: codes and texts, for a row and for a request.

Owns the exception types and the shapes of the texts that are used from several places. Source of fact: the Salesforce
reference of this project; texts marked there as unverified are so here.
"""

from typing import Any, NamedTuple


class RowError(NamedTuple):
    """Why one row was refused; `fields` are API names."""

    code: str
    message: str
    fields: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As in the `errors` of a row of the collections API."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields)}

    def as_text(self) -> str:
        """As in the `sf__Error` column of Bulk results."""
        return f"{self.code}:{self.message}:{','.join(self.fields)}{' ' if self.fields else ''}--"


class ApiError(Exception):
    """A request is refused as a whole. `code_first` is how Bulk orders the two keys of the answer."""

    def __init__(
        self, status: int, code: str, message: str, *, fields: tuple[str, ...] | None = None, code_first: bool = False
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message, self.fields, self.code_first = status, code, message, fields, code_first

    def as_json(self) -> list[dict[str, Any]]:
        """The body of the answer."""
        code, message = ("errorCode", self.code), ("message", self.message)
        body: dict[str, Any] = dict((code, message) if self.code_first else (message, code))
        if self.fields is not None:
            body["fields"] = list(self.fields)
        return [body]


class JobError(Exception):
    """A Bulk job fails as a whole; the text becomes its `errorMessage`."""


def not_found(*, code_first: bool = False) -> ApiError:
    """404 of a resource that is not there."""
    return ApiError(404, "NOT_FOUND", "The requested resource does not exist", code_first=code_first)


def no_such_column(name: str, sobject: str) -> str:
    """The text for a field that an object does not have, without the context that SOQL puts before it."""
    return f"No such column '{name}' on sobject of type {sobject}"


def missing(names: list[str]) -> RowError:
    """A row without its required fields."""
    return RowError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(names)}]", tuple(names))


def not_writable(names: list[str]) -> RowError:
    """A row with fields that cannot be set by this operation."""
    return RowError(
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        f"Unable to create/update fields: {', '.join(names)}. Please check the security settings of this field and"
        " verify that it is read/write for your profile or permission set.",
        tuple(names),
    )


def in_the_future(label: str, name: str) -> RowError:
    """An audit field with a date that is still to come; the text is unverified."""
    return RowError("FIELD_INTEGRITY_EXCEPTION", f"{label}: value cannot be in the future", (name,))


def unsupported(sobject: str, operation: str) -> RowError:
    """An operation that the object does not have."""
    return RowError("INVALID_TYPE_FOR_OPERATION", f"entity type {sobject} does not support {operation}")


CROSS_REFERENCE = RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
IS_DELETED = RowError("ENTITY_IS_DELETED", "entity is deleted")
