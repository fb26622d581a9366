"""Bulk API 2.0: jobs that take rows as CSV and work on them by themselves.

Owns the life of an ingest job, one call for each step, so that a caller can make each step durable before the next;
and query jobs. Source of fact: Bulk API 2.0 and Bulk API Developer Guide v66.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from connectors.errors import BadAnswer, ConnectorError
from connectors.salesforce.csv_rows import read_rows
from connectors.salesforce.row_errors import RowError, parse_bulk_error
from connectors.salesforce.session import Salesforce

__all__ = ["Bulk", "FailedRow", "JobFailed", "JobInfo", "LandedRow", "Operation"]

Operation = Literal["insert", "update", "upsert", "delete", "hardDelete"]
_DONE: Final = frozenset({"JobComplete", "Failed", "Aborted"})
_INGEST: Final = "/jobs/ingest"
_QUERY: Final = "/jobs/query"
_REASON: Final = re.compile(r"[A-Za-z]{1,40}")
_COLUMN: Final = re.compile(r"Field name not found : ([A-Za-z0-9_.:]{1,120})")


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job as Salesforce tells it.

    Attributes:
        id: Job id.
        state: `Open`, `UploadComplete`, `InProgress`, `JobComplete`, `Aborted` or `Failed`.
        object: Salesforce object.
        operation: `insert`, `upsert`, …
        processed: Rows looked at, refused ones included; None before the upload.
        failed: Rows refused; None before the upload.
        reason: Why the job failed: a code, and the column if one isn't found; "" otherwise. `Failed` with no row
            processed means that header or batch was refused. Rows committed before a failure stay.
    """

    id: str
    state: str
    object: str
    operation: str
    processed: int | None
    failed: int | None
    reason: str

    @property
    def done(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in _DONE


@dataclass(frozen=True, slots=True)
class LandedRow:
    """A row that was written.

    Attributes:
        id: Salesforce id.
        created: Whether it is a new row; no proof of where it came from, see `RowResult.created`.
        columns: The uploaded row by column name; Salesforce may write numbers in another form than was sent.
    """

    id: str
    created: bool
    columns: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A row that was refused.

    Attributes:
        id: Salesforce id, "" when there is none.
        error: Why, without values.
        columns: The uploaded row by column name.
    """

    id: str
    error: RowError
    columns: dict[str, str] = field(repr=False)


class JobFailed(Exception):
    """A query job ended without a result.

    Attributes:
        info: The job.
    """

    def __init__(self, info: JobInfo) -> None:
        self.info = info
        reason = info.reason or "no reason given"
        super().__init__(f"job {info.id} ended as {info.state}: {reason}. Check the query's object and columns.")


class Bulk:
    """Bulk jobs of one org. Steps that write aren't tried again here; `info`, results and queries are.

    Args:
        salesforce: The open connection.
    """

    def __init__(self, salesforce: Salesforce) -> None:
        self._salesforce = salesforce

    async def create(self, sobject: str, operation: Operation, external_id: str | None = None) -> str:
        """Open an ingest job for CSV with LF line ends.

        Args:
            sobject: E.g. `Contact`.
            operation: What to do with its rows.
            external_id: Column to upsert by; only for `upsert`.

        Returns:
            The job's id. When the answer gets lost, an empty open job stays behind; Salesforce drops it after a day.

        Raises:
            ConnectorError: See `connectors.errors`.
        """
        body = {"object": sobject, "operation": operation, "contentType": "CSV", "lineEnding": "LF"}
        if external_id is not None:
            body["externalIdFieldName"] = external_id
        answer = await self._salesforce.json("POST", _INGEST, what=f"creation of a {operation} job", json=body)
        return _info(answer).id

    async def upload(self, job: str, data: bytes | AsyncIterator[bytes]) -> None:
        """Upload a job's rows, once. Columns are not checked before the job is worked on.

        Args:
            job: An open job.
            data: CSV, see `CsvRows`. An iterator can't be sent again when the session has expired meanwhile.

        Raises:
            ConnectorError: After an `Unreachable` the upload may have arrived; no call tells. Abort the job.
        """
        path, kind = f"{_INGEST}/{job}/batches", {"Content-Type": "text/csv"}
        await self._salesforce.request("PUT", path, what="upload", content=data, headers=kind)

    async def close(self, job: str) -> JobInfo:
        """Say that the upload is complete; Salesforce begins to work.

        Raises:
            ConnectorError: See `connectors.errors`; after an `Unreachable`, `info` tells whether it arrived.
        """
        return await self._patch(job, "UploadComplete")

    async def abort(self, job: str) -> JobInfo:
        """Stop a job. Rows already written stay written.

        Raises:
            RequestRefused: It is done already.
            ConnectorError: See `connectors.errors`.
        """
        return await self._patch(job, "Aborted")

    async def _patch(self, job: str, state: str) -> JobInfo:
        what = f"change of a job to {state}"
        return _info(await self._salesforce.json("PATCH", f"{_INGEST}/{job}", what=what, json={"state": state}))

    async def info(self, job: str) -> JobInfo:
        """How the job stands.

        Raises:
            NotFound: There is no such job (any more; they are kept for 7 days).
            ConnectorError: See `connectors.errors`.
        """
        return _info(await self._salesforce.json("GET", f"{_INGEST}/{job}", what="job info", read=True))

    async def wait(self, job: str, *, first: float = 0.1, most: float = 5.0, timeout: float | None = None) -> JobInfo:
        """Wait until a job is done, however it ends.

        Args:
            job: A closed job.
            first: Seconds before the first look; each wait is half as long again as the one before.
            most: Longest wait between two looks, in seconds.
            timeout: Seconds to wait altogether; for ever when None.

        Raises:
            TimeoutError: It isn't done in time; it goes on.
            ConnectorError: See `connectors.errors`.
        """
        return await self._wait(f"{_INGEST}/{job}", first, most, timeout)

    async def _wait(self, path: str, first: float, most: float, timeout: float | None) -> JobInfo:
        async with asyncio.timeout(timeout):
            pause = first
            while True:
                await asyncio.sleep(pause)
                info = _info(await self._salesforce.json("GET", path, what="job info", read=True))
                if info.done:
                    return info
                pause = min(pause * 1.5, most)

    async def successful(self, job: str) -> AsyncIterator[LandedRow]:
        """The rows that were written, in no certain order.

        Raises:
            Unreachable: It broke off; begin again, and expect rows seen before.
            ConnectorError: See `connectors.errors`.
        """
        async for row in self._results(job, "successfulResults"):
            created = row.pop("sf__Created", "").lower() == "true"
            yield LandedRow(row.pop("sf__Id", ""), created, row)

    async def failed(self, job: str) -> AsyncIterator[FailedRow]:
        """The rows that were refused, in no certain order. As for `successful` otherwise."""
        async for row in self._results(job, "failedResults"):
            sf_id, text = row.pop("sf__Id", ""), row.pop("sf__Error", "")
            yield FailedRow(sf_id, parse_bulk_error(text, row.values()), row)

    async def unprocessed(self, job: str) -> AsyncIterator[dict[str, str]]:
        """The uploaded rows of a failed or aborted job that weren't looked at. As for `successful` otherwise."""
        async for row in self._results(job, "unprocessedrecords"):
            yield row

    async def _results(self, job: str, kind: str) -> AsyncIterator[dict[str, str]]:
        async with self._salesforce.stream(f"{_INGEST}/{job}/{kind}", what=kind) as response:
            try:
                async for row in read_rows(response.aiter_bytes()):
                    yield row
            except ValueError:
                raise BadAnswer("Salesforce", f"{kind} can't be read as CSV") from None

    async def delete(self, job: str) -> None:
        """Delete a job that is closed, done or aborted, with its results.

        Raises:
            ConnectorError: See `connectors.errors`.
        """
        await self._salesforce.request("DELETE", f"{_INGEST}/{job}", what="deletion of a job")

    async def jobs(self) -> AsyncIterator[JobInfo]:
        """All ingest jobs Salesforce still keeps, in no certain order; those of other programs too.

        Raises:
            ConnectorError: See `connectors.errors`.
        """
        following = f"{_INGEST}?jobType=V2Ingest"
        while following:
            page = await self._salesforce.json("GET", following, what="list of jobs", read=True)
            if not isinstance(page, dict) or not isinstance(page.get("records"), list):
                raise BadAnswer("Salesforce", "the list of jobs is not what it should be")
            for one in page["records"]:
                yield _info(one)
            following = "" if page.get("done", True) else str(page.get("nextRecordsUrl") or "")

    async def query_job(
        self, text: str, *, page_rows: int = 50_000, first: float = 0.1, most: float = 5.0
    ) -> AsyncIterator[dict[str, str]]:
        """All rows of a query that may be large. Values come as text; null and an empty text are both "".

        Args:
            text: SOQL without aggregates, OFFSET or subqueries; use `soql.quoted` for values in it.
            page_rows: Rows to hold in memory at once.
            first: Seconds before the first look whether it is done.
            most: Longest wait between two looks, in seconds.

        Raises:
            JobFailed: Salesforce ended the job without a result.
            ConnectorError: See `connectors.errors`.
        """
        body = {"operation": "query", "query": text}
        job = _info(await self._salesforce.json("POST", _QUERY, what="creation of a query job", json=body)).id
        try:
            info = await self._wait(f"{_QUERY}/{job}", first, most, None)
            if info.state != "JobComplete":
                raise JobFailed(info)
            async for row in self._query_rows(job, page_rows):
                yield row
        finally:
            with suppress(ConnectorError):  # what stays behind goes by itself after 7 days
                await self._salesforce.request("DELETE", f"{_QUERY}/{job}", what="deletion of a query job")

    async def _query_rows(self, job: str, page_rows: int) -> AsyncIterator[dict[str, str]]:
        params = {"maxRecords": str(page_rows)}
        while True:
            page = await self._salesforce.request(
                "GET", f"{_QUERY}/{job}/results", what="results of a query job", params=params, read=True
            )
            try:
                async for row in read_rows(page.aiter_bytes()):
                    yield row
            except ValueError:
                raise BadAnswer("Salesforce", "results of a query job can't be read as CSV") from None
            locator = page.headers.get("Sforce-Locator", "null")
            if locator == "null":
                return
            params = {"maxRecords": str(page_rows), "locator": locator}


def _info(answer: Any) -> JobInfo:
    if not isinstance(answer, dict) or not answer.get("id") or not answer.get("state"):
        raise BadAnswer("Salesforce", "the job's description is not what it should be")
    return JobInfo(
        id=str(answer["id"]),
        state=str(answer["state"]),
        object=str(answer.get("object", "")),
        operation=str(answer.get("operation", "")),
        processed=answer.get("numberRecordsProcessed"),
        failed=answer.get("numberRecordsFailed"),
        reason=_reason(str(answer.get("errorMessage") or "")),
    )


def _reason(text: str) -> str:
    """`InvalidBatch : Field name not found : Foo__c` without what could be a value."""
    if not text:
        return ""
    code = _REASON.match(text)
    column = _COLUMN.search(text)
    known = next((phrase for phrase in _PHRASES if phrase.casefold() in text.casefold()), "")
    said = f"Field name not found: {column[1]}" if column else known
    return ": ".join(part for part in (code[0] if code else "Unknown", said) if part)


_PHRASES: Final = (
    "LineEnding is invalid on user data",
    "Failed to parse CSV",
    "Unable to find relationship",
    "type is not needed for non polymorphic foreign key references",
    "Unable to find object",
    "Maximum of retries",
)
