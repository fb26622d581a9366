"""What the unfinished batches of a former owner of a partition have done, found out before anything is sent from it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from agents.journal import Journal
from agents.lane import Lane, Recalled
from agents.rowstate import Origin, RowState, key_of
from agents.sending import Sending
from state.table import StateTable
from transport.assignment import Assignment

log = logging.getLogger(__name__)


async def recall(
    assignment: Assignment,
    lane: Lane,
    journal: Journal,
    rows: StateTable,
    sending: Sending,
    touch: Callable[[], None],
) -> None:
    """Fills the lane's ``recalled`` and makes it ready; jobs that may not have been closed are aborted, others waited for.

    Raises:
        transport.assignment.StaleAssignment: the partition was revoked meanwhile.
    """
    entries = journal.unfinished(journal.table.partition(lane.partition))
    for entry in entries:
        batch, written, told = entry.batch, {}, True
        job = batch["job_id"]
        if job is not None:
            await sending.abort_if_open(job, touch)
            info = await sending.wait(job, touch)
            written, told = await sending.results(info, touch), info is not None
        assignment.check()
        known = rows.partition(lane.partition)
        for row in entry.rows:
            if row["version"] <= RowState.decode(known.get(key_of(row["reference"]))).versions.get(row["facet"], ""):
                continue  # settled; it may have been committed, and then does not come again
            found, origin = written.get(row["reference"]), Origin(row["origin"])
            sf_id = found.sf_id if found is not None and found.error is None else None
            if batch["operation"] == "insert" and told and sf_id is None:
                continue  # not made: without a job nothing was sent, and a job's results name all that it has made
            lane.recalled[row["reference"], row["facet"]] = Recalled(
                batch["id"],
                row["version"],
                origin,
                sf_id,
                bool(found and found.created),
                row["sf_id"] if origin is Origin.FOREIGN else None,
            )
    # Only now: of a row that a second owner has planned again, before he died too, his entry speaks.
    open_batches = lane.open_batches()
    for entry in entries:
        batch = entry.batch
        if batch["id"] not in open_batches:
            await journal.finish(lane.partition, batch["id"], len(entry.rows))
            continue
        lane.recalled_rows[batch["id"]] = len(entry.rows)
        log.info("batch %s of %d rows is taken over", batch["id"], len(entry.rows))
    lane.ready = True
