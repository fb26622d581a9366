"""Bulk 2.0 ingest jobs.

Owns `/jobs/ingest`. Uploads go to a file as they arrive; nothing in them is looked at here.
"""

import os
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web

from sandbox.salesforce import uploads
from sandbox.salesforce.allocations import BATCHES, EXHAUSTED, LIMITS
from sandbox.salesforce.errors import ApiError, not_found
from sandbox.salesforce.jobs import Job
from sandbox.salesforce.results import Results
from sandbox.salesforce.routes import downloads
from sandbox.salesforce.routes.context import VERSION, answer, base, given, parsed, services, user

KIND = "V2Ingest"
OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")
OPEN, ABORTABLE = frozenset({"Open"}), frozenset({"Open", "UploadComplete", "InProgress"})
MOST_UPLOAD = 150_000_000  # bytes, encoded as base64
MOST_MULTIPART = 100_000  # characters
PER_LIST = 1_000
RESULTS = "successfulResults|failedResults|unprocessedrecords|unprocessedRecords"

TWICE = (  # a second PUT is taken; closing the job then is what fails
    "Found multiple contents for job: <{0}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job"
    " and make sure you only do 'PUT' once on a given Job."
)


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module."""
    root = f"{VERSION}/jobs/ingest"
    for end in ("", "/"):
        app.router.add_post(root + end, _create)
        app.router.add_get(root + end, _list)
        app.router.add_get(f"{root}/{{id}}{end}", _info)
        app.router.add_patch(f"{root}/{{id}}{end}", _change)
        app.router.add_delete(f"{root}/{{id}}{end}", _delete)
        app.router.add_put(f"{root}/{{id}}/batches{end}", _upload)
        app.router.add_get(f"{root}/{{id}}/{{which:{RESULTS}}}{end}", _results)
    app.router.add_post("/__admin/bulk", _turn)


def refused(text: str, code: str = "INVALIDJOB") -> ApiError:
    """400 of a job that cannot be."""
    return ApiError(400, code, text, code_first=True)


async def _job(request: web.Request) -> Job:
    shared = services(request)
    return await shared.org.database.read(shared.jobs.get, request.match_info["id"], KIND)


async def _create(request: web.Request) -> web.Response:
    if request.content_type.startswith("multipart/"):
        return await _create_with_content(request)
    job = await _created(request, await given(request))
    return answer(request, job.as_json(short=True))


async def _created(request: web.Request, body: dict[str, Any]) -> Job:
    shared = services(request)
    operation, name = body.get("operation"), body.get("object")
    if operation not in OPERATIONS:
        raise refused(f"Unable to parse Job: unexpected value for operation: {operation}")
    if operation == "hardDelete" and not await shared.org.database.read(_may_hard_delete, request):
        raise refused("hardDelete requires the Bulk API Hard Delete permission", "FEATURENOTENABLED")
    if not await shared.org.database.read(lambda: shared.jobs.allocations.left(shared.org.database.reader(), BATCHES)):
        raise refused(EXHAUSTED[BATCHES], "EXCEEDEDQUOTA")
    sobject = shared.org.seen_by(user(request)).get(str(name))
    if sobject is None or not sobject.writable:
        raise refused(f"Unable to find object: {name}", "INVALIDENTITY")
    key = body.get("externalIdFieldName")
    if operation == "upsert" and not key:
        raise refused("Job creation failed: externalIdFieldName is required for upsert operations")
    line_ending, delimiter = body.get("lineEnding", "LF"), body.get("columnDelimiter", "COMMA")
    if line_ending not in uploads.LINE_ENDINGS or delimiter not in uploads.DELIMITERS:
        raise refused("Unable to parse Job: unexpected value for lineEnding or columnDelimiter")
    if body.get("contentType", "CSV") != "CSV":
        raise refused("Unable to parse Job: unexpected value for contentType")
    return await shared.org.database.write(
        shared.jobs.create,
        kind=KIND,
        operation=operation,
        object=sobject.name,
        created_by=user(request),
        state="Open",
        version=request.match_info["version"],
        key=key if operation == "upsert" else None,
        line_ending=line_ending,
        delimiter=delimiter,
        assignment_rule=body.get("assignmentRuleId"),
    )


def _may_hard_delete(request: web.Request) -> bool:
    org = services(request).org
    return org.access.rights(org.database.reader(), user(request)).hard_delete


async def _create_with_content(request: web.Request) -> web.Response:
    parts: dict[str, bytes] = {}
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if isinstance(part, BodyPartReader) and part.name:
            parts[part.name] = bytes(await part.read(decode=True))
    if not {"job", "content"} <= set(parts):
        raise refused("Multipart message must include a job and a content part")
    if len(parts["content"].decode(errors="replace")) > MOST_MULTIPART:
        raise refused(f"Multipart content is limited to {MOST_MULTIPART} characters")
    job = await _created(request, parsed(parts["job"]))
    shared = services(request)
    shared.jobs.path(job).write_bytes(parts["content"])
    job = await shared.org.database.write(shared.jobs.move, job, "UploadComplete", OPEN, uploaded=len(parts["content"]))
    shared.worker.take(job)
    return answer(request, job.as_json(short=True))


async def _upload(request: web.Request) -> web.Response:
    shared, job = services(request), await _job(request)
    if request.content_type not in {"text/csv", "application/octet-stream"}:
        raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", f"Content-Type must be text/csv, not {request.content_type}")
    if job.state != "Open":
        raise refused(f"Job state must be Open to upload content, it is {job.state}", "INVALIDJOBSTATE")
    path = shared.jobs.path(job)
    arriving = path.with_suffix(f".{os.urandom(4).hex()}")
    try:
        size = await _received(request, arriving)
        arriving.replace(path)
    finally:
        arriving.unlink(missing_ok=True)
    again = {"error": TWICE.format(job.id)} if job.uploaded else {}
    await shared.org.database.write(shared.jobs.move, job, "Open", OPEN, uploaded=max(size, 1), **again)
    return web.Response(status=201)


async def _received(request: web.Request, path: Path) -> int:
    size = 0
    with path.open("wb") as file:
        async for block in request.content.iter_chunked(1 << 20):
            size += len(block)
            if size * 4 > MOST_UPLOAD * 3:
                raise refused("The upload is larger than 150 MB", "CLIENTINPUTERROR")
            file.write(block)
    return size


async def _change(request: web.Request) -> web.Response:
    shared, job = services(request), await _job(request)
    state = (await given(request)).get("state")
    database = shared.org.database
    if state == "Aborted":
        job = await database.write(shared.jobs.move, job, "Aborted", ABORTABLE)
    elif state == "UploadComplete":
        if job.error:
            raise refused(job.error, "INVALIDJOBSTATE")
        if not job.uploaded:
            shared.jobs.path(job).write_bytes(b"")
        job = await database.write(shared.jobs.move, job, "UploadComplete", OPEN, uploaded=max(job.uploaded, 1))
        shared.worker.take(job)
    else:
        raise refused(f"Unable to parse Job: unexpected value for state: {state}")
    return answer(request, job.as_json(short=True))


async def _info(request: web.Request) -> web.Response:
    return answer(request, (await _job(request)).as_json())


async def _list(request: web.Request) -> web.Response:
    return await listing(request, KIND, "ingest")


async def listing(request: web.Request, kind: str, name: str) -> web.Response:
    """Jobs of a kind, 1,000 a page. Asked for another `jobType`, or for PK chunking, which no job here has: none."""
    shared = services(request)
    none = request.query.get("jobType") not in {None, "", kind} or request.query.get("isPkChunkingEnabled") == "true"
    locator = request.query.get("queryLocator", "")
    if locator and not locator.isdigit():
        raise refused("Invalid locator", "INVALIDLOCATOR")
    found = [] if none else await shared.org.database.read(shared.jobs.listing, kind, int(locator or 0), PER_LIST + 1)
    more = f"{base(request)}/jobs/{name}?queryLocator={found[PER_LIST - 1].number}" if len(found) > PER_LIST else None
    records = [job.as_json() for job in found[:PER_LIST]]
    return answer(request, {"done": more is None, "records": records, "nextRecordsUrl": more})


async def _delete(request: web.Request) -> web.Response:
    shared, job = services(request), await _job(request)
    await shared.org.database.write(shared.jobs.delete, job)
    return web.Response(status=204)


async def _turn(request: web.Request) -> web.Response:
    """Changes the daily limits, and lets jobs and what was used of the limits grow older; for tests."""
    body, jobs = await given(request), services(request).jobs
    hours, limits = body.pop("older_by_hours", 0), body
    if not set(limits) <= set(LIMITS) or not all(isinstance(each, int) for each in (hours, *limits.values())):
        return answer(request, {"error": f"known are older_by_hours, {', '.join(LIMITS)}, all whole numbers"}, 400)
    jobs.allocations.limits |= limits
    await services(request).org.database.write(jobs.age, 3600.0 * hours)
    return answer(request, jobs.allocations.as_json())


async def _results(request: web.Request) -> web.StreamResponse:
    shared, job = services(request), await _job(request)
    which = request.match_info["which"].lower()
    untouched = which == "unprocessedrecords"
    if not job.uploaded:
        raise not_found(code_first=True)
    results, alphabetical = Results(shared.org, shared.jobs), bool(shared.switches.bulk_columns_sorted)
    pieces = (
        results.unprocessed(job)
        if untouched
        else results.recorded(job, which.removesuffix("results"), alphabetical=alphabetical)
    )
    return await downloads.send(request, shared.org.database, pieces)
