import pickle

import pytest

from connectors.errors import BadCredentials, ConnectorError, RateLimited, RequestRefused, ServerFault, Unreachable
from connectors.retry import NO_RETRY, Retry, asked_wait


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def retry(self, **more: float) -> Retry:
        return Retry(clock=lambda: self.now, sleep=self.sleep, jitter=lambda: 1.0, **more)  # type: ignore[arg-type]


def failing(*errors: ConnectorError):
    left = list(errors)

    async def call() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return call


async def test_a_transient_failure_is_tried_again_with_growing_waits():
    time = Time()
    errors = [ServerFault("S", "x") for _ in range(5)]
    assert await time.retry(first=1.0, most=5.0).run(failing(*errors)) == "done"
    assert time.slept == [1.0, 2.0, 4.0, 5.0, 5.0]


async def test_the_jitter_is_full():
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    retry = Retry(first=8.0, sleep=sleep, jitter=lambda: 0.25)
    await retry.run(failing(ServerFault("S", "x")))
    assert slept == [2.0]


async def test_what_is_not_transient_is_raised_at_once():
    time = Time()
    with pytest.raises(BadCredentials):
        await time.retry().run(failing(BadCredentials("S", "x")))
    assert time.slept == []


async def test_the_wait_that_the_service_asks_for_is_kept():
    time = Time()
    await time.retry(first=0.5).run(failing(RateLimited("S", "x", retry_after=40.0)))
    assert time.slept == [40.5]


async def test_a_wait_beyond_the_limit_is_not_begun():
    time = Time()
    with pytest.raises(RateLimited) as caught:
        await time.retry(max_elapsed=30.0).run(failing(RateLimited("S", "x", retry_after=40.0)))
    assert caught.value.retry_after == 40.0
    assert time.slept == []


async def test_the_last_error_is_raised_when_the_time_is_up():
    time = Time()
    with pytest.raises(ServerFault):
        await time.retry(first=1.0, max_elapsed=10.0).run(failing(*[ServerFault("S", "x") for _ in range(99)]))
    assert time.now <= 10.0


async def test_no_retry_tries_once():
    with pytest.raises(Unreachable):
        await NO_RETRY.run(failing(Unreachable("S", "x")))


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "Thu, 01 Jan 1970 00:17:00 GMT"}, 20.0),
        ({"X-RateLimit-Reset": "1030"}, 30.0),
        ({"X-RateLimit-Reset": "900"}, 0.0),
        ({"Retry-After": "soon", "X-RateLimit-Reset": "1001"}, 1.0),
        ({"Retry-After": "99999999"}, 86_400.0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "²"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_from_the_headers(headers: dict[str, str], wait: float | None):
    assert asked_wait(headers, now=lambda: 1000.0) == wait


def test_errors_say_what_to_do_and_survive_a_pickle():
    error = RequestRefused("Salesforce", "query failed", code="INVALID_FIELD", fields=("X",))
    assert str(error).startswith("Salesforce: query failed [INVALID_FIELD]. Look the code up")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.fields) == (RequestRefused, str(error), ("X",))
