"""The layers together, as a provider uses them."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
import traceback
from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.model.deadline import deadline
from gateway.model.errors import (
    GatewayError,
    InvalidInput,
    OutcomeUnknown,
    RateLimited,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.model.manifest import BudgetScope, CallBudget
from gateway.transport.body import TooLong
from gateway.transport.client import Client
from gateway.transport.errors import CircuitOpen, DeadlinePassed, judge_status
from gateway.transport.pool import Pool

from .conftest import NewPool
from .loopback import OK, answer, hangs_up, loopback, never, says

SECRET = "SeCrEt"  # looked for in what is shown

BAD_GATEWAY = answer(b"<html>oops</html>", "Content-Type: text/html", status="502 Bad Gateway")


def client(
    pool: httpx.AsyncBaseTransport,
    *,
    timeout: float = 2.0,
    budget: CallBudget | None = None,
    breaker_failures: int = 10,
    max_body_bytes: int = 1 << 20,
    on_call: Callable[[httpx.Request], None] | None = None,
) -> Client:
    return Client(
        "games",
        pool=pool,
        judge=judge_status,
        budget=budget,
        timeout=timeout,
        wait_initial=0.01,
        wait_jitter=0.01,
        pause=0.05,
        breaker_failures=breaker_failures,
        max_body_bytes=max_body_bytes,
        on_call=on_call,
    )


async def fails(it: Client, url: str, *, attempts: int | None = None) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await it.get(f"{url}?token={SECRET}", headers={"Authorization": SECRET}, partition="p", attempts=attempts)
    error = caught.value
    assert error.provider == "games"
    assert SECRET not in "".join([str(error), repr(error), *traceback.format_exception(error)])
    return error


async def test_a_get_comes_back_with_what_the_service_says(pool: Pool) -> None:
    async with loopback(says(answer(b'{"text":"no such id"}', status="404 Not Found"))) as server:
        response = await client(pool).get(f"{server.origin}/v2/x", headers={"X-Key": "k"}, partition="p")
    assert response.status_code == 404
    assert response.json() == {"text": "no such id"}
    assert b"X-Key: k\r\n" in server.requests[0]


async def test_a_page_of_html_with_502_is_tried_again(pool: Pool) -> None:
    seen: list[str] = []
    async with loopback(says(BAD_GATEWAY, BAD_GATEWAY, OK)) as server:
        it = client(pool, on_call=lambda request: seen.append(request.url.path))
        assert (await it.get(f"{server.origin}/a", partition="p")).json() == {}
    assert seen == ["/a"] * 3


async def test_what_is_added_to_a_request_on_its_way_goes_out_with_it(pool: Pool) -> None:
    def add(request: httpx.Request) -> None:
        request.headers["X-Added"] = "yes"

    async with loopback(says(OK)) as server:
        await client(pool, on_call=add).get(f"{server.origin}/a", headers={"X-Key": "k"}, partition="p")
    assert b"\r\nX-Added: yes\r\n" in server.requests[0]
    assert b"\r\nX-Key: k\r\n" in server.requests[0]


async def test_a_call_with_one_attempt_is_not_tried_again(pool: Pool) -> None:
    async with loopback(says(BAD_GATEWAY, OK)) as server:
        assert type(await fails(client(pool), f"{server.origin}/a", attempts=1)) is UpstreamUnavailable
    assert len(server.requests) == 1


async def test_too_many_calls_wait_as_long_as_the_service_asks(pool: Pool) -> None:
    slow = answer(b"{}", "Retry-After: 1", status="429 Too Many Requests")
    async with loopback(says(slow, OK)) as server:
        began = time.monotonic()
        with deadline(5):
            await client(pool).get(f"{server.origin}/a", partition="p")
    assert 0.99 <= time.monotonic() - began < 2


async def test_too_many_calls_are_reported_where_no_time_is_left_to_wait(pool: Pool) -> None:
    slow = answer(b"{}", "Retry-After: 30", status="429 Too Many Requests")
    async with loopback(says(slow)) as server:
        began = time.monotonic()
        with deadline(3):
            error = await fails(client(pool), f"{server.origin}/a")
    assert type(error) is RateLimited
    assert error.retry_after == 30
    assert time.monotonic() - began < 1


async def test_one_refused_caller_makes_all_wait(pool: Pool) -> None:
    slow = answer(b"{}", status="429 Too Many Requests")
    budget = CallBudget(burst=100, per_minute=6000, scope=BudgetScope.ADDRESS)
    async with loopback(says(slow, OK)) as server:
        it = client(pool, budget=budget)
        # From before the refusal, as what passes between it and the next calls is waiting too.
        began = time.monotonic()
        assert type(await fails(it, f"{server.origin}/a", attempts=1)) is RateLimited
        await asyncio.gather(*(it.get(f"{server.origin}/a", partition=str(n)) for n in range(5)))
        assert time.monotonic() - began >= 0.045


async def test_a_slow_service_times_out_and_the_call_is_given_up(pool: Pool) -> None:
    async with loopback(never) as server:
        began = time.monotonic()
        error = await fails(client(pool, timeout=0.1), f"{server.origin}/a", attempts=1)
        assert 0.09 <= time.monotonic() - began < 1
        assert type(error) is UpstreamTimeout
        await server.until(lambda: not server.open)


async def test_a_body_that_drips_times_out_too(pool: Pool) -> None:
    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for size in range(100):
            writer.write(b"x" * (size % 2))
            await writer.drain()
            await asyncio.sleep(0.02)

    async with loopback(drip) as server:
        error = await fails(client(pool, timeout=0.15), f"{server.origin}/a", attempts=1)
    assert type(error) is UpstreamTimeout


async def test_a_bad_chunk_after_good_ones_ends_with_the_time_at_the_latest(pool: Pool) -> None:
    async def late(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"ZZ\r\nabc\r\n")

    async with loopback(late) as server:
        error = await fails(client(pool, timeout=0.2), f"{server.origin}/a", attempts=1)
    # aiohttp's C parser keeps the bad chunk to itself, its Python parser tells.
    assert type(error) in {UpstreamTimeout, UpstreamInvalid}


async def test_waiting_for_a_free_connection_counts(new_pool: NewPool) -> None:
    async with loopback(never) as server:
        it = client(new_pool(limit=1), timeout=0.1)
        errors = await asyncio.gather(*(fails(it, f"{server.origin}/a", attempts=1) for _ in range(3)))
        assert {type(error) for error in errors} == {UpstreamTimeout}
        # The second may get the first one's place in the moment in which both give up.
        assert len(server.requests) <= 2


async def test_the_deadline_ends_a_call_before_the_providers_own_timeout(pool: Pool) -> None:
    async with loopback(never) as server:
        began = time.monotonic()
        with deadline(0.15):
            error = await fails(client(pool, timeout=5), f"{server.origin}/a")
        assert time.monotonic() - began < 2
    assert isinstance(error, UpstreamTimeout)
    assert len(server.requests) == 1


async def test_nothing_is_sent_after_the_deadline(pool: Pool) -> None:
    async with loopback(says(OK)) as server:
        with deadline(0):
            assert type(await fails(client(pool), f"{server.origin}/a")) is DeadlinePassed
    assert not server.requests


async def test_impatient_callers_do_not_cut_everybody_off(pool: Pool) -> None:
    async def after_a_while(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(OK)

    async with loopback(after_a_while) as server:
        it = client(pool, breaker_failures=2)
        for _ in range(5):
            with deadline(0.01):
                await fails(it, f"{server.origin}/a")
        assert (await it.get(f"{server.origin}/a", partition="p")).status_code == 200


async def test_a_dead_service_is_soon_left_alone(pool: Pool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        origin = f"http://localhost:{taken.getsockname()[1]}/"
    calls: list[httpx.Request] = []
    it = client(pool, breaker_failures=2, on_call=calls.append)
    assert type(await fails(it, origin, attempts=2)) is UpstreamUnavailable
    began = time.monotonic()
    error = await fails(it, origin)
    assert type(error) is CircuitOpen
    assert error.retry_after
    assert time.monotonic() - began < 0.1
    assert len(calls) == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_write_that_is_not_answered_is_sent_once_and_its_outcome_unknown(pool: Pool, method: str) -> None:
    for handler in (never, hangs_up(), says(BAD_GATEWAY)):
        async with loopback(handler) as server:
            request = httpx.Request(method, f"{server.origin}/{SECRET}", content=b"{}")
            with pytest.raises(OutcomeUnknown) as caught:
                await client(pool, timeout=0.1).send(request, partition="p")
            assert len(server.requests) == 1
        assert caught.value.provider == "games"
        assert SECRET not in "".join(traceback.format_exception(caught.value))


async def test_a_write_that_got_no_connection_in_time_was_not_sent(new_pool: NewPool) -> None:
    async with loopback(never) as server:
        it = client(new_pool(limit=1), timeout=0.1)
        requests = [httpx.Request("POST", f"{server.origin}/a", content=b"{}") for _ in range(2)]
        first, second = await asyncio.gather(
            *(it.send(request, partition="p") for request in requests), return_exceptions=True
        )
        assert type(first) is OutcomeUnknown
        assert type(second) is UpstreamTimeout
        assert len(server.requests) == 1


async def test_a_write_that_the_service_itself_refuses_is_known_not_to_be_done(pool: Pool) -> None:
    async with loopback(says(answer(b"", status="503 Unavailable"))) as server:
        with pytest.raises(UpstreamUnavailable):
            await client(pool).send(httpx.Request("POST", f"{server.origin}/a"), partition="p")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "target",
    ["/v2/characters/Mr%20X%2C%7Ey%C3%A2/core?ids=1%2C2,3&x=~", "/", "", "/a//b;c?d=/../e", "/a%2fb?x=%zz'()"],
)
async def test_a_url_goes_out_exactly_as_given(pool: Pool, target: str) -> None:
    async with loopback(says(OK)) as server:
        await client(pool).get(server.origin + target, partition="p")
    assert server.targets == [target or "/"]


@pytest.mark.parametrize(
    "target", ["/a b", "/é", "/a/../b", "/./a", "/..", "/a\r\nX-Injected: y", '/"a"', "/a?b=<c>", "/a#b", "?a=b"]
)
async def test_a_url_that_would_not_arrive_as_given_is_refused(pool: Pool, target: str) -> None:
    async with loopback(says(OK)) as server:
        assert type(await fails(client(pool), server.origin + target)) is InvalidInput
    assert not server.requests


@pytest.mark.parametrize("value", ["SeCrEté", "SeCrEt\r\nX: y", "SeCrEt\x00"])
async def test_a_credential_that_no_header_can_carry_is_refused_and_not_shown(pool: Pool, value: str) -> None:
    async with loopback(says(OK)) as server:
        with pytest.raises(InvalidInput) as caught:
            await client(pool).get(f"{server.origin}/", headers={"Authorization": value}, partition="p")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    assert caught.value.provider == "games"
    assert not server.requests


async def test_thousands_of_cancelled_calls_do_not_harm_the_ones_that_follow(pool: Pool) -> None:
    async def by_target(request: bytes, writer: asyncio.StreamWriter) -> None:
        if request.startswith(b"GET /good"):
            writer.write(OK)
            await writer.drain()

    budget = CallBudget(burst=100_000, per_minute=60, scope=BudgetScope.CREDENTIAL)
    async with loopback(by_target) as server:
        it = client(pool, budget=budget, breaker_failures=1)
        for wave in range(20):
            tasks = [
                asyncio.create_task(it.get(f"{server.origin}/{'good' if n % 2 else 'never'}", partition="p"))
                for n in range(50)
            ]
            for _ in range(wave):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(5):
            good = await asyncio.gather(*(it.get(f"{server.origin}/good", partition="p") for _ in range(50)))
        assert [response.status_code for response in good] == [200] * 50


# In process, where answers are streamed by httpx.ASGITransport.


async def _echo(request: Request) -> Response:
    return JSONResponse({"path": request.scope["raw_path"].decode(), "query": request.url.query})


async def _slow(_: Request) -> Response:
    await asyncio.sleep(10)
    return Response()


async def _big(_: Request) -> Response:
    return StreamingResponse(bytes(100_000) for _ in range(20))


async def _bomb(_: Request) -> Response:
    return Response(gzip.compress(bytes(10_000_000)), headers={"Content-Encoding": "gzip"})


def in_process() -> httpx.ASGITransport:
    routes = [Route("/slow", _slow), Route("/big", _big), Route("/bomb", _bomb), Route("/{rest:path}", _echo)]
    return httpx.ASGITransport(Starlette(routes=routes, middleware=[Middleware(GZipMiddleware, minimum_size=1)]))


async def test_a_service_in_the_same_process_answers_as_over_the_wire() -> None:
    response = await client(in_process()).get(
        "http://service.test/a%2Cb?c=%7E", headers={"Accept-Encoding": "gzip"}, partition="p"
    )
    assert response.json() == {"path": "/a%2Cb", "query": "c=%7E"}
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize("path", ["/big", "/bomb"])
async def test_the_limit_holds_in_the_same_process(path: str) -> None:
    error = await fails(client(in_process()), f"http://service.test{path}")
    assert type(error) is TooLong
    assert "too long" in error.message


async def test_the_time_holds_in_the_same_process() -> None:
    error = await fails(client(in_process(), timeout=0.05), "http://service.test/slow", attempts=1)
    assert type(error) is UpstreamTimeout


async def test_the_limit_holds_for_answers_that_come_whole() -> None:
    whole = httpx.MockTransport(lambda request: httpx.Response(200, content=bytes(2 << 20)))
    assert type(await fails(client(whole), "http://service.test/")) is TooLong
