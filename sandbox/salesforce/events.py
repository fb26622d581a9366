"""The dates of events, and the account an activity belongs to.

Owns the date rules of Event and the read-only fields that follow from others (ActivityDate, EndDate, AccountId). Called
by `rows` before a chunk of events or tasks is written.

Source of fact: the Object Reference on Event (one of duration and end is needed, both must agree, errors are named on
EndDateTime from v39, an all-day event lasts a day unless told otherwise, more than 1,440 minutes need multiday events).
The texts are unverified.
"""

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.salesforce.chunk import Write, present
from sandbox.salesforce.records import Records
from sandbox.salesforce.schema import Schema
from sandbox.salesforce.settings import Settings
from sandbox.salesforce.values import CLEAR

DATES = (*("IsAllDayEvent", "StartDateTime", "ActivityDateTime", "EndDateTime", "DurationInMinutes", "ActivityDate"),)
DAY, MOST_DAYS = 1_440, 14
INTEGRITY = "FIELD_INTEGRITY_EXCEPTION"


class WrongDatesError(ValueError):
    """The dates of an event do not go together; the arguments are code, text and field."""


def _read(text: str) -> datetime:
    return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)


def _text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}.000+0000"


def dates(given: dict[str, Any], before: dict[str, Any] | None, *, multiday: bool) -> dict[str, Any]:
    """All dates of an event from those a write gives and, for an update, those it had; raises WrongDatesError."""
    known = before or {}
    all_day = bool(known.get("IsAllDayEvent", 0) if given["IsAllDayEvent"] is None else given["IsAllDayEvent"])
    return (_of_day if all_day else _of_time)(given, known, multiday=multiday)


def _begin(given: dict[str, Any]) -> str | None:
    start, activity = given["StartDateTime"], given["ActivityDateTime"]
    if start and activity and start != activity:
        raise WrongDatesError(INTEGRITY, "Start Date Time: must be equal to Due Date Time", "StartDateTime")
    begin: str | None = start or activity
    return begin


def _of_time(given: dict[str, Any], known: dict[str, Any], *, multiday: bool) -> dict[str, Any]:
    begin = _begin(given) or known.get("StartDateTime")
    if begin is None:
        text = "Required fields are missing: [StartDateTime]"
        raise WrongDatesError("REQUIRED_FIELD_MISSING", text, "StartDateTime")
    start, end, minutes = _read(begin), given["EndDateTime"], given["DurationInMinutes"]
    if end is None and minutes is None:
        minutes = known.get("DurationInMinutes")
        if minutes is None:
            text = "Required fields are missing: [EndDateTime]"
            raise WrongDatesError("REQUIRED_FIELD_MISSING", text, "EndDateTime")
    if end is not None:
        length = (_read(end) - start).total_seconds() / 60
        if minutes is not None and length != minutes:
            text = "End Date Time: must be Start Date Time plus Duration In Minutes"
            raise WrongDatesError(INTEGRITY, text, "EndDateTime")
        minutes = length
    _check_length(minutes, multiday=multiday)
    finish = start + timedelta(minutes=minutes)
    return {
        "IsAllDayEvent": 0,
        **dict.fromkeys(("StartDateTime", "ActivityDateTime"), _text(start)),
        "EndDateTime": _text(finish),
        "DurationInMinutes": int(minutes),
        "ActivityDate": f"{start:%Y-%m-%d}",
        "EndDate": f"{finish:%Y-%m-%d}",
    }


def _of_day(given: dict[str, Any], known: dict[str, Any], *, multiday: bool) -> dict[str, Any]:
    begin = given["ActivityDate"] or _begin(given) or known.get("ActivityDate")
    if begin is None:
        text = "Required fields are missing: [ActivityDate]"
        raise WrongDatesError("REQUIRED_FIELD_MISSING", text, "ActivityDate")
    first, end, minutes = _read(f"{begin[:10]}T00:00:00"), given["EndDateTime"], given["DurationInMinutes"]
    if end is not None:
        length = ((_read(f"{end[:10]}T00:00:00") - first).days + 1) * DAY
        if minutes is not None and minutes != length:
            text = "End Date Time: must be Start Date Time plus Duration In Minutes"
            raise WrongDatesError(INTEGRITY, text, "EndDateTime")
        minutes = length
    minutes = DAY if minutes is None else minutes
    _check_length(minutes, multiday=multiday)
    last = first + timedelta(days=max(0, -(-int(minutes) // DAY) - 1))
    return {
        "IsAllDayEvent": 1,
        **dict.fromkeys(("StartDateTime", "ActivityDateTime"), _text(first)),
        "EndDateTime": _text(last),
        "DurationInMinutes": int(minutes),
        "ActivityDate": f"{first:%Y-%m-%d}",
        "EndDate": f"{last:%Y-%m-%d}",
    }


def _check_length(minutes: float, *, multiday: bool) -> None:
    if minutes < 0:
        raise WrongDatesError(INTEGRITY, "Event duration can not be negative", "EndDateTime")
    if minutes > DAY * (MOST_DAYS if multiday else 1):
        longest = f"{MOST_DAYS} days" if multiday else "24 hours"
        raise WrongDatesError(INTEGRITY, f"Event duration can not be longer than {longest}", "EndDateTime")


class Activities:
    """What happens to events and tasks of one org when they are written."""

    def __init__(self, schema: Schema, records: Records, settings: Settings) -> None:
        self._schema, self._records, self._settings = schema, records, settings

    def before(self, connection: sqlite3.Connection, write: Write) -> None:
        """Completes a chunk of events or tasks."""
        if write.sobject.name == "Event":
            self._dates(connection, write)
        self._accounts(connection, write)

    def _dates(self, connection: sqlite3.Connection, write: Write) -> None:
        touched = [name for name in DATES if name in write.stored]
        for name in touched:  # the dates of an event cannot be taken away
            write.stored[name] = [None if value is CLEAR else value for value in write.stored[name]]
        rows = write.lasting(write.new)
        known = {}
        if touched:
            changed = [
                row for row in write.lasting(write.known) if any(write.given(n, row) is not None for n in touched)
            ]
            names = ("Id", *DATES)
            found = self._records.select(
                connection, "Event", names, "Id", [write.ids[row] for row in changed], live=False
            )
            known = {each[0]: dict(zip(DATES, each[1:], strict=True)) for each in found}
            rows += changed
        multiday = self._settings.multiday_events
        for row in rows:
            given = {name: write.given(name, row) for name in DATES}
            try:
                made = dates(given, known.get(write.ids[row]), multiday=multiday)
            except WrongDatesError as error:
                code, text, field = error.args
                write.refuse(row, code, text, field)
                continue
            for name, value in made.items():
                write.put(name, row, value)

    def _accounts(self, connection: sqlite3.Connection, write: Write) -> None:
        if "WhatId" not in write.stored and "WhoId" not in write.stored:
            return
        pointed = present(write.stored.get("WhatId", ())) | present(write.stored.get("WhoId", ()))
        accounts = {each: each for each in pointed if each.startswith("001")}
        for name in ("Opportunity", "Contact", "Case"):
            prefix = self._schema.of(name).prefix
            some = [each for each in pointed if each.startswith(prefix)]
            accounts |= dict(self._records.select(connection, name, ("Id", "AccountId"), "Id", some, live=False))
        for row in write.lasting((*write.new, *write.known)):
            what, who = write.given("WhatId", row), write.given("WhoId", row)
            account = accounts.get(what) or accounts.get(who)
            if account is not None:
                write.put("AccountId", row, account)
