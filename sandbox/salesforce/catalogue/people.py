"""Accounts, contacts, what links them, leads and cases.

Owns data only. Source of fact: recorded describes; the choice of fields is that of a Sales Cloud org.
"""

from sandbox.salesforce.catalogue.fields import (
    CREATE_ONLY,
    PERSON_NAME,
    READ_ONLY,
    active,
    address,
    area,
    day,
    first,
    flag,
    instant,
    last,
    lookup,
    number,
    phones,
    picklist,
    record_type,
    text,
    whole,
)
from sandbox.salesforce.picklists import (
    ACCOUNT_TYPES,
    CASE_ORIGINS,
    CASE_PRIORITIES,
    CASE_REASONS,
    CASE_STATUSES,
    CASE_TYPES,
    CLEAN_STATUSES,
    CONTACT_ROLES,
    INDUSTRIES,
    LEAD_SOURCES,
    LEAD_STATUSES,
    OWNERSHIPS,
    RATINGS,
    SALUTATIONS,
)
from sandbox.salesforce.schema import Field, SObject

NAME = PERSON_NAME.format(middle="MiddleName")


def objects() -> list[SObject]:
    """The objects of this module, without custom fields."""
    listed = [
        SObject("Account", "Account", "Accounts", "001", activities=True, flags={"mergeable": True}),
        SObject("Contact", "Contact", "Contacts", "003", activities=True, flags={"mergeable": True}),
        SObject(
            "AccountContactRelation",
            "Account Contact Relationship",
            "Account Contact Relationship",
            "07k",
            flags=RELATION,
        ),
        SObject("Lead", "Lead", "Leads", "00Q", activities=True, flags={"mergeable": True}),
        SObject("Case", "Case", "Cases", "500", activities=True, flags={"mergeable": True}),
    ]
    for each, fields in zip(listed, (_account(), _contact(), _relation(), _lead(), _case()), strict=True):
        each.add(fields)
    return listed


RELATION = {"mruEnabled": False, "searchable": False, "feedEnabled": False, "undeletable": False}


def _account() -> list[Field]:
    return [
        *first("Account"),
        lookup("MasterRecordId", "Account", label="Master Record ID", **READ_ONLY),
        text("Name", 255, "Account Name", required=True, name_field=True, indexed=True),
        picklist("Type", ACCOUNT_TYPES, label="Account Type"),
        lookup("ParentId", "Account", label="Parent Account ID", child="ChildAccounts"),
        *address("Billing"),
        *address("Shipping"),
        text("Phone", 40, "Account Phone", type="phone"),
        text("Fax", 40, "Account Fax", type="phone"),
        text("AccountNumber", 40),
        text("Website", 255, type="url"),
        text("PhotoUrl", 255, "Photo URL", type="url", **READ_ONLY),
        text("Sic", 20, "SIC Code"),
        picklist("Industry", INDUSTRIES),
        number("AnnualRevenue", "currency", 0),
        whole("NumberOfEmployees", "Employees"),
        picklist("Ownership", OWNERSHIPS),
        text("TickerSymbol", 20),
        area("Description", label="Account Description"),
        picklist("Rating", RATINGS, label="Account Rating"),
        text("Site", 80, "Account Site"),
        *last(viewed=True),
        active(),
        text("Jigsaw", 20, "Data.com Key"),
        text("JigsawCompanyId", 20, "Jigsaw Company ID", **READ_ONLY),
        picklist("CleanStatus", CLEAN_STATUSES, 40, restricted=True),
        picklist("AccountSource", LEAD_SOURCES, label="Account Source"),
        text("DunsNumber", 9, "D-U-N-S Number"),
        text("Tradestyle", 255),
        text("NaicsCode", 8, "NAICS Code"),
        text("NaicsDesc", 120, "NAICS Description"),
        text("YearStarted", 4),
        text("SicDesc", 80, "SIC Description"),
        record_type(),
    ]


