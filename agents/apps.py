"""Puts the app of a stage together: clients, tables, agents, and the checkpoint they share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, cast

from agents.adoption import Adoption, MatchRule
from agents.allowance import Allowance
from agents.attachments import AttachmentSending
from agents.contact_roles import ROLE, ContactRoles
from agents.contact_step import ContactStep
from agents.content_sending import BATCH_ROWS as FILE_ROWS
from agents.content_sending import ContentsLoad
from agents.contents import Contents, Documents, NoteImages
from agents.extract import Extraction, Source
from agents.file_places import FilePlaces, FileRows, homes_of, references_of
from agents.file_removal import FileRemoval
from agents.files import FileSending
from agents.gate import Gate
from agents.item import Items
from agents.journal import Journal
from agents.load import Load
from agents.loss import Loss
from agents.map import Map
from agents.outputs import Outputs
from agents.owner_book import OwnerBook
from agents.owners import Owners
from agents.relations import RelationSending, RelationsLoad
from agents.removal import Removal
from agents.resolve import Resolve
from agents.room import Room
from agents.sending import Sending
from agents.source_records import SourceRecords
from agents.taking import taken_of
from agents.verify import Lookup, Verify
from agents.withheld import Withheld
from connectors.errors import NotFound
from connectors.salesforce.session import Salesforce
from connectors.visual_practice.client import VisualPractice
from mapping.attachments import READ
from mapping.check import insert_only_columns, left_out, withheld
from mapping.comparators import compile_comparison
from mapping.owner_comparison import OwnerComparison
from mapping.plan import compile_plan
from mapping.rules import ATTACHED_TO, ATTACHMENT, FILE, MOST_BYTES, RELATION, MapDocument, ObjectRule
from mapping.source_fields import SOURCE_FIELDS
from state.table import StateTable
from topics.catalogue import OWNER, Catalogue
from topics.codec import Codec
from transport import agent
from transport.app import App, create
from transport.checkpoint import Checkpoint
from transport.chunk import Chunk
from transport.consumer import Consumer
from transport.publisher import Publisher

_LARGEST_MESSAGE: Final = 2 * 1024 * 1024
_WINDOW: Final = 2000  # records of each partition
_MAP_WINDOW: Final = 1000  # small: parents that were fetched later must not queue behind tens of thousands of children
# While a batch flies the next one begins to gather. Rows that wait are most of what the process holds.
_DELIVER_AHEAD: Final = 1000
_EXCUSE_SECONDS: Final = 5.0
_NEVER: Final = 1 << 30  # rows


@dataclass(frozen=True)
class Setup:
    """What a worker needs to know; made from the settings by `cutover.worker`.

    Attributes:
        bootstrap: Kafka.
        catalogue: the cutover's topics.
        document: the confirmed map.
        cutover: id of the cutover.
        data_dir: local files of this worker alone.
        worker: its name among the workers of the stage.
        overlap_seconds: how far each sweep of the source looks back.
        poll_seconds: pause between two sweeps.
        lookup_after_seconds: see `agents.resolve.Resolve`.
        hold_after_seconds: see `agents.resolve.Resolve`.
        batch_rows: see `agents.load.Load`.
        bulk_from_rows: see `agents.load.Load`.
        idle_seconds: see `agents.load.Load`.
        owners_again_seconds: see `agents.owners.Owners`.
        make_lost_again: see `agents.loss.Loss`.
        verify_window, verify_idle_seconds: see `agents.verify.Verify`.
        overrides: further Faust settings.
    """

    bootstrap: str
    catalogue: Catalogue
    document: MapDocument
    cutover: str
    data_dir: Path
    worker: str
    overlap_seconds: float = 5.0
    poll_seconds: float = 1.0
    lookup_after_seconds: float = 5.0
    hold_after_seconds: float = 10.0
    batch_rows: int = 10_000
    bulk_from_rows: int = 2000
    idle_seconds: float = 0.5
    owners_again_seconds: float = 30.0
    make_lost_again: bool = False
    verify_window: int = 8000
    verify_idle_seconds: float = 1.0
    overrides: Mapping[str, Any] | None = None


class _Agent(Protocol):
    async def handle(self, chunk: Chunk) -> None: ...

    async def quarantine(self, chunk: Chunk, exc: BaseException) -> None: ...


class _Parts:
    """What every stage's app is made of."""

    def __init__(self, setup: Setup, stage: str) -> None:
        self.setup = setup
        self.stage = stage
        self.publisher = Publisher(setup.bootstrap, max_request_bytes=_LARGEST_MESSAGE)
        self.outputs = Outputs(self.publisher, Codec(), setup.catalogue)
        self._tables: list[StateTable] = []

    def table(self, topic: str, source: str) -> StateTable:
        table = StateTable(
            topic,
            source,
            bootstrap=self.setup.bootstrap,
            publisher=self.publisher,
            directory=self.setup.data_dir / "state",
        )
        self._tables.append(table)
        return table

    def app(self, *, window_records: int = _WINDOW, order: Sequence[str] = ()) -> App:
        setup = self.setup
        return create(
            setup.catalogue.group(self.stage),
            setup.bootstrap,
            Checkpoint(self.publisher, self._tables),
            worker=setup.worker,
            data_dir=setup.data_dir / "faust",
            window_records=window_records,
            order=order,
            **(setup.overrides or {}),
        )


