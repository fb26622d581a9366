"""The bare pipe that the pipeline is compared with: the same mapping and the same Bulk jobs in one process, and no promise of any kind.

Reads, decodes, maps, uploads 10,000 rows a job, and does not wait for a job before it goes on with the next. Owners are looked up by e-mail once, payments are
read into memory and summed, links are resolved by Salesforce. A killed pipe has lost its place; a row that is refused is not noticed; a parent that comes later
than its child is an error. Run by `bench.pipeline`; prints what it has measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from connectors.salesforce.bulk import Bulk
from connectors.salesforce.csv_rows import CsvRows
from connectors.salesforce.session import Salesforce
from mapping.document import default_map_text, load_map
from mapping.parts import Counted, Counting
from mapping.plan import Mapped, Plan, compile_plan
from topics.catalogue import Catalogue
from topics.codec import Codec

_ROWS: Final = 10_000


async def _read(bootstrap: str, topic: str) -> AsyncIterator[Any]:
    """Every record that the topic holds now."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 << 20,
    )
    await consumer.start()
    try:
        await consumer._client.set_topics([topic])  # noqa: SLF001 - without a subscription nothing else makes it ask
        parts = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        await consumer.seek_to_beginning(*parts)
        left = {part for part in parts if ends[part]}
        while left:
            for part, records in (await consumer.getmany(timeout_ms=200, max_records=2000)).items():
                for record in records:
                    yield record
                if records[-1].offset + 1 >= ends[part]:
                    left.discard(part)
    finally:
        await consumer.stop()


class _Pipe:
    def __init__(self, bootstrap: str, catalogue: Catalogue, salesforce: Salesforce) -> None:
        self._bootstrap, self._catalogue = bootstrap, catalogue
        self._bulk, self._codec = Bulk(salesforce), Codec()
        self._document = load_map(default_map_text(), "the default map")
        self._salesforce = salesforce
        self._owners: dict[str, str] = {}
        self._payments: dict[str, list[Counted]] = defaultdict(list)
        self._counting = Counting(self._document, "invoice")
        self.jobs: list[str] = []
        self.rows = 0

    async def _maps(self, object_: str) -> AsyncIterator[tuple[str, dict[str, Any], Mapped]]:
        plan = compile_plan(self._document, object_)
        async for record in _read(self._bootstrap, self._catalogue.vp(object_)):
            _, change = self._codec.decode(record.value)
            vp_id = record.key.decode()
            yield vp_id, change, plan.map(vp_id, change["fields"], change["custom"], change["run"])

    async def learn(self, fallback: str) -> None:
        """Who owns what, and what was paid."""
        users = await self._salesforce.query("SELECT Id, Email FROM User WHERE IsActive = true")
        by_email = {user["Email"].lower(): user["Id"] for user in users}
        async for vp_id, _, mapped in self._maps("user"):
            email = str(mapped.columns.get("Email") or "").lower()
            self._owners[f"user:{vp_id}"] = by_email.get(email, by_email[fallback.lower()])
        async for vp_id, _, mapped in self._maps("provider"):
            self._owners[f"provider:{vp_id}"] = self._owners[mapped.references[0].parent]
        payment = compile_plan(self._document, "payment")
        async for vp_id, change, mapped in self._maps("payment"):
            self._payments[payment.target(change["fields"])].append(
                Counted("payment", f"payment:{vp_id}", mapped.columns)
            )

    async def move(self, object_: str, relations: dict[str, str]) -> None:
        """Moves one object; ``relations`` names the column by which a lookup is resolved by Salesforce, "" leaves it out."""
        plan: Plan = compile_plan(self._document, object_)
        left_out = {name for name, column in self._document.objects[object_].columns.items() if column.where_allowed}
        upload: CsvRows | None = None
        async for vp_id, _, mapped in self._maps(object_):
            row = mapped.columns
            if plan.counts:
                row = self._counting.complete(row, self._payments.get(f"{object_}:{vp_id}", ()))
            for need in mapped.references:
                column = relations[need.column]
                row[column] = self._owners[need.parent] if column == "OwnerId" else need.parent
            for name in ("", *left_out):
                row.pop(name, None)
            if upload is None:
                upload = CsvRows(
                    [*row, *(name for name in relations.values() if name and name not in row)], most_rows=_ROWS
                )
            if not upload.add(row):
                await self._send(plan, upload)
                upload = CsvRows(upload.columns, most_rows=_ROWS)
                upload.add(row)
        if upload is not None:
            await self._send(plan, upload)

    async def _send(self, plan: Plan, upload: CsvRows) -> None:
        job = await self._bulk.create(plan.sobject, "upsert", plan.external_id)
        await self._bulk.upload(job, upload.data())
        await self._bulk.close(job)
        self.jobs.append(job)
        self.rows += upload.rows

    async def wait(self) -> None:
        for job in self.jobs:
            info = await self._bulk.wait(job, most=0.2)
            if info.state != "JobComplete" or info.failed:
                raise RuntimeError(
                    f"a job of the bare pipe ended as {info.state}, {info.failed} rows failed: {info.reason}"
                )


async def main(task: dict[str, Any]) -> None:
    org = task["salesforce"]
    async with Salesforce(org["url"], org["client_id"], org["client_secret"], "62.0") as salesforce:
        pipe = _Pipe(task["bootstrap"], Catalogue(task["prefix"]), salesforce)
        await salesforce.describe("Account")  # logged in, connected
        began, cpu = time.time(), time.process_time()
        await pipe.move("practice", {"ParentId": ""})
        await pipe.wait()  # patients refer to them
        await pipe.move("patient", {"AccountId": "Account.VP_Id__c"})
        await pipe.learn(task["fallback"])
        await pipe.wait()
        account, owner = {"AccountId": "Account.VP_Id__c"}, {"OwnerId": "OwnerId"}
        visit = {"WhoId": "Contact:Who.VP_Id__c", "WhatId": "Account:What.VP_Id__c", **owner}
        await pipe.move("appointment", visit)
        await pipe.move("invoice", {"ContactId": "Contact.VP_Id__c", **account, **owner})
        await pipe.wait()
        print(json.dumps({"began": began, "ended": time.time(), "cpu": time.process_time() - cpu, "rows": pipe.rows}))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