def _contact() -> list[Field]:
    return [
        *first("Contact"),
        lookup("MasterRecordId", "Contact", label="Master Record ID", **READ_ONLY),
        lookup("AccountId", "Account", label="Account ID", cascade=True, child="Contacts"),
        text("LastName", 80, required=True),
        text("FirstName", 40),
        picklist("Salutation", SALUTATIONS, 40),
        text("MiddleName", 40),
        text("Name", 121, "Full Name", formula=NAME, name_field=True, **READ_ONLY),
        *address("Other"),
        *address("Mailing"),
        text("Phone", 40, "Business Phone", type="phone"),
        text("Fax", 40, "Business Fax", type="phone"),
        *phones("MobilePhone", "HomePhone", "OtherPhone", "AssistantPhone"),
        lookup("ReportsToId", "Contact", label="Reports To ID"),
        text("Email", 80, type="email", id_lookup=True, indexed=True),
        text("Title", 128),
        text("Department", 80),
        text("AssistantName", 40, "Assistant's Name"),
        picklist("LeadSource", LEAD_SOURCES),
        day("Birthdate"),
        area("Description", label="Contact Description"),
        *last(viewed=True),
        flag("HasOptedOutOfEmail", "Email Opt Out"),
        flag("HasOptedOutOfFax", "Fax Opt Out"),
        flag("DoNotCall", "Do Not Call"),
        active(),
        instant("LastCURequestDate", "Last Stay-in-Touch Request Date", **READ_ONLY),
        instant("LastCUUpdateDate", "Last Stay-in-Touch Save Date", **READ_ONLY),
        text("EmailBouncedReason", 255),
        instant("EmailBouncedDate"),
        flag("IsEmailBounced", "Is Email Bounced", **READ_ONLY),
        text("PhotoUrl", 255, "Photo URL", type="url", **READ_ONLY),
        text("Jigsaw", 20, "Data.com Key"),
        text("JigsawContactId", 20, "Jigsaw Contact ID", **READ_ONLY),
        picklist("CleanStatus", CLEAN_STATUSES, 40, restricted=True),
        record_type(),
    ]


def _relation() -> list[Field]:
    both = {"cascade": True, "required": True, "child": "AccountContactRelations", **CREATE_ONLY}
    return [
        *first("Account Contact Relationship"),
        lookup("AccountId", "Account", label="Account ID", **both),
        lookup("ContactId", "Contact", label="Contact ID", **both),
        text("Roles", 4099, type="multipicklist", picklist=CONTACT_ROLES),
        flag("IsDirect", "Direct", defaulted=True, **READ_ONLY),
        flag("IsActive", "Active", default=1),
        day("StartDate"),
        day("EndDate"),
        *last(owner=()),
    ]


def _lead() -> list[Field]:
    return [
        *first("Lead"),
        lookup("MasterRecordId", "Lead", label="Master Record ID", **READ_ONLY),
        text("LastName", 80, required=True),
        text("FirstName", 40),
        picklist("Salutation", SALUTATIONS, 40),
        text("Name", 121, "Full Name", formula=PERSON_NAME.format(middle="NULL"), name_field=True, **READ_ONLY),
        text("Title", 128),
        text("Company", 255, required=True),
        *address(""),
        *phones("Phone", "MobilePhone", "Fax"),
        text("Email", 80, type="email", id_lookup=True, indexed=True),
        text("Website", 255, type="url"),
        area("Description"),
        picklist("LeadSource", LEAD_SOURCES),
        picklist("Status", LEAD_STATUSES, default="Open - Not Contacted", defaulted=True, nillable=False),
        picklist("Industry", INDUSTRIES),
        picklist("Rating", RATINGS),
        number("AnnualRevenue", "currency", 0),
        whole("NumberOfEmployees", "Employees"),
        *last(owner=("Group", "User"), viewed=True),
        flag("HasOptedOutOfEmail", "Email Opt Out"),
        flag("IsConverted", "Converted", createable=True, updateable=False),
        day("ConvertedDate", **READ_ONLY),
        lookup("ConvertedAccountId", "Account", **READ_ONLY),
        lookup("ConvertedContactId", "Contact", **READ_ONLY),
        lookup("ConvertedOpportunityId", "Opportunity", **READ_ONLY),
        flag("IsUnreadByOwner", "Unread By Owner", default=1),
        active(),
        flag("DoNotCall", "Do Not Call"),
        record_type(),
    ]


def _case() -> list[Field]:
    return [
        *first("Case"),
        lookup("MasterRecordId", "Case", label="Master Record ID", **READ_ONLY),
        text("CaseNumber", 30, name_field=True, id_lookup=True, indexed=True, format="{00000000}", **READ_ONLY),
        lookup("ContactId", "Contact", label="Contact ID", child="Cases"),
        lookup("AccountId", "Account", label="Account ID", restricts=True, child="Cases"),
        lookup("ParentId", "Case", label="Parent Case ID", child="Cases"),
        text("SuppliedName", 80),
        text("SuppliedEmail", 80, type="email"),
        text("SuppliedPhone", 40),
        text("SuppliedCompany", 80),
        picklist("Type", CASE_TYPES, label="Case Type"),
        picklist("Status", CASE_STATUSES, default="New", defaulted=True),
        picklist("Reason", CASE_REASONS, label="Case Reason"),
        picklist("Origin", CASE_ORIGINS, label="Case Origin"),
        text("Subject", 255),
        picklist("Priority", CASE_PRIORITIES, default="Medium", defaulted=True),
        area("Description"),
        flag("IsClosed", "Closed", formula="Status = 'Closed'", **READ_ONLY),
        instant("ClosedDate", **READ_ONLY),
        flag("IsEscalated", "Escalated"),
        *last(owner=("Group", "User"), viewed=True),
        text("Comments", 4000, "Internal Comments", type="textarea"),
        record_type(),
    ]
