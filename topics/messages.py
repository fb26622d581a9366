"""The messages as Python sees them: one TypedDict each, the same names and fields as the schemas in `avro/`.

Owns shapes only; `topics.codec` turns them into bytes. Versions are encoded `topics.version.Version`s, references are
`topics.reference`s, times are milliseconds since 1970 UTC.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict

Value: TypeAlias = str | int | float | bool | None
"""What a Salesforce column may hold on the wire; integers within 64 bits, numbers finite."""

Op = Literal["upsert", "delete", "flag", "skip", "check"]
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


class RowMember(TypedDict):
    """A record that counts in a row of another one: what becomes of the row becomes of it."""

    reference: str
    object: str
    version: str
    op: str
    source: Position


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
    members: list[RowMember]


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


class Base(TypedDict):
    """`base`: a row that other records count in, and the parents that it needs after that; `parent` is its own reference."""

    parent: str
    row: Ready
    needs: list[Need]


class Member(TypedDict):
    """`member`: a record that counts in the row of `target`; `values` is a JSON object of what the row's columns are made from.

    It goes to its own key first (`parent` is its own reference), which knows where it counted before, and from there to its target's.
    """

    parent: str
    target: str | None
    reference: str
    object: str
    sobject: str
    op: str
    version: str
    run: str
    source: Position
    values: bytes


class Owner(TypedDict):
    """`owner`: who owns the records of a user of the source in Salesforce, or (`code`) why that is not known yet."""

    owner: str
    name: str | None
    email: str | None
    sf_id: str | None
    how: str | None
    code: str | None
    by: str | None
    at: int


class Decision(TypedDict):
    """`decision`: an operator says who owns the records of `owner`; `user:~fallback` stands for everybody who is not matched."""

    owner: str
    sf_id: str
    by: str
    at: int


class Landed(TypedDict):
    """`landed`: a parent has a row in Salesforce."""

    parent: str
    sf_id: str
    epoch: int
    account: str | None
    version: str | None
    document: str | None


class Rejected(TypedDict):
    """`rejected`: a parent was rejected."""

    parent: str
    version: str
    code: str


class Gone(TypedDict):
    """`gone`: a parent's row no longer exists in Salesforce."""

    parent: str
    epoch: int


class Doubted(TypedDict):
    """`doubted`: a row was refused because its parent's row `sf_id` is not there."""

    parent: str
    sf_id: str
    run: str


class Absent(TypedDict):
    """`absent`: the source has no such parent."""

    parent: str


class Unlink(TypedDict):
    """`unlink`: `child` goes on without `parent` for now, because each waits for the other."""

    parent: str
    child: str


class Release(TypedDict):
    """`release`: go on releasing a parent's children after `cursor`."""

    parent: str
    cursor: str


class Operation(TypedDict):
    """`operation`: what became of a delivery, or a check of it; `outcome` is None for verify, mismatch and doubt.

    `origin` is where the row in Salesforce came from (absent, ours, foreign), None when nothing was sent.
    `row_version` is of a record that counts in another's row: the version of that row; None for a row's own.
    """

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
    members: list[RowMember]
    origin: str | None
    row_version: str | None


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


class Image(TypedDict):
    """`image`: a row that somebody else made, as it was before we first wrote it."""

    reference: str
    object: str
    sobject: str
    row_id: str
    version: str
    run: str
    at: int
    modified_by: str | None
    modstamp: str | None
    columns: dict[str, Value]


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


class Drift(TypedDict):
    """`drift`: a field of the source is not what it was, or is again; `what` is new, gone, type or back, `was` and `now` name JSON types."""

    object: str
    resource: str
    field: str
    what: str
    was: str
    now: str
    paused: bool
    at: int


class Spending(TypedDict):
    """`spending`: what a worker has used of the org's API calls, and how many more it asks for."""

    worker: str
    stage: str
    ask: str
    spent: int
    wants: int
    used: int | None
    most: int | None
    waiting_since: int | None
    storage_since: int | None
    at: int


class Lease(TypedDict):
    """`lease`: calls that control lets a worker make: until it has made ``upto`` ever, or so many seconds after it asked."""

    worker: str
    ask: str
    upto: int
    seconds: float
    workers: int
    at: int


class OrgLimits(TypedDict):
    """`org_limits`: what the org said of its calls and its storage; storage in MB, None when it did not say."""

    used: int
    most: int
    reserve: int
    line: int
    spent: int
    short_since: int | None
    again_at: int
    storage_mb: int | None
    storage_left_mb: int | None
    at: int
