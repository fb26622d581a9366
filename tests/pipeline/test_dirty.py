"""A practice with every kind of dirt at once: each ends as it is declared to, and nothing else is held or rejected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, NamedTuple
from uuid import uuid4

import pytest

from agents.ownership import FALLBACK
from cutover.census import RESOURCES
from cutover.chosen_map import read_map
from cutover.dirty_data import PARENT_CODES, RULES
from cutover.explained import reasons
from cutover.ledger.read import Reader
from cutover.owners import decide
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from sandbox.visual_practice import dirt
from sandbox.visual_practice.spoilers import RULES as SPOILS
from tests.dirt.samples import Struck, struck
from tests.pipeline import visits
from tests.pipeline.memberships import let_contacts_have_several_accounts
from tests.pipeline.pipeline import CODEC, Pipeline
from tests.transport.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

Record = dict[str, Any]
Dump = dict[str, list[Record]]

OF_EACH: Final = 2  # samples of a kind and a resource
FIRST: Final = 6_100_000  # their ids
ANCHOR: Final = {"patient_id": "6000001", "practice_id": "6001", "provider_id": "1", "invoice_id": "6000002"}
OBJECTS: Final = {"patients": "patient", "appointments": "appointment", "invoices": "invoice", "payments": "payment"}
OBJECTS_TOO: Final = {
    "documents": "document",
    "lab-results": "lab_result",
    "practice-memberships": "practice_membership",
}
SAMPLED: Final = ({rule.kind for rule in SPOILS} | dirt.USUAL_KINDS.keys() | {"no_practice"}) - {"absent_fields"}
"""Kinds of single records, of which samples are put in. A record without a field can't be handed in at the door."""


def sample(kind: str, one: Struck, number: int) -> Record:
    """A record with this dirt, of which all else is in order."""
    vp_id = str(2**53 + number if kind == "long_ids" else number)
    own = {
        "no_practice": {"practice_id"},
        "dangling_practices": {"practice_id"},
        "orphan_appointments": {"patient_id"},
        "zero_references": {"provider_id"},
        "unknown_practices": {"practice_id"},
    }.get(kind, set())
    record = one.record | {"id": vp_id}
    record |= {name: value for name, value in ANCHOR.items() if name in record and name not in own}
    if one.resource == "documents":
        record["size"] = one.record["size"] if kind in {"empty_documents", "huge_documents"} else 20_000
        if record["content"]["link"]:
            record["content"] = {"link": f"/v1/documents/{vp_id}/content"}
    return record


def put_samples(pipeline: Pipeline) -> dict[str, list[str]]:
    """Puts them in, before anything is read; returns their references by kind."""
    practice, found, number = pipeline.practice, defaultdict(list), FIRST
    practice.put("practice", {"id": "6001", "name": "In Order"})
    practice.put("patient", {"id": ANCHOR["patient_id"], "last_name": "In Order", "practice_id": "6001"})
    bill = {"number": "INV-1", "issue_date": "2024-02-03", "status": "open", "total_amount": "10.00", "items": []}
    practice.put("invoice", {**ANCHOR, "id": ANCHOR["invoice_id"], **bill})
    for kind in sorted(SAMPLED):
        by_resource: dict[str, list[Struck]] = defaultdict(list)
        for one in struck(kind):
            by_resource[one.resource].append(one)
        for resource, some in by_resource.items():
            object_ = (OBJECTS | OBJECTS_TOO)[resource]
            for one in spread(some):
                number += 1
                record = sample(kind, one, number)
                practice.put(object_, record)
                found[kind].append(f"{object_}:{record['id']}")
    return found


def spread(some: list[Struck]) -> list[Struck]:
    """Some of them, unlike each other if there are such."""
    seen: dict[str, Struck] = {}
    for one in some:
        changed = {name: one.record[name] for name in one.record if one.clean and one.record[name] != one.clean[name]}
        seen.setdefault(str(changed) if one.resource == "patients" else str(one.record.get("patient_id")), one)
    return [*seen.values()][: max(OF_EACH, 7 if some[0].resource == "patients" else 0)]


Find = Callable[[Dump], list[str]]


def those(object_: str, test: Callable[[Record], object], plural: str | None = None) -> Find:
    return lambda dump: [f"{object_}:{one['id']}" for one in dump[plural or RESOURCES[object_]] if test(one)]


