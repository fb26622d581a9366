"""Puts the app of a stage together: clients, tables, agents, and the checkpoint they share."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final, cast

from agents.allowance import Allowance
from agents.extract import Extraction, Source
from agents.file_places import FilePlaces, FileRows, homes_of, references_of
from agents.gate import Gate
from agents.loaders import deliver
from agents.map import Map
from agents.owner_book import OwnerBook
from agents.resolve import Resolve
from agents.source_records import SourceRecords
from agents.stage import Parts, Setup, background, register, share_calls
from agents.taking import taken_of
from agents.verify import Lookup, Verify
from connectors.errors import NotFound
from connectors.salesforce.session import Salesforce
from connectors.visual_practice.client import VisualPractice
from mapping.attachments import READ
from mapping.comparators import compile_comparison
from mapping.owner_comparison import OwnerComparison
from mapping.plan import compile_plan
from mapping.rules import MapDocument
from mapping.source_fields import SOURCE_FIELDS
from topics.codec import Codec
from transport.app import App

_MAP_WINDOW: Final = 1000  # small: parents that were fetched later must not queue behind tens of thousands of children


def ingest(setup: Setup, client: VisualPractice) -> App:
    """The app that reads the source and maps."""
    parts, names = Parts(setup, "ingest"), setup.catalogue
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
    register(app, "extract", extraction, names.extract)
    register(app, "map", mapper, *sources, names.replay)
    background(app, extraction.tick)
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
    parts, names = Parts(setup, "resolve"), setup.catalogue
    resolver = Resolve(
        parts.outputs,
        parts.table(names.state("refs"), names.refs),
        setup.document,
        lookup_after=setup.lookup_after_seconds,
        hold_after=setup.hold_after_seconds,
    )
    app = parts.app()
    register(app, "resolve", resolver, names.refs)
    background(app, resolver.tick)
    return app


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


def verify(setup: Setup, salesforce: Salesforce, records: SourceRecords, allowance: Allowance) -> App:
    """The app that reads back what was loaded."""
    parts, names, document = Parts(setup, "verify"), setup.catalogue, setup.document
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
    background(app, book.follow)
    register(app, "verify", verifier, names.audit)
    background(app, verifier.tick)
    share_calls(app, allowance, parts.publisher)
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
