"""Contents of files: multipart requests that bring one, and downloads.

Owns multipart `POST /sobjects/X`, and `/sobjects/X/{id}/{VersionData or Body}`. A content goes to disk as it arrives and
comes from there; it is never in memory as a whole. What the request means otherwise is the record routes' business.
"""

from typing import Any

from aiohttp import BodyPartReader, web

from sandbox.salesforce import ids
from sandbox.salesforce.errors import ApiError, not_found
from sandbox.salesforce.files import kinds
from sandbox.salesforce.files.bodies import Body
from sandbox.salesforce.files.documents import CONTENTS, MEGABYTE, VERSION
from sandbox.salesforce.routes.context import VERSION as ROOT
from sandbox.salesforce.routes.context import answer, given, parsed, services

BLOCK = 1 << 20
MOST_BYTES = {VERSION: 2 * 1024 * MEGABYTE}
MOST_OTHER = 500 * MEGABYTE


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module; before the record routes, which have a more general pattern."""
    for name, column in CONTENTS.items():
        for end in ("", "/"):
            app.router.add_get(
                f"{ROOT}/sobjects/{{sobject:(?i:{name})}}/{{id}}/{{field:(?i:{column})}}{end}", _download
            )
    app.router.add_post("/__admin/files", _limit)


async def received(request: web.Request, name: str) -> dict[str, Any]:
    """The record in a multipart request, with its content as a Body; raises ApiError. `name` is the object's.

    The parts may come in any order; the one of the content is named as its field and has a file name.
    """
    column = CONTENTS.get(name)
    record: dict[str, Any] | None = None
    body: Body | None = None
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            continue
        if part.name and column and part.name.lower() == column.lower():
            body = await _arrived(request, part, MOST_BYTES.get(name, MOST_OTHER))
        elif record is None:
            record = parsed(bytes(await part.read(decode=True)))
    if record is None or (body is None) == (column is not None):
        text = f"Multipart message must include a record part and a {column} part"
        raise ApiError(400, "INVALID_MULTIPART_REQUEST", text)
    return record | ({column: body} if column else {})


async def _arrived(request: web.Request, part: BodyPartReader, most: int) -> Body:
    with services(request).writes.documents.bodies.arriving() as made:
        while block := await part.read_chunk(BLOCK):
            made.write(block)
            if made.size > most:
                raise ApiError(413, "REQUEST_BODY_TOO_LARGE", f"The file is larger than {most} bytes")
        return made.done()


async def _download(request: web.Request) -> web.StreamResponse:
    shared, identity = services(request), ids.long(request.match_info["id"])
    sobject = shared.org.schema.get(request.match_info["sobject"])
    if identity is None or sobject is None:
        raise not_found()
    found = await shared.org.database.read(shared.writes.documents.find, sobject.name, identity)
    if found is None:
        raise not_found()
    path, end = found
    response = web.StreamResponse(headers={"Content-Type": kinds.media(end), "Sforce-Limit-Info": shared.usage.header})
    response.content_length = path.stat().st_size
    await response.prepare(request)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            await response.write(block)
    return response


async def _limit(request: web.Request) -> web.Response:
    """Changes the file storage of the org, for tests."""
    documents = services(request).writes.documents
    megabytes = (await given(request)).get("FileStorageMB")
    if not isinstance(megabytes, int | float):
        return answer(request, {"error": "FileStorageMB is needed, a number"}, 400)
    documents.limit = int(megabytes * MEGABYTE)
    return answer(request, {"FileStorageMB": megabytes})