def _staff(*names: str) -> Find:
    def find(dump: Dump) -> list[str]:
        ids = [user["id"] for user in dump["users"] if user["last_name"] in names]
        return [f"{object_}:{one}" for one in ids for object_ in ("user", "provider")]

    return find


def _crowd(dump: Dump) -> list[str]:
    """Some of the visits of the patient who has most."""
    by_patient: dict[str, list[str]] = defaultdict(list)
    for one in dump["appointments"]:
        by_patient[one["patient_id"]].append(f"appointment:{one['id']}")
    crowd = max(by_patient.values(), key=len)
    assert len(crowd) > 10_000
    return crowd[::100]


def _own_practices(dump: Dump) -> list[str]:
    own = {one["id"]: one["practice_id"] for one in dump["patients"]}
    return those("practice_membership", lambda one: one["practice_id"] == own.get(one["patient_id"]))(dump)


def _repeated_practices(dump: Dump) -> list[str]:
    own = {one["id"]: one["practice_id"] for one in dump["patients"]}
    by_pair: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in dump["practice-memberships"]:
        if one["practice_id"] != own.get(one["patient_id"]):
            by_pair[one["patient_id"], one["practice_id"]].append(f"practice_membership:{one['id']}")
    return [reference for twice in by_pair.values() if len(twice) > 1 for reference in twice]


FOUND: Final[dict[str, Find]] = {  # kinds that lie between records: which records of the practice they are
    "accents": those("patient", lambda one: not str(one.get("first_name")).isascii()),
    "family_emails": those("patient", lambda one: one["email"]),
    "absent_fields": lambda dump: [
        *those("patient", lambda one: "preferred_name" not in one)(dump),
        *those("appointment", lambda one: "cancellation_note" not in one)(dump),
    ],
    "duplicate_patients": those("patient", lambda one: str(one["mrn"]).endswith("-2")),
    "undeleted_records": those("patient", lambda one: one["updated_at"] == "2025-06-30T18:00:00Z"),
    "archived_records": those("patient", lambda one: True, "patients_archived"),
    "guarantor_cycles": those("patient", lambda one: one.get("guarantor_id")),
    "practice_cycles": those("practice", lambda one: one["id"] in {"1", "2", "3"}),
    "own_practices": _own_practices,
    "repeated_practices": _repeated_practices,
    "self_parents": those("practice", lambda one: one["parent_id"] == one["id"]),
    "providers_without_email": _staff("Nameless", "Blank"),
    "shared_provider_emails": _staff("Left", "Right"),
    "many_children": _crowd,
}


class Moved(NamedTuple):
    """What there was, and what became of it.

    Attributes:
        pipeline: at rest.
        samples: by kind, references that have this dirt and no other.
        found: by kind, references of the practice's own records that have it; they may have other dirt, too.
        dump: the source.
        told: by reference, all that the audit says of it.
        state: by reference, what the ledger says at the end, (state, code).
    """

    pipeline: Pipeline
    samples: dict[str, list[str]]
    found: dict[str, list[str]]
    dump: Dump
    told: dict[str, list[Record]]
    state: dict[str, tuple[str, str | None]]


@pytest.fixture(scope="module")
async def moved(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Moved]:
    """A small practice with all kinds of dirt, moved as far as it goes."""
    resources = ",".join(dict.fromkeys(RESOURCES.values()))
    options = {"patients": 60, "practices": 8, "dirty": "all", "documents": 20, "document_bytes": 50_000}
    with SandboxProcess.start(**options, resources=resources) as sandbox:
        let_contacts_have_several_accounts(sandbox)
        pipeline = Pipeline(kafka.bootstrap, f"dirty.{uuid4().hex[:6]}.", sandbox, tmp_path_factory.mktemp("dirty"))
        try:
            samples, dump = put_samples(pipeline), pipeline.practice.dump()
            found = {kind: find(dump) for kind, find in FOUND.items()}
            await pipeline.begin(fallback=False)
            await pipeline.start_all()
            await undecided(pipeline, found["providers_without_email"] + found["shared_provider_emails"])
            users = pipeline.org.users()
            await decide(pipeline.settings, read_map(pipeline.settings)[0], CODEC, FALLBACK, users[visits.FALLBACK])
            await begun(pipeline)
            await pipeline.conserved(within=400)
            await pipeline.idle()
            told: dict[str, list[Record]] = defaultdict(list)
            for record in await pipeline.records(pipeline.catalogue.audit):
                operation = CODEC.decode(record.value)[1]
                told[operation["reference"]].append(operation)
            yield Moved(pipeline, samples, found, dump, told, states(pipeline))
        finally:
            pipeline.kill()


