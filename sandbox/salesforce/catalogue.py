"""The standard objects of the sandbox org, and the custom fields it starts with.

Owns data only: adding an object or a field is a line here. Labels, lengths and flags follow real describes where the
reference has them; the choice of fields is the usual set of a Sales Cloud org, not all of it.
"""

from typing import Any

from sandbox.salesforce.picklists import (
    ACCOUNT_TYPES,
    CLOSED_STAGES,
    INDUSTRIES,
    LEAD_SOURCES,
    OWNERSHIPS,
    RATINGS,
    SALUTATIONS,
    STAGES,
)
from sandbox.salesforce.schema import Field, Schema, SObject, custom

READ_ONLY: dict[str, Any] = {"createable": False, "updateable": False}
PERSON_NAME = (
    "trim(coalesce(FirstName || ' ', '') || coalesce({middle} || ' ', '') || LastName)"  # as the API composes it
)


def _text(name: str, length: int, label: str | None = None, **more: Any) -> Field:
    return Field(name=name, label=label or _spaced(name), length=length, **more)


def _spaced(name: str) -> str:
    return "".join(f" {letter}" if letter.isupper() and place else letter for place, letter in enumerate(name))


def _phones(*names: str) -> list[Field]:
    return [_text(name, 40, type="phone") for name in names]


def _lookup(name: str, *references: str, label: str | None = None, **more: Any) -> Field:
    more.setdefault("relationship", name.removesuffix("Id"))
    label = label or f"{_spaced(name.removesuffix('Id'))} ID"
    followed = more.get("createable", True) and name != "OwnerId"  # searched when the parent is deleted
    return Field(name=name, label=label, type="reference", length=18, references=references, indexed=followed, **more)


def _picklist(name: str, values: tuple[str, ...], length: int = 255, **more: Any) -> Field:
    return _text(name, length, more.pop("label", None), type="picklist", picklist=values, **more)


def _address(prefix: str) -> list[Field]:
    parts = (("Street", 255, "textarea"), ("City", 40, "string"), ("State", 80, "string"), ("PostalCode", 20, "string"))
    whole = f"{prefix}Address"
    fields = [
        Field(name=f"{prefix}{part}", label=_address_label(prefix, part), length=length, type=kind, compound=whole)
        for part, length, kind in (*parts, ("Country", 80, "string"))
    ]
    names = tuple(each.name for each in fields)
    return [*fields, Field(name=whole, label=f"{prefix} Address", type="address", parts=names, **READ_ONLY)]


def _address_label(prefix: str, part: str) -> str:
    words = {"State": "State/Province", "PostalCode": "Zip/Postal Code"}
    return f"{prefix} {words.get(part, part)}"


def _first(label: str) -> list[Field]:
    return [
        Field(name="Id", label=f"{label} ID", type="id", length=18, id_lookup=True, **READ_ONLY),
        Field(name="IsDeleted", label="Deleted", type="boolean", **READ_ONLY),
    ]


def _last(*, owner: tuple[str, ...] = ("User",)) -> list[Field]:
    stamps = [
        Field(name="CreatedDate", label="Created Date", type="datetime", **READ_ONLY),
        _lookup("CreatedById", "User", label="Created By ID", **READ_ONLY),
        Field(name="LastModifiedDate", label="Last Modified Date", type="datetime", **READ_ONLY),
        _lookup("LastModifiedById", "User", label="Last Modified By ID", **READ_ONLY),
        Field(name="SystemModstamp", label="System Modstamp", type="datetime", indexed=True, **READ_ONLY),
    ]
    return [_lookup("OwnerId", *owner, label="Owner ID"), *stamps] if owner else stamps


