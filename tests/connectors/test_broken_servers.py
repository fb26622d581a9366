"""Answers that no fault of the sandbox produces: what the clients make of a server that isn't one."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from connectors.errors import (
    BadAnswer,
    BadCredentials,
    NotFound,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    ServerFault,
    SessionExpired,
    StorageExhausted,
    Unreachable,
)
from connectors.retry import NO_RETRY, Retry
from connectors.salesforce import Bulk, Collections, Salesforce
from connectors.visual_practice import VisualPractice

Answer = Callable[[httpx.Request], httpx.Response]
DATE = {"Date": "Fri, 02 Jan 2026 03:04:05 GMT"}
QUICK = Retry(first=0.0, max_elapsed=1.0)


def practice(answer: Answer, retry: Retry = NO_RETRY) -> VisualPractice:
    return VisualPractice("http://vp.test", "key", retry=retry, transport=httpx.MockTransport(answer))


def salesforce(answer: Answer, retry: Retry = NO_RETRY) -> Salesforce:
    def route(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/services/oauth2/token":
            return httpx.Response(200, json={"access_token": "00D!x"})
        return answer(request)

    return Salesforce("http://sf.test", "id", "secret", retry=retry, transport=httpx.MockTransport(route))


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "{}",
        '{"patients": {}}',
        '{"patients": [], "total_entries": 1}',
        '{"patients":[],"total_entries":"1","links":{}}',
        "null",
        "5",
        "",
    ],
)
async def test_an_envelope_without_its_parts_is_a_bad_answer(body: str):
    async with practice(lambda _: httpx.Response(200, text=body, headers=DATE)) as client:
        with pytest.raises(BadAnswer):
            await client.page("patients")


async def test_an_answer_without_a_date_is_a_bad_answer():
    body = {"patients": [], "total_entries": 0, "links": {}}
    async with practice(lambda _: httpx.Response(200, json=body)) as client:
        with pytest.raises(BadAnswer, match="Date"):
            await client.page("patients")


async def test_half_a_surrogate_pair_does_not_stop_a_page():
    body = rb'{"patients":[{"id":"1","notes":"a\ud800b \ud83d\ude00"}],"total_entries":1,"links":{}}'
    async with practice(lambda _: httpx.Response(200, content=body, headers=DATE)) as client:
        page = await client.page("patients")
    assert page.records == [{"id": "1", "notes": "a\ufffdb 😀"}]


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, BadCredentials), (403, BadCredentials), (404, NotFound), (400, RequestRefused), (302, RequestRefused),
     (429, RateLimited), (408, ServerFault), (500, ServerFault), (504, ServerFault)],
)  # fmt: skip
async def test_a_refusal_by_visual_practice_has_its_own_type(status: int, error: type[Exception]):
    async with practice(lambda _: httpx.Response(status, text="Maynard Smith")) as client:
        with pytest.raises(error) as caught:
            await client.page("patients")
    assert "Maynard" not in repr(caught.value) + str(caught.value)


async def test_a_limit_that_resets_at_a_moment_is_understood():
    async with practice(lambda _: httpx.Response(429, headers={"X-RateLimit-Reset": "1"})) as client:
        with pytest.raises(RateLimited) as caught:
            await client.page("patients")
    assert caught.value.retry_after == 0.0


@pytest.mark.parametrize(
    "error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.UnsupportedProtocol]
)
async def test_a_connection_that_fails_is_unreachable_and_tells_no_address(error: type[httpx.TransportError]):
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("http://vp.test/?q=Smith", request=request)

    async with practice(answer) as client:
        with pytest.raises(Unreachable) as caught:
            await client.page("patients")
    assert caught.value.may_have_arrived == (error in {httpx.ReadTimeout, httpx.RemoteProtocolError})
    assert "Smith" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "REQUEST_LIMIT_EXCEEDED", QuotaExhausted),
        (400, "EXCEEDEDQUOTA", QuotaExhausted),
        (400, "STORAGE_LIMIT_EXCEEDED", StorageExhausted),
        (401, "INVALID_SESSION_ID", SessionExpired),
        (403, "API_DISABLED_FOR_ORG", BadCredentials),
        (404, "NOT_FOUND", NotFound),
        (400, "INVALID_FIELD", RequestRefused),
        (403, "INSUFFICIENT_ACCESS", RequestRefused),
        (503, "SERVER_UNAVAILABLE", ServerFault),
        (400, "QUERY_TIMEOUT", ServerFault),
        (429, "X", RateLimited),
    ],
)
async def test_a_refusal_by_salesforce_has_its_own_type(status: int, code: str, error: type[Exception]):
    body = [{"errorCode": code, "message": "Last Name: Maynard Smith"}]
    async with salesforce(lambda _: httpx.Response(status, json=body)) as client:
        with pytest.raises(error) as caught:
            await client.query("SELECT Id FROM Contact")
    assert code in str(caught.value)
    assert "Maynard" not in repr(caught.value) + str(caught.value)


async def test_the_column_that_salesforce_does_not_know_is_named():
    body = [{"errorCode": "INVALID_FIELD", "message": "\nSELECT Foo__c FROM X\nNo such column 'Foo__c' on entity"}]
    async with salesforce(lambda _: httpx.Response(400, json=body)) as client:
        with pytest.raises(RequestRefused, match="no column Foo__c that we see"):
            await client.query("SELECT Foo__c FROM X")


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"", b"[]", b'[{"id":"1"}]', b'{"a":1}', b"\xff"])
async def test_results_that_do_not_fit_the_rows_are_a_bad_answer(body: bytes):
    async with salesforce(lambda _: httpx.Response(200, content=body)) as client:
        with pytest.raises(BadAnswer):
            await Collections(client).upsert("Contact", "VP_Id__c", [{"VP_Id__c": "patient:1"}])


@pytest.mark.parametrize("status", [200, 400])
async def test_a_token_call_answered_by_a_web_page_is_a_bad_answer(status: int):
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text="<html>Log in</html>"))
    async with Salesforce("http://sf.test", "id", "secret", retry=NO_RETRY, transport=transport) as client:
        with pytest.raises(BadAnswer):
            await client.query("SELECT Id FROM Contact")


async def test_many_calls_with_an_expired_token_ask_for_one_new_token():
    tokens: list[str] = []

    async def route(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.01)
        if request.url.path == "/services/oauth2/token":
            tokens.append(f"00D!{len(tokens)}")
            return httpx.Response(200, json={"access_token": tokens[-1]})
        if request.headers["Authorization"] == "Bearer 00D!0":
            return httpx.Response(401, json=[{"errorCode": "INVALID_SESSION_ID"}])
        return httpx.Response(200, json={"records": [], "done": True})

    client = Salesforce("http://sf.test", "id", "secret", retry=NO_RETRY, transport=httpx.MockTransport(route))
    async with client:
        await asyncio.gather(*(client.query("SELECT Id FROM Contact") for _ in range(20)))
    assert len(tokens) == 2
    assert client.api_calls == 40


async def test_reads_are_tried_again_and_writes_are_not():
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        if len(calls) % 2:
            return httpx.Response(503, json=[{"errorCode": "SERVER_UNAVAILABLE"}])
        return httpx.Response(200, json={"records": [], "done": True})

    async with salesforce(answer, QUICK) as client:
        assert await client.query("SELECT Id FROM Contact") == []
        assert calls == ["GET", "GET"]
        with pytest.raises(ServerFault):
            await Collections(client).update("Contact", [{"Id": "003"}])
    assert calls == ["GET", "GET", "PATCH"]


async def test_a_result_that_breaks_off_is_unreachable():
    async def cut():
        yield b'"sf__Id","sf__Created",Name\n"003","true","A"\n"003'
        message = "peer closed connection"
        raise httpx.RemoteProtocolError(message)

    async with salesforce(lambda _: httpx.Response(200, content=cut())) as client:
        rows = Bulk(client).successful("750")
        assert (await anext(rows)).columns == {"Name": "A"}
        with pytest.raises(Unreachable):
            await anext(rows)


async def test_a_result_that_is_no_csv_is_a_bad_answer():
    async with salesforce(lambda _: httpx.Response(200, content=b'"a","b"\n"1"\n')) as client:
        with pytest.raises(BadAnswer, match="successfulResults"):
            [row async for row in Bulk(client).successful("750")]


SEVERAL = [f"{number:0100}" for number in range(300)]


@pytest.mark.parametrize(
    "parts",
    [
        None,
        {},
        [],
        [{"referenceId": "q0", "httpStatusCode": 200, "body": {"records": []}}],
        [{"referenceId": f"q{number}", "httpStatusCode": "200", "body": {"records": []}} for number in range(3)],
        [{"referenceId": f"q{number}", "httpStatusCode": 200, "body": []} for number in range(3)],
    ],
)
async def test_an_answer_to_several_queries_that_lacks_one_is_a_bad_answer(parts: object):
    async with salesforce(lambda _: httpx.Response(200, json={"compositeResponse": parts})) as org:
        with pytest.raises(BadAnswer):
            await org.query_in("SELECT Id FROM Contact", "VP_Id__c", SEVERAL)


async def test_one_of_several_queries_that_fails_for_a_moment_is_asked_again():
    def answer(status: int, body: object) -> httpx.Response:
        parts = [
            {"referenceId": f"q{number}", "httpStatusCode": 200, "body": {"records": [{"Id": number}]}}
            for number in range(3)
        ]
        parts[1] |= {"httpStatusCode": status, "body": body}
        return httpx.Response(200, json={"compositeResponse": parts})

    answers = [
        answer(500, [{"errorCode": "QUERY_TIMEOUT", "message": "too long"}]),
        answer(200, {"records": [{"Id": 1}]}),
    ]
    async with salesforce(lambda _: answers.pop(0), QUICK) as org:
        found = await org.query_in("SELECT Id FROM Contact", "VP_Id__c", SEVERAL)
    assert [row["Id"] for row in found] == [0, 1, 2]
    assert not answers
