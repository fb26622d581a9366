"""Goes through all rows of a cutover, children before parents, and takes them back, or only says what it would do.

Order of effects for a batch: judged by what the org holds now → sent → the audit durable. Killed in between, the next run finds the rows gone, or as they were,
and notes that. Between judging and sending lies a moment in which a person may edit a row or hang something on it; Salesforce has no call that closes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, TypeVar

from agents.contact_roles import COLUMN, HIDDEN, ContactRoles
from agents.outputs import Outputs, row_of
from connectors.errors import ConnectorError, NotFound, RequestRefused
from connectors.salesforce.collections import MOST_ROWS, Collections, RowResult
from connectors.salesforce.row_errors import RowError
from connectors.salesforce.session import Salesforce
from cutover.ledger.read import Reader
from cutover.rollback.files import FileUndo
from cutover.rollback.judge import Judge
from cutover.rollback.verdict import ROLLED_BACK, Report, Row, Verdict
from topics.messages import Outcome
from transport import failpoint

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_PLAN_ROWS: Final = 1000
_TRIES: Final = 6
_PAUSE_FIRST: Final = 0.5
_GONE: Final = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"})


class Walk:
    """One pass.

    Args:
        reader: The ledger; caught up, and nobody loads.
        judge: Decides about rows.
        sobjects: Salesforce objects that were written, parents first.
        run: The cutover's run, for the audit.
        target: Where to carry it out and note it: the org, and the audit; None for a plan.
        roles: The org's contact roles.
        files: What goes along with documents.
    """

    def __init__(
        self,
        reader: Reader,
        judge: Judge,
        sobjects: Sequence[str],
        run: str,
        target: tuple[Salesforce, Outputs] | None,
        roles: ContactRoles,
        files: FileUndo,
    ) -> None:
        self._reader = reader
        self._judge = judge
        self._sobjects = sobjects
        self._run = run
        self._target = target
        self._roles = roles
        self._files = files
        self._collections = Collections(target[0]) if target is not None else None
        self._size = _PLAN_ROWS if target is None else MOST_ROWS
        self._report = Report()

    async def go(self) -> Report:
        """Goes through everything.

        Raises:
            ConnectorError: The org can't be asked or refuses a whole call; what was done is noted, a next run goes on.
        """
        unknown = self._reader.rows_of_unknown_origin(self._sobjects)
        await self._keep([Verdict(row, "keep", "ORIGIN_UNKNOWN") for row in unknown])
        # Rows of others first: they leave rows of ours that they were moved to.
        for sobject in reversed(self._sobjects):
            for page in self._pages(sobject, "foreign"):
                await self._take(await self._judge.restores(page))
        for sobject in reversed(self._sobjects):
            await self._delete_all(sobject)
        return self._report

    def _pages(self, sobject: str, origin: str) -> Iterator[list[Row]]:
        after = ""
        while page := self._reader.rows(sobject, origin=origin, after=after, limit=self._size):
            yield page
            after = page[-1]["reference"]

    async def _delete_all(self, sobject: str) -> None:
        """Rows that hang on rows of their own object go first: what is held back is looked at again as long as something went."""
        held: list[Verdict] = []
        for page in self._pages(sobject, "absent"):
            held += await self._take(await self._judge.deletes(page))
        while held:
            before, rows, held = len(self._judge.settled), [one.row for one in held], []
            for start in range(0, len(rows), self._size):
                held += await self._take(await self._judge.deletes(rows[start : start + self._size]))
            if len(self._judge.settled) == before:
                break
        for verdict in held:
            await self._keep([verdict])

    async def _take(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        """Carries verdicts out; returns those that are held back by other rows, which are not counted yet."""
        held = [one for one in verdicts if one.reason == "HAS_CHILDREN"]
        await self._send([one for one in verdicts if one.action == "delete"], self._delete)
        restored = [one for one in verdicts if one.action == "restore"]
        await self._send([one for one in restored if one.values or one.contact], self._restore)
        as_it_was = [one for one in restored if not one.values and one.contact is None]
        gone = [one for one in verdicts if one.action == "gone"]
        await self._note(as_it_was)
        await self._note([one for one in gone if one.row["outcome"] == "loaded"])
        await self._keep([one for one in verdicts if one.action == "keep" and one.reason != "HAS_CHILDREN"])
        for verdict in (*as_it_was, *gone, *(one for one in verdicts if one.action == "done")):
            self._report.take(verdict)
            self._judge.settle(verdict.row["row_id"])
        return held

    async def _send(
        self, verdicts: Sequence[Verdict], call: Callable[[Sequence[Verdict]], Awaitable[list[RowResult]]]
    ) -> None:
        for start in range(0, len(verdicts), MOST_ROWS):
            part = verdicts[start : start + MOST_ROWS]
            done = list(part)
            if self._target is not None:
                done, refused = _sorted_out(part, await _insist(lambda part=part: call(part)))  # type: ignore[misc]
                if failpoint.ARMED:
                    failpoint.hit("undo-sent")
                await self._keep(refused)
                await self._note(done)
                self._report.changed += len(done)
                if failpoint.ARMED:
                    failpoint.hit("undo-noted")
            for verdict in done:
                self._report.take(verdict)
                self._judge.settle(verdict.row["row_id"])

    async def _delete(self, verdicts: Sequence[Verdict]) -> list[RowResult]:
        assert self._collections is not None
        ids = await self._files.deleted_by(verdicts[0].row["sobject"], [one.row["row_id"] for one in verdicts])
        return await self._collections.delete(ids)

    async def _restore(self, verdicts: Sequence[Verdict]) -> list[RowResult]:
        """Values first, then contacts: sent twice, or broken off between the two, it comes to the same."""
        assert self._collections is not None
        hidden = RowError(HIDDEN, (COLUMN,), "contact roles can't be changed") if self._roles.lacking else None
        refused = {one.row["row_id"]: hidden for one in verdicts if one.contact is not None}
        left = [one for one in verdicts if refused.get(one.row["row_id"]) is None]
        changed = [one for one in left if one.values]
        rows = [{"Id": one.row["row_id"], **one.values} for one in changed]
        for one, result in zip(changed, await self._collections.update(verdicts[0].row["sobject"], rows), strict=True):
            refused[one.row["row_id"]] = None if result.success else result.errors[0]
        if failpoint.ARMED:
            failpoint.hit("undo-values-sent")
        wishes = [one.contact for one in left if one.contact is not None and refused.get(one.row["row_id"]) is None]
        if wishes:
            for row_id, carried in (await self._roles.carry(wishes)).items():
                refused[row_id] = carried.error
        return [
            RowResult(row_id, error is None, None, [] if error is None else [error])
            for row_id, error in ((one.row["row_id"], refused.get(one.row["row_id"])) for one in verdicts)
        ]

    # -- the audit ---------------------------------------------------------------------------------------------------------

    async def _note(self, verdicts: Sequence[Verdict]) -> None:
        """Notes what was taken back, also for the records that count in these rows; durable when it returns."""
        if self._target is None or not verdicts:
            return
        outputs = self._target[1]
        parts = self._reader.counted_in([one.row["row_id"] for one in verdicts])
        by_row = {one.row["row_id"]: one for one in verdicts}
        for row, verdict in [(one.row, one) for one in verdicts] + [(part, by_row[part["row_id"]]) for part in parts]:
            what, outcome = ("undo_restore", "skipped") if verdict.action == "restore" else ("undo_delete", "deleted")
            columns = [*verdict.values, *([COLUMN] if verdict.contact is not None else [])]
            await self._audit(outputs, row, what, outcome, ROLLED_BACK, columns)
        await outputs.publisher.settle()

    async def _keep(self, verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            self._report.take(verdict)
            if self._target is not None:
                await self._audit(self._target[1], verdict.row, "undo_keep", None, verdict.reason, [], verdict.detail)
        if self._target is not None and verdicts:
            await self._target[1].publisher.settle()

    async def _audit(
        self,
        outputs: Outputs,
        row: Row,
        what: str,
        outcome: str | None,
        code: str,
        columns: Sequence[str],
        detail: str | None = None,
    ) -> None:
        version = max(row["version"] or "", row["source_version"] or "")
        made = row_of(row["object"], row["sobject"], row["reference"], version, self._run, None)
        said: Outcome | None = outcome  # type: ignore[assignment]
        await outputs.audit(what, made, said, row_id=row["row_id"], code=code, detail=detail or None, columns=columns)


def _sorted_out(verdicts: Sequence[Verdict], results: Sequence[RowResult]) -> tuple[list[Verdict], list[Verdict]]:
    """Those that were carried out, and those that Salesforce refused."""
    done: list[Verdict] = []
    refused: list[Verdict] = []
    for verdict, result in zip(verdicts, results, strict=True):
        code = "" if result.success else result.errors[0].code
        if result.success or (verdict.action == "delete" and code in _GONE):
            done.append(verdict)
        else:
            refused.append(verdict.kept("REFUSED", code))
    return done, refused


async def _insist(call: Callable[[], Awaitable[_T]]) -> _T:
    """Tries a call again a few times: deletes and restores may be sent twice."""
    pause = _PAUSE_FIRST
    for left in reversed(range(_TRIES)):
        try:
            return await call()
        except (RequestRefused, NotFound):
            raise
        except ConnectorError as error:
            if not left:
                raise
            log.warning("the rollback is waiting: %s", error)
            await asyncio.sleep(error.retry_after or pause)
            pause *= 2
    raise AssertionError("unreachable")
