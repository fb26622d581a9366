"""Rows that somebody else made in the org and that are the same thing as a record of ours.

Owns which row that is, and that it is kept as it was (`images`) before we write it. What is decided here is decided before the first send and journaled; it is
never asked again for a row that may have been written.

Not prevented: two workers that let two records take over the same row within the same second. Verification names the one that lost.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from agents.item import Item
from agents.outputs import Outputs
from agents.rowstate import Origin
from agents.sending import Sending
from connectors.salesforce.collections import MOST_IDS
from topics.messages import Value

AMBIGUOUS: Final = "MATCH_AMBIGUOUS"
TAKEN: Final = "MATCH_TAKEN"
GONE: Final = "MATCH_GONE"
_STAMPS: Final = ("LastModifiedById", "SystemModstamp")
_MOST_NAMED: Final = 20

Touch = Callable[[], None]


class MatchRule(NamedTuple):
    """How the rows of one object are recognised, and what is kept of them.

    Attributes:
        forms: columns that must all be equal and not empty, and the form (`text`, `date`, …) of each; empty: rows are recognised by our external id only.
        asked_by: the one of them that rows are looked for by.
        imaged: columns to keep, the external id among them.
        among: columns and what a row must have in each to be looked at; upper and lower case don't count.
    """

    forms: Mapping[str, str]
    asked_by: str
    imaged: Sequence[str]
    among: Mapping[str, Value] = MappingProxyType({})


class Held(NamedTuple):
    """A record that can't be decided about now.

    Attributes:
        code: `MATCH_AMBIGUOUS`, `MATCH_TAKEN`, or `MATCH_GONE`: decide again.
        detail: Salesforce ids of the rows that are in the way.
    """

    item: Item
    code: str
    detail: str


class Adoption:
    """Decides for the rows of one Salesforce object.

    Arguments:
        outputs: where images go.
        sending: the calls to Salesforce.
        external_id: the column that holds our reference.
        rules: by object of the source.
    """

    def __init__(self, outputs: Outputs, sending: Sending, external_id: str, rules: Mapping[str, MatchRule]) -> None:
        self._outputs = outputs
        self._sending = sending
        self._external_id = external_id
        self._rules = rules
        self._claims: dict[
            str, str
        ] = {}  # row -> the reference that takes it, so that no second one of this process does

    async def decide(self, items: Sequence[Item], touch: Touch) -> list[Held]:
        """Gives each item its origin, and a row of somebody else its id as ``target``.

        Arguments:
            items: rows that nothing is known of, one of each reference.
            touch: called while Salesforce is waited for.

        Returns:
            The items that stay undecided.
        """
        present = await self._sending.present(items, touch) if items else {}
        held: list[Held] = []
        unknown: dict[str, list[Item]] = defaultdict(list)
        for item in items:
            if item.reference in present:
                self._take(item, present[item.reference])
            elif self._rule(item.layout.object).forms:
                unknown[item.layout.object].append(item)
            else:
                item.origin = Origin.ABSENT
        for object_, members in unknown.items():
            held += await self._match(self._rule(object_), members, touch)
        return held

    def only_by_id(self, object_: str) -> bool:
        """Whether rows of an object are recognised by our external id alone."""
        return not self._rule(object_).forms

    def _rule(self, object_: str) -> MatchRule:
        return self._rules.get(object_) or MatchRule({}, "", [self._external_id])

    async def _match(self, rule: MatchRule, items: Sequence[Item], touch: Touch) -> list[Held]:
        keys = {item.reference: _key(rule, item.columns | item.insert_only) for item in items}
        asked = [str((item.columns | item.insert_only)[rule.asked_by]) for item in items if keys[item.reference]]
        columns = list(dict.fromkeys(["Id", self._external_id, "CreatedById", *rule.forms, *rule.among]))
        found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
        for row in await self._sending.matching(columns, rule.asked_by, asked, touch) if asked else []:
            key = _key(rule, row)
            if key is not None and _is_among(rule, row):
                found[key].append(row)
        me = await self._sending.user(touch) if found else ""
        held = []
        # Nothing is waited for from here on: what is free when it is looked at is still free when it is taken.
        for item in sorted(items, key=lambda one: one.offset):
            key = keys[item.reference]
            rows = [] if key is None else [row for row in found.get(key, ()) if self._counts(row, me)]
            free = [row for row in rows if not row.get(self._external_id)]
            if len(rows) == 1 and free and self._claims.get(rows[0]["Id"], item.reference) == item.reference:
                self._take(item, rows[0]["Id"])
            elif rows:
                ids = ", ".join(sorted(row["Id"] for row in rows)[:_MOST_NAMED])
                held.append(Held(item, TAKEN if len(rows) == 1 else AMBIGUOUS, ids))
            else:
                item.origin = Origin.ABSENT
        return held

    def _counts(self, row: Mapping[str, Any], me: str) -> bool:
        """A row that carries an external id and that we made is another record's own, however much it looks like this one."""
        return not row.get(self._external_id) or row.get("CreatedById") != me

    def _take(self, item: Item, sf_id: str) -> None:
        item.origin, item.target = Origin.FOREIGN, sf_id
        self._claims[sf_id] = item.reference

    def release(self, item: Item) -> None:
        """The item was not written after all: its row is free again, and it is decided about anew."""
        if item.target is not None:
            self._claims.pop(item.target, None)
            item.origin = item.target = None

    async def keep(self, items: Sequence[Item], touch: Touch) -> list[Held]:
        """Makes the targets of ``items`` durable as they are now, before anything is sent.

        Returns:
            Those whose row has gone or was taken meanwhile; they have no target any more.
        """
        held: list[Held] = []
        waiting: list[asyncio.Future[Any]] = []
        by_object: dict[str, list[Item]] = defaultdict(list)
        for item in items:
            by_object[item.layout.object].append(item)
        for object_, members in by_object.items():
            imaged = self._rule(object_).imaged
            for start in range(0, len(members), MOST_IDS):
                part = members[start : start + MOST_IDS]
                rows = await self._sending.rows(
                    [item.target or "" for item in part], list(dict.fromkeys([*imaged, *_STAMPS])), touch
                )
                for item, row in zip(part, rows, strict=True):
                    if row is None or row.get(self._external_id) not in {None, "", item.reference}:
                        held.append(Held(item, GONE if row is None else TAKEN, item.target or ""))
                    else:
                        waiting.append(await self._outputs.image(item.row, item.target or "", _image(row, imaged), row))
        await self._outputs.publisher.settle(waiting)
        for one in held:
            self.release(one.item)
        return held


def _image(row: Mapping[str, Any], imaged: Iterable[str]) -> dict[str, Value]:
    return {column: row.get(column) for column in imaged}


def _key(rule: MatchRule, row: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """What must be equal, None when one of the columns is empty."""
    key = tuple(_comparable(form, row.get(column)) for column, form in rule.forms.items())
    return None if None in key else key


def _is_among(rule: MatchRule, row: Mapping[str, Any]) -> bool:
    """Whether a row of the org is of those that may be taken over at all."""
    return all(
        _comparable("text", row.get(column)) == _comparable("text", value) for column, value in rule.among.items()
    )


def _comparable(form: str, value: Any) -> Any:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or form not in {"number", "money", "integer", "datetime"}:
        return str(value).strip().casefold() or None
    try:
        if form != "datetime":
            return float(value)
        return datetime.fromisoformat(str(value).replace("+0000", "+00:00")).timestamp()
    except ValueError:
        return str(value)