def _account() -> list[Field]:
    return [
        *_first("Account"),
        _lookup("MasterRecordId", "Account", label="Master Record ID", **READ_ONLY),
        _text("Name", 255, "Account Name", required=True, name_field=True, indexed=True),
        _picklist("Type", ACCOUNT_TYPES, label="Account Type"),
        _lookup("ParentId", "Account", label="Parent Account ID"),
        *_address("Billing"),
        *_address("Shipping"),
        _text("Phone", 40, "Account Phone", type="phone"),
        _text("Fax", 40, "Account Fax", type="phone"),
        _text("AccountNumber", 40),
        _text("Website", 255, type="url"),
        _text("Sic", 20, "SIC Code"),
        _picklist("Industry", INDUSTRIES),
        Field(name="AnnualRevenue", label="Annual Revenue", type="currency", precision=18),
        Field(name="NumberOfEmployees", label="Employees", type="int", precision=8),
        _picklist("Ownership", OWNERSHIPS),
        _text("TickerSymbol", 20),
        _text("Description", 32000, "Account Description", type="textarea"),
        _picklist("Rating", RATINGS, label="Account Rating"),
        _text("Site", 80, "Account Site"),
        _picklist("AccountSource", LEAD_SOURCES, label="Account Source"),
        *_last(),
    ]


def _contact() -> list[Field]:
    name = PERSON_NAME.format(middle="MiddleName")
    return [
        *_first("Contact"),
        _lookup("MasterRecordId", "Contact", label="Master Record ID", **READ_ONLY),
        _lookup("AccountId", "Account", label="Account ID", cascade=True),
        _text("LastName", 80, required=True),
        _text("FirstName", 40),
        _picklist("Salutation", SALUTATIONS, 40),
        _text("MiddleName", 40),
        _text("Name", 121, "Full Name", formula=name, name_field=True, **READ_ONLY),
        *_address("Other"),
        *_address("Mailing"),
        _text("Phone", 40, "Business Phone", type="phone"),
        _text("Fax", 40, "Business Fax", type="phone"),
        *_phones("MobilePhone", "HomePhone", "OtherPhone", "AssistantPhone"),
        _lookup("ReportsToId", "Contact", label="Reports To ID"),
        _text("Email", 80, type="email", id_lookup=True, indexed=True),
        _text("Title", 128),
        _text("Department", 80),
        _text("AssistantName", 40, "Assistant's Name"),
        _picklist("LeadSource", LEAD_SOURCES),
        Field(name="Birthdate", label="Birthdate", type="date"),
        _text("Description", 32000, "Contact Description", type="textarea"),
        Field(name="HasOptedOutOfEmail", label="Email Opt Out", type="boolean"),
        Field(name="DoNotCall", label="Do Not Call", type="boolean"),
        *_last(),
    ]


def _user() -> list[Field]:
    return [
        Field(name="Id", label="User ID", type="id", length=18, id_lookup=True, **READ_ONLY),
        _text("Username", 80, required=True, id_lookup=True, indexed=True),
        _text("LastName", 80, required=True),
        _text("FirstName", 40),
        _text("Name", 121, "Full Name", formula=PERSON_NAME.format(middle="NULL"), name_field=True, **READ_ONLY),
        _text("Email", 128, type="email", required=True, id_lookup=True, indexed=True),
        _text("Alias", 8),
        Field(name="IsActive", label="Active", type="boolean"),
        _picklist("UserType", ("Standard", "PowerPartner", "CsnOnly", "Guest"), 40, restricted=True, **READ_ONLY),
        _text("TimeZoneSidKey", 40, "Time Zone"),
        *_last(owner=()),
    ]


