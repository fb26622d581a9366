"""The resources of Visual Practice and the fields of their records, as lines.

Owns names, kinds and their order in an answer. Knows no storage and no HTTP. Source of fact: none is public; the
contract is the project's own (`docs/sandbox.md`), its shape follows published practice-management APIs.

A line is `name kind [*]`: the kind is `id`, `text`, `long`, `html`, `email`, `phone`, `date`, `instant`, `bool`, `int`,
`money`, `list`, `object`, `one(a|b|c)` for a choice or `->resource` for a reference; `*` marks a required field. Lines
below a `wide` line are fields that only a wide practice has.
"""

import re
from typing import Any, NamedTuple

Record = dict[str, Any]

LEFT_OUT = ...  # a value that says: this record lacks the field altogether
_LINE = re.compile(r"(\w+) (->)?(\w+)(?:\((.*)\))?( \*)?")


class Field(NamedTuple):
    """One field: its kind, what it refers to ("" for nothing), and the values of a choice."""

    name: str
    kind: str
    reference: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False
    wide: bool = False

    @property
    def label(self) -> str:
        """What a form calls it."""
        return self.name.removesuffix("_id").replace("_", " ").capitalize()


class Resource(NamedTuple):
    """One kind of record: `name` is its table, `plural` its path and its key in the envelope of a page."""

    name: str
    plural: str
    code: int
    columns: tuple[Field, ...]
    fields: tuple[str, ...]
    wide_fields: tuple[str, ...]

    def names(self, *, wide: bool) -> tuple[str, ...]:
        """Every field's name in the order of an answer."""
        return self.wide_fields if wide else self.fields


def _resource(name: str, plural: str, code: int, lines: str) -> Resource:
    columns: list[Field] = []
    wide = False
    for line in (each.strip() for each in lines.strip().splitlines()):
        if line == "wide":
            wide = True
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"not a field: {line}")
        field, arrow, kind, choices, required = found.groups()
        columns.append(
            Field(
                field,
                "reference" if arrow else kind,
                kind if arrow else "",
                tuple((choices or "").split("|")) if choices else (),
                bool(required),
                wide,
            )
        )
    narrow = tuple(column.name for column in columns if not column.wide)
    return Resource(name, plural, code, tuple(columns), narrow, tuple(column.name for column in columns))


_ADDRESS = "address_1 text\naddress_2 text\ncity text\nstate text\npostcode text\ncountry text"
_STAMPS = "created_at instant *\nupdated_at instant *"

