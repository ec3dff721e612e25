"""The service as a backend: what is asked of it, how its answers are read, and how little its failures spoil."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import httpx
import orjson
import pytest
from structlog.testing import capture_logs

from gateway.api.context import Context
from gateway.model.errors import Forbidden, GatewayError
from gateway.model.ids import DefinitionRef
from gateway.model.manifest import CallBudget
from gateway.providers.guildwars2.manifest import MANIFEST
from gateway.providers.guildwars2.upstream import SCHEMA_VERSION, judge
from tests.gateways import caller
from tests.providers.guildwars2.payloads import OWNER, raw, sample
from tests.providers.guildwars2.service import (
    HEADER,
    KEY,
    OWNER_INPUT,
    Account,
    Service,
    answer,
    bag,
    encoded,
    entry,
    fronted,
    passing,
    refusal,
    stuck,
)

NAMES = "query($owner: OwnerInput!) { inventory(owner: $owner) { containers(kind: CHARACTER) { nodes { name } } } }"
BAGS = """query($owner: OwnerInput!) { inventory(owner: $owner) { containers(kind: CHARACTER) { nodes { name
  ... on GuildWars2Character { bagSlots { index bag { size slots { index item { ...item } } } } } } } } }
  fragment item on GuildWars2Item { id quantity }"""
ONE = """query($owner: OwnerInput!, $key: String!) { inventory(owner: $owner) { container(key: $key) { name key
  ... on GuildWars2Character { bagSlots { bag { slots { item { quantity } } } } } } } }"""
STORAGE = """query($owner: OwnerInput!) { inventory(owner: $owner) {
  bank: container(key: "bank") { slots { item { quantity } } }
  shared: container(key: "shared") { slots { item { quantity definition { name } } } }
  materials: container(key: "materials") { containers { nodes { key } } } } }"""
DEFINITIONS = """query($keys: [String!]!) { itemDefinitions(provider: GUILD_WARS_2, keys: $keys) { key name } }"""
PLAIN_ITEMS = "query($owner: OwnerInput!) { inventory(owner: $owner) { items { nodes { key quantity } } } }"
ACCOUNT = (
    "query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { details { ... on GuildWars2Account { name } } } }"
)
TOKEN = """query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { details { ... on GuildWars2Account {
  token { permissions type } } } } }"""


@pytest.fixture
def service() -> Service:
    return Service()


def keys(*numbers: int, family: str = "item") -> list[str]:
    return [f"{family}:{number}" for number in numbers]


def stacks(*ids: int) -> list[Any]:
    return [{"id": number, "count": 1} for number in ids]


# --- what is sent -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["Random Nâme", "Plain", "100% Ann", "a?b#c", "Q&A +1", "50%25", "Zoë Å", "半角", "a;b=c,d", "~tilde~"]
)
async def test_a_name_is_percent_encoded_once(service: Service, name: str) -> None:
    """Behaviour 5."""
    service.account.character(name, bag(*stacks(1)))
    async with fronted(service) as far:
        found = (await far.me(BAGS)).whole()
    assert found["inventory"]["containers"]["nodes"][0]["bagSlots"][0]["bag"]["size"] == 1
    assert encoded(name) in service.paths


async def test_a_name_is_sent_as_the_service_writes_it_in_its_own_example(service: Service) -> None:
    """Behaviour 5."""
    service.account.character("Random Nâme")
    async with fronted(service) as far:
        (await far.me(BAGS)).whole()
    assert "/v2/characters/Random%20N%C3%A2me/inventory" in service.paths


@pytest.mark.parametrize("name", ["..", "."])
async def test_a_name_that_would_be_a_step_of_the_path_is_never_sent(service: Service, name: str) -> None:
    async with fronted(service) as far:
        got = await far.me(ONE, key=f"character:{name}")
    assert got.data == {"inventory": {"container": None}}
    assert got.codes == ["INVALID_INPUT"]
    assert set(service.paths) <= {"/v2/account", "/v2/characters"}


def filled(service: Service) -> None:
    """Give the service some of everything."""
    service.account.documents |= {
        "/v2/account": sample("account"),
        "/v2/tokeninfo": sample("tokeninfo"),
        "/v2/account/bank": sample("bank"),
        "/v2/account/inventory": sample("shared"),
        "/v2/account/materials": sample("account_materials"),
    }
    service.account.character("Test Nâme", *sample("inventory_odd")["bags"])
    service.account.documents["/v2/characters/Test Nâme"] = sample("character")
    service.account.character("Zed", *sample("inventory")["bags"])
    for name in service.catalogue:
        service.catalogue[name] = {one["id"]: one for one in sample(name)}


WHOLE = """query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { details { ... on GuildWars2Account {
    name wvw { rank } token { type } } } }
  inventory(owner: $owner) { isVisible containers { nodes { name
    ... on GuildWars2Character { summary { race } bagSlots { bag { definition { name } slots { item { ...item } } } } }
    containers { nodes { name items(filter: { minQuantity: 0 }) { nodes { ...item } } } } slots { item { ...item } } } }
    totals { edges { quantity node { name } } } } }
  fragment item on GuildWars2Item { name kind quantity binding definition { name rarity } skin { name }
    stats { definition { name } attributes { key amount } } dyes { name } upgrades { name } infusions { name } }"""


async def test_every_call_names_its_schema_and_language_and_only_an_accounts_carry_the_key(service: Service) -> None:
    """Behaviour 6, from the asking side: the key goes in the header alone."""
    filled(service)
    async with fronted(service) as far:
        (await far.me(WHOLE)).whole()
    assert {request.url.path.split("/")[2] for request in service.requests} == {
        *("account", "characters", "tokeninfo", "items", "skins", "itemstats", "colors", "materials")
    }
    for request in service.requests:
        query = parse_qs(request.url.query.decode())
        assert query["v"] == [SCHEMA_VERSION] == ["2024-07-20T01:00:00.000Z"]
        assert query["lang"] == ["en"]
        assert set(query) <= {"v", "lang", "ids"}
        public = request.url.path.removeprefix("/v2/") in service.catalogue
        assert request.headers.get("authorization") == (None if public else f"Bearer {KEY}")
        assert (request.method, request.content) == ("GET", b"")


async def test_no_document_is_asked_for_twice_in_one_operation(service: Service) -> None:
    filled(service)
    async with fronted(service) as far:
        (await far.me(WHOLE)).whole()
    paths = [path for path in service.paths if path.removeprefix("/v2/") not in service.catalogue]
    assert len(paths) == len(set(paths))


async def test_unknown_words_and_keys_break_nothing(service: Service) -> None:
    """Behaviour 20. Behaviour 16."""
    filled(service)
    async with fronted(service) as far:
        found = (await far.me(WHOLE)).whole()["inventory"]["containers"]["nodes"]
    item = found[0]["bagSlots"][1]["bag"]["slots"][0]["item"]
    assert item["binding"] == "Guild"
    assert item["stats"]["attributes"][1:] == [
        {"key": "AgonyResistance", "amount": 9},
        {"key": "LuckOfTheDraw", "amount": 3},
    ]
    assert found[0]["bagSlots"][0]["bag"] is None


# --- the key is never told --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        refusal(401, f"Invalid access token {KEY}"),
        refusal(403, f"requires scope {KEY}"),
        refusal(403, f"no, {KEY}"),
        refusal(400, KEY),
        refusal(429, KEY),
        refusal(500, KEY),
        refusal(503, KEY),
        answer(502, f"<html>{KEY}</html>"),
        answer(200, f'{{"bags": "{KEY}"}}'),
        answer(200, f'{{"id": {{"{KEY}": 1}}, "name": ["{KEY}"]}}'),
        answer(200, f"{KEY}"),
        answer(302, KEY, Location=f"http://elsewhere.test/?access_token={KEY}"),
    ],
)
async def test_the_key_is_in_no_log_no_error_and_no_answer(
    service: Service, given: httpx.Response, caplog: pytest.LogCaptureFixture
) -> None:
    """Behaviour 7."""
    caplog.set_level(logging.DEBUG)
    service.account.character("Ann", bag(*stacks(1)))
    service.on(encoded("Ann"), given)
    with capture_logs() as logs:
        async with fronted(service, attempts=1, seconds=0.5) as far:
            first = await far.me(BAGS)
            service.on("*", given)
            other = await far.me(STORAGE)
            third = await far.me(ACCOUNT)
    assert first.errors
    assert other.errors
    assert third.errors
    for told in (first.body, other.body, third.body, dict(first.headers), logs, caplog.text):
        for part in (KEY, KEY.lower(), KEY[:36]):
            assert part not in str(told)


async def test_a_fault_of_ours_shows_no_key_either(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Behaviour 7."""
    caplog.set_level(logging.DEBUG)

    def broken(request: httpx.Request) -> httpx.Response:
        raise RuntimeError("a bug")

    service.on("*", broken)
    with capture_logs() as logs:
        async with fronted(service) as far:
            got = await far.me(ACCOUNT)
    assert got.codes == ["INTERNAL"]
    assert logs
    for told in (got.body, logs, caplog.text):
        assert KEY not in str(told)