def _register(app: App, name: str, member: _Agent, *topics: str) -> None:
    async def chunks(stream: Any) -> None:
        await agent.run(app, stream, member.handle, member.quarantine)

    chunks.__name__ = name
    channel = app.topic(*topics, value_type=bytes, key_type=bytes)
    app.agent(channel, concurrency=1, name=name)(chunks)


def _background(app: App, work: Callable[[], Awaitable[None]]) -> None:
    """Runs ``work`` beside the agents; whatever it raises takes the process down."""

    async def task() -> None:
        try:
            await work()
        except Exception as exc:  # noqa: BLE001 - unknown: die and redo
            await app.crash(exc)

    app.task(task)


def _share_calls(app: App, allowance: Allowance, publisher: Publisher) -> None:
    """Asks for leases of API calls; while there are none to be had, standing still is no stall."""

    async def excuse() -> None:
        while True:
            await asyncio.sleep(_EXCUSE_SECONDS)
            assignment = cast("Consumer", app.consumer).current
            if allowance.waiting and assignment is not None:
                for tp in assignment.watermarks:
                    assignment.touch(tp)

    _background(app, partial(allowance.follow, publisher))
    _background(app, excuse)


def ingest(setup: Setup, client: VisualPractice) -> App:
    """The app that reads the source and maps."""
    parts, names = _Parts(setup, "ingest"), setup.catalogue
    objects = setup.document.objects
    extraction = Extraction(
        parts.outputs,
        parts.table(names.state("extract"), names.extract),
        client,
        {name: _source(setup.document, name, others) for name, others in setup.document.extracted.items()},
        overlap=timedelta(seconds=setup.overlap_seconds),
        poll=timedelta(seconds=setup.poll_seconds),
    )
    mapper = Map(parts.outputs, {name: compile_plan(setup.document, name) for name in objects})
    # The map names parents before children: children whose parents are in needn't wait.
    sources = list(dict.fromkeys(names.vp(name) for name in objects))
    app = parts.app(window_records=_MAP_WINDOW, order=[names.extract, *sources])
    _register(app, "extract", extraction, names.extract)
    _register(app, "map", mapper, *sources, names.replay)
    _background(app, extraction.tick)
    return app