def _event() -> list[Field]:
    return [
        *_first("Activity"),
        _lookup("WhoId", "Contact", "Lead", label="Name ID", cascade=True),
        _lookup("WhatId", "Account", "Opportunity", label="Related To ID", cascade=True),
        _text("Subject", 255, type="combobox", name_field=True),
        _text("Location", 255),
        Field(name="IsAllDayEvent", label="All-Day Event", type="boolean"),
        Field(name="ActivityDateTime", label="Due Date Time", type="datetime"),
        Field(name="ActivityDate", label="Due Date Only", type="date"),
        Field(name="DurationInMinutes", label="Duration", type="int", precision=8),
        Field(name="StartDateTime", label="Start Date Time", type="datetime"),
        Field(name="EndDateTime", label="End Date Time", type="datetime"),
        _text("Description", 32000, type="textarea"),
        _lookup("AccountId", "Account", label="Account ID", **READ_ONLY),
        Field(name="IsPrivate", label="Private", type="boolean"),
        Field(name="IsChild", label="Is Child", type="boolean", **READ_ONLY),
        *_last(owner=("Calendar", "User")),
    ]


def _opportunity() -> list[Field]:
    return [
        *_first("Opportunity"),
        _lookup("AccountId", "Account", label="Account ID", cascade=True),
        _lookup("ContactId", "Contact", label="Contact ID", updateable=False),
        _text("Name", 120, required=True, name_field=True, indexed=True),
        _text("Description", 32000, type="textarea"),
        _picklist("StageName", STAGES, required=True, label="Stage"),
        Field(name="Amount", label="Amount", type="currency", precision=18, scale=2),
        Field(name="CloseDate", label="Close Date", type="date", required=True),
        _picklist("LeadSource", LEAD_SOURCES),
        Field(
            name="IsClosed",
            label="Closed",
            type="boolean",
            formula=f"StageName IN ({', '.join(repr(stage) for stage in CLOSED_STAGES)})",
            **READ_ONLY,
        ),
        Field(name="IsWon", label="Won", type="boolean", formula="StageName = 'Closed Won'", **READ_ONLY),
        *_last(),
    ]


def _organization() -> list[Field]:
    names = ("Name", "InstanceName", "OrganizationType", "NamespacePrefix", "LanguageLocaleKey", "TimeZoneSidKey")
    return [
        Field(name="Id", label="Organization ID", type="id", length=18, **READ_ONLY),
        *(_text(name, 80, name_field=name == "Name", **READ_ONLY) for name in names),
        Field(name="IsSandbox", label="Is Sandbox", type="boolean", **READ_ONLY),
        Field(name="TrialExpirationDate", label="Trial Expiration Date", type="datetime", **READ_ONLY),
        *_last(owner=()),
    ]


def custom_fields() -> dict[str, list[Field]]:
    """The custom fields of an org that is ready for Carryover, by object."""
    both = [
        custom("VP_Id__c", "Text", label="VP Id", length=64, unique=True, external_id=True, case_sensitive=True),
        custom("VP_Source__c", "Text", length=64),
        custom("VP_Created_At__c", "DateTime"),
        custom("VP_Modified_At__c", "DateTime"),
        custom("VP_Run_Id__c", "Text", length=64),
        custom("VP_Deleted_At__c", "DateTime"),
    ]
    contact = [
        custom("MRN__c", "Text", length=64),
        custom("Gender__c", "Text", length=40),
        custom("Preferred_Name__c", "Text", length=80),
        custom("Referral_Source__c", "Text", length=255),
    ]
    account = [custom("NPI__c", "Text", length=20), custom("Tax_Id__c", "Text", length=32)]
    return {"Account": both + account, "Contact": both + contact}


def standard() -> Schema:
    """A schema with the standard objects only."""
    listed = (
        ("Account", "Account", "Accounts", "001", _account(), True),
        ("Contact", "Contact", "Contacts", "003", _contact(), True),
        ("User", "User", "Users", "005", _user(), True),
        ("Event", "Event", "Events", "00U", _event(), True),
        ("Opportunity", "Opportunity", "Opportunities", "006", _opportunity(), True),
        ("Organization", "Organization", "Organizations", "00D", _organization(), False),
    )
    objects = []
    for name, label, plural, prefix, fields, writable in listed:
        made = SObject(name, label, plural, prefix, writable=writable)
        made.add(fields)
        objects.append(made)
    return Schema(objects)