# --- keys and scopes --------------------------------------------------------------------------------------------------


async def test_without_a_key_nothing_is_called(service: Service) -> None:
    """Behaviour 9."""
    async with fronted(service) as far:
        for query in (NAMES, BAGS, STORAGE, ACCOUNT):
            got = await far.ask(query, headers={}, owner=OWNER_INPUT)
            assert set(got.codes) == {"UNAUTHENTICATED"}
    assert service.requests == []


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("text", ["invalid key", "Invalid access token", "endpoint requires authentication"])
async def test_a_key_that_is_not_accepted_is_looked_at_twice_and_no_more(
    service: Service, status: int, text: str
) -> None:
    """Behaviour 9."""
    service.on("*", refusal(status, text))
    async with fronted(service) as far:
        got = await far.me(WHOLE)
    assert set(got.codes) == {"UNAUTHENTICATED"}
    assert got.errors[0]["extensions"]["providerCode"] == text.lower()
    assert service.paths == ["/v2/account"] * 2


async def test_a_good_key_that_was_called_invalid_once_does_well(service: Service) -> None:
    service.account.documents["/v2/account/bank"] = stacks(1)
    service.on("/v2/account", refusal(401, "Invalid access token"), passing)
    service.on("/v2/account/bank", refusal(403, "invalid key"), passing)
    service.on("/v2/account/inventory", refusal(403, "invalid key"), passing)
    async with fronted(service) as far:
        found = (await far.me(STORAGE)).whole()
    assert found["inventory"]["bank"]["slots"] == [{"item": {"quantity": "1"}}]
    assert sorted(service.paths) == [
        *("/v2/account", "/v2/account"),
        *("/v2/account/bank", "/v2/account/bank"),
        *("/v2/account/inventory", "/v2/account/inventory"),
        "/v2/account/materials",
    ]


