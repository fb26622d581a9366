"""The messages as Python sees them: one TypedDict each, the same names and fields as the schemas in `avro/`.

Owns shapes only; `topics.codec` turns them into bytes. Versions are encoded `topics.version.Version`s, references are
`topics.reference`s, times are milliseconds since 1970 UTC.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict

Value: TypeAlias = str | int | float | bool | None
"""What a Salesforce column may hold on the wire; integers within 64 bits, numbers finite."""

Op = Literal["upsert", "delete", "flag"]
Outcome = Literal["loaded", "held", "rejected", "skipped", "deleted", "superseded"]
OnAbsent = Literal["placeholder", "hold", "reject"]


class Position(TypedDict):
    """Where a source record lies in Kafka."""

    topic: str
    partition: int
    offset: int


class Change(TypedDict):
    """`change.<object>`: one version of a record as Visual Practice has it; `fields` is None for a delete."""

    op: str
    version: str
    run: str
    origin: str
    read_at: int
    fields: dict[str, str | None] | None
    custom: dict[str, str]


class Row(TypedDict):
    """Which row a `ready` is of, and which version of it."""

    reference: str
    object: str
    sobject: str
    facet: str
    op: str
    version: str
    run: str
    source: Position


class Ready(Row):
    """`ready`: a row for Salesforce with real ids in its columns."""

    columns: dict[str, Value]
    insert_only: dict[str, Value]


class Packed(Row):
    """A `ready` whose columns are still the JSON they travel as (`topics.codec.columns_of`): half of the memory."""

    columns: bytes
    insert_only: bytes


class Need(TypedDict):
    """A parent that a waiting row still needs."""

    column: str
    parent: str
    on_absent: str


class Waiting(TypedDict):
    """`waiting`: a row that lacks a parent's Salesforce id."""

    parent: str
    child: str
    row: Ready
    column: str
    on_absent: str
    left: list[Need]


class Landed(TypedDict):
    """`landed`: a parent has a row in Salesforce."""

    parent: str
    sf_id: str
    epoch: int


class Rejected(TypedDict):
    """`rejected`: a parent was rejected."""

    parent: str
    version: str
    code: str


class Gone(TypedDict):
    """`gone`: a parent's row no longer exists in Salesforce."""

    parent: str
    epoch: int


class Absent(TypedDict):
    """`absent`: the source has no such parent."""

    parent: str


class Release(TypedDict):
    """`release`: go on releasing a parent's children after `cursor`."""

    parent: str
    cursor: str


class Operation(TypedDict):
    """`operation`: what became of a delivery, or a check of it; `outcome` is None for verify and mismatch."""

    id: str
    what: str
    reference: str
    object: str
    sobject: str
    facet: str
    version: str
    run: str
    row_id: str | None
    outcome: str | None
    code: str | None
    detail: str | None
    columns: list[str]
    at: int
    source: Position | None


class Batch(TypedDict):
    """`batch`: state of one batch on its way to Salesforce."""

    id: str
    sobject: str
    operation: str
    facet: str
    partition: int
    state: str
    path: str
    job_id: str | None
    rows: int
    run: str
    at: int


class BatchRow(TypedDict):
    """A row in a batch."""

    reference: str
    facet: str
    version: str
    op: str
    origin: str
    sf_id: str | None
    topic_offset: int


class BatchRows(TypedDict):
    """`batch_rows`: one page of the rows in a batch."""

    batch: str
    page: int
    rows: list[BatchRow]


class Reject(TypedDict):
    """`reject`: an input that can't go on, untouched; its position is in the headers."""

    reference: str
    stage: str
    code: str
    message: str
    input: bytes
    at: int


class Extract(TypedDict):
    """`extract`: asks the extract to start a snapshot, or to read one record (kind lookup or census)."""

    kind: str
    object: str
    vp_id: str | None
    run: str
    at: int


class Transition(TypedDict):
    """`transition`: the cutover moved to another phase."""

    phase: str
    run: str
    map_hash: str
    by: str
    at: int
    detail: str | None
