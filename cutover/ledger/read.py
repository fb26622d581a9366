"""Answers questions from the ledger: conservation, holds, rejects, verification, progress, landing times.

Reads beside the process that writes; every answer is JSON-ready and holds references, codes and column names, never a
value. What it says is as of the newest transaction: `carryover status` shows how far behind the topics that is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from cutover.ledger.delivery import STATES
from cutover.ledger.schema import open_to_read

Row = dict[str, Any]

RATE_WINDOW_MS = 10_000


class Reader:
    """Questions to one ledger file; a context manager.

    Args:
        path: The file.

    Raises:
        LedgerMissing: No file, or none that this version of the program can read.
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_to_read(path)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything asked inside is answered as of one moment."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def conservation(self) -> dict[str, Row]:
        """For each object, how many of its deliveries are in which state.

        Returns:
            Per object: `source` (deliveries known from the source), one count per state (`delivery.STATES`),
            `present` (rows that Salesforce has now, of whichever version, and that are not flagged as deleted), `unsourced` (rows of our own making),
            `census` (the last one, or None), and `conserved`: the states add up to `source`, and the last census, if there
            was one, found the source to hold exactly that.
        """
        counts: dict[str, Row] = {}
        for row in self._connection.execute("SELECT object, name, count FROM counts ORDER BY object"):
            counts.setdefault(row["object"], {})[row["name"]] = row["count"]
        censuses = {row["object"]: row for row in self.censuses()}
        found = {}
        for object_, count in counts.items():
            census = censuses.get(object_)
            states = {state: count.get(state, 0) for state in STATES}
            source = count.get("source", 0)
            found[object_] = {
                "source": source,
                **states,
                "present": count.get("present", 0),
                "unsourced": count.get("unsourced", 0),
                "census": census,
                "conserved": sum(states.values()) == source
                and (census is None or not (census["missing"] or census["extra"])),
            }
        return found

    def recount(self) -> dict[tuple[str, str], int]:
        """Deliveries per object and state, counted one by one: proves the running counts; slow on millions."""
        rows = self._connection.execute(
            "SELECT object, state, COUNT(*) FROM deliveries WHERE source_version IS NOT NULL OR outcome = 'rejected' "
            "GROUP BY object, state"
        )
        return {(object_, state): count for object_, state, count in rows}

    def censuses(self) -> list[Row]:
        """The last census of each object: `at` (ms), `object`, `listed`, `missing`, `extra` (records)."""
        return self._rows("SELECT object, MAX(at) AS at, listed, missing, extra FROM censuses GROUP BY object")

    def holds(
        self, *, object_: str | None = None, code: str | None = None, reference: str | None = None, limit: int = 100
    ) -> list[Row]:
        """Deliveries held now, oldest first: `reference object sobject code detail version at`; `detail` is what it waits for."""
        return self._rows(
            "SELECT reference, object, sobject, code, detail, version, at FROM deliveries WHERE state = 'held' "
            "AND (:object IS NULL OR object = :object) AND (:code IS NULL OR code = :code) "
            "AND (:reference IS NULL OR reference = :reference) ORDER BY at, reference LIMIT :limit",
            {"object": object_, "code": code, "reference": reference, "limit": limit},
        )

    def hold_reasons(self) -> list[Row]:
        """Held deliveries counted: `object code count oldest` (ms), most first."""
        return self._rows(
            "SELECT object, code, COUNT(*) AS count, MIN(at) AS oldest FROM deliveries WHERE state = 'held' "
            "GROUP BY object, code ORDER BY count DESC, object, code"
        )

    def waiting(self) -> dict[str, str]:
        """Whom each record waits for that is held because its parent hasn't come."""
        return {
            row["reference"]: row["detail"]
            for row in self._connection.execute(
                "SELECT reference, detail FROM deliveries WHERE state = 'held' AND code = 'WAITING_FOR_PARENT' AND detail IS NOT NULL"
            )
        }

    def held_by_owner(self) -> dict[str, int]:
        """How many records wait for each owner to be decided, those that wait for somebody who stands for them included."""
        waiting: dict[str, int] = {}
        above: dict[str, str] = {}
        for row in self._connection.execute(
            "SELECT detail, COUNT(*) AS count FROM deliveries WHERE state = 'held' AND code = 'OWNER_UNDECIDED' GROUP BY detail"
        ):
            waiting[row["detail"]] = row["count"]
        for row in self._connection.execute(
            "SELECT reference, detail FROM deliveries WHERE state = 'held' AND code = 'OWNER_UNDECIDED' AND sobject = 'User'"
        ):
            above[row["reference"]] = row["detail"]
        for reference, owner in above.items():
            waiting[owner] = waiting.get(owner, 0) + waiting.get(reference, 0)
        return waiting

    def rejects(
        self, *, code: str | None = None, stage: str | None = None, reference: str | None = None, limit: int = 100
    ) -> list[Row]:
        """Rejected inputs, newest first: `stage topic partition offset reference code message at open`.

        `open` is 0 when a newer version of the record, or a replay of it, has been settled otherwise since.
        """
        return self._rows(
            "SELECT r.*, NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.reference = r.reference "
            "AND d.state NOT IN ('rejected', 'in_flight') AND d.at > r.at) AS open FROM rejects r "
            "WHERE (:code IS NULL OR code = :code) AND (:stage IS NULL OR stage = :stage) "
            "AND (:reference IS NULL OR reference = :reference) ORDER BY at DESC, reference LIMIT :limit",
            {"code": code, "stage": stage, "reference": reference, "limit": limit},
        )

    def reject_codes(self) -> list[Row]:
        """Rejected inputs counted: `code stage count newest` (ms), most first."""
        return self._rows(
            "SELECT code, stage, COUNT(*) AS count, MAX(at) AS newest FROM rejects "
            "GROUP BY code, stage ORDER BY count DESC, code, stage"
        )

    def verification(self) -> dict[str, Row]:
        """Per object: `fields` compared, rows `verified` at their newest outcome, rows `mismatched`."""
        names = {"verified_fields": "fields", "verified": "verified", "mismatched": "mismatched"}
        found: dict[str, Row] = {}
        for row in self._connection.execute("SELECT object, name, count FROM counts"):
            mine = found.setdefault(row["object"], dict.fromkeys(names.values(), 0))
            if row["name"] in names:
                mine[names[row["name"]]] = row["count"]
        return found

    def mismatches(self, limit: int = 100) -> list[Row]:
        """Rows whose last check found a difference: `reference object columns at`; `columns` are names."""
        rows = self._rows(
            "SELECT reference, object, mismatch AS columns, verified_at AS at FROM differing "
            "ORDER BY object, reference LIMIT ?",
            (limit,),
        )
        return [{**row, "columns": row["columns"].split(",") if row["columns"] else []} for row in rows]

    def progress(self) -> dict[str, Row]:
        """Per object: `source`, `settled` (no longer in flight) and their `source_rate`, `settled_rate` per second."""
        found: dict[str, Row] = {}
        for row in self._connection.execute(
            "SELECT object, source, settled, at FROM progress WHERE at > (SELECT MAX(at) FROM progress) - ? ORDER BY at",
            (RATE_WINDOW_MS,),
        ):
            mine = found.setdefault(row["object"], {"first": row})
            first, seconds = mine["first"], max((row["at"] - mine["first"]["at"]) / 1000, 0.0)
            mine.update(
                source=row["source"],
                settled=row["settled"],
                source_rate=round((row["source"] - first["source"]) / seconds, 1) if seconds else 0.0,
                settled_rate=round((row["settled"] - first["settled"]) / seconds, 1) if seconds else 0.0,
            )
        for mine in found.values():
            del mine["first"]
        return found

    def landed(self, reference: str, version: str) -> int | None:
        """When a record first landed at `version` or a newer one (ms since 1970), or None: not yet.

        A delete has landed when the row is gone.
        """
        row = self._connection.execute(
            "SELECT MIN(at) FROM operations WHERE reference = ? AND version >= ? AND outcome IN ('loaded', 'deleted')",
            (reference, version),
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def record(self, reference: str) -> Row | None:
        """One record's deliveries and the operations on it, in order of time; None when the ledger doesn't know it."""
        deliveries = self._rows("SELECT * FROM deliveries WHERE reference = ?", (reference,))
        operations = self._rows(
            "SELECT what, sobject, facet, version, outcome, code, detail, row_id, at FROM operations "
            "WHERE reference = ? ORDER BY at, version",
            (reference,),
        )
        return {"deliveries": deliveries, "operations": operations} if deliveries else None

    def ids(self, object_: str) -> Iterator[str]:
        """VP ids of the records of an object that the source still has, as far as the ledger knows."""
        start = len(object_) + 1
        for row in self._connection.execute(
            "SELECT DISTINCT reference FROM deliveries WHERE reference >= ? AND reference < ? AND object = ? "
            "AND source_version IS NOT NULL AND source_op <> 'delete'",
            (f"{object_}:", f"{object_};", object_),  # ';' follows ':'
        ):
            yield row["reference"][start:]

    def batches(self, *, unfinished: bool = True, limit: int = 100) -> list[Row]:
        """Batches on their way to Salesforce, oldest first: `id sobject operation facet partition state path job_id rows at`."""
        return self._rows(
            'SELECT id, sobject, operation, facet, "partition", state, path, job_id, rows, at FROM batches '
            "WHERE NOT :unfinished OR state NOT IN ('done', 'aborted') ORDER BY at LIMIT :limit",
            {"unfinished": unfinished, "limit": limit},
        )

    def rows(self, sobject: str, *, origin: str, after: str = "", limit: int = 1000) -> list[Row]:
        """Deliveries whose row in Salesforce has that origin, by reference.

        Returns:
            `reference object sobject row_id row_origin version source_version what outcome code landed_source`, and
            `image_topic image_partition image_offset`: where the row's image lies, None when there is none.
        """
        return self._rows(
            "SELECT d.reference, d.object, d.sobject, d.row_id, d.row_origin, d.version, d.source_version, d.what, "
            "d.outcome, d.code, d.landed_source, i.topic AS image_topic, "
            'i."partition" AS image_partition, i."offset" AS image_offset '
            "FROM deliveries d LEFT JOIN images i ON i.reference = d.reference AND i.row_id = d.row_id "
            "WHERE d.sobject = ? AND d.row_origin = ? AND d.row_id IS NOT NULL AND d.reference > ? "
            "ORDER BY d.reference LIMIT ?",
            (sobject, origin, after, limit),
        )

    def rows_of_unknown_origin(self, sobjects: Sequence[str]) -> list[Row]:
        """Rows of these Salesforce objects whose landing did not say where they came from: `reference object sobject row_id version source_version`."""
        return self._rows(
            "SELECT reference, object, sobject, row_id, version, source_version FROM deliveries d "  # noqa: S608 - marks only
            f"WHERE sobject IN ({','.join('?' * len(sobjects))}) AND row_id IS NOT NULL AND row_origin IS NULL "
            "AND NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.row_id = d.row_id AND o.row_origin IS NOT NULL) "
            "ORDER BY reference",
            list(sobjects),
        )

    def owners_of_rows(self, row_ids: Sequence[str]) -> dict[str, str]:
        """Of those Salesforce ids that we have written, the reference of each; at most 10,000 ids.

        Of a row in which other records count it is the row's own.
        """
        marks = ",".join("?" * len(row_ids))
        query = f"SELECT row_id, reference FROM deliveries WHERE row_id IN ({marks}) ORDER BY row_origin IS NOT NULL"  # noqa: S608
        return {row["row_id"]: row["reference"] for row in self._connection.execute(query, row_ids)}

    def counted_in(self, row_ids: Sequence[str]) -> list[Row]:
        """Records that count in rows of others, at most 10,000 ids.

        Returns:
            `reference object sobject row_id version source_version loaded_version landed_source`.
        """
        marks = ",".join("?" * len(row_ids))
        return self._rows(
            "SELECT reference, object, sobject, row_id, version, source_version, loaded_version, landed_source "  # noqa: S608
            "FROM deliveries "
            f"WHERE row_id IN ({marks}) AND row_origin IS NULL",
            list(row_ids),
        )

    def present(self, sobject: str) -> Iterator[Row]:
        """Rows of our own that Salesforce has, as far as the ledger knows: `reference object row_id loaded_version`; one in which others count once."""
        query = (
            "SELECT reference, object, row_id, loaded_version FROM deliveries "
            "WHERE sobject = ? AND loaded_version IS NOT NULL AND row_origin IS NOT NULL ORDER BY reference"
        )
        for row in self._connection.execute(query, (sobject,)):
            yield dict(row)

    def settled_as(self, references: Sequence[str]) -> dict[str, Row]:
        """What is known of these records, at most 10,000: `state code row_id loaded_version` by reference; of an unknown one nothing."""
        marks = ",".join("?" * len(references))
        query = f"SELECT reference, state, code, row_id, loaded_version FROM deliveries WHERE reference IN ({marks})"  # noqa: S608
        return {row["reference"]: dict(row) for row in self._connection.execute(query, references)}

    def unsettled(self) -> Iterator[Row]:
        """Deliveries whose newest version is not in Salesforce, or not as it should be: `reference object state code`.

        Their state is `in_flight`, `held` or `rejected`; or it is another one and `code` is `MISMATCH`.
        """
        for row in self._connection.execute(
            "SELECT reference, object, state, CASE WHEN state IN ('held', 'rejected') THEN code WHEN state <> 'in_flight' "
            "THEN 'MISMATCH' END AS code FROM deliveries WHERE state IN ('in_flight', 'held', 'rejected') "
            "OR (reference, sobject) IN (SELECT reference, sobject FROM differing) ORDER BY reference"
        ):
            yield dict(row)

    def org_limits(self) -> Row | None:
        """What the org said last of its calls and storage, as in the message `org_limits`; None before control has asked."""
        rows = self._rows("SELECT * FROM org_limits")
        return rows[0] if rows else None

    def spending(self) -> list[Row]:
        """What each worker has said last: `worker stage spent used most waiting_since storage_since at`."""
        return self._rows("SELECT * FROM spending ORDER BY stage, worker")

    def phase(self) -> Row | None:
        """The newest transition: `phase run map_hash by at detail`; None before the first."""
        rows = self._rows(
            'SELECT phase, run, map_hash, "by", at, detail FROM transitions ORDER BY at DESC, "offset" DESC LIMIT 1'
        )
        return rows[0] if rows else None

    def drifts(self) -> list[Row]:
        """Fields of the source that are not what they were: `object field resource what was now paused at`."""
        return self._rows("SELECT * FROM drifts ORDER BY resource, field")

    def unreadable(self) -> int:
        """Records that the ledger could not read and passed over."""
        return int(self._connection.execute("SELECT COUNT(*) FROM unreadable").fetchone()[0])

    def offsets(self) -> dict[tuple[str, int], int]:
        """The next offset that the ledger will read, by topic and partition."""
        rows = self._connection.execute('SELECT topic, "partition", next FROM offsets')
        return {(topic, partition): following for topic, partition, following in rows}

    def _rows(self, query: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[Row]:
        cursor: sqlite3.Cursor = self._connection.execute(query, parameters)
        return [dict(row) for row in cursor]