async def test_the_second_look_comes_later_and_once_for_all_documents(service: Service) -> None:
    async with fronted(service, second_look=0.1) as far:
        (await far.me(ACCOUNT)).whole()
        service.requests.clear()
        service.times.clear()
        service.on("*", refusal(401, "Invalid access token"))
        got = await far.me(STORAGE)
    assert set(got.codes) == {"UNAUTHENTICATED"}
    # Three documents at once, and one of them again.
    assert len(service.requests) == 4
    assert service.times[3] - service.times[0] >= 0.1
    assert service.times[2] - service.times[0] < 0.1


async def test_documents_that_were_refused_in_passing_wait_together(service: Service) -> None:
    for path in ("/v2/account/bank", "/v2/account/inventory", "/v2/account/materials"):
        service.on(path, refusal(403, "invalid key"), passing)
    async with fronted(service, second_look=0.2) as far:
        (await far.me(STORAGE)).whole()
    assert len(service.requests) == 7
    # Three waits, one after the other, would take 0.6 s.
    assert 0.2 <= service.times[-1] - service.times[0] < 0.6


async def test_there_is_no_second_look_without_time_for_it(service: Service) -> None:
    service.on("*", refusal(401, "Invalid access token"))
    async with fronted(service, second_look=5.0, seconds=2.0) as far:
        got = await far.me(ACCOUNT)
    assert got.codes == ["UNAUTHENTICATED"]
    assert len(service.requests) == 1


async def test_a_key_for_names_lists_names_and_is_forbidden_inventories(service: Service) -> None:
    """Behaviour 8."""
    service.account.character("Ann", bag(*stacks(1)))
    service.account.character("Bob", bag(*stacks(1)))
    for name in ("Ann", "Bob"):
        service.on(f"/v2/characters/{name}/inventory", refusal(403, "requires scope inventories"))
    async with fronted(service) as far:
        assert (await far.me(NAMES)).whole()["inventory"]["containers"]["nodes"] == [{"name": "Ann"}, {"name": "Bob"}]
        got = await far.me(BAGS)
        one = await far.me(ONE, key="character:Ann")
    assert [node["name"] for node in got.data["inventory"]["containers"]["nodes"]] == ["Ann", "Bob"]
    assert [node["bagSlots"] for node in got.data["inventory"]["containers"]["nodes"]] == [None, None]
    assert got.codes == ["FORBIDDEN"] * 2
    assert {error["extensions"]["providerCode"] for error in got.errors} == {"requires scope inventories"}
    assert all("inventories" in error["message"] for error in got.errors)
    assert one.data["inventory"]["container"] == {"name": "Ann", "key": "character:Ann", "bagSlots": None}


@pytest.mark.parametrize("case", sample("errors"), ids=lambda case: case["case"])
def test_an_error_answer_is_judged_by_status_then_text(case: Any) -> None:
    """Behaviour 9. Behaviour 11. Behaviour 24."""
    body = case["body"]
    shouted = orjson.loads(orjson.dumps(body).upper().replace(b'"TEXT":', b'"text":').replace(b'"ERROR":', b'"error":'))
    for told in (body, shouted):
        found = judge(answer(case["status"], told))
        assert (found and found.code.value) == case["code"]
        if found is not None:
            assert found.retryable == case.get("retryable", False)
        if "scopes" in case:
            assert isinstance(found, Forbidden)
            assert list(found.scopes) == case["scopes"]


@pytest.mark.parametrize(
    "body", [b"\xff", b"[" * 100_000, b'{"x":' * 100_000, b'{"text": 5}', b'{"text": null}', b"[]"]
)
def test_an_error_body_that_is_none_is_no_fault(body: bytes) -> None:
    """Behaviour 24."""
    found = judge(answer(502, body))
    assert isinstance(found, GatewayError)
    assert found.code.value == "UPSTREAM_UNAVAILABLE"


def test_a_limit_without_a_time_asks_for_a_second() -> None:
    """Behaviour 23."""
    for given, seconds in ((answer(429, b""), 1.0), (answer(429, b"", Retry_After="7"), 7.0)):
        found = judge(given)
        assert isinstance(found, GatewayError)
        assert found.retry_after == seconds


@pytest.mark.parametrize(
    ("name", "kind"), [("tokeninfo", "APIKey"), ("tokeninfo_classic", None), ("tokeninfo_subtoken", "Subtoken")]
)
async def test_what_is_told_about_a_key_is_read_with_and_without_its_type(
    service: Service, name: str, kind: str | None
) -> None:
    """Behaviour 30."""
    service.account.documents["/v2/tokeninfo"] = sample(name)
    async with fronted(service) as far:
        found = (await far.me(TOKEN)).whole()["inventoryOwner"]["details"]["token"]
    assert found == {"permissions": sample(name)["permissions"], "type": kind}


