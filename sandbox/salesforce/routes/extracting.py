"""Bulk 2.0 query jobs.

Owns `/jobs/query`. A locator is the number of the next record, in disguise; the last page says `null`.
"""

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web

from sandbox.salesforce import extracts
from sandbox.salesforce.allocations import EXHAUSTED, QUERIES
from sandbox.salesforce.errors import ApiError, not_found
from sandbox.salesforce.jobs import Job
from sandbox.salesforce.routes import downloads
from sandbox.salesforce.routes.context import VERSION, Services, answer, base, given, services, user
from sandbox.salesforce.routes.ingesting import ABORTABLE, listing, refused

KIND = "V2Query"
BLOCK = 1 << 20
FIRST_PAGES = 58  # the first version that has them
PAGES = 5  # result pages told at once


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module."""
    root = f"{VERSION}/jobs/query"
    for end in ("", "/"):
        app.router.add_post(root + end, _create)
        app.router.add_get(root + end, _list)
        app.router.add_get(f"{root}/{{id}}{end}", _info)
        app.router.add_patch(f"{root}/{{id}}{end}", _abort)
        app.router.add_delete(f"{root}/{{id}}{end}", _delete)
        app.router.add_get(f"{root}/{{id}}/results{end}", _results)
        app.router.add_get(f"{root}/{{id}}/resultPages{end}", _pages)


async def _job(request: web.Request) -> Job:
    shared = services(request)
    return await shared.org.database.read(shared.jobs.get, request.match_info["id"], KIND)


async def _create(request: web.Request) -> web.Response:
    shared, body = services(request), await given(request)
    operation, soql = body.get("operation"), str(body.get("query", ""))
    if operation not in {"query", "queryAll"}:
        raise refused(f"Unable to parse Job: unexpected value for operation: {operation}")
    made = extracts.statement(shared.org, soql, user(request), deleted=operation == "queryAll")
    if not await shared.org.database.write(_allocated, shared):
        raise refused(EXHAUSTED[QUERIES], "EXCEEDEDQUOTA")
    job = await shared.org.database.write(
        shared.jobs.create,
        kind=KIND,
        operation=operation,
        object=made.sobject.name,
        created_by=user(request),
        state="UploadComplete",
        version=request.match_info["version"],
        line_ending="LF",
        delimiter="COMMA",
        soql=soql,
    )
    shared.worker.take(job)
    return answer(request, job.as_json(short=True))


def _allocated(shared: Services) -> bool:
    with shared.org.database.transaction() as connection:
        return shared.jobs.allocations.take(connection, QUERIES)


async def _info(request: web.Request) -> web.Response:
    return answer(request, (await _job(request)).as_json())


async def _list(request: web.Request) -> web.Response:
    return await listing(request, KIND, "query")


async def _abort(request: web.Request) -> web.Response:
    shared, job = services(request), await _job(request)
    if (await given(request)).get("state") != "Aborted":
        raise refused("Unable to parse Job: the only state to set is Aborted")
    job = await shared.org.database.write(shared.jobs.move, job, "Aborted", ABORTABLE)
    return answer(request, job.as_json(short=True))


async def _delete(request: web.Request) -> web.Response:
    shared, job = services(request), await _job(request)
    await shared.org.database.write(shared.jobs.delete, job)
    return web.Response(status=204)


def _locator(start: int) -> str:
    return base64.urlsafe_b64encode(str(start).encode()).decode().rstrip("=")


def _start(locator: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)))
    except (binascii.Error, ValueError) as error:
        raise refused("Invalid locator", "INVALIDLOCATOR") from error


async def _finished(request: web.Request) -> Job:
    job = await _job(request)
    if job.state != "JobComplete":
        raise refused(f"Job state must be JobComplete to read results, it is {job.state}", "INVALIDJOBSTATE")
    if job.version != request.match_info["version"]:
        raise ApiError(409, "API_ERROR", f"Results must be read with API version {job.version}", code_first=True)
    return job


def _most(request: web.Request) -> int:
    text = request.query.get("maxRecords", "")
    return int(text) if text.isdigit() and int(text) > 0 else extracts.PER_PAGE


async def _results(request: web.Request) -> web.StreamResponse:
    shared, job = services(request), await _finished(request)
    path = shared.jobs.path(job)
    if not path.exists():
        raise not_found(code_first=True)
    locator = request.query.get("locator", "")
    start = _start(locator) if locator and locator != "null" else 0
    header, first, end, count = extracts.span(path, start, _most(request))
    rest = job.processed - start - count
    return await downloads.send(
        request,
        shared.org.database,
        _pieces(path, header, first, end),
        Sforce_Locator=_locator(start + count) if rest > 0 else "null",
        Sforce_NumberOfRecords=str(count),
    )


def _pieces(path: Path, header: int, first: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield file.read(header)
        file.seek(first)
        left = end - first
        while left > 0 and (block := file.read(min(left, BLOCK))):
            left -= len(block)
            yield block


async def _pages(request: web.Request) -> web.Response:
    if float(request.match_info["version"]) < FIRST_PAGES:
        raise not_found(code_first=True)
    job = await _finished(request)
    locator = request.query.get("locator", "")
    start, root = (_start(locator) if locator else 0), f"{base(request)}/jobs/query/{job.id}"
    starts = range(start, max(job.processed, start + 1), extracts.PER_PAGE)
    listed = [
        {"resultUrl": f"{root}/results?{urlencode({'locator': _locator(each), 'maxRecords': extracts.PER_PAGE})}"}
        for each in starts[:PAGES]
    ]
    done = len(starts) <= PAGES
    more = None if done else f"{root}/resultPages?locator={_locator(starts[PAGES])}"
    return answer(request, {"resultPages": listed, "nextRecordsUrl": more, "done": done})
