"""`carryover reconcile`: does Salesforce hold what the ledger says it does?

Every row that carries our external id is read, archived activities included, and compared with the ledger by reference. Values are not: verification has read
them back, and reads the newest version again whenever it changes.

What differs at first may be on its way. So the ledger is looked at before and after the org, and only what it is sure of both times is told. A row that is
missing is told to the loader that keeps its state, which looks for itself (`agents.loss`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agents.outputs import NO_VERSION, Outputs, check_of, row_of
from connectors.errors import NotFound
from connectors.salesforce import soql
from connectors.salesforce.session import Salesforce
from cutover import phase
from cutover.caught_up import caught_up
from cutover.chosen_map import read_map
from cutover.ledger.delivery import position
from cutover.ledger.read import Reader
from cutover.operator_calls import OperatorCalls
from cutover.publish import open_publisher
from cutover.settings import Settings
from cutover.target import open_target
from mapping.rules import ATTACHMENT, FILE, RELATION, RELATION_ACCOUNT, RELATION_CONTACT, MapDocument
from topics.codec import Codec
from topics.messages import Ready, RowMember

_AT_ONCE: Final = 10_000
_NEED_NOT_BE_THERE: Final = frozenset({RELATION, ATTACHMENT, FILE})
"""Objects that an org may not offer us (`mapping.check.withheld`)."""


@dataclass
class Found:
    """What one Salesforce object holds, against the ledger.

    Attributes:
        sobject: API name.
        expected: Rows that the ledger says are there.
        held: Rows of the org that carry our external id.
        missing: References of rows that are not there: somebody deleted them.
        unknown: Rows under our external id that the ledger says are not there: `reference row_id state`. A worker that stood still can leave one, or a person.
        edited: Rows that somebody else changed last: `reference row_id by at`.
        direct: Of relations, those that Salesforce made by itself for contacts of ours; None of other objects.
        contacts: Of relations, contacts of ours that have an account: each has one of these.
    """

    sobject: str
    expected: int = 0
    held: int = 0
    missing: list[str] = field(default_factory=list)
    unknown: list[dict[str, Any]] = field(default_factory=list)
    edited: list[dict[str, Any]] = field(default_factory=list)
    direct: int | None = None
    contacts: int | None = None


async def reconcile(settings: Settings, *, dry_run: bool) -> list[Found]:
    """Compares every Salesforce object that the map writes.

    Keeps about 250 bytes for each row of one object while it works, and costs one API call for 2,000 rows.

    Arguments:
        settings: Whose cutover.
        dry_run: Tell no loader about missing rows.

    Raises:
        Refused: Nothing was begun, or it was rolled back.
        Failed: The ledger does not catch up.
        ConnectorError: The org can't be read.
    """
    newest = await phase.going_on(settings, "there is nothing to compare")
    document, _ = read_map(settings)
    answer: list[Found] = []
    asked: list[Ready] = []
    async with open_target(settings, meter=OperatorCalls("reconcile", settings.target)) as target:
        me = await target.user_id()
        for sobject in settings.catalogue.sobjects:
            if any(rule.target == sobject for rule in document.rows.values()):
                if sobject in _NEED_NOT_BE_THERE and not await _has(target, sobject):
                    continue
                comparison = _Comparison(settings, document, sobject)
                answer.append(await comparison.run(target, me))
                asked += comparison.checks(newest["run"])
    if asked and not dry_run:
        await _ask(settings, asked)
    return answer


class _Comparison:
    """Of one Salesforce object."""

    def __init__(self, settings: Settings, document: MapDocument, sobject: str) -> None:
        self._settings = settings
        self._found = Found(sobject)
        self._rules = [rule for rule in document.rows.values() if rule.target == sobject]
        attached = (name for name, rule in document.rows.items() if rule.target == sobject and rule.attaches)
        self._told_apart = tuple(f"{name}:" for name in attached)
        self._external_id = self._rules[0].external_id
        self._flags = sorted({rule.deleted_column for rule in self._rules if rule.deleted_column})
        self._lost: list[Mapping[str, Any]] = []

    async def run(self, target: Salesforce, me: str) -> Found:
        found = self._found
        await caught_up(self._settings)
        with Reader(self._settings.ledger) as reader:
            expected = {row["reference"]: row for row in reader.present(found.sobject)}
        found.expected = len(expected)
        unexpected: dict[str, str] = {}
        async for page in self._pages(target, me, expected):
            for row in page:
                own = row[self._external_id]
                found.held += 1
                if row["LastModifiedById"] != me:
                    by = {"by": row["LastModifiedById"], "at": row["LastModifiedDate"]}
                    found.edited.append({"reference": own, "row_id": row["Id"], **by})
                known = expected.get(own)
                if known is not None and known["row_id"] == row["Id"]:
                    del expected[own]
                elif not any(row.get(column) for column in self._flags):
                    unexpected[own] = row["Id"]
        await caught_up(self._settings)
        with Reader(self._settings.ledger) as reader:
            self._lost = list(_still(reader, expected))
            found.unknown = list(_unknown(reader, unexpected))
        found.missing = [row["reference"] for row in self._lost]
        if found.sobject == RELATION:
            own = f"{RELATION_CONTACT.removesuffix('Id')}.{soql.name(self._external_id)} != null"
            found.direct = await _count(target, f"{RELATION} WHERE IsDirect = true AND {own}")
            own = f"{soql.name(self._external_id)} != null"
            found.contacts = await _count(target, f"Contact WHERE {RELATION_ACCOUNT} != null AND {own}")
        return found

    async def _pages(
        self, target: Salesforce, me: str, expected: Mapping[str, Mapping[str, Any]]
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """All live rows that carry our external id."""
        own = soql.name(self._external_id)
        if not self._told_apart:
            async for page in target.pages(f"{self._select()} WHERE {own} != null AND IsDeleted = false", every=True):
                yield page
            return
        # Salesforce can't be asked by what tells Attachments apart: all that we made, and of others those that we have taken over.
        seen: set[str] = set()
        async for page in target.pages(f"{self._select()} WHERE CreatedById = {soql.quoted(me)}"):
            rows = [row for row in page if str(row[self._external_id] or "").startswith(self._told_apart)]
            seen.update(row["Id"] for row in rows)
            yield rows
        others = [row["row_id"] for row in expected.values() if row["row_id"] not in seen]
        yield [row for row in await target.query_in(self._select(), "Id", others) if row[self._external_id] in expected]

    def _select(self) -> str:
        names = ["Id", self._external_id, "LastModifiedById", "LastModifiedDate", *self._flags]
        return f"SELECT {', '.join(soql.name(name) for name in names)} FROM {soql.name(self._found.sobject)}"  # noqa: S608

    def checks(self, run: str) -> list[Ready]:
        """What asks the loaders to look for the missing rows, and names the records that count in them."""
        counting: dict[str, list[RowMember]] = {}
        with Reader(self._settings.ledger) as reader:
            for rows in _parts(self._lost):
                for part in reader.counted_in([row["row_id"] for row in rows]):
                    if part["loaded_version"] is not None and part["landed_source"] is not None:
                        member: RowMember = {
                            "reference": part["reference"],
                            "object": part["object"],
                            "version": part["loaded_version"],
                            "op": "upsert",
                            "source": position(part["landed_source"]),
                        }
                        counting.setdefault(part["row_id"], []).append(member)
        asked: list[Ready] = []
        for row in self._lost:
            check = check_of(row_of(row["object"], self._found.sobject, row["reference"], NO_VERSION, run, None))
            check["members"] = counting.get(row["row_id"], [])
            asked.append(check)
        return asked


async def _has(target: Salesforce, sobject: str) -> bool:
    try:
        await target.describe(sobject)
    except NotFound:
        return False
    return True


async def _count(target: Salesforce, what: str) -> int:
    answer = await target.json("GET", "/query", what="count", params={"q": f"SELECT COUNT() FROM {what}"}, read=True)  # noqa: S608
    return int(answer["totalSize"])


def _still(reader: Reader, missed: Mapping[str, Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Of rows that the org did not show, those that have not been changed by us meanwhile."""
    for rows in _parts(list(missed.values())):
        now = reader.settled_as([row["reference"] for row in rows])
        for row in rows:
            known = now.get(row["reference"])
            if known is not None and (known["row_id"], known["loaded_version"]) == (
                row["row_id"],
                row["loaded_version"],
            ):
                yield row


def _unknown(reader: Reader, unexpected: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Of rows that the ledger did not expect, those that nothing is under way for."""
    for names in _parts(sorted(unexpected)):
        now = reader.settled_as(names)
        for name in names:
            known = now.get(name)
            there = known is not None and known["loaded_version"] is not None and known["row_id"] == unexpected[name]
            state = "unknown" if known is None else known["state"]
            if not there and state != "in_flight":
                yield {"reference": name, "row_id": unexpected[name], "state": state}


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


async def _ask(settings: Settings, checks: Sequence[Ready]) -> None:
    async with open_publisher(settings.kafka.bootstrap) as publisher:
        outputs = Outputs(publisher, Codec(), settings.catalogue)
        for check in checks:
            await outputs.ready(check)
        await publisher.settle()