async def test_two_keys_that_ask_at_once_never_see_each_others_data(service: Service) -> None:
    """Behaviour 21."""
    others = {f"{KEY[:-2]}{number:02}": number for number in range(10, 30)}
    for key, number in others.items():
        account = service.accounts[key] = Account(f"Other.{number:04}")
        account.character("Ann", bag({"id": 1, "count": number}))
        account.documents["/v2/account/bank"] = [{"id": 2, "count": number}]

    luck = random.Random(7)

    async def slowly(_: httpx.Request) -> None:
        await asyncio.sleep(luck.random() / 100)

    service.on("*", slowly)
    query = """{ mine: inventory(owner: { provider: GUILD_WARS_2, key: "me" }) { owner { key }
      container(key: "character:Ann") {
        ... on GuildWars2Character { bagSlots { bag { slots { item { quantity } } } } } }
      bank: container(key: "bank") { slots { item { quantity } } } } }"""
    async with fronted(service) as far:
        for _ in range(2):
            asking = [far.client.post("/graphql", json={"query": query}, headers={HEADER: key}) for key in others]
            found = await asyncio.gather(*asking)
            for number, got in zip(others.values(), found, strict=True):
                mine = got.json()["data"]["mine"]
                assert mine["owner"]["key"] == f"Other.{number:04}"
                assert mine["container"]["bagSlots"][0]["bag"]["slots"] == [{"item": {"quantity": str(number)}}]
                assert mine["bank"]["slots"] == [{"item": {"quantity": str(number)}}]


async def test_whose_a_key_is_is_asked_once(service: Service) -> None:
    async with fronted(service) as far:
        for _ in range(3):
            (await far.me(NAMES)).whole()
    assert service.paths.count("/v2/account") == 1


async def test_of_another_account_nothing_can_be_read(service: Service) -> None:
    async with fronted(service) as far:
        got = await far.ask(BAGS, owner={"provider": "GUILD_WARS_2", "key": "Other.5678"})
    assert got.whole() == {"inventory": None}
    assert service.paths == ["/v2/account"]


# --- the catalogue ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "calls"), [(1, 1), (200, 1), (201, 2), (250, 2)])
async def test_ids_are_asked_for_two_hundred_at_a_time(service: Service, count: int, calls: int) -> None:
    """Behaviour 12."""
    service.catalogue["items"] = {number: entry(number) for number in range(count)}
    async with fronted(service) as far:
        found = (await far.ask(DEFINITIONS, keys=keys(*range(count)))).whole()["itemDefinitions"]
    assert [one["name"] for one in found] == [f"Item {number}" for number in range(count)]
    asked = service.ids("/v2/items")
    assert len(asked) == calls
    assert sorted(number for batch in asked for number in batch) == list(range(count))


async def test_one_id_mentioned_five_hundred_times_is_asked_for_once(service: Service) -> None:
    """Behaviour 12."""
    service.catalogue["items"] = {7: entry(7)}
    service.account.character("Ann", *[bag(*stacks(*[7] * 100)) for _ in range(5)])
    query = BAGS.replace("id quantity", "definition { key }")
    async with fronted(service) as far:
        found = (await far.me(query)).whole()["inventory"]["containers"]["nodes"][0]["bagSlots"]
    assert sum(len(place["bag"]["slots"]) for place in found) == 500
    assert all(slot["item"]["definition"] == {"key": "item:7"} for place in found for slot in place["bag"]["slots"])
    assert service.ids("/v2/items") == [[7]]


async def test_a_batch_is_matched_by_id_whatever_its_order(service: Service) -> None:
    """Behaviour 13."""
    service.catalogue["items"] = {number: entry(number) for number in range(50)}

    def shuffled(request: httpx.Request) -> httpx.Response:
        numbers = [int(number) for number in parse_qs(request.url.query.decode())["ids"][0].split(",")]
        random.Random(4).shuffle(numbers)
        return answer(200, [entry(number) for number in [999, *numbers, *numbers[:3]]])

    service.on("/v2/items", shuffled)
    async with fronted(service) as far:
        found = (await far.ask(DEFINITIONS, keys=keys(*range(50)))).whole()["itemDefinitions"]
    assert found == [{"key": f"item:{number}", "name": f"Item {number}"} for number in range(50)]


async def test_of_a_partial_answer_what_is_there_is_found_and_the_rest_is_null(service: Service) -> None:
    """Behaviour 10."""
    service.catalogue["items"] = {1: entry(1), 3: entry(3)}
    async with fronted(service) as far:
        found = (await far.ask(DEFINITIONS, keys=keys(1, 2, 3, 4))).whole()["itemDefinitions"]
    assert [one and one["key"] for one in found] == ["item:1", None, "item:3", None]
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [404, 400])
async def test_a_batch_of_unknown_ids_is_empty_and_no_failure(service: Service, status: int) -> None:
    """Behaviour 11."""
    service.on("/v2/items", refusal(status, "all ids provided are invalid"))
    async with fronted(service) as far:
        assert (await far.ask(DEFINITIONS, keys=keys(1, 2))).whole() == {"itemDefinitions": [None, None]}
    assert len(service.requests) == 1


