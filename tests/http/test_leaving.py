"""Operations end: with the client that leaves, and at the time limit, with what was ready."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import orjson
import pytest

from gateway.backends.guarded import Guarded
from gateway.model.deadline import time_left
from gateway.settings import ProviderSettings, ServerSettings
from tests.gateways import header, running, settings
from tests.http.doors import (
    NAME,
    OWNER,
    OWNER_AND_DEFINITIONS,
    PROVIDER,
    ByHand,
    Door,
    Told,
    for_ever,
    known,
    until,
)

NEWER = "application/graphql-response+json"


class Hanging:
    """A read, or a service, that never answers, and notes what becomes of it."""

    def __init__(self) -> None:
        self.begun = self.cancelled = 0
        self.time_left: float | None = None

    async def __call__(self, _keys: Sequence[Any]) -> Mapping[Any, Any]:
        await self.hang()
        raise AssertionError

    async def hang(self) -> None:
        self.begun += 1
        self.time_left = time_left()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def test_a_client_that_leaves_takes_its_operation_with_it() -> None:
    door = Door(Told(owners_by_key=(hanging := Hanging())))
    request = ByHand()
    request.body(orjson.dumps({"query": OWNER}))
    answering = request.begin(door)
    await until(lambda: hanging.begun)
    assert not answering.done()
    request.leave()
    await asyncio.wait_for(answering, 2)
    assert hanging.cancelled == 1
    assert request.sent == []
    assert await door.serves()


async def test_a_client_that_leaves_takes_the_call_of_the_service_with_it() -> None:
    hanging = Hanging()

    class Service(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await hanging.hang()
            raise AssertionError

    found = settings("sqlite://", providers={PROVIDER.key: ProviderSettings(backend="upstream")})
    async with running(found, pool=Service()) as up:
        request = ByHand(**{header(PROVIDER): "some-key"})
        request.body(orjson.dumps({"query": OWNER}))
        answering = request.begin(up.gateway)
        await until(lambda: hanging.begun)
        request.leave()
        await asyncio.wait_for(answering, 2)
    assert (hanging.begun, hanging.cancelled) == (1, 1)


async def test_when_the_server_stops_the_operation_is_cancelled() -> None:
    door = Door(Told(owners_by_key=(hanging := Hanging())))
    request = ByHand()
    request.body(orjson.dumps({"query": OWNER}))
    answering = request.begin(door)
    await until(lambda: hanging.begun)
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    assert hanging.cancelled == 1


async def test_nothing_is_left_running_behind_an_answer() -> None:
    door = Door()
    before = asyncio.all_tasks()
    await door.ask(OWNER)
    await until(lambda: asyncio.all_tasks() == before)


async def test_everything_that_works_for_an_operation_knows_its_deadline() -> None:
    door = Door(Told(owners_by_key=(hanging := Hanging())), timeout=20)
    request = ByHand()
    request.body(orjson.dumps({"query": OWNER}))
    answering = request.begin(door)
    await until(lambda: hanging.begun)
    assert hanging.time_left is not None
    assert 19 < hanging.time_left <= 20
    request.leave()
    await answering


@pytest.mark.parametrize(("accept", "status"), [("application/json", 200), (NEWER, 504)])
async def test_an_operation_that_stops_at_nothing_ends_soon_after_its_time(
    accept: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.http.operations._GRACE", 0.01)
    door = Door(Told(owners_by_key=for_ever), timeout=0.01)
    answer = await door.ask(OWNER, accept=accept)
    assert answer.status == status
    assert answer.codes == ["UPSTREAM_TIMEOUT"]
    assert "data" not in answer.body
    assert await door.serves()


async def test_at_the_deadline_what_was_ready_is_there() -> None:
    """The account is answered at once, the catalogue never."""

    async def service(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v2/account":
            return httpx.Response(200, json={"id": "0-0", "name": "Some.1234"}, request=request)
        await asyncio.Event().wait()
        raise AssertionError

    found = settings(
        "sqlite://",
        server=ServerSettings(timeout=0.3),
        providers={PROVIDER.key: ProviderSettings(backend="upstream", base_url="http://service.test")},
    )
    async with running(found, pool=httpx.MockTransport(service)) as up:
        up.headers[header(PROVIDER)] = "some-key"
        answer = await up.ask(OWNER_AND_DEFINITIONS)
    assert answer.data == {"inventoryOwner": {"key": "Some.1234"}, "itemDefinitions": [None]}
    (error,) = answer.errors
    assert error["path"] == ["itemDefinitions", 0]
    assert error["extensions"] == {"code": "UPSTREAM_TIMEOUT", "provider": NAME, "retryable": True}


async def test_at_the_deadline_what_was_ready_is_there_whatever_is_slow() -> None:
    door = Door(Guarded(Told(owners_by_key=known, definitions_by_key=for_ever), PROVIDER.rules), timeout=0.1)
    answer = await door.ask(OWNER_AND_DEFINITIONS)
    assert answer.data == {"inventoryOwner": {"key": "Some.1234"}, "itemDefinitions": [None]}
    assert answer.codes == ["UPSTREAM_TIMEOUT"]
