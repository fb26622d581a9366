"""The standard objects of the sandbox org, and the custom fields it starts with.

Owns data only: adding an object or a field is a line in one of these modules. Labels, lengths and flags follow real
describes where the reference has them; the choice of fields is the usual set of a Sales Cloud org, not all of it.
"""

from typing import Any

from sandbox.salesforce.catalogue import activities, files, people, sales, setup
from sandbox.salesforce.custom import custom
from sandbox.salesforce.schema import Field, Schema

Spec = tuple[str, str, dict[str, Any]]
"""A custom field as `custom` wants it: its name, the name of its type, everything else."""

OURS: tuple[Spec, ...] = (
    ("VP_Id__c", "Text", {"label": "VP Id", "length": 64, "unique": True, "external_id": True, "case_sensitive": True}),
    ("VP_Source__c", "Text", {"length": 64}),
    ("VP_Created_At__c", "DateTime", {}),
    ("VP_Modified_At__c", "DateTime", {}),
    ("VP_Run_Id__c", "Text", {"length": 64}),
    ("VP_Deleted_At__c", "DateTime", {}),
)


def custom_objects() -> dict[str, tuple[Spec, ...]]:
    """The custom objects of an org that is ready for Carryover, and their fields."""
    # A lookup that is required can't be emptied, so what it points to can't be deleted (Setup offers no other choice).
    patient = {"references": ("Contact",), "required": True, "restricts": True}
    return {
        "Insurance_Plan__c": (
            ("Contact__c", "Lookup", {**patient, "child": "Insurance_Plans"}),
            ("Carrier__c", "Lookup", {"references": ("Account",), "child": "Insurance_Plans"}),
            ("Plan_Name__c", "Text", {"length": 255}),
            ("Policy_Number__c", "Text", {"length": 80}),
            ("Group_Number__c", "Text", {"length": 80}),
            ("Subscriber_ID__c", "Text", {"length": 80}),
            ("Relationship__c", "Text", {"length": 40}),
            ("Plan_Order__c", "Number", {"precision": 3, "scale": 0}),
            ("Starts_On__c", "Date", {}),
            ("Ends_On__c", "Date", {}),
            ("Copay__c", "Currency", {}),
            *OURS,
        ),
        "Lab_Result__c": (
            ("Contact__c", "Lookup", {**patient, "child": "Lab_Results"}),
            ("Test_Code__c", "Text", {"length": 80}),
            ("Test_Name__c", "Text", {"length": 255}),
            ("Status__c", "Text", {"length": 80}),
            ("Value__c", "Text", {"length": 255}),
            ("Unit__c", "Text", {"length": 40}),
            ("Reference_Range__c", "Text", {"length": 255}),
            ("Abnormal_Flag__c", "Text", {"length": 40}),
            ("Collected_At__c", "DateTime", {}),
            ("Reported_At__c", "DateTime", {}),
            ("Document_Id__c", "Text", {"length": 80}),
            ("File__c", "Text", {"length": 18}),
            *OURS,
        ),
        "Imaging_Record__c": (
            ("Contact__c", "Lookup", {**patient, "child": "Imaging_Records"}),
            ("Modality__c", "Text", {"length": 80}),
            ("Body_Site__c", "Text", {"length": 255}),
            ("Study_UID__c", "Text", {"length": 128}),
            ("Status__c", "Text", {"length": 80}),
            ("Taken_At__c", "DateTime", {}),
            ("Report__c", "LongTextArea", {"length": 32000}),
            ("Document_Id__c", "Text", {"length": 80}),
            ("File__c", "Text", {"length": 18}),
            *OURS,
        ),
    }


def custom_fields() -> dict[str, list[Field]]:
    """The custom fields that the standard objects of such an org have, by object."""
    both = [custom(name, kind, **more) for name, kind, more in OURS]
    contact = [
        custom("MRN__c", "Text", length=64),
        custom("Gender__c", "Text", length=40),
        custom("Preferred_Name__c", "Text", length=80),
        custom("Referral_Source__c", "Text", length=255),
        custom("Allergy_Flag__c", "Text", length=255),
        custom("Consent_Status__c", "Text", length=255),
        custom("Policy_Number__c", "Text", length=80),
        custom("Group_Number__c", "Text", length=80),
        custom("Subscriber_ID__c", "Text", length=80),
    ]
    account = [
        custom("NPI__c", "Text", length=20),
        custom("Tax_Id__c", "Text", length=32),
        custom("Referring_Physician__c", "Checkbox"),
        custom("Insurance_Carrier__c", "Checkbox"),
        custom("Payer_Code__c", "Text", length=40),
    ]
    activity = [  # a custom field of Activity is one of Event and of Task
        custom("Appointment_Status__c", "Text", length=80),
        custom("Cancelled__c", "Checkbox"),
        custom("Cancelled_At__c", "DateTime"),
        custom("Cancellation_Reason__c", "Text", length=80),
        custom("Cancellation_Note__c", "Text", length=255),
        custom("Did_Not_Arrive__c", "Checkbox"),
        custom("Patient_Arrived__c", "Checkbox"),
        custom("Appointment_Id__c", "Text", length=80),
        custom("Channel__c", "Text", length=40),
        custom("Direction__c", "Text", length=40),
        custom("Sent_At__c", "DateTime"),
    ]
    opportunity = [
        custom("Invoice_Number__c", "Text", length=80),
        custom("Payment_Status__c", "Text", length=80),
        custom("Issued_On__c", "Date"),
        custom("Total_Amount__c", "Currency"),
        custom("Balance__c", "Currency"),
        custom("Procedure_Code__c", "Text", length=255),
        custom("Line_Items__c", "LongTextArea", length=32000),
    ]
    return {
        "Account": both + account,
        "Contact": both + contact,
        "Event": both + activity,
        "Task": both + activity,
        "Opportunity": both + opportunity,
        "ContentVersion": both,
        "AccountContactRelation": both,
    }


def standard() -> Schema:
    """A schema with the standard objects only."""
    return Schema(each for module in (people, activities, sales, files, setup) for each in module.objects())