async def test_a_stack_of_an_unknown_item_is_there_without_a_definition(service: Service) -> None:
    """Behaviour 15."""
    service.catalogue["items"] = {1: entry(1)}
    service.account.character("Ann", bag(*stacks(78599, 1)))
    query = BAGS.replace("id quantity", "key name definition { name }")
    async with fronted(service) as far:
        found = (await far.me(query)).whole()["inventory"]["containers"]["nodes"][0]["bagSlots"][0]["bag"]["slots"]
    assert [slot["item"] for slot in found] == [
        {"key": "character:Ann/0/0", "name": None, "definition": None},
        {"key": "character:Ann/0/1", "name": "Item 1", "definition": {"name": "Item 1"}},
    ]


async def test_stacks_of_one_item_have_ids_of_their_own_and_sum_up(service: Service) -> None:
    """Behaviour 4."""
    service.account.character("Chieftain Alex", *sample("inventory_document")["bags"])
    service.catalogue["items"] = {46735: entry(46735)}
    query = """query($owner: OwnerInput!) { inventory(owner: $owner) {
      items(filter: { definitionKeys: ["item:46735"] }) { nodes { id quantity } }
      totals(filter: { definitionKeys: ["item:46735"] }) { edges { quantity node { key } } } } }"""
    async with fronted(service) as far:
        found = (await far.me(query)).whole()["inventory"]
    assert [item["quantity"] for item in found["items"]["nodes"]] == ["250", "250", "180"]
    assert len({item["id"] for item in found["items"]["nodes"]}) == 3
    assert found["totals"]["edges"] == [{"quantity": "680", "node": {"key": "item:46735"}}]


async def test_a_hundred_stacks_with_all_that_belongs_to_them_cost_a_call_for_each_endpoint(service: Service) -> None:
    """Behaviour 14."""
    dressed = {**sample("inventory_odd")["bags"][1]["inventory"][0], "dyes": [6, None, 1, 6]}
    items = [{**dressed, "id": 1000 + number, "skin": [70, 746, 6000][number % 3]} for number in range(100)]
    service.account.character("Ann", *[bag(*items[at : at + 20]) for at in range(0, 100, 20)])
    for name in ("skins", "itemstats", "colors"):
        service.catalogue[name] = {one["id"]: one for one in sample(name)}
    ids = [*range(1000, 1100), 24615, 37131, 8932]
    service.catalogue["items"] = {number: entry(number) for number in ids}
    query = """query($owner: OwnerInput!) { inventory(owner: $owner) { container(key: "character:Ann") {
      ... on GuildWars2Character { bagSlots { bag { definition { name } slots { item { ... on GuildWars2Item {
        name definition { name } skin { name } stats { definition { key } }
        dyes { name } upgrades { name } infusions { name } } } } } } } } } }"""
    async with fronted(service) as far:
        found = (await far.me(query)).whole()["inventory"]["container"]["bagSlots"]
    assert sum(len(place["bag"]["slots"]) for place in found) == 100
    assert found[0]["bag"]["slots"][0]["item"]["dyes"] == [{"name": "Sky"}, None, None, {"name": "Sky"}]
    assert sorted(service.paths) == [
        *("/v2/account", "/v2/characters/Ann/inventory", "/v2/colors", "/v2/items", "/v2/itemstats", "/v2/skins")
    ]
    assert len(service.ids("/v2/items")[0]) == 103


async def test_empty_materials_are_hidden_until_asked_for(service: Service) -> None:
    """Behaviour 28."""
    service.account.documents["/v2/account/materials"] = sample("account_materials")
    query = """query($owner: OwnerInput!, $least: Int) { inventory(owner: $owner) {
      items(filter: { minQuantity: $least }) { nodes { key quantity } } } }"""
    async with fronted(service) as far:
        some = (await far.me(query, least=1)).whole()["inventory"]["items"]["nodes"]
        every = (await far.me(query, least=0)).whole()["inventory"]["items"]["nodes"]
        plain = (await far.me(PLAIN_ITEMS)).whole()["inventory"]["items"]["nodes"]
    assert [item["quantity"] for item in some] == ["640", "750", "2"]
    assert {item["key"]: item["quantity"] for item in every}["materials/5/19670"] == "0"
    assert plain == some


# --- one bad id, and outages ------------------------------------------------------------------------------------------


def poisoned(service: Service, *bad: int, status: int = 502) -> None:
    def step(request: httpx.Request) -> httpx.Response | None:
        asked = parse_qs(request.url.query.decode())["ids"][0].split(",")
        return answer(status, "<html>Bad Gateway</html>") if {*map(str, bad)} & {*asked} else None

    service.catalogue["items"] = {number: entry(number) for number in range(1000)}
    service.on("/v2/items", step)


@pytest.mark.parametrize("status", [502, 500, 504])
@pytest.mark.parametrize("bad", [0, 77, 199])
async def test_one_id_that_spoils_its_batch_fails_alone(service: Service, bad: int, status: int) -> None:
    poisoned(service, bad, status=status)
    async with fronted(service) as far:
        got = await far.ask(DEFINITIONS, keys=keys(*range(200)))
    assert [one and one["key"] for one in got.data["itemDefinitions"]] == [
        None if number == bad else f"item:{number}" for number in range(200)
    ]
    assert [error["path"] for error in got.errors] == [["itemDefinitions", bad]]
    assert got.codes == ["UPSTREAM_TIMEOUT" if status == 504 else "UPSTREAM_UNAVAILABLE"]
    # Three tries of the whole, then two halves at each of eight steps.
    assert len(service.requests) <= 3 + 2 * 8


