"""Files: documents, their versions and where they are linked.

Owns data only. Which of these flags a real describe has is unverified for ContentVersion and ContentDocumentLink.
"""

from sandbox.salesforce.catalogue.fields import (
    CREATE_ONLY,
    READ_ONLY,
    first,
    flag,
    instant,
    last,
    lookup,
    picklist,
    text,
    whole,
)
from sandbox.salesforce.picklists import (
    FILE_ORIGINS,
    LOCATIONS,
    PUBLISH_STATUSES,
    SHARE_TYPES,
    SHARING,
    VISIBILITIES,
)
from sandbox.salesforce.schema import Field, SObject

LINKED = (
    *("Account", "Campaign", "Case", "Contact", "Event", "Lead", "Note", "Opportunity", "Organization"),
    *("Product2", "Task", "User"),
)
FLAT = {"mruEnabled": False, "searchable": False, "feedEnabled": False, "layoutable": False}


def objects() -> list[SObject]:
    """The objects of this module, without custom fields."""
    listed = [
        SObject("ContentDocument", "Content Document", "Content Documents", "069", flags=FLAT | {"createable": False}),
        SObject(
            "ContentVersion",
            "Content Version",
            "Content Versions",
            "068",
            flags={"undeletable": False, "deletable": False},
        ),
        SObject(
            "ContentDocumentLink",
            "Content Document Link",
            "Content Document Link",
            "06A",
            flags=FLAT | {"undeletable": False},
        ),
    ]
    for each, fields in zip(listed, (_document(), _version(), _link()), strict=True):
        each.add(fields)
    return listed


def _document() -> list[Field]:
    return [
        Field(name="Id", label="ContentDocument ID", type="id", length=18, id_lookup=True, defaulted=True, **READ_ONLY),
        *last(owner=())[:4],
        flag("IsArchived", "Is Archived"),
        lookup("ArchivedById", "User", **READ_ONLY),
        instant("ArchivedDate", **READ_ONLY),
        flag("IsDeleted", "Is Deleted", defaulted=True, **READ_ONLY),
        lookup("OwnerId", "User", label="Owner ID", defaulted=True),
        *last(owner=())[4:],
        text("Title", 255, name_field=True),
        picklist("PublishStatus", PUBLISH_STATUSES, 40, restricted=True, **READ_ONLY),
        lookup("LatestPublishedVersionId", "ContentVersion", **READ_ONLY),
        lookup("ParentId", "ContentWorkspace", label="Library ID", indexed=False),
        instant("LastViewedDate", **READ_ONLY),
        instant("LastReferencedDate", **READ_ONLY),
        text("Description", 1000, type="textarea"),
        whole("ContentSize", digits=9, **READ_ONLY),
        text("FileType", 20, **READ_ONLY),
        text("FileExtension", 40, **READ_ONLY),
        picklist("SharingOption", SHARING, 40, restricted=True, default="A", defaulted=True),
        picklist("SharingPrivacy", ("N", "P"), 40, restricted=True, default="N", defaulted=True),
        instant("ContentModifiedDate", **READ_ONLY),
    ]


def _version() -> list[Field]:
    return [
        Field(name="Id", label="ContentVersion ID", type="id", length=18, id_lookup=True, defaulted=True, **READ_ONLY),
        lookup("ContentDocumentId", "ContentDocument", cascade=True, child="ContentVersions", **CREATE_ONLY),
        flag("IsLatest", "Is Latest", **READ_ONLY),
        text("ContentUrl", 1300, "Content URL", type="url"),
        lookup("ContentBodyId", "ContentBody", label="Content Body ID", indexed=False, **CREATE_ONLY),
        text("VersionNumber", 20, **READ_ONLY),
        text("Title", 255, name_field=True),
        text("Description", 1000, type="textarea"),
        text("ReasonForChange", 1000),
        picklist("SharingOption", SHARING, 40, restricted=True, default="A", defaulted=True),
        picklist("SharingPrivacy", ("N", "P"), 40, restricted=True, default="N", defaulted=True),
        text("PathOnClient", 500, updateable=False),
        whole("RatingCount", digits=9, **READ_ONLY),
        flag("IsDeleted", "Is Deleted", defaulted=True, **READ_ONLY),
        instant("ContentModifiedDate"),
        lookup("ContentModifiedById", "User", **READ_ONLY),
        *last(),
        text("TagCsv", 2000, "Tags", type="textarea"),
        text("FileType", 20, **READ_ONLY),
        picklist("PublishStatus", PUBLISH_STATUSES, 40, restricted=True, **READ_ONLY),
        Field(name="VersionData", label="Version Data", type="base64"),
        whole("ContentSize", digits=9, **READ_ONLY),
        text("FileExtension", 40, **READ_ONLY),
        lookup("FirstPublishLocationId", *LINKED, child=None, grows=True, indexed=False, **CREATE_ONLY),
        picklist("Origin", FILE_ORIGINS, 40, default="C", defaulted=True, restricted=True, **CREATE_ONLY),
        picklist("ContentLocation", LOCATIONS, 40, default="S", defaulted=True, restricted=True, **CREATE_ONLY),
        text("TextPreview", 255, **READ_ONLY),
        text("ExternalDocumentInfo1", 1000),
        text("ExternalDocumentInfo2", 1000),
        text("Checksum", 50, **READ_ONLY),
        flag("IsMajorVersion", "Major Version", updateable=False),
        flag("IsAssetEnabled", "Asset File Enabled"),
        text("VersionDataUrl", 1300, "Version Data URL", type="url", **READ_ONLY),
    ]


def _link() -> list[Field]:
    return [
        *first("ContentDocumentLink"),
        lookup(
            *("LinkedEntityId", *LINKED),
            **{"cascade": True, "required": True, "child": "ContentDocumentLinks", "grows": True, **CREATE_ONLY},
        ),
        lookup(
            "ContentDocumentId",
            "ContentDocument",
            cascade=True,
            required=True,
            child="ContentDocumentLinks",
            **CREATE_ONLY,
        ),
        instant("SystemModstamp", "System Modstamp", defaulted=True, **READ_ONLY),
        picklist("ShareType", SHARE_TYPES, 40, restricted=True, default="V"),
        picklist("Visibility", VISIBILITIES, 40, restricted=True, default="AllUsers"),
    ]
