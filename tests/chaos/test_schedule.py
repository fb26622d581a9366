"""A schedule is its seed's: the same again, and of every kind of harm."""

from __future__ import annotations

import orjson
import pytest

from sandbox.faults import Faults
from tests.chaos.schedule import STAGES, Schedule

SEEDS = range(200)


def test_the_same_seed_and_length_give_the_same_schedule() -> None:
    for seed in SEEDS:
        assert Schedule.of(seed, 20) == Schedule.of(seed, 20)
    assert len({str(Schedule.of(seed, 20).events) for seed in SEEDS}) == len(SEEDS)
    assert Schedule.of(1, 20) != Schedule.of(1, 8)


def test_what_a_seed_means_stays_what_it_was() -> None:
    """A seed that was noted down must be of use tomorrow: a change of the drawing is one of this line."""
    assert [str(event) for event in Schedule.of(17, 8).events[:2]] == [
        '{"at":0.72,"act":"freeze","on":"resolve","seconds":10.34}',
        '{"at":3.13,"act":"moment"}',
    ]


@pytest.mark.parametrize("seconds", [8, 20])
def test_every_schedule_kills_a_loader_and_has_its_frozen_moments_in_time(seconds: float) -> None:
    for seed in SEEDS:
        events = Schedule.of(seed, seconds).events
        assert any(event.act == "kill" and event.on == "deliver" for event in events)
        assert 2 <= sum(event.act == "moment" for event in events) <= 3
        assert all(0 < event.at <= seconds for event in events)
        assert list(events) == sorted(events, key=lambda event: event.at)
        assert sum(event.act == "broker" for event in events) <= 1 + seconds // 20


def test_every_fault_is_one_that_the_sandbox_knows() -> None:
    servers = {"source": Faults(server="visual_practice"), "org": Faults()}
    for seed in SEEDS:
        for event in Schedule.of(seed, 20).events:
            if event.act == "fault":
                servers[event.on].add(dict(event.rule))


def test_all_that_can_go_wrong_does_in_some_schedule() -> None:
    events = [event for seed in SEEDS for event in Schedule.of(seed, 20).events]
    assert {event.act for event in events} == {
        *("kill", "term", "freeze", "join", "broker", "sandbox", "fault", "moment")
    }
    assert {event.on for event in events if event.act == "kill"} == {*STAGES, "control"}
    kinds = {(event.on, event.rule["kind"]) for event in events if event.act == "fault"}
    assert {kind for on, kind in kinds if on == "source"} == {
        *("429", "500", "502", "503", "hang", "slow", "drop", "truncate", "not_json", "partial", "quota", "mutate")
    }
    assert {kind for on, kind in kinds if on == "org"} == {
        *("429", "500", "502", "503", "hang", "slow", "drop", "truncate", "not_json", "partial", "lock"),
        *("job_failed", "job_stuck", "expire_session", "request_limit"),
    }
    assert any(event.rule.get("after") and event.rule["kind"] == "drop" for event in events)


def test_a_schedule_is_printed_as_json_and_names_its_command() -> None:
    schedule = Schedule.of(17, 8)
    assert all(orjson.loads(str(event))["act"] == event.act for event in schedule.events)
    assert schedule.command == "make chaos SEED=17 SECONDS=8"
