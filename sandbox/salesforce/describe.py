"""Describes objects and fields in the shape of the real thing: 57 keys per field, 45 per object, 27 flags in the list.

Owns the shape; everything that varies comes from the schema. Source of fact: recorded describes (v44 to v59); flags that
nothing in the sandbox depends on carry their usual value.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sandbox.salesforce.schema import NUMERIC, TEXTUAL, Field, Schema, SObject

MASTER_RECORD_TYPE = "012000000000000AAA"
SOAP = {
    "boolean": "xsd:boolean",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "int": "xsd:int",
    "id": "tns:ID",
    "reference": "tns:ID",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "time": "xsd:time",
    "base64": "xsd:base64Binary",
    "address": "urn:address",
    "location": "urn:location",
}
BYTES_PER_CHARACTER = 3
NAME_PARTS = frozenset({"FirstName", "LastName", "MiddleName", "Salutation", "Suffix"})
COMPOUND = frozenset({"address", "location"})


class RecordType(NamedTuple):
    """A record type as describes list it."""

    id: str
    developer_name: str
    name: str
    active: bool = True


MASTER = RecordType(MASTER_RECORD_TYPE, "Master", "Master")


def field(each: Field) -> dict[str, Any]:
    """One field of a describe."""
    textual = each.type in TEXTUAL
    numeric = each.type in NUMERIC
    long_text = each.long
    length = each.length if textual or each.type in {"id", "reference"} else 0
    compound, many = each.type in COMPOUND, each.type == "multipicklist"
    plain = not long_text and not compound
    defaulted = each.defaulted or each.type == "boolean" or each.default is not None or each.format is not None
    return {
        "aggregatable": plain and not many and each.type != "boolean",
        "aiPredictionField": False,
        "autoNumber": each.format is not None,
        "byteLength": length * BYTES_PER_CHARACTER if textual else length,
        "calculated": False,
        "calculatedFormula": None,
        "cascadeDelete": each.cascade and each.required,
        "caseSensitive": each.case_sensitive,
        "compoundFieldName": each.compound or ("Name" if each.name in NAME_PARTS and not each.custom else None),
        "controllerName": None,
        "createable": each.createable,
        "custom": each.custom,
        "defaultValue": bool(each.default) if each.type == "boolean" else None,
        "defaultValueFormula": None,
        "defaultedOnCreate": defaulted,
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "digits": each.precision if each.type == "int" else 0,
        "displayLocationInDecimal": each.type == "location",
        "encrypted": each.type == "encryptedstring",
        "externalId": each.external_id,
        "extraTypeInfo": _extra(each),
        "filterable": not long_text,
        "filteredLookupInfo": None,
        "formulaTreatNullNumberAsZero": False,
        "groupable": plain and not many and each.type not in {"double", "currency", "percent", "datetime", "time"},
        "highScaleNumber": False,
        "htmlFormatted": each.html,
        "idLookup": each.id_lookup,
        "inlineHelpText": each.help,
        "label": each.label,
        "length": length,
        "mask": None,
        "maskType": None,
        "name": each.name,
        "nameField": each.name_field,
        "namePointing": each.polymorphic,
        "nillable": nillable(each),
        "permissionable": permissionable(each),
        "picklistValues": [picklist_value(value, default=value == each.default) for value in each.picklist],
        "polymorphicForeignKey": each.polymorphic,
        "precision": each.precision if numeric and each.type != "int" else 0,
        "queryByDistance": compound,
        "referenceTargetField": None,
        "referenceTo": list(each.references),
        "relationshipName": each.relationship,
        "relationshipOrder": 0 if each.master else None,
        "restrictedDelete": each.restricts,
        "restrictedPicklist": each.restricted,
        "scale": each.scale,
        "searchPrefilterable": each.type == "reference",
        "soapType": SOAP.get(each.type, "xsd:string"),
        "sortable": plain and not many,
        "type": each.type,
        "unique": each.unique,
        "updateable": each.updateable,
        "writeRequiresMasterRead": False,
    }


def nillable(each: Field) -> bool:
    """Whether a field may be empty, as describe says it."""
    if each.nillable is not None:
        return each.nillable
    return not each.required and each.type not in {"boolean", "id"} and not each.defaulted and each.format is None


def permissionable(each: Field) -> bool:
    """Whether a permission set may hide the field: not what is required, and of a compound only the whole."""
    if each.compound is not None and not each.custom:
        return False
    fixed = each.required or each.defaulted or each.name_field or each.name in NAME_PARTS or each.type == "id"
    return not fixed and (each.custom or each.createable or each.type == "address")


def _extra(each: Field) -> str | None:
    if each.type == "textarea":
        return "richtextarea" if each.html else "plaintextarea"
    return "personname" if each.name_field and each.formula is not None else None


def picklist_value(value: str, *, default: bool = False) -> dict[str, Any]:
    """One value of a picklist."""
    return {"active": True, "defaultValue": default, "label": value, "validFor": None, "value": value}


def flags(sobject: SObject) -> dict[str, Any]:
    """The 27 flags that the list of objects and an object's own describe share."""
    writable = sobject.writable
    usual: dict[str, Any] = {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": writable,
        "custom": sobject.custom,
        "customSetting": False,
        "deepCloneable": False,
        "deletable": writable,
        "deprecatedAndHidden": False,
        "feedEnabled": writable,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": sobject.prefix,
        "label": sobject.label,
        "labelPlural": sobject.plural,
        "layoutable": writable,
        "mergeable": False,
        "mruEnabled": writable,
        "name": sobject.name,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "searchable": writable,
        "triggerable": writable,
        "undeletable": sobject.get("IsDeleted") is not None,
        "updateable": writable,
    }
    return usual | sobject.flags


