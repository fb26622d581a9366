"""How fast the source is asked: never into a wall twice, never longer than it says, look-ups first. On a simulated clock."""

import asyncio
import logging
from email.utils import formatdate

import pytest

from connectors.errors import RateLimited
from connectors.visual_practice.budget import Budget

WALL = 1_800_000_000.0


class Server:
    """Counts requests in windows, and answers as one variant of a rate limit does."""

    def __init__(self, variant: str, limit: int, window: float = 60.0) -> None:
        self.variant, self.limit, self.window = variant, limit, window
        self.clock, self.used, self.opened = 0.0, 0, 0.0
        self.refused = self.served = 0
        self.budget = Budget(3600.0, now=lambda: self.clock, wall=lambda: WALL + self.clock, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.clock += seconds

    async def ask(self, *, urgent: bool = False) -> None:
        await self.budget.admit(urgent=urgent)
        self.clock += 0.02
        if self.clock - self.opened >= self.window:
            self.opened, self.used = self.clock - self.clock % self.window, 0
        self.used += 1
        ends = self.opened + self.window
        headers = {}
        if self.variant == "window":
            left = max(0, self.limit - self.used)
            headers = {
                "X-RateLimit-Limit": str(self.limit), "X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": str(int(WALL + ends)),
            }  # fmt: skip
        if self.used > self.limit:
            self.refused += 1
            if self.variant == "seconds":
                headers = {"Retry-After": str(int(ends - self.clock) + 1)}
            elif self.variant == "date":
                headers = {"Retry-After": formatdate(WALL + ends, usegmt=True)}
            elif self.variant == "reset":
                headers = {"X-RateLimit-Reset": str(WALL + ends)}
            self.budget.answered(429, headers)
        else:
            self.served += 1
            self.budget.answered(200, headers)

    async def run(self, seconds: float) -> None:
        while self.clock < seconds:
            await self.ask()


@pytest.mark.parametrize("variant", ["seconds", "date", "reset"])
async def test_a_wait_that_is_told_is_kept_and_not_exceeded(variant: str) -> None:
    server = Server(variant, 30)
    await server.run(600)
    assert server.refused <= 11, "one refusal a window tells all"
    assert server.served >= 300


async def test_a_window_that_is_told_is_never_overdrawn() -> None:
    server = Server("window", 60)
    await server.run(600)
    assert server.refused == 0
    assert 0.8 * 600 <= server.served <= 11 * 60


async def test_a_limit_that_nothing_tells_is_felt_for() -> None:
    server = Server("silent", 60)
    await server.run(1800)
    assert server.served >= 0.3 * 1800
    assert server.refused <= 0.15 * server.served
    assert server.budget.rate is not None


async def test_a_whim_at_the_beginning_costs_seconds() -> None:
    server = Server("silent", 10**9)
    await server.ask()
    server.budget.answered(429, {})
    for _ in range(50):
        await server.ask()
    assert server.budget.waited_seconds < 12


async def test_a_small_limit_that_nothing_tells_is_found() -> None:
    server = Server("silent", 10)
    await server.run(3600)
    assert server.served >= 300
    assert server.refused <= 0.5 * server.served


async def test_an_hour_that_is_used_up_is_waited_out_with_few_questions() -> None:
    server = Server("silent", 500, window=3600.0)
    await server.run(7200)
    assert server.served >= 600
    assert server.refused <= 130, "about one a minute"


async def test_a_source_without_a_limit_is_never_waited_for() -> None:
    server = Server("silent", 10**9)
    for _ in range(5000):
        await server.ask()
    assert server.budget.waited_seconds == 0


async def test_look_ups_have_a_share_of_a_window_that_walks_do_not_get() -> None:
    server = Server("window", 60)
    server.budget.answered(
        200, {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "6", "X-RateLimit-Reset": str(WALL + 60)}
    )
    for _ in range(6):
        await server.ask(urgent=True)
    assert server.budget.waited_seconds == 0
    await server.ask()
    assert server.clock >= 60


async def test_a_look_up_goes_before_walks_that_wait() -> None:
    order: list[str] = []
    budget = Budget()
    budget.answered(429, {})
    budget._rate, budget._closed_until = 20.0, 0.0

    async def ask(name: str, *, urgent: bool) -> None:
        await budget.admit(urgent=urgent)
        order.append(name)

    async with asyncio.TaskGroup() as tasks:
        for number in range(3):
            tasks.create_task(ask(f"walk {number}", urgent=False))
        await asyncio.sleep(0)
        tasks.create_task(ask("look-up", urgent=True))
    assert order[0] == "look-up"


async def test_a_wait_beyond_patience_is_handed_back_with_its_length() -> None:
    budget = Budget(10.0)
    budget.answered(429, {"Retry-After": "600"})
    assert 599 <= budget.closed_seconds <= 600
    with pytest.raises(RateLimited) as caught:
        await budget.admit()
    assert 599 <= (caught.value.retry_after or 0) <= 600


async def test_waiting_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="connectors.visual_practice.budget"):
        server = Server("seconds", 1, window=10.0)
        await server.run(300)
    assert 3 <= len(caplog.records) <= 6
    assert server.budget.waited_seconds > 200
    assert server.budget.refusals == server.refused