def _source(document: MapDocument, name: str, others: Sequence[str]) -> Source:
    """How an object is read; ``others`` take its records, too."""
    rules = [document.objects[one] for one in (name, *others)]
    columns = (column for rule in rules for column in rule.columns.values())
    needed = frozenset(field for column in columns for field in column.source_fields)
    needed |= frozenset(READ if name in document.attached else ())
    also = {one: document.objects[one].target for one in others}
    rule = rules[0]
    # Of others with their name: what was published before anybody waited for those was told to nobody.
    waits = [f"{one} {how}" for one in others if (how := document.awaited.get(one)) is not None]
    awaited = ", ".join(filter(None, [document.awaited.get(name), *waits])) or None
    fields, taken = SOURCE_FIELDS[rule.resource], taken_of(document, name)
    return Source(rule.resource, fields, rule.target, needed, awaited, also, taken)


def resolve(setup: Setup) -> App:
    """The app that gives rows their parents."""
    parts, names = _Parts(setup, "resolve"), setup.catalogue
    resolver = Resolve(
        parts.outputs,
        parts.table(names.state("refs"), names.refs),
        setup.document,
        lookup_after=setup.lookup_after_seconds,
        hold_after=setup.hold_after_seconds,
    )
    app = parts.app()
    _register(app, "resolve", resolver, names.refs)
    _background(app, resolver.tick)
    return app


def deliver(
    setup: Setup,
    salesforce: Salesforce,
    describes: Mapping[str, Mapping[str, Any]],
    gate: Gate,
    records: SourceRecords,
    allowance: Allowance,
    source: VisualPractice | None = None,
) -> App:
    """The app that loads; ``source`` is where the contents of documents are, if the map has any."""
    parts, names, document = _Parts(setup, "deliver"), setup.catalogue, setup.document
    create_only, without = insert_only_columns(document, describes), left_out(document, describes)
    places = FilePlaces(salesforce, homes_of(document))
    parents = {c.parent for rule in document.objects.values() for c in rule.columns.values() if c.parent is not None}
    parents |= document.pictures
    owners = Owners(
        parts.outputs,
        parts.table(names.state("owners"), names.sf(OWNER)),
        salesforce,
        again_seconds=setup.owners_again_seconds,
    )
    loads: dict[str, Load | Withheld] = {}
    off = withheld(document, describes)
    for sobject in _written(setup):
        if sobject in off:
            loads[sobject] = Withheld(parts.outputs, off[sobject], document.pictures)
            continue
        objects = {name: rule for name, rule in document.rows.items() if rule.target == sobject}
        external_ids = {rule.external_id for rule in objects.values()}
        if len(external_ids) != 1:
            raise ValueError(f"the map must use one external id for {sobject}")
        (external_id,) = external_ids
        journal = Journal(parts.table(names.bulk(sobject), names.sf(sobject)), parts.outputs.codec)
        once = sorted({c for name in objects for c in create_only[name]})
        sending = Sending(salesforce, sobject, external_id, once, journal)
        removal, kind = Removal(salesforce, sobject, describes[sobject]), Load
        contents, relations = sobject in {FILE, ATTACHMENT}, sobject == RELATION
        files: FileSending | None = None
        if relations:
            cleared = _cleared(objects, create_only)
            sending, kind = RelationSending(salesforce, external_id, once, journal, removal, cleared), RelationsLoad
        if contents:
            kind = ContentsLoad
            most = {name: rule.max_bytes or MOST_BYTES for name, rule in objects.items()}
            contents_of = {name: _contents(setup, name, cast("VisualPractice", source)) for name in objects}
            if sobject == FILE:
                files = sending = FileSending(salesforce, external_id, once, journal, contents_of, most, places)
                removal = FileRemoval(salesforce, sobject, describes[sobject])
            else:
                sending = AttachmentSending(salesforce, external_id, once, journal, contents_of, most, removal)
        loads[sobject] = kind(
            parts.outputs,
            parts.table(names.state(f"rows.{sobject}"), names.sf(sobject)),
            journal,
            sending,
            Adoption(parts.outputs, sending, external_id, {n: _match_rule(rule) for n, rule in objects.items()}),
            removal,
            Loss(
                parts.outputs,
                sending,
                records,
                document,
                {name: compile_plan(document, name) for name in objects},
                external_id=external_id,
                create=setup.make_lost_again,
            ),
            _contact_step(salesforce, sending, objects, describes),
            flagging={rule.deleted_column for rule in objects.values() if rule.deleted_column},
            external_id=external_id,
            parents=parents,
            items=_items(objects, without),
            batch_rows=FILE_ROWS if contents else setup.batch_rows,
            # Contents are no cells, and each relation is looked at before.
            bulk_from_rows=_NEVER if contents or relations else setup.bulk_from_rows,
            idle_seconds=setup.idle_seconds,
            gate=gate.open,
            finishing=gate.finishing,
            room=Room() if contents else allowance.room,  # a full file storage stops no other rows
            unique=_unique(describes[sobject], external_id) and not contents and not relations,
            related=document.related,
            documents=files.documents if files is not None and document.pictures else None,
            awaited=not parents.isdisjoint(objects),
        )
    app = parts.app(
        window_records=2 * setup.batch_rows // names.partitions + _DELIVER_AHEAD,
        order=[names.sf(OWNER), *(names.sf(name) for name in loads)],
    )
    _register(app, "owners", owners, names.sf(OWNER))
    _background(app, owners.tick)
    for sobject, load in loads.items():
        _register(app, f"load.{sobject}", load, names.sf(sobject))
        if isinstance(load, Load):
            _background(app, load.tick)
    _background(app, gate.follow)
    _share_calls(app, allowance, parts.publisher)
    return app


