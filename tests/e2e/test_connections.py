"""Over sockets connections are kept, many may be open at once, and those that break do the server no harm."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import orjson
import pytest
from starlette.types import Receive, Scope, Send

from tests.e2e.conftest import HEADER, Pair, Served, Service, differences, owner

QUERY = """query($owner: OwnerInput!) { inventory(owner: $owner) { items { nodes { key quantity definition { name } } }
    containers { nodes { key slots { key } containers { nodes { key slots { key item { key } } } } } } } }"""
FEW_CALLS = """query($owner: OwnerInput!) { inventory(owner: $owner) {
    container(key: "bank") { slots { key item { key quantity } } } } }"""
CLIENTS = 20
DROPPED = 50


def request(served: Served, body: bytes | None = None, length: int | None = None) -> bytes:
    """Write a request as it goes over the wire."""
    body = orjson.dumps({"query": QUERY, "variables": {"owner": owner()}}) if body is None else body
    head = [
        "POST /graphql HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body) if length is None else length}",
        f"{HEADER}: {served.headers[HEADER]}",
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def connected(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.server.port), timeout=10)


@pytest.mark.parametrize("name", ["local", "upstream"])
def test_a_connection_is_kept(pair: Pair, name: str) -> None:
    served: Served = getattr(pair, name)
    connection = http.client.HTTPConnection("127.0.0.1", served.server.port, timeout=10)
    body = orjson.dumps({"query": "{ __typename }"})
    kept: set[int] = set()
    for content in [body] * 5 + [b"no JSON", body, b"null", body]:
        connection.request("POST", "/graphql", content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.read()
        assert answer.status == (200 if content is body else 400)
        assert connection.sock is not None
        kept.add(connection.sock.fileno())
    connection.close()
    assert len(kept) == 1


def test_after_a_body_too_large_the_next_request_is_served(pair: Pair) -> None:
    for body, length in ((b" " * 100, 3_000_000), (b" " * 3_000_000, 3_000_000)):
        with connected(pair.local) as connection:
            connection.sendall(request(pair.local, body, length)[:200_000])
            assert connection.recv(1_000).startswith(b"HTTP/1.1 413 ")
        assert pair.local.ask("{ __typename }").whole()


@pytest.mark.parametrize(
    "raw",
    [
        b"no HTTP\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nhello\r\n0\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET /graphql HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 3 + b"\x00\r\n\r\n",
    ],
    ids=["no-http", "negative-length", "two-lengths", "bad-chunk", "long-header", "nul"],
)
def test_what_is_no_http_is_refused_and_the_next_request_is_served(pair: Pair, raw: bytes) -> None:
    with connected(pair.local) as connection:
        connection.sendall(raw)
        answer = connection.recv(1_000)
        assert not answer or answer.startswith(b"HTTP/1.1 4")
    assert pair.local.ask("{ __typename }").whole()


@pytest.mark.parametrize("name", ["local", "upstream"])
def test_many_clients_at_once_get_what_each_would_get_alone(pair: Pair, name: str) -> None:
    served: Served = getattr(pair, name)
    alone = pair.ask(FEW_CALLS, owner=owner()).whole()
    begin = threading.Barrier(CLIENTS)

    def ask(number: int) -> None:
        # One in two of them has a key that is none.
        headers = {HEADER: f"nobody-{number}"} if number % 2 else served.headers
        with httpx.Client(base_url=served.server.address, timeout=20) as client:
            begin.wait()
            for _ in range(2):
                answer = Served(served.gateway, served.server, client, headers).ask(FEW_CALLS, owner=owner())
                if number % 2:
                    assert (answer.data, answer.codes) == ({"inventory": None}, ["UNAUTHENTICATED"])
                else:
                    assert answer.whole() == alone

    with ThreadPoolExecutor(CLIENTS) as pool:
        for asked in [pool.submit(ask, number) for number in range(CLIENTS)]:
            asked.result()


@pytest.mark.parametrize("name", ["local", "upstream"])
def test_clients_that_drop_their_connections_do_no_harm(pair: Pair, name: str) -> None:
    served: Served = getattr(pair, name)
    whole = request(served)
    for number in range(DROPPED):
        connection = connected(served)
        connection.sendall([whole, whole[: -number - 1], whole[:20], b""][number % 4])
        if number % 2:
            # With a RST instead of a FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    for _ in range(CLIENTS):
        assert served.ask("{ __typename }").whole() == {"__typename": "Query"}
    assert not differences_of(pair)
    _until(lambda: served.server.tasks <= 2)


def differences_of(pair: Pair) -> list[str]:
    return [*differences(pair.local.ask(QUERY, owner=owner()).body, pair.upstream.ask(QUERY, owner=owner()).body)]


def test_a_client_that_leaves_takes_the_call_of_the_service_with_it(service: Service) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def hangs(_scope: Scope, receive: Receive, _send: Send) -> None:
        begun.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.set()

    service.gateway.headers[HEADER] = service.mint()
    service.between.instead["/v2/account/bank"] = hangs
    with connected(service.gateway) as connection:
        connection.sendall(request(service.gateway))
        assert begun.wait(10)
        assert not ended.is_set()
    assert ended.wait(10)
    service.between.instead.clear()
    assert service.gateway.ask(QUERY, owner=owner()).whole()


def _until(condition: object) -> None:
    assert callable(condition)
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")
