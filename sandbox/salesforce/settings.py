"""What an administrator of the org has switched on in Setup, and how its sessions end.

Owns the values; they are kept in the org and outlive a restart. Turned by the admin API, read by whoever obeys them.
"""

from dataclasses import asdict, dataclass
from typing import Any


class UnknownSettingError(ValueError):
    """A setting that is not there, or a value of the wrong kind; the text says which."""


@dataclass(slots=True)
class Settings:
    """The settings of one org; as a new one they are what the tests of other parts expect.

    `audit_fields` and `inactive_owners` are the two halves of *Enable "Set Audit Fields upon Record Creation" and "Update
    Records with Inactive Owners" User Permissions*: who may use them is said by permission sets, as in Salesforce.
    `field_level_security` hides custom fields that came through Tooling or Metadata until a permission set opens them.
    `attachments` and `files` are whether these objects are there for anybody. `session_minutes` without a call end a
    session, `token_minutes` after its begin; 0 is never. `api_calls` is the allowance of a day.
    """

    audit_fields: bool = False
    inactive_owners: bool = False
    contacts_to_multiple_accounts: bool = False
    attachments: bool = True
    files: bool = True
    multiday_events: bool = False
    field_level_security: bool = False
    username_password_login: bool = False
    soap_login: bool = False
    session_minutes: float = 0.0
    token_minutes: float = 0.0
    api_calls: float = 15_000_000.0

    def turn(self, given: dict[str, Any]) -> dict[str, Any]:
        """Sets what is named, and returns all; raises UnknownSettingError and then sets nothing."""
        for name, value in given.items():
            if name not in self.__dataclass_fields__:
                raise UnknownSettingError(f"unknown setting: {name}")
            kind = type(getattr(self, name))
            if not isinstance(value, bool if kind is bool else int | float) or (kind is float and value is True):
                raise UnknownSettingError(f"{name} takes a {'boolean' if kind is bool else 'number'}")
        for name, value in given.items():
            setattr(self, name, type(getattr(self, name))(value))
        return asdict(self)