async def test_three_bad_ids_fail_alone(service: Service) -> None:
    poisoned(service, 10, 11, 150)
    async with fronted(service) as far:
        got = await far.ask(DEFINITIONS, keys=keys(*range(200)))
    nulls = [place for place, one in enumerate(got.data["itemDefinitions"]) if one is None]
    assert nulls == [10, 11, 150]
    assert len(service.requests) <= 51


@pytest.mark.parametrize("bad", [(0, 13, 40, 120, 160), range(0, 200, 3), range(200)], ids=["five", "third", "all"])
async def test_many_bad_ids_cost_a_bounded_number_of_calls(service: Service, bad: Sequence[int]) -> None:
    poisoned(service, *bad)
    async with fronted(service, breaker_failures=1000) as far:
        got = await far.ask(DEFINITIONS, keys=keys(*range(200)))
    assert set(got.codes) == {"UPSTREAM_UNAVAILABLE"}
    assert len(service.requests) <= 51


async def test_a_bad_id_spoils_no_other_batch_and_no_other_endpoint(service: Service) -> None:
    poisoned(service, 240)
    service.catalogue["skins"] = {one["id"]: one for one in sample("skins")}
    async with fronted(service) as far:
        got = await far.ask(DEFINITIONS, keys=[*keys(*range(249)), "skin:70"])
    assert [place for place, one in enumerate(got.data["itemDefinitions"]) if one is None] == [240]


@pytest.mark.parametrize("breaker", [10, 1000])
async def test_an_outage_causes_no_flood_of_calls(service: Service, breaker: int) -> None:
    service.on("/v2/items", answer(502, "<html>Bad Gateway</html>"))
    async with fronted(service, breaker_failures=breaker) as far:
        got = await far.ask(DEFINITIONS, keys=keys(*range(250)))
    assert got.data["itemDefinitions"] == [None] * 250
    assert set(got.codes) == {"UPSTREAM_UNAVAILABLE"}
    # For each of two batches three tries, and seven halves.
    assert len(service.requests) <= 20


async def test_an_outage_that_begins_in_the_middle_causes_no_flood_either(service: Service) -> None:
    service.catalogue["items"] = {number: entry(number) for number in range(200)}
    bad = answer(502, "<html>Bad Gateway</html>")
    service.on("/v2/items", bad, bad, bad, passing, bad)
    async with fronted(service, breaker_failures=1000) as far:
        got = await far.ask(DEFINITIONS, keys=keys(*range(200)))
    assert len([one for one in got.data["itemDefinitions"] if one]) == 100
    assert len(service.requests) <= 11


async def test_a_part_that_is_switched_off_is_asked_once(service: Service) -> None:
    """Behaviour 24."""
    service.on("/v2/items", refusal(503, "API not active"))
    async with fronted(service) as far:
        got = await far.ask(DEFINITIONS, keys=keys(*range(100)))
    assert set(got.codes) == {"UPSTREAM_UNAVAILABLE"}
    assert {error["extensions"]["retryable"] for error in got.errors} == {False}
    assert len(service.requests) == 1


async def test_a_part_that_is_switched_off_during_the_search_ends_it(service: Service) -> None:
    bad = answer(502, "<html>Bad Gateway</html>")
    service.on("/v2/items", bad, bad, bad, refusal(503, "API not active"))
    async with fronted(service) as far:
        got = await far.ask(DEFINITIONS, keys=keys(*range(100)))
    assert got.data["itemDefinitions"] == [None] * 100
    assert len(service.requests) == 5


# --- trouble ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        answer(502, "<html><h1>502 Bad Gateway</h1></html>", Content_Type="text/html"),
        answer(500, ""),
        answer(404, ""),
        refusal(400, "ErrTimeout"),
        refusal(500, "ErrInternal"),
        refusal(404, "unknown error"),
        answer(504, "<html>504</html>"),
    ],
)
async def test_passing_trouble_is_tried_again(service: Service, bad: httpx.Response) -> None:
    """Behaviour 24."""
    service.account.character("Ann", bag(*stacks(1)))
    service.on(encoded("Ann"), bad, bad, passing)
    async with fronted(service) as far:
        found = (await far.me(BAGS)).whole()
    assert found["inventory"]["containers"]["nodes"][0]["bagSlots"][0]["bag"]["size"] == 1
    assert service.paths.count(encoded("Ann")) == 3


async def test_a_limit_is_waited_out(service: Service) -> None:
    """Behaviour 23."""
    service.account.documents["/v2/account/bank"] = stacks(1)
    service.on("/v2/account/bank", answer(429, {"text": "too many requests"}, Retry_After="0.1"), passing)
    async with fronted(service) as far:
        found = (await far.me(STORAGE)).whole()
    assert found["inventory"]["bank"]["slots"] == [{"item": {"quantity": "1"}}]
    first, second = [at for at, path in zip(service.times, service.paths, strict=True) if path == "/v2/account/bank"]
    assert second - first >= 0.1


