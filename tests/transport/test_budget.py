"""How fast calls go out, and who waits for whom."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from looptime import LoopTimeEventLoop

from gateway.model.deadline import deadline
from gateway.model.errors import RateLimited
from gateway.model.manifest import BudgetScope, CallBudget
from gateway.transport.budget import Budget

from .scripted import Scripted, request

# The loop's time passes only while all wait, and at once: what is asserted is exact, however slow the machine is. The
# rates are powers of two by second: the limiter would wait for the rounding of others, for which no time passes.
pytestmark = pytest.mark.usefixtures("leaping")


def budget(
    inner: Scripted, *, burst: int = 5, per_minute: int = 3840, scope: BudgetScope = BudgetScope.ADDRESS
) -> Budget:
    return Budget(inner, CallBudget(burst=burst, per_minute=per_minute, scope=scope), pause=0.1)


async def call(layer: Budget, partition: str = "a") -> None:
    await layer.handle_async_request(request(partition=partition))


async def test_a_burst_goes_out_at_once_and_the_rest_at_the_rate() -> None:
    inner = Scripted(None)
    layer = budget(inner, burst=5, per_minute=960)
    await asyncio.gather(*(call(layer) for _ in range(10)))
    began, *_ = inner.times
    assert inner.times[4] == began
    assert inner.times[-1] - began == pytest.approx(5 / 16)


async def test_callers_are_served_in_the_order_in_which_they_came() -> None:
    layer = budget(Scripted(None), burst=1, per_minute=3840)
    served: list[int] = []

    async def numbered(number: int) -> None:
        await call(layer)
        served.append(number)

    await asyncio.gather(*(numbered(number) for number in range(20)))
    assert served == list(range(20))


async def test_a_newcomer_does_not_overtake_those_who_wait(leaping: LoopTimeEventLoop) -> None:
    layer = budget(Scripted(None), burst=1, per_minute=480)
    await call(layer)
    served: list[str] = []

    async def named(name: str) -> None:
        await call(layer)
        served.append(name)

    first = asyncio.create_task(named("first"))
    await asyncio.sleep(0.01)
    # The loop is busy elsewhere; the token comes meanwhile, and a newcomer runs before the one who waits wakes up.
    leaping.setup_looptime(start=0.2)
    await asyncio.gather(asyncio.create_task(named("newcomer")), first)
    assert served == ["first", "newcomer"]


async def test_after_a_refusal_everybody_waits() -> None:
    inner = Scripted(RateLimited("slow", retry_after=0.2), None)
    layer = budget(inner, burst=100)
    with pytest.raises(RateLimited):
        await call(layer)
    await asyncio.gather(*(call(layer, partition) for partition in "abcdefgh"))
    assert [at - inner.times[0] for at in inner.times[1:]] == [pytest.approx(0.2)] * 8


async def test_a_refusal_that_names_no_time_pauses_for_ours() -> None:
    inner = Scripted(RateLimited("slow"), None)
    layer = budget(inner)
    with pytest.raises(RateLimited):
        await call(layer)
    await call(layer)
    assert inner.gaps == [pytest.approx(0.1)]


async def test_credentials_have_buckets_of_their_own() -> None:
    inner = Scripted(RateLimited("slow", retry_after=0.3), None)
    layer = budget(inner, burst=1, per_minute=60, scope=BudgetScope.CREDENTIAL)
    with pytest.raises(RateLimited):
        await call(layer, "a")
    await asyncio.gather(*(call(layer, partition) for partition in "bcd"))
    assert inner.gaps == [0, 0, 0]
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
    ("told", "wait"),
    [
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, 1),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "1"}, 0),
        ({"x-ratelimit-remaining": "0"}, 0),
        ({"x-ratelimit-remaining": "none", "x-ratelimit-reset": "1"}, 0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "-1"}, 0),
        ({}, 0),
    ],
)
async def test_calls_wait_where_the_service_says_that_nothing_is_left(told: dict[str, str], wait: int) -> None:
    inner = Telling(told)
    layer = budget(inner, scope=BudgetScope.CREDENTIAL)
    await call(layer)
    await call(layer, "b")
    await call(layer)
    assert inner.gaps == [0, pytest.approx(wait)]


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


async def test_a_wait_beyond_the_deadline_is_refused_at_once(leaping: LoopTimeEventLoop) -> None:
    inner = Scripted(None)
    layer = budget(inner, burst=1, per_minute=60)
    await call(layer)
    with deadline(0.5), pytest.raises(RateLimited) as caught:
        await call(layer)
    assert leaping.time() == 0
    assert caught.value.retry_after == pytest.approx(1)
    assert inner.calls == 1


async def test_the_line_before_a_caller_counts_for_its_wait(leaping: LoopTimeEventLoop) -> None:
    inner = Scripted(None)
    layer = budget(inner, burst=1, per_minute=480)
    tasks = [asyncio.create_task(call(layer)) for _ in range(4)]
    await asyncio.sleep(0)
    with deadline(0.45), pytest.raises(RateLimited):
        await call(layer)
    assert leaping.time() == 0
    with deadline(0.55):
        await call(layer)
    assert leaping.time() == pytest.approx(0.5)
    await asyncio.gather(*tasks)


async def test_a_pause_that_begins_while_waiting_does_not_outlast_the_deadline(leaping: LoopTimeEventLoop) -> None:
    async def slow() -> None:
        await asyncio.sleep(0.03)
        raise RateLimited("slow", retry_after=5.0)

    inner = Scripted(slow)
    layer = budget(inner, burst=1, per_minute=480)
    first = asyncio.create_task(call(layer))
    await asyncio.sleep(0)
    with deadline(0.3), pytest.raises(RateLimited):
        await call(layer)
    assert leaping.time() == pytest.approx(0.3)
    assert inner.calls == 1
    with pytest.raises(RateLimited):
        await first


async def test_cancelled_callers_take_no_tokens_and_leave_the_line() -> None:
    inner = Scripted(None)
    layer = budget(inner, burst=1, per_minute=120)
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