PRACTICE = _resource(
    "practice",
    "practices",
    10,
    f"""id id *
    name text *
    specialty text
    phone phone
    website text
    npi text
    tax_id text
    {_ADDRESS}
    parent_id ->practice
    {_STAMPS}
    wide
    email email
    time_zone text
    archived_at instant""",
)
PATIENT = _resource(
    "patient",
    "patients",
    11,
    f"""id id *
    mrn text
    title text
    first_name text
    middle_name text
    last_name text
    preferred_name text
    date_of_birth date
    gender text
    email email
    home_phone phone
    mobile_phone phone
    {_ADDRESS}
    practice_id ->practice
    provider_id ->provider
    notes long
    {_STAMPS}
    custom_fields object
    wide
    suffix text
    work_phone phone
    marital_status text
    ssn text
    time_zone text
    old_reference_id text
    guarantor_id ->patient
    referring_physician_id ->referring_physician
    accepted_privacy_policy bool
    accepted_email_marketing bool
    accepted_sms_marketing bool
    no_marketing_mail bool
    allergy_flag text
    balance money
    merged_into_id ->patient
    archived_at instant""",
)
USER = _resource(
    "user",
    "users",
    12,
    f"id id *\nfirst_name text\nlast_name text\nemail email\nrole text\nactive bool\n{_STAMPS}",
)
PROVIDER = _resource(
    "provider",
    "providers",
    13,
    f"""id id *
    user_id ->user
    title text
    first_name text
    last_name text
    specialty text
    npi text
    practice_id ->practice
    time_zone text
    active bool
    {_STAMPS}""",
)
REFERRING_PHYSICIAN = _resource(
    "referring_physician",
    "referring-physicians",
    14,
    f"""id id *
    title text
    first_name text
    last_name text *
    organization text
    specialty text
    npi text
    phone phone
    fax phone
    email email
    {_ADDRESS}
    {_STAMPS}""",
)
APPOINTMENT = _resource(
    "appointment",
    "appointments",
    15,
    f"""id id *
    patient_id ->patient
    provider_id ->provider
    practice_id ->practice
    appointment_type text
    starts_at instant *
    ends_at instant
    duration_minutes int
    status one(booked|confirmed|arrived|completed|cancelled|no_show)
    cancelled_at instant
    cancellation_reason one(10|20|30|40|50)
    cancellation_note text
    did_not_arrive bool
    patient_arrived bool
    notes html
    {_STAMPS}""",
)
INVOICE = _resource(
    "invoice",
    "invoices",
    16,
    f"""id id *
    number text *
    patient_id ->patient
    practice_id ->practice
    provider_id ->provider
    appointment_id ->appointment
    insurance_policy_id ->insurance_policy
    issue_date date *
    status one(open|partially_paid|paid|void|written_off)
    total_amount money
    tax_amount money
    net_amount money
    balance money
    closed_at instant
    items list
    {_STAMPS}
    wide
    status_description text""",
)
PAYMENT = _resource(
    "payment",
    "payments",
    17,
    f"""id id *
    invoice_id ->invoice
    patient_id ->patient
    amount money *
    method one(card|cash|transfer|insurance|cheque)
    paid_at instant
    reference text
    {_STAMPS}""",
)
INSURANCE_CARRIER = _resource(
    "insurance_carrier",
    "insurance-carriers",
    18,
    f"id id *\nname text *\npayer_code text\nphone phone\n{_ADDRESS}\n{_STAMPS}",
)
INSURANCE_POLICY = _resource(
    "insurance_policy",
    "insurance-policies",
    19,
    f"""id id *
    patient_id ->patient
    carrier_id ->insurance_carrier
    plan_name text
    policy_number text
    group_number text
    subscriber_id text
    relationship one(self|spouse|child|other)
    priority int
    starts_on date
    ends_on date
    copay money
    {_STAMPS}""",
)
INTAKE_FORM = _resource(
    "intake_form",
    "intake-forms",
    20,
    f"""id id *
    patient_id ->patient
    appointment_id ->appointment
    template_id text
    name text
    completed_at instant
    content object
    {_STAMPS}""",
)
DOCUMENT = _resource(
    "document",
    "documents",
    21,
    f"""id id *
    patient_id ->patient
    filename text *
    content_type text
    size int
    category text
    description text
    user_id ->user
    processing_completed bool
    content object
    {_STAMPS}""",
)
LAB_RESULT = _resource(
    "lab_result",
    "lab-results",
    22,
    f"""id id *
    patient_id ->patient
    provider_id ->provider
    appointment_id ->appointment
    document_id ->document
    test_code text
    test_name text
    status one(P|I|C|F|X)
    value text
    value_is_numeric bool
    unit text
    reference_range text
    abnormal one(|L|LL|H|HH)
    collected_at instant
    reported_at instant
    {_STAMPS}""",
)
IMAGING_RECORD = _resource(
    "imaging_record",
    "imaging-records",
    23,
    f"""id id *
    patient_id ->patient
    provider_id ->provider
    document_id ->document
    modality text
    body_site text
    study_uid text
    status one(ordered|taken|reported)
    taken_at instant
    report html
    {_STAMPS}""",
)
NOTE = _resource(
    "note",
    "notes",
    24,
    f"""id id *
    patient_id ->patient
    provider_id ->provider
    appointment_id ->appointment
    title text
    body html
    draft bool
    {_STAMPS}""",
)
COMMUNICATION = _resource(
    "communication",
    "communications",
    25,
    f"""id id *
    patient_id ->patient
    user_id ->user
    channel one(email|sms|phone|letter)
    direction one(sent|received)
    subject text
    body long
    sent_at instant
    {_STAMPS}""",
)

PRACTICE_MEMBERSHIP = _resource(  # practices beside the one that a patient's record names
    "practice_membership",
    "practice-memberships",
    26,
    f"""id id *
    patient_id ->patient
    practice_id ->practice
    role text
    starts_on date
    ends_on date
    {_STAMPS}""",
)

CORE = (PRACTICE, PATIENT, USER)
RESOURCES = (
    *CORE,
    *(PROVIDER, REFERRING_PHYSICIAN, APPOINTMENT, INVOICE, PAYMENT, INSURANCE_CARRIER, INSURANCE_POLICY, INTAKE_FORM),
    *(DOCUMENT, LAB_RESULT, IMAGING_RECORD, NOTE, COMMUNICATION, PRACTICE_MEMBERSHIP),
)
BY_PLURAL = {resource.plural: resource for resource in RESOURCES}
BY_NAME = {resource.name: resource for resource in RESOURCES}


def complete(resource: Resource, values: Record, *, wide: bool = False) -> Record:
    """A record with every field of its resource, in the order of an answer; fields not given are null."""
    record = {name: values.get(name) for name in (resource.wide_fields if wide else resource.fields)}
    if resource is PATIENT and record["custom_fields"] is None:
        record["custom_fields"] = {}
    if LEFT_OUT in record.values():
        record = {name: value for name, value in record.items() if value is not LEFT_OUT}
    return record
