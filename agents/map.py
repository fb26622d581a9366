"""The map agent: change records in, rows out; those with parents go by way of ``refs``, the others straight to their Salesforce object.

It remembers nothing: the version guard at the end of the way makes repeats harmless.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final, cast

import orjson

from agents.outputs import Outputs, position_of, row_of
from agents.picturing import retellable
from mapping.plan import Mapped, MappingRejected, Plan
from mapping.rules import RELATION, RELATION_CONTACT
from topics import reference
from topics.codec import SORTED, Undecodable, Unencodable
from topics.messages import Change, Need, Position, Ready
from transport.chunk import Chunk
from transport.publisher import MessageTooLarge

STAGE: Final = "map"
_CHANGE: Final = "change."


class Map:
    """Maps changes by compiled plans.

    Arguments:
        outputs: where rows, rejects and operations go.
        plans: by object; a record is mapped by all that take it, each time to another row.
    """

    def __init__(self, outputs: Outputs, plans: Mapping[str, Plan]) -> None:
        self._outputs = outputs
        self._plans: dict[str, list[Plan]] = defaultdict(list)
        for plan in plans.values():
            self._plans[plan.records_of].append(plan)
        # A reject of an object that others refer to has to reach its children.
        self._topics = {outputs.catalogue.vp(name): name for name in self._plans}

    async def handle(self, chunk: Chunk) -> None:
        """Maps every record of the chunk; bad data becomes a reject of its one record."""
        for record in chunk.records:
            await self._map(record)
        chunk.done()

    async def quarantine(self, chunk: Chunk, exc: BaseException) -> None:
        """Rejects the one record that has crashed this agent three times."""
        record = chunk.records[0]
        await self._reject(
            record,
            None,
            "QUARANTINED",
            f"mapping it fails with {type(exc).__name__}; this is a fault of Carryover: report it",
        )

    async def _map(self, record: Any) -> None:
        try:
            message, decoded = self._outputs.decode(record)
        except Undecodable as exc:
            await self._reject(
                record,
                None,
                f"UNDECODABLE_{exc.code.upper()}",
                "these bytes are not a change record; find out who wrote them",
            )
            return
        plans = self._plans.get(message.removeprefix(_CHANGE))
        if plans is None:
            await self._reject(
                record,
                None,
                "UNKNOWN_OBJECT",
                "the map has no such object; add it to the map or leave it out of the extract",
            )
            return
        for plan in plans:
            await self._map_by(plan, cast("Change", decoded), record)

    async def _map_by(self, plan: Plan, change: Change, record: Any) -> None:
        try:
            await self._apply(plan, record.key.decode(), change, position_of(record))
        except MappingRejected as exc:
            await self._reject(record, (plan, change), exc.code, exc.message, exc.columns)
        except (MessageTooLarge, Unencodable) as exc:
            code = "RECORD_TOO_LARGE" if isinstance(exc, MessageTooLarge) else "VALUE_UNSTORABLE"
            await self._reject(
                record,
                (plan, change),
                code,
                "the row does not fit into a message; shorten its longest text in Visual Practice",
            )

    async def _apply(self, plan: Plan, vp_id: str, change: Change, source: Position) -> None:
        own = reference.join(plan.object, vp_id)
        row = row_of(plan.object, plan.sobject, own, change["version"], change["run"], source)
        if plan.counted_in is not None:
            await self._count(plan, vp_id, change, row)
            return
        if change["op"] == "delete":
            if plan.on_delete == "keep":
                await self._outputs.audit("keep", row, "skipped", code="KEPT_ON_DELETE")
                return
            row["op"] = plan.on_delete
            if plan.deleted_column is not None:  # of a row that is to be deleted and can't be, too
                row["columns"] = plan.flag(vp_id, _salesforce_time(change["version"]), change["run"])
            await self._pass_on(plan, row, [])
            return
        fields = change["fields"] or {}
        because = plan.skips(fields)
        if because is not None:
            # What an earlier version has brought to Salesforce has to go: the loader knows whether it did.
            row["op"], row["columns"] = "skip", {"because": because}
            await self._pass_on(plan, row, [])
            return
        mapped = plan.map(vp_id, fields, change["custom"], change["run"])
        row["columns"] = mapped.columns
        await self._note_repairs(row, mapped)
        needs: list[Need] = [
            {"column": need.column, "parent": need.parent, "on_absent": need.on_absent} for need in mapped.references
        ]
        needs = retellable(needs)
        if plan.sobject == RELATION:  # its last stop is the contact, who knows which account is the contact's own
            needs.sort(key=lambda need: need["column"] == RELATION_CONTACT)
        await self._pass_on(plan, row, needs)

    async def _pass_on(self, plan: Plan, row: Ready, needs: list[Need]) -> None:
        """To where others' records count in it, to its parents, or straight to its Salesforce object."""
        if plan.counts:
            await self._outputs.base(row, needs)
        elif needs:
            await self._outputs.waiting(row, needs)
        else:
            await self._outputs.ready(row)

    async def _count(self, plan: Plan, vp_id: str, change: Change, row: Ready) -> None:
        """A record that counts in the row of another one."""
        target, values = None, b"{}"
        if change["op"] != "delete":
            fields = change["fields"] or {}
            target = plan.target(fields)
            mapped = plan.map(vp_id, fields, change["custom"], change["run"])
            await self._note_repairs(row, mapped)
            values = orjson.dumps(mapped.columns, option=SORTED)
        await self._outputs.member(
            {
                "parent": row["reference"],
                "target": target,
                "reference": row["reference"],
                "object": row["object"],
                "sobject": row["sobject"],
                "op": change["op"],
                "version": row["version"],
                "run": row["run"],
                "source": row["source"],
                "values": values,
            }
        )

    async def _note_repairs(self, row: Ready, mapped: Mapped) -> None:
        if mapped.repairs:
            codes = sorted({repair.code for repair in mapped.repairs})
            columns = [repair.column for repair in mapped.repairs]
            await self._outputs.audit("repair", row, None, detail=",".join(codes), columns=columns)

    async def _reject(
        self,
        record: Any,
        mapped: tuple[Plan, Change] | None,
        code: str,
        message: str,
        columns: tuple[str, ...] = (),
    ) -> None:
        vp_id = (record.key or b"?").decode(errors="replace")
        object_ = self._topics.get(record.topic, "unknown")
        if mapped is not None:
            plan, change = mapped
            await self._refuse(record, plan, vp_id, change["version"], change["run"], code, message, columns)
            return
        version = dict(record.headers).get("version", b"").decode(errors="replace")
        for plan in self._plans.get(object_, ()):
            await self._refuse(record, plan, vp_id, version, "", code, message, columns)
        if object_ not in self._plans:
            own, data = f"{object_}:{vp_id}", record.value or b""
            await self._outputs.reject(STAGE, own, code, message, data, position_of(record))

    async def _refuse(
        self,
        record: Any,
        plan: Plan,
        vp_id: str,
        version: str,
        run: str,
        code: str,
        message: str,
        columns: tuple[str, ...],
    ) -> None:
        own = f"{plan.object}:{vp_id}"
        await self._outputs.reject(STAGE, own, code, message, record.value or b"", position_of(record))
        row = row_of(plan.object, plan.sobject, own, version, run, position_of(record))
        await self._outputs.audit("reject", row, "rejected", code=code, columns=columns)
        await self._outputs.fate("rejected", own, version=version, code=code)


def _salesforce_time(version: str) -> str:
    return f"{version[:19]}.000Z"
