"""Users, permission sets, record types and the org itself.

Owns data only.
"""

from sandbox.salesforce.catalogue.fields import (
    CREATE_ONLY,
    PERSON_NAME,
    READ_ONLY,
    address,
    area,
    flag,
    instant,
    last,
    lookup,
    phones,
    picklist,
    text,
    whole,
)
from sandbox.salesforce.picklists import EDITIONS, GROUP_TYPES, LANGUAGES, LOCALES, SET_TYPES, USER_TYPES, ZONES
from sandbox.salesforce.schema import Field, SObject

PLAIN = {"mruEnabled": False, "searchable": False, "feedEnabled": False, "layoutable": False, "undeletable": False}
FIXED = PLAIN | {"createable": False, "updateable": False, "deletable": False}


def objects() -> list[SObject]:
    """The objects of this module, without custom fields."""
    listed = [
        (SObject("User", "User", "Users", "005", flags={"deletable": False, "undeletable": False}), _user()),
        (SObject("Group", "Group", "Groups", "00G", flags=PLAIN), _group()),
        (SObject("Calendar", "Calendar", "Calendars", "023", writable=False, flags=FIXED), _calendar()),
        (SObject("Profile", "Profile", "Profiles", "00e", writable=False, flags=FIXED), _profile()),
        (SObject("UserRole", "Role", "Roles", "00E", flags=PLAIN), _role()),
        (SObject("PermissionSet", "Permission Set", "Permission Sets", "0PS", flags=PLAIN), _permission_set()),
        (
            SObject(
                "PermissionSetAssignment", "Permission Set Assignment", "Permission Set Assignments", "0Pa", flags=PLAIN
            ),
            _assignment(),
        ),
        (
            SObject("FieldPermissions", "Field Permissions", "Field Permissions", "01k", flags=PLAIN),
            _field_permissions(),
        ),
        (
            SObject("ObjectPermissions", "Object Permissions", "Object Permissions", "110", flags=PLAIN),
            _object_permissions(),
        ),
        (
            SObject("RecordType", "Record Type", "Record Types", "012", flags=PLAIN | {"deletable": False}),
            _record_type(),
        ),
        (
            SObject(
                "Organization",
                "Organization",
                "Organizations",
                "00D",
                writable=False,
                flags=FIXED | {"updateable": True},
            ),
            _organization(),
        ),
    ]
    for each, fields in listed:
        each.add(fields)
    return [each for each, _ in listed]


def _id(label: str) -> Field:
    return Field(name="Id", label=f"{label} ID", type="id", length=18, id_lookup=True, defaulted=True, **READ_ONLY)


def _user() -> list[Field]:
    name = PERSON_NAME.format(middle="NULL")
    return [
        _id("User"),
        text("Username", 80, required=True, id_lookup=True, indexed=True),
        text("LastName", 80, required=True),
        text("FirstName", 40),
        text("Name", 121, "Full Name", formula=name, name_field=True, **READ_ONLY),
        text("CompanyName", 80),
        text("Division", 80),
        text("Department", 80),
        text("Title", 80),
        *address(""),
        text("Email", 128, type="email", required=True, id_lookup=True, indexed=True),
        *phones("Phone", "Fax", "MobilePhone"),
        text("Alias", 8, required=True),
        text("CommunityNickname", 40, "Nickname", nillable=False, defaulted=True),
        flag("IsActive", "Active"),
        lookup("UserRoleId", "UserRole", label="Role ID"),
        picklist("TimeZoneSidKey", ZONES, 40, "Time Zone", required=True, restricted=True),
        picklist("LocaleSidKey", LOCALES, 40, "Locale", required=True, restricted=True),
        flag("ReceivesInfoEmails", "Info Emails"),
        flag("ReceivesAdminInfoEmails", "Admin Info Emails"),
        text(
            "EmailEncodingKey", 40, "Email Encoding", type="picklist", required=True, picklist=("UTF-8", "ISO-8859-1")
        ),
        lookup("ProfileId", "Profile", label="Profile ID", required=True),
        picklist("UserType", USER_TYPES, 40, restricted=True, nillable=False, default="Standard", **READ_ONLY),
        picklist("LanguageLocaleKey", LANGUAGES, 40, "Language", required=True, restricted=True),
        text("EmployeeNumber", 20),
        lookup("DelegatedApproverId", "User", label="Delegated Approver ID", indexed=False),
        lookup("ManagerId", "User", label="Manager ID", child="ManagedUsers", indexed=False),
        instant("LastLoginDate", "Last Login", **READ_ONLY),
        *last(owner=()),
        text("FederationIdentifier", 512, "SAML Federation ID", indexed=True, case_sensitive=True),
        text("AboutMe", 1000, type="textarea"),
        text("SmallPhotoUrl", 1024, type="url", **READ_ONLY),
    ]


def _group() -> list[Field]:
    return [
        _id("Group"),
        text("Name", 40, required=True, name_field=True, indexed=True),
        text("DeveloperName", 80),
        lookup("RelatedId", "User", "UserRole", indexed=False, **READ_ONLY),
        picklist("Type", GROUP_TYPES, 40, restricted=True, nillable=False, default="Regular", **CREATE_ONLY),
        text("Email", 255, type="email"),
        *last(owner=()),
    ]


