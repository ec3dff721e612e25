"""When a service is left alone, and when it is tried again."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from gateway.model.errors import (
    Forbidden,
    GatewayError,
    RateLimited,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.transport.breaker import Breaker
from gateway.transport.errors import CircuitOpen, DeadlinePassed

from .scripted import Scripted, Step, forever, request


def breaker(inner: Scripted) -> Breaker:
    return Breaker(inner, provider="games", failures=3, seconds=0.1)


async def outcome(layer: Breaker) -> type[BaseException] | None:
    try:
        await layer.handle_async_request(request())
    except GatewayError as error:
        return type(error)
    return None


def down() -> UpstreamUnavailable:
    return UpstreamUnavailable("down")


async def test_after_three_failures_in_a_row_calls_are_refused_without_being_made() -> None:
    inner = Scripted(down(), UpstreamTimeout("late"), down())
    layer = breaker(inner)
    assert [await outcome(layer) for _ in range(3)] == [UpstreamUnavailable, UpstreamTimeout, UpstreamUnavailable]
    with pytest.raises(CircuitOpen) as caught:
        await layer.handle_async_request(request())
    assert inner.calls == 3
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 0.1


async def test_a_refused_call_holds_on_to_nothing() -> None:
    layer = Breaker(Scripted(down()), provider="games", failures=1, seconds=60)
    await outcome(layer)
    with pytest.raises(CircuitOpen) as caught:
        await layer.handle_async_request(request())
    assert caught.value.__context__ is None
    assert await _growth(layer, 2000) < 50_000


async def test_failures_are_counted_and_not_collected() -> None:
    async def fail() -> None:
        raise down()

    assert await _growth(Breaker(Scripted(fail), provider="games", failures=10**9, seconds=60), 2000) < 150_000


@pytest.mark.parametrize("between", [None, Forbidden("no"), UpstreamInvalid("what")])
async def test_any_answer_ends_the_row_of_failures(between: Step) -> None:
    inner = Scripted(down(), down(), between, down(), down(), None)
    layer = breaker(inner)
    results = [await outcome(layer) for _ in range(6)]
    assert CircuitOpen not in results
    assert inner.calls == 6


@pytest.mark.parametrize(
    "other",
    [
        Forbidden("no"),
        RateLimited("slow"),
        UpstreamInvalid("what"),
        UpstreamUnavailable("this part is switched off", retryable=False),
        DeadlinePassed("ours"),
    ],
)
async def test_what_says_nothing_against_the_service_does_not_open_the_circuit(other: GatewayError) -> None:
    inner = Scripted(other)
    layer = breaker(inner)
    assert {await outcome(layer) for _ in range(10)} == {type(other)}
    assert inner.calls == 10


async def test_what_says_nothing_for_the_service_does_not_end_the_row() -> None:
    layer = breaker(Scripted(down(), down(), RateLimited("slow"), DeadlinePassed("ours"), down(), None))
    for _ in range(5):
        await outcome(layer)
    assert await outcome(layer) is CircuitOpen


async def test_after_a_while_one_call_is_let_through_and_its_success_lets_all() -> None:
    gate = asyncio.Event()
    inner = Scripted(down(), down(), down(), gate.wait, None)
    layer = breaker(inner)
    for _ in range(3):
        await outcome(layer)
    await asyncio.sleep(0.12)
    probe = asyncio.create_task(outcome(layer))
    await asyncio.sleep(0)
    assert [await outcome(layer) for _ in range(5)] == [CircuitOpen] * 5
    assert inner.calls == 4
    gate.set()
    assert await probe is None
    assert [await outcome(layer) for _ in range(5)] == [None] * 5


async def test_a_failed_probe_opens_the_circuit_again() -> None:
    inner = Scripted(down())
    layer = breaker(inner)
    for _ in range(3):
        await outcome(layer)
    await asyncio.sleep(0.12)
    assert await outcome(layer) is UpstreamUnavailable
    assert await outcome(layer) is CircuitOpen
    assert inner.calls == 4


async def test_cancelled_calls_count_neither_way() -> None:
    inner = Scripted(down(), down(), forever, forever, forever, down(), None)
    layer = breaker(inner)
    for _ in range(2):
        await outcome(layer)
    for _ in range(3):
        await _cancelled(layer)
    # Neither a third failure, which would have opened it, nor a success, which would have ended the row.
    assert await outcome(layer) is UpstreamUnavailable
    assert await outcome(layer) is CircuitOpen


@pytest.mark.parametrize("step", [forever, RateLimited("slow")])
async def test_a_probe_that_tells_nothing_makes_room_for_the_next(step: Step) -> None:
    inner = Scripted(down(), down(), down(), step, None)
    layer = breaker(inner)
    for _ in range(3):
        await outcome(layer)
    await asyncio.sleep(0.12)
    if isinstance(step, RateLimited):
        assert await outcome(layer) is RateLimited
    else:
        await _cancelled(layer)
    assert await outcome(layer) is None
    assert await outcome(layer) is None


async def _growth(layer: Breaker, calls: int) -> int:
    for _ in range(50):
        await outcome(layer)
    tracemalloc.start()
    try:
        for _ in range(calls):
            await outcome(layer)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


async def _cancelled(layer: Breaker) -> None:
    task = asyncio.create_task(layer.handle_async_request(request()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
