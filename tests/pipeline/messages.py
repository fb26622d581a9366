"""What notes and communications become, written down a second time for a few columns; nothing is shared with the product's mapping."""

from __future__ import annotations

from typing import Any, TypeAlias

from tests.pipeline.visits import FALLBACK, owner_of, seconds

Record: TypeAlias = dict[str, Any]
Records: TypeAlias = dict[str, list[Record]]

NOTE: Record = {"provider_id": "1", "title": "Follow-up", "body": "<p>Better</p>", "draft": False}
MESSAGE: Record = {
    "user_id": "1",
    "channel": "email",
    "direction": "sent",
    "subject": "Recall",
    "body": "Please call us.",
    "sent_at": "2026-03-04T23:05:06Z",
}
"""A note and a message as tests put them into the practice; whose they are, they add."""

TEXTS = {
    "<p>Seen today.</p>": "Seen today.",
    "<p>Patient <b>improved</b>.<br>Review in 4 weeks.</p>": "Patient improved.\nReview in 4 weeks.",
    "<ul><li>Exercises</li><li>Ice</li></ul>": "- Exercises\n- Ice",
    "Needs referral &amp; X-ray": "Needs referral & X-ray",
    "<p>Better</p>": "Better",
}
"""What a reader sees of the generator's notes that have markup; tests with others look at them themselves."""

SUBTYPES = {"email": "Email", "phone": "Call"}
CHANNELS = {"email": "E-mail", "sms": "Text message", "phone": "Call", "letter": "Letter"}


def check_notes(source: Records, tasks: dict[str, Record], reference_of: dict[str, str], users: dict[str, str]) -> None:
    """Every note of a patient who is in the org is a task, and no other is."""
    for reference, record in _wanted("note", source.get("notes", ()), tasks, reference_of).items():
        row = tasks[reference]
        assert row["Subject"] == (record["title"] or "Note"), f"Subject of {reference}"
        assert row["Status"] == ("In Progress" if record["draft"] is True else "Completed"), f"Status of {reference}"
        assert row["TaskSubtype"] == "Task", f"TaskSubtype of {reference}"
        assert row["ActivityDate"] == record["created_at"][:10], f"ActivityDate of {reference}"
        assert row.get("Appointment_Id__c") == record["appointment_id"], f"Appointment_Id__c of {reference}"
        body = record["body"] or ""
        if body in TEXTS or not {"<", "&"} & set(body):
            assert row.get("Description") == (TEXTS.get(body, body) or None), f"Description of {reference}"
        assert row["OwnerId"] == owner_of(source, record, users), f"owner of {reference}"


def check_messages(
    source: Records, tasks: dict[str, Record], reference_of: dict[str, str], users: dict[str, str]
) -> None:
    """Every communication with a patient who is in the org is a task, and no other is."""
    email_of = {user["id"]: (user["email"] or "").lower() for user in source.get("users", ())}
    for reference, record in _wanted("communication", source.get("communications", ()), tasks, reference_of).items():
        row, channel = tasks[reference], record["channel"]
        assert row["Subject"] == (record["subject"] or CHANNELS[channel]), f"Subject of {reference}"
        assert row["TaskSubtype"] == SUBTYPES.get(channel, "Task"), f"TaskSubtype of {reference}"
        assert row["Channel__c"] == CHANNELS[channel], f"Channel__c of {reference}"
        assert row["Direction__c"] == record["direction"].capitalize(), f"Direction__c of {reference}"
        assert row["Status"] == "Completed", f"Status of {reference}"
        assert row["ActivityDate"] == record["sent_at"][:10], f"ActivityDate of {reference}"
        assert seconds(row["Sent_At__c"]) == seconds(record["sent_at"]), f"Sent_At__c of {reference}"
        assert row.get("Description") == record["body"].replace("\r\n", "\n"), f"Description of {reference}"
        assert row["OwnerId"] == users.get(email_of.get(record["user_id"], ""), users[FALLBACK]), (
            f"owner of {reference}"
        )


def _wanted(object_: str, records: Any, tasks: dict[str, Record], reference_of: dict[str, str]) -> dict[str, Record]:
    there = set(reference_of.values())
    live = {f"{object_}:{one['id']}": one for one in records}
    wanted = {ref: one for ref, one in live.items() if f"patient:{one['patient_id']}" in there}
    mine = {ref: row for ref, row in tasks.items() if ref.startswith(f"{object_}:")}
    assert wanted.keys() <= mine.keys(), f"missing {sorted(wanted.keys() - mine.keys())[:10]}"
    extra = {ref for ref in mine.keys() - live.keys() if not mine[ref].get("VP_Deleted_At__c")}
    assert not extra, f"not in the source: {sorted(extra)[:10]}"
    for reference, record in wanted.items():
        who = reference_of.get(mine[reference]["WhoId"])
        assert who == f"patient:{record['patient_id']}", f"WhoId of {reference}"
    return wanted