def _calendar() -> list[Field]:
    return [
        _id("Calendar"),
        text("Name", 80, name_field=True),
        picklist("Type", ("User", "Public", "Resource", "Holiday"), 40, restricted=True),
        flag("IsActive", "Active"),
        *last(owner=()),
    ]


def _profile() -> list[Field]:
    return [
        _id("Profile"),
        text("Name", 255, required=True, name_field=True, indexed=True),
        picklist("UserType", USER_TYPES, 40, restricted=True, **READ_ONLY),
        *last(owner=()),
        text("Description", 255),
    ]


def _role() -> list[Field]:
    return [
        _id("Role"),
        text("Name", 80, required=True, name_field=True, indexed=True),
        lookup("ParentRoleId", "UserRole"),
        text("DeveloperName", 80),
        *last(owner=())[2:],
    ]


def _permission_set() -> list[Field]:
    return [
        _id("Permission Set"),
        text("Name", 80, "Permission Set Name", required=True, name_field=True, indexed=True),
        text("Label", 80, "Permission Set Label", required=True),
        lookup("ProfileId", "Profile", label="Profile ID", **READ_ONLY),
        flag("IsOwnedByProfile", **READ_ONLY),
        flag("IsCustom", "Is Custom", default=1, **READ_ONLY),
        text("Description", 255),
        text("NamespacePrefix", 15, **READ_ONLY),
        picklist("Type", SET_TYPES, 40, restricted=True, default="Regular", **CREATE_ONLY),
        flag("PermissionsApiEnabled", "API Enabled"),
        flag("PermissionsBulkApiHardDelete", "Bulk API Hard Delete"),
        flag("PermissionsCreateAuditFields", "Set Audit Fields upon Record Creation"),
        flag("PermissionsUpdateWithInactiveOwner", "Update Records with Inactive Owners"),
        flag("PermissionsViewAllData", "View All Data"),
        flag("PermissionsModifyAllData", "Modify All Data"),
        *last(owner=()),
    ]


def _assignment() -> list[Field]:
    return [
        _id("PermissionSetAssignment"),
        lookup("PermissionSetId", "PermissionSet", cascade=True, required=True, child="Assignments", **CREATE_ONLY),
        lookup("AssigneeId", "User", required=True, child="PermissionSetAssignments", **CREATE_ONLY),
        last(owner=())[4],
        instant("ExpirationDate"),
        flag("IsActive", "Is Active", default=1, **READ_ONLY),
    ]


def _field_permissions() -> list[Field]:
    return [
        _id("Field Permissions"),
        lookup("ParentId", "PermissionSet", cascade=True, required=True, child="FieldPerms", **CREATE_ONLY),
        text("SobjectType", 40, "Sobject Type Name", type="picklist", required=True, indexed=True, **CREATE_ONLY),
        text("Field", 255, "Field Name", type="picklist", required=True, **CREATE_ONLY),
        flag("PermissionsEdit", "Edit Field"),
        flag("PermissionsRead", "Read Field"),
        last(owner=())[4],
    ]


def _object_permissions() -> list[Field]:
    named = ("Create", "Read", "Edit", "Delete", "ViewAllRecords", "ModifyAllRecords")
    return [
        _id("Object Permissions"),
        lookup("ParentId", "PermissionSet", cascade=True, required=True, child="ObjectPerms", **CREATE_ONLY),
        text("SobjectType", 40, "Sobject Type Name", type="picklist", required=True, indexed=True, **CREATE_ONLY),
        *(flag(f"Permissions{name}", f"{name} Records") for name in named),
        *last(owner=()),
    ]


def _record_type() -> list[Field]:
    return [
        _id("Record Type"),
        text("Name", 80, required=True, name_field=True, id_lookup=True, indexed=True),
        text("DeveloperName", 80, "Record Type Name", required=True, id_lookup=True, indexed=True),
        text("NamespacePrefix", 15, **READ_ONLY),
        area("Description", 255),
        text("SobjectType", 40, "SObject Type Name", type="picklist", required=True, updateable=False),
        flag("IsActive", "Active"),
        *last(owner=()),
    ]


def _organization() -> list[Field]:
    return [
        _id("Organization"),
        text("Name", 80, name_field=True, nillable=False),
        text("Division", 80),
        *address(""),
        *phones("Phone", "Fax"),
        text("PrimaryContact", 80),
        picklist("DefaultLocaleSidKey", LOCALES, 40, "Locale", nillable=False),
        picklist("TimeZoneSidKey", ZONES, 40, "Time Zone", nillable=False),
        picklist("LanguageLocaleKey", LANGUAGES, 40, "Language", nillable=False),
        whole("FiscalYearStartMonth", digits=9),
        flag("UsesStartDateAsFiscalYearName"),
        picklist("OrganizationType", EDITIONS, 40, "Edition", **READ_ONLY),
        text("NamespacePrefix", 15, **READ_ONLY),
        text("InstanceName", 5, **READ_ONLY),
        flag("IsSandbox", "Is Sandbox", **READ_ONLY),
        instant("TrialExpirationDate", **READ_ONLY),
        whole("NumKnowledgeService", digits=9, **READ_ONLY),
        *last(owner=()),
        flag("IsReadOnly", "Is Read Only", **READ_ONLY),
    ]
