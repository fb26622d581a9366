"""A record of each object that the default map moves, as tests put them into the practice, change them and delete them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sandbox.staff import STAFF
from tests.pipeline.findings import result
from tests.pipeline.insurance import policy
from tests.pipeline.intake import form
from tests.pipeline.memberships import membership
from tests.pipeline.messages import MESSAGE, NOTE
from tests.pipeline.papers import paper
from tests.pipeline.practice import Practice, Record
from tests.pipeline.visits import BILL, VISIT

OBJECTS: Final = (
    *("user", "provider", "practice", "referring_physician", "insurance_carrier", "patient", "practice_membership"),
    *("insurance_policy", "intake_form", "document", "lab_result", "imaging_record", "appointment", "invoice"),
    *("payment", "note", "communication"),
)
"""What the source calls them, parents first."""

_BY_BULK: Final = ("insurance_policy", "lab_result", "imaging_record", "appointment", "invoice", "note")
_THERE: Final = "1001"
"""A patient that the generator has made: whatever is theirs waits for nobody."""
_THERE_TOO: Final = "1002"


@dataclass(frozen=True)
class Chart:
    """A patient with everything that there can be: practice, staff, physician, carrier, and a record of each object that refers to these.

    Beside each record there is a second one, the spare, which comes to nobody's harm when it goes, and which hangs on a patient that is
    there already.

    Attributes:
        number: from 0; charts of different numbers share no record.
        copies: so many further patients, and as many records of each object that goes by Bulk jobs.
    """

    number: int
    copies: int = 0

    @property
    def own(self) -> str:
        """The id of every record of the patient."""
        return str(860_000 + 100 * self.number)

    @property
    def spare(self) -> str:
        return str(int(self.own) + 1)

    @property
    def moved(self) -> str:
        """A document's that is filed at another patient later."""
        return str(int(self.own) + 2)

    @property
    def copied(self) -> list[str]:
        return [str(int(self.own) + 3 + number) for number in range(self.copies)]

    def begin(self, practice: Practice) -> None:
        """Enters everything."""
        own, spare = self.own, self.spare
        email = STAFF[self.number % 6].email
        for one, user in ((own, own), (spare, own)):
            practice.put("user", {"id": one, "first_name": "Staff", "last_name": one, "email": email, "active": True})
            practice.put("provider", {"id": one, "user_id": user, "last_name": one, "practice_id": "1", "active": True})
            practice.put("practice", {"id": one, "name": f"Practice {one}", "parent_id": "1"})
            practice.put(
                "referring_physician", {"id": one, "title": "Dr.", "first_name": "Refers", "last_name": f"P {one}"}
            )
            practice.put("insurance_carrier", {"id": one, "name": f"Carrier {one}", "payer_code": f"C{one}"})
            practice.put("patient", {"id": one, "last_name": f"Born {one}", "first_name": "New", "practice_id": one})
        self._enter(practice, own, own, own)
        practice.put("document", paper(self.moved, own, user_id="1"))
        self._enter(practice, spare, _THERE, "1")
        if self.copied:
            practice.put("patient", *({"id": one, "last_name": "Copy", "practice_id": "1"} for one in self.copied))
            for object_ in _BY_BULK:
                practice.put(object_, *(self._record(object_, one, _THERE_TOO, "1") for one in self.copied))

    def _enter(self, practice: Practice, one: str, patient: str, others: str) -> None:
        """Enters a record of each object that belongs to a patient; ``others`` is the id of all else that they refer to."""
        for object_ in OBJECTS[OBJECTS.index("patient") + 1 :]:
            practice.put(object_, self._record(object_, one, patient, others))

    def _record(self, object_: str, one: str, patient: str, others: str) -> Record:
        whose: Record = {"id": one, "patient_id": patient}
        match object_:
            case "practice_membership":
                return membership(int(one), int(patient), "2" if patient == self.own else self.own)
            case "insurance_policy":
                return policy(one, patient, carrier_id=others)
            case "intake_form":
                return form(one, patient, f"2026-05-05T10:00:{self.number % 60:02}Z", "Latex")
            case "document":
                return paper(one, patient, user_id=others)
            case "lab_result":
                return result(one, patient, document_id=one)
            case "imaging_record":
                image = {"modality": "MRI", "body_site": "Knee", "study_uid": f"1.2.{one}", "document_id": one}
                return whose | image | {"status": "taken", "taken_at": "2026-03-04T05:06:07Z", "report": "To come"}
            case "appointment":
                return VISIT | whose | {"practice_id": others, "provider_id": others}
            case "invoice":
                return BILL | whose | {"practice_id": others, "provider_id": others, "number": f"I-{one}"}
            case "payment":
                return {"id": one, "invoice_id": one, "amount": "5.00", "paid_at": "2026-02-01T10:00:00Z"}
            case "note":
                return NOTE | whose | {"provider_id": others}
            case "communication":
                return MESSAGE | whose | {"user_id": others}
        raise ValueError(object_)

    def change(self, practice: Practice) -> None:
        """Changes the patient's record of each object; some go over to another patient, practice or content."""
        own = self.own
        practice.put("user", {"id": own, "last_name": f"Changed {own}"})
        practice.put("provider", {"id": own, "last_name": f"Changed {own}"})
        practice.put("practice", {"id": own, "name": f"Changed {own}", "parent_id": "2"})
        practice.put("referring_physician", {"id": own, "last_name": f"Changed {own}"})
        practice.put("insurance_carrier", {"id": own, "payer_code": f"D{own}"})
        practice.put("patient", {"id": own, "last_name": f"Changed {own}", "practice_id": "1"})
        practice.put("practice_membership", {"id": own, "practice_id": "3", "role": "Eyes"})
        practice.put("insurance_policy", {"id": own, "policy_number": f"N-{own}", "carrier_id": "1"})
        practice.put("intake_form", form(own, own, "2026-06-05T10:00:00Z", "Pollen"))
        practice.put("document", {"id": own, "size": 41_000}, {"id": self.moved, "patient_id": _THERE})
        practice.put("lab_result", {"id": own, "value": "91", "abnormal": "", "status": "C"})
        practice.put("imaging_record", {"id": own, "status": "reported", "report": "Seen"})
        practice.put("appointment", {"id": own, "status": "cancelled", "patient_id": _THERE})
        practice.put("invoice", {"id": own, "status": "partially_paid", "patient_id": _THERE})
        practice.put("payment", {"id": own, "amount": "7.50"})
        practice.put("note", {"id": own, "body": "Changed", "draft": True})
        practice.put("communication", {"id": own, "body": "Changed"})

    def amend(self, practice: Practice) -> None:
        """Changes the patient's record of each object a little, and deletes the spare of each."""
        own = self.own
        practice.put("user", {"id": own, "first_name": "Amended"})
        practice.put("provider", {"id": own, "first_name": "Amended"})
        practice.put("practice", {"id": own, "name": f"Amended {own}"})
        practice.put("referring_physician", {"id": own, "first_name": "Amended"})
        practice.put("insurance_carrier", {"id": own, "name": f"Amended {own}"})
        practice.put("patient", {"id": own, "first_name": "Amended"})
        practice.put("practice_membership", {"id": own, "ends_on": "2025-06-30"})
        practice.put("insurance_policy", {"id": own, "subscriber_id": f"A-{own}"})
        practice.put("intake_form", form(own, own, "2026-05-05T10:00:00Z", "Latex", "Pollen"))
        practice.put("document", {"id": own, "filename": f"amended-{own}.pdf"})
        practice.put("lab_result", {"id": own, "unit": "mmol/L"})
        practice.put("imaging_record", {"id": own, "body_site": "Hip"})
        practice.put("appointment", {"id": own, "appointment_type": "Amended"})
        practice.put("invoice", {"id": own, "number": f"A-{own}"})
        practice.put("payment", {"id": own, "paid_at": "2026-02-02T10:00:00Z"})
        practice.put("note", {"id": own, "title": "Amended"})
        practice.put("communication", {"id": own, "subject": "Amended"})
        for object_ in reversed(OBJECTS):
            practice.delete(object_, self.spare)

    def end(self, practice: Practice) -> None:
        """Deletes what is left of everything."""
        practice.delete("document", self.moved)
        for object_ in reversed(OBJECTS):
            practice.delete(object_, self.own)
            if self.copied and object_ in (*_BY_BULK, "patient"):
                practice.delete(object_, *self.copied)
