"""Answers that come by and by: server-sent events, parts that are deferred or streamed, and subscriptions over both."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import orjson
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from looptime import LoopTimeEventLoop

from gateway.model.change import InventoryChange, no_changes
from gateway.model.errors import NotFound
from gateway.model.ids import OWNER as OWNER_KIND
from gateway.model.ids import OwnerRef, encode_id
from tests.gateways import NOW
from tests.http.doors import (
    NAME,
    OWNER,
    PROVIDER,
    SUBSCRIPTION,
    TYPENAME,
    ByHand,
    Door,
    Live,
    Told,
    failing,
    for_ever,
    known,
    until,
)

EVENTS = "text/event-stream"
OLDER = "multipart/mixed;deferSpec=20220824, application/json"
NEWER = "multipart/mixed;incrementalSpec=v0.2, application/json"
APOLLO = 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0, application/json'
OWNER_ID = cast("Any", encode_id(OWNER_KIND, OwnerRef(PROVIDER.key, "Some.1234")))
CHANGE = InventoryChange(cursor="c1", at=NOW, changes=no_changes(OwnerRef(PROVIDER.key, "x")), is_reset=False)


def events(text: str) -> list[tuple[str, Any]]:
    """Read a stream of events, comments left out."""
    found: list[tuple[str, Any]] = []
    for block in text.split("\n\n"):
        pairs = (line.partition(":") for line in block.split("\n") if line and not line.startswith(":"))
        lines = {name: text for name, _, text in pairs}
        if lines:
            data = lines["data"].strip()
            found.append((lines["event"].strip(), orjson.loads(data) if data else None))
    return found


def parts(text: str) -> list[Any]:
    """Read a multipart body with the boundary `-`, which must end as one."""
    before, *found, after = text.split("\r\n---")
    assert before == ""
    assert after == "--\r\n"
    bodies: list[Any] = []
    for part in found:
        head, _, body = part.removeprefix("\r\n").partition("\r\n\r\n")
        assert head == "Content-Type: application/json; charset=utf-8"
        bodies.append(orjson.loads(body))
    return bodies


def merged(found: list[Any]) -> Any:
    """Put the parts of an answer together, as a client does, whichever form they have."""
    assert [part["hasNext"] for part in found] == [True] * (len(found) - 1) + [False]
    data = found[0]["data"]
    pending = {one["id"]: one["path"] for part in found for one in part.get("pending", ())}
    for part in found[1:]:
        for entry in part.get("incremental", ()):
            path = entry["path"] if "path" in entry else [*pending[entry["id"]], *entry.get("subPath", ())]
            place, first = data, None
            if "items" in entry and "path" in entry:
                *path, first = path
            for step in path:
                place = place[step]
            if "items" in entry:
                assert first in (None, len(place))
                place += entry["items"]
            else:
                merge(place, entry["data"])
    return data


def merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            merge(into[name], cast("dict[str, Any]", value))
        else:
            into[name] = value


class Reading:
    """One request whose answer is read as it comes."""

    def __init__(self, door: Door, query: str, accept: str) -> None:
        self.request = ByHand(accept=accept)
        self.request.body(orjson.dumps({"query": query}))
        self.serving = self.request.begin(door)

    @property
    def text(self) -> str:
        return b"".join(cast("bytes", message.get("body", b"")) for message in self.request.sent).decode()

    async def leave(self) -> None:
        self.request.leave()
        async with asyncio.timeout(5):
            await self.serving


# --- events -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("{ __typename }", []),
        (OWNER, []),
        ("{ nothing }", ["INVALID_INPUT"]),
        ("{", ["INVALID_INPUT"]),
    ],
)
async def test_a_query_as_events_is_one_and_the_end(query: str, codes: list[str]) -> None:
    response = await Door().post({"query": query}, accept=EVENTS)
    assert response.status_code == 200
    assert response.headers["content-type"] == EVENTS
    assert response.headers["cache-control"] == "no-store"
    (name, body), end = events(response.text)
    assert name == "next"
    assert [error["extensions"]["code"] for error in body.get("errors", ())] == codes
    assert end == ("complete", None)


@pytest.mark.parametrize(
    "accept",
    [
        "application/graphql-response+json, application/json, text/event-stream, multipart/mixed",
        "text/event-stream;q=0.5, application/json",
        "application/json;q=0.1, text/event-stream;q=0.1",
    ],
)
async def test_one_who_would_take_events_too_gets_json(accept: str) -> None:
    response = await Door().post(TYPENAME, accept=accept)
    assert "json" in response.headers["content-type"]


@pytest.mark.parametrize("accept", ["application/json", "", "*/*", "application/graphql-response+json", "text/html"])
async def test_a_subscription_needs_a_type_that_can_carry_it(accept: str) -> None:
    response = await Door(Live()).post({"query": SUBSCRIPTION}, accept=accept)
    assert response.status_code == 406
    assert response.json()["errors"][0]["extensions"]["code"] == "UNSUPPORTED"


@pytest.mark.parametrize("accept", [EVENTS, f"{EVENTS}, multipart/mixed", "application/json;q=0.9, " + EVENTS])
async def test_changes_come_as_events_and_one_who_leaves_ends_them(accept: str) -> None:
    door = Door(backend := Live())
    reading = Reading(door, SUBSCRIPTION, accept)
    for count in (1, 2, 3):
        backend.told.put_nowait(CHANGE)
        await until(lambda count=count: len(events(reading.text)) == count)
    assert events(reading.text) == [("next", {"data": {"inventoryChanged": {"cursor": "c1"}}})] * 3
    assert backend.followers == 1
    await reading.leave()
    assert not backend.followers


async def test_what_ends_a_stream_is_told_in_it() -> None:
    door = Door(backend := Live())
    for error, code in ((NotFound("gone"), "NOT_FOUND"), (ValueError("secret"), "INTERNAL")):
        reading = Reading(door, SUBSCRIPTION, EVENTS)
        await until(lambda: backend.followers)
        backend.told.put_nowait(error)
        await reading.serving
        (name, body), end = events(reading.text)
        assert (name, body["errors"][0]["extensions"]["code"]) == ("next", code)
        assert end == ("complete", None)
        assert "secret" not in reading.text


async def test_an_idle_stream_is_kept_open() -> None:
    door = Door(backend := Live(), keep_alive=0.02)
    reading = Reading(door, SUBSCRIPTION, EVENTS)
    await until(lambda: reading.text.count(":\n\n") > 3)
    other = Reading(door, SUBSCRIPTION, APOLLO)
    await until(lambda: other.text.count("{}") > 3)
    await reading.leave()
    await other.leave()
    assert not backend.followers


async def test_streams_end_unfinished_when_the_gateway_is_about_to_stop_and_none_begins() -> None:
    door = Door(backend := Live())
    reading = Reading(door, SUBSCRIPTION, EVENTS)
    await until(lambda: backend.followers)
    door.operations.draining.set()
    async with asyncio.timeout(5):
        await reading.serving
    # A client that read that it is complete would not come back.
    assert "complete" not in reading.text
    assert reading.request.sent[-1]["more_body"] is False
    refused = await door.post({"query": SUBSCRIPTION}, accept=EVENTS)
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert await door.serves()


async def test_streams_are_capped_and_room_is_made_by_those_that_end() -> None:
    door = Door(backend := Live(), max_subscriptions=1)
    reading = Reading(door, SUBSCRIPTION, EVENTS)
    await until(lambda: backend.followers)
    async with asyncio.timeout(5):
        assert (await door.post({"query": SUBSCRIPTION}, accept=EVENTS)).status_code == 503
    await reading.leave()
    again = Reading(door, SUBSCRIPTION, EVENTS)
    await until(lambda: backend.followers)
    await again.leave()


async def test_one_who_does_not_take_what_is_sent_is_given_up() -> None:
    door = Door(backend := Live(), send_timeout=0.05)
    reading = Reading(door, SUBSCRIPTION, EVENTS)
    await until(lambda: backend.followers)
    reading.request.takes.clear()
    backend.told.put_nowait(CHANGE)
    async with asyncio.timeout(5):
        await reading.serving
    assert not backend.followers
    assert await door.serves()


async def test_however_many_ask_at_once_no_more_than_the_cap_are_live() -> None:
    door = Door(backend := Live(), max_subscriptions=3)
    readings = [Reading(door, SUBSCRIPTION, EVENTS) for _ in range(20)]
    await until(lambda: sum(reading.serving.done() for reading in readings) == 17)
    await until(lambda: backend.followers == 3)
    assert {reading.request.status for reading in readings if reading.serving.done()} == {503}
    for reading in readings:
        reading.request.leave()
    await asyncio.gather(*(reading.serving for reading in readings))
    assert not backend.followers


async def test_one_who_is_given_up_is_no_fault_of_ours(leaping: LoopTimeEventLoop) -> None:
    door = Door(backend := Live(), send_timeout=0.05)
    reading = Reading(door, SUBSCRIPTION, EVENTS)
    await until(lambda: backend.followers)
    reading.request.takes.clear()
    begun = leaping.time()
    with structlog.testing.capture_logs() as logs:
        backend.told.put_nowait(CHANGE)
        await reading.serving
    # Once, not once for each thing that would still be sent.
    assert leaping.time() - begun == pytest.approx(0.05)
    assert not logs


async def test_an_event_that_cannot_be_answered_in_time_does_not_end_the_others() -> None:
    slow = [True]

    async def sometimes(keys: Any) -> Any:
        if slow.pop() if slow else False:
            await asyncio.Event().wait()
        return await known(keys)

    backend = Live()
    backend.reads["owners_by_key"] = sometimes
    door = Door(backend, timeout=0.05)
    changed = replace(CHANGE, changes=replace(CHANGE.changes, created_ids=[OWNER_ID]))
    query = SUBSCRIPTION.replace("{ cursor }", "{ cursor changes { created { nodes { id } } } }")
    reading = Reading(door, query, EVENTS)
    for count in (1, 2):
        backend.told.put_nowait(changed)
        await until(lambda count=count: len(events(reading.text)) == count)
    first, second = (body for _, body in events(reading.text))
    assert first["errors"][0]["extensions"]["code"] == "UPSTREAM_TIMEOUT"
    assert second["data"]["inventoryChanged"]["changes"]["created"]["nodes"] == [{"id": OWNER_ID}]
    await reading.leave()


async def test_changes_come_in_parts_as_apollo_wants_them() -> None:
    door = Door(backend := Live())
    reading = Reading(door, SUBSCRIPTION, APOLLO)
    backend.told.put_nowait(CHANGE)
    backend.told.put_nowait(NotFound("gone"))
    await reading.serving
    first, last = parts(reading.text)
    assert first == {"payload": {"data": {"inventoryChanged": {"cursor": "c1"}}}}
    assert last["payload"] is None
    assert last["errors"][0]["extensions"]["code"] == "NOT_FOUND"


# --- parts ------------------------------------------------------------------------------------------------------------

OWNERS = f'inventoryOwner(owner: {{ provider: {NAME}, key: "Some.1234" }})'
DEFERRED = f'{{ {OWNERS} {{ key ... @defer(label: "late") {{ id provider inventory {{ id owner {{ key }} }} }} }} }}'
STREAMED = '{ inventoryProviders { key capabilities @stream(initialCount: 1, label: "more") } }'
NESTED = f"{{ {OWNERS} {{ ... @defer {{ id inventory {{ ... @defer {{ id }} }} }} ... @defer {{ id key }} }} }}"
LISTED = "{ inventoryProviders @stream(initialCount: 2) { key ... @defer { title capabilities @stream } } }"


@pytest.mark.parametrize("accept", [OLDER, NEWER])
@pytest.mark.parametrize("query", [DEFERRED, STREAMED, NESTED, LISTED])
async def test_the_parts_come_to_the_whole(query: str, accept: str) -> None:
    door = Door()
    whole = (await door.post({"query": query})).json()
    assert "errors" not in whole
    response = await door.post({"query": query}, accept=accept)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith('multipart/mixed;boundary="-"')
    found = parts(response.text)
    assert len(found) > 1
    assert merged(found) == whole["data"]


FORMS = ("... @defer { X }", "... { X }", "inventory { owner { X } }")


@st.composite
def selected(draw: st.DrawFn, depth: int = 3) -> str:
    """Give some fields of an owner, parts of them deferred, one within another."""
    names = draw(st.lists(st.sampled_from(["key", "id", "provider", "__typename"]), min_size=1, max_size=2))
    within = draw(st.lists(st.sampled_from(FORMS), max_size=2)) if depth else []
    return " ".join([*names, *(form.replace("X", draw(selected(depth - 1))) for form in within)])


@given(fields=selected(), accept=st.sampled_from([OLDER, NEWER]))
@settings(max_examples=60, deadline=None)
def test_whatever_is_deferred_comes_to_the_whole(fields: str, accept: str) -> None:
    async def ask() -> None:
        door = Door()
        body = {"query": f"{{ {OWNERS} {{ {fields} }} }}"}
        whole = (await door.post(body)).json()
        assert "errors" not in whole, whole
        response = await door.post(body, accept=accept)
        if "multipart" in response.headers["content-type"]:
            assert merged(parts(response.text)) == whole["data"]
        else:
            assert "@defer" not in body["query"]
            assert response.json() == whole

    asyncio.run(ask())


async def test_the_older_form_has_paths_and_labels() -> None:
    _, *later = parts((await Door().post({"query": DEFERRED}, accept=OLDER)).text)
    (entry,) = [entry for part in later for entry in part.get("incremental", ())]
    assert (entry["path"], entry["label"]) == (["inventoryOwner"], "late")
    _, *later = parts((await Door().post({"query": STREAMED}, accept=OLDER)).text)
    entries = [entry for part in later for entry in part.get("incremental", ())]
    assert entries[0]["path"][:3] == ["inventoryProviders", 0, "capabilities"]
    assert {entry["label"] for entry in entries} == {"more"}


async def test_one_who_takes_no_parts_gets_all_at_once() -> None:
    door = Door()
    for accept in ("application/json", "", "*/*", EVENTS):
        response = await door.post({"query": DEFERRED}, accept=accept)
        body = events(response.text)[0][1] if accept == EVENTS else response.json()
        assert body["data"]["inventoryOwner"]["provider"] == NAME


async def test_what_defers_nothing_comes_at_once() -> None:
    for query in ("{ __typename }", "{ ... @defer(if: false) { __typename } }"):
        response = await Door().post({"query": query}, accept=OLDER)
        body = response.json() if "json" in response.headers["content-type"] else parts(response.text)[0]
        assert body["data"] == {"__typename": "Query"}


@pytest.mark.parametrize("accept", [OLDER, NEWER])
async def test_a_part_that_fails_leaves_the_others_whole(accept: str) -> None:
    door = Door(Told(owners_by_key=known, definitions_by_key=failing(NotFound("none"))))
    late = f'itemDefinitions(provider: {NAME}, keys: ["item:1"]) {{ key }}'
    query = f"{{ {OWNERS} {{ key ... @defer {{ id }} }} ... @defer {{ {late} }} }}"
    found = parts((await door.post({"query": query}, accept=accept)).text)
    data = merged(found)
    assert data["inventoryOwner"]["id"]
    assert data["itemDefinitions"] == [None]
    (error,) = [error for part in found for entry in part.get("incremental", ()) for error in entry.get("errors", ())]
    assert error["extensions"]["code"] == "NOT_FOUND"
    assert error["path"] == ["itemDefinitions", 0]


async def test_a_document_that_is_no_good_is_told_at_once() -> None:
    response = await Door().post({"query": "{ nothing ... @defer { __typename } }"}, accept=OLDER)
    assert response.headers["content-type"].startswith("application/json")
    assert response.json()["errors"][0]["extensions"]["code"] == "INVALID_INPUT"


async def test_parts_have_the_time_of_one_operation() -> None:
    door = Door(Told(owners_by_key=known, definitions_by_key=for_ever), timeout=0.1)
    query = f'{{ __typename ... @defer {{ itemDefinitions(provider: {NAME}, keys: ["item:1"]) {{ key }} }} }}'
    async with asyncio.timeout(5):
        found = parts((await door.post({"query": query}, accept=OLDER)).text)
    codes = [error["extensions"]["code"] for part in found for error in part.get("errors", ())]
    late = [entry for part in found for entry in part.get("incremental", ())]
    assert codes == ["UPSTREAM_TIMEOUT"] or "UPSTREAM_TIMEOUT" in str(late)
    assert [part["hasNext"] for part in found][-1] is False
    assert await door.serves()