async def test_when_one_must_wait_all_wait(service: Service) -> None:
    """Behaviour 23."""

    async def slowly(_: httpx.Request) -> None:
        await asyncio.sleep(0.03)

    service.account.documents["/v2/account/inventory"] = stacks(1)
    service.catalogue["items"] = {1: entry(1)}
    service.on("/v2/account/inventory", slowly)
    service.on("/v2/account/bank", answer(429, {"text": "too many requests"}, Retry_After="0.15"), passing)
    async with fronted(service) as far:
        (await far.me(STORAGE)).whole()
    at = dict(zip(reversed(service.paths), reversed(service.times), strict=True))
    # Its first mention, since the dictionary was filled from the end.
    assert at["/v2/items"] - at["/v2/account/bank"] >= 0.14


async def test_a_limit_that_outlasts_the_deadline_is_told(service: Service) -> None:
    """Behaviour 23."""
    service.on("/v2/account/bank", answer(429, {"text": "too many requests"}, Retry_After="60"))
    async with fronted(service, seconds=2.0) as far:
        got = await far.me(STORAGE)
    told = {tuple(error["path"]): error["extensions"] for error in got.errors}
    assert told["inventory", "bank", "slots"]["code"] == "RATE_LIMITED"
    assert told["inventory", "bank", "slots"]["retryAfter"] == 60
    assert set(got.codes) == {"RATE_LIMITED"}
    assert service.paths.count("/v2/account/bank") == 1


async def test_our_own_budget_is_kept(service: Service) -> None:
    """Behaviour 23."""
    assert MANIFEST.limits.budget is not None
    assert (MANIFEST.limits.budget.burst, MANIFEST.limits.budget.per_minute) == (300, 300)
    small = CallBudget(burst=2, per_minute=60, scope=MANIFEST.limits.budget.scope)
    async with fronted(service, seconds=0.5) as far:
        upstream = far.gateway.backends["guildwars2"].inner  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue, reportUnknownVariableType] -- the guard's
        from gateway.transport.client import Client

        upstream.client = Client("guildwars2", pool=far.gateway.pool, judge=judge, budget=small, timeout=5)
        got = await far.me(STORAGE)
    assert set(got.codes) == {"RATE_LIMITED"}
    assert len(service.requests) == 2


