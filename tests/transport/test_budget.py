"""How fast calls go out, and who waits for whom."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from gateway.model.deadline import deadline
from gateway.model.errors import RateLimited
from gateway.model.manifest import BudgetScope, CallBudget
from gateway.transport.budget import Budget

from .scripted import Scripted, request


def budget(
    inner: Scripted, *, burst: int = 5, per_minute: int = 6000, scope: BudgetScope = BudgetScope.ADDRESS
) -> Budget:
    return Budget(inner, CallBudget(burst=burst, per_minute=per_minute, scope=scope), pause=0.1)


async def call(layer: Budget, partition: str = "a") -> None:
    await layer.handle_async_request(request(partition=partition))


async def test_a_burst_goes_out_at_once_and_the_rest_at_the_rate() -> None:
    inner = Scripted(None)
    layer = budget(inner, burst=5, per_minute=1200)
    await asyncio.gather(*(call(layer) for _ in range(10)))
    began, *_ = inner.times
    assert inner.times[4] - began < 0.1
    assert 0.23 <= inner.times[-1] - began < 0.5


async def test_callers_are_served_in_the_order_in_which_they_came() -> None:
    layer = budget(Scripted(None), burst=1, per_minute=6000)
    served: list[int] = []

    async def numbered(number: int) -> None:
        await call(layer)
        served.append(number)

    await asyncio.gather(*(numbered(number) for number in range(20)))
    assert served == list(range(20))


async def test_a_newcomer_does_not_overtake_those_who_wait() -> None:
    layer = budget(Scripted(None), burst=1, per_minute=600)
    await call(layer)
    served: list[str] = []

    async def named(name: str) -> None:
        await call(layer)
        served.append(name)

    first = asyncio.create_task(named("first"))
    await asyncio.sleep(0.01)
    # The loop is busy elsewhere; the token comes meanwhile, and a newcomer runs before the one who waits wakes up.
    time.sleep(0.12)  # noqa: ASYNC251  # the point of the test
    await asyncio.gather(asyncio.create_task(named("newcomer")), first)
    assert served == ["first", "newcomer"]


async def test_after_a_refusal_everybody_waits() -> None:
    inner = Scripted(RateLimited("slow", retry_after=0.2), None)
    layer = budget(inner, burst=100)
    with pytest.raises(RateLimited):
        await call(layer)
    await asyncio.gather(*(call(layer, partition) for partition in "abcdefgh"))
    assert all(0.19 <= at - inner.times[0] < 0.5 for at in inner.times[1:])


async def test_a_refusal_that_names_no_time_pauses_for_ours() -> None:
    inner = Scripted(RateLimited("slow"), None)
    layer = budget(inner)
    with pytest.raises(RateLimited):
        await call(layer)
    await call(layer)
    assert inner.gaps[0] >= 0.095


async def test_credentials_have_buckets_of_their_own() -> None:
    inner = Scripted(RateLimited("slow", retry_after=0.3), None)
    layer = budget(inner, burst=1, per_minute=60, scope=BudgetScope.CREDENTIAL)
    with pytest.raises(RateLimited):
        await call(layer, "a")
    began = time.monotonic()
    await asyncio.gather(*(call(layer, partition) for partition in "bcd"))
    assert time.monotonic() - began < 0.25
    with deadline(0.02), pytest.raises(RateLimited):
        await call(layer, "a")


async def test_a_call_may_bring_a_budget_of_its_own() -> None:
    inner = Scripted(None)
    layer = budget(inner, burst=1, per_minute=60, scope=BudgetScope.CREDENTIAL)
    wide = CallBudget(burst=5, per_minute=60, scope=BudgetScope.CREDENTIAL)
    with deadline(0.1):
        await call(layer)
        for _ in range(5):
            await layer.handle_async_request(request(partition="a", budget=wide))
        for drawn_on in (None, wide):
            with pytest.raises(RateLimited):
                await layer.handle_async_request(request(partition="a", budget=drawn_on))
        # Of another's it is another bucket.
        await layer.handle_async_request(request(partition="b", budget=wide))


class Telling(Scripted):
    """Answers with headers that tell what is left."""

    def __init__(self, *told: dict[str, str]) -> None:
        super().__init__(None)
        self.told = [*told]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        response.headers.update(self.told.pop(0) if self.told else {})
        return response


@pytest.mark.parametrize(
    ("told", "waits"),
    [
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, True),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "1"}, False),
        ({"x-ratelimit-remaining": "0"}, False),
        ({"x-ratelimit-remaining": "none", "x-ratelimit-reset": "1"}, False),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "-1"}, False),
        ({}, False),
    ],
)
async def test_calls_wait_where_the_service_says_that_nothing_is_left(told: dict[str, str], waits: bool) -> None:
    inner = Telling(told)
    layer = budget(inner, scope=BudgetScope.CREDENTIAL)
    await call(layer)
    await call(layer, "b")
    await call(layer)
    assert (inner.times[2] - inner.times[0] >= 0.99) is waits
    assert inner.times[1] - inner.times[0] < 0.5


async def test_one_address_has_one_bucket_whoever_calls() -> None:
    layer = budget(Scripted(None), burst=1, per_minute=60)
    await call(layer, "a")
    with deadline(0.1), pytest.raises(RateLimited):
        await call(layer, "b")


async def test_the_number_of_buckets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.transport.budget.MAX_BUCKETS", 2)
    layer = budget(Scripted(None), burst=1, per_minute=60, scope=BudgetScope.CREDENTIAL)
    for partition in "abc":
        await call(layer, partition)
    # The first is forgotten, so its bucket is full again; the last is not.
    with deadline(0.1):
        await call(layer, "a")
        with pytest.raises(RateLimited):
            await call(layer, "c")


async def test_a_wait_beyond_the_deadline_is_refused_at_once() -> None:
    inner = Scripted(None)
    layer = budget(inner, burst=1, per_minute=60)
    await call(layer)
    began = time.monotonic()
    with deadline(0.5), pytest.raises(RateLimited) as caught:
        await call(layer)
    assert time.monotonic() - began < 0.3
    assert caught.value.retry_after == pytest.approx(1, abs=0.1)
    assert inner.calls == 1


async def test_the_line_before_a_caller_counts_for_its_wait() -> None:
    inner = Scripted(None)
    layer = budget(inner, burst=1, per_minute=600)
    tasks = [asyncio.create_task(call(layer)) for _ in range(4)]
    await asyncio.sleep(0)
    began = time.monotonic()
    with deadline(0.25), pytest.raises(RateLimited):
        await call(layer)
    assert time.monotonic() - began < 0.15
    with deadline(0.9):
        await call(layer)
    await asyncio.gather(*tasks)


async def test_a_pause_that_begins_while_waiting_does_not_outlast_the_deadline() -> None:
    async def slow() -> None:
        await asyncio.sleep(0.03)
        raise RateLimited("slow", retry_after=5.0)

    inner = Scripted(slow)
    layer = budget(inner, burst=1, per_minute=600)
    first = asyncio.create_task(call(layer))
    await asyncio.sleep(0)
    began = time.monotonic()
    with deadline(0.3), pytest.raises(RateLimited):
        await call(layer)
    assert 0.28 <= time.monotonic() - began < 1
    assert inner.calls == 1
    with pytest.raises(RateLimited):
        await first


async def test_cancelled_callers_take_no_tokens_and_leave_the_line() -> None:
    inner = Scripted(None)
    layer = budget(inner, burst=1, per_minute=150)
    await call(layer)
    tasks = [asyncio.create_task(call(layer)) for _ in range(500)]
    for wave in range(5):
        await asyncio.sleep(0.002)
        for task in tasks[wave * 100 : wave * 100 + 100]:
            task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    with deadline(0.6):
        await call(layer)
    assert inner.calls == 2
