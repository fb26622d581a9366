"""Describes objects and fields in the shape of the real thing: 57 keys per field, 45 per object, 27 flags in the list.

Owns the shape; everything that varies comes from the schema. Source of fact: recorded describes (v44 to v59); flags that
nothing in the sandbox depends on carry their usual value.
"""

from typing import Any

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
    "address": "urn:address",
}
BYTES_PER_CHARACTER = 3
AUDIT = frozenset({"CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"})
DEFAULTED = frozenset({"Id", "IsDeleted", "OwnerId", *AUDIT})


def field(each: Field) -> dict[str, Any]:
    """One field of a describe."""
    textual = each.type in TEXTUAL
    numeric = each.type in NUMERIC
    long_text = each.type == "textarea" and each.length > 255
    length = each.length if textual or each.type in {"id", "reference"} else 0
    usable = not long_text and each.type != "address"
    return {
        "aggregatable": usable and each.type != "boolean",
        "aiPredictionField": False,
        "autoNumber": False,
        "byteLength": length * BYTES_PER_CHARACTER if textual else length,
        "calculated": False,
        "calculatedFormula": None,
        "cascadeDelete": False,
        "caseSensitive": each.case_sensitive,
        "compoundFieldName": each.compound
        or ("Name" if each.name in {"FirstName", "LastName", "MiddleName", "Salutation"} else None),
        "controllerName": None,
        "createable": each.createable,
        "custom": each.custom,
        "defaultValue": False if each.type == "boolean" else None,
        "defaultValueFormula": None,
        "defaultedOnCreate": each.name in DEFAULTED or each.type == "boolean",
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "digits": each.precision if each.type == "int" else 0,
        "displayLocationInDecimal": False,
        "encrypted": False,
        "externalId": each.external_id,
        "extraTypeInfo": "personname" if each.compound is None and each.name in {"FirstName", "LastName"} else None,
        "filterable": usable,
        "filteredLookupInfo": None,
        "formulaTreatNullNumberAsZero": False,
        "groupable": usable and not numeric and each.type != "datetime",
        "highScaleNumber": False,
        "htmlFormatted": False,
        "idLookup": each.id_lookup,
        "inlineHelpText": None,
        "label": each.label,
        "length": length,
        "mask": None,
        "maskType": None,
        "name": each.name,
        "nameField": each.name_field,
        "namePointing": each.polymorphic,
        "nillable": not each.required and each.type != "boolean" and each.name not in DEFAULTED,
        "permissionable": each.createable and not each.required and each.name not in DEFAULTED,
        "picklistValues": [picklist_value(value) for value in each.picklist],
        "polymorphicForeignKey": each.polymorphic,
        "precision": each.precision if numeric and each.type != "int" else 0,
        "queryByDistance": each.type == "address",
        "referenceTargetField": None,
        "referenceTo": list(each.references),
        "relationshipName": each.relationship,
        "relationshipOrder": None,
        "restrictedDelete": False,
        "restrictedPicklist": each.restricted,
        "scale": each.scale,
        "searchPrefilterable": each.type == "reference",
        "soapType": SOAP.get(each.type, "xsd:string"),
        "sortable": usable,
        "type": each.type,
        "unique": each.unique,
        "updateable": each.updateable,
        "writeRequiresMasterRead": False,
    }


def picklist_value(value: str) -> dict[str, Any]:
    """One value of a picklist."""
    return {"active": True, "defaultValue": False, "label": value, "validFor": None, "value": value}


def flags(sobject: SObject) -> dict[str, Any]:
    """The 27 flags that the list of objects and an object's own describe share."""
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": sobject.writable,
        "custom": sobject.name.endswith("__c"),
        "customSetting": False,
        "deepCloneable": False,
        "deletable": sobject.writable and sobject.name != "User",
        "deprecatedAndHidden": False,
        "feedEnabled": sobject.writable,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": sobject.prefix,
        "label": sobject.label,
        "labelPlural": sobject.plural,
        "layoutable": sobject.writable,
        "mergeable": sobject.name in {"Account", "Contact", "Lead", "Case"},
        "mruEnabled": sobject.writable,
        "name": sobject.name,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "searchable": sobject.writable,
        "triggerable": sobject.writable,
        "undeletable": sobject.get("IsDeleted") is not None,
        "updateable": sobject.writable,
    }


def listed(sobject: SObject, base: str) -> dict[str, Any]:
    """One entry of the list of objects; `base` is `/services/data/vXX.X`."""
    root = f"{base}/sobjects/{sobject.name}"
    return flags(sobject) | {"urls": {"rowTemplate": f"{root}/{{ID}}", "describe": f"{root}/describe", "sobject": root}}


def sobject(schema: Schema, each: SObject, base: str) -> dict[str, Any]:
    """The describe of an object."""
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
                "active": True,
                "available": True,
                "defaultRecordTypeMapping": True,
                "developerName": "Master",
                "master": True,
                "name": "Master",
                "recordTypeId": MASTER_RECORD_TYPE,
                "urls": {"layout": f"{root}/describe/layouts/{MASTER_RECORD_TYPE}"},
            }
        ],
        "searchLayoutable": each.writable,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": f"All {each.plural.lower()}", "name": "everything"}],
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
            "relationshipName": child.plural if lookup.createable and lookup.name != "OwnerId" else None,
            "restrictedDelete": False,
        }
        for child, lookup in schema.lookups_to(each.name)
    ]
