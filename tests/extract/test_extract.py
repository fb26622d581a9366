"""Nothing that a source does loses a record: profiles, broken answers, archives, changes of its schema, an hour that exists twice."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.archive import Archive
from tests.conftest import ReadTopic
from tests.extract.conftest import Read, Tell
from tests.extract.reading import CODEC, Reading, differences, folded
from tests.transport.waiting import eventually
from topics.version import Version

pytestmark = pytest.mark.kafka

SPOKEN = ["page", "cursor,ids=number", "mixed,custom=sections"]


async def newest(reading: Reading, read_topic: ReadTopic, object_: str = "patient") -> dict[str, dict[str, Any]]:
    return folded(await read_topic(reading.catalogue.vp(object_)), object_)


async def equal(reading: Reading, read_topic: ReadTopic, *, closed: bool = False) -> dict[str, dict[str, Any]]:
    """Waits until the newest versions say what the practice has; `closed`: and none of them is provisional."""

    async def look() -> dict[str, dict[str, Any]]:
        reading.check()
        dump = await asyncio.to_thread(reading.practice.dump)
        practices = await newest(reading, read_topic, "practice")
        assert differences(practices, dump, "practices") == []
        patients = await newest(reading, read_topic)
        assert differences(patients, dump, "patients") == []
        if closed:
            read_again = {vp_id: one for vp_id, one in patients.items() if one["op"] == "upsert"}
            assert [vp_id for vp_id, one in read_again.items() if not Version.decode(one["version"]).closed] == []
        return patients

    return await eventually(look, within=40, every=0.3)


@pytest.mark.parametrize("profile", SPOKEN)
async def test_broken_answers_and_changes_under_way_lose_nothing_in_any_profile(
    read: Read, tell: Tell, read_topic: ReadTopic, profile: str
) -> None:
    tell("profile", profile=profile)
    work = {"edits": 6, "creates": 1, "deletes": 2, "undeletes": 1, "archives": 1}
    tell("faults", route="GET /v1/patients", kind="mutate", work=work, every=3, count=6)
    for seed, kind in enumerate(("partial", "drop", "truncate", "not_json", "500")):
        tell("faults", route="GET /v1/", kind=kind, probability=0.08, seed=seed, count=4)
    tell("faults", route="GET /v1/patients\\?.*cursor=", kind="400", count=2)  # places that the source has forgotten
    reading = await read(page_size=20)
    found = await equal(reading, read_topic, closed=True)
    stamps = {one["fields"][name] for one in found.values() if one["fields"] for name in ("created_at", "updated_at")}
    assert all(stamp.endswith("Z") for stamp in stamps if stamp), "times leave the source's zone here"


async def test_a_reader_that_is_killed_goes_on_with_pages_that_are_not_too_slow(
    read: Read, tell: Tell, read_topic: ReadTopic
) -> None:
    tell("pace", record_seconds=0.004, gateway_seconds=0.2)  # more than fifty are too slow, and are never answered
    reading = await read()

    async def under_way() -> bool:
        return len(await newest(reading, read_topic)) > 60

    await eventually(under_way)
    reading = await read()
    await equal(reading, read_topic)


async def test_what_looks_odd_is_held_against_pages_that_are_not_too_slow(
    read: Read, tell: Tell, read_topic: ReadTopic
) -> None:
    tell("pace", record_seconds=0.004, gateway_seconds=0.2)
    reading = await read()
    await equal(reading, read_topic)
    tell("records", object="patient", put=[{"id": str(7100 + n), "last_name": "Bare"} for n in range(30)])
    found = await equal(reading, read_topic)
    assert found["7100"]["fields"]["mrn"] is None


async def test_look_ups_run_beside_each_other_and_hold_up_no_start(
    read: Read, tell: Tell, read_topic: ReadTopic
) -> None:
    reading = await read()
    await equal(reading, read_topic)
    ids = sorted(one["id"] for one in reading.practice.dump()["practices"])[:12]
    tell("faults", route="GET /v1/practices/\\d", kind="slow", seconds=0.5)
    tell("faults", route="GET /v1/practices/\\d", kind="503", count=3)
    await reading.ask(*(("lookup", "practice", vp_id) for vp_id in ids))
    assert reading.unfinished() == 1
    await reading.ask(("start", "practice", ""))
    assert reading.unfinished() == 1, "the start is done, the look-ups are not"

    async def published() -> bool:
        reading.check()
        topic = await read_topic(reading.catalogue.vp("practice"))
        origins = {record.key.decode() for record in topic if dict(record.headers)["origin"] == b"lookup"}
        return origins == set(ids) and reading.unfinished() == 0

    await eventually(published)


async def test_a_look_up_waits_for_the_snapshot_and_asks_only_for_what_that_has_not_met(
    read: Read, tell: Tell, read_topic: ReadTopic
) -> None:
    tell("pace", record_seconds=0.01)
    reading = await read(page_size=20)
    ids = sorted(one["id"] for one in reading.practice.dump()["patients"])

    async def fates() -> list[str]:
        refs = await read_topic(reading.catalogue.refs)
        return [record.key.decode() for record in refs]

    await reading.ask(*(("lookup", "patient", vp_id) for vp_id in (*ids, "424242")))
    assert reading.unfinished() == 0, "the look-ups wait as state, and hold nothing up"
    assert await fates() == []
    reading = await read(page_size=20)  # the reader dies, the look-ups don't

    async def answered() -> bool:
        reading.check()
        assert await fates() == ["patient:424242"]
        return True

    await eventually(answered, within=40)
    await equal(reading, read_topic)
    topic = await read_topic(reading.catalogue.vp("patient"))
    assert [one for one in topic if dict(one.headers)["origin"] == b"lookup"] == []
    await reading.ask(("lookup", "patient", ids[0]))
    assert reading.unfinished() == 0
    assert [
        one for one in await read_topic(reading.catalogue.vp("patient")) if dict(one.headers)["origin"] == b"lookup"
    ] == []


async def test_an_archived_record_is_still_there(read: Read, tell: Tell, read_topic: ReadTopic) -> None:
    tell("records", object="patient", put=[{"id": str(7000 + n), "last_name": "Stays"} for n in range(3)])
    tell("records", object="patient", archive=["7000"])  # long before anybody reads
    reading = await read()
    assert "archived_at" in (await equal(reading, read_topic))["7000"]["custom"]
    tell("records", object="patient", archive=["7001"], delete=["7002"])
    found = await equal(reading, read_topic)
    assert (found["7001"]["op"], found["7002"]["op"]) == ("upsert", "delete")
    await reading.ask(
        ("census", "patient", "7001"),
        ("lookup", "patient", "7001"),
        ("census", "patient", "7002"),
        ("lookup", "patient", "7999"),
    )

    async def answered() -> bool:
        reading.check()
        return reading.unfinished() == 0

    await eventually(answered)
    found = await equal(reading, read_topic)
    assert found["7001"]["origin"] in {"delta", "lookup"}
    absent = [CODEC.decode(record.value) for record in await read_topic(reading.catalogue.refs)]
    assert absent == [("absent", {"parent": "patient:7999"})]
    tell("records", object="patient", unarchive=["7000", "7001"])
    await asyncio.sleep(1.1)  # another second than that of the archiving
    tell("records", object="patient", put=[{"id": "7001", "notes": "back"}])
    found = await equal(reading, read_topic, closed=True)
    assert found["7001"]["fields"]["notes"] == "back"
    assert "archived_at" not in found["7000"]["custom"] | found["7001"]["custom"]


async def test_an_installation_without_an_archive_has_nothing_in_it(read: Read, tell: Tell) -> None:
    reading = await read()
    tell("faults", route="/archived", kind="404")
    archive = Archive(reading.client, "patients", timedelta(seconds=2))
    assert await archive.find("7000") is None


async def test_fields_that_the_map_needs_are_waited_for_and_never_blanked(
    read: Read, tell: Tell, read_topic: ReadTopic
) -> None:
    said = [("mrn", "gone", True), ("middle_name", "type", True)]
    reading = await read()
    before = await equal(reading, read_topic, closed=True)
    tell("faults", kind="drift", object="patient", field="mrn", remove=True)
    tell("faults", kind="drift", object="patient", field="middle_name", type="number")
    edited = sorted(
        one["id"] for one in reading.practice.dump()["patients"] if one["last_name"] and one["middle_name"]
    )[:5]
    tell("records", object="patient", put=[{"id": vp_id, "city": "Elsewhere"} for vp_id in edited])

    async def reports() -> list[tuple[str, str, bool]]:
        records = await read_topic(reading.catalogue.control)
        found = [CODEC.decode(record.value)[1] for record in records if record.key == b"drift:patient"]
        return [(one["field"], one["what"], one["paused"]) for one in found]

    async def reported() -> bool:
        reading.check()
        assert await reports() == said
        return True

    await eventually(reported)
    await reading.ask(("lookup", "patient", edited[0]))
    reading = await read()  # a restart changes nothing
    await asyncio.sleep(0.7)
    assert await newest(reading, read_topic) == before
    assert await reports() == said
    reading.practice.clear_faults()
    found = await equal(reading, read_topic, closed=True)
    assert {found[vp_id]["fields"]["city"] for vp_id in edited} == {"Elsewhere"}

    async def closed() -> bool:
        latest = {field: what for field, what, _ in await reports()}
        return set(latest.values()) == {"back"}

    await eventually(closed)


async def test_records_of_another_kind_are_read_though_none_of_them_has_what_all_others_have(
    read: Read, tell: Tell, read_topic: ReadTopic
) -> None:
    reading = await read()
    await equal(reading, read_topic, closed=True)
    taken_over = [str(number) for number in range(1, 131)]  # before all others by id, and more than a page
    tell("records", object="patient", put=[{"id": vp_id, "last_name": "Taken", "mrn": None} for vp_id in taken_over])
    found = await equal(reading, read_topic, closed=True)
    assert {found[vp_id]["fields"]["mrn"] for vp_id in taken_over} == {None}
    tell("records", object="patient", delete=taken_over)
    await equal(reading, read_topic, closed=True)


async def test_an_hour_that_exists_twice_loses_no_change(read: Read, tell: Tell, read_topic: ReadTopic) -> None:
    night = datetime(2027, 11, 7, 5, tzinfo=UTC).timestamp()  # 01:00 in New York, for the first time

    def set_clock(minutes: float, *, first: bool = False) -> None:
        if not first:
            reading.practice.clear_faults()
        tell("faults", kind="skew", seconds=round(night + 60 * minutes - time.time()))

    tell("profile", profile="mixed")
    set_clock(40, first=True)
    tell(
        "records", object="patient", put=[{"id": str(7100 + n), "last_name": "Night", "notes": "0"} for n in range(40)]
    )
    reading = await read(page_size=20)
    await equal(reading, read_topic)
    for number, minutes in enumerate((50, 70, 99.95, 130), start=1):
        set_clock(minutes)
        chosen = range(number, 40, 2)
        tell("records", object="patient", put=[{"id": str(7100 + n), "notes": str(number)} for n in chosen])
        tell("records", object="patient", delete=[str(7100 + number)])
        await equal(reading, read_topic)
    set_clock(200)
    await equal(reading, read_topic, closed=True)
