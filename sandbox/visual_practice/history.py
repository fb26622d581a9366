"""What happened to each made-up patient: policies, visits, bills, results, papers, messages.

Owns the records that hang on a patient, their rates and how they fit together. One patient at a time, in order, so that
nothing is held in memory and the same seed makes the same history. Called by the generator.
"""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

from sandbox.staff import STAFF
from sandbox.visual_practice import vocabulary as words
from sandbox.visual_practice.calendar import DAY, NEWEST_DAY, Stamps, day_text, instant_text, office_instant
from sandbox.visual_practice.schema import (
    APPOINTMENT,
    COMMUNICATION,
    DOCUMENT,
    IMAGING_RECORD,
    INSURANCE_POLICY,
    INTAKE_FORM,
    INVOICE,
    LAB_RESULT,
    NOTE,
    PAYMENT,
    Record,
    Resource,
)

Made = tuple[Resource, Record]

HANGING = (  # the resources made here
    *(INSURANCE_POLICY, APPOINTMENT, INVOICE, PAYMENT, INTAKE_FORM, DOCUMENT, LAB_RESULT, IMAGING_RECORD, NOTE),
    COMMUNICATION,
)
PER_PATIENT = 20  # records of all kinds that come with one patient, on average
SEVERAL_PLANS = (0, 1, 1, 1, 1, 1, 2, 2, 3)
VISIT_COUNTS = (0, 1, 1, 2, 2, 3, 4, 5, 6, 8, 12, 20)
FUTURE_DAYS = 120
CANCELLED, NO_SHOW, FORGOTTEN = 0.09, 0.15, 0.17  # cumulative: cancelled, did not come, never closed
_KINDS = tuple(kind for kind in words.VISITS for _ in range(kind[2]))


def money(cents: int) -> str:
    """An amount as the API writes it: a string with two decimals."""
    return f"{cents // 100}.{cents % 100:02d}" if cents >= 0 else f"-{money(-cents)}"