BROKEN = {
    "not JSON": answer(200, "<html>OK</html>"),
    "empty": answer(200, ""),
    "truncated": answer(200, raw("inventory")[:200]),
    "another shape": answer(200, {"bags": {"0": 1}}),
    "a list": answer(200, []),
    "an old shape": answer(200, {"inventory": []}),
    "a huge number": answer(200, {"bags": [bag({"id": 2**40, "count": 1})]}),
    "a huge bag": answer(200, {"bags": [bag(size=2**30)]}),
    "no UTF-8": answer(200, b'{"bags": ["\xff"]}'),
    "deeply nested": answer(200, b'{"bags": ' + b"[" * 50_000),
    "huge": answer(200, b'{"bags": [' + b"null," * 50_000 + b"null]}"),
    "redirected": answer(302, "", Location="http://elsewhere.test/"),
    "no content": answer(204, ""),
    "not understood": refusal(418, "teapot"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_an_answer_that_is_no_good_spoils_its_own_part_alone(service: Service, what: str) -> None:
    for name in ("Ann", "Bob", "Cid"):
        service.account.character(name, bag(*stacks(1, 1)))
    service.on(encoded("Bob"), BROKEN[what])
    async with fronted(service, max_body_bytes=200_000) as far:
        got = await far.me(BAGS)
        one = await far.me(ONE, key="character:Bob")
    ann, bob, cid = got.data["inventory"]["containers"]["nodes"]
    assert bob == {"name": "Bob", "bagSlots": None}
    for whole in (ann, cid):
        assert len(whole["bagSlots"][0]["bag"]["slots"]) == 2
    assert got.codes == ["UPSTREAM_INVALID"]
    assert got.errors[0]["path"] == ["inventory", "containers", "nodes", 1, "bagSlots"]
    assert one.data["inventory"]["container"] == {"name": "Bob", "key": "character:Bob", "bagSlots": None}
    assert service.paths.count(encoded("Bob")) == 2, "it is not tried again"


@pytest.mark.parametrize("spoilt", [{"id": 2}, {"id": 2, "name": 5}, {**entry(2), "level": "high"}])
async def test_an_entry_that_is_no_good_spoils_itself_alone(service: Service, spoilt: Any) -> None:
    service.on("/v2/items", answer(200, [entry(1), spoilt, entry(3)]))
    async with fronted(service) as far:
        got = await far.ask(DEFINITIONS, keys=keys(1, 2, 3))
    assert [one and one["key"] for one in got.data["itemDefinitions"]] == ["item:1", None, "item:3"]
    assert got.codes == ["UPSTREAM_INVALID"]


@pytest.mark.parametrize("spoilt", [None, 5, {}, {"id": "x"}, {"id": -1}, "text", []])
async def test_an_entry_without_an_id_spoils_only_what_is_missing(service: Service, spoilt: Any) -> None:
    service.on("/v2/items", answer(200, [spoilt, entry(3), entry(1)]))
    async with fronted(service) as far:
        got = await far.ask(DEFINITIONS, keys=keys(1, 2, 3))
    assert [one and one["key"] for one in got.data["itemDefinitions"]] == ["item:1", None, "item:3"]
    assert got.codes == ["UPSTREAM_INVALID"]


async def test_an_item_without_a_chat_link_spoils_nothing_however_large_its_id(service: Service) -> None:
    plain = {name: value for name, value in entry(2**31 - 1).items() if name != "chat_link"}
    service.on("/v2/items", answer(200, [plain, entry(1)]))
    async with fronted(service) as far:
        found = (await far.ask(DEFINITIONS, keys=keys(2**31 - 1, 1))).whole()["itemDefinitions"]
    assert [one["key"] for one in found] == ["item:2147483647", "item:1"]


@pytest.mark.parametrize("listed", [["Ann", "a/b"], ["x" * 100], [""], {"0": "Ann"}, [1]])
async def test_a_list_of_names_that_is_no_good_leaves_the_storage(service: Service, listed: Any) -> None:
    service.account.documents["/v2/characters"] = listed
    query = """query($owner: OwnerInput!) { inventory(owner: $owner) {
      containers { nodes { key } isComplete problems { code } } } }"""
    async with fronted(service) as far:
        found = (await far.me(query)).whole()["inventory"]["containers"]
    assert [node["key"] for node in found["nodes"]] == ["bank", "shared", "materials"]
    assert (found["isComplete"], found["problems"]) == (False, [{"code": "UPSTREAM_INVALID"}])


async def test_a_slow_character_nulls_its_own_bags_and_nothing_above(service: Service) -> None:
    for name in ("Ann", "Bob"):
        service.account.character(name, bag(*stacks(1)))
    service.on(encoded("Bob"), stuck)
    async with fronted(service, patience=0.05, attempts=1) as far:
        got = await far.me(BAGS)
        one = await far.me(ONE, key="character:Bob")
    ann, bob = got.data["inventory"]["containers"]["nodes"]
    assert ann["bagSlots"][0]["bag"]["size"] == 1
    assert bob == {"name": "Bob", "bagSlots": None}
    assert got.codes == ["UPSTREAM_TIMEOUT"]
    assert one.data["inventory"]["container"] == {"name": "Bob", "key": "character:Bob", "bagSlots": None}


async def test_a_character_that_does_not_answer_within_the_operation_nulls_its_own_bags(service: Service) -> None:
    for name in ("Ann", "Bob"):
        service.account.character(name, bag(*stacks(1)))
    service.on(encoded("Bob"), stuck)
    async with fronted(service, patience=60, seconds=0.2) as far:
        got = await far.me(BAGS)
    ann, bob = got.data["inventory"]["containers"]["nodes"]
    assert ann["bagSlots"][0]["bag"]["size"] == 1
    assert bob["bagSlots"] is None
    assert got.codes == ["UPSTREAM_TIMEOUT"]


async def test_a_list_of_all_items_tells_which_container_is_missing(service: Service) -> None:
    for name in ("Ann", "Bob"):
        service.account.character(name, bag(*stacks(1)))
    service.on(encoded("Bob"), BROKEN["not JSON"])
    query = """query($owner: OwnerInput!) { inventory(owner: $owner) {
      items { nodes { key } isComplete problems { code containerKey } } } }"""
    async with fronted(service) as far:
        found = (await far.me(query)).whole()["inventory"]["items"]
    assert [item["key"] for item in found["nodes"]] == ["character:Ann/0/0"]
    assert found["problems"] == [{"code": "UPSTREAM_INVALID", "containerKey": "character:Bob"}]


async def test_what_was_read_empty_is_no_failure_though_all_else_fails(service: Service) -> None:
    for path in ("/v2/characters", "/v2/account/bank", "/v2/account/materials"):
        service.on(path, BROKEN["not JSON"])
    query = "query($owner: OwnerInput!) { inventory(owner: $owner) { items { nodes { key } problems { code } } } }"
    async with fronted(service) as far:
        found = (await far.me(query)).whole()["inventory"]["items"]
        service.on("/v2/account/inventory", BROKEN["not JSON"])
        got = await far.me(query)
    assert found == {"nodes": [], "problems": [{"code": "UPSTREAM_INVALID"}] * 3}
    assert got.data == {"inventory": {"items": None}}
    assert got.codes == ["UPSTREAM_INVALID"]


async def test_the_loaders_alone_batch_what_is_asked_for_in_one_turn(service: Service) -> None:
    """Behaviour 12."""
    service.catalogue["items"] = {number: entry(number) for number in range(300)}
    async with fronted(service) as far:
        context = Context(far.gateway.backends, caller())
        try:
            refs = [DefinitionRef("guildwars2", f"item:{number % 201}") for number in range(500)]
            found = await asyncio.gather(*(context.load("definitions_by_key", ref) for ref in refs))
        finally:
            await context.aclose()
    assert [one.key for one in found] == [ref.key for ref in refs]
    assert [len(batch) for batch in service.ids("/v2/items")] == [200, 1]


async def test_the_account_of_the_samples_is_read_whole(service: Service) -> None:
    service.account.documents["/v2/account"] = sample("account")
    async with fronted(service) as far:
        found = (await far.me(ACCOUNT)).whole()
    assert found["inventoryOwner"]["details"]["name"] == OWNER
