"""What is tried again, how often, and after which wait."""

from __future__ import annotations

import asyncio

import pytest
from looptime import LoopTimeEventLoop

from gateway.model.deadline import deadline
from gateway.model.errors import (
    Forbidden,
    GatewayError,
    OutcomeUnknown,
    RateLimited,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.transport.errors import CircuitOpen
from gateway.transport.retry import Retrying

from .scripted import Scripted, forever, request

# The loop's time passes only while all wait, and at once: what is asserted is exact, however slow the machine is.
pytestmark = pytest.mark.usefixtures("leaping")


def retrying(inner: Scripted, *, attempts: int = 3, wait_max: float = 1.0) -> Retrying:
    return Retrying(inner, attempts=attempts, wait_initial=0.02, wait_max=wait_max, wait_jitter=0.01, patience=1.0)


def down() -> UpstreamUnavailable:
    return UpstreamUnavailable("down")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_a_failure_in_passing_is_tried_again_with_growing_waits(method: str) -> None:
    inner = Scripted(down(), UpstreamTimeout("late"), None)
    assert (await retrying(inner).handle_async_request(request(method))).status_code == 200
    first, second = inner.gaps
    assert 0.02 <= first <= 0.03
    assert 0.04 <= second <= 0.05


async def test_the_last_error_comes_out_after_the_last_attempt() -> None:
    last = UpstreamTimeout("third")
    inner = Scripted(down(), down(), last)
    with pytest.raises(UpstreamTimeout) as caught:
        await retrying(inner).handle_async_request(request())
    assert caught.value is last
    assert inner.calls == 3


@pytest.mark.parametrize(
    "error",
    [
        Forbidden("no"),
        UpstreamInvalid("what"),
        UpstreamUnavailable("switched off", retryable=False),
        OutcomeUnknown("?"),
        CircuitOpen("open", retry_after=0.01),
    ],
)
async def test_what_would_fail_again_is_not_tried_again(error: GatewayError) -> None:
    inner = Scripted(error)
    with pytest.raises(type(error)):
        await retrying(inner).handle_async_request(request())
    assert inner.calls == 1


async def test_a_failure_that_cannot_pass_ends_the_attempts() -> None:
    inner = Scripted(down(), Forbidden("no"), None)
    with pytest.raises(Forbidden):
        await retrying(inner).handle_async_request(request())
    assert inner.calls == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_write_is_never_repeated(method: str) -> None:
    inner = Scripted(down(), None)
    with pytest.raises(UpstreamUnavailable):
        await retrying(inner).handle_async_request(request(method, attempts=5))
    assert inner.calls == 1


@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_a_request_may_say_how_often_it_is_tried(attempts: int) -> None:
    inner = Scripted(down())
    with pytest.raises(UpstreamUnavailable):
        await retrying(inner, wait_max=0.02).handle_async_request(request(attempts=attempts))
    assert inner.calls == attempts


async def test_the_service_is_given_the_time_that_it_asks_for() -> None:
    inner = Scripted(RateLimited("slow", retry_after=0.1), None)
    await retrying(inner).handle_async_request(request())
    assert 0.1 <= inner.gaps[0] <= 0.11


async def test_a_service_that_asks_for_no_wait_gets_ours() -> None:
    inner = Scripted(RateLimited("slow", retry_after=0.0), None)
    await retrying(inner).handle_async_request(request())
    assert 0.02 <= inner.gaps[0] <= 0.03


@pytest.mark.parametrize("error", [RateLimited("slow", retry_after=0.5), UpstreamUnavailable("down", retry_after=0.5)])
async def test_a_wait_beyond_the_deadline_is_not_begun(error: GatewayError, leaping: LoopTimeEventLoop) -> None:
    inner = Scripted(error)
    with deadline(0.3), pytest.raises(type(error)) as caught:
        await retrying(inner).handle_async_request(request())
    assert caught.value is error
    assert leaping.time() == 0


async def test_a_backoff_beyond_the_deadline_is_not_begun(leaping: LoopTimeEventLoop) -> None:
    inner = Scripted(down())
    with deadline(0.4), pytest.raises(UpstreamUnavailable):
        await retrying(inner, attempts=9).handle_async_request(request())
    # 0.02 + 0.04 + 0.08 + 0.16, with at most 0.01 more each, fit; the 0.32 after them do not.
    assert inner.calls == 5
    assert 0.3 <= leaping.time() <= 0.34


async def test_a_wait_beyond_all_patience_is_not_begun_even_without_a_deadline(leaping: LoopTimeEventLoop) -> None:
    inner = Scripted(RateLimited("slow", retry_after=2.0), None)
    with pytest.raises(RateLimited):
        await retrying(inner).handle_async_request(request())
    assert leaping.time() == 0


async def test_being_cancelled_ends_the_attempts_at_once() -> None:
    for inner in (Scripted(forever), Scripted(down(), forever), Scripted(RateLimited("slow", retry_after=0.9), None)):
        task = asyncio.create_task(retrying(inner).handle_async_request(request()))
        await asyncio.sleep(0.06)
        calls = inner.calls
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert inner.calls == calls


async def test_retries_write_nothing(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UpstreamUnavailable):
        await retrying(Scripted(down())).handle_async_request(request())
    out, err = capfd.readouterr()
    assert (out, err, caplog.text) == ("", "", "")
