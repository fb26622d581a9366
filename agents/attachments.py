"""Sends documents to Salesforce as Attachments: the content is streamed from the source while its row is written.

An Attachment has no custom fields, and Salesforce refuses no second one with the same reference. So what is there is asked for under the parents that any
version of the record not yet settled had, and told apart by the reference in its `Description`; of several rows that we made every looker chooses the same one,
and takes the others away (docs/design.md, "Attachments").

Not prevented: an upload of a dead owner that arrives after the last look, and one under another parent of which nobody who is alive has heard. Both stay until
the record's next version, and `carryover reconcile` lists them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from agents import papers
from agents.content_sending import DELETED, TRIES, ContentSending, watched
from agents.contents import Contents, Found
from agents.item import Item
from agents.journal import Journal
from agents.lane import Operation
from agents.removal import Removal
from agents.rowstate import Origin
from agents.sending import Result
from connectors.errors import NotFound, RequestRefused
from connectors.salesforce.collections import RowResult
from connectors.salesforce.files import ATTACHMENT
from connectors.salesforce.row_errors import RowError
from connectors.salesforce.session import Salesforce
from mapping.rules import ATTACHED_TO
from transport import failpoint

__all__ = ["FORMER_STAYS", "THEIRS", "AttachmentSending"]

THEIRS: Final = "ATTACHMENT_IS_THEIRS"
"""Rejected: the record names another patient, and the row that it has was made by somebody else."""
FORMER_STAYS: Final = "FORMER_ATTACHMENT_STAYS"
"""Rejected: the row is right, and another one of ours that should be gone can't be deleted."""

_BESIDE: Final = ("Id", ATTACHED_TO, "BodyLength", "CreatedDate", "CreatedById")
_GONE: Final = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"})

Row: TypeAlias = Mapping[str, Any]
Touch: TypeAlias = Callable[[], None]


