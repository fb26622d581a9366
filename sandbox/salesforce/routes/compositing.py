"""Several requests in one: composite, graphs, batches and trees.

Owns `/composite`, `/composite/graph`, `/composite/batch` and `/composite/tree/X`. What belongs together by all-or-none,
a graph or a tree is one transaction. Source of fact: REST API Developer Guide; limits of batch and tree are unverified.
"""

from typing import Any

from aiohttp import web

from sandbox.database import Undone
from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.routes import subrequests
from sandbox.salesforce.routes.context import VERSION, answer, base, given, services
from sandbox.salesforce.routes.subrequests import Reply, UnknownReferenceError, carry_out

MOST_COMPOSITE, MOST_HEAVY, MOST_BATCH = 25, 5, 25
MOST_GRAPHS, MOST_NODES, MOST_DEPTH, MOST_FAILURES = 75, 500, 15, 14
HALTED = "PROCESSING_HALTED"
ROLLED_BACK = "The transaction was rolled back since another operation in the same transaction failed."
STOPPED = "The batch request was halted since too many graphs have failed."
Items = list[dict[str, Any]]


def add_routes(app: web.Application) -> None:
    """Adds the routes of this module; before those of the collections, whose paths begin alike."""
    for end in ("", "/"):
        app.router.add_get(f"{VERSION}/composite{end}", _resources)
        app.router.add_post(f"{VERSION}/composite{end}", _composite)
        app.router.add_post(f"{VERSION}/composite/graph{end}", _graphs)
        app.router.add_post(f"{VERSION}/composite/batch{end}", _batch)


async def _resources(request: web.Request) -> web.Response:
    root = f"{base(request)}/composite"
    return answer(request, {name: f"{root}/{name}" for name in ("tree", "batch", "sobjects", "graph")})


def _items(body: dict[str, Any], key: str) -> Items:
    items = body.get(key)
    if not isinstance(items, list) or not items or not all(isinstance(each, dict) for each in items):
        raise ApiError(400, "JSON_PARSER_ERROR", f"Field name [{key}] is missing or is no list of objects")
    return items


def _check(items: Items) -> None:
    """Every request needs a method, a url and a name of its own."""
    seen: set[str] = set()
    for each in items:
        for key in ("method", "url", "referenceId"):
            if not isinstance(each.get(key), str):
                raise ApiError(400, "JSON_PARSER_ERROR", f"Missing required field: {key}")
        if each["referenceId"] in seen:
            text = (
                f"The reference id {each['referenceId']} is not unique: reference ids must be unique within a request"
            )
            raise ApiError(400, "INVALID_INPUT", text)
        seen.add(each["referenceId"])


def _halted(text: str = ROLLED_BACK) -> Reply:
    return Reply(400, [{"errorCode": HALTED, "message": text}])


async def _run(request: web.Request, items: Items) -> dict[str, Reply]:
    replies: dict[str, Reply] = {}
    for each in items:
        try:
            url = str(subrequests.resolved(each["url"], replies))
            body = subrequests.resolved(each.get("body"), replies)
            headers = subrequests.resolved(each.get("httpHeaders") or {}, replies)
        except UnknownReferenceError as error:
            replies[each["referenceId"]] = _halted(str(error))
            continue
        if not url.startswith("/services/data/"):
            replies[each["referenceId"]] = Reply(
                404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
            )
            continue
        replies[each["referenceId"]] = await carry_out(request, each["method"].upper(), url, body, headers)
    return replies


def _spoiled(reply: Reply) -> bool:
    """Whether a reply spoils its transaction: refused itself, or a collection with a refused row."""
    rows = reply.body if isinstance(reply.body, list) else []
    return not reply.good or any(isinstance(row, dict) and row.get("success") is False for row in rows)


async def _whole(request: web.Request, items: Items) -> tuple[dict[str, Reply], bool]:
    """Carries all out or nothing; tells whether it was all."""
    replies: dict[str, Reply] = {}
    async with services(request).org.database.together():
        replies |= await _run(request, items)
        _undo_spoiled(replies)
    if not any(map(_spoiled, replies.values())):
        return replies, True
    return {name: reply if _spoiled(reply) else _halted() for name, reply in replies.items()}, False


def _undo_spoiled(replies: dict[str, Reply]) -> None:
    if any(map(_spoiled, replies.values())):
        raise Undone


def _shown(replies: dict[str, Reply]) -> Items:
    return [
        {"body": reply.body, "httpHeaders": reply.headers, "httpStatusCode": reply.status, "referenceId": name}
        for name, reply in replies.items()
    ]


async def _composite(request: web.Request) -> web.Response:
    body = await given(request)
    items = _items(body, "compositeRequest")
    _check(items)
    heavy = [each for each in items if any(part in each["url"] for part in ("/query", "/composite/sobjects"))]
    if len(items) > MOST_COMPOSITE or len(heavy) > MOST_HEAVY:
        text = f"The composite request has {len(items)} subrequests, {len(heavy)} of them queries or collections"
        raise ApiError(400, "LIMIT_EXCEEDED", f"{text}: the limits are {MOST_COMPOSITE} and {MOST_HEAVY}")
    replies = (await _whole(request, items))[0] if body.get("allOrNone") is True else await _run(request, items)
    return answer(request, {"compositeResponse": _shown(replies)})


def _depth(items: Items) -> int:
    depths: dict[str, int] = {}
    for each in items:
        before = subrequests.names([each.get("url"), each.get("body")])
        depths[each["referenceId"]] = 1 + max((depths.get(name, 0) for name in before), default=0)
    return max(depths.values(), default=0)


async def _graphs(request: web.Request) -> web.Response:
    graphs = _items(await given(request), "graphs")
    nodes = 0
    for graph in graphs:
        items = _items(graph, "compositeRequest")
        _check(items)
        nodes += len(items)
        if _depth(items) > MOST_DEPTH:
            raise ApiError(400, "LIMIT_EXCEEDED", f"A graph is deeper than {MOST_DEPTH}")
    if len(graphs) > MOST_GRAPHS or nodes > MOST_NODES:
        text = f"The request has {len(graphs)} graphs and {nodes} nodes: the limits are {MOST_GRAPHS} and {MOST_NODES}"
        raise ApiError(400, "LIMIT_EXCEEDED", text)
    shown: Items = []
    failures = 0
    for graph in graphs:
        items = graph["compositeRequest"]
        if failures >= MOST_FAILURES:
            replies, good = {each["referenceId"]: _halted(STOPPED) for each in items}, False
        else:
            replies, good = await _whole(request, items)
            failures += not good
        shown.append(
            {
                "graphId": graph.get("graphId"),
                "graphResponse": {"compositeResponse": _shown(replies)},
                "isSuccessful": good,
            }
        )
    return answer(request, {"graphs": shown})


async def _batch(request: web.Request) -> web.Response:
    body = await given(request)
    items = _items(body, "batchRequests")
    if len(items) > MOST_BATCH:
        raise ApiError(400, "LIMIT_EXCEEDED", f"A batch has at most {MOST_BATCH} requests")
    results: Items = []
    failed = False
    for each in items:
        if failed and body.get("haltOnError") is True:
            halted = {"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}
            results.append({"statusCode": 412, "result": [halted]})
            continue
        url = str(each.get("url", "")).removeprefix("/services/data/").lstrip("/")
        reply = await carry_out(
            request, str(each.get("method", "")).upper(), f"/services/data/{url}", each.get("richInput")
        )
        failed |= not reply.good
        results.append({"statusCode": reply.status, "result": reply.body})
    return answer(request, {"hasErrors": failed, "results": results})
