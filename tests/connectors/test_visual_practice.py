from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import BadAnswer, BadCredentials, NotFound, RateLimited, RequestRefused, ServerFault, Unreachable
from connectors.visual_practice import ChangeReader, Page, VisualPractice
from mapping.source_fields import SOURCE_FIELDS
from sandbox.process import SandboxProcess
from tests.connectors.conftest import QUICK, Break


async def all_pages(practice: VisualPractice, resource: str, **more: Any) -> list[dict[str, Any]]:
    page = await practice.page(resource, **more)
    records = page.records
    while page.next is not None:
        page = await practice.page(resource, after=page.next, **more)
        records += page.records
    return records


async def test_all_pages_together_hold_every_record_once(practice: VisualPractice):
    first = await practice.page("patients")
    records = await all_pages(practice, "patients")
    assert len(first.records) == 100
    assert first.has_next
    assert len(records) == len({record["id"] for record in records}) == first.total
    stamps = [record["updated_at"] for record in records]
    assert stamps == sorted(stamps)


async def test_the_servers_time_comes_with_each_page(practice: VisualPractice):
    page = await practice.page("patients", per_page=1)
    assert abs(page.server_time - datetime.now(UTC)) < timedelta(seconds=5)
    assert page.server_time.microsecond == 0


async def test_every_record_of_the_sandbox_is_readable(practice: VisualPractice):
    for resource in ("patients", "practices"):
        reader = ChangeReader(SOURCE_FIELDS[resource])
        changes = [reader.read(record) for record in await all_pages(practice, resource)]
        assert {key for change in changes for key in change.custom} <= {"referral_source"}
        assert all(list(change.fields) == list(SOURCE_FIELDS[resource]) for change in changes)


async def test_only_some_fields_and_an_order_can_be_asked_for(practice: VisualPractice):
    page = await practice.page("patients", fields=("id",), sort="id", per_page=7)
    assert [set(record) for record in page.records] == [{"id"}] * 7


async def test_changes_since_a_moment_include_that_second(practice: VisualPractice, put_records: Callable[..., None]):
    put_records(
        {"object": "patient", "put": [{"id": "9001", "last_name": "New", "updated_at": "2031-01-01T00:00:05Z"}]}
    )
    at = datetime(2031, 1, 1, 0, 0, 5, tzinfo=UTC)
    found = await practice.page("patients", updated_since=at + timedelta(milliseconds=900))
    assert [record["id"] for record in found.records] == ["9001"]
    assert (await practice.page("patients", updated_since=at + timedelta(seconds=1))).total == 0
    elsewhere = at.astimezone(datetime.strptime("+0500", "%z").tzinfo)
    assert (await practice.page("patients", updated_since=elsewhere)).total == 1
    put_records({"object": "patient", "delete": ["9001"]})


async def test_a_delete_appears_in_the_feed_and_leaves_the_listing(
    practice: VisualPractice, put_records: Callable[..., None]
):
    put_records({"object": "patient", "put": [{"id": "9002", "last_name": "Gone"}]})
    assert (await practice.get("patients", "9002")).record is not None
    before = (await practice.get("patients", "9002")).server_time
    put_records({"object": "patient", "delete": ["9002"]})
    feed = await practice.feed("patients", "deleted", before - timedelta(seconds=1))
    entries = dict(ChangeReader.read_deleted(entry) for entry in feed.records)
    assert entries["9002"] >= before
    found = await practice.get("patients", "9002")
    assert found.record is None
    assert (await practice.feed("patients", "deleted", None, per_page=1)).total >= 1


async def test_an_id_with_odd_characters_is_asked_for_safely(practice: VisualPractice):
    assert (await practice.get("patients", "../practices/1?x=#")).record is None


@pytest.mark.parametrize("kind", ["429", "500", "503", "504", "drop", "truncate", "not_json"])
async def test_a_passing_fault_is_not_noticed(practice: VisualPractice, break_practice: Break, kind: str):
    break_practice(kind, count=2, retry_after=0.01)
    assert (await practice.page("patients")).records


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("503", ServerFault),
        ("504", ServerFault),
        ("429", RateLimited),
        ("drop", Unreachable),
        ("truncate", Unreachable),
        ("not_json", BadAnswer),
    ],
)
async def test_a_lasting_fault_is_told_by_its_type(
    sandbox: SandboxProcess, break_practice: Break, kind: str, error: type[Exception]
):
    break_practice(kind)
    card = sandbox.visual_practice
    with pytest.raises(error):
        await once(card["url"], card["api_key"])


async def once(url: str, key: str) -> Page:
    retry = type(QUICK)(first=0.0, max_elapsed=-1.0)
    async with VisualPractice(url, key, timeout=0.5, retry=retry) as client:
        return await client.page("patients")


async def test_a_wait_longer_than_we_have_is_told(practice: VisualPractice, break_practice: Break):
    break_practice("429", retry_after=3600)
    with pytest.raises(RateLimited) as caught:
        await practice.page("patients")
    assert caught.value.retry_after == 3600.0


async def test_a_server_that_hangs_is_unreachable(sandbox: SandboxProcess, break_practice: Break):
    break_practice("hang", seconds=3)
    card = sandbox.visual_practice
    with pytest.raises(Unreachable) as caught:
        await once(card["url"], card["api_key"])
    assert caught.value.may_have_arrived


async def test_nobody_listening_is_unreachable():
    with pytest.raises(Unreachable) as caught:
        await once("http://127.0.0.1:1", "key")
    assert not caught.value.may_have_arrived


async def test_a_wrong_key_is_told_at_once(sandbox: SandboxProcess):
    with pytest.raises(BadCredentials) as caught:
        await once(sandbox.visual_practice["url"], "wrong-key")
    assert "wrong-key" not in str(caught.value)
    assert "settings" in str(caught.value)


async def test_an_unknown_resource_is_not_found(practice: VisualPractice):
    with pytest.raises(NotFound):
        await practice.page("unicorns")


async def test_a_request_that_makes_no_sense_is_refused(practice: VisualPractice):
    with pytest.raises(RequestRefused):
        await practice.page("patients", sort="mood")
