"""WebSockets: the protocol's close codes, who may connect, how much one client may ask, and that none hurts others."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from gateway.api.context import Context
from gateway.model.credentials import Caller
from gateway.model.errors import GatewayError, NotFound
from gateway.registry import PROVIDERS
from tests.gateways import header
from tests.http.doors import OWNER, PROVIDER, SUBSCRIPTION, Door, Live, for_ever, until
from tests.sockets import Closed, Socket, socket

TOKEN = "correct-horse-battery-staple"
INIT: dict[str, Any] = {"type": "connection_init"}
ASKED: dict[str, Any] = {"id": "1", "type": "subscribe", "payload": {"query": "{ __typename }"}}


async def is_served(end: Socket, key: str = "last") -> bool:
    await end.subscribe(key, "{ __typename }")
    assert await end.hear() == {"id": key, "type": "next", "payload": {"data": {"__typename": "Query"}}}
    return await end.hear() == {"id": key, "type": "complete"}


# --- the protocol -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "messages"),
    [
        pytest.param(4401, [ASKED], id="subscribe-before-init"),
        pytest.param(4429, [INIT, INIT], id="two-inits"),
        pytest.param(4400, [{"type": "zap"}], id="unknown-type"),
        pytest.param(4400, [{"id": "1"}], id="no-type"),
        pytest.param(4400, [{"type": ["subscribe"]}], id="type-is-a-list"),
        pytest.param(4400, ["{nope"], id="not-json"),
        pytest.param(4400, ["null"], id="null"),
        pytest.param(4400, ["[]"], id="list"),
        pytest.param(4400, ['"x"'], id="text"),
        pytest.param(4400, ["[" * 100_000], id="brackets"),
        pytest.param(4400, ['{"type":"ping","payload":' + "1" * 5_000 + "}"], id="digits"),
        pytest.param(4400, ['{"type":"ping","payload":NaN}'], id="nan"),
        pytest.param(4400, [b'{"type":"ping"}'], id="binary"),
        pytest.param(4400, ['{"type":"ping","payload":"' + "x" * 300_000 + '"}'], id="too-large"),
        pytest.param(4400, [{**INIT, "payload": ["a"]}], id="payload-is-a-list"),
        pytest.param(4400, [INIT, {**ASKED, "id": 5}], id="id-is-a-number"),
        pytest.param(4400, [INIT, {**ASKED, "id": ""}], id="id-is-empty"),
        pytest.param(4400, [INIT, {**ASKED, "payload": "{ a }"}], id="payload-is-text"),
        pytest.param(4400, [INIT, {"type": "complete"}], id="complete-of-nothing"),
    ],
)
async def test_what_breaks_the_protocol_closes_the_socket(code: int, messages: list[Any]) -> None:
    door = Door()
    async with socket(door.app) as end, socket(door.app) as other:
        await other.begin()
        for message in messages:
            await end.say(message)
        assert await end.closed() == code
        assert await is_served(other)


async def test_an_id_in_use_closes_the_socket_and_one_that_has_ended_may_be_used_again() -> None:
    door = Door(Live())
    async with socket(door.app) as end:
        await end.begin()
        for _ in range(3):
            assert await is_served(end, "same")
        await end.subscribe("a", SUBSCRIPTION)
        await end.subscribe("a", SUBSCRIPTION)
        assert await end.closed() == 4409


async def test_one_who_does_not_initialise_in_time_is_closed() -> None:
    door = Door(socket_init_timeout=0.05)
    async with socket(door.app) as end:
        assert await end.closed() == 4408
    async with socket(door.app) as end:
        await end.begin()
        await asyncio.sleep(0.1)
        assert await is_served(end)


@pytest.mark.parametrize("protocols", [(), ("graphql-ws",), ("soap", "mqtt")])
async def test_another_subprotocol_is_not_served(protocols: tuple[str, ...]) -> None:
    async with socket(Door().app, protocols=protocols) as end:
        assert await end.closed() == 4406


async def test_a_ping_is_answered_with_what_it_brought() -> None:
    async with socket(Door().app) as end:
        await end.say({"type": "ping"})
        assert await end.hear() == {"type": "pong"}
        await end.say({"type": "ping", "payload": {"a": 1}})
        assert await end.hear() == {"type": "pong", "payload": {"a": 1}}
        await end.say({"type": "pong"})
        await end.begin()


async def test_queries_and_mutations_are_answered_and_complete() -> None:
    async with socket(Door().app) as end:
        await end.begin()
        await end.subscribe("1", OWNER)
        assert await end.next() == {"inventoryOwner": {"key": "Some.1234"}}
        assert await end.hear() == {"id": "1", "type": "complete"}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"query": "{"}, "INVALID_INPUT"),
        ({"query": "{ nothing }"}, "INVALID_INPUT"),
        ({"query": "subscription { inventoryChanged { cursor } }"}, "INVALID_INPUT"),
        ({"query": ""}, "INVALID_INPUT"),
        ({}, "INVALID_INPUT"),
        ({"query": "{ " + "a " * 5_000 + "}"}, "INVALID_INPUT"),
        ({"query": "query($a: Int!) { __typename @include(if: $a) }"}, "INVALID_INPUT"),
        ({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}, "PERSISTED_QUERY_NOT_FOUND"),
        ({"query": "{ " + "a: __typename " * 300 + "}"}, "LIMIT_EXCEEDED"),
    ],
)
async def test_an_operation_that_is_no_good_is_an_error_and_the_socket_stays(payload: Any, code: str) -> None:
    async with socket(Door().app) as end:
        await end.begin()
        await end.say({"id": "1", "type": "subscribe", "payload": payload})
        message = await end.hear()
        assert (message["id"], message["type"]) == ("1", "error")
        assert message["payload"][0]["extensions"]["code"] == code
        assert await is_served(end)


# --- who --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost.evil.example",
        "null",
        "http://localhost:1",
        "http://[",
        "",
        "localhost",
    ],
)
async def test_a_page_of_another_origin_may_not_connect(origin: str) -> None:
    async with socket(Door().app, origin=origin) as end:
        assert await end.closed() == 4403
        assert end.accepted is None


async def test_pages_of_this_origin_and_of_the_settings_may_connect() -> None:
    door = Door(cors_origins=("https://friend.example",))
    for origin in ("http://localhost", "https://friend.example"):
        async with socket(door.app, origin=origin) as end:
            await end.begin()
    async with socket(Door(cors_origins=("*",)).app, origin="https://anybody.example") as end:
        await end.begin()


async def test_callers_from_elsewhere_bring_the_token_in_a_header_or_in_the_payload() -> None:
    door = Door(token=TOKEN)
    async with socket(door.app, client="192.0.2.1") as end:
        await end.say(INIT)
        assert await end.closed() == 4403
    async with socket(door.app, client="192.0.2.1") as end:
        await end.say({**INIT, "payload": {"Authorization": f"Bearer {TOKEN}x"}})
        assert await end.closed() == 4403
    async with socket(door.app, client="192.0.2.1") as end:
        await end.begin({"Authorization": f"Bearer {TOKEN}"})
    async with socket(door.app, client="192.0.2.1", authorization=f"Bearer {TOKEN}") as end:
        await end.begin()


async def test_a_page_that_gave_its_own_name_this_address_may_not_connect() -> None:
    async with socket(Door().app, host="evil.example", origin="http://evil.example") as end:
        await end.say(INIT)
        assert await end.closed() == 4403


async def test_credentials_of_the_payload_are_used_and_are_those_of_this_socket_alone() -> None:
    door = Door(backend := Live())
    async with socket(door.app) as one, socket(door.app) as two:
        await one.begin({header(PROVIDER): "secret-one", "X-Other": "ignored"})
        await two.begin({header(PROVIDER): "secret-two"})
        for end, secret in ((one, "secret-one"), (two, "secret-two")):
            await end.subscribe("1", SUBSCRIPTION)
            await until(lambda: backend.credentials and backend.followers)
            assert backend.credentials[-1].part(PROVIDER.manifest.credential_parts[0].key) == secret
            await end.say({"id": "1", "type": "complete"})
            await until(lambda: not backend.followers)


@pytest.mark.parametrize(
    "payload", [{"X-Credential-Nobody-key": "x"}, {header(PROVIDER): "bad\nvalue"}, {header(PROVIDER): "é✓"}]
)
async def test_a_malformed_credential_closes_the_socket(payload: dict[str, str]) -> None:
    async with socket(Door().app) as end:
        await end.say({**INIT, "payload": payload})
        assert await end.closed() == 4403


# --- how much ---------------------------------------------------------------------------------------------------------


async def test_ten_thousand_subscribes_end_the_socket_and_nobody_else_is_kept_waiting() -> None:
    door = Door(backend := Live())
    async with socket(door.app) as end, socket(door.app) as other:
        await end.begin()
        await other.begin()
        for number in range(10_000):
            await end.subscribe(str(number), SUBSCRIPTION)
        assert await is_served(other)
        for _ in range(100):
            message = await end.hear()
            assert message["type"] == "error"
            assert message["payload"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
        with pytest.raises(Closed, match="4429"):
            await end.hear()
        await until(lambda: not backend.followers)
        assert await is_served(other)


async def test_subscriptions_are_capped_over_all_sockets_and_room_is_made_by_those_that_end() -> None:
    door = Door(backend := Live(), max_subscriptions=2)
    async with socket(door.app) as one, socket(door.app) as two:
        await one.begin()
        await two.begin()
        await one.subscribe("1", SUBSCRIPTION)
        await two.subscribe("1", SUBSCRIPTION)
        await until(lambda: backend.followers == 2)
        await two.subscribe("2", SUBSCRIPTION)
        message = await two.hear()
        assert (message["id"], message["payload"][0]["extensions"]["code"]) == ("2", "RATE_LIMITED")
        await one.say({"id": "1", "type": "complete"})
        await until(lambda: backend.followers == 1)
        await two.subscribe("2", SUBSCRIPTION)
        await until(lambda: backend.followers == 2)


async def test_one_who_leaves_takes_the_operations_along() -> None:
    door = Door(backend := Live(definitions_by_key=for_ever))
    async with socket(door.app) as end:
        await end.begin()
        for key in "abc":
            await end.subscribe(key, SUBSCRIPTION)
        await until(lambda: backend.followers == 3)
    await until(lambda: not backend.followers)


async def test_one_who_does_not_read_is_given_up_and_the_others_are_served() -> None:
    door = Door(backend := Live(), send_timeout=0.2)
    async with socket(door.app) as slow, socket(door.app) as other:
        await slow.begin()
        await other.begin()
        await slow.subscribe("1", SUBSCRIPTION)
        await until(lambda: backend.followers)
        slow.reads.clear()
        await slow.say({"type": "ping"})
        assert await is_served(other)
        await until(lambda: not backend.followers)
        slow.reads.set()
        assert await is_served(other)


async def test_a_subscription_that_fails_is_an_error_of_its_own() -> None:
    door = Door(backend := Live())
    async with socket(door.app) as end:
        await end.begin()
        failures: list[tuple[Exception, str]] = [
            (NotFound("gone", provider=PROVIDER.key), "NOT_FOUND"),
            (ValueError("secret"), "INTERNAL"),
            (GatewayError("broken"), "INTERNAL"),
        ]
        for error, code in failures:
            await end.subscribe("1", SUBSCRIPTION)
            backend.told.put_nowait(error)
            message = await end.hear()
            assert message["type"] == "error"
            assert message["payload"][0]["extensions"]["code"] == code
            assert "secret" not in str(message)
        assert await is_served(end)


async def test_when_the_gateway_is_about_to_stop_no_subscription_begins() -> None:
    """The server closes the sockets that are open, as it does all connections."""
    door = Door(Live())
    async with socket(door.app) as end:
        await end.begin()
        door.operations.draining.set()
        await end.subscribe("1", SUBSCRIPTION)
        assert (await end.hear())["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert await is_served(end)


async def test_one_who_reads_nothing_is_not_sent_ever_more() -> None:
    """What is refused at once takes its room too, until its client has taken the refusal."""
    door = Door(send_timeout=0.3)
    async with socket(door.app) as end, socket(door.app) as other:
        await end.begin()
        await other.begin()
        end.reads.clear()
        for number in range(1_000):
            await end.say({"id": f"{number}", "type": "subscribe", "payload": {"query": "{"}})
        assert await is_served(other)
        waiting = [task for task in asyncio.all_tasks() if "_run" in repr(task.get_coro())]
        assert len(waiting) <= 100
        await asyncio.sleep(0.4)
        end.reads.set()


@pytest.mark.parametrize("payload", [[], "x", 5, True])
async def test_a_ping_brings_an_object_or_nothing(payload: Any) -> None:
    async with socket(Door().app) as end:
        await end.say({"type": "ping", "payload": payload})
        assert await end.closed() == 4400


async def test_a_ping_that_cannot_be_given_back_closes_the_socket() -> None:
    async with socket(Door().app) as end:
        await end.say('{"type":"ping","payload":{"a":' + "[" * 500 + "]" * 500 + "}}")
        assert await end.closed() == 4400


async def test_an_id_is_no_book() -> None:
    async with socket(Door().app) as end:
        await end.begin()
        await end.subscribe("x" * 129, "{ __typename }")
        assert await end.closed() == 4400


async def test_parts_of_two_credentials_are_never_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    roblox = next(provider for provider in PROVIDERS.values() if len(provider.manifest.credential_parts) > 2)
    first, second, *_ = roblox.manifest.credential_parts
    door = Door(backend := Live())
    taken: list[Any] = []

    async def opened(found: Caller) -> Context:
        taken.append({**found.lent, **found.brought})
        return Context({PROVIDER.key: cast("Any", backend)}, found)

    monkeypatch.setattr(door.operations, "_open", opened)
    handshake: dict[str, Any] = {header(roblox, first.key): "of-the-handshake", header(PROVIDER): "kept"}
    async with socket(door.app, **handshake) as end:
        await end.begin({header(roblox, second.key): "of-the-payload"})
        assert await is_served(end)
    (found,) = taken
    assert found[roblox.key].part(first.key) is None
    assert found[roblox.key].part(second.key) == "of-the-payload"
    assert found[PROVIDER.key].part(PROVIDER.manifest.credential_parts[0].key) == "kept"


async def test_one_name_in_two_spellings_is_refused() -> None:
    name = header(PROVIDER)
    async with socket(Door().app) as end:
        await end.say({**INIT, "payload": {name: "one", name.upper(): "two"}})
        assert await end.closed() == 4403
