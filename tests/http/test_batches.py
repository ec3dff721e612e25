"""Batches: taken only where allowed, answered in order, each for itself, and together within the limits of one."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.model.errors import NotFound
from tests.http.doors import OWNER, TYPENAME, Door, Told, failing, for_ever, known
from tests.sockets import socket

DATA = {"data": {"__typename": "Query"}}


async def test_a_batch_is_refused_unless_it_is_allowed() -> None:
    door = Door()
    response = await door.post([TYPENAME])
    assert response.status_code == 400
    assert "batches" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_answers_come_in_order_each_for_itself(accept: str) -> None:
    door = Door(batch=6)
    response = await door.post(
        [
            TYPENAME,
            {"query": OWNER},
            {"query": "{ nothing }"},
            {"query": "{"},
            {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}},
            TYPENAME,
        ],
        accept=accept,
    )
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(accept)
    first, second, third, fourth, fifth, sixth = response.json()
    assert first == sixth == DATA
    assert second == {"data": {"inventoryOwner": {"key": "Some.1234"}}}
    assert "data" not in third
    assert "data" not in fourth
    assert fifth["errors"][0]["message"] == "PersistedQueryNotFound"


async def test_one_that_fails_leaves_the_others_whole() -> None:
    door = Door(Told(owners_by_key=failing(NotFound("none"))), batch=2)
    first, second = (await door.post([{"query": OWNER}, TYPENAME])).json()
    assert first["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    assert second == DATA


@pytest.mark.parametrize(("count", "status"), [(0, 400), (3, 200), (4, 413), (400, 413)])
async def test_the_number_of_operations_is_limited(count: int, status: int) -> None:
    door = Door(batch=3)
    assert (await door.post([TYPENAME] * count)).status_code == status
    assert await door.serves()


async def test_the_limits_of_one_operation_hold_for_all_together() -> None:
    door = Door(batch=10)
    half = {"query": "{ " + " ".join(f"a{n}: __typename" for n in range(30)) + " }"}
    assert isinstance((await door.post([half])).json(), list)
    refused = await door.post([half, half])
    (error,) = refused.json()["errors"]
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert "60 root fields; the most is 50" in error["message"]
    assert (await door.post([half, half], accept="application/graphql-response+json")).status_code == 400


@pytest.mark.parametrize("entry", [None, 5, "x", [], [TYPENAME], {}, {"query": 5}, {"query": "{ a }", "variables": []}])
async def test_an_entry_that_is_no_request_is_refused_alone(entry: Any) -> None:
    door = Door(batch=3)
    first, second, third = (await door.post([TYPENAME, entry, TYPENAME])).json()
    assert first == third == DATA
    assert second["errors"][0]["extensions"]["code"] == "INVALID_INPUT"
    assert "data" not in second


async def test_a_subscription_cannot_be_in_a_batch() -> None:
    door = Door(batch=3)
    text = 'subscription { inventoryChanged(owner: { provider: ROBLOX, key: "1" }) { cursor } }'
    first, second = (await door.post([{"query": text}, TYPENAME])).json()
    assert first["errors"][0]["extensions"]["code"] == "UNSUPPORTED"
    assert second == DATA


async def test_all_have_the_time_of_one() -> None:
    door = Door(Told(owners_by_key=for_ever), batch=3, timeout=0.05)
    first, second, third = (await door.post([{"query": OWNER}, TYPENAME, {"query": OWNER}])).json()
    assert second == DATA
    for late in (first, third):
        assert late["errors"][0]["extensions"]["code"] == "UPSTREAM_TIMEOUT"


async def test_documents_together_are_no_longer_than_one_may_be() -> None:
    door = Door(batch=100)
    long = [{"query": "{ " + f"nothing{number}: " + "a " * 500 + "}"} for number in range(20)]
    refused = await door.post(long)
    assert refused.json()["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert "4,000 tokens" in refused.json()["errors"][0]["message"]
    assert await door.serves()


async def test_a_batch_is_nothing_for_a_stream_or_a_socket() -> None:
    door = Door(Told(owners_by_key=known), batch=3)
    assert (await door.post([TYPENAME], accept="text/event-stream")).status_code == 406
    async with socket(door.app) as end:
        await end.begin()
        await end.say({"id": "1", "type": "subscribe", "payload": [TYPENAME]})
        assert await end.closed() == 4400
