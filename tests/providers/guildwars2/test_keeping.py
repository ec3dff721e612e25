"""What the upstream keeps between requests: the catalogue for all, answers about accounts for one key each."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Sequence
from typing import Any, cast

import httpx
import pytest

from gateway.api.context import Context
from gateway.model.credentials import Credential
from gateway.model.definition import ItemDefinition
from gateway.model.ids import ContainerRef, DefinitionRef
from gateway.providers.guildwars2.upstream import Upstream
from tests.gateways import caller
from tests.providers.guildwars2.payloads import OWNER, sample
from tests.providers.guildwars2.service import (
    HEADER,
    KEY,
    Account,
    Far,
    Hands,
    Service,
    answer,
    bag,
    encoded,
    entry,
    fronted,
    passing,
    stuck,
)

DEFINITIONS = "query($keys: [String!]!) { itemDefinitions(provider: GUILD_WARS_2, keys: $keys) { key name } }"
NAMED = """query($owner: OwnerInput!) { inventory(owner: $owner) { container(key: "character:Ann") {
  ... on GuildWars2Character { bagSlots { bag { slots { item { quantity definition { name } } } } } } } } }"""
WHOLE = """query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { details { ... on GuildWars2Account {
    name token { type } } } }
  inventory(owner: $owner) { isVisible items { totalCount nodes { key sort: id container { key } slot { key } } }
    byName: items(orderBy: NAME, first: 3) { nodes { name } }
    containers { nodes { name version ... on GuildWars2Character { capacity freeSlots bagSlots { bag { key version
      parent { key } definition { name } slots { index item { ...item } } } } }
    containers { nodes { name slots { index } items { nodes { ...item } } } } slots { item { ...item } } } }
    totals { edges { quantity node { name } } } } }
  fragment item on GuildWars2Item { id name kind quantity binding container { key } slot { key }
    definition { name rarity } skin { name } stats { definition { name } attributes { key amount } } dyes { name }
    upgrades { name } infusions { name } }"""


@pytest.fixture
def service() -> Service:
    return Service(Cache_Control="public,max-age=300")


@pytest.fixture
def clock() -> Hands:
    return Hands()


def keys(*numbers: int) -> list[str]:
    return [f"item:{number}" for number in numbers]


async def names(far: Far, *numbers: int) -> list[str | None]:
    found = (await far.ask(DEFINITIONS, keys=keys(*numbers))).whole()["itemDefinitions"]
    return [one and one["name"] for one in found]


def backend(far: Far) -> Upstream:
    return cast("Any", far.gateway.backends["guildwars2"]).inner


# --- the catalogue ----------------------------------------------------------------------------------------------------


async def test_the_catalogue_is_asked_again_only_when_its_answer_is_stale(service: Service, clock: Hands) -> None:
    """Behaviour 22."""
    service.catalogue["items"] = {number: entry(number) for number in range(3)}
    async with fronted(service, clock=clock) as far:
        assert await names(far, 0, 1) == ["Item 0", "Item 1"]
        service.catalogue["items"][1] = {**entry(1), "name": "Renamed"}
        clock.now += 299
        # Whoever asks, and with whom else.
        assert await names(far, 1, 2, 0) == ["Item 1", "Item 2", "Item 0"]
        assert service.ids("/v2/items") == [[0, 1], [2]]
        clock.now += 1
        assert await names(far, 0, 1, 2) == ["Item 0", "Renamed", "Item 2"]
    assert service.ids("/v2/items") == [[0, 1], [2], [0, 1]]


@pytest.mark.parametrize(
    "headers", [{}, {"Cache_Control": "no-store"}, {"Cache_Control": "private,max-age=60"}, {"Expires": "0"}]
)
async def test_what_may_not_be_kept_is_asked_for_by_every_request_once(headers: dict[str, str]) -> None:
    """Behaviour 22."""
    service = Service(**headers)
    service.catalogue["items"] = {1: entry(1)}
    service.account.character("Ann", bag({"id": 1, "count": 1}))
    query = """query($owner: OwnerInput!) { inventory(owner: $owner) {
      items(orderBy: NAME) { nodes { name } } totals(filter: { text: "item" }) { nodes { name } } } }"""
    async with fronted(service) as far:
        for _ in range(2):
            (await far.me(query)).whole()
    assert service.ids("/v2/items") == [[1], [1]]


async def test_what_the_catalogue_does_not_know_is_asked_for_again_sooner(service: Service, clock: Hands) -> None:
    """Behaviour 22."""
    async with fronted(service, clock=clock) as far:
        for _ in range(2):
            assert await names(far, 7, 8) == [None, None]
        assert service.ids("/v2/items") == [[7, 8]]
        service.catalogue["items"] = {7: entry(7)}
        clock.now += 60
        assert await names(far, 7, 8) == ["Item 7", None]
        clock.now += 60
        assert await names(far, 7, 8) == ["Item 7", None]
    assert service.ids("/v2/items") == [[7, 8], [7, 8], [8]]


async def test_nothing_of_the_catalogue_is_kept_for_longer_than_a_day(clock: Hands) -> None:
    service = Service(Cache_Control="public,max-age=31536000")
    service.catalogue["items"] = {1: entry(1)}
    async with fronted(service, clock=clock) as far:
        await names(far, 1)
        clock.now += 86_399
        await names(far, 1)
        assert len(service.requests) == 1
        clock.now += 1
        await names(far, 1)
    assert len(service.requests) == 2


async def test_callers_who_ask_for_one_thing_at_once_cost_one_call(service: Service) -> None:
    """Behaviour 22."""
    service.catalogue["items"] = {number: entry(number) for number in range(10)}

    async def slowly(_: httpx.Request) -> None:
        await asyncio.sleep(0.05)

    service.on("/v2/items", slowly)
    async with fronted(service) as far:
        asking = [
            far.ask(DEFINITIONS, headers={HEADER: KEY} if caller % 2 else {}, keys=keys(*range(10)))
            for caller in range(5)
        ]
        found = await asyncio.gather(*asking)
    assert len({str(one.whole()) for one in found}) == 1
    assert len(service.requests) == 1
    assert "authorization" not in service.requests[0].headers


async def test_a_caller_who_leaves_takes_the_answer_from_no_one_else(service: Service) -> None:
    service.catalogue["items"] = {1: entry(1)}
    arrived, go = asyncio.Event(), asyncio.Event()

    async def held(_: httpx.Request) -> None:
        arrived.set()
        await go.wait()

    service.on("/v2/items", held)
    async with fronted(service) as far:
        first = asyncio.create_task(names(far, 1))
        await arrived.wait()
        second = asyncio.create_task(names(far, 1))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        go.set()
        assert await second == ["Item 1"]
    assert len(service.requests) == 1


async def test_a_call_that_nobody_waits_for_is_ended(service: Service) -> None:
    ended = asyncio.Event()

    async def endless(request: httpx.Request) -> httpx.Response:
        try:
            return await stuck(request)
        finally:
            ended.set()

    service.on("/v2/items", endless)
    async with fronted(service) as far:
        context = Context(far.gateway.backends, caller())
        asking = asyncio.ensure_future(context.load("definitions_by_key", DefinitionRef("guildwars2", "item:1")))
        await asyncio.sleep(0.01)
        asking.cancel()
        await context.aclose()
        await asyncio.wait_for(ended.wait(), 1)


async def test_a_failure_is_not_kept_and_what_was_kept_outlives_it(service: Service) -> None:
    service.catalogue["items"] = {1: entry(1), 2: entry(2)}
    async with fronted(service, attempts=1) as far:
        await names(far, 1)
        service.on("/v2/items", answer(503, {"text": "API not active"}), passing)
        got = await far.ask(DEFINITIONS, keys=keys(1, 2))
        assert [one and one["name"] for one in got.data["itemDefinitions"]] == ["Item 1", None]
        assert got.codes == ["UPSTREAM_UNAVAILABLE"]
        assert await names(far, 1, 2) == ["Item 1", "Item 2"]
    assert service.ids("/v2/items") == [[1], [2], [2]]


async def test_of_a_batch_with_a_bad_id_the_others_are_kept(service: Service) -> None:
    service.catalogue["items"] = {number: entry(number) for number in range(8)}

    def step(request: httpx.Request) -> httpx.Response | None:
        ids = dict(request.url.params)["ids"].split(",")
        return answer(502, "<html>") if "5" in ids else None

    service.on("/v2/items", step)
    async with fronted(service) as far:
        for _ in range(2):
            got = await far.ask(DEFINITIONS, keys=keys(*range(8)))
            assert [place for place, one in enumerate(got.data["itemDefinitions"]) if one is None] == [5]
            service.requests[:-1] = []
    # The last call was of the second time, which asked for nothing else.
    assert service.ids("/v2/items") == [[5]]


# --- accounts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "calls"), [(0.0, 2), (30.0, 1)])
async def test_answers_about_accounts_are_kept_only_where_that_is_switched_on(
    service: Service, clock: Hands, seconds: float, calls: int
) -> None:
    """Behaviour 22."""
    service.account.character("Ann", bag({"id": 1, "count": 3}))
    service.catalogue["items"] = {1: entry(1)}
    async with fronted(service, clock=clock, account_cache=seconds) as far:
        first = (await far.me(NAMED)).whole()
        clock.now += 29
        assert (await far.me(NAMED)).whole() == first
        assert service.paths.count(encoded("Ann")) == calls
        clock.now += 1
        service.account.documents["/v2/characters/Ann/inventory"] = {"bags": [bag({"id": 1, "count": 4})]}
        later = (await far.me(NAMED)).whole()
    assert later["inventory"]["container"]["bagSlots"][0]["bag"]["slots"][0]["item"]["quantity"] == "4"
    assert service.paths.count(encoded("Ann")) == calls + 1


@pytest.mark.parametrize("seed", range(8))
async def test_what_is_kept_of_an_account_is_never_shown_to_another_key(service: Service, seed: int) -> None:
    """Behaviour 21. Behaviour 22."""
    luck = random.Random(seed)
    others = [f"{KEY[:-2]}{number:02}" for number in range(2)]
    query = """{ mine: inventory(owner: { provider: GUILD_WARS_2, key: "me" }) { owner { key } isVisible
      containers(kind: CHARACTER) { nodes { name ... on GuildWars2Character { bagSlots { bag { slots {
        item { quantity } } } } } } }
      items { nodes { quantity } } bank: container(key: "bank") { slots { item { quantity } } } } }"""
    clock = Hands()
    for place, key in enumerate(others):
        account = service.accounts[key] = Account(f"Other.{place:04}")
        account.character("Ann", bag({"id": 1, "count": 100 + place}))
        account.documents["/v2/account/bank"] = [{"id": 2, "count": 200 + place}]
        account.documents["/v2/account/materials"] = [{"id": 3, "category": 5, "count": 300 + place}]

    async def slowly(_: httpx.Request) -> None:
        await asyncio.sleep(luck.random() / 500)

    service.on("*", slowly)
    async with fronted(service, account_cache=10.0, clock=clock) as far:
        for _ in range(6):
            asked = [luck.randrange(2) for _ in range(4)]
            found = await asyncio.gather(*(far.ask(query, headers={HEADER: others[place]}) for place in asked))
            for place, got in zip(asked, found, strict=True):
                mine = got.whole()["mine"]
                assert mine["owner"]["key"] == f"Other.{place:04}"
                slots = mine["containers"]["nodes"][0]["bagSlots"][0]["bag"]["slots"]
                assert slots == [{"item": {"quantity": str(100 + place)}}]
                assert mine["bank"]["slots"] == [{"item": {"quantity": str(200 + place)}}]
                assert {one["quantity"] for one in mine["items"]["nodes"]} == {
                    str(amount + place) for amount in (100, 200, 300)
                }
            clock.now += luck.choice([0, 4, 11])
            nobody = await far.ask(query, headers={})
            assert set(nobody.codes) == {"UNAUTHENTICATED"}


async def test_a_refusal_and_what_is_not_there_are_not_kept(service: Service) -> None:
    service.account.character("Ann", bag({"id": 1, "count": 3}))
    service.on(encoded("Ann"), answer(403, {"text": "requires scope inventories"}), passing)
    service.catalogue["items"] = {1: entry(1)}
    query = NAMED.replace("Ann", "Bob")
    async with fronted(service, account_cache=60.0) as far:
        assert (await far.me(NAMED)).codes == ["FORBIDDEN"]
        assert (await far.me(NAMED)).codes == []
        assert (await far.me(query)).whole() == {"inventory": {"container": None}}
        service.account.character("Bob", bag({"id": 1, "count": 3}))
        assert (await far.me(query)).whole()["inventory"]["container"] is not None


# --- what is shared is never changed ----------------------------------------------------------------------------------


def state(value: Any, seen: set[int] | None = None) -> Any:
    """Give all that an object and what it leads to hold, plain enough to compare."""
    seen = set() if seen is None else seen
    if value is None or isinstance(value, str | int | float):
        return value
    if id(value) in seen or callable(value):
        return type(value).__name__
    seen.add(id(value))
    if isinstance(value, list | tuple):
        return [state(part, seen) for part in cast("Sequence[Any]", value)]
    if isinstance(value, dict):
        return {name: state(part, seen) for name, part in cast("dict[str, Any]", value).items()}
    slots = [name for kind in type(value).__mro__ for name in vars(kind).get("__slots__", ())]
    held: dict[str, Any] = {**getattr(value, "__dict__", {}), **{name: getattr(value, name, None) for name in slots}}
    return {name: state(part, seen) for name, part in held.items()}


async def test_no_request_changes_what_others_are_given_as_well(service: Service) -> None:
    service.account.documents |= {
        "/v2/account": sample("account"),
        "/v2/tokeninfo": sample("tokeninfo"),
        "/v2/account/bank": sample("bank"),
        "/v2/account/inventory": sample("shared"),
        "/v2/account/materials": sample("account_materials"),
    }
    service.account.character("Test Nâme", *sample("inventory_odd")["bags"])
    service.account.character("Zed", *sample("inventory")["bags"])
    for name in service.catalogue:
        service.catalogue[name] = {one["id"]: one for one in sample(name)}
    async with fronted(service, account_cache=600.0) as far:
        first = (await far.me(WHOLE)).whole()
        kept = backend(far)
        credential = Credential("guildwars2", {"key": KEY})
        session = kept.session(credential)
        ref = ContainerRef("guildwars2", OWNER, "character:Test Nâme")
        carried = (await session.contents_by_container([ref]))[ref]
        refs = [DefinitionRef("guildwars2", f"item:{one['id']}") for one in sample("items")]
        known = (await session.definitions_by_key(refs)).values()
        assert all(isinstance(one, ItemDefinition) for one in known if one is not None)
        calls = len(service.requests)
        before = copy.deepcopy((state(carried), [state(one) for one in known]))
        for _ in range(2):
            assert (await far.me(WHOLE)).whole() == first
        assert (await session.contents_by_container([ref]))[ref] is carried
        assert (state(carried), [state(one) for one in known]) == before
        await session.aclose()
    assert len(service.requests) == calls