def _contents(setup: Setup, name: str, source: VisualPractice) -> Contents:
    rule = setup.document.objects[name]
    if rule.taken_from is None:
        return Documents(source)
    of, field = setup.document.objects[rule.taken_from.object], rule.taken_from.from_
    overlap = timedelta(seconds=setup.overlap_seconds)
    return NoteImages(source, of.resource, field, rule.max_bytes or MOST_BYTES, overlap)


def _cleared(objects: Mapping[str, ObjectRule], create_only: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """What a relation holds that says nothing of our records any more."""
    found: dict[str, Any] = {rule.deleted_column: None for rule in objects.values() if rule.deleted_column}
    for name, rule in objects.items():
        for column, spec in rule.columns.items():
            if column not in create_only[name] and not spec.where_allowed:
                found[column] = {"ongoing": True, "boolean": False}.get(spec.as_)
    return found


def _items(objects: Mapping[str, ObjectRule], without: Mapping[str, Collection[str]]) -> Items:
    columns = [pair for rule in objects.values() for pair in rule.columns.items()]
    stamps = {name for name, column in columns if column.where_allowed and column.as_ == "datetime"}
    parents = [name for name, column in columns if column.parent]
    if any(rule.attaches for rule in objects.values()):
        parents = [ATTACHED_TO]  # of these rows they say where to look for one
    return Items(parents, without, stamps)


def _contact_step(
    salesforce: Salesforce,
    sending: Sending,
    objects: Mapping[str, ObjectRule],
    describes: Mapping[str, Mapping[str, Any]],
) -> ContactStep | None:
    columns = {name: column for name, rule in objects.items() if (column := rule.contact_column) is not None}
    return ContactStep(ContactRoles(salesforce, describes.get(ROLE)), sending, columns) if columns else None


async def described(salesforce: Salesforce, document: MapDocument) -> dict[str, dict[str, Any]]:
    """The org's describes of all that the map writes, by Salesforce object; those that the org has not, or hides from us, are missing (`mapping.check`).

    Raises:
        connectors.errors.ConnectorError: the org can't be asked.
    """
    names = sorted({rule.target for rule in document.rows.values()})
    found: dict[str, dict[str, Any]] = {}
    # One after the other: where the first is refused none of the others is left in the middle of connecting.
    for name in (*names, *document.roles):
        with contextlib.suppress(NotFound):
            found[name] = await salesforce.describe(name)
    return found


def _unique(describe: Mapping[str, Any], column: str) -> bool:
    return any(field["name"] == column and field.get("unique") for field in describe["fields"])


def _written(setup: Setup) -> list[str]:
    """The Salesforce objects that the map writes, parents first."""
    targets = {rule.target for rule in setup.document.rows.values()}
    return [name for name in setup.catalogue.sobjects if name in targets]


def _match_rule(rule: ObjectRule) -> MatchRule:
    forms = {name: rule.columns[name].as_ for name in rule.match or ()}
    texts = (name for name, form in forms.items() if form in {"text", "email"} and rule.columns[name].join is None)
    asked_by = next(texts, "")
    deleted = [] if rule.deleted_column is None else [rule.deleted_column]
    return MatchRule(forms, asked_by, [rule.external_id, *rule.columns, *deleted], rule.among or {})


def verify(setup: Setup, salesforce: Salesforce, records: SourceRecords, allowance: Allowance) -> App:
    """The app that reads back what was loaded."""
    parts, names, document = _Parts(setup, "verify"), setup.catalogue, setup.document
    book = OwnerBook(setup.bootstrap, names.owners, parts.outputs.codec)
    verifier = Verify(
        parts.outputs,
        salesforce,
        records,
        {name: compile_comparison(document, name) for name in document.rows},
        {name: _lookups(document, name) for name in document.rows},
        {name: OwnerComparison(document, name) for name in document.owners},
        book.of,
        {name: len(document.objects[name].columns) for name in document.objects if document.objects[name].part_of},
        FileRows(salesforce, FilePlaces(salesforce, homes_of(document))),
        window=setup.verify_window,
        idle_seconds=setup.verify_idle_seconds,
        files=_files(salesforce, document),
    )
    app = parts.app(window_records=setup.verify_window)
    _background(app, book.follow)
    _register(app, "verify", verifier, names.audit)
    _background(app, verifier.tick)
    _share_calls(app, allowance, parts.publisher)
    return app


def _files(
    salesforce: Salesforce, document: MapDocument
) -> Callable[[Sequence[str]], Awaitable[dict[str, str]]] | None:
    """What tells whose files the addresses in texts lead to; the external id of all files is one (`deliver`)."""
    columns = {document.objects[name].external_id for name in document.pictures}
    return partial(references_of, salesforce, columns.pop()) if columns else None


def _lookups(document: MapDocument, name: str) -> list[Lookup]:
    found = []
    for column, spec in document.objects[name].columns.items():
        if spec.parent is not None and spec.parent not in document.owners:
            parent = document.objects[spec.parent]
            found.append(Lookup(column, parent.target, parent.external_id))
    return found


@asynccontextmanager
async def stage_app(
    setup: Setup,
    stage: str,
    source: VisualPractice | None,
    target: Salesforce | None,
    describes: Mapping[str, Mapping[str, Any]],
    allowance: Allowance | None,
) -> AsyncIterator[App]:
    """The app of ``stage`` with its clients open, as `transport.worker.serve` wants it.

    ``describes`` are those of the org (`described`), ``allowance`` is the meter of ``target``; both for stages that talk to Salesforce.

    Raises:
        connectors.errors.ConnectorError: a system that the stage needs does not answer as it should.
    """
    async with AsyncExitStack() as stack:
        if stage == "ingest":
            yield ingest(setup, await stack.enter_async_context(cast("VisualPractice", source)))
        elif stage == "resolve":
            yield resolve(setup)
        elif stage == "deliver":
            salesforce = await stack.enter_async_context(cast("Salesforce", target))
            gate = Gate(setup.bootstrap, setup.catalogue.control, Codec(), setup.cutover, setup.document.hash)
            records = await _records(stack, setup)
            if source is not None:
                source = await stack.enter_async_context(source)
            yield deliver(setup, salesforce, describes, gate, records, cast("Allowance", allowance), source)
        else:
            salesforce = await stack.enter_async_context(cast("Salesforce", target))
            yield verify(setup, salesforce, await _records(stack, setup), cast("Allowance", allowance))


async def _records(stack: AsyncExitStack, setup: Setup) -> SourceRecords:
    records = SourceRecords(setup.bootstrap)
    await records.start()
    stack.push_async_callback(records.stop)
    return records