async def undecided(pipeline: Pipeline, staff: list[str]) -> None:
    """Waits until these members of staff are held: nobody has said yet whose their records are to be."""

    async def look() -> bool:
        with Reader(pipeline.settings.ledger) as reader:
            held = {row["reference"] for row in reader.holds(limit=100_000)}
        assert held >= set(staff), set(staff) - held
        return True

    await eventually(look, within=120, every=0.5)


async def begun(pipeline: Pipeline) -> None:
    """Waits until the ledger has heard of every object."""

    async def look() -> bool:
        missing = RESOURCES.keys() - (await pipeline.status())["objects"].keys()
        assert not missing, missing
        return True

    await eventually(look, within=120, every=0.5)


def states(pipeline: Pipeline) -> dict[str, tuple[str, str | None]]:
    with Reader(pipeline.settings.ledger) as reader:
        rows = reader._rows("SELECT reference, state, code FROM deliveries")
        return {row["reference"]: (row["state"], row["code"]) for row in rows}


def outcomes(moved: Moved, reference: str) -> set[tuple[str, str | None]]:
    """What became of a record in the end: (state, code); the code only where it says why."""
    state, code = moved.state[reference]
    return {(state, code if state in {"held", "rejected"} else None)}


@pytest.mark.parametrize("kind", sorted(kind for kind, rule in RULES.items() if rule.read))
async def test_each_kind_ends_as_declared(moved: Moved, kind: str) -> None:
    rule = RULES[kind]
    declared = {("rejected", code) for code in rule.rejected} | {("held", code) for code in rule.held}
    declared |= {("loaded", None)} if rule.loaded else set()
    declared |= {("skipped", None)} if rule.skipped or rule.superfluous else set()
    pure = {one: outcomes(moved, one) for one in moved.samples.get(kind, ())}
    mixed = {one: outcomes(moved, one) for one in moved.found.get(kind, ())}
    assert pure or mixed, "nothing is struck"
    assert all(ended <= declared for ended in pure.values()), (declared, pure)
    ended = set().union(*pure.values(), *mixed.values())
    ever = ended | {(one["outcome"], one["code"]) for name in (*pure, *mixed) for one in moved.told[name]}
    assert ended & declared, (declared, mixed)
    assert {one for one in declared if one[0] != "loaded"} <= ever | {("skipped", None)} & ended, (declared, ever)
    told = {code for name in (*pure, *mixed) for one in moved.told[name] if one["what"] == "repair"
            for code in str(one["detail"]).split(",")}  # fmt: skip
    assert set(rule.reported) <= told


async def test_nothing_else_is_held_or_rejected(moved: Moved) -> None:
    with Reader(moved.pipeline.settings.ledger) as reader:
        found = reasons(reader, dirt.KINDS)
    assert found
    assert [one for one in found if one.explained != one.records] == []


async def test_a_record_that_is_held_says_for_whom(moved: Moved) -> None:
    with Reader(moved.pipeline.settings.ledger) as reader:
        held = reader.holds(limit=100_000)
    assert held
    assert all(row["detail"] for row in held if row["code"] in PARENT_CODES)


async def test_what_was_deleted_before_the_start_is_nowhere(moved: Moved) -> None:
    gone = {
        f"{name}:{one['id']}" for name in ("patient", "invoice") for one in moved.dump[f"{RESOURCES[name]}_deleted"]
    }
    merged = [one for one in moved.dump["patients_deleted"] if one.get("merged_into_id")]
    assert len(merged) >= 3
    assert gone
    assert gone.isdisjoint(moved.state)
    assert gone.isdisjoint(moved.pipeline.org.rows("Contact"))


async def test_words_that_mean_null_elsewhere_arrive_as_text(moved: Moved) -> None:
    contacts = moved.pipeline.org.rows("Contact")
    notes = {record["id"]: record["notes"] for record in moved.dump["patients"]}
    arrived = {own: contacts[own]["Description"] for own in moved.samples["null_words"]}
    assert arrived == {own: notes[own.partition(":")[2]] for own in arrived}
    assert set(arrived.values()) == {"-", "null", "#N/A"}