def listed(sobject: SObject, base: str) -> dict[str, Any]:
    """One entry of the list of objects; `base` is `/services/data/vXX.X`."""
    root = f"{base}/sobjects/{sobject.name}"
    return flags(sobject) | {"urls": {"rowTemplate": f"{root}/{{ID}}", "describe": f"{root}/describe", "sobject": root}}


def sobject(schema: Schema, each: SObject, base: str, record_types: Sequence[RecordType] = ()) -> dict[str, Any]:
    """The describe of an object; `record_types` are those besides the master."""
    root = f"{base}/sobjects/{each.name}"
    whole: dict[str, Any] = flags(each) | {
        "actionOverrides": [],
        "childRelationships": children(schema, each),
        "compactLayoutable": each.writable,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [field(one) for one in each.fields.values()],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": [
            {
                "active": one.active,
                "available": True,
                "defaultRecordTypeMapping": one.id == (record_types[0].id if record_types else MASTER_RECORD_TYPE),
                "developerName": one.developer_name,
                "master": one.id == MASTER_RECORD_TYPE,
                "name": one.name,
                "recordTypeId": one.id,
                "urls": {"layout": f"{root}/describe/layouts/{one.id}"},
            }
            for one in (*record_types, MASTER)
        ],
        "searchLayoutable": each.writable,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": scopes(each),
        "urls": {
            "compactLayouts": f"{root}/describe/compactLayouts",
            "rowTemplate": f"{root}/{{ID}}",
            "approvalLayouts": f"{root}/describe/approvalLayouts",
            "uiDetailTemplate": "/{ID}",
            "uiEditTemplate": "/{ID}/e",
            "describe": f"{root}/describe",
            "uiNewRecord": f"/{each.prefix}/e",
            "layouts": f"{root}/describe/layouts",
            "sobject": root,
        },
    }
    return dict(sorted(whole.items()))


def scopes(each: SObject) -> list[dict[str, str]]:
    """What `USING SCOPE` takes."""
    plural = each.plural.lower()
    owned = [("mine", f"My {plural}"), ("team", f"My team's {plural}")] if each.get("OwnerId") else []
    return [{"label": label, "name": name} for name, label in (("everything", f"All {plural}"), *owned)]


def children(schema: Schema, each: SObject) -> list[dict[str, Any]]:
    """The lookups of other objects that point here."""
    return [
        {
            "cascadeDelete": lookup.cascade,
            "childSObject": child.name,
            "deprecatedAndHidden": False,
            "field": lookup.name,
            "junctionIdListNames": [],
            "junctionReferenceTo": [],
            "relationshipName": lookup.child,
            "restrictedDelete": lookup.restricts,
        }
        for child, lookup in schema.lookups_to(each.name)
    ]
