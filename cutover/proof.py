"""The proof at the end of a demo: what the source holds, what the ledger says, what the org holds, put side by side.

The org and the source are asked directly, by plain queries; only the counts of outcomes and verified fields are the ledger's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.salesforce.bulk import Bulk
from connectors.salesforce.session import Salesforce
from connectors.visual_practice.client import VisualPractice
from cutover.census import list_ids, list_images
from cutover.ledger.read import Reader
from mapping.rules import MapDocument
from topics.catalogue import ALSO

CLASSES: Final = ("loaded", "held", "rejected", "skipped", "deleted", "superseded")


@dataclass
class Proof:
    """What was found, and every sentence that says that something is not as it should be."""

    objects: dict[str, dict[str, int]] = field(default_factory=dict)
    verified_fields: int = 0
    mismatches: int = 0
    orphans: int = 0
    duplicates: int = 0
    lag: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def conserved(self) -> bool:
        return all(counts["source"] == sum(counts[name] for name in CLASSES) for counts in self.objects.values())


async def prove(
    reader: Reader,
    document: MapDocument,
    source: VisualPractice,
    target: Salesforce,
    held_by_source: Mapping[str, int],
    lag: int,
) -> Proof:
    """Compares source, ledger and org.

    Arguments:
        reader: the ledger, caught up.
        document: the map.
        source: an open connection.
        target: an open connection.
        held_by_source: by object, how many records the source says it has, deleted ones since the start included.
        lag: records that no worker has committed yet, as the broker says.

    Raises:
        connectors.errors.ConnectorError: a system can't be read.
    """
    proof = Proof(lag=lag)
    conservation, verification = reader.conservation(), reader.verification()
    rows = {name: await _rows(target, document, name) for name in document.rows}
    users = {row["Id"] for row in await target.query("SELECT Id FROM User WHERE IsActive = true")}
    for name in document.objects:
        counts = conservation.get(name, {})
        taken = document.objects[name].taken_from
        listed = await list_ids(source, name) if taken is None else await list_images(source, taken.object, taken.from_)
        # Nobody else knows of an image that has gone.
        read = name if name in held_by_source else ALSO.get(name, name)
        there = held_by_source[read] if taken is None else len(listed) + int(counts.get("deleted", 0))
        proof.objects[name] = {"source": there} | {each: int(counts.get(each, 0)) for each in CLASSES}
        found = verification.get(name, {})
        proof.verified_fields += int(found.get("fields", 0))
        proof.mismatches += int(found.get("mismatched", 0))
        if found.get("verified", 0) != counts.get("loaded", 0):
            proof.faults.append(
                f"{name}: {found.get('verified', 0)} of {counts.get('loaded', 0)} loaded rows are verified"
            )
        if counts.get("in_flight"):
            proof.faults.append(f"{name}: {counts['in_flight']} are still on their way")
        if name in rows:
            _compare_ids(proof, reader, document, listed, name, rows[name])
    _count_orphans(proof, document, rows, users)
    if not proof.conserved:
        proof.faults.append("not every record of the source is in exactly one class")
    for what in ("mismatches", "orphans", "duplicates", "lag"):
        if number := getattr(proof, what):
            proof.faults.append(f"{what}: {number}")
    return proof


async def _rows(target: Salesforce, document: MapDocument, name: str) -> list[dict[str, Any]]:
    """Every row that this object became: its id, our reference, and its lookups."""
    rule = document.objects[name]
    lookups = [column for column, spec in rule.columns.items() if spec.parent is not None]
    flag = [rule.deleted_column] if rule.deleted_column is not None else []
    columns = ", ".join(["Id", rule.external_id, *lookups, *flag])
    text = f"SELECT {columns} FROM {rule.target}"  # noqa: S608 - the map's own names
    if rule.attaches:  # Salesforce can't be asked by a text of theirs
        every = await target.query(text)
        return [row for row in every if str(row[rule.external_id] or "").startswith(f"{name}:")]
    text += f" WHERE {rule.external_id} LIKE '{name}:%'"
    return [row async for row in Bulk(target).query_job(text)]


def _compare_ids(
    proof: Proof, reader: Reader, document: MapDocument, ids: Collection[str], name: str, rows: list[dict[str, Any]]
) -> None:
    external_id = document.objects[name].external_id
    stand_in = document.placeholders.get(name)
    landed = Counter(row[external_id] for row in rows)
    flag = document.objects[name].deleted_column
    flagged = {row[external_id] for row in rows if flag is not None and row[flag]}
    if stand_in is not None:
        landed.pop(stand_in.reference, None)
    proof.duplicates += sum(number - 1 for number in landed.values())
    listed = {f"{name}:{vp_id}" for vp_id in ids}
    kept = document.objects[name].on_delete == "keep"
    if surplus := len(landed.keys() - listed - flagged) if not kept else 0:
        proof.faults.append(f"{name}: {surplus} rows in the org have no record in the source")
    counts = reader.conservation().get(name, {})  # an object without any record is not in the ledger
    explained = sum(int(counts.get(each, 0)) for each in ("held", "rejected", "skipped"))
    absent = listed - landed.keys()
    if len(absent) > explained:
        proof.faults.append(
            f"{name}: {len(absent)} records are not in the org, and only {explained} are held or rejected"
        )


def _count_orphans(
    proof: Proof, document: MapDocument, rows: Mapping[str, list[dict[str, Any]]], users: Collection[str]
) -> None:
    """A row is an orphan when a lookup that the map always fills is empty, or points to no row of ours, and to no active user."""
    ids = {row["Id"] for found in rows.values() for row in found}.union(users)
    for name, rule in document.rows.items():
        for column, spec in rule.columns.items():
            if spec.parent is None:
                continue
            for row in rows[name]:
                value = row.get(column) or ""
                placeholder = str(row[rule.external_id]).startswith(f"{name}:~")
                if (value and value not in ids) or (not value and spec.on_none == "placeholder" and not placeholder):
                    proof.orphans += 1
