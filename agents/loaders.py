"""The app of the deliver stage: a load agent for each Salesforce object, and what they share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final, cast

from agents.adoption import Adoption, MatchRule
from agents.allowance import Allowance
from agents.attachments import AttachmentSending
from agents.contact_roles import ROLE, ContactRoles
from agents.contact_step import ContactStep
from agents.content_sending import BATCH_ROWS as FILE_ROWS
from agents.content_sending import ContentsLoad
from agents.contents import Contents, Documents, NoteImages
from agents.departure import Departure
from agents.file_places import FilePlaces, homes_of
from agents.file_removal import FileRemoval
from agents.files import FileSending
from agents.gate import Gate
from agents.item import Items
from agents.journal import Journal
from agents.load import Load
from agents.loss import Loss
from agents.owners import Owners
from agents.relations import RelationSending, RelationsLoad
from agents.removal import Removal
from agents.room import Room
from agents.sending import Sending
from agents.source_records import SourceRecords
from agents.stage import Parts, Setup, background, register, share_calls
from agents.upstream import Upstream
from agents.withheld import Withheld
from connectors.salesforce.session import Salesforce
from connectors.visual_practice.client import VisualPractice
from mapping.check import insert_only_columns, left_out, withheld
from mapping.plan import compile_plan
from mapping.rules import ATTACHED_TO, ATTACHMENT, FILE, MOST_BYTES, RELATION, ObjectRule
from topics.catalogue import OWNER
from transport.app import App

# While a batch flies the next one begins to gather. Rows that wait are most of what the process holds.
_DELIVER_AHEAD: Final = 1000
_NEVER: Final = 1 << 30  # rows
_QUIET: Final = 20
"""Idle times without a change: then the source is read, as far as one can tell. No fewer than a crowd waits (`agents.departure`)."""
_BURST: Final = 4
"""Idle times: what is published in them comes at once, as far as those who watch can tell."""


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
    parts, names, document = Parts(setup, "deliver"), setup.catalogue, setup.document
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
    idle = setup.idle_seconds
    upstream = Upstream(
        setup.bootstrap,
        names,
        document,
        quiet_seconds=_QUIET * idle,
        burst_seconds=_BURST * idle,
        look_seconds=idle / 2,
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
        batch_rows = FILE_ROWS if contents else setup.batch_rows
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
            batch_rows=batch_rows,
            # Contents are no cells, and each relation is looked at before.
            bulk_from_rows=_NEVER if contents or relations else setup.bulk_from_rows,
            departure=Departure(
                idle,
                batch_rows,
                awaited=not parents.isdisjoint(objects),
                complete=partial(upstream.complete, sobject),
                coming=partial(upstream.coming, sobject),
                burst=partial(upstream.burst, sobject),
            ),
            gate=gate.open,
            finishing=gate.finishing,
            room=Room() if contents else allowance.room,  # a full file storage stops no other rows
            unique=_unique(describes[sobject], external_id) and not contents and not relations,
            related=document.related,
            documents=files.documents if files is not None and document.pictures else None,
        )
    app = parts.app(
        window_records=2 * setup.batch_rows // names.partitions + _DELIVER_AHEAD,
        order=[names.sf(OWNER), *(names.sf(name) for name in loads)],
    )
    register(app, "owners", owners, names.sf(OWNER))
    background(app, owners.tick)
    for sobject, load in loads.items():
        register(app, f"load.{sobject}", load, names.sf(sobject))
        if isinstance(load, Load):
            background(app, load.tick)
    background(app, gate.follow)
    background(app, upstream.follow)
    share_calls(app, allowance, parts.publisher)
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
