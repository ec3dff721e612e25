"""Shedding: what is more than the gateway bears is refused at once by every door, and is taken again soon after."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from gateway.http import operations, shedding
from gateway.registry import PROVIDERS
from gateway.settings import AccessSettings, ServerSettings
from tests.gateways import running, settings
from tests.http.doors import OWNER, TYPENAME, Door, Told, for_ever, until
from tests.sockets import socket

DATA = {"data": {"__typename": "Query"}}


async def busy(door: Door, count: int) -> list[asyncio.Task[Any]]:
    """Begin operations that never end."""
    tasks = [asyncio.ensure_future(door.post({"query": OWNER})) for _ in range(count)]
    await until(lambda: _live(door) == count)
    return tasks


def _live(door: Door) -> float:
    return next(figure.read() for figure in door.operations.load.figures() if figure.name == "gateway_operations")


async def end(door: Door, tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert _live(door) == 0


async def test_more_operations_than_are_borne_are_shed_by_every_transport() -> None:
    door = Door(Told(owners_by_key=for_ever), max_operations=2, batch=2)
    tasks = await busy(door, 2)
    refused = await door.post(TYPENAME)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert (await door.client.get("/graphql", params=TYPENAME)).status_code == 503
    for one in (await door.post([TYPENAME, TYPENAME])).json():
        assert one["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    for accept in ("text/event-stream", "multipart/mixed"):
        text = (await door.post({"query": "{ __typename ... @defer { a: __typename } }"}, accept=accept)).text
        assert "RATE_LIMITED" in text
    async with socket(door.app) as client:
        await client.begin()
        await client.subscribe("1", "{ __typename }")
        assert (await client.hear())["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
    # What needs no operation is answered all the same.
    assert (await door.post({"query": "{"})).status_code == 200
    await end(door, tasks)
    assert await door.serves()


async def test_every_way_an_operation_ends_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "_GRACE", 0.05)
    door = Door(Told(owners_by_key=for_ever), max_operations=1, timeout=0.05)
    for query in (OWNER, "{ __typename }", "{ nothing }", OWNER):
        for accept in ("application/json", "text/event-stream", "multipart/mixed, application/json"):
            await door.post({"query": query}, accept=accept)
            assert _live(door) == 0


async def test_an_address_that_asks_too_often_is_told_when_to_come_back_and_others_are_served() -> None:
    door = Door(requests_per_minute=3)
    assert [(await door.post(TYPENAME)).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = await door.post(TYPENAME)
    assert refused.headers["retry-after"] == "20"
    assert refused.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    async with socket(door.app) as client:
        await client.begin()
        await client.subscribe("1", "{ __typename }")
        assert (await client.hear())["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
    async with socket(door.app, client="127.0.0.2") as client:
        await client.begin()
        await client.subscribe("1", "{ __typename }")
        assert await client.next() == DATA["data"]


@pytest.mark.parametrize(
    "headers",
    [{"x-long": "x" * 40_000}, {f"x-{number}": "y" * 100 for number in range(400)}, {"accept": "a/b;" * 10_000}],
    ids=["one", "many", "accept"],
)
async def test_headers_without_measure_are_refused_before_anybody_reads_them(headers: dict[str, str]) -> None:
    door = Door()
    response = await door.client.post("/graphql", json=TYPENAME, headers=headers)
    assert response.status_code == 431
    assert response.json()["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert (await door.client.get("/anything", headers=headers)).status_code == 431
    async with socket(door.app, **headers) as client:  # pyright: ignore[reportArgumentType]  # the names are no parameters
        assert await client.closed() == 1008
        assert client.accepted is None
    assert await door.serves()


async def test_an_address_without_measure_is_refused() -> None:
    door = Door()
    response = await door.client.get("/graphql", params={"query": "{ __typename }" + " " * 40_000})
    assert response.status_code == 431


async def test_the_dialects_are_shed_too_and_readiness_falls_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shedding, "SOON", 0.05)
    async with running(settings("sqlite://", server=ServerSettings(max_operations=1, rest_rate_limit=False))) as up:
        addresses = [f"/rest/{key}/anything" for key in PROVIDERS]
        ready = "/health/ready"
        assert (await up.client.get(ready)).status_code == 200
        up.gateway.operations.load.take()
        for address in addresses:
            response = await up.client.get(address)
            assert response.status_code == 503
            assert response.headers["retry-after"]
        told = await up.client.get(ready)
        assert (told.status_code, told.json()["failed"]) == (503, ["load"])
        assert (await up.client.get("/health/live")).status_code == 200
        up.gateway.operations.load.done()
        await asyncio.sleep(0.06)
        assert (await up.client.get(ready)).status_code == 200
        for address in addresses:
            assert (await up.client.get(address)).status_code not in (429, 503)


async def test_one_who_never_sends_the_whole_body_takes_nobodys_room() -> None:
    found = ServerSettings(max_operations=1, timeout=0.2, rest_rate_limit=False)
    async with running(settings("sqlite://", server=found)) as up:
        app = up.gateway.app()
        for address in ("/rest/community/v1/user/auth/refresh-session", "/rest/roblox/api-keys/v1/introspect"):
            sent: list[Any] = []
            parts = [{"type": "http.request", "body": b"{", "more_body": True}]

            async def receive(parts: list[Any] = parts) -> Any:
                return parts.pop() if parts else await asyncio.Event().wait()

            async def send(message: Any, sent: list[Any] = sent) -> None:
                sent.append(message)

            headers = [(b"content-type", b"application/json"), (b"host", b"localhost")]
            scope = {"type": "http", "method": "POST", "path": address, "raw_path": address.encode(), "root_path": ""}
            scope |= {"query_string": b"", "headers": headers, "client": ("192.0.2.1", 5), "http_version": "1.1"}
            hanging = [asyncio.ensure_future(app({**scope}, receive, send)) for _ in range(5)]
            await asyncio.sleep(0.05)
            assert (await up.ask("{ __typename }")).status == 200
            assert (await up.client.get("/health/ready")).status_code == 200
            await asyncio.gather(*hanging)
            assert {message["status"] for message in sent if "status" in message} == {408}


async def body_of(address: str, first: bytes, app: Any, sent: list[Any]) -> None:
    """Begin a request whose body breaks off after its first part, and never ends."""
    parts = [{"type": "http.request", "body": first, "more_body": True}]

    async def receive() -> Any:
        return parts.pop() if parts else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"host", b"localhost")]
    scope = {"type": "http", "method": "POST", "path": address, "raw_path": address.encode(), "root_path": ""}
    scope |= {"query_string": b"", "headers": headers, "client": ("127.0.0.1", 5), "http_version": "1.1"}
    await app(scope, receive, send)


@pytest.mark.parametrize("size", [10, 140_000, 900_000])
@pytest.mark.parametrize("path", ["/rest/community/v1/user/auth/refresh-session", "/rest/secondlife/seed/none"])
async def test_a_body_that_stops_anywhere_takes_nobodys_room(path: str, size: int) -> None:
    found = ServerSettings(max_operations=2, timeout=0.3, rest_rate_limit=False)
    async with running(settings("sqlite://", server=found)) as up:
        sent: list[Any] = []
        app = up.gateway.app()
        hanging = [asyncio.ensure_future(body_of(path, b" " * size, app, sent)) for _ in range(5)]
        await asyncio.sleep(0.05)
        assert (await up.ask("{ __typename }")).status == 200
        # Past the shedding, to where it is not known.
        assert (await up.client.get("/rest/guildwars2/v2")).status_code == 404
        await asyncio.gather(*hanging)
        assert {message["status"] for message in sent if "status" in message} <= {400, 408, 413}
        assert up.gateway.operations.load.bodies.held == 0


@pytest.mark.parametrize("path", ["/graphql", "/rest/community/v1/user/auth/refresh-session"])
async def test_more_of_bodies_than_is_borne_is_refused_and_small_ones_are_served(path: str) -> None:
    found = ServerSettings(timeout=0.3, rest_rate_limit=False, max_unfinished_bytes=250_000)
    async with running(settings("sqlite://", server=found)) as up:
        sent: list[Any] = []
        bodies = up.gateway.operations.load.bodies
        app = up.gateway.app()
        hanging = [asyncio.ensure_future(body_of(path, b" " * 100_000, app, sent)) for _ in range(4)]
        await asyncio.sleep(0.05)
        assert bodies.held <= 250_000
        assert [message["status"] for message in sent if "status" in message] == [503, 503]
        assert (await up.ask("{ __typename }")).status == 200
        await asyncio.gather(*hanging)
        assert bodies.held == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/graphql", 405),
        ("POST", "/graphql", 415),
        ("POST", "/nowhere", 404),
        ("POST", "/rest/guildwars2/v2", 408),
    ],
)
async def test_an_answer_before_the_body_is_whole_ends_the_connection(method: str, path: str, status: int) -> None:
    found = ServerSettings(timeout=0.1, rest_rate_limit=False)
    async with running(settings("sqlite://", server=found)) as up:
        parts = [{"type": "http.request", "body": b" ", "more_body": True}]
        sent: list[Any] = []

        async def receive() -> Any:
            return parts.pop() if parts else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "root_path": ""}
        headers = [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")]
        scope |= {"query_string": b"", "headers": headers, "client": ("127.0.0.1", 5)}
        await up.gateway.app()({**scope, "http_version": "1.1"}, receive, send)
        assert sent[0]["status"] == status
        assert (b"connection", b"close") in sent[0]["headers"]
        # One that was read to its end leaves the connection as it was.
        good = await up.client.post("/graphql", json=TYPENAME)
        # And so does a short one, which the server takes in anyway.
        for found in (good, await up.client.get("/nowhere"), await up.client.request(method, path, content=b"{}")):
            assert "connection" not in found.headers


async def test_an_address_counts_as_it_was_sent() -> None:
    async with running(settings("sqlite://", server=ServerSettings(rest_rate_limit=False))) as up:
        assert (await up.client.get("/rest/guildwars2/v2/items/" + "%41" * 11_000)).status_code == 431
        assert (await up.client.get("/rest/guildwars2/v2/items/" + "%41" * 9_000)).status_code == 404


async def test_one_whom_a_token_names_is_held_back_from_wherever_and_others_are_served() -> None:
    keys = [
        {"name": name, "hash": hashlib.sha256(f"a-key-of-{name}".encode()).hexdigest(), "reads": ["*"]}
        for name in ("ann", "bob")
    ]
    access = AccessSettings.model_validate({"open": False, "keys": keys, "requests_per_minute": 2})
    door = Door(access=access)

    async def status(name: str) -> int:
        return (await door.post(TYPENAME, authorization=f"Bearer a-key-of-{name}")).status_code

    assert [await status("ann") for _ in range(3)] == [200, 200, 429]
    async with socket(door.app, client="192.0.2.7") as client:
        await client.begin({"authorization": "Bearer a-key-of-ann"})
        await client.subscribe("1", "{ __typename }")
        assert (await client.hear())["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
    refused = await door.post(TYPENAME, authorization="Bearer a-key-of-ann")
    assert refused.headers["retry-after"] == "30"
    assert await status("bob") == 200