class History:
    """Makes the records of one patient after the other; ids count on from patient to patient."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(f"history {seed}")
        self._ids: Counter[str] = Counter()
        self._stamps = Stamps(random.Random(f"imports {seed}"))

    def _record(self, resource: Resource, created: int, updated: int, values: Record) -> Made:
        """`created` and `updated` are seconds; runs of records share one second, as an import leaves them."""
        number = self._ids[resource.name] + 1
        self._ids[resource.name] = number
        values["id"] = str(number)
        values["created_at"], values["updated_at"] = self._stamps.of(resource.name, created, updated)
        return resource, values

    def of(self, patient: Record, born: int) -> Iterator[Made]:
        """Everything of one patient; `born` is the day the patient came to the practice, counted from 1970."""
        dice = self._dice
        policies = [self._policy(patient, born, priority + 1) for priority in range(dice.choice(SEVERAL_PLANS))]
        yield from policies
        if dice.random() < 0.7:
            yield self._form(patient, born)
        visits = dice.choice(VISIT_COUNTS)
        policy = policies[0][1]["id"] if policies else None
        for _ in range(visits):
            yield from self._visit(patient, born, policy)
        if dice.random() < 0.5:
            yield self._paper(patient, born, dice.choice(words.PAPERS))
        if dice.random() < 0.5:
            yield self._message(patient, dice.randint(born, NEWEST_DAY))

    def _policy(self, patient: Record, born: int, priority: int) -> Made:
        dice = self._dice
        start = born + dice.randint(-700, 300)
        at = born * DAY + dice.randrange(30_000, 60_000)
        return self._record(
            INSURANCE_POLICY,
            at,
            at + dice.randrange(400) * DAY,
            {
                "patient_id": patient["id"],
                "carrier_id": str(dice.randint(1, len(words.CARRIERS))),
                "plan_name": dice.choice(words.PLANS),
                "policy_number": f"{dice.choice('ABCXYZ')}{dice.randrange(10**8):08d}",
                "group_number": f"G-{dice.randrange(10**4):04d}" if dice.random() < 0.7 else None,
                "subscriber_id": f"{dice.randrange(10**9):09d}",
                "relationship": dice.choice(words.RELATIONSHIPS),
                "priority": priority,
                "starts_on": day_text(start),
                "ends_on": day_text(start + dice.randint(200, 1500)) if dice.random() < 0.4 else None,
                "copay": money(dice.choice((0, 1000, 2000, 2500))),
            },
        )

    def _form(self, patient: Record, born: int) -> Made:
        dice = self._dice
        form = dice.choice(words.FORMS)
        done = born * DAY + dice.randrange(30_000, 70_000)
        sections = [
            {"name": section["name"], "questions": [self._answer(question) for question in section["questions"]]}
            for section in form["sections"]
        ]
        return self._record(
            INTAKE_FORM,
            done - 3600,
            done,
            {
                "patient_id": patient["id"],
                "template_id": form["id"],
                "name": form["name"],
                "completed_at": instant_text(done) if dice.random() < 0.9 else None,
                "content": {"sections": sections},
            },
        )

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        dice = self._dice
        told: dict[str, Any] = {name: question[name] for name in ("name", "type", "required")}
        if "options" not in question:
            return told | {"answer": dice.choice(words.ANSWERS[question["type"]])}
        single, options = question["type"] == "radiobuttons", question["options"]
        chosen = {dice.choice(options)} if single else {option for option in options if dice.random() < 0.3}
        answers = [{"value": option, "selected": True} if option in chosen else {"value": option} for option in options]
        return told | {"answers": answers}

    def _visit(self, patient: Record, born: int, policy: str | None) -> Iterator[Made]:
        dice = self._dice
        kind, minutes, _ = dice.choice(_KINDS)
        starts = office_instant(dice, born, NEWEST_DAY + FUTURE_DAYS)
        booked = max(born * DAY, starts - dice.randrange(1, 45) * DAY - dice.randrange(DAY))
        over = starts < NEWEST_DAY * DAY
        fate = dice.random()
        values: Record = {
            "patient_id": patient["id"],
            "provider_id": patient["provider_id"] if dice.random() < 0.8 else str(dice.randint(1, len(STAFF))),
            "practice_id": patient["practice_id"],
            "appointment_type": kind,
            "starts_at": instant_text(starts),
            "ends_at": instant_text(starts + minutes * 60),
            "duration_minutes": minutes,
            "status": "completed",
            "did_not_arrive": False,
            "patient_arrived": False,
            "notes": dice.choice(words.VISIT_NOTES) if dice.random() < 0.3 else None,
        }
        if fate < CANCELLED:
            at = min(booked + dice.randrange(1, 10 * DAY), starts - 600) if starts - 600 > booked else booked
            values["status"], values["cancelled_at"] = "cancelled", instant_text(at)
            values["cancellation_reason"] = dice.choice(("10", "20", "30", "40", "50"))
            values["cancellation_note"] = dice.choice(words.CANCELLED_BECAUSE)
            yield self._record(APPOINTMENT, booked, at, values)
            return
        if not over:
            values["status"] = "confirmed" if dice.random() < 0.3 else "booked"
            yield self._record(APPOINTMENT, min(booked, NEWEST_DAY * DAY), min(booked, NEWEST_DAY * DAY), values)
            return
        if fate < NO_SHOW:
            values["status"], values["did_not_arrive"] = "no_show", True
        elif fate < FORGOTTEN:
            values["status"] = "booked"
        else:
            values["patient_arrived"] = True
        made = self._record(APPOINTMENT, booked, starts + minutes * 60, values)
        yield made
        if values["patient_arrived"]:
            # What it leaves behind is the patient's, also where dirt made it nobody's.
            visit = made[1] | {"patient_id": patient["id"]}
            yield from self._after(patient, visit, starts + minutes * 60, policy)

    def _after(self, patient: Record, visit: Record, ended: int, policy: str | None) -> Iterator[Made]:
        """What a visit that took place leaves behind."""
        dice = self._dice
        if dice.random() < 0.88:
            yield from self._bill(visit, ended, policy)
        if dice.random() < 0.5:
            yield self._record(
                NOTE,
                ended,
                ended + dice.randrange(90_000),
                {
                    "patient_id": patient["id"],
                    "provider_id": visit["provider_id"],
                    "appointment_id": visit["id"],
                    "title": visit["appointment_type"],
                    "body": dice.choice(words.VISIT_NOTES),
                    "draft": dice.random() < 0.05,
                },
            )
        if dice.random() < 0.15:
            yield from self._tested(visit, ended)
        if dice.random() < 0.05:
            yield from self._imaged(visit, ended)
        if dice.random() < 0.3:
            yield self._message(patient, ended // DAY)

    def _bill(self, visit: Record, ended: int, policy: str | None) -> Iterator[Made]:
        dice = self._dice
        items, net, tax = [], 0, 0
        for _ in range(dice.choice((1, 1, 1, 2, 2, 3))):
            code, what, price = dice.choice(words.PROCEDURES)
            quantity, rate = dice.choice((1, 1, 1, 2)), dice.choice(words.TAX_RATES)
            discount = dice.choice((0, 0, 0, 0, 500))
            line = max(0, price * quantity - discount)
            net, tax = net + line, tax + line * rate // 100
            items.append(
                {
                    "code": code,
                    "description": what,
                    "quantity": quantity,
                    "unit_price": money(price),
                    "net_price": money(line),
                    "tax_rate": f"{rate}.0",
                    "discount": money(discount),
                }
            )
        total, fate = net + tax, dice.random()
        status = next(
            name
            for share, name in (
                (0.72, "paid"),
                (0.84, "open"),
                (0.94, "partially_paid"),
                (0.98, "void"),
                (1.0, "written_off"),
            )
            if fate < share
        )
        parts: list[int] = []
        if status == "paid":
            parts = [total] if dice.random() < 0.8 else [total // 3, total - total // 3]
        elif status == "partially_paid":
            parts = [max(1, total // 2)]
        paid = [ended + dice.randrange(40) * DAY + dice.randrange(600, 30_000) for _ in parts]
        paid.sort()
        last = paid[-1] if paid else ended
        number = self._ids[INVOICE.name] + 1
        bill = self._record(
            INVOICE,
            ended,
            last,
            {
                "number": f"INV-{number:07d}",
                "patient_id": visit["patient_id"],
                "practice_id": visit["practice_id"],
                "provider_id": visit["provider_id"],
                "appointment_id": visit["id"],
                "insurance_policy_id": policy if dice.random() < 0.6 else None,
                "issue_date": day_text(ended // DAY),
                "status": status,
                "total_amount": money(total),
                "tax_amount": money(tax),
                "net_amount": money(net),
                "balance": money(0 if status in {"void", "written_off"} else total - sum(parts)),
                "closed_at": instant_text(last) if status == "paid" else None,
                "items": items,
            },
        )
        yield bill
        for at, cents in zip(paid, parts, strict=True):
            yield self._record(
                PAYMENT,
                at,
                at,
                {
                    "invoice_id": bill[1]["id"],
                    "patient_id": visit["patient_id"],
                    "amount": money(cents),
                    "method": dice.choice(words.METHODS),
                    "paid_at": instant_text(at),
                    "reference": f"{dice.randrange(10**6):06d}" if dice.random() < 0.5 else None,
                },
            )

    def _tested(self, visit: Record, ended: int) -> Iterator[Made]:
        dice = self._dice
        reported = ended + dice.randrange(1, 6) * DAY
        values: Record = {
            "patient_id": visit["patient_id"],
            "provider_id": visit["provider_id"],
            "appointment_id": visit["id"],
            "status": dice.choice("FFFFFFPCIX"),
            "collected_at": instant_text(ended - 600),
            "reported_at": instant_text(reported),
            "abnormal": "",
        }
        if dice.random() < 0.2:
            code, name = dice.choice(words.WORDED_TESTS)
            values |= {"value": dice.choice(words.WORDED_RESULTS), "value_is_numeric": False}
        else:
            code, name, unit, least, most, decimals, usual = dice.choice(words.TESTS)
            place = dice.random()
            values["abnormal"] = (
                "LL" if place < 0.02 else "L" if place < 0.1 else "HH" if place > 0.98 else "H" if place > 0.8 else ""
            )
            values |= {"value": f"{least + (most - least) * place:.{decimals}f}", "value_is_numeric": True}
            values |= {"unit": unit, "reference_range": usual}
        values |= {"test_code": code, "test_name": name}
        if dice.random() < 0.3:
            paper = self._paper({"id": visit["patient_id"]}, reported // DAY, words.PAPERS[5])
            values["document_id"] = paper[1]["id"]
            yield paper
        yield self._record(LAB_RESULT, ended, reported, values)

    def _imaged(self, visit: Record, ended: int) -> Iterator[Made]:
        dice = self._dice
        modality, site = dice.choice(words.IMAGING)
        paper = self._paper({"id": visit["patient_id"]}, ended // DAY, words.STUDY)
        yield paper
        yield self._record(
            IMAGING_RECORD,
            ended,
            ended + DAY,
            {
                "patient_id": visit["patient_id"],
                "provider_id": visit["provider_id"],
                "document_id": paper[1]["id"],
                "modality": modality,
                "body_site": site,
                "study_uid": f"1.2.999.{dice.randrange(10**12)}.{dice.randrange(10**6)}",
                "status": dice.choice(("ordered", "taken", "reported", "reported")),
                "taken_at": instant_text(ended),
                "report": "<p>No acute findings.</p>" if dice.random() < 0.6 else None,
            },
        )

    def _paper(self, patient: Record, day: int, paper: tuple[str, str, str, int, int]) -> Made:
        dice = self._dice
        name, content_type, category, least, most = paper
        at = day * DAY + dice.randrange(28_000, 80_000)
        number = self._ids[DOCUMENT.name] + 1
        stem, _, suffix = name.rpartition(".")
        return self._record(
            DOCUMENT,
            at,
            at,
            {
                "patient_id": patient["id"],
                "filename": f"{stem}-{number}.{suffix}",
                "content_type": content_type,
                "size": int(least * (most / least) ** (dice.random() ** 2)),
                "category": category,
                "description": category.capitalize() if dice.random() < 0.3 else None,
                "user_id": str(dice.randint(1, len(STAFF))),
                "processing_completed": True,
                "content": {"link": f"/v1/documents/{number}/content"},
            },
        )

    def _message(self, patient: Record, day: int) -> Made:
        dice = self._dice
        at = day * DAY + dice.randrange(28_000, 70_000)
        return self._record(
            COMMUNICATION,
            at,
            at,
            {
                "patient_id": patient["id"],
                "user_id": str(dice.randint(1, len(STAFF))),
                "channel": dice.choice(("email", "email", "sms", "phone", "letter")),
                "direction": "sent" if dice.random() < 0.85 else "received",
                "subject": dice.choice(words.SUBJECTS),
                "body": dice.choice(words.MESSAGES),
                "sent_at": instant_text(at),
            },
        )