class AttachmentSending(ContentSending):
    """Sends Attachments.

    Arguments:
        salesforce: an open connection.
        external_id: the column that holds our reference; Salesforce can't be asked by it.
        create_only: columns that may be sent only with a new row.
        journal: the batch journal.
        contents: by object, where the contents are.
        most: by object, the largest content in bytes.
        removal: looks at rows before they are deleted.
    """

    def __init__(
        self,
        salesforce: Salesforce,
        external_id: str,
        create_only: Sequence[str],
        journal: Journal,
        contents: Mapping[str, Contents],
        most: Mapping[str, int],
        removal: Removal,
    ) -> None:
        once = sorted({*create_only, ATTACHED_TO})
        super().__init__(salesforce, ATTACHMENT, external_id, once, journal, contents, most)
        self._removal = removal
        self._looked_at = (external_id, *_BESIDE)

    # -- what the org holds ------------------------------------------------------------------------------------------------------------

    async def present(self, items: Sequence[Item], touch: Touch) -> dict[str, str]:
        """As `Sending.present`; only rows under a parent that the items know of are found."""
        held = await self._held(items, touch)
        return {own: str(rows[0]["Id"]) for own, rows in held.items()}

    async def _held(self, items: Sequence[Item], touch: Touch, beside: Iterable[str] = ()) -> dict[str, list[Row]]:
        """The rows with the items' references, by these, the one that counts first; ``beside`` are parents that the items don't know of."""
        parents = {*beside, *(parent for item in items for parent in _parents(item))}
        own = {item.reference for item in items}
        found: dict[str, list[Row]] = defaultdict(list)
        select = f"SELECT {', '.join(self._looked_at)} FROM {ATTACHMENT}"  # noqa: S608 - names of the confirmed map
        ask = partial(self._salesforce.query_in, select, ATTACHED_TO, sorted(parents))
        for row in await self.insist(ask, touch) if parents else ():
            if row[self._own] in own:
                found[row[self._own]].append(row)
        me = await self.user(touch) if found else ""
        for rows in found.values():
            rows.sort(key=lambda row: (row["CreatedById"] != me, row["CreatedDate"], row["Id"]))
        return found

    async def _ours(self, rows: Iterable[Row], touch: Touch) -> list[Row]:
        """Those that we made: others may carry our reference, too, and are left alone."""
        me = await self.user(touch)
        return [row for row in rows if row["CreatedById"] == me]

    # -- writing -----------------------------------------------------------------------------------------------------------------------

    async def by_collections(
        self, items: Sequence[tuple[Item, str | None]], operation: Operation, touch: Touch
    ) -> list[Result]:
        """As `ContentSending.by_collections`; what was written is looked for once more: a dead owner may have written it, too."""
        results = await super().by_collections(items, operation, touch)
        if operation == "delete":
            return results
        written = [one for one in results if one.item.op == "upsert" and one.sf_id is not None and one.error is None]
        held = await self._held([one.item for one in written], touch) if written else {}
        for result in written:
            await self._leave_one(result, held.get(result.item.reference, ()), touch)
        return results

    async def _leave_one(self, result: Result, rows: Sequence[Row], touch: Touch) -> None:
        """Takes away all rows of ours with this reference but the one that counts; if that is not the one just written, it is written next."""
        if len(rows) < 2 and all(row["Id"] == result.sf_id for row in rows):
            return
        ours, wanted = await self._ours(rows, touch), _parent(result.item)
        here = [row["Id"] for row in ours if row[ATTACHED_TO] == wanted]
        counts = here[0] if here and result.item.origin is not Origin.FOREIGN else result.sf_id
        error = await self._take_away([row["Id"] for row in ours if row["Id"] != counts], touch)
        if counts != result.sf_id:
            result.again, result.sf_id, result.created = True, None, False
        elif error is not None:
            self._note_former(result, error)

    async def _bring(self, item: Item, sf_id: str | None, found: Found, touch: Touch) -> Result:
        """As `ContentSending._bring`: a new row, another content of one, or only the other columns."""
        row, here = await self._find(item, sf_id, touch) if sf_id is not None else (None, None)
        if sf_id is not None and row is None and here is None:
            return Result(item, error=DELETED)
        moved = row is not None and row is not here
        if moved and item.origin is Origin.FOREIGN:
            text = (
                "it is of another patient now, and its row was made by somebody else: Salesforce lets nobody move that, and it is never"
                " deleted; attach the document to its patient by hand"
            )
            return Result(item, error=RowError(THEIRS, (ATTACHED_TO,), text))
        result = await (self._make(item, found, touch) if here is None else self._renew(item, here, found, touch))
        if moved and row is not None and result.sf_id is not None and result.error is None:
            result.created = False
            error = await self._take_away([row["Id"]], touch)
            if error is not None:
                self._note_former(result, error)
            if failpoint.ARMED:
                failpoint.hit("former-removed")
        return result

    async def _find(self, item: Item, sf_id: str, touch: Touch) -> tuple[Row | None, Row | None]:
        """The row that is known, wherever it hangs, and the one that hangs where it should."""
        (row,) = await self.rows([sf_id], self._looked_at, touch)
        wanted = _parent(item)
        if row is not None and row[ATTACHED_TO] == wanted:
            return row, row
        rows = (await self._held([item], touch)).get(item.reference, ())
        here = [one for one in await self._ours(rows, touch) if one[ATTACHED_TO] == wanted]
        return row, next(iter(here), None)

    async def _make(self, item: Item, found: Found, touch: Touch) -> Result:
        async with self._opened(item, found) as content:
            if isinstance(content, Result):
                return content
            size = found.paper.size if content.length is None else content.length
            values = self._values(item, "upsert")
            row_id = await self._files.upload(ATTACHMENT, values, watched(content, touch), size)
        return await self._sent(Result(item, row_id, created=True), content.received, content.sha256, touch)

    async def _renew(self, item: Item, row: Row, found: Found, touch: Touch) -> Result:
        """Brings a row that is there to what the source says; of an equal content nothing is sent."""
        row_id, length = str(row["Id"]), int(row["BodyLength"] or 0)
        async with self._opened(item, found) as content:
            if isinstance(content, Result):
                return content
            read = content.length in {None, length}  # else it is another one
            if read:
                async for _ in content.blocks():
                    touch()
        if read and content.received == length and await self._came_back(row_id, length, content.sha256, touch):
            return await self._columns(item, row_id, touch)
        async with self._opened(item, found) as content:
            if isinstance(content, Result):
                return content
            size = found.paper.size if content.length is None else content.length
            values = self._values(item, "update")
            await self._files.replace(ATTACHMENT, row_id, values, watched(content, touch), size)
        return await self._sent(Result(item, row_id), content.received, content.sha256, touch)

    async def _sent(self, result: Result, size: int, sha256: str, touch: Touch) -> Result:
        """A content was sent: it counts once it comes back."""
        if failpoint.ARMED:
            failpoint.hit("upload-sent")
        if not await self._came_back(result.sf_id or "", size, sha256, touch):
            return self._unreadable(result.item)
        if failpoint.ARMED:
            failpoint.hit("upload-read-back")
        return result

    def _refused(self, item: Item, found: Found, length: int | None) -> Result | None:
        """As `ContentSending._refused`; a document that has grown since is no Attachment any more."""
        if length is None and (found.paper.size or 0) > self._most[item.layout.object]:
            text = "the document has become too large for an Attachment; its next version becomes a File"
            return Result(item, held=(papers.OUTGROWN, text))
        return super()._refused(item, found, length)

    # -- taking away -------------------------------------------------------------------------------------------------------------------

    async def _delete(self, items: Sequence[tuple[Item, str | None]], touch: Touch) -> list[Result]:
        """Deletes rows, and what else of ours hangs beside them under the same reference."""
        known = [sf_id or "" for _, sf_id in items]
        rows = [row for row in await self.rows(known, [ATTACHED_TO], touch) if row is not None]
        held = await self._held([item for item, _ in items], touch, {str(row[ATTACHED_TO]) for row in rows})
        results = await super()._delete(items, touch)
        beside = [row for rows in held.values() for row in rows if row["Id"] not in known]
        if beside:
            await self._take_away([row["Id"] for row in await self._ours(beside, touch)], touch)
        return results

    async def _take_away(self, ids: Sequence[str], touch: Touch) -> RowError | None:
        """Deletes rows that we made; one that a person has edited stays theirs, without our reference. Says why one could not be."""
        if not ids:
            return None
        theirs = await self.insist(partial(self._removal.obstacles, ids), touch)
        released = [{"Id": one, self._own: None} for one in ids if one in theirs]
        free = [one for one in ids if one not in theirs]
        answers: list[RowResult] = []
        try:
            if free:
                answers += await self.insist(partial(self.collections.delete, free), touch)
            if released:
                answers += await self.insist(partial(self.collections.update, ATTACHMENT, released), touch)
        except (RequestRefused, NotFound) as exc:  # the request as a whole
            return RowError(exc.code or "REFUSED", (), exc.what)
        refused = [one.errors[0] for one in answers if not one.success and one.errors[0].code not in _GONE]
        return refused[0] if refused else None

    @staticmethod
    def _note_former(result: Result, error: RowError) -> None:
        text = f"another row of this document can't be deleted ({error.code}): delete it in Salesforce, then replay the record"
        result.leave_former(RowError(FORMER_STAYS, (), text), TRIES)


def _parent(item: Item) -> str:
    return str((item.columns | item.insert_only).get(ATTACHED_TO) or "")


def _parents(item: Item) -> set[str]:
    """What a row of the item may hang on, by this version of the record or one whose place it has taken."""
    return {parent for parent in (*item.parents, *item.earlier) if parent}
