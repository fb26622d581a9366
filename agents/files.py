"""Sends documents to Salesforce: the content is streamed from the source while its row is written.

It is what `agents.sending` is for other rows, and everything around it (lane, guard, journal, settlement) is the loader's own. Whether a content has to be
uploaded is decided by what the org holds, never by what we remember: so it doesn't matter where a loader died (docs/design.md, "Documents").

Not prevented: a person who uploads a version of theirs in the moment between our look and our upload; it stays as an older version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from agents.content_sending import DELETED, ContentSending, watched
from agents.contents import Contents, Found
from agents.file_places import FilePlaces
from agents.item import Item
from agents.journal import Journal
from agents.sending import Result
from connectors.errors import RequestRefused
from connectors.salesforce import soql
from connectors.salesforce.files import VERSION
from connectors.salesforce.session import Salesforce
from mapping.rules import PATH, PLACE
from topics.messages import Value
from transport import failpoint


class Newest(NamedTuple):
    """The newest version of a document in the org.

    Attributes:
        id: Of the version.
        document: Id of its ContentDocument.
        md5: Of its content, hex.
        size: Of its content, bytes.
        path: Its file name.
        ours: Ids of the document's versions that carry our external id, usually its own.
    """

    id: str
    document: str
    md5: str
    size: int
    path: str | None
    ours: tuple[str, ...]


class FileSending(ContentSending):
    """Sends documents.

    Arguments:
        salesforce: an open connection.
        external_id: the column that holds our reference.
        create_only: columns that may be sent only with a new row.
        journal: the batch journal.
        contents: by object, where the contents are.
        most: by object, the largest content in bytes.
        places: moves documents from one patient to another.
    """

    def __init__(
        self,
        salesforce: Salesforce,
        external_id: str,
        create_only: Sequence[str],
        journal: Journal,
        contents: Mapping[str, Contents],
        most: Mapping[str, int],
        places: FilePlaces,
    ) -> None:
        super().__init__(salesforce, VERSION, external_id, create_only, journal, contents, most)
        self._file_places = places

    # -- one document ------------------------------------------------------------------------------------------------------------------

    async def _bring(self, item: Item, sf_id: str | None, found: Found, touch: Callable[[], None]) -> Result:
        """As `ContentSending._bring`: a new document, a new version of one, or only the other columns."""
        if sf_id is None and item.attempts:
            sf_id = (await self.present([item], touch)).get(item.reference)
        newest = None
        if sf_id is not None:
            newest = await self._newest(item.reference, sf_id, touch)
            if newest is None:
                return Result(item, error=DELETED)
            if newest.path == item.columns.get(PATH):
                async with self._opened(item, found) as content:
                    if isinstance(content, Result):
                        return content
                    async for _ in content.blocks():
                        touch()
                if (content.received, content.md5) == (newest.size, newest.md5):
                    return await self._keep(item, sf_id, newest, content.sha256, touch)
        return await self._make(item, found, newest, touch)

    async def _newest(self, own: str, sf_id: str, touch: Callable[[], None]) -> Newest | None:
        """The newest version of the document that ``sf_id`` is a version of; None when that is gone."""
        (row,) = await self.rows([sf_id], ["ContentDocumentId"], touch)
        if row is None:
            return None
        document = str(row["ContentDocumentId"])
        columns = f"Id, IsLatest, Checksum, ContentSize, {PATH}, {self._own}"
        where = f"ContentDocumentId = {soql.quoted(document)} AND (IsLatest = true OR {self._own} = {soql.quoted(own)})"
        query = f"SELECT {columns} FROM {VERSION} WHERE {where}"  # noqa: S608 - names of the confirmed map, values quoted
        found = await self.insist(lambda: self._salesforce.query(query), touch)
        latest = next((one for one in found if one["IsLatest"]), None)
        if latest is None:
            return None
        ours = tuple(one["Id"] for one in found if one[self._own] == own)
        md5, size = str(latest["Checksum"] or "").lower(), int(latest["ContentSize"] or 0)
        return Newest(latest["Id"], document, md5, size, latest[PATH], ours)

    async def _keep(self, item: Item, sf_id: str, newest: Newest, sha256: str, touch: Callable[[], None]) -> Result:
        """The content is there already: only the other columns are written."""
        others = [one for one in newest.ours if one != newest.id]
        await self._release(others, touch)
        result = await self._columns(item, newest.id, touch)
        if result.error is not None:
            return result
        unheard = newest.id != sf_id or item.found is not None or item.target is not None
        if unheard and not await self._came_back(newest.id, newest.size, sha256, touch):
            return self._unreadable(item)
        return await self._placed(item, newest, Result(item, newest.id), touch)

    async def _make(self, item: Item, found: Found, newest: Newest | None, touch: Callable[[], None]) -> Result:
        """Uploads the content, as a new document or as a new version of one that is there."""
        values = self._values(item, "upsert")
        async with self._opened(item, found) as content:
            if isinstance(content, Result):
                return content
            if newest is not None:
                values.pop(PLACE, None)  # links carry it from the second version on
                values["ContentDocumentId"] = newest.document
                await self._release(newest.ours, touch)
                if failpoint.ARMED:
                    failpoint.hit("upload-released")
            size = found.paper.size if content.length is None else content.length
            try:
                row_id = await self._files.upload(VERSION, values, watched(content, touch), size)
            except RequestRefused:
                if newest is not None:
                    await self._give_back(newest, item.reference, touch)
                raise
        if failpoint.ARMED:
            failpoint.hit("upload-sent")
        if not await self._came_back(row_id, content.received, content.sha256, touch):
            return self._unreadable(item)
        if failpoint.ARMED:
            failpoint.hit("upload-read-back")
        done = Result(item, row_id, created=newest is None)
        return done if newest is None else await self._placed(item, newest, done, touch)

    async def _placed(self, item: Item, newest: Newest, done: Result, touch: Callable[[], None]) -> Result:
        """Shows a document that was there before at the patient whose it is now."""
        wanted = item.columns.get(PLACE)
        if not isinstance(wanted, str):
            return done
        error = await self.insist(lambda: self._file_places.move(newest.document, wanted), touch)
        return done if error is None else Result(item, done.sf_id, created=done.created, error=error)

    async def _release(self, ids: Sequence[str], touch: Callable[[], None]) -> None:
        """Takes our external id off versions: one row at a time may carry it."""
        await self._mark(ids, None, touch)

    async def _give_back(self, newest: Newest, own: str, touch: Callable[[], None]) -> None:
        """A version that was to follow was refused: the one before it is ours again."""
        await self._mark([newest.id], own, touch)

    async def _mark(self, ids: Sequence[str], own: Value, touch: Callable[[], None]) -> None:
        if ids:
            rows = [{"Id": one, self._own: own} for one in ids]
            for answer in await self.insist(lambda: self.collections.update(VERSION, rows), touch):
                if not answer.success:
                    code = answer.errors[0].code
                    raise RequestRefused("Salesforce", f"{self._own} of a version can't be changed", code=code)

    async def documents(self, ids: Sequence[str], touch: Callable[[], None]) -> dict[str, str]:
        """The documents of versions, by the versions' ids; one that is gone is missing."""
        rows = await self.rows(ids, ["ContentDocumentId"], touch)
        return {one: str(row["ContentDocumentId"]) for one, row in zip(ids, rows, strict=True) if row is not None}

    # -- deletes -----------------------------------------------------------------------------------------------------------------------

    async def _delete(self, items: Sequence[tuple[Item, str | None]], touch: Callable[[], None]) -> list[Result]:
        """Deletes the documents of rows: Salesforce deletes no version by itself."""
        found = await self.rows([sf_id or "" for _, sf_id in items], ["ContentDocumentId"], touch)
        results: list[Result] = []
        for (item, sf_id), row in zip(items, found, strict=True):
            if row is None:
                results.append(Result(item, error=DELETED))
                continue
            document = str(row["ContentDocumentId"])
            (answer,) = await self.insist(partial(self.collections.delete, [document]), touch)
            results.append(Result(item, sf_id, error=None if answer.success else answer.errors[0]))
            if failpoint.ARMED:
                failpoint.hit("document-deleted")
        return results
