"""The service as a backend: sessions that are renewed, lists in pages and in any wrapping, and writes that hold."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import orjson
import pytest
import strawberry
from structlog.testing import capture_logs

from gateway.model.container import Contents
from gateway.model.credentials import Credential
from gateway.model.errors import Forbidden, Unsupported
from gateway.model.ids import CONTAINER, ITEM, SLOT, ContainerRef, ItemRef, OwnerRef, SlotRef, encode_id
from gateway.model.manifest import Capability
from gateway.model.verbs import AllocateSlotsInput
from gateway.providers.community import PROVIDER
from gateway.providers.community.refusals import judge
from tests.gateways import Answer, Asked, local, mint, upstream
from tests.providers.community.service import (
    ALLOCATE,
    AVATAR,
    CKEY,
    ITEMS,
    MINT,
    REFRESH,
    REFRESHING,
    ROOT,
    SESSION,
    SLOTS,
    Both,
    Far,
    Person,
    Service,
    answer,
    fronted,
    headers,
    item,
    jwt,
    refusal,
    stuck,
)

LOOK = """query($owner: OwnerInput!) { inventory(owner: $owner) { container(key: "avatar") { version freeSlots
  slots { key index allocatedAt item { key quantity definition { name } } }
  ... on CommunityAvatar { mints { blockchain status } } } } }"""
OWNED = "query($owner: OwnerInput!) { inventory(owner: $owner) { items { totalCount nodes { key quantity } } } }"
PARTLY = """query($owner: OwnerInput!) { inventory(owner: $owner) { items { totalCount isComplete nodes { key }
  problems { code ownerKey retryable } } } }"""
CATALOGUE = """query($owner: OwnerInput!, $first: Int, $after: String) { inventory(owner: $owner) {
  catalogue(first: $first, after: $after) { totalCount isComplete nodes { key } problems { code }
    pageInfo { hasNextPage endCursor } } } }"""
EVERYTHING = """query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { name details { __typename
    ... on CommunityUser { id key kit { name slots { key id } } } } owns(definitionKey: "nova/i_cap") }
  inventory(owner: $owner) { isVisible containers { nodes { ...avatar } }
    items(orderBy: NAME) { totalCount nodes { ...item container { key } slot { key } } }
    totals { edges { quantity node { key } } }
    catalogue { totalCount edges { quantity node { ...definition } } }
    owned: catalogue(onlyOwned: true) { edges { quantity node { key } } } } }
  fragment avatar on CommunityAvatar { key name version mints { blockchain } kit { id name blockchains }
    slots { key name index isRequired item { ...item } accepts { edges { quantity node { key } } } }
    items { nodes { key } } }
  fragment item on CommunityItem { key quantity name kind definition { ...definition } slots { key } }
  fragment definition on CommunityItemDefinition { key name kind rarity slotIds attributes { traitType value } }"""
PUT = """mutation($input: AllocateSlotsInput!) { allocateSlots(input: $input) {
  changes { updatedIds movedIds versions { version } } container { version } slots { key item { key } }
  errors { code path providerCode message } } }"""
MAKE = """mutation($input: MintAvatarInput!) { mintAvatar(input: $input) { changes { updatedIds }
  container { version ... on CommunityAvatar { mints { blockchain version status } } }
  errors { code path providerCode } } }"""
ME = f"{CKEY}/me"


@pytest.fixture
def service() -> Service:
    return Service()


def avatar_id(owner: str = f"{CKEY}/u_1") -> str:
    return encode_id(CONTAINER, ContainerRef("community", owner, "avatar"))


async def put(far: Asked, *entries: tuple[str, str | None], owner: str = f"{CKEY}/u_1", **shared: Any) -> Answer:
    """Allocate slots; a slot's key, and an item's id or, of another community, its key."""
    slots = [
        {"slot": slot, "definitionKey": item if item is None or "/" in item else f"{CKEY}/{item}"}
        for slot, item in entries
    ]
    return await far.ask(PUT, input={"container": avatar_id(owner), "slots": slots, **shared})


async def make(far: Asked, blockchain: str = "sui", **shared: Any) -> Answer:
    return await far.ask(MAKE, input={"container": avatar_id(), "blockchain": blockchain, **shared})


async def walk(far: Far, first: int) -> list[str]:
    """Give the keys of the whole catalogue, read in pages."""
    found: list[str] = []
    after: str | None = None
    while True:
        page = (await far.of(CATALOGUE, first=first, after=after)).whole()["inventory"]["catalogue"]
        found += [one["key"] for one in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


def copy(given: httpx.Response) -> httpx.Response:
    return httpx.Response(given.status_code, content=given.content)


def keys(got: Answer) -> list[str]:
    return [node["key"] for node in got.whole()["inventory"]["items"]["nodes"]]


# --- what answers mean ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["GENERIC_UNAUTHORIZED", "SESSION_TOKEN_EXPIRED", "REFRESH_TOKEN_EXPIRED"])
@pytest.mark.parametrize("written", ["{}", "{lower}", "{title}", "{spaced}"])
def test_the_three_names_of_a_401_are_told_apart_whatever_their_case(name: str, written: str) -> None:
    """Behaviour 2."""
    told = written.format(name, lower=name.lower(), title=name.title(), spaced=name.replace("_", " "))
    found = judge(refusal(401, told))
    assert found is not None
    assert (found.code.value, found.provider_code) == ("UNAUTHENTICATED", name)


@pytest.mark.parametrize(
    ("response", "code", "name"),
    [
        (refusal(401, "who are you"), "UNAUTHENTICATED", "GENERIC_UNAUTHORIZED"),
        (refusal(401, "generic_not_found"), "UNAUTHENTICATED", "GENERIC_UNAUTHORIZED"),
        (answer(401, b"<html>"), "UNAUTHENTICATED", "GENERIC_UNAUTHORIZED"),
        (refusal(403, "session_token_expired"), "FORBIDDEN", "403"),
        (answer(429, b"", retry_after="7"), "RATE_LIMITED", "429"),
        (refusal(500, "internal_server_error"), "UPSTREAM_UNAVAILABLE", "500"),
        (answer(503), "UPSTREAM_UNAVAILABLE", "503"),
        (answer(302), "UPSTREAM_INVALID", "302"),
        (answer(405), "UPSTREAM_INVALID", "405"),
    ],
)
def test_an_answer_is_judged_by_its_status_before_its_name(response: httpx.Response, code: str, name: str) -> None:
    found = judge(response)
    assert found is not None
    assert (found.code.value, found.provider_code) == (code, name)
    assert found.retry_after == (7.0 if code == "RATE_LIMITED" else None)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 400, 404, 409, 415, 422])
def test_what_was_done_or_refused_is_left_to_the_one_who_asked(status: int) -> None:
    assert judge(answer(status, b"x" if status != 204 else b"")) is None


# --- sessions ---------------------------------------------------------------------------------------------------------


async def test_twenty_queries_at_once_renew_an_expired_session_once(service: Service) -> None:
    """Behaviour 24."""
    service.expire()
    queries = [f"q{number}: {OWNED[OWNED.index('inventory') : -2]}" for number in range(3)]
    together = "query($owner: OwnerInput!) { " + " ".join(queries) + " }"
    async with fronted(service, refresh=REFRESHING) as far:
        found = await asyncio.gather(*(far.of(together, ME) for _ in range(10)), *(far.of(LOOK, ME) for _ in range(10)))
    for got in found:
        got.whole()
    assert len(service.calls(REFRESH)) == 1
    assert orjson.loads(service.calls(REFRESH)[0].content) == {"refreshToken": REFRESHING}
    assert {*service.bearers(SLOTS), *service.bearers(ITEMS)} == {SESSION, jwt("made-1", sub="u_1")}


async def test_a_new_session_is_kept_for_the_requests_that_follow(service: Service) -> None:
    service.expire()
    async with fronted(service, refresh=REFRESHING) as far:
        (await far.of(OWNED)).whole()
        service.requests.clear()
        (await far.of(OWNED)).whole()
        assert service.calls(REFRESH) == []
        assert set(service.bearers(ITEMS)) == {jwt("made-1", sub="u_1")}
        figures = {
            figure.name: figure.read() for figure in far.gateway.figures() if "sessions" in figure.labels.values()
        }
        assert (figures["gateway_cache_entries"], figures["gateway_cache_misses"]) == (1, 1)
        assert figures["gateway_cache_hits"] >= 2
        service.expire()
        (await far.of(OWNED)).whole()
    assert len(service.calls(REFRESH)) == 1


async def test_a_write_that_was_refused_for_an_expired_session_is_sent_once_more(service: Service) -> None:
    """Behaviour 24."""

    def lapse(request: httpx.Request) -> None:
        if request.headers["authorization"] == f"Bearer {SESSION}":
            service.expire()

    service.on(ALLOCATE, lapse)
    async with fronted(service, refresh=REFRESHING) as far:
        got = (await put(far, ("s_body", "i_gem"))).whole()["allocateSlots"]
    assert got["errors"] == []
    assert service.bearers(ALLOCATE) == [SESSION, jwt("made-1", sub="u_1")]
    assert len(service.calls(REFRESH)) == 1
    assert service.people["u_1"].slots == {"s_head": "i_cap", "s_body": "i_gem"}
    assert service.people["u_1"].version == 2


async def test_an_expired_refresh_token_ends_it(service: Service) -> None:
    """Behaviour 25."""
    service.expire()
    service.refreshing.clear()
    async with fronted(service, refresh=REFRESHING) as far:
        got = await far.of(OWNED)
        assert got.codes == ["UNAUTHENTICATED"]
        assert got.errors[0]["extensions"]["providerCode"] == "REFRESH_TOKEN_EXPIRED"
        assert len(service.requests) == 2
        refused = await put(far, ("s_head", None))
    assert refused.data["allocateSlots"]["errors"][0]["providerCode"] == "REFRESH_TOKEN_EXPIRED"
    assert service.calls(ALLOCATE) == []


async def test_a_second_401_ends_it(service: Service) -> None:
    """Behaviour 25."""
    service.on(SLOTS, refusal(401, "session_token_expired"))
    async with fronted(service, refresh=REFRESHING) as far:
        got = await far.of(LOOK)
    assert set(got.codes) == {"UNAUTHENTICATED"}
    assert got.errors[0]["extensions"]["providerCode"] == "SESSION_TOKEN_EXPIRED"
    assert (len(service.calls(SLOTS)), len(service.calls(REFRESH))) == (2, 1)


@pytest.mark.parametrize("name", ["generic_unauthorized", "refresh_token_expired", "anything"])
async def test_only_an_expired_session_is_renewed(service: Service, name: str) -> None:
    service.on(ITEMS, refusal(401, name))
    async with fronted(service, refresh=REFRESHING) as far:
        got = await far.of(OWNED)
    assert got.codes == ["UNAUTHENTICATED"]
    assert (len(service.calls(ITEMS)), len(service.calls(REFRESH))) == (1, 0)


async def test_without_a_refresh_token_an_expired_session_is_told(service: Service) -> None:
    service.expire()
    async with fronted(service) as far:
        got = await far.of(OWNED)
    assert got.errors[0]["extensions"]["providerCode"] == "SESSION_TOKEN_EXPIRED"
    assert len(service.requests) == 1


async def test_a_refresh_token_alone_is_exchanged_first(service: Service) -> None:
    async with fronted(service, session=None, refresh=REFRESHING) as far:
        assert keys(await far.of(OWNED, ME)) == ["i_cap", "i_gem"]
    assert [request.url.path for request in service.requests] == [REFRESH, SLOTS, ITEMS]


async def test_without_a_token_no_one_is_called(service: Service) -> None:
    async with fronted(service, session=None) as far:
        for query, owner in ((OWNED, ME), (OWNED, f"{CKEY}/u_1"), (LOOK, CKEY)):
            got = await far.of(query, owner)
            assert set(got.codes) == {"UNAUTHENTICATED"}
            assert "session token" in got.errors[0]["message"]
    assert service.requests == []


async def test_each_credential_has_a_session_of_its_own(service: Service) -> None:
    other = jwt("second", sub="u_2")
    service.sessions[other] = "u_2"
    service.refreshing["refresh-of-u-2"] = "u_2"
    service.expire()
    mine, theirs = headers(refresh=REFRESHING), headers(other, "refresh-of-u-2")
    async with fronted(service) as far:
        first, second = await asyncio.gather(far.of(OWNED, ME, headers=mine), far.of(OWNED, ME, headers=theirs))
        assert (keys(first), keys(second)) == (["i_cap", "i_gem"], ["i_wing"])
        assert keys(await far.of(OWNED, ME, headers=mine)) == ["i_cap", "i_gem"]
    sent = [orjson.loads(request.content)["refreshToken"] for request in service.calls(REFRESH)]
    assert sorted(sent) == sorted([REFRESHING, "refresh-of-u-2"])


async def test_one_who_stops_waiting_leaves_the_renewal_to_the_others(service: Service) -> None:
    service.expire()
    begun, both, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_: httpx.Request) -> None:
        begun.set()
        await go_on.wait()

    async def asked(_: httpx.Request) -> None:
        if len(service.calls(ITEMS)) == 2:
            both.set()

    service.on(REFRESH, slow)
    service.on(ITEMS, asked)
    async with fronted(service, refresh=REFRESHING) as far:
        backend = far.gateway.backends["community"]
        sessions = [backend.session(Credential("community", {"session": SESSION, "refresh": REFRESHING})) for _ in "ab"]
        first, second = (asyncio.create_task(session.definition_keys(CKEY)) for session in sessions)
        await begun.wait()
        async with asyncio.timeout(5):
            await both.wait()
        first.cancel()
        await asyncio.wait([first])
        go_on.set()
        assert await second == [f"{CKEY}/i_cap", f"{CKEY}/i_gem", f"{CKEY}/i_wing"]
        assert first.cancelled()
        for session in sessions:
            await session.aclose()
    assert len(service.calls(REFRESH)) == 1


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (answer(503), "UPSTREAM_UNAVAILABLE"),
        (answer(502), "UPSTREAM_UNAVAILABLE"),
        (answer(429), "RATE_LIMITED"),
        (answer(404), "UPSTREAM_INVALID"),
        (answer(200, b"<html>"), "UPSTREAM_INVALID"),
        (answer(200, {}), "UPSTREAM_INVALID"),
        (answer(200, []), "UPSTREAM_INVALID"),
        (answer(200, {"sessionToken": "two words"}), "UPSTREAM_INVALID"),
        (answer(200, {"sessionToken": "a\r\nb"}), "UPSTREAM_INVALID"),
        (answer(200, {"sessionToken": 7}), "UPSTREAM_INVALID"),
    ],
)
async def test_a_renewal_that_fails_says_nothing_of_the_credential(
    service: Service, given: httpx.Response, code: str
) -> None:
    service.expire()
    service.on(REFRESH, given, None)
    async with fronted(service, refresh=REFRESHING) as far:
        assert (await far.of(OWNED)).codes == [code]
        assert len(service.calls(REFRESH)) == 1
        assert keys(await far.of(OWNED)) == ["i_cap", "i_gem"]


async def test_a_renewal_that_is_never_answered_is_no_write_of_unknown_outcome(service: Service) -> None:
    service.expire()
    service.on(REFRESH, stuck)
    async with fronted(service, patience=0.05, refresh=REFRESHING) as far:
        got = await put(far, ("s_head", None))
    assert got.codes == ["UPSTREAM_UNAVAILABLE"]
    assert service.calls(ALLOCATE) == []


async def test_tokens_of_two_users_are_never_used_for_each_other(service: Service) -> None:
    service.refreshing[REFRESHING] = "u_2"
    service.on(ALLOCATE, refusal(401, "session_token_expired"))
    async with fronted(service, refresh=REFRESHING) as far:
        got = (await put(far, ("s_head", None))).whole()["allocateSlots"]
        assert [error["code"] for error in got["errors"]] == ["UNAUTHENTICATED"]
        assert keys(await far.of(OWNED, ME)) == ["i_cap", "i_gem"]
    assert service.bearers(ALLOCATE) == [SESSION]


async def test_a_session_is_made_anew_when_asked(service: Service) -> None:
    async with fronted(service) as far:
        backend = far.gateway.backends["community"]
        session = backend.session(Credential("community", {"refresh": REFRESHING}))
        assert await session.renew("session") == jwt("made-1", sub="u_1")
        assert await session.renew("session") == jwt("made-2", sub="u_1")
        with pytest.raises(Unsupported):
            await backend.session(Credential("community", {"session": SESSION})).renew("session")
    assert len(service.requests) == 2


# --- whose ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "u_1", "userId": "u_2"},
        {"userId": "u_1", "user_id": "u_2"},
        {"user_id": "u_1", "id": "u_2"},
        {"id": "u_1", "uid": "u_2"},
        {"uid": "u_1"},
        {"sub": "", "userId": None, "uid": "u_1"},
        {"sub": True, "uid": "u_1"},
    ],
)
async def test_a_token_that_is_a_jwt_tells_whose_it_is(service: Service, claims: dict[str, Any]) -> None:
    token = jwt("x", **claims)
    service.sessions[token] = "u_1"
    async with fronted(service, session=token) as far:
        assert keys(await far.of(OWNED, ME)) == ["i_cap", "i_gem"]
        got = await far.ask("mutation { x: __typename }")
    assert got.whole() == {"x": "Mutation"}
    # Whose the token is, is told without a call; that there is such a user in the community, the slots tell.
    assert [request.url.path for request in service.requests] == [SLOTS, ITEMS]


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "a.W10.c", "a.e30.c", "...", "a.!!!.c", "a.bnVsbA.c"])
async def test_a_token_that_tells_nobody_reads_others_and_writes_nothing(service: Service, token: str) -> None:
    service.sessions[token] = "u_1"
    async with fronted(service, session=token) as far:
        got = await far.of(OWNED, ME)
        assert got.codes == ["UNSUPPORTED"]
        assert "name the user" in got.errors[0]["message"]
        assert keys(await far.of(OWNED)) == ["i_cap", "i_gem"]
        refused = (await put(far, ("s_head", None))).whole()["allocateSlots"]
    assert [error["code"] for error in refused["errors"]] == ["UNSUPPORTED"]
    assert service.calls(ALLOCATE) == []


async def test_me_without_a_community_is_refused(service: Service) -> None:
    async with fronted(service) as far:
        assert (await far.of(OWNED, "me")).codes == ["INVALID_INPUT"]
    assert service.requests == []


# --- reads ------------------------------------------------------------------------------------------------------------


async def test_each_document_is_read_once_however_much_is_asked_of_it(service: Service) -> None:
    async with fronted(service) as far:
        found = (await far.of(EVERYTHING)).whole()
    paths = [request.url.raw_path.decode() for request in service.requests]
    assert len(set(paths)) == len(paths)
    assert sorted(path.removeprefix(ROOT) for path in paths) == sorted(
        [
            "",
            "/avatar?userId=u_1",
            "/items/i_cap",
            "/items?onlyOwned=false&userId=u_1&page=1&limit=100",
            "/items?onlyOwned=true&userId=u_1&page=1&limit=100",
            "/slots?userId=u_1",
            *(f"/slots/s_{slot}/items?onlyOwned=false&page=1&limit=100" for slot in ("head", "back", "body")),
        ]
    )
    assert found["inventoryOwner"] == {
        "name": "u_1",
        "details": {
            "__typename": "CommunityUser",
            "id": "u_1",
            "key": CKEY,
            "kit": {
                "name": "Nova kit",
                "slots": [
                    {"key": "head", "id": "s_head"},
                    {"key": "back", "id": "s_back"},
                    {"key": "body", "id": "s_body"},
                ],
            },
        },
        "owns": True,
    }
    inventory = found["inventory"]
    (avatar,) = inventory["containers"]["nodes"]
    assert (avatar["key"], avatar["version"], avatar["mints"]) == ("avatar", "1", [])
    assert [slot["item"] and slot["item"]["key"] for slot in avatar["slots"]] == ["i_cap", None, None]
    accepted = [(edge["node"]["key"], edge["quantity"]) for edge in avatar["slots"][0]["accepts"]["edges"]]
    assert accepted == [("nova/i_cap", "1"), ("nova/i_gem", "2")]
    assert avatar["slots"][0]["item"]["name"] == "Item i_cap"
    assert avatar["slots"][0]["item"]["slots"] == [{"key": "s_head"}]
    quantities = [(edge["node"]["key"], edge["quantity"]) for edge in inventory["catalogue"]["edges"]]
    assert quantities == [("nova/i_cap", "1"), ("nova/i_gem", "2"), ("nova/i_wing", "0")]
    assert [edge["node"]["key"] for edge in inventory["owned"]["edges"]] == ["nova/i_cap", "nova/i_gem"]
    assert [node["container"] for node in inventory["items"]["nodes"]] == [{"key": "avatar"}, None]


@pytest.mark.parametrize("wrapper", [None, "items", "data", "results", "slots"])
@pytest.mark.parametrize("tells_totals", [True, False])
async def test_a_list_gives_the_same_graph_bare_and_wrapped(
    service: Service, wrapper: str | None, tells_totals: bool
) -> None:
    """Behaviour 27."""
    service.grow(120)
    other = Service()
    other.grow(120)
    other.wrapper, other.tells_totals = wrapper, tells_totals
    async with fronted(service) as far:
        expected = (await far.of(EVERYTHING)).whole()
    async with fronted(other) as far:
        assert (await far.of(EVERYTHING)).whole() == expected


async def test_what_a_service_adds_to_its_answers_changes_nothing(service: Service) -> None:
    other = Service()
    other.items = {key: {**one, "sparkle": [1], "owner": {"x": None}} for key, one in other.items.items()}
    other.slots = [{**slot, "hue": 7} for slot in other.slots]
    async with fronted(service) as far:
        expected = (await far.of(EVERYTHING)).whole()
    async with fronted(other) as far:
        assert (await far.of(EVERYTHING)).whole() == expected


async def test_what_lies_in_a_slot_may_be_told_by_its_id_alone(service: Service) -> None:
    async with fronted(service) as far:
        expected = (await far.of(LOOK)).whole()
        service.tells_ids = True
        assert (await far.of(LOOK)).whole() == expected
        assert len(service.calls(f"{ITEMS}/i_cap")) == 1
        service.people["u_2"].slots = {"s_head": "i_gem", "s_body": "i_gem", "s_back": "gone"}
        slots = (await far.of(LOOK, f"{CKEY}/u_2")).whole()["inventory"]["container"]["slots"]
    # How many of it the caller owns says nothing of another user.
    assert [slot["item"] and (slot["item"]["key"], slot["item"]["quantity"]) for slot in slots] == [
        ("i_gem", "2"),
        None,
        ("i_gem", "2"),
    ]


async def test_a_fetched_item_that_the_caller_has_none_of_is_held_by_the_one_who_wears_it(service: Service) -> None:
    service.tells_ids = True
    async with fronted(service) as far:
        slots = (await far.of(LOOK, f"{CKEY}/u_2")).whole()["inventory"]["container"]["slots"]
    assert [slot["item"] and slot["item"]["quantity"] for slot in slots] == [None, "1", None]


@pytest.mark.parametrize("counted", ["nowhere", "in lists", "as owned"])
async def test_a_holding_that_fills_two_slots_is_two_where_slots_do_not_tell_how_many(
    service: Service, counted: str
) -> None:
    service.people["u_1"].slots = {"s_head": "i_gem", "s_body": "i_gem", "s_back": "i_wing"}
    service.people["u_1"].owned["i_wing"] = 1
    service.silent = True
    if counted != "in lists":
        owned: dict[str, Any] = {"owned": True} if counted == "as owned" else {}
        service.on(ITEMS, answer(200, [{**service.items[key], **owned} for key in ("i_cap", "i_gem", "i_wing")]))
    query = """query($owner: OwnerInput!) { inventory(owner: $owner) { items { nodes { key quantity } }
      container(key: "avatar") { items { nodes { key quantity } } slots { item { key quantity } } } } }"""
    async with fronted(service) as far:
        found = (await far.of(query)).whole()["inventory"]
    listed = {one["key"]: one["quantity"] for one in found["items"]["nodes"]}
    assert listed == {"i_cap": "1", "i_gem": "2", "i_wing": "1"}
    assert [slot["item"] for slot in found["container"]["slots"]] == [
        {"key": "i_gem", "quantity": "2"},
        {"key": "i_wing", "quantity": "1"},
        {"key": "i_gem", "quantity": "2"},
    ]
    assert {one["key"]: one["quantity"] for one in found["container"]["items"]["nodes"]} == {
        "i_gem": "2",
        "i_wing": "1",
    }


async def test_another_user_is_read_as_that_user(service: Service) -> None:
    async with fronted(service) as far:
        found = (await far.of(EVERYTHING, f"{CKEY}/u_2")).whole()
    assert found["inventoryOwner"]["owns"] is False
    assert [node["key"] for node in found["inventory"]["items"]["nodes"]] == ["i_wing"]
    (avatar,) = found["inventory"]["containers"]["nodes"]
    accepted = [
        [(edge["node"]["key"], edge["quantity"]) for edge in slot["accepts"]["edges"]] for slot in avatar["slots"]
    ]
    assert accepted == [[("nova/i_cap", "0"), ("nova/i_gem", "0")], [("nova/i_wing", "3")], [("nova/i_gem", "0")]]
    users = {parse_qs(request.url.query.decode()).get("userId", ["u_2"])[0] for request in service.requests}
    assert users == {"u_2"}


async def test_a_kit_has_empty_slots_and_a_catalogue_that_nobody_owns(service: Service) -> None:
    query = """query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { name details { ... on CommunityKit { id
        slots { id } } } owns(definitionKey: "nova/i_cap") }
      inventory(owner: $owner) { items { nodes { key } } totals { nodes { key } }
        container(key: "avatar") { version capacity freeSlots items { nodes { key } }
          slots { key item { key } accepts(first: 1) { edges { quantity node { key } } }
            none: accepts(onlyOwned: true) { nodes { key } } } }
        catalogue { edges { quantity node { key } } } owned: catalogue(onlyOwned: true) { nodes { key } } } }"""
    async with fronted(service) as far:
        found = (await far.of(query, CKEY)).whole()
    assert found["inventoryOwner"]["name"] == "Nova kit"
    assert found["inventoryOwner"]["owns"] is False
    assert [slot["id"] for slot in found["inventoryOwner"]["details"]["slots"]] == ["s_head", "s_back", "s_body"]
    inventory = found["inventory"]
    assert (inventory["items"]["nodes"], inventory["totals"]["nodes"], inventory["owned"]["nodes"]) == ([], [], [])
    avatar = inventory["container"]
    assert (avatar["version"], avatar["capacity"], avatar["freeSlots"]) == (None, 3, 3)
    assert [(slot["key"], slot["item"]) for slot in avatar["slots"]] == [
        ("s_head", None),
        ("s_back", None),
        ("s_body", None),
    ]
    assert [slot["accepts"]["edges"][0]["quantity"] for slot in avatar["slots"]] == [None, None, None]
    assert [slot["none"]["nodes"] for slot in avatar["slots"]] == [[], [], []]
    assert [edge["quantity"] for edge in inventory["catalogue"]["edges"]] == [None, None, None]


@pytest.mark.parametrize("owner", ["nova/u_9", "nowhere", "nowhere/u_1"])
async def test_who_is_unknown_is_absent(service: Service, owner: str) -> None:
    query = "query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { key } inventory(owner: $owner) { id } }"
    async with fronted(service) as far:
        assert (await far.of(query, owner)).whole() == {"inventoryOwner": None, "inventory": None}
        got = await far.ask("query($id: ID!) { node(id: $id) { id } }", id=avatar_id(owner))
    assert got.whole() == {"node": None}


async def test_keys_are_encoded_once_and_never_step_out_of_their_path(service: Service) -> None:
    odd = "ü/ 100%&x=?#"
    service.people[odd] = Person({"i_cap": 1})
    service.items[odd] = item(odd)
    query = "query($keys: [String!]!) { itemDefinitions(provider: COMMUNITY, keys: $keys) { key name } }"
    async with fronted(service) as far:
        assert keys(await far.of(OWNED, f"{CKEY}/{odd}")) == ["i_cap"]
        found = (await far.ask(query, keys=[f"{CKEY}/i_gem", f"{CKEY}/none", f"{CKEY}/i_cap"])).whole()
        assert [one and one["name"] for one in found["itemDefinitions"]] == ["Item i_gem", None, "Item i_cap"]
        service.requests.clear()
        for step in (".", ".."):
            for owner in (f"{step}/u_1", f"{CKEY}/{step}", step):
                assert (await far.of(OWNED, owner)).whole() == {"inventory": None}
            got = await far.ask(query, keys=[f"{CKEY}/{step}", f"{step}/i_cap"])
            assert got.whole() == {"itemDefinitions": [None, None]}
            slot = encode_id(SLOT, SlotRef("community", f"{CKEY}/u_1", "avatar", step))
            got = await far.ask("query($id: ID!) { node(id: $id) { ... on Slot { accepts { totalCount } } } }", id=slot)
            assert got.whole()["node"] in (None, {"accepts": None})
    assert [request for request in service.requests if "slots?userId=u_1" not in str(request.url)] == []


@pytest.mark.parametrize(
    "broken", ["{}", '{"items":{}}', '"text"', "null", '[{"no":"id"}]', "[7]", '{"items":[],"total":"many"}']
)
async def test_an_answer_that_is_no_list_is_an_error_and_not_an_empty_list(service: Service, broken: str) -> None:
    service.on(ITEMS, answer(200, orjson.loads(broken)))
    async with fronted(service) as far:
        assert (await far.of(OWNED)).codes == ["UPSTREAM_INVALID"]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"userId": "u_1"},
        {"error": "x"},
        {"data": {"userId": "u_1"}},
        {"userId": "u_2", "version": 4, "slots": [], "mints": []},
        {"data": {"userId": "u_2", "version": 4}},
    ],
)
async def test_an_answer_that_is_not_the_users_avatar_is_an_error(service: Service, broken: object) -> None:
    service.on(AVATAR, answer(200, broken))
    async with fronted(service) as far:
        assert set((await far.of(LOOK)).codes) == {"UPSTREAM_INVALID"}
        # What was done is not told as undone.
        assert (await put(far, ("s_head", None))).codes == ["OUTCOME_UNKNOWN"]
        assert set((await make(far)).codes) == {"UPSTREAM_INVALID"}
    assert service.calls(MINT) == []


async def test_an_avatar_may_come_in_an_envelope_and_need_not_tell_whose_it_is(service: Service) -> None:
    service.on(AVATAR, answer(200, {"data": {"version": 9, "mints": [{"blockchain": "sui", "status": "minted"}]}}))
    async with fronted(service) as far:
        found = (await far.of(LOOK)).whole()["inventory"]["container"]
    assert (found["version"], found["mints"]) == ("9", [{"blockchain": "sui", "status": "minted"}])


async def test_an_answer_that_is_another_item_is_an_error(service: Service) -> None:
    service.on(f"{ITEMS}/i_gem", answer(200, item("i_cap", "s_head")))
    query = 'query { itemDefinitions(provider: COMMUNITY, keys: ["nova/i_gem"]) { key } }'
    async with fronted(service) as far:
        got = await far.ask(query)
    assert (got.data, got.codes) == ({"itemDefinitions": [None]}, ["UPSTREAM_INVALID"])


async def test_a_community_has_no_second_name(service: Service) -> None:
    both = Both(service)
    query = """query($owner: OwnerInput!, $id: ID!) { inventoryOwner(owner: $owner) { key }
      inventory(owner: $owner) { id } node(id: $id) { id }
      itemDefinitions(provider: COMMUNITY, keys: ["com_1/i_cap"]) { key } }"""
    nothing = {"inventoryOwner": None, "inventory": None, "node": None, "itemDefinitions": [None]}
    async with fronted(both, is_named=False) as far:
        for owner in ("com_1/u_1", "com_1"):
            got = await far.of(query, owner, id=avatar_id(owner))
            assert got.whole() == nothing
        (error,) = (await put(far, ("s_head", None), owner="com_1/u_1")).whole()["allocateSlots"]["errors"]
        assert (error["code"], error["path"]) == ("NOT_FOUND", ["container"])
        assert {request.url.path for request in both.requests} == {"/v1/community/com_1/inventory"}
        assert keys(await far.of(OWNED)) == ["i_cap", "i_gem"]


async def test_that_a_key_is_the_communitys_own_is_asked_once(service: Service) -> None:
    now = [0.0]
    async with fronted(service, is_named=False, clock=lambda: now[0]) as far:
        for _ in range(2):
            (await far.of(LOOK)).whole()
            (await far.of(OWNED)).whole()
        assert len(service.calls(ROOT)) == 1
        now[0] += 86_401
        (await far.of(OWNED)).whole()
        assert len(service.calls(ROOT)) == 2
        # Nor does it cost anything where the kit is read anyway.
        now[0] += 86_401
        (await far.of(EVERYTHING)).whole()
        (await far.of(OWNED)).whole()
    assert len(service.calls(ROOT)) == 3


@pytest.mark.parametrize("told", [{"id": 1}, {"id": 1, "ckey": None}, {"name": "no kit"}, []])
async def test_a_kit_that_tells_no_key_leaves_the_one_that_was_named(service: Service, told: object) -> None:
    service.on(ROOT, answer(200, told))
    async with fronted(service, is_named=False) as far:
        assert keys(await far.of(OWNED)) == ["i_cap", "i_gem"]


async def test_while_the_kit_cannot_be_read_no_name_is_taken_for_granted(service: Service) -> None:
    service.on(ROOT, answer(503), answer(503), answer(503), None)
    async with fronted(service, is_named=False) as far:
        assert (await far.of(OWNED)).codes == ["UPSTREAM_UNAVAILABLE"]
        assert keys(await far.of(OWNED)) == ["i_cap", "i_gem"]


async def test_a_failing_read_is_tried_again_and_a_failing_write_never(service: Service) -> None:
    """Behaviour 26."""
    service.on(ITEMS, answer(500), answer(500), None)
    service.on(ALLOCATE, answer(500))
    service.on(MINT, answer(500))
    async with fronted(service) as far:
        assert keys(await far.of(OWNED)) == ["i_cap", "i_gem"]
        assert len(service.calls(ITEMS)) == 3
        service.requests.clear()
        service.on(SLOTS, answer(500), answer(500), answer(500), None)
        assert (await far.of(LOOK)).codes[0] == "UPSTREAM_UNAVAILABLE"
        assert len(service.calls(SLOTS)) == 3
        assert (await put(far, ("s_head", None))).codes == ["UPSTREAM_UNAVAILABLE"]
        assert (await make(far)).codes == ["UPSTREAM_UNAVAILABLE"]
    assert (len(service.calls(ALLOCATE)), len(service.calls(MINT))) == (1, 1)


async def test_what_slots_tell_says_nothing_of_a_version(service: Service) -> None:
    ref = ContainerRef("community", f"{CKEY}/u_1", "avatar")
    async with fronted(service) as far:
        session = far.gateway.backends["community"].session(Credential("community", {"session": SESSION}))
        contents = (await session.contents_by_container([ref]))[ref]
        assert isinstance(contents, Contents)
        assert (contents.capacity, contents.version) == (3, None)
        await session.aclose()
    assert service.calls(AVATAR) == []


# --- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tells_totals", [True, False])
@pytest.mark.parametrize(("count", "pages"), [(98, 1), (97, 1), (198, 2), (1_000, 11)])
async def test_a_long_list_is_read_to_its_end(service: Service, tells_totals: bool, count: int, pages: int) -> None:
    service.grow(count)
    service.tells_totals = tells_totals
    async with fronted(service) as far:
        found = (await far.of(OWNED)).whole()["inventory"]["items"]
    assert found["totalCount"] == count + 2
    # Without a total, a full page is followed by one that is short or empty.
    assert len(service.calls(ITEMS)) == pages + (not tells_totals and (count + 2) % 100 == 0)


async def test_a_total_lets_pages_be_read_together_but_not_all_at_once(service: Service) -> None:
    service.grow(2_998)
    under_way, most = 0, 0

    async def slow(_: httpx.Request) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1

    service.on(ITEMS, slow)
    async with fronted(service) as far:
        (await far.of(OWNED)).whole()
    assert 1 < most <= 8


async def test_pages_shorter_than_asked_for_go_on_as_long_as_the_total_says(service: Service) -> None:
    entries = [{**item(f"i_{number}"), "owned": True} for number in range(25)]

    def paged(request: httpx.Request) -> httpx.Response:
        start = 10 * (int(request.url.params["page"]) - 1)
        return answer(200, {"data": entries[start : start + 10], "meta": {"totalCount": 25}})

    service.on(ITEMS, paged)
    async with fronted(service) as far:
        assert len(keys(await far.of(OWNED))) == 25
    assert len(service.calls(ITEMS)) == 3


async def test_a_service_that_repeats_its_page_is_asked_no_further(service: Service) -> None:
    service.on(ITEMS, answer(200, [{**item(f"i_{number:03}"), "quantity": 2} for number in range(100)]))
    async with fronted(service) as far:
        assert len(set(keys(await far.of(OWNED.replace("items {", "items(first: 250) {"))))) == 100
    assert len(service.calls(ITEMS)) == 2


@pytest.mark.parametrize("total", [None, 20_001, 10**12])
async def test_a_list_without_end_is_shown_as_far_as_it_was_read(service: Service, total: int | None) -> None:
    def endless(request: httpx.Request) -> httpx.Response:
        page = request.url.params["page"]
        entries = [{"id": f"{page}-{number}", "owned": True} for number in range(100)]
        return answer(200, {"items": entries} | ({} if total is None else {"total": total}))

    service.on(ITEMS, endless)
    async with fronted(service) as far:
        found = (await far.of(PARTLY)).whole()["inventory"]["items"]
    assert (len(found["nodes"]), found["totalCount"], found["isComplete"]) == (50, None, False)
    assert [one["code"] for one in found["problems"]] == ["UPSTREAM_INVALID"]
    assert len(service.calls(ITEMS)) == 200


async def test_a_service_that_repeats_its_page_and_tells_a_total_is_asked_no_further(service: Service) -> None:
    entries = [{**item(f"i_{number:03}"), "quantity": 2} for number in range(100)]
    service.on(ITEMS, answer(200, {"items": entries, "total": 1_000}))
    async with fronted(service) as far:
        found = (await far.of(PARTLY)).whole()["inventory"]["items"]
        assert (len(found["nodes"]), found["totalCount"], found["isComplete"]) == (50, None, False)
        assert found["problems"] == [{"code": "UPSTREAM_INVALID", "ownerKey": f"{CKEY}/u_1", "retryable": False}]
        assert len(service.calls(ITEMS)) == 2
        catalogue = (await far.of(CATALOGUE, first=150)).whole()["inventory"]["catalogue"]
    assert (len(catalogue["nodes"]), catalogue["totalCount"], catalogue["isComplete"]) == (100, None, False)


async def test_an_empty_list_that_tells_a_total_is_not_whole(service: Service) -> None:
    service.on(ITEMS, answer(200, {"items": [], "total": 7}))
    async with fronted(service) as far:
        found = (await far.of(PARTLY)).whole()["inventory"]["items"]
    assert (found["nodes"], found["totalCount"], found["isComplete"]) == ([], None, False)


@pytest.mark.parametrize("tells_totals", [True, False])
@pytest.mark.parametrize("broken", [2, 3])
@pytest.mark.parametrize(
    ("given", "code", "retryable"),
    [(answer(503), "UPSTREAM_UNAVAILABLE", True), (answer(200, {"no": "list"}), "UPSTREAM_INVALID", False)],
)
async def test_a_list_is_shown_without_the_page_that_fails(
    service: Service, tells_totals: bool, broken: int, given: httpx.Response, code: str, retryable: bool
) -> None:
    service.grow(398)
    service.tells_totals = tells_totals
    service.on(ITEMS, lambda request: copy(given) if request.url.params["page"] == str(broken) else None)
    query = """query($owner: OwnerInput!, $ids: [ID!]!) { inventory(owner: $owner) { items(first: 250) { totalCount
      isComplete problems { code ownerKey retryable } nodes { key } }
      totals { isComplete problems { code } } catalogue(onlyOwned: true, first: 250) { isComplete totalCount } }
      nodes(ids: $ids) { ... on Item { key } }
      other: inventoryOwner(owner: $owner) { owns(definitionKey: "nova/i_00000") } }"""
    ids = [encode_id(ITEM, ItemRef("community", f"{CKEY}/u_1", key)) for key in ("i_00000", "i_gem", "i_none")]
    token = jwt("other", sub="u_2")
    service.sessions[token] = "u_2"
    async with fronted(service, session=token) as far:
        got = await far.of(query, ids=ids)
    found = got.data["inventory"]
    # With a total the pages behind are read as well, once the second has shown that there are others.
    assert len(found["items"]["nodes"]) == (100 if broken == 2 else 250 if tells_totals else 200)
    assert (found["items"]["totalCount"], found["items"]["isComplete"]) == (None, False)
    problem = {"code": code, "ownerKey": f"{CKEY}/u_1", "retryable": retryable}
    assert found["items"]["problems"] == [problem]
    assert found["totals"] == {"isComplete": False, "problems": [{"code": code}]}
    assert found["catalogue"] == {"isComplete": False, "totalCount": None}
    # What was found is true; what was not may be in what could not be read.
    assert got.data["nodes"][0] == {"key": "i_00000"}
    assert got.data["nodes"][2] is None
    assert code in got.codes
    assert got.data["other"] == {"owns": True}


async def test_what_is_not_found_in_a_part_of_a_list_cannot_be_told(service: Service) -> None:
    service.grow(398)
    service.people["u_1"].owned["z_last"] = 1
    service.items["z_last"] = item("z_last", "s_body")
    service.on(ITEMS, lambda request: answer(503) if request.url.params["page"] != "1" else None)
    token = jwt("other", sub="u_2")
    service.sessions[token] = "u_2"
    query = 'query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { owns(definitionKey: "nova/z_last") } }'
    async with fronted(service, session=token) as far:
        got = await far.of(query)
    assert (got.data, got.codes) == ({"inventoryOwner": {"owns": None}}, ["UPSTREAM_UNAVAILABLE"])


@pytest.mark.parametrize("given", [answer(503), answer(200, {"no": "list"})])
async def test_a_list_whose_first_page_fails_fails(service: Service, given: httpx.Response) -> None:
    service.on(ITEMS, given)
    async with fronted(service) as far:
        for query in (PARTLY, CATALOGUE):
            got = await far.of(query)
            assert (len(got.codes), list(got.data["inventory"].values())) == (1, [None])


async def test_a_page_of_the_catalogue_reads_no_further_than_it_goes(service: Service) -> None:
    service.grow(1_000)
    async with fronted(service) as far:
        first = (await far.of(CATALOGUE, first=5)).whole()["inventory"]["catalogue"]
        assert first["nodes"] == [{"key": f"{CKEY}/i_{number:05}"} for number in range(5)]
        assert (first["totalCount"], first["isComplete"], first["pageInfo"]["hasNextPage"]) == (1_003, True, True)
        assert len(service.calls(ITEMS)) == 1
        service.requests.clear()
        # The last entry of the second page is only known not to be the list's by the third.
        await far.of(CATALOGUE, first=200)
        assert len(service.calls(ITEMS)) == 3
        service.requests.clear()
        after = first["pageInfo"]["endCursor"]
        second = (await far.of(CATALOGUE, first=95, after=after)).whole()["inventory"]["catalogue"]
        assert [one["key"] for one in second["nodes"]] == [f"{CKEY}/i_{number:05}" for number in range(5, 100)]
        assert len(service.calls(ITEMS)) == 2
        walked = await walk(far, 250)
    assert len(set(walked)) == len(walked) == 1_003
    assert walked == sorted(walked)


@pytest.mark.parametrize("order", [0, 150])
async def test_a_catalogue_in_another_order_is_read_whole(service: Service, order: int) -> None:
    names = [f"i_{number:03}" for number in range(250)]
    entries = [item(key) for key in [*names[:order], *reversed(names[order:])]]

    def paged(request: httpx.Request) -> httpx.Response:
        start = 100 * (int(request.url.params["page"]) - 1)
        return answer(200, {"items": entries[start : start + 100], "total": 250})

    service.on(ITEMS, paged)
    async with fronted(service) as far:
        found = (await far.of(CATALOGUE, first=120)).whole()["inventory"]["catalogue"]
        assert [one["key"] for one in found["nodes"]] == [f"{CKEY}/{key}" for key in names[:120]]
        assert found["totalCount"] == 250
        assert len(service.calls(ITEMS)) == 3
        assert await walk(far, 120) == [f"{CKEY}/{key}" for key in names]


async def test_a_catalogue_that_tells_no_total_is_counted_whole(service: Service) -> None:
    service.grow(250)
    service.tells_totals = False
    async with fronted(service) as far:
        found = (await far.of(CATALOGUE, first=5)).whole()["inventory"]["catalogue"]
    assert (len(found["nodes"]), found["totalCount"]) == (5, 253)
    assert len(service.calls(ITEMS)) == 3


FITS = """query($owner: OwnerInput!, $first: Int, $only: Boolean) { inventory(owner: $owner) {
  container(key: "avatar") { slots { key accepts(first: $first, onlyOwned: $only) { totalCount isComplete
    edges { quantity node { key } } } } } } }"""


async def test_a_page_of_what_fits_a_slot_reads_no_further_than_it_goes(service: Service) -> None:
    service.grow(1_000)
    async with fronted(service) as far:
        slots = (await far.of(FITS, first=3)).whole()["inventory"]["container"]["slots"]
    assert (len(slots[2]["accepts"]["edges"]), slots[2]["accepts"]["totalCount"]) == (3, 1_001)
    assert len(service.calls(f"{SLOTS}/s_body/items")) == 1


@pytest.mark.parametrize("only", [True, False])
async def test_what_fits_many_slots_is_told_by_one_list(service: Service, only: bool) -> None:
    service.grow(120)
    async with fronted(service) as far:
        few = (await far.of(FITS, first=50, only=only)).whole()["inventory"]["container"]["slots"]
        assert (len(service.calls(ITEMS)), len(service.calls(f"{SLOTS}/s_head/items"))) == (0, 1)
        service.slots += [{**service.slots[0], "id": f"s_{number}", "order": 9} for number in range(5)]
        service.requests.clear()
        many = (await far.of(FITS, first=50, only=only)).whole()["inventory"]["container"]["slots"]
    assert many[:3] == few
    assert [slot["accepts"]["totalCount"] for slot in many[3:]] == [0] * 5
    assert {request.url.path for request in service.requests} == {SLOTS, ITEMS}


async def test_what_is_listed_as_owned_is_owned_unless_it_says_otherwise(service: Service) -> None:
    entries = [{"id": "a"}, {"id": "b", "owned": False}, {"id": "c", "quantity": 0}, {"_id": 4, "isOwned": True}]
    service.on(ITEMS, answer(200, entries))
    async with fronted(service) as far:
        assert keys(await far.of(OWNED)) == ["4", "a"]


# --- writes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("body", [b"", b"{}", b"not JSON", b"null"])
async def test_a_write_is_done_whatever_its_answer_holds(service: Service, status: int, body: bytes) -> None:
    """Behaviour 3."""
    service.done, service.done_body = status, b"" if status == 204 else body
    async with fronted(service) as far:
        allocated = (await put(far, ("s_body", "i_gem"))).whole()["allocateSlots"]
        minted = (await make(far)).whole()["mintAvatar"]
    assert (allocated["errors"], minted["errors"]) == ([], [])
    assert allocated["slots"] == [{"key": "s_body", "item": {"key": "i_gem"}}]
    assert minted["container"]["mints"] == [{"blockchain": "sui", "version": 2, "status": "minted"}]


async def test_a_write_tells_what_it_changed_and_is_seen_at_once(service: Service) -> None:
    async with fronted(service) as far:
        moved = (await put(far, ("s_head", "i_gem"), ("s_body", "i_gem"))).whole()["allocateSlots"]
        again = (await put(far, ("s_head", "i_gem"))).whole()["allocateSlots"]
        cleared = (await put(far, ("s_head", None))).whole()["allocateSlots"]
        found = (await far.of(LOOK)).whole()["inventory"]["container"]
    assert (len(moved["changes"]["updatedIds"]), len(moved["changes"]["movedIds"])) == (2, 2)
    assert moved["changes"]["versions"] == [{"version": "2"}]
    assert moved["container"] == {"version": "2"}
    assert again["changes"] == {"updatedIds": [], "movedIds": [], "versions": []}
    assert cleared["slots"] == [{"key": "s_head", "item": None}]
    assert [slot["item"] and slot["item"]["key"] for slot in found["slots"]] == [None, None, "i_gem"]
    sent = [orjson.loads(request.content) for request in service.calls(ALLOCATE)]
    assert sent[0] == {"slots": [{"slotId": "s_head", "itemId": "i_gem"}, {"slotId": "s_body", "itemId": "i_gem"}]}
    assert sent[2] == {"slots": [{"slotId": "s_head", "itemId": ""}]}


async def test_a_mint_that_was_made_before_changes_nothing(service: Service) -> None:
    async with fronted(service) as far:
        first = (await make(far)).whole()["mintAvatar"]
        second = (await make(far)).whole()["mintAvatar"]
    assert first["changes"]["updatedIds"] == [avatar_id()]
    assert second["changes"]["updatedIds"] == []
    assert first["container"] == second["container"]


DETAILS = [
    ({"slotId": "s_head", "itemId": "i_cap", "reason": "not_owned"}, "CONFLICT", ["slots", "0", "definitionKey"]),
    ({"slotId": "s_back", "reason": "Unknown_Slot"}, "NOT_FOUND", ["slots", "1", "slot"]),
    ({"itemId": "i_gem", "reason": "unknown_item"}, "NOT_FOUND", ["slots", "1", "definitionKey"]),
    ({"slotId": "s_head", "itemId": "i_cap", "reason": "duplicate_slot"}, "INVALID_INPUT", ["slots", "2", "slot"]),
    ({"slotId": "s_head", "reason": "required_slot"}, "CONFLICT", ["slots", "0", "definitionKey"]),
    ({"field": "slots", "reason": "empty_list"}, "INVALID_INPUT", ["slots"]),
    ({"slotId": "elsewhere", "reason": "does_not_fit"}, "CONFLICT", ["slots"]),
]


@pytest.mark.parametrize(("detail", "code", "path"), DETAILS)
async def test_a_detail_of_a_refusal_is_put_where_the_fault_lies(
    service: Service, detail: dict[str, str], code: str, path: list[str]
) -> None:
    service.on(ALLOCATE, refusal(400, "generic_client_error", detail))
    async with fronted(service) as far:
        got = (await put(far, ("s_head", "i_cap"), ("s_back", "i_gem"), ("s_head", "i_cap"))).whole()["allocateSlots"]
    (error,) = got["errors"]
    assert (error["code"], error["path"], error["providerCode"]) == (code, path, detail["reason"].lower())
    assert got["changes"] is None


async def test_all_details_of_a_refusal_are_told_together(service: Service) -> None:
    service.on(ALLOCATE, refusal(400, "generic_client_error", *(detail for detail, _, _ in DETAILS)))
    async with fronted(service) as far:
        got = (await put(far, ("s_head", "i_cap"), ("s_back", "i_gem"), ("s_head", "i_cap"))).whole()["allocateSlots"]
    assert [(error["code"], error["path"]) for error in got["errors"]] == [(code, path) for _, code, path in DETAILS]


@pytest.mark.parametrize(
    ("given", "code", "name"),
    [
        (refusal(400, "generic_client_error"), "INVALID_INPUT", "GENERIC_CLIENT_ERROR"),
        (refusal(404, "Generic Not Found"), "NOT_FOUND", "GENERIC_NOT_FOUND"),
        (answer(409, b"<html>"), "CONFLICT", "409"),
        (answer(422), "INVALID_INPUT", "422"),
        (answer(415), "INVALID_INPUT", "415"),
        (refusal(400, "made_up", {"reason": "made_up", "slotId": "s_head"}), "INVALID_INPUT", "GENERIC_CLIENT_ERROR"),
        (answer(400, {"details": [7, {"slotId": "s_head"}, {"reason": 1}]}), "INVALID_INPUT", "GENERIC_CLIENT_ERROR"),
    ],
)
async def test_a_refusal_without_details_is_told_by_its_status(
    service: Service, given: httpx.Response, code: str, name: str
) -> None:
    service.on(ALLOCATE, given)
    service.on(MINT, given)
    async with fronted(service) as far:
        allocated = (await put(far, ("s_head", None))).whole()["allocateSlots"]
        minted = (await make(far)).whole()["mintAvatar"]
    for got in (allocated, minted):
        assert [(error["code"], error["providerCode"]) for error in got["errors"]] == [(code, name)]


async def test_a_refusal_without_details_is_of_the_whole_input(service: Service) -> None:
    service.on(ALLOCATE, refusal(400, "generic_client_error"))
    service.on(MINT, refusal(404, "generic_not_found"))
    async with fronted(service) as far:
        (allocated,) = (await put(far, ("s_head", None))).whole()["allocateSlots"]["errors"]
        (minted,) = (await make(far)).whole()["mintAvatar"]["errors"]
    assert (allocated["path"], minted["path"]) == (["slots"], ["blockchain"])


@pytest.mark.parametrize(
    ("detail", "path"),
    [
        ({"reason": "unsupported_blockchain"}, ["blockchain"]),
        ({"reason": "no_wallet"}, ["blockchain"]),
        ({"reason": "empty_avatar"}, ["container"]),
        ({"reason": "required_slot", "slotId": "s_body"}, ["container", "s_body"]),
    ],
)
async def test_a_mint_is_refused_where_the_fault_lies(
    service: Service, detail: dict[str, str], path: list[str]
) -> None:
    service.on(MINT, refusal(400, "generic_client_error", detail))
    async with fronted(service) as far:
        got = (await make(far)).whole()["mintAvatar"]
    assert [(error["path"], error["providerCode"]) for error in got["errors"]] == [(path, detail["reason"])]


@pytest.mark.parametrize(
    "shared",
    [
        {"transactionId": "t"},
        {"simulate": True},
        {"ifMatch": [{"container": avatar_id(), "version": "1"}]},
    ],
)
async def test_what_the_service_cannot_promise_is_refused_before_it_is_asked(
    service: Service, shared: dict[str, Any]
) -> None:
    async with fronted(service) as far:
        allocated = (await put(far, ("s_head", None), **shared)).whole()["allocateSlots"]
        minted = (await make(far, **shared)).whole()["mintAvatar"]
    assert [error["code"] for error in (*allocated["errors"], *minted["errors"])] == ["UNSUPPORTED", "UNSUPPORTED"]
    assert service.requests == []


@pytest.mark.parametrize("owner", [f"{CKEY}/u_2", CKEY])
async def test_only_the_callers_own_avatar_is_written(service: Service, owner: str) -> None:
    async with fronted(service) as far:
        got = (await put(far, ("s_back", None), owner=owner)).whole()["allocateSlots"]
        assert [(error["code"], error["path"]) for error in got["errors"]] == [("FORBIDDEN", ["container"])]
        session = far.gateway.backends["community"].session(Credential("community", {"session": SESSION}))
        given = AllocateSlotsInput(container=strawberry.ID(avatar_id(owner)), slots=[])
        with pytest.raises(Forbidden) as refused:
            await session.write(Capability.ALLOCATE_SLOTS, OwnerRef("community", owner), given)
        # Also where nobody else would tell the place.
        assert refused.value.path == ("container",)
        await session.aclose()
    assert service.requests == []


async def test_an_item_of_another_community_is_refused_without_asking_for_the_change(service: Service) -> None:
    async with fronted(service) as far:
        got = (await put(far, ("s_head", None), ("s_body", "other/i_gem"))).whole()["allocateSlots"]
    (error,) = got["errors"]
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["slots", "1", "definitionKey"])
    assert error["providerCode"] == "unknown_item"
    assert service.calls(ALLOCATE) == []


async def test_an_item_of_another_community_hides_no_other_fault(service: Service) -> None:
    service.people["u_1"].owned["i_cap"] = 1
    service.slots[1]["required"] = True
    entries = [
        ("s_body", "other/i_gem"),
        ("nowhere", None),
        ("s_back", None),
        ("s_head", "i_wing"),
        ("s_head", "i_none"),
        ("s_head", "i_gem"),
    ]
    async with fronted(service) as far:
        got = (await put(far, *entries)).whole()["allocateSlots"]
    assert [(error["path"], error["providerCode"]) for error in got["errors"]] == [
        (["slots", "0", "definitionKey"], "unknown_item"),
        (["slots", "1", "slot"], "unknown_slot"),
        (["slots", "2", "definitionKey"], "required_slot"),
        (["slots", "3", "definitionKey"], "not_owned"),
        (["slots", "4", "definitionKey"], "unknown_item"),
        (["slots", "5", "slot"], "duplicate_slot"),
    ]
    assert service.calls(ALLOCATE) == []
    assert service.people["u_1"].version == 1


async def test_where_what_is_owned_cannot_be_read_the_faults_beside_a_foreign_item_are_not_guessed(
    service: Service,
) -> None:
    service.on(ITEMS, answer(200, {"items": [], "total": 3}))
    async with fronted(service) as far:
        got = await put(far, ("s_head", "i_cap"), ("s_body", "other/i_gem"))
    assert got.codes == ["UPSTREAM_INVALID"]
    assert service.calls(ALLOCATE) == []


async def test_a_write_that_is_never_answered_has_an_unknown_outcome(service: Service) -> None:
    service.on(ALLOCATE, stuck)
    async with fronted(service, patience=0.05) as far:
        assert (await put(far, ("s_head", None))).codes == ["OUTCOME_UNKNOWN"]
    assert len(service.calls(ALLOCATE)) == 1


async def test_a_write_after_which_nothing_can_be_read_is_not_told_as_undone(service: Service) -> None:
    service.on(AVATAR, answer(500))
    async with fronted(service) as far:
        got = await put(far, ("s_head", None))
    assert got.codes == ["OUTCOME_UNKNOWN"]
    assert service.people["u_1"].slots == {}


# --- what is kept -----------------------------------------------------------------------------------------------------


async def test_without_an_account_cache_each_request_reads_anew(service: Service) -> None:
    async with fronted(service) as far:
        for _ in range(2):
            (await far.of(OWNED)).whole()
    assert len(service.calls(ITEMS)) == 2


async def test_what_is_kept_is_for_one_credential_until_it_writes(service: Service) -> None:
    other = jwt("second", sub="u_2")
    service.sessions[other] = "u_2"
    now = [0.0]
    async with fronted(service, account_cache=60, clock=lambda: now[0]) as far:
        first = (await far.of(EVERYTHING)).whole()
        calls = len(service.requests)
        assert (await far.of(EVERYTHING)).whole() == first
        assert len(service.requests) == calls
        (await far.of(OWNED, ME, headers=headers(other))).whole()
        # This one has to learn as well that the community's key is its own.
        assert {request.url.path for request in service.requests[calls:]} == {ROOT, SLOTS, ITEMS}
        got = (await put(far, ("s_head", None))).whole()["allocateSlots"]
        assert len(got["changes"]["updatedIds"]) == 1
        found = (await far.of(LOOK)).whole()["inventory"]["container"]
        assert (found["version"], found["freeSlots"]) == ("2", 3)
        service.people["u_1"].slots["s_body"] = "i_gem"
        assert (await far.of(LOOK)).whole()["inventory"]["container"]["freeSlots"] == 3
        now[0] += 61
        assert (await far.of(LOOK)).whole()["inventory"]["container"]["freeSlots"] == 2


async def test_after_a_write_nobody_is_served_what_was_kept_of_that_user(service: Service) -> None:
    other, again = jwt("second", sub="u_2"), jwt("third", sub="u_1")
    service.sessions |= {other: "u_2", again: "u_1"}
    async with fronted(service, account_cache=60) as far:
        readers = [headers(other), headers(again)]
        for reader in readers:
            for owner in (f"{CKEY}/u_1", f"{CKEY}/u_2"):
                (await far.of(EVERYTHING, owner, headers=reader)).whole()
        assert (await put(far, ("s_head", None))).whole()["allocateSlots"]["errors"] == []
        service.requests.clear()
        for reader in readers:
            found = (await far.of(LOOK, headers=reader)).whole()["inventory"]["container"]
            assert (found["version"], found["freeSlots"]) == ("2", 3)
        assert (len(service.calls(SLOTS)), len(service.calls(AVATAR))) == (2, 2)
        service.requests.clear()
        (await far.of(EVERYTHING, f"{CKEY}/u_2", headers=readers[0])).whole()
        assert service.requests == []
        # What a slot takes is told of the caller, who is the one that has written.
        (await far.of(EVERYTHING, headers=readers[1])).whole()
    assert len(service.calls(f"{SLOTS}/s_head/items")) == 1


async def test_a_write_is_compared_with_what_stood_before_it_and_not_with_what_is_kept(service: Service) -> None:
    async with fronted(service, account_cache=60) as far:
        (await far.of(LOOK)).whole()
        service.people["u_1"].slots = {"s_head": "i_gem"}
        service.people["u_1"].version = 2
        got = (await put(far, ("s_head", "i_gem"))).whole()["allocateSlots"]
    assert got["changes"] == {"updatedIds": [], "movedIds": [], "versions": []}


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        answer(500, REFRESHING.encode()),
        refusal(400, SESSION, {"reason": SESSION, "slotId": "s_head"}),
        refusal(401, f"bad token {SESSION}"),
        refusal(401, "session_token_expired"),
        answer(200, SESSION.encode()),
        answer(200, {"items": SESSION, "sessionToken": f"{SESSION} {REFRESHING}"}),
    ],
)
async def test_tokens_are_in_no_address_error_or_log(
    service: Service, given: httpx.Response, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logs:
        async with fronted(service, refresh=REFRESHING) as far:
            told = [(await far.of(EVERYTHING)).body]
            service.on(ALLOCATE, given)
            told.append((await put(far, ("s_head", None))).body)
            service.on("*", given)
            for query in (EVERYTHING, LOOK, OWNED):
                found = await far.of(query)
                assert found.errors
                told.append(found.body)
            told.append([figure.labels for figure in far.gateway.figures()])
    urls = [str(request.url) for request in service.requests]
    for part in (SESSION, REFRESHING, SESSION.split(".")[1]):
        assert part not in str([told, urls, logs, caplog.text])


# --- our own dialect --------------------------------------------------------------------------------------------------


async def test_our_client_against_our_server_gives_the_graph_of_the_store(tmp_path: Path) -> None:
    """Behaviour 30."""
    owner = PROVIDER.demo_owner
    async with local(PROVIDER, f"sqlite:///{tmp_path}/store.db") as dialect:
        token = await mint(dialect.gateway, PROVIDER, owner)
        async with upstream(PROVIDER, dialect) as far:
            far.headers.update(headers(token))

            async def read(whose: str = owner) -> Any:
                variables = {"owner": {"provider": "COMMUNITY", "key": whose}}
                stored = (await dialect.ask(SEEN, **variables)).whole()
                assert (await far.ask(SEEN, **variables)).whole() == stored
                return stored["inventory"]

            for ref in await dialect.gateway.backends["community"].owners():
                assert await read(ref.owner) is not None
            before = await read()
            filled = next(slot for slot in before["container"]["slots"] if slot["item"] and not slot["isRequired"])
            got = (await put(far, (filled["key"], None), owner=owner)).whole()["allocateSlots"]
            assert got["errors"] == []
            after = await read()
            assert after["container"]["freeSlots"] == before["container"]["freeSlots"] + 1
            assert int(after["container"]["version"]) == int(before["container"]["version"]) + 1
            assert got["changes"]["versions"] == [{"version": after["container"]["version"]}]


@pytest.mark.parametrize(
    "entries",
    [
        [("nowhere", "i_cap")],
        [("nowhere", None), ("s_head", "i_none")],
        [("s_head", "i_none"), ("s_head", "i_none")],
        [("s_head", None), ("s_head", None)],
        [("s_head", "other/i_cap")],
        [("s_head", "i_none"), ("nowhere", "other/i_cap"), ("s_head", "other/i_cap")],
        [],
    ],
)
async def test_our_client_tells_of_a_refusal_what_the_store_does(
    tmp_path: Path, entries: list[tuple[str, str | None]]
) -> None:
    owner = PROVIDER.demo_owner

    def told(got: Answer) -> list[Any]:
        errors = got.whole()["allocateSlots"]["errors"]
        assert errors
        return [(error["code"], error["path"], error["providerCode"]) for error in errors]

    async with local(PROVIDER, f"sqlite:///{tmp_path}/store.db") as dialect:
        token = await mint(dialect.gateway, PROVIDER, owner)
        async with upstream(PROVIDER, dialect) as far:
            far.headers.update(headers(token))
            assert told(await put(far, *entries, owner=owner)) == told(await put(dialect, *entries, owner=owner))


SEEN = """query($owner: OwnerInput!) { inventory(owner: $owner) { isVisible owner { name details { __typename
    ... on CommunityUser { id key kit { id communityId key name description imageUrl blockchains slotCount itemCount
      createdAt updatedAt slots { id key name description order isRequired } } } } }
  container(key: "avatar") { ...avatar } containers { totalCount nodes { id } }
  items { totalCount nodes { ...item } } named: items(orderBy: NAME) { nodes { id } }
  collectibles { nodes { id } } totals { totalCount edges { cursor quantity node { id } } }
  catalogue { totalCount edges { cursor quantity node { ...definition } } }
  owned: catalogue(onlyOwned: true) { totalCount edges { cursor quantity node { id } } } } }
  fragment avatar on CommunityAvatar { id key name kind version capacity freeSlots imageUrl modelUrl updatedAt
    mints { blockchain version status tokenId txHash requestedAt mintedAt }
    items { totalCount nodes { id } } slots { id key name index isRequired allocatedAt item { ...item }
      accepts { totalCount edges { cursor quantity node { id } } } } }
  fragment item on CommunityItem { id key name kind quantity container { id } slot { id } slots { id }
    collectible { token { blockchain contractAddress tokenId } } definition { ...definition } }
  fragment definition on CommunityItemDefinition { id key name description kind icon rarity modelUrl slotIds createdAt
    attributes { traitType value } token { blockchain contractAddress tokenId } }"""
