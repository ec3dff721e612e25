"""What goes out on the wire, what comes back, and what is not kept."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.model.errors import UpstreamInvalid, UpstreamUnavailable
from gateway.transport.pool import Pool

from .conftest import NewPool
from .loopback import OK, answer, hangs_up, loopback, never, says


def get(url: str, **headers: str) -> httpx.Request:
    return httpx.Request("GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def test_a_cookie_set_for_one_call_is_not_sent_with_the_next(pool: Pool) -> None:
    async with loopback(says(answer(b"{}", "Set-Cookie: session=hers; Path=/"))) as server:
        first = await pool.handle_async_request(get(f"{server.origin}/a"))
        await pool.handle_async_request(get(f"{server.origin}/a"))
    assert first.headers["set-cookie"] == "session=hers; Path=/"
    assert len(server.requests) == 2
    assert b"session=hers" not in server.requests[1]


async def test_redirects_are_handed_back_and_not_followed(pool: Pool) -> None:
    async with loopback(says(answer(b"", "Location: /elsewhere", status="302 Found"))) as server:
        response = await pool.handle_async_request(get(f"{server.origin}/a"))
    assert response.status_code == 302
    assert server.targets == ["/a"]


@pytest.mark.parametrize(
    "target",
    [
        "/v2/characters/Mr%20X%2C%7Ey%C3%A2/core",
        "/v2/items?ids=1,2,3",
        "/v2/items?ids=1%2C2%2C3&name=%7E%C3%A2~&x=a+b%20c",
        "/a%2fb%2Fc//d;e=1:@!$&'()*",
        "/?a=b?c/d&&e==",
    ],
)
async def test_a_url_goes_out_exactly_as_built(pool: Pool, target: str) -> None:
    async with loopback(says(OK)) as server:
        await pool.handle_async_request(get(server.origin + target))
    assert server.targets == [target]


async def test_gzip_is_asked_for_unless_the_request_asks_for_something_else(pool: Pool) -> None:
    async with loopback(says(OK)) as server:
        await pool.handle_async_request(get(f"{server.origin}/"))
        await pool.handle_async_request(get(f"{server.origin}/", accept_encoding="identity"))
    first, second = (request.lower().decode() for request in server.requests)
    assert first.count("accept-encoding: gzip\r\n") == 1
    assert second.count("accept-encoding:") == 1
    assert "accept-encoding: identity\r\n" in second


async def test_headers_and_a_body_arrive_once_and_unchanged(pool: Pool) -> None:
    async with loopback(says(OK)) as server:
        request = httpx.Request("PUT", f"{server.origin}/x", headers={"X-One": "a, b"}, content=b"\x00body\xff")
        await pool.handle_async_request(request)
        await pool.handle_async_request(httpx.Request("POST", f"{server.origin}/x"))
    head, body = server.requests[0].split(b"\r\n\r\n", 1)
    assert body == b"\x00body\xff"
    assert head.lower().count(b"content-length: 6") == 1
    assert b"X-One: a, b" in head
    assert b"content-type" not in head.lower()
    assert b"user-agent: inventory-gateway\r\n" in head.lower()
    assert b"content-length: 0" in server.requests[1].lower()


async def test_the_host_is_named_once_and_a_request_may_name_another(pool: Pool) -> None:
    async with loopback(says(OK)) as server:
        await pool.handle_async_request(get(f"{server.origin}/"))
        await pool.handle_async_request(get(f"{server.origin}/", Host="other.test"))
    host = server.origin.removeprefix("http://").encode()
    assert [request.lower().count(b"\r\nhost: ") for request in server.requests] == [1, 1]
    assert b"\r\nHost: " + host + b"\r\n" in server.requests[0]
    assert b"\r\nHost: other.test\r\n" in server.requests[1]


async def test_a_large_request_body_arrives_whole(pool: Pool) -> None:
    body = bytes(range(256)) * 20_000
    async with loopback(says(OK)) as server:
        await pool.handle_async_request(httpx.Request("POST", f"{server.origin}/x", content=body))
        await pool.handle_async_request(get(f"{server.origin}/"))
    assert server.requests[0].endswith(b"\r\n\r\n" + body)
    assert server.connections == 1


async def test_a_streamed_request_body_arrives_whole(pool: Pool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with loopback(says(OK)) as server:
        await pool.handle_async_request(httpx.Request("POST", f"{server.origin}/x", content=parts()))
    assert server.requests[0].endswith(b"\r\n\r\nonetwo")


async def test_the_answer_is_read_decoded_and_says_nothing_of_its_encoding(pool: Pool) -> None:
    text = b'{"a": "' + b"x" * 100_000 + b'"}'
    async with loopback(says(answer(gzip.compress(text), "Content-Encoding: gzip", "X-Kept: yes"))) as server:
        request = get(f"{server.origin}/")
        response = await pool.handle_async_request(request)
    assert response.content == text
    assert response.is_closed
    assert response.request is request
    assert response.headers["x-kept"] == "yes"
    assert "content-encoding" not in response.headers
    assert "content-length" not in response.headers


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "304 Not Modified"), ("GET", "204 No")])
async def test_an_answer_without_a_body_may_name_an_encoding(pool: Pool, method: str, status: str) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Encoding: gzip\r\n\r\n".encode()
    async with loopback(says(head)) as server:
        response = await pool.handle_async_request(httpx.Request(method, f"{server.origin}/"))
    assert response.content == b""


async def test_a_chunked_answer_is_joined(pool: Pool) -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    async with loopback(says(raw)) as server:
        response = await pool.handle_async_request(get(f"{server.origin}/"))
    assert response.content == b"abcde"
    assert "transfer-encoding" not in response.headers


async def test_what_comes_before_the_answer_is_not_taken_for_it(pool: Pool) -> None:
    hints = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with loopback(says(hints + OK)) as server:
        response = await pool.handle_async_request(get(f"{server.origin}/"))
    assert (response.status_code, response.content) == (200, b"{}")
    assert "link" not in response.headers


async def test_what_a_service_says_unasked_is_not_taken_for_the_next_answer(pool: Pool) -> None:
    async def twice(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"asked for"))
        await asyncio.sleep(0.01)
        writer.write(answer(b"not asked for"))

    async with loopback(twice) as server:
        for _ in range(3):
            calls = [pool.handle_async_request(get(f"{server.origin}/")) for _ in range(3)]
            assert {response.content for response in await asyncio.gather(*calls)} == {b"asked for"}
            await asyncio.sleep(0.03)


async def test_an_answer_to_head_has_no_body_and_its_connection_is_used_again(pool: Pool) -> None:
    async with loopback(says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", OK)) as server:
        head = await pool.handle_async_request(httpx.Request("HEAD", f"{server.origin}/"))
        assert head.content == b""
        assert (await pool.handle_async_request(get(f"{server.origin}/"))).content == b"{}"
    assert server.connections == 1


async def test_a_connection_that_speaks_another_protocol_from_now_on_is_not_used_again(pool: Pool) -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n"
    async with loopback(says(switch, OK)) as server, asyncio.timeout(5):
        assert (await pool.handle_async_request(get(f"{server.origin}/"))).status_code == 101
        assert (await pool.handle_async_request(get(f"{server.origin}/"))).status_code == 200
        assert server.connections == 2


async def test_a_connection_is_used_again_after_a_whole_answer(pool: Pool) -> None:
    async with loopback(says(OK)) as server:
        for _ in range(5):
            await pool.handle_async_request(get(f"{server.origin}/"))
        await pool.handle_async_request(httpx.Request("POST", f"{server.origin}/", content=b"x" * 1000))
    assert server.connections == 1


async def test_a_connection_with_an_answer_cut_short_by_us_is_not_used_again(new_pool: NewPool) -> None:
    pool = new_pool(max_body_bytes=10)
    async with loopback(says(answer(b"x" * 5_000_000), OK)) as server:
        with pytest.raises(UpstreamInvalid, match="too long"):
            await pool.handle_async_request(get(f"{server.origin}/"))
        assert (await pool.handle_async_request(get(f"{server.origin}/"))).content == b"{}"
        assert server.connections == 2


@pytest.mark.parametrize("gzipped", [True, False])
async def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(
    new_pool: NewPool, *, gzipped: bool
) -> None:
    pool = new_pool(max_body_bytes=1000)

    def of(size: int) -> bytes:
        body = b"x" * size
        return answer(gzip.compress(body), "Content-Encoding: gzip") if gzipped else answer(body)

    async with loopback(says(of(1000), of(1001))) as server:
        assert len((await pool.handle_async_request(get(f"{server.origin}/"))).content) == 1000
        with pytest.raises(UpstreamInvalid, match="too long"):
            await pool.handle_async_request(get(f"{server.origin}/"))


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,deflate", "br", "zstd", "nonsense"])
async def test_stacked_and_unknown_encodings_are_refused(pool: Pool, encoding: str) -> None:
    body = gzip.compress(gzip.compress(b"{}"))
    async with loopback(says(answer(body, f"Content-Encoding: {encoding}"))) as server:
        with pytest.raises(UpstreamInvalid, match="encoded"):
            await pool.handle_async_request(get(f"{server.origin}/"))


async def test_encodings_stacked_over_two_header_lines_are_refused(pool: Pool) -> None:
    body = gzip.compress(gzip.compress(b"{}"))
    async with loopback(says(answer(body, "Content-Encoding: gzip", "Content-Encoding: gzip"))) as server:
        with pytest.raises(UpstreamInvalid, match="encoded"):
            await pool.handle_async_request(get(f"{server.origin}/"))


async def test_more_connections_than_the_limit_are_never_open(new_pool: NewPool) -> None:
    pool = new_pool(limit=3)

    async def slowly(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)
        writer.write(OK)

    async with loopback(slowly) as server:
        calls = [pool.handle_async_request(get(f"{server.origin}/{n}")) for n in range(20)]
        assert len(await asyncio.gather(*calls)) == 20
        assert server.connections == 3


async def test_thousands_of_cancelled_calls_leak_no_connection(pool: Pool) -> None:
    async def by_target(request: bytes, writer: asyncio.StreamWriter) -> None:
        if request.startswith(b"GET /half"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        elif request.startswith(b"GET /good"):
            writer.write(OK)
        await writer.drain()

    async with loopback(by_target) as server:
        began = time.monotonic()
        for wave in range(100):
            kinds = ("good", "half", "never")
            requests = [get(f"{server.origin}/{kinds[n % 3]}") for n in range(30)]
            tasks = [asyncio.create_task(pool.handle_async_request(request)) for request in requests]
            # Cancelled at every stage: not begun, waiting for a connection, connecting, sent, half answered.
            for _ in range(wave % 25):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(5):
            good = [pool.handle_async_request(get(f"{server.origin}/good")) for _ in range(50)]
            assert [response.status_code for response in await asyncio.gather(*good)] == [200] * 50
        await asyncio.sleep(0.05)
        assert len(server.open) <= 20
        assert time.monotonic() - began < 10


async def test_a_cancelled_call_closes_its_connection_at_the_service(pool: Pool) -> None:
    async with loopback(never) as server:
        task = asyncio.create_task(pool.handle_async_request(get(f"{server.origin}/")))
        await server.until(lambda: server.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.until(lambda: not server.open)


async def test_a_post_answered_before_its_body_was_read_leaks_no_connection(new_pool: NewPool) -> None:
    pool = new_pool(limit=2)
    connections: list[asyncio.StreamWriter] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"no", status="413 Too Large"))

    server = await asyncio.start_server(refuse, "127.0.0.1", 0, limit=1024)
    port = server.sockets[0].getsockname()[1]
    # More than the system buffers between two sockets, so that the body is never sent to its end.
    async with asyncio.timeout(5):
        for _ in range(6):
            request = httpx.Request("POST", f"http://127.0.0.1:{port}/", content=b"x" * 32_000_000)
            assert (await pool.handle_async_request(request)).status_code == 413
    server.close()
    for writer in connections:
        writer.close()
    await asyncio.sleep(0.01)


async def test_a_safe_call_survives_that_its_kept_connection_was_closed(pool: Pool) -> None:
    async with loopback(says(OK)) as server:
        await pool.handle_async_request(get(f"{server.origin}/"))
        for writer in list(server.open):
            writer.close()
        assert (await pool.handle_async_request(get(f"{server.origin}/"))).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH"])
async def test_a_write_is_never_sent_twice_when_the_connection_breaks(pool: Pool, method: str) -> None:
    async with loopback(hangs_up()) as server:
        with pytest.raises(Exception, match="not known whether it was done"):
            await pool.handle_async_request(httpx.Request(method, f"{server.origin}/"))
    assert len(server.requests) == 1


async def test_a_closed_pool_refuses_calls() -> None:
    pool = Pool()
    async with loopback(says(OK)) as server:
        await pool.handle_async_request(get(f"{server.origin}/"))
        await pool.aclose()
        with pytest.raises(UpstreamUnavailable, match="shutting down"):
            await pool.handle_async_request(get(f"{server.origin}/"))


async def test_a_call_under_way_ends_when_the_pool_is_closed() -> None:
    pool = Pool()
    async with loopback(never) as server:
        task = asyncio.create_task(pool.handle_async_request(get(f"{server.origin}/")))
        await server.until(lambda: server.requests)
        await pool.aclose()
        with pytest.raises(UpstreamUnavailable):
            await task
        await server.until(lambda: not server.open)


async def test_addresses_are_not_remembered_without_end(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.transport.pool.MAX_ORIGINS", 1)
    async with loopback(says(OK)) as server:
        for host in ("localhost", "127.0.0.1") * 2:
            await pool.handle_async_request(get(server.origin.replace("localhost", host)))
    assert len(vars(pool)["_origins"]) == 1


async def test_proxies_of_the_environment_are_not_used(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    async with loopback(says(OK)) as server:
        assert (await pool.handle_async_request(get(f"{server.origin}/"))).status_code == 200
