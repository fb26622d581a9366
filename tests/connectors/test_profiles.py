"""Every way in which a Visual Practice speaks says the same."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.errors import BadAnswer, PageTooSlow, ZoneMissing
from connectors.retry import NO_RETRY
from connectors.visual_practice import Change, ChangeReader, Profile, VisualPractice
from mapping.source_fields import SOURCE_FIELDS
from sandbox.process import SandboxProcess
from tests.connectors.conftest import QUICK, Break

Speak = Callable[..., None]
SPOKEN = ["page", "cursor", "mixed", "paging=cursor", "times=local", "envelope=results", "custom=sections", "ids=long"]
READER = ChangeReader(SOURCE_FIELDS["patients"])


@pytest.fixture
def speak(sandbox: SandboxProcess) -> Iterator[Speak]:
    def change(profile: str) -> None:
        httpx.post(f"{sandbox.visual_practice['url']}/__admin/profile", json={"profile": profile}).raise_for_status()

    yield change
    change("page")


@pytest.fixture
async def fresh(sandbox: SandboxProcess) -> AsyncIterator[Callable[..., VisualPractice]]:
    """Makes clients that have heard nothing yet."""
    made: list[VisualPractice] = []

    def client(**more: Any) -> VisualPractice:
        card = sandbox.visual_practice
        made.append(VisualPractice(card["url"], card["api_key"], timeout=5.0, **{"retry": QUICK, **more}))
        return made[-1]

    yield client
    for one in made:
        await one.__aexit__(None, None, None)


async def everything(client: VisualPractice, **more: Any) -> dict[str, Change]:
    page = await client.page("patients", **more)
    found = []
    while True:
        found += [READER.read(record, await client.time(), page.seen) for record in page.records]
        if page.next is None:
            return {change.vp_id: change for change in found}
        page = await client.page("patients", after=page.next, **more)


def short(text: str | None) -> str | None:
    """An id of 18 digits as the number it stands for."""
    return str(int(text[3:])) if text and len(text) == 18 and text.startswith("4") else text


@pytest.mark.parametrize("profile", SPOKEN)
async def test_every_profile_says_the_same(speak: Speak, fresh: Callable[..., VisualPractice], profile: str) -> None:
    plain = await everything(fresh())
    speak(profile)
    found = await everything(fresh(page_size=70))
    assert {short(vp_id) for vp_id in found} == plain.keys()
    for vp_id, change in found.items():
        there = plain[short(vp_id) or ""]
        assert change.modified == there.modified
        assert change.custom == there.custom
        assert {name: short(value) for name, value in change.fields.items()} == there.fields


@pytest.mark.parametrize("profile", ["page", "cursor", "mixed"])
async def test_changes_and_feeds_since_a_moment_are_asked_for_as_each_profile_wants(
    speak: Speak, fresh: Callable[..., VisualPractice], put_records: Callable[..., None], profile: str
) -> None:
    people = [{"id": str(9100 + n), "last_name": "New", "updated_at": f"2031-07-01T00:00:{n:02d}Z"} for n in range(5)]
    put_records({"object": "patient", "put": people})
    speak(profile)
    client = fresh()
    since = datetime(2031, 7, 1, 0, 0, 2, 900_000, tzinfo=UTC)
    assert [short(vp_id) for vp_id in await everything(client, updated_since=since)] == ["9102", "9103", "9104"]
    put_records({"object": "patient", "delete": ["9103", "9104"], "archive": ["9102"], "at": "2031-07-02T00:00:00Z"})
    for which, ids in (("deleted", ["9103", "9104"]), ("archived", ["9102"])):
        page = await client.feed("patients", which, since, per_page=1)  # type: ignore[arg-type]
        records = page.records
        while page.next is not None:
            page = await client.feed("patients", which, since, after=page.next)  # type: ignore[arg-type]
            records += page.records
        assert [short(record["id"]) for record in records] == ids
    at = ChangeReader.read_deleted({"id": "1", "deleted_at": records[0]["archived_at"]}, await client.time())[1]
    assert at == datetime(2031, 7, 2, tzinfo=UTC)
    assert (await client.feed("patients", "deleted", since + timedelta(days=3))).records == []
    put_records({"object": "patient", "unarchive": ["9102"]})
    put_records({"object": "patient", "delete": ["9100", "9101", "9102"]})


async def test_what_is_told_is_not_asked_for(
    speak: Speak, fresh: Callable[..., VisualPractice], break_practice: Break
) -> None:
    speak("envelope=results")
    break_practice("500", route="/v1/schema")
    told = fresh(profile=Profile.parse("times=utc, envelope=results"), retry=NO_RETRY)
    assert (await told.page("patients", updated_since=datetime(2020, 1, 1, tzinfo=UTC))).records
    with pytest.raises(BadAnswer):
        await fresh(profile=Profile.parse("envelope=plain, times=utc"), retry=NO_RETRY).page("patients")


async def test_times_without_an_offset_and_without_a_zone_stop_us_with_what_to_set(
    speak: Speak, fresh: Callable[..., VisualPractice], break_practice: Break
) -> None:
    speak("mixed")
    break_practice("403", route="/v1/schema")
    with pytest.raises(ZoneMissing, match=r"source\.time_zone"):
        await fresh().page("patients")


async def test_a_page_that_is_too_slow_is_asked_for_in_smaller_pieces(
    sandbox: SandboxProcess, fresh: Callable[..., VisualPractice]
) -> None:
    def pace(**seconds: float) -> None:
        httpx.post(f"{sandbox.visual_practice['url']}/__admin/pace", json=seconds).raise_for_status()

    client = fresh()
    first = await client.page("patients")
    try:
        pace(record_seconds=0.001, gateway_seconds=0.03)
        with pytest.raises(PageTooSlow):
            await client.page("patients", after=first.next)
        slow = await everything(client)
        assert len(slow) == first.total
        assert client.page_size.current <= 50
    finally:
        pace(record_seconds=0.0, gateway_seconds=60.0)
    for _ in range(40):
        await client.page("patients")
    assert client.page_size.current == 100


@pytest.mark.parametrize("limit", ["retry_after", "retry_date", "reset", "silent"])
async def test_a_refusal_in_any_words_is_waited_out(
    fresh: Callable[..., VisualPractice], break_practice: Break, limit: str
) -> None:
    break_practice("429", count=1, limit=limit, retry_after=0.2)
    client = fresh()
    assert (await client.page("patients")).records
    assert client.budget.refusals == 1


@pytest.mark.parametrize("profile", ["page", "cursor"])
async def test_a_page_with_half_of_its_records_is_read_again(
    speak: Speak, fresh: Callable[..., VisualPractice], break_practice: Break, profile: str
) -> None:
    speak(profile)
    plain = await everything(fresh())
    break_practice("partial", route="/v1/patients", at=[1, 3])
    assert await everything(fresh()) == plain


def test_a_profile_is_read_from_its_switches() -> None:
    assert Profile.parse("auto") == Profile()
    assert Profile.parse("times=local, paging=cursor") == Profile(times="local", paging="cursor")
    assert Profile.parse(Profile.parse("ids=long,custom=flat").text) == Profile(ids="long", custom="flat")
    with pytest.raises(ValueError, match="'times=mars' is neither auto nor a switch"):
        Profile.parse("times=mars")
